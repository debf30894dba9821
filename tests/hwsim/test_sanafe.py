"""The same counts and energies as SANA-FE, by its published constants and a fixed map [Boyle2025].

It simulates five networks on its own: every spike, synaptic event, packet and hop is compared.
"""

import time
from importlib import resources

import numpy as np
import pytest
import yaml

import hwsim
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense, Sparse
from tests import sanafe_twin as twin

CHIP = hwsim.load_chip("loihi1-fitted")
WORD = WeightWord()


def weights(rng, shape, low, high):
    """Even numbers, as 8-bit mixed words hold; none is zero, which a sparse matrix would lose."""
    drawn = rng.integers(low, high, shape)
    return 2 * np.where(drawn == 0, 1, drawn)


def sparse(rng, n_targets, n_sources, density, low, high):
    kept = rng.random((n_targets, n_sources)) < density
    return Sparse.from_dense(np.where(kept, weights(rng, kept.shape, low, high), 0))


def join(source, target, synapses, **more):
    return Projection.of(source, target, synapses, word=WORD, **more)


def lif(v_th, dv=0):
    return FixedNeuron.of(v_th=v_th, dv=dv)


def dense(rng):
    """700-512-512-20 at 3 %: cores of one tile and of others."""
    populations = (
        Population("in", (700,)),
        Population("a", (512,), lif(2000, 204)),
        Population("b", (512,), lif(4500, 204)),
        Population("out", (20,), lif(5000, 204)),
    )
    sizes = (("in", "a", (512, 700)), ("a", "b", (512, 512)), ("b", "out", (20, 512)))
    projections = tuple(join(s, t, Dense.of(weights(rng, n, -110, 128))) for s, t, n in sizes)
    return Network(populations, projections), 0.03, 3


def scattered(rng):
    """Sparse synapses, no leak, low rates, every core on another tile."""
    populations = (
        Population("in", (300,)),
        Population("a", (400,), lif(500)),
        Population("b", (200,), lif(800)),
    )
    first, second = (300, 400, 0.2), (400, 200, 0.1)
    projections = (
        join("in", "a", sparse(rng, first[1], first[0], first[2], -20, 100)),
        join("a", "b", sparse(rng, second[1], second[0], second[2], -20, 100)),
    )
    return Network(populations, projections), 0.01, 9


def convolved(rng):
    """Strides, padding, groups, then a dense read-out that spikes."""
    first = Conv2d.of(weights(rng, (8, 2, 3, 3), -40, 80), stride=(2, 2), padding=(1, 1))
    second = Conv2d.of(weights(rng, (16, 4, 3, 3), -40, 60), groups=2)
    populations = (
        Population("in", (2, 20, 20)),
        Population("a", (8, 10, 10), lif(260, 500)),
        Population("b", (16, 8, 8), lif(300, 500)),
        Population("out", (10,), lif(4000)),
    )
    projections = (
        join("in", "a", first),
        join("a", "b", second),
        join("b", "out", Dense.of(weights(rng, (10, 1024), -40, 60))),
    )
    return Network(populations, projections), 0.08, 5


def recurrent(rng):
    """Two populations that excite and calm each other, dense and sparse into the same neurons."""
    populations = (
        Population("in", (150,)),
        Population("e", (480,), lif(900, 800)),
        Population("i", (120,), lif(700, 800)),
        Population("out", (10,), lif(1800, 400)),
    )
    projections = (
        join("in", "e", Dense.of(weights(rng, (480, 150), -10, 60))),
        join("e", "e", sparse(rng, 480, 480, 0.1, 1, 50), delay=1),
        join("e", "i", sparse(rng, 120, 480, 0.3, 1, 60), delay=1),
        join("i", "e", Dense.of(-weights(rng, (480, 120), 1, 40)), delay=1),
        join("e", "out", Dense.of(weights(rng, (10, 480), -10, 60))),
    )
    return Network(populations, projections), 0.1, 2


