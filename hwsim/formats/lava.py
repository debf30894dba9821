"""Intel's Lava: export an integer network with a script that runs it, and compare every spike."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.mapping.plan import Plan
from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection
from hwsim.neuron import AnyNeuron, FixedNeuron, GradedVec, SigmaDelta
from hwsim.simulation import Run, check_samples
from hwsim.synapses import Conv2d, Sparse, size_of

INPUT = -1
MAX_DELAY = 63  # Lava counts from the next step on
NEVER_FIRES = 1 << 17  # shifted by 6 this is beyond the largest potential; the largest v_th is not
UNROLL_LIMIT = 4_000_000  # synapses of a convolution that Lava can only hold as a matrix
INT32_MAX = 2**31 - 1
LIF_FIELDS = ("du", "dv", "v_th", "bias_mant", "bias_exp")
SDN_FIELDS = ("v_th", "cum_error", "spike_exp", "state_exp")
SCRIPT, FILES = "run_lava.py", ("network.npz", "inputs.npz", "expected.npz")
PYTHON_ENV = "NEURO_PYTHON310"
HOW_TO_GET = (
    "install Python 3.10 (e.g. `uv python install 3.10` or `pyenv install 3.10`), or set "
    f"{PYTHON_ENV} to its interpreter"
)


@dataclass(frozen=True, slots=True)
class LayerVerdict:
    """One layer: spikes in Lava, values compared, and how many differ.

    n_different_v counts final potentials of a read-out; None where spikes are all there is.
    """

    name: str
    n_spikes: int
    n_values: int
    n_different: int
    n_different_v: int | None


@dataclass(frozen=True, slots=True)
class LavaVerdict:
    """What Lava said of an exported folder.

    Attributes:
        n_samples: samples run, of steps_per_sample steps each.
        layers: per population. seconds_per_sample: of the simulation, without set-up.
        set_up_s: to build and start Lava's processes. lava_version: e.g. "0.10.0".
    """

    n_samples: int
    steps_per_sample: int
    layers: tuple[LayerVerdict, ...]
    seconds_per_sample: float
    set_up_s: float
    lava_version: str

    @property
    def n_spikes_compared(self) -> int:
        """Spikes in Lava, all layers."""
        return sum(layer.n_spikes for layer in self.layers)

    @property
    def n_different(self) -> int:
        """Values that differ, potentials of read-outs included."""
        return sum(layer.n_different + (layer.n_different_v or 0) for layer in self.layers)


def export_lava(what: Network | Plan, samples: AnyArray, run: Run, folder: Path) -> None:
    """Write a folder that Lava can run: `uv run --script run_lava.py` in it.

    Lava is given the chip's delays. Each population is compared in its own `n_steps` steps, which
    begin when its state is cleared; a read-out also by its potential after the last of them.

    Args:
        what: a network in a chip's integers, or a plan of one.
        samples: input spikes, (samples, steps, *input shape).
        run: the simulation of these samples, recorded with `record=("spikes",)`.
        folder: is made if it does not exist.

    Raises:
        ValueError: if Lava has no process for a part of the network, or `run` is of other samples.
    """
    net, shift = (what.network, what.shift) if isinstance(what, Plan) else retime(what)
    if not net.is_integer:
        raise ValueError("the network is real, Lava's fixed point is integer: quantise it first")
    inputs = check_samples(net, samples)
    if run.output.shape[0] != len(inputs) or run.n_steps != inputs.shape[1]:
        raise ValueError(
            f"the run is of {len(run.output)} samples of {run.n_steps} steps, the samples are "
            f"{len(inputs)} of {inputs.shape[1]}: simulate these samples"
        )
    arrays, populations, projections = _parts(net, shift, inputs.shape[1])
    description = {
        "n_steps": inputs.shape[1],
        "window": inputs.shape[1] + max(shift.values()),
        "input_shape": list(net.inputs[0].shape),
        "populations": populations,
        "projections": projections,
    }
    expected = _expected(net, run)
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / "network.npz", arrays | {"description": np.array(json.dumps(description))})
    _save(folder / "inputs.npz", {"inputs": inputs})
    _save(folder / "expected.npz", expected)
    script = resources.files("hwsim.formats").joinpath(SCRIPT)
    (folder / SCRIPT).write_bytes(script.read_bytes())


def _expected(net: Network, run: Run) -> dict[str, AnyArray]:
    """What Lava should answer, by the names in expected.npz; see run_lava.py."""
    expected: dict[str, AnyArray] = {}
    for population in net.populations:
        name = population.name
        if population.neuron is None:
            continue
        if name not in run.spikes:
            raise ValueError(f'{name!r} was not recorded: simulate with `record=("spikes",)`')
        sent = run.aligned(name)
        expected[f"spikes/{name}"] = sent if _has_payload(population.neuron) else sent != 0
        if _is_readout(population) and name == net.output:
            expected[f"v/{name}"] = run.output
        elif _is_readout(population) and name in run.v:
            expected[f"v/{name}"] = run.aligned(name, "v")[:, -1]
    return expected


def _save(path: Path, arrays: dict[str, AnyArray]) -> None:
    np.savez_compressed(path, allow_pickle=False, **arrays)


Record = dict[str, object]  # one JSON object of the description; see run_lava.py


def _parts(
    net: Network, shift: dict[str, int], n_steps: int
) -> tuple[dict[str, AnyArray], list[Record], list[Record]]:
    """Arrays and JSON records of a retimed network."""
    arrays: dict[str, AnyArray] = {}
    populations: list[Record] = []
    projections: list[Record] = []
    numbers = {p.name: INPUT for p in net.inputs}
    window = n_steps + max(shift.values())
    for population in net.populations:
        if population.neuron is not None:
            at = f"population{len(populations)}"
            numbers[population.name] = len(populations)
            populations.append(_population(population, shift[population.name], window, at, arrays))
    for i, p in enumerate(net.projections):
        record, held = _synapses(net, p)
        record |= {"source": numbers[p.source], "target": numbers[p.target]}
        projections.append(record)
        arrays |= {f"projection{i}/{name}": values for name, values in held.items()}
    return arrays, populations, projections


def _population(
    population: Population, start: int, window: int, at: str, arrays: dict[str, AnyArray]
) -> Record:
    assert population.neuron is not None
    try:
        kind, values = _neuron(population.neuron)
    except ValueError as error:
        raise ValueError(f"population {population.name!r} {error}") from None
    record: Record = {
        "name": population.name,
        "shape": list(population.shape),
        "kind": kind,
        "start": start,
        "reset_interval": window,
        "reset_offset": (start + 1) % window,  # Lava counts steps from 1
    }
    for name, value in values.items():
        if not isinstance(value, np.ndarray):
            record[name] = value
        elif value.size == 1 or (value == value.flat[0]).all():
            record[name] = int(value.flat[0])
        elif name.startswith("v_th") and kind != "lif":
            raise ValueError(
                f"population {population.name!r} has a threshold for each neuron, Lava's {kind} "
                "neurons have one for all: export it with one"
            )
        else:
            record[name] = None
            arrays[f"{at}/{name}"] = np.broadcast_to(value, population.shape).reshape(-1)
    return record


def _neuron(neuron: AnyNeuron) -> tuple[str, dict[str, object]]:
    """Lava's kind of neuron and its parameters; see `KINDS` in run_lava.py.

    Raises:
        ValueError: saying what Lava's neurons have not, without the population's name.
    """
    if isinstance(neuron, GradedVec):
        return "graded_relu" if neuron.activation == "relu" else "graded", {"v_th": neuron.v_th}
    if isinstance(neuron, SigmaDelta):
        values = {name: getattr(neuron, name) for name in SDN_FIELDS}
        if neuron.emits == "nothing":  # 2^31 - 1, nearly: no activation changes by as much
            values["v_th"] = np.array(INT32_MAX >> neuron.exp)
        if not neuron.integrates:
            return "delta", values
        return "sigma_delta", values | {"bias": neuron.bias, "activation": neuron.activation}
    assert isinstance(neuron, FixedNeuron)
    values = {name: getattr(neuron, name) for name in LIF_FIELDS}
    if neuron.emits == "nothing":  # it never fires, so nothing resets or rests
        return "lif", values | {"v_th": np.array(NEVER_FIRES)}
    if neuron.reset != "zero":
        raise ValueError(f"resets by {neuron.reset!r}, Lava's LIF only to zero")
    if neuron.refractory:
        raise ValueError(
            f"has a refractory time of {neuron.refractory} steps, Lava's LIF has none in fixed "
            "point: export it without"
        )
    if neuron.emits == "graded":
        raise ValueError(
            "emits the potential it fired with, Lava's LIF only spikes: send spikes, or use "
            "`GradedVec` or `SigmaDelta`"
        )
    if neuron.emits == "ternary":
        return "ternary", values | {"v_th_low": neuron.v_th_low}
    return "lif", values


def _synapses(net: Network, p: Projection) -> tuple[Record, dict[str, AnyArray]]:
    """JSON record and arrays (delays from the next step on) of one projection."""
    assert p.word is not None
    delay = p.delay - 1
    if delay.max() > MAX_DELAY:
        raise ValueError(
            f"projection {p.source} -> {p.target}: delay {delay.max()}, Lava holds {MAX_DELAY}"
        )
    record: Record = {
        "num_weight_bits": p.word.n_bits,
        "weight_exp": p.word.exp,
        "sign_mode": p.word.sign_mode,
        "num_message_bits": p.word.message_bits,
        "stride": [1, 1],
        "padding": [0, 0],
        "dilation": [1, 1],
        "groups": 1,
    }
    delayed = bool(delay.max() > 0)
    if isinstance(p.synapses, Conv2d) and not delayed and p.word.exp >= 0:
        weight = p.synapses.weight << p.word.exp
        return record | _geometry(p.synapses), {"weight": weight}
    if isinstance(p.synapses, Sparse):
        held = _listed(p, p.synapses)
        kind = "delay_sparse" if delayed else "sparse"
    else:
        unrolled = _unrolled(net, p, p.synapses) if isinstance(p.synapses, Conv2d) else None
        held = {"weight": p.synapses.weight if unrolled is None else unrolled}
        kind = "delay_dense" if delayed else "dense"
    if delayed:
        held["delays"] = np.broadcast_to(delay, held["weight"].shape)
    return record | {"kind": kind}, held


def _listed(p: Projection, synapses: Sparse) -> dict[str, AnyArray]:
    """Weights of listed synapses and the neurons that they join."""
    held = {"weight": synapses.weight, "from": synapses.source, "to": synapses.target}
    pairs = held["from"] * synapses.n_targets + held["to"]
    n_double = pairs.size - np.unique(pairs).size
    if n_double:
        raise ValueError(
            f"projection {p.source} -> {p.target}: {n_double} synapses join neurons that another "
            "one joins, Lava's matrix holds one: add their weights up"
        )
    return held


def _geometry(conv: Conv2d) -> Record:
    """Lava's `Conv` knows neither exponent nor bits: the weights already hold them."""
    return {
        "kind": "conv",
        "weight_exp": 0,
        "num_weight_bits": 8,
        "stride": list(conv.stride),
        "padding": list(conv.padding),
        "dilation": list(conv.dilation),
        "groups": conv.groups,
    }


