"""A network kept whole in the metadata of its NIR graph, and the hash that says it still holds."""

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hwsim.arrays import AnyArray, digest
from hwsim.formats.hdf5_tree import check_sizes
from hwsim.network import Network
from hwsim.network_file import load_network, save_network

NETWORK, GRAPH = "hwsim_network", "hwsim_graph"  # the network file's bytes; hash of the nodes


def stored(net: Network) -> AnyArray:
    """A network file as bytes."""
    with tempfile.TemporaryDirectory() as folder:
        save_network(net, Path(folder) / "net.h5")
        return np.frombuffer((Path(folder) / "net.h5").read_bytes(), dtype=np.uint8)


def stored_network(root: Mapping[str, Any]) -> Network | None:
    """The network in a graph's metadata; None if there is none, or the graph was changed since.

    Raises:
        ValueError: if it is damaged.
    """
    metadata = root.get("metadata")
    if not isinstance(metadata, Mapping) or NETWORK not in metadata:
        return None
    if metadata.get(GRAPH) != content_hash(root):
        return None
    content = np.asarray(metadata[NETWORK])
    if content.dtype != np.uint8 or content.ndim != 1:
        raise ValueError(f"its `{NETWORK}` is {content.dtype} {content.shape}: export it again")
    try:
        with h5py.File(io.BytesIO(content.tobytes()), "r") as file:
            check_sizes(file)
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"its `{NETWORK}` is damaged: export it again") from error
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.h5"
        path.write_bytes(content.tobytes())
        try:
            return load_network(path)
        except ValueError as error:
            said = str(error).replace(str(path), f"its `{NETWORK}`")
            raise ValueError(said) from error


def content_hash(root: Mapping[str, Any]) -> str:
    """Hash of nodes, fields and edges; metadata does not count."""
    return digest(*_parts(root))


def _parts(value: Any) -> list[object]:
    if isinstance(value, Mapping):
        out: list[object] = []
        for key in sorted(k for k in value if k != "metadata"):
            if key == "edges":
                out += ["edges", sorted(tuple(map(str, pair)) for pair in value[key])]
            elif value[key] is not None:
                out += [key, *_parts(value[key])]
        return out
    if isinstance(value, str):
        return [value]
    array = np.asarray(value)
    return [array.astype(np.float64)] if array.dtype.kind in "fiub" else [str(array.tolist())]