def busy(rng):
    """A small net in which a third of the inputs fire in every step, on cores far apart."""
    populations = (
        Population("in", (64,)),
        Population("a", (128,), lif(900, 1000)),
        Population("b", (96,), FixedNeuron.of(v_th=1200, dv=300, reset="zero")),
    )
    projections = (
        join("in", "a", Dense.of(weights(rng, (128, 64), -50, 70))),
        join("a", "b", Dense.of(weights(rng, (96, 128), -40, 60))),
    )
    return Network(populations, projections), 0.35, 11


NETWORKS = {f.__name__: f for f in (dense, scattered, convolved, recurrent, busy)}
ENTRY = CHIP.mesh.cores_per_tile - 1  # the core of SANA-FE's inputs, left empty


def placed(net, stride):
    """Fixed map: 128 neurons a core, round robin over every `stride`th core, tile 0 included."""
    retimed, shift = retime(net)
    parts = [Part(p.name, np.arange(p.size), None, None) for p in retimed.inputs]
    free = [c for c in range(0, stride * 64) if c % CHIP.limits.cores != ENTRY]
    cores = iter([c % CHIP.limits.cores for c in free][::stride])
    for population in retimed.populations:
        if population.neuron is not None:
            for start in range(0, population.size, 128):
                neurons = np.arange(start, min(start + 128, population.size))
                parts.append(Part(population.name, neurons, next(cores), None))
    plan = Plan(CHIP, retimed, shift, tuple(parts))
    assert len(set(plan.cores)) == len(plan.parts) - 1
    return plan