def _unrolled(net: Network, p: Projection, conv: Conv2d) -> IntArray:
    """A convolution as a matrix: Lava's `Conv` has no delay and no negative exponent."""
    source, target = net[p.source].shape, net[p.target].shape
    n_synapses = size_of(source) * size_of(target)
    if n_synapses > UNROLL_LIMIT:
        raise ValueError(
            f"projection {p.source} -> {p.target}: Lava's convolution has no delay and no "
            f"negative exponent, and as a matrix it has {n_synapses} weights, at most "
            f"{UNROLL_LIMIT}"
        )
    n_out, per_group = conv.weight.shape[:2]
    matrix = np.zeros((n_out, *target[1:], *source), dtype=np.int64)
    for channel, y, x in np.ndindex(n_out, *target[1:]):
        first = channel // (n_out // conv.groups) * per_group
        for ky, kx in np.ndindex(*conv.weight.shape[2:]):
            row = y * conv.stride[0] - conv.padding[0] + ky * conv.dilation[0]
            column = x * conv.stride[1] - conv.padding[1] + kx * conv.dilation[1]
            if 0 <= row < source[1] and 0 <= column < source[2]:
                inputs = slice(first, first + per_group)
                matrix[channel, y, x, inputs, row, column] = conv.weight[channel, :, ky, kx]
    return matrix.reshape(size_of(target), size_of(source))


