"""NIR files that are broken, or mean more than they say: refused in one line, memory bounded."""

from itertools import pairwise

import h5py
import nir
import numpy as np
import pytest

from hwsim.formats.nir_read import read_nir
from hwsim.formats.nir_write import to_nir
from tests.nir_graphs import DT, graph_of, lif


def node_file(path, change):
    """A valid file, then changed."""
    nir.write(path, graph_of(nir.Linear(np.eye(3)), lif(np.random.default_rng(0), 3)))
    with h5py.File(path, "r+") as file:
        change(file["node/nodes"], file)


def replaced(name, value):
    def change(nodes, file):
        group, _, field = name.rpartition("/")
        del nodes[group][field]
        if value is not None:
            nodes[group].create_dataset(field, data=value)

    return change


def huge(nodes, file):
    del nodes["linear/weight"]
    nodes["linear"].create_dataset("weight", (2**20, 2**20), "f8", chunks=(1024, 1024))


def bomb(nodes, file):
    """A few kilobytes on disk that unpack to 4 GiB."""
    shape, chunk = (2**15, 2**17), (2**10, 2**10)
    file["node"].create_dataset("bomb", shape, "u1", chunks=chunk, compression="gzip")


def linked(nodes, file):
    del nodes["linear/weight"]
    nodes["linear/weight"] = h5py.ExternalLink("/etc/hostname", "/x")


def cycle(nodes, file):
    for name in "ab":
        group = nodes.create_group(name)
        group["type"], group["weight"] = "Linear", np.eye(3)
    edges = [("a", "b"), ("b", "a"), ("input", "a"), ("input", "linear"), ("linear", "lif")]
    del file["node/edges"]
    file["node/edges"] = np.array(edges, dtype=h5py.string_dtype())


def nested(nodes, file):
    nodes["linear/inside"] = nodes["linear"]


BROKEN = {
    "unknown node": (replaced("lif/type", "Izhikevich"), "'Izhikevich', known are"),
    "missing field": (replaced("lif/tau", None), "'lif' .* lacks `tau`"),
    "wrong type": (replaced("lif/tau", "fast"), "`tau` of node 'lif'.*real numbers"),
    "compound": (replaced("lif/tau", np.zeros(3, "c16")), "of type complex128"),
    "not a number": (replaced("lif/r", np.full(3, np.nan)), "`r` of node 'lif' holds a NaN"),
    "negative time": (replaced("lif/tau", np.full(3, -1.0)), "is -1, must be above 0"),
    "shapes of a node": (replaced("lif/r", np.ones(4)), "'lif' .* mixes shapes"),
    "shapes of an edge": (replaced("linear/weight", np.ones((4, 3))), "4 values .* reach"),
    "flat weights": (replaced("linear/weight", np.ones(3)), r"has shape \(3,\)"),
    "huge": (huge, "at most 2,147,483,648 are read: split"),
    "bomb": (bomb, "at most 2,147,483,648 are read: split"),
    "link": (linked, "is a link to elsewhere"),
    "cycle of links": (nested, "deeper than 32"),
    "cycle": (cycle, "cycle without a neuron: .* put a neuron"),
    "no nodes": (lambda nodes, file: file.__delitem__("node/nodes"), "lacks `nodes`"),
    "no graph": (lambda nodes, file: file.__delitem__("node"), "no group `node`"),
    "edge to nowhere": (lambda nodes, file: nodes.__delitem__("lif"), "no such node"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, name):
    change, said = BROKEN[name]
    node_file(tmp_path / "net.nir", change)
    with pytest.raises(ValueError, match=said) as error:
        read_nir(tmp_path / "net.nir")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("content", [b"", b"\x80\x04cos\nsystem\n.", b"HDF"])
def test_what_is_no_hdf5_is_refused(tmp_path, content):
    (tmp_path / "net.nir").write_bytes(content)
    with pytest.raises(ValueError, match="no readable NIR file"):
        read_nir(tmp_path / "net.nir")


def test_a_truncated_file_is_refused(tmp_path):
    node_file(tmp_path / "net.nir", lambda nodes, file: None)
    content = (tmp_path / "net.nir").read_bytes()
    (tmp_path / "net.nir").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match="truncated or of another kind"):
        read_nir(tmp_path / "net.nir")


def between(shape, *nodes):
    """Nodes in a row behind an input of a shape."""
    nodes = {"in": nir.Input(shape), **{f"n{i}": n for i, n in enumerate(nodes)}}
    nodes["out"] = nir.Output([1])
    return nir.NIRGraph(nodes, list(pairwise(nodes)), type_check=False)


ONE, NONE = np.array(1.0), np.zeros(0)
LARGE = {
    "a layer of one number": ([2**30], [nir.Scale(ONE), nir.IF(ONE, ONE)], "at most 33,554,432"),
    "padding": (
        [1, 8, 8],
        [nir.Conv2d(None, np.ones((1, 1, 3, 3)), 1, (2**28, 2**28), 1, 1, ONE), nir.IF(ONE, ONE)],
        "at most 33,554,432",
    ),
    "a product": (
        [20_000],
        [nir.Linear(np.ones((1, 20_000))), nir.Linear(np.ones((20_000, 1))), nir.IF(ONE, ONE)],
        "multiply out to 400,000,000",
    ),
    "no groups": (
        [1, 8, 8],
        [nir.Conv2d((8, 8), np.ones((1, 1, 3, 3)), 1, 0, 1, NONE, ONE), nir.IF(ONE, ONE)],
        "`groups` of node 'n0' has 0 values",
    ),
    "no stride": ([1, 3, 3], [nir.SumPool2d(ONE, 0 * ONE, ONE), nir.IF(ONE, ONE)], "must be 1"),
    "no values": ([3], [nir.IF(NONE, NONE)], "3 values"),
}


@pytest.mark.parametrize("name", LARGE)
def test_small_files_that_mean_large_or_empty_networks_are_refused(name):
    shape, nodes, said = LARGE[name]
    with pytest.raises(ValueError, match=said):
        read_nir(between(shape, *nodes), dt=DT)


def test_a_damaged_network_in_the_metadata_is_refused():
    net = read_nir(graph_of(lif(np.random.default_rng(0), 3))).network
    graph, _ = to_nir(net)
    whole = graph.metadata["hwsim_network"]
    for damaged in (whole[:-50], whole[:9], whole[::-1], np.array("text")):
        graph.metadata["hwsim_network"] = damaged
        with pytest.raises(ValueError, match="`hwsim_network`"):
            read_nir(graph)


def test_many_ways_that_lead_nowhere_are_refused():
    graph = between([1], *(nir.Scale(np.array(1.0)) for _ in range(80)), nir.IF(ONE, ONE))
    graph.edges += [(f"n{i}", f"n{i + 2}") for i in range(78)]
    with pytest.raises(ValueError, match="more than 10,000 paths leave 'in'"):
        read_nir(graph, dt=DT)


def test_an_edge_that_stands_twice_is_refused():
    graph = between([1], nir.IF(np.ones(1), np.ones(1)))
    graph.edges.append(graph.edges[0])
    with pytest.raises(ValueError, match="in -> n0 appears 2 times"):
        read_nir(graph, dt=DT)
