"""NIR in and out: what comes in computes what the graph says, what goes out comes back."""

import os
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.formats.nir_read import read_nir
from hwsim.formats.nir_write import to_nir, write_nir
from tests.nir_graphs import DT, graph_of, lif
from tests.strategies import integer_networks, networks_of_all_kinds, real_networks

few = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


def shared(name):
    """A graph that another framework wrote; skipped, with the reason, where it is not there."""
    path = Path(os.environ.get("NEURO_DATA", "")) / "nir" / name
    if "NEURO_DATA" not in os.environ or not path.exists():
        pytest.skip(f"set NEURO_DATA to a folder with nir/{name}")
    return path


def run(net, x, record=("spikes", "v")):
    """Spikes and potentials of the output, (samples, steps, neurons)."""
    done = hwsim.simulate(net, x, record=record, probe=net.output)
    return [getattr(done, name)[net.output].reshape(*x.shape[:2], -1) for name in record]


# --- Round trips


@few
@given(st.one_of(real_networks(), integer_networks(), networks_of_all_kinds()))
def test_a_network_comes_back_as_it_was(tmp_path, net):
    write_nir(net, tmp_path / "net.nir")
    nir.read(tmp_path / "net.nir")  # the package itself finds it well typed
    found = read_nir(tmp_path / "net.nir")
    assert found.network.digest == net.digest
    assert {v.grade for v in found.verdicts} == {"exact"}


@few
@given(real_networks(per_step=False), st.integers(0, 2**32 - 1))
def test_a_plain_reader_gets_the_same_spikes(net, seed):
    """Without the metadata the nodes alone say the same network, to rounding."""
    graph, verdicts = to_nir(net)
    assert {v.grade for v in verdicts} == {"exact"}
    graph.metadata = {}
    plain = read_nir(graph, dt=net.dt_s).network
    x = (np.random.default_rng(seed).random((2, 8, *net.inputs[0].shape)) < 0.5).astype(float)
    (s, v), (s2, v2) = run(net, x), run(plain, x)
    assert np.array_equal(s, s2)
    assert np.allclose(v, v2, rtol=1e-9, atol=1e-9)


@few
@given(st.one_of(integer_networks(), networks_of_all_kinds()))
def test_a_chip_s_network_is_a_valid_graph_that_says_what_it_leaves_out(net):
    graph, verdicts = to_nir(net)
    graph.metadata = {}
    assert read_nir(graph, dt=net.dt_s).network is not None
    assert all("only in the metadata" in v.reason for v in verdicts if v.kind != "Input")


def test_a_plain_reader_gets_delays_pools_and_groups():
    """Delays per synapse are a branch each; what `nir` types wrongly is a matrix."""
    rng = np.random.default_rng(5)

    def image(name, shape):
        return hwsim.Population(name, shape, hwsim.Neuron.of(decay_v=0.8, bias=0.05))

    populations = (
        hwsim.Population("in", (2, 6, 6)),
        image("conv", (2, 6, 6)),
        hwsim.Population("pool", (2, 3, 3), hwsim.Neuron.of()),
        image("group", (4, 2, 1)),
        hwsim.Population("out", (5,), hwsim.Neuron.of(decay_u=0.5, decay_v=0.9, emits="nothing")),
    )
    of = hwsim.Projection.of
    joined = (
        of("in", "conv", hwsim.Conv2d.of(rng.normal(size=(2, 2, 3, 3)), padding=1), delay=2),
        of("conv", "pool", hwsim.Conv2d.pool(2, 2, weight=1.0), delay=1),
        of("pool", "group", hwsim.Conv2d.of(rng.normal(size=(4, 1, 2, 3)), groups=2)),
        of(
            "group",
            "out",
            hwsim.Dense.of(rng.normal(size=(5, 8))),
            delay=rng.integers(0, 4, (5, 8)),
        ),
        of("in", "out", hwsim.Sparse.from_dense(rng.normal(size=(5, 72))), gain=0.1),
    )
    net = hwsim.Network(populations, joined)
    graph, verdicts = to_nir(net)
    assert {v.grade for v in verdicts} == {"exact"}
    kinds = {type(node).__name__ for node in graph.nodes.values()}
    assert {"Conv2d", "SumPool2d", "Delay", "Affine", "LIF", "CubaLI"} <= kinds
    graph.metadata = {}
    x = (rng.random((1, 12, 2, 6, 6)) < 0.4) * 1.0
    (v,), (v2,) = (run(n, x, ("v",)) for n in (net, read_nir(graph, dt=net.dt_s).network))
    assert np.ptp(v) > 1
    assert np.allclose(v, v2)