def _is_readout(population: Population) -> bool:
    return population.neuron is not None and population.neuron.emits == "nothing"


def _has_payload(neuron: AnyNeuron | None) -> bool:
    """Whether Lava's messages are compared as numbers, not only as sent or not."""
    return neuron is not None and neuron.emits in ("ternary", "graded")


# --- running Lava --------------------------------------------------------------------------------


def find_python310() -> Path:
    """An interpreter of Python 3.10 that really runs: Lava needs one.

    Raises:
        ValueError: if there is none.
    """
    named = os.environ.get(PYTHON_ENV)
    if named:
        if not _runs_310(Path(named)):
            raise ValueError(f"{PYTHON_ENV} is {named!r}, which is no running Python 3.10")
        return Path(named)
    for candidate in _candidates():
        if _runs_310(candidate):
            return candidate
    raise ValueError(f"no Python 3.10 found, and Lava runs on nothing newer: {HOW_TO_GET}")


def _candidates() -> Iterator[Path]:
    """Where a Python 3.10 may be: PATH (a pyenv shim may fail), uv, pyenv."""
    for found in (shutil.which("python3.10"), _said("uv", "python", "find", "3.10")):
        if found:
            yield Path(found)
    root = _said("pyenv", "root")
    if root:
        yield from sorted(Path(root).glob("versions/3.10*/bin/python"), reverse=True)


