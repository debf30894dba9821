"""Files that we write, read by snnTorch, Norse and sinabs: they fire the same spikes as ours."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

import hwsim

DT = 1e-4  # snnTorch takes no other
N_SAMPLES, N_STEPS = 3, 50
LIF = {"decay_v": 0.75, "v_th": 1.0}
CUBA = {"decay_u": 0.5, "decay_v": 0.75, "v_th": 1.5}
IF = {"v_th": 3.0}
OLD_LOADER = "nirtorch.load is being deprecated in favour of nirtorch.nir_to_torch. Please refer .*"


def snntorch_run(graph, x):
    """Spikes in snnTorch, (steps, samples, ...)."""
    pytest.importorskip("snntorch", reason="pip install snntorch==1.0.0")
    from snntorch.import_nir import import_from_nir

    return stepped(import_from_nir(graph), x)


def norse_run(graph, x, **more):
    """The same in Norse."""
    norse = pytest.importorskip("norse.torch", reason="pip install --no-deps norse==1.1.0")
    return stepped(norse.from_nir(graph, dt=DT, **more), x)


def stepped(module, x):
    state, out = None, []
    with torch.no_grad():
        for row in torch.tensor(x, dtype=torch.float32):
            spikes, state = module(row, state)
            out.append(spikes.numpy())
    return np.array(out)


def sinabs_module(graph):
    reason = "pip install --no-deps sinabs==3.1.3; pip install pbr"
    from_nir = pytest.importorskip("sinabs.nir", reason=reason).from_nir
    return from_nir(graph, batch_size=N_SAMPLES)


def sinabs_run(module, x):
    """All steps of a sample in a row, as its `Squeeze` layers want them."""
    rows = torch.tensor(x.swapaxes(0, 1), dtype=torch.float32)
    with torch.no_grad():
        spikes, _ = module(rows.flatten(0, 1))
    return spikes.unflatten(0, rows.shape[:2]).numpy().swapaxes(0, 1)


def weights(rng, *shape):
    """Multiples of 1/64: sums of them are the same in float32."""
    return np.round(rng.normal(1 / shape[1], 0.4, shape) * 64) / 64


def dense(neuron, seed, *, loop=False):
    """Two layers, the first with a loop if asked for."""
    rng, of = np.random.default_rng(seed), hwsim.Projection.of
    populations = (
        hwsim.Population("in", (6,)),
        hwsim.Population("first", (8,), neuron),
        hwsim.Population("last", (5,), neuron),
    )
    joined = (
        of("in", "first", hwsim.Dense.of(weights(rng, 8, 6))),
        of("first", "last", hwsim.Dense.of(weights(rng, 5, 8))),
    )
    if loop:
        synapses = hwsim.Dense.of(weights(rng, 8, 8) - 1 / 4)
        joined = (*joined, of("first", "first", synapses, delay=1))
    return hwsim.Network(populations, joined, DT)


def one_layer(neuron):
    weight = hwsim.Dense.of(weights(np.random.default_rng(0), 5, 6))
    populations = (hwsim.Population("in", (6,)), hwsim.Population("last", (5,), neuron))
    return hwsim.Network(populations, (hwsim.Projection.of("in", "last", weight),), DT)


def convolution(neuron, seed):
    """Kernels, a sum over windows, kernels in groups, all weights."""
    rng, of = np.random.default_rng(seed), hwsim.Projection.of
    populations = (
        hwsim.Population("in", (2, 9, 9)),
        hwsim.Population("conv", (4, 8, 8), neuron),
        hwsim.Population("pool", (4, 4, 4), neuron),
        hwsim.Population("groups", (4, 2, 2), neuron),
        hwsim.Population("last", (5,), neuron),
    )
    joined = (
        of("in", "conv", hwsim.Conv2d.of(weights(rng, 4, 2, 4, 4) / 4, padding=1)),
        of("conv", "pool", hwsim.Conv2d.pool(4, 2, weight=1.0)),
        of("pool", "groups", hwsim.Conv2d.of(weights(rng, 4, 2, 3, 3), groups=2)),
        of("groups", "last", hwsim.Dense.of(weights(rng, 5, 16))),
    )
    return hwsim.Network(populations, joined, DT)


def branches(neuron, seed):
    """Two ways of unlike length that meet, and an average on the way."""
    rng, of = np.random.default_rng(seed), hwsim.Projection.of
    populations = (
        hwsim.Population("in", (2, 6, 6)),
        hwsim.Population("mean", (2, 3, 3), neuron),
        hwsim.Population("first", (8,), neuron),
        hwsim.Population("last", (5,), neuron),
    )
    joined = (
        of("in", "mean", hwsim.Conv2d.pool(2, 2, weight=1 / 4)),
        of("in", "last", hwsim.Dense.of(weights(rng, 5, 72) / 4)),
        of("mean", "first", hwsim.Dense.of(weights(rng, 8, 18))),
        of("first", "last", hwsim.Dense.of(weights(rng, 5, 8))),
    )
    return hwsim.Network(populations, joined, DT)


def given(net, tmp_path):
    """Random input (steps, samples, ...), our spikes (steps, samples, ...), the file read."""
    hwsim.write_nir(net, tmp_path / "net.nir")
    shape = (N_SAMPLES, N_STEPS, *net.populations[0].shape)
    x = (np.random.default_rng(7).random(shape) < 0.4) * 1.0
    run = hwsim.simulate(net, x, record=("spikes",), probe=net.output)
    ours = run.spikes[net.output].reshape(N_SAMPLES, N_STEPS, -1).swapaxes(0, 1)
    assert 0.03 < ours.mean() < 0.9
    return x.swapaxes(0, 1), ours, nir.read(tmp_path / "net.nir")


NETWORKS = {
    "leaky": lambda: dense(hwsim.Neuron.of(**LIF), 0),
    "leaky, with a bias": lambda: dense(hwsim.Neuron.of(**LIF, bias=np.float64(1 / 16)), 1),
    "leaky, with a loop": lambda: dense(hwsim.Neuron.of(**LIF), 2, loop=True),
    "leaky convolution": lambda: convolution(hwsim.Neuron.of(**LIF, bias=1 / 64), 3),
    "current": lambda: dense(hwsim.Neuron.of(**CUBA), 4),
    "current, with a loop": lambda: dense(hwsim.Neuron.of(**CUBA), 5, loop=True),
    "current convolution": lambda: convolution(hwsim.Neuron.of(**CUBA), 6),
    "integrator": lambda: dense(hwsim.Neuron.of(**IF, bias=1 / 16), 7),
    "integrator, with a loop": lambda: dense(hwsim.Neuron.of(**IF), 8, loop=True),
    "integrator convolution": lambda: convolution(hwsim.Neuron.of(**IF), 12),
}


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
@pytest.mark.parametrize(
    ("run", "name"),
    [(norse_run, name) for name in NETWORKS]
    + [(snntorch_run, name) for name in (*NETWORKS, "branches") if "integrator" not in name],
)
def test_another_framework_reads_our_file_and_fires_the_same(tmp_path, run, name):
    make = NETWORKS.get(name, lambda: branches(hwsim.Neuron.of(**CUBA), 0))
    x, ours, graph = given(make(), tmp_path)
    theirs = run(graph, x)
    assert np.array_equal(theirs.reshape(ours.shape), ours)


def single_spikes(module):
    """NIR does not say how many spikes a step holds, nor how low a potential falls."""
    from sinabs.activation import SingleSpike
    from sinabs.layers import IAFSqueeze

    for layer in module.modules():
        if isinstance(layer, IAFSqueeze):
            layer.spike_fn, layer.min_v_mem = SingleSpike, None


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
@pytest.mark.parametrize(("make", "seed"), [(dense, 0), (dense, 1), (convolution, 2)])
def test_sinabs_reads_integrators_and_fires_the_same(tmp_path, make, seed):
    """It subtracts a threshold that is reached, once a step if it is told so."""
    neuron = hwsim.Neuron.of(**IF, bias=1 / 32, reset="subtract", fires="reached")
    x, ours, graph = given(make(neuron, seed), tmp_path)
    module = sinabs_module(graph)
    single_spikes(module)
    assert np.array_equal(sinabs_run(module, x).reshape(ours.shape), ours)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_sinabs_as_it_loads_fires_the_same_while_potentials_stay_in_its_bounds(tmp_path):
    """From minus a threshold up to two of them it needs no setting."""
    rng, of = np.random.default_rng(0), hwsim.Projection.of
    neuron = hwsim.Neuron.of(v_th=1.0, reset="subtract", fires="reached")
    populations = [hwsim.Population("in", (6,)), hwsim.Population("first", (8,), neuron)]
    populations.append(hwsim.Population("last", (5,), neuron))
    joined = (
        of("in", "first", hwsim.Dense.of(rng.integers(0, 10, (8, 6)) / 64)),
        of("first", "last", hwsim.Dense.of(rng.integers(0, 8, (5, 8)) / 64)),
    )
    net = hwsim.Network(tuple(populations), joined, DT)
    x, ours, graph = given(net, tmp_path)
    assert np.array_equal(sinabs_run(sinabs_module(graph), x), ours)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
@pytest.mark.parametrize("run", [snntorch_run, norse_run])
def test_a_reset_by_subtraction_has_no_word_and_is_read_as_one_to_zero(tmp_path, run):
    x, ours, graph = given(dense(hwsim.Neuron.of(**LIF, reset="subtract"), 0), tmp_path)
    theirs = run(graph, x)
    assert not np.array_equal(theirs, ours)
    _, to_zero, _ = given(dense(hwsim.Neuron.of(**LIF), 0), tmp_path)
    assert np.array_equal(theirs, to_zero)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_norse_subtracts_from_neurons_with_a_current_if_told_so(tmp_path):
    reset = pytest.importorskip("norse.torch.functional.reset", reason="see norse_run")
    x, ours, graph = given(dense(hwsim.Neuron.of(**CUBA, reset="subtract"), 1), tmp_path)
    assert np.array_equal(norse_run(graph, x, reset_method=reset.reset_subtract), ours)
    assert not np.array_equal(norse_run(graph, x), ours)
    x, ours, graph = given(dense(hwsim.Neuron.of(**LIF, reset="subtract"), 1), tmp_path)
    assert not np.array_equal(norse_run(graph, x, reset_method=reset.reset_subtract), ours)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_norse_takes_no_layer_of_different_leaks_and_snntorch_none_of_different_thresholds(
    tmp_path,
):
    leaks = {"decay_v": np.linspace(0.5, 0.75, 5), "v_th": 1.0}
    x, ours, graph = given(one_layer(hwsim.Neuron.of(**leaks)), tmp_path)
    assert not np.array_equal(norse_run(graph, x), ours)
    assert np.array_equal(snntorch_run(graph, x), ours)
    thresholds = {"decay_v": 0.75, "v_th": np.linspace(1, 2, 5)}
    x, ours, graph = given(one_layer(hwsim.Neuron.of(**thresholds)), tmp_path)
    assert np.array_equal(norse_run(graph, x), ours)
    with pytest.raises(AssertionError, match="v_threshold must be same"):
        snntorch_run(graph, x)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_norse_runs_branches_out_of_order(tmp_path):
    rng, of, neuron = np.random.default_rng(0), hwsim.Projection.of, hwsim.Neuron.of(**LIF)
    populations = [hwsim.Population("in", (6,))]
    populations += [hwsim.Population(name, (5,), neuron) for name in ("one", "other", "last")]
    ends = [("in", "one"), ("in", "other"), ("one", "last"), ("other", "last")]
    joined = [of(a, b, hwsim.Dense.of(weights(rng, 5, 6 if a == "in" else 5))) for a, b in ends]
    net = hwsim.Network(tuple(populations), tuple(joined), DT)
    x, ours, graph = given(net, tmp_path)
    assert not np.array_equal(norse_run(graph, x), ours)
    assert np.array_equal(snntorch_run(graph, x), ours)


def test_snntorch_takes_every_step_for_a_tenth_of_a_millisecond(tmp_path):
    net = replace(dense(hwsim.Neuron.of(**LIF), 0), dt_s=1e-3)
    x, ours, graph = given(net, tmp_path)
    assert not np.array_equal(snntorch_run(graph, x), ours)
    x, ours, graph = given(replace(net, dt_s=1e-4), tmp_path)
    assert np.array_equal(snntorch_run(graph, x), ours)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_sinabs_subtracts_whatever_the_reset_was(tmp_path):
    _, subtracted, _ = given(
        dense(hwsim.Neuron.of(**IF, reset="subtract", fires="reached"), 0), tmp_path
    )
    x, ours, graph = given(dense(hwsim.Neuron.of(**IF), 0), tmp_path)
    module = sinabs_module(graph)
    single_spikes(module)
    theirs = sinabs_run(module, x)
    assert not np.array_equal(theirs, ours)
    assert np.array_equal(theirs, subtracted)


def test_snntorch_refuses_integrators(tmp_path):
    """Else it would read them as leaky: every `IF` keeps 0.9 of its potential there."""
    x, _, graph = given(dense(hwsim.Neuron.of(**IF), 0), tmp_path)
    with pytest.raises(AssertionError, match="r != 1 not supported"):
        snntorch_run(graph, x)


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_sinabs_takes_time_constants_for_steps(tmp_path):
    """And keeps `exp(-1 / tau)` of a potential, where NIR has a step of `dt`."""
    _, _, graph = given(dense(hwsim.Neuron.of(**LIF), 0), tmp_path)
    layers = [m for m in sinabs_module(graph).modules() if type(m).__name__ == "LIFSqueeze"]
    assert [m.tau_mem.detach().numpy().max() for m in layers] == pytest.approx([4 * DT] * 2)
    assert layers[0].alpha_mem_calculated.max() == 0  # of 0.75


@pytest.mark.filterwarnings(f"ignore:{OLD_LOADER}:DeprecationWarning")
def test_sinabs_knows_no_currents(tmp_path):
    _, _, graph = given(dense(hwsim.Neuron.of(**CUBA), 0), tmp_path)
    with pytest.raises(KeyError, match="first"):
        sinabs_module(graph)
