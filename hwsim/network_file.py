"""A `Network` as one HDF5 file: attributes for words, datasets for arrays, nothing executable.

The file ends in a seal, the hash of all before it: HDF5 itself may crash on damaged content.
"""

import hashlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hwsim.arrays import AnyArray
from hwsim.atomic import atomic_path
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import AnyNeuron, FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse, Synapses

FORMAT = "neuro-hwsim network"
VERSION = 2  # 2: refractory, ternary and graded neurons of a chip, sigma-delta, graded vectors
READS = (1, 2)
SEAL = b"sha256:"
SEAL_BYTES = len(SEAL) + hashlib.sha256().digest_size
NEURONS: dict[str, type[AnyNeuron]] = {
    "real": Neuron,
    "fixed": FixedNeuron,
    "sigma_delta": SigmaDelta,
    "graded_vec": GradedVec,
}
SYNAPSES: dict[str, type[Dense] | type[Conv2d] | type[Sparse]] = {
    "dense": Dense,
    "conv2d": Conv2d,
    "sparse": Sparse,
}


def save_network(net: Network, path: Path) -> None:
    """Write a network file, atomically.

    Raises:
        OSError: if the place cannot be written.
    """
    with atomic_path(Path(path)) as temporary:
        with h5py.File(temporary, "w") as file:
            _write_network(net, file)
        content = temporary.read_bytes()
        temporary.write_bytes(content + SEAL + hashlib.sha256(content).digest())


def _write_network(net: Network, file: Any) -> None:
    file.attrs.update(
        {
            "format": FORMAT,
            "version": VERSION,
            "dt_s": net.dt_s,
            "output": net.output,
            "digest": net.digest,
        }
    )
    for i, population in enumerate(net.populations):
        group = file.create_group(f"populations/{i:04d}")
        group.attrs.update({"name": population.name, "shape": population.shape})
        if population.neuron is not None:
            _write(group.create_group("neuron"), population.neuron, NEURONS)
    for i, projection in enumerate(net.projections):
        group = file.create_group(f"projections/{i:04d}")
        group.attrs.update({"source": projection.source, "target": projection.target})
        group.create_dataset("delay", data=projection.delay)
        group.create_dataset("gain", data=projection.gain)
        _write(group.create_group("synapses"), projection.synapses, SYNAPSES)
        if projection.word is not None:
            word = group.create_group("word")
            word.attrs.update(
                {f.name: getattr(projection.word, f.name) for f in fields(WeightWord)}
            )


def load_network(path: Path) -> Network:
    """Read a network file and validate it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole, valid network file of a known version.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"no network file {path}: give the path of a `.h5`, `chip.h5` of a run folder or what "
            "hwsim.save_network wrote"
        )
    if not _seal_holds(path.read_bytes()):
        raise ValueError(f"{path} was damaged: its content does not match its seal; write it again")
    try:
        with h5py.File(path, "r") as file:
            return _read_network(file)
    except (OSError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise ValueError(
            f"{path} is no readable network file: it is truncated or of another kind; write it "
            "again"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path} does not hold a valid network: {error}") from error


def _seal_holds(content: bytes) -> bool:
    """Whether a file is what was written; one without a seal is left to HDF5 and the digest."""
    body, seal = content[:-SEAL_BYTES], content[-SEAL_BYTES:]
    return not seal.startswith(SEAL) or seal == SEAL + hashlib.sha256(body).digest()


def _read_network(file: Any) -> Network:
    if file.attrs.get("format") != FORMAT:
        raise ValueError(f"its format is {file.attrs.get('format')!r}, not {FORMAT!r}")
    if file.attrs["version"] not in READS:
        raise ValueError(
            f"its version is {file.attrs['version']}, this program reads {READS[0]} to {READS[-1]}"
        )
    net = Network(
        tuple(_read_population(g) for g in file["populations"].values()),
        tuple(_read_projection(g) for g in file.get("projections", {}).values()),
        float(file.attrs["dt_s"]),
        str(file.attrs["output"]),
    )
    if net.digest != file.attrs["digest"]:
        raise ValueError("its content does not match its checksum: the file was damaged or edited")
    return net


def _read_population(group: Any) -> Population:
    neuron = _read(group["neuron"], NEURONS) if "neuron" in group else None
    return Population(str(group.attrs["name"]), tuple(map(int, group.attrs["shape"])), neuron)


def _read_projection(group: Any) -> Projection:
    word = WeightWord(**_plain(group["word"].attrs)) if "word" in group else None
    synapses: Synapses = _read(group["synapses"], SYNAPSES)
    return Projection.of(
        str(group.attrs["source"]),
        str(group.attrs["target"]),
        synapses,
        delay=group["delay"][()],
        gain=group["gain"][()],
        word=word,
    )


def _write(group: Any, part: Any, kinds: dict[str, Any]) -> None:
    """Write a dataclass: arrays as datasets, other fields as attributes, None as nothing."""
    group.attrs["kind"] = next(kind for kind, cls in kinds.items() if isinstance(part, cls))
    for field in fields(part):
        value = getattr(part, field.name)
        if isinstance(value, np.ndarray):
            packed = {"compression": "gzip", "shuffle": True} if value.ndim else {}
            group.create_dataset(field.name, data=value, **packed)
        elif value is not None:
            group.attrs[field.name] = value


def _read(group: Any, kinds: dict[str, Any]) -> Any:
    """Read a dataclass written by `_write`."""
    attrs = _plain(group.attrs)
    kind = attrs.pop("kind")
    if kind not in kinds:
        raise ValueError(f"unknown kind {kind!r}, known are {', '.join(kinds)}")
    arrays: dict[str, AnyArray] = {name: data[()] for name, data in group.items()}
    return kinds[kind].of(**arrays, **attrs)


def _plain(attrs: Any) -> dict[str, Any]:
    """Attributes as Python's own types."""
    out: dict[str, Any] = {}
    for name, value in attrs.items():
        plain = value.tolist() if isinstance(value, np.generic | np.ndarray) else value
        out[name] = tuple(plain) if isinstance(plain, list) else plain
    return out