def _said(*command: str) -> str | None:
    """What a command prints; None if it fails or is not there."""
    program = _find_uv() if command[0] == "uv" else shutil.which(command[0])
    if program is None:
        return None
    try:
        done = subprocess.run(
            [program, *command[1:]], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _find_uv() -> str | None:
    """The program uv: on PATH, or beside this interpreter."""
    beside = Path(sys.executable).with_name("uv")
    return shutil.which("uv") or (str(beside) if beside.is_file() else None)


def _runs_310(python: Path) -> bool:
    check = "import sys; sys.exit(sys.version_info[:2] != (3, 10))"
    try:
        done = subprocess.run([python, "-c", check], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def verify_lava(
    folder: Path, *, n_samples: int | None = None, timeout_s: float = 3600
) -> LavaVerdict:
    """Run an exported folder in Lava and compare every spike.

    The first call builds Lava's environment, which needs a network; later ones reuse it.

    Raises:
        ValueError: if Python 3.10, uv or a file is missing, or Lava fails.
    """
    missing = [name for name in (SCRIPT, *FILES) if not (folder / name).is_file()]
    if missing:
        raise ValueError(f"{folder} holds no {missing[0]}: export the network there first")
    uv = _find_uv()
    if uv is None:
        raise ValueError("uv builds Lava's environment and is not installed: `pip install uv`")
    command = [uv, "run", "--quiet", "--python", str(find_python310()), "--script"]
    command += [str(folder / SCRIPT)]
    command += [] if n_samples is None else ["--samples", str(n_samples)]
    code, out, err = _run(command, timeout_s)
    reports = [line for line in out.splitlines() if line.startswith("{")]
    if code != 0 or not reports:
        said = (err.strip() or out.strip()).splitlines()
        raise ValueError(f"Lava failed on {folder}: {said[-1] if said else 'no output'}")
    return _verdict(json.loads(reports[-1]))


def _run(command: list[str], timeout_s: float) -> tuple[int, str, str]:
    """Exit code, output and errors of a command, ended with all its children if it takes long.

    Lava runs every process of its network in one of the operating system.
    """
    env = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,  # modules of this Python are not for that one
        start_new_session=True,
    ) as child:
        try:
            out, err = child.communicate(timeout=timeout_s)
        except BaseException as error:
            os.killpg(child.pid, signal.SIGKILL)
            if isinstance(error, subprocess.TimeoutExpired):
                raise ValueError(
                    f"Lava took more than {timeout_s:g} s: verify fewer samples"
                ) from None
            raise
    return child.returncode, out, err


def _verdict(report: dict[str, Any]) -> LavaVerdict:
    return LavaVerdict(
        n_samples=report["n_samples"],
        steps_per_sample=report["steps_per_sample"],
        layers=tuple(
            LayerVerdict(
                layer["name"],
                layer["n_spikes"],
                layer["n_values"],
                layer["n_different_spikes"],
                layer.get("n_different_v"),
            )
            for layer in report["layers"]
        ),
        seconds_per_sample=report["seconds_per_sample"],
        set_up_s=report["set_up_seconds"],
        lava_version=report["lava"],
    )