def stimulus(rng, net, rate, n_steps=60):
    """Spikes, then silence: the last step must be empty, see `sanafe_twin`."""
    shape = (1, n_steps, *net.inputs[0].shape)
    sample = (rng.random(shape) < rate).astype(np.int64)
    sample[:, 2 * n_steps // 3 :] = 0
    return sample


def drawn(name):
    """A network with its fixed map and one sample, and the sample as SANA-FE takes it."""
    rng = np.random.default_rng(5)
    net, rate, stride = NETWORKS[name](rng)
    sample = stimulus(rng, net, rate)
    plan = placed(net, stride)
    flat = np.zeros((sample.shape[1] + plan.latency_steps, net.inputs[0].size), dtype=np.int64)
    flat[: sample.shape[1]] = sample[0].reshape(sample.shape[1], -1)
    return net, stride, sample, plan, flat


@pytest.fixture(scope="module", params=NETWORKS)
def both(request, tmp_path_factory):
    net, _, sample, plan, flat = drawn(request.param)
    ours = hwsim.simulate(plan, sample, record=("spikes",))
    arch = twin.architecture(CHIP, net.inputs[0].size, tmp_path_factory.mktemp("arch"))
    theirs = twin.run(plan, twin.build(plan, flat, arch), len(flat))
    return plan, ours, theirs


def test_every_spike_is_the_same(both):
    plan, ours, theirs = both
    for population in plan.network.populations:
        name = population.name
        assert theirs.spikes[name].sum() > 0, name
        assert np.array_equal(ours.spikes[name][0] != 0, theirs.spikes[name] != 0), name
    assert not any(s[-1].any() for s in theirs.spikes.values()), "the last step must be silent"


def test_synaptic_events_packets_and_hops_are_equal(both):
    plan, ours, theirs = both
    counts = ours.counts
    assert plan.n_tiles > 1
    assert counts.sops.sum() == theirs.sops > 0
    assert counts.packets.sum() == theirs.packets > 0
    assert counts.hops_ew.sum() + counts.hops_ns.sum() == theirs.hops > 0


def test_the_energy_is_the_same(both):
    plan, ours, theirs = both
    components = hwsim.price(ours.counts, plan.chip).component_j()
    pairs = {
        "synapses": theirs.synapse_j,
        "neurons": theirs.soma_j,
        "network": theirs.network_j,
    }
    for name, joules in pairs.items():
        assert components[name] == pytest.approx(joules, rel=1e-3), name


def test_updates_differ_only_where_weights_cancel(both):
    """The one difference of definition that is left, counted: it explains all of the energy's."""
    _, ours, theirs = both
    energy, components = CHIP.energy, hwsim.price(ours.counts, CHIP).component_j()
    extra = energy.update_active.value - energy.update_inactive.value
    missing = (theirs.soma_j - components["neurons"]) / extra
    assert missing == pytest.approx(round(missing), abs=1e-3)
    assert 0 <= round(missing) <= 0.01 * ours.counts.updates_active.sum()
    assert components["synapses"] == pytest.approx(theirs.synapse_j, rel=1e-9)
    assert components["network"] == pytest.approx(theirs.network_j, rel=1e-9)


def test_the_constants_are_those_that_the_package_publishes():
    path = resources.files("sanafe") / "examples" / "loihi.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))["architecture"]
    tile = content["tile"][0]["attributes"]
    core = content["tile"][0]["core"][0]
    units = {
        unit["name"]: unit["attributes"]
        for kind in ("axon_in", "soma", "synapse", "axon_out")
        for unit in core[kind]
    }
    e, t = CHIP.energy, CHIP.time
    for side, price in (("east", "hop_ew"), ("west", "hop_ew"), ("north", "hop_ns")):
        assert tile[f"energy_{side}_hop"] == pytest.approx(getattr(e, price).value)
        assert tile[f"latency_{side}_hop"] == pytest.approx(getattr(t, price).value)
    for unit, price in twin.SYNAPSES.values():
        assert units[unit]["energy_process_spike"] == pytest.approx(getattr(e, price).value)
        assert units[unit]["latency_process_spike"] == pytest.approx(getattr(t, price).value)
    for what, prices in (("energy", e), ("latency", t)):
        soma = units["loihi_lif"]
        access, update = soma[f"{what}_access_neuron"], soma[f"{what}_update_neuron"]
        assert access == pytest.approx(prices.update_inactive.value)
        assert access + update == pytest.approx(prices.update_active.value)
        assert soma[f"{what}_spike_out"] == pytest.approx(prices.spike.value)
        sent = units["loihi_out"][f"{what}_message_out"]
        assert sent == pytest.approx(prices.packet.value)
    assert units["loihi_in"]["energy_message_in"] == 0
    assert e.packet_in is None
    assert units["loihi_in"]["latency_message_in"] == pytest.approx(t.packet_in.value)
    table = content["attributes"]["latency_sync"]
    assert {int(k): float(v) for k, v in table.items()} == {
        k: c.value for k, c in t.barrier.items()
    }
    places = content["attributes"]["width"], content["attributes"]["height"]
    assert places == (CHIP.mesh.columns, CHIP.mesh.rows)


@pytest.mark.parametrize("name", NETWORKS)
def test_we_build_map_simulate_and_price_five_times_faster(name, tmp_path, record_property):
    """From weights and a fixed map to counts and joules; nothing recorded, one thread each."""
    net, stride, sample, plan, flat = drawn(name)

    def ours():
        again = Network(net.populations, net.projections)
        done = hwsim.simulate(placed(again, stride), sample)
        return hwsim.price(done.counts, CHIP)

    def theirs():
        arch = twin.architecture(CHIP, flat.shape[1], tmp_path)
        return twin.build(plan, flat, arch, record=False).sim(len(flat), "simple", 1, 0)

    ours()  # compiles
    ratio = shortest(theirs, 2) / shortest(ours, 4)
    record_property("times faster than SANA-FE", ratio)
    print(f"\n{name}: {ratio:.1f} times faster than SANA-FE, end to end")
    assert ratio >= 5


def shortest(call, n):
    """Seconds of the shortest of n calls: what else runs here only lengthens them."""
    spans = []
    for _ in range(n):
        start = time.perf_counter()
        call()
        spans.append(time.perf_counter() - start)
    return min(spans)
