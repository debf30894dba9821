"""What a plan's packets do to the mesh: traffic on links, and how soon a burst is delivered."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.mapping.plan import Part, Plan
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.noc import link_traffic
from hwsim.synapses import Dense
from tests.bursts import burst_plan, last_arrival, packets_of
from tests.strategies import chip_with, inputs_of, integer_networks, joined_by
from tests.traffic_patterns import PATTERNS
from tests.travel import at_most, travel

BURST_FACTOR = 2  # of the bound on a burst's delivery


@st.composite
def placed(draw):
    """A compiled network on small cores of one or several chips, and a run of it."""
    net = draw(integer_networks())
    one = chip_with(neurons_per_core=draw(st.integers(2, 6)))
    mesh = {"columns": 2, "rows": 3, "cores_per_tile": 1, "chip_columns": 3}
    many = joined_by(chip_with(mesh=mesh, cores=6, chips=99), 2e-8)
    plan = replace(hwsim.compile(net, one), chip=draw(st.sampled_from([one, many])))
    return plan, hwsim.simulate(plan, draw(inputs_of(net)), record=("spikes",))


@given(placed())
def test_link_traffic_is_what_a_walk_of_every_packet_leaves(ran):
    plan, run = ran
    n_samples = run.counts.n_samples
    walked = {}
    for part in plan.parts:
        heard = plan.listeners(part.population)
        fired = run.spikes[part.population].astype(bool).sum(axis=(0, 1))
        start = plan.chip.tile_xy(part.core) if part.core is not None else (0, 0)
        for n in part.neurons:
            for listener in heard.indices[heard.indptr[n] : heard.indptr[n + 1]]:
                to = plan.chip.tile_xy(plan.parts[listener].core)
                at = start
                while at != to and fired[n]:
                    if at[0] != to[0]:
                        after = (at[0] + (1 if to[0] > at[0] else -1), at[1])
                    else:
                        after = (at[0], at[1] + (1 if to[1] > at[1] else -1))
                    walked[at, after] = walked.get((at, after), 0) + fired[n] / n_samples
                    at = after
    mean = {name: s.astype(bool).sum(axis=(0, 1)) / n_samples for name, s in run.spikes.items()}
    found = link_traffic(plan, mean)
    ends = zip(found.from_xy.tolist(), found.to_xy.tolist(), strict=True)
    links = [(tuple(a), tuple(b)) for a, b in ends]
    assert dict(zip(links, found.packets, strict=True)) == pytest.approx(walked)
    along = found.from_xy[:, 1] == found.to_xy[:, 1]
    assert found.packets[along].sum() * n_samples == pytest.approx(run.counts.hops_ew.sum())
    assert found.packets[~along].sum() * n_samples == pytest.approx(run.counts.hops_ns.sum())


def test_counts_spread_over_a_part_give_the_traffic_of_dense_layers():
    """All neurons of a part have the same listeners there: nothing is lost."""
    rng = np.random.default_rng(3)
    word = WeightWord(n_bits=8, exp=0, sign_mode="mixed", message_bits=0)
    neuron = FixedNeuron.of(du=4095, dv=0, v_th=40)

    def some(targets, sources):
        return Dense.of(rng.integers(-9, 20, (targets, sources)) * 2)

    net = Network(
        (Population("input", (9,)), Population("hidden", (20,), neuron)),
        (
            Projection.of("input", "hidden", some(20, 9), word=word),
            Projection.of("hidden", "hidden", some(20, 20), delay=1, word=word),
        ),
    )
    plan = hwsim.compile(net, chip_with(neurons_per_core=3, mesh={"cores_per_tile": 1, "rows": 16}))
    run = hwsim.simulate(plan, (rng.random((3, 8, 9)) < 0.4).astype(np.int64), record=("spikes",))
    mean = {name: s.astype(bool).sum(axis=(0, 1)) / 3 for name, s in run.spikes.items()}
    exact, spread = link_traffic(plan, mean), link_traffic(plan, run.counts)
    assert spread.from_xy.tolist() == exact.from_xy.tolist()
    assert spread.packets == pytest.approx(exact.packets)
    assert exact.packets.max() > 0


@pytest.mark.parametrize("name", PATTERNS)
def test_a_burst_is_delivered_no_earlier_than_the_bound_and_soon_after(name, record_property):
    plan = burst_plan(name)
    rng = np.random.default_rng(11)
    fired = np.stack([rng.random(plan.network["all"].size) < p for p in (0.002, 0.01, 0.1, 1)])
    spikes = {"input": np.zeros((1, 4, 1), dtype=np.uint8), "all": fired[None].astype(np.uint8)}
    bound = travel(plan, spikes).seconds[0]
    for t, step in enumerate(fired):
        needed = last_arrival(plan, {"all": step})
        assert needed >= bound[t] * (1 - 1e-9)
        assert needed <= bound[t] * BURST_FACTOR
        packets = np.count_nonzero(step)
        record_property(f"{name}, {packets} spikes", f"{needed / max(bound[t], 1e-30):.3f}")
    assert travel(plan, spikes).waits[0, -1].sum() > 0  # a full burst is set by a link


@settings(max_examples=8)
@given(placed())
def test_no_step_of_a_run_is_delivered_earlier_than_the_bound(ran):
    """On chips joined by slow links too."""
    plan, run = ran
    found = travel(plan, run.spikes)
    for b, t in np.ndindex(found.seconds.shape):
        fired = {name: spikes[b, t] for name, spikes in run.spikes.items()}
        needed = last_arrival(plan, fired)
        assert needed >= found.seconds[b, t] * (1 - 1e-9)
        assert needed <= found.seconds[b, t] * BURST_FACTOR
        source, _ = packets_of(plan, fired)
        assert found.seconds[b, t] <= at_most(plan, np.array(len(source))) * (1 + 1e-9)
        if len(source) == 1:
            assert needed == pytest.approx(found.seconds[b, t])
        if len(source) == 0:
            assert found.seconds[b, t] == 0


def test_waits_are_the_packets_on_the_busiest_link_but_one():
    """Seven spikes to a tile three hops east and two south, and one that goes farther."""
    columns, rows = 8, 4
    word = WeightWord(n_bits=8, exp=0, sign_mode="mixed", message_bits=0)
    neuron = FixedNeuron.of(du=4095, dv=0, v_th=1)
    net = Network(
        (
            Population("input", (1,)),
            Population("near", (7,), neuron),
            Population("far", (1,), neuron),
            Population("there", (1,), neuron),
            Population("corner", (1,), neuron),
        ),
        (
            Projection.of("near", "there", Dense.of(np.full((1, 7), 2)), delay=1, word=word),
            Projection.of("far", "corner", Dense.of(np.full((1, 1), 2)), delay=1, word=word),
        ),
    )
    chip = chip_with(mesh={"columns": columns, "rows": rows, "cores_per_tile": 1}, cores=32)
    at = {"near": 0, "far": 1, "there": 2 * columns + 3, "corner": 4}
    parts = [Part("input", np.arange(1), None, None)]
    parts += [Part(name, np.arange(net[name].size), core, None) for name, core in at.items()]
    plan = Plan(chip, net, dict.fromkeys(net.order, 0), tuple(parts))
    spikes = {p.name: np.ones((1, 1, p.size), dtype=np.int64) for p in net.populations}
    found = travel(plan, spikes)
    # the six that wait for the first link to the south, after three hops east
    assert found.hops.tolist() == [[[3, 2, 0]]]
    assert found.waits.tolist() == [[[0, 6, 0]]]
    spikes["near"][..., 1:] = 0  # one alone: its way is the slower one
    found = travel(plan, spikes)
    assert found.hops.tolist() == [[[3, 2, 0]]]
    assert found.waits.tolist() == [[[0, 0, 0]]]
    spikes["near"][...] = 0
    assert travel(plan, spikes).hops.tolist() == [[[3, 0, 0]]]
    spikes["far"][...] = 0
    assert travel(plan, spikes).hops.tolist() == [[[0, 0, 0]]]