@pytest.mark.parametrize("window", [(2, 2), (1, 3)])
@pytest.mark.parametrize("weight", [1.0, "mean", 0.3])
@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("neuron", [{}, {"bias": 0.1}, {"decay_v": 0.8, "bias": 0.1}])
def test_a_plain_reader_gets_images_from_pools(window, weight, gain, neuron):
    """Scaled, or with a bias, a square pooling is a convolution."""
    weight = 1 / (window[0] * window[1]) if weight == "mean" else weight
    populations = (
        hwsim.Population("in", (2, 6, 6)),
        hwsim.Population("pool", (2, 6 // window[0], 6 // window[1]), hwsim.Neuron.of(**neuron)),
    )
    pool = hwsim.Conv2d.pool(2, window, weight=weight)
    net = hwsim.Network(populations, (hwsim.Projection.of("in", "pool", pool, gain=gain),))
    graph, _ = to_nir(net)
    nir.NIRGraph(graph.nodes, graph.edges, type_check=True)  # as other readers see it
    graph.metadata = {}
    x = (np.random.default_rng(0).random((1, 12, 2, 6, 6)) < 0.4) * 1.0
    plain = read_nir(graph, dt=net.dt_s).network
    (s, v), (s2, v2) = run(net, x), run(plain, x)
    assert s.any()
    assert np.array_equal(s, s2)
    assert np.allclose(v, v2)
    if window[0] == window[1]:
        assert plain["pool"].shape == net["pool"].shape


@pytest.mark.parametrize("name", ["output", "a/b", "a.b", ".", "ü ->", "unused", "bias"])
def test_any_name_of_a_population_goes_out_and_comes_back(tmp_path, name):
    populations = (
        hwsim.Population("in", (2,)),
        hwsim.Population(name, (3,), hwsim.Neuron.of()),
        hwsim.Population("last", (3,), hwsim.Neuron.of(emits="nothing")),
    )
    joined = (
        hwsim.Projection.of("in", name, hwsim.Dense.of(np.ones((3, 2)))),
        hwsim.Projection.of(name, "last", hwsim.Dense.of(np.eye(3))),
    )
    net = hwsim.Network(populations, joined)
    write_nir(net, tmp_path / "net.nir")
    assert read_nir(nir.read(tmp_path / "net.nir")).network.digest == net.digest
    graph, _ = to_nir(net)
    graph.metadata = {}
    assert [p.shape for p in read_nir(graph, dt=DT).network.populations] == [(2,), (3,), (3,)]


# --- In: against loops written here


def lif_loop(x, node, dt=DT, *, reset="zero", late=False):
    """Euler steps of LIF and CubaLIF nodes, as NIR's equations stand: v, then spikes."""
    is_cuba = isinstance(node, nir.CubaLIF)
    tau = node.tau_mem if is_cuba else node.tau
    v, i, fired = np.zeros(x.shape[1:]), np.zeros(x.shape[1:]), np.zeros(x.shape[1:], bool)
    spikes = []
    for row in x:
        current = row
        if is_cuba:
            i = i + dt / node.tau_syn * (node.w_in * row - i)
            current = i
        v = v + dt / tau * (node.v_leak - v + node.r * current)
        if late and reset == "subtract":
            v = v - fired * node.v_threshold
        fired = v > node.v_threshold
        spikes.append(fired)
        if reset == "zero":
            v = np.where(fired, node.v_reset, v)
        elif not late:
            v = v - fired * node.v_threshold
    return np.array(spikes, dtype=float)


@pytest.mark.parametrize(
    ("name", "spikes", "order"),
    [
        ("lif_norse", "step", ("0", "1")),
        ("lif_rockpool", "step", ("0_LinearTorch", "1_LIFNeuronTorch")),
        ("two_lif_neurons", "pulse", ("linear1", "lif1", "linear2", "lif2")),
    ],
)
def test_graphs_of_other_frameworks_run_as_their_equations(name, spikes, order):
    dt, path = 1e-4, shared(f"{name}.nir")
    nodes = nir.read(path, type_check=False).nodes
    found = read_nir(path, dt=dt, spikes=spikes)
    assert {v.grade for v in found.verdicts} == {"exact"}
    x = (np.random.default_rng(0).random((1, 1000, *found.network.inputs[0].shape)) < 0.3) * 1.0
    signal = x[0].reshape(1000, 1)
    for node in (nodes[key] for key in order):
        if isinstance(node, nir.LIF):
            signal = lif_loop(signal, node, dt)
        else:
            area = 1 / dt if spikes == "pulse" else 1.0
            signal = signal @ node.weight.T.astype(float) * area + getattr(node, "bias", 0)
    (got,) = run(found.network, x, ("spikes",))
    assert signal.sum() > 10
    assert np.array_equal(got[0], signal)


def cuba(rng, n):
    """CubaLIF neurons of `n` different constants."""
    one = lif(rng, n)
    return nir.CubaLIF(
        tau_syn=rng.uniform(2, 9, n) * DT,
        tau_mem=one.tau,
        r=one.r * 3,
        v_leak=one.v_leak,
        v_threshold=one.v_threshold,
        v_reset=one.v_reset,
        w_in=rng.uniform(1, 2, n),
    )


@pytest.mark.parametrize("neurons", [lif, cuba])
@pytest.mark.parametrize("seed", range(5))
def test_rest_reset_bias_and_scale_are_exact(neurons, seed):
    """Whatever is shifted, folded or fed by a constant neuron, the spikes are the equations'."""
    rng = np.random.default_rng(seed)
    node, weight, bias = neurons(rng, 6), rng.normal(0, 2, (6, 4)), rng.normal(0, 0.3, 6)
    scale = rng.uniform(0.5, 2, 6)
    graph = graph_of(nir.Affine(weight, bias), nir.Scale(scale), node)
    x = (rng.random((1, 60, 4)) < 0.4) * 1.0
    expected = lif_loop((x[0] @ weight.T + bias) * scale, node)
    found = read_nir(graph)
    assert {v.grade for v in found.verdicts} == {"exact"}
    assert 5 < expected.sum() < expected.size - 5
    assert np.array_equal(run(found.network, x, ("spikes",))[0][0], expected)


@pytest.mark.parametrize("late", [False, True])
def test_a_subtractive_reset_at_once_or_late(late):
    rng = np.random.default_rng(3)
    node, weight = lif(rng, 5, rest=False), rng.normal(0.5, 2, (5, 3))
    x = (rng.random((1, 60, 3)) < 0.5) * 1.0
    found = read_nir(graph_of(nir.Linear(weight), node), reset="subtract", reset_late=late)
    expected = lif_loop(x[0] @ weight.T, node, reset="subtract", late=late)
    assert np.array_equal(run(found.network, x, ("spikes",))[0][0], expected)


def test_an_inner_loop_takes_one_step():
    """A recurrent layer as snnTorch nests it: spikes come back in the next step."""
    rng = np.random.default_rng(1)
    node, w, loop = lif(rng, 4), rng.normal(0, 2, (4, 3)), rng.normal(0, 1, (4, 4))
    inner = nir.NIRGraph(
        {
            "input": nir.Input([4]),
            "lif": node,
            "w_rec": nir.Linear(loop),
            "output": nir.Output([4]),
        },
        [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")],
    )
    nodes = {"in": nir.Input([3]), "w": nir.Linear(w), "rec": inner, "out": nir.Output([4])}
    edges = [("in", "w"), ("w", "rec"), ("rec", "out")]
    graph = nir.NIRGraph(nodes, edges, type_check=False)
    x = (rng.random((1, 40, 3)) < 0.5) * 1.0
    found = read_nir(graph, dt=DT)
    assert "one step later" in next(v.reason for v in found.verdicts if v.node == "rec.lif")
    (got,) = run(found.network, x, ("spikes",))
    before = np.vstack([np.zeros((1, 4)), got[0][:-1]])
    assert got.sum() > 5
    assert np.array_equal(got[0], lif_loop(x[0] @ w.T + before @ loop.T, node))


def correlated(x, weight, stride=(1, 1), pads=((0, 0), (0, 0)), dilation=(1, 1), groups=1):
    """Correlation of one image, (channels, height, width), by its definition."""
    x = np.pad(x, ((0, 0), *pads))
    n, per_group, kh, kw = weight.shape
    height = (x.shape[1] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    width = (x.shape[2] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((n, height, width))
    for o, i, ky, kx in np.ndindex(*weight.shape):
        rows = ky * dilation[0] + stride[0] * np.arange(height)
        columns = kx * dilation[1] + stride[1] * np.arange(width)
        channel = o // (n // groups) * per_group + i
        out[o] += weight[o, i, ky, kx] * x[channel][np.ix_(rows, columns)]
    return out


CONVOLUTIONS = [
    {"kernel": (4, 2, 3, 3), "stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)},
    {"kernel": (4, 1, 3, 3), "groups": 2, "padding": (1, 1)},
    {"kernel": (3, 2, 2, 3), "padding": "same"},
    {"kernel": (3, 2, 2, 2), "padding": "same", "dilation": (3, 1)},
    {"kernel": (3, 2, 3, 3), "padding": "valid"},
]


@pytest.mark.parametrize("case", CONVOLUTIONS)
@pytest.mark.parametrize("pool", [None, "SumPool2d", "AvgPool2d"])
def test_convolutions_and_pools_give_their_sums(case, pool):
    """A readout that keeps nothing shows what reaches it, flat in the order of the image."""
    rng = np.random.default_rng(2)
    geometry = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1} | case
    weight, bias = rng.normal(size=geometry.pop("kernel")), rng.normal(size=case["kernel"][0])
    nodes = {"in": nir.Input([2, 7, 8]), "conv": nir.Conv2d(None, weight, bias=bias, **geometry)}
    if pool:
        sizes = {"kernel_size": np.array([2, 3]), "stride": np.array([2, 2])}
        nodes["pool"] = getattr(nir, pool)(padding=np.array([0, 1]), **sizes)
    nodes |= {"flat": nir.Flatten(None, 0), "out": nir.Output([1])}
    x = (rng.random((1, 3, 2, 7, 8)) < 0.5) * 1.0
    pads = geometry.pop("padding")
    spans = [d * (k - 1) for d, k in zip(geometry["dilation"], weight.shape[2:], strict=True)]
    if isinstance(pads, str):
        around = [(s // 2, s - s // 2) if pads == "same" else (0, 0) for s in spans]
    else:
        around = [(p, p) for p in pads]
    expected = []
    for image in x[0]:
        image = correlated(image, weight, pads=around, **geometry) + bias[:, None, None]
        if pool:
            n = len(image)
            value = np.full((n, 1, 2, 3), 1 / 6 if pool == "AvgPool2d" else 1.0)
            image = correlated(image, value, (2, 2), ((0, 0), (1, 1)), groups=n)
        expected.append(image.ravel())
    nodes["out"] = nir.Output([expected[0].size])
    names = list(nodes)
    graph = nir.NIRGraph(nodes, list(pairwise(names)), type_check=False)
    found = read_nir(graph, dt=DT)
    assert {v.grade for v in found.verdicts} == {"exact"}
    (v,) = run(found.network, x, ("v",))
    assert np.allclose(v[0], expected)


def test_one_axis_is_an_image_of_height_one():
    rng = np.random.default_rng(4)
    weight = rng.normal(size=(3, 2, 3))
    conv = nir.Conv1d(9, weight, 2, 1, 1, 1, np.zeros(3))
    readout = nir.LI(tau=np.array(DT), r=np.array(1.0), v_leak=np.array(0.0))  # scalars
    nodes = {"in": nir.Input([2, 9]), "conv": conv, "li": readout, "out": nir.Output([3, 5])}
    edges = [("in", "conv"), ("conv", "li"), ("li", "out")]
    found = read_nir(nir.NIRGraph(nodes, edges, type_check=False), dt=DT)
    x = (rng.random((1, 4, 2, 1, 9)) < 0.5) * 1.0
    expected = [correlated(i, weight[:, :, None], (1, 2), ((0, 0), (1, 1))).ravel() for i in x[0]]
    assert isinstance(found.network.projections[0].synapses, hwsim.Conv2d)
    assert np.allclose(run(found.network, x, ("v",))[0][0], expected)


def test_delays_are_steps_and_say_when_they_were_rounded():
    delay = nir.Delay(np.array([0.0, 2.0, 3.3]) * DT)
    node = nir.IF(r=np.full(3, 1 / DT), v_threshold=np.full(3, 0.5))
    found = read_nir(graph_of(nir.Linear(np.eye(3)), delay, node))
    said = {v.kind: v.grade for v in found.verdicts}
    assert (said["Delay"], said["IF"]) == ("approximate", "exact")
    x = np.zeros((1, 6, 3))
    x[0, 0] = 1
    spikes = run(found.network, x, ("spikes",))[0][0]
    assert np.argwhere(spikes).tolist() == [[0, 0], [2, 1], [3, 2]]


def test_a_threshold_reads_the_potential_of_a_leaky_integrator():
    li = nir.LI(tau=np.full(2, 4 * DT), r=np.full(2, 4.0), v_leak=np.zeros(2))
    found = read_nir(graph_of(nir.Linear(np.eye(2)), li, nir.Threshold(np.array([0.5, 1.5]))))
    x = np.zeros((1, 5, 2))
    x[0, :2] = 1
    v = np.array([1, 1.75, 1.3125, 0.984375, 0.73828125])
    expected = np.stack([v > 0.5, v > 1.5], axis=1)
    assert np.array_equal(run(found.network, x, ("spikes",))[0][0], expected)


def test_exact_exponentials_hold_where_they_are_asked_for():
    node = nir.LI(tau=np.array([5 * DT]), r=np.array([2.0]), v_leak=np.array([0.5]))
    x = np.ones((1, 9, 1))
    v = run(read_nir(graph_of(node), discretise="exact").network, x, ("v",))[0][0, :, 0]
    assert np.allclose(v, 2.5 * (1 - np.exp(-np.arange(1, 10) / 5)))


def test_what_a_step_cannot_hold_is_unsupported_with_the_reason():
    short = lif(np.random.default_rng(0), 3)
    found = read_nir(graph_of(short), dt=1.0)
    verdict = next(v for v in found.verdicts if v.kind == "LIF")
    assert found.network is None
    assert (verdict.grade, "shorten `dt`" in verdict.reason) == ("unsupported", True)


def test_a_graph_changed_since_is_read_from_its_nodes(tmp_path):
    net = read_nir(graph_of(nir.Linear(np.eye(3)), lif(np.random.default_rng(0), 3))).network
    write_nir(net, tmp_path / "net.nir")
    graph = nir.read(tmp_path / "net.nir")
    assert read_nir(graph).network.digest == net.digest
    next(n for n in graph.nodes.values() if isinstance(n, nir.Affine)).weight[0, 0] += 1
    changed = read_nir(graph).network
    assert changed.digest != net.digest
    assert changed.projections[0].synapses.weight[0, 0] > net.projections[0].synapses.weight[0, 0]


def test_a_step_that_nobody_names_is_asked_for():
    graph = graph_of(lif(np.random.default_rng(0), 3))
    graph.metadata = {}
    with pytest.raises(ValueError, match="give `dt`"):
        read_nir(graph)


@pytest.mark.parametrize("decay", [0.5, 0.75, 0.9, 0.96875])
@pytest.mark.parametrize("dt", [1e-4, 1e-3, 0.7])
def test_constants_rounded_to_float32_are_what_their_framework_had(decay, dt):
    """Weights come in as they are: a sum that is the threshold is not above it."""
    kept = np.full(3, decay, np.float32)
    tau = np.float32(dt) / (1 - kept)  # as snnTorch computes it
    ones = np.ones(3, np.float32)
    node = nir.LIF(tau=tau, r=tau / np.float32(dt), v_leak=0 * ones, v_threshold=ones)
    net = read_nir(graph_of(nir.Linear(np.eye(3)), node, dt=dt)).network
    assert net.projections[0].synapses.weight.max() == 1
    assert net["lif"].neuron.decay_v == pytest.approx(float(kept[0]), abs=1e-8)
    assert not run(net, np.ones((1, 1, 3)), ("spikes",))[0].any()
