"""Delays on a chip: their memory, counted synapse by synapse, and classes, the best of all cuts."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.delay_classes import classes_of
from hwsim.mapping.delay_memory import DelayBits, delay_memory
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Conv2d, Dense, Sparse
from tests.strategies import chip_with, rngs


def net_of(synapses, delay, *, source=(6,), target=(5,)):
    populations = (Population("in", source), Population("out", target, FixedNeuron.of()))
    return Network(populations, (Projection.of("in", "out", synapses, delay=delay, word=WORD),))


WORD = WeightWord()


def compiled(net, chip):
    return hwsim.compile(net, chip, mapper=hwsim.MAPPERS["row-major"])


def dense(shape, delay):
    return net_of(Dense.of(np.full(shape, 2)), delay, source=shape[1:], target=shape[:1])


def test_the_ring_is_the_papers_and_a_field_holds_its_longest_delay():
    """25 steps, 256 neurons, sums of 16 bits: 12.5 KiB [Hammouamri2024]."""
    ring = {"bits": 16, "source": "the note on the paper"}
    chip = chip_with(pending_input=ring)
    delay = np.zeros((256, 140), dtype=int)
    delay[3, 7] = 24  # 1 to 25 steps on a chip
    found = delay_memory(compiled(dense((256, 140), delay), chip))
    assert found.total == DelayBits(256 * 140 * 5, 25 * 256 * 16)
    assert found.total.pending == 12.5 * 8 * 1024
    (layer,) = found.layers
    assert (layer.layer, layer.steps, layer.values, layer.field_bits) == ("out", 25, 2, 5)


@given(rngs(), st.integers(1, 5), st.integers(0, 9), st.booleans())
def test_memory_is_what_synapses_and_neurons_add_up_to_on_every_core(rng, most, longest, sparse):
    chip = chip_with(neurons_per_core=most)
    delay = rng.integers(0, longest + 1, (5, 6))
    weight = 2 * rng.integers(0, 2, (5, 6)) if sparse else np.full((5, 6), 2)
    weight[0, 0] = 2
    target = np.nonzero(weight)[0]
    net = dense((5, 6), delay)
    if sparse:
        listed = Sparse.from_dense(weight)
        source = np.repeat(np.arange(6), np.diff(listed.indptr))
        net = net_of(listed, delay[listed.target, source])
    plan = compiled(net, chip)
    found, (p,) = delay_memory(plan), plan.network.projections
    steps = int(p.delay.max())
    bits = int(np.ceil(np.log2(steps)))
    for core in plan.cores:
        own = np.concatenate([q.neurons for q in plan.parts if q.core == core])
        synapses = int(np.isin(target, own).sum())
        ring = own.size * steps * 21 if steps > 1 else 0
        assert found.cores.get(core, DelayBits()) == DelayBits(synapses * bits, ring)
    assert sum(found.cores.values(), start=DelayBits()) == found.total
    assert bool(found.layers) == (steps > 1)


def test_a_kernel_that_is_stored_once_has_its_delays_once():
    chip = hwsim.load_chip("loihi2")
    conv = Conv2d.of(np.full((3, 2, 2, 2), 2))
    net = net_of(conv, 4, source=(2, 4, 4), target=(3, 3, 3))
    assert chip.limits.synapse_format.shares_kernels
    found = delay_memory(compiled(net, chip)).total
    assert found == DelayBits(conv.weight.size * 2, 27 * 4 * 21)  # 4 steps, with nothing earlier


def test_a_ring_beside_the_synapses_counts_in_their_limit():
    net = dense((8, 4), np.full((8, 4), 61))
    alone = compiled(net, chip_with(synapse_bits_per_core=64 * 64))
    ring = {"bits": 16, "in_synapse_memory": True, "source": "of this test"}
    assert len(alone.cores) == 1
    chip = chip_with(synapse_bits_per_core=64 * 64, pending_input=ring)
    parts = [part for part in compiled(net, chip).parts if part.use is not None]
    assert len(parts) > 1
    for part in parts:
        assert 61 * 16 * part.neurons.size < part.use.synapse_bits <= 64 * 64
    small = chip_with(synapse_bits_per_core=61 * 16, pending_input=ring)
    (broken,) = hwsim.fits(net, small)
    assert broken.limit == "synapse_bits_per_core"


def test_what_is_not_known_is_no_zero_and_no_delays_take_nothing():
    net = dense((5, 6), np.arange(30).reshape(5, 6) % 4)
    chip = hwsim.load_chip("truenorth")
    found = delay_memory(compiled(net, chip)).total
    assert found == DelayBits(0, None)
    assert hwsim.delay_area(found, chip).value is None
    assert hwsim.delay_area(DelayBits(1, 1), hwsim.load_chip("spinnaker2")).value is None
    loihi = hwsim.load_chip("loihi2")
    area = hwsim.delay_area(DelayBits(3, 5), loihi)
    assert area.value == pytest.approx(8 * loihi.area.bit.value, abs=0)
    plain = delay_memory(compiled(dense((5, 6), 0), chip))
    assert (plain.layers, plain.cores, plain.total) == ((), {}, DelayBits())


histograms = st.lists(
    st.tuples(st.integers(0, 62), st.sampled_from([0.0, 0.5, 1.0, 3.0, 40.0])),
    min_size=1, max_size=8, unique_by=lambda pair: pair[0],
)  # fmt: skip


def cost_of(values, mass, classes):
    return float((mass * (values - classes) ** 2).sum())


@given(histograms, st.integers(1, 4))
def test_classes_are_the_best_of_all_cuts(pairs, k):
    values, mass = map(np.array, zip(*sorted(pairs), strict=True))
    found = classes_of(values, mass, k)
    assert np.unique(found).size <= k
    assert (np.diff(found) >= 0).all()
    least = np.inf
    for cuts in combinations(range(1, values.size), min(k, values.size) - 1):
        parts = np.split(np.arange(values.size), cuts)
        each = (min(cost_of(values[i], mass[i], c) for c in range(63)) for i in parts)
        least = min(least, sum(each))
    assert cost_of(values, mass, found) == pytest.approx(least)


@given(rngs(), st.integers(1, 6), st.integers(0, 12))
def test_a_network_keeps_all_but_its_delays(rng, k, longest):
    delay = rng.integers(0, 20, (5, 6))
    net = dense((5, 6), delay)
    quantised, (said,) = hwsim.quantize_delays(net, max_delay=longest, n_classes=k)
    (p,) = quantised.projections
    assert np.unique(p.delay).size <= k
    assert p.delay.max() <= longest
    assert said.clipped == (delay > longest).sum()
    assert said.changed == (p.delay != delay).sum()
    np.testing.assert_array_equal(p.synapses.weight, net.projections[0].synapses.weight)
    again, same = hwsim.quantize_delays(quantised, max_delay=longest, n_classes=k)
    assert again.digest == quantised.digest
    assert all((m.changed, m.error_steps) == (0, 0.0) for m in same)


def test_heavy_synapses_choose_the_classes():
    weight, delay = np.ones((1, 4)), np.array([[0, 2, 10, 12]])
    weight[0, [1, 2]] = 100
    populations = (Population("in", (4,)), Population("out", (1,), Neuron.of()))
    p = Projection.of("in", "out", Dense.of(weight), delay=delay)
    net, _ = hwsim.quantize_delays(Network(populations, (p,)), n_classes=2)
    assert net.projections[0].delay.tolist() == [[2, 2, 10, 10]]


def test_limits_that_no_delay_can_keep_are_refused():
    net = dense((5, 6), np.ones((5, 6), dtype=int))
    with pytest.raises(ValueError, match="`n_classes` is 0, must be 1 or more"):
        hwsim.quantize_delays(net, n_classes=0)
    with pytest.raises(ValueError, match="`max_delay` is -1, must be 0 steps or more"):
        hwsim.quantize_delays(net, max_delay=-1)
    loop = Projection.of("out", "out", Dense.of(np.full((5, 5), 2)), delay=3, word=WORD)
    looped = Network(net.populations, (*net.projections, loop))
    with pytest.raises(ValueError, match="cycle without delay"):
        hwsim.quantize_delays(looped, max_delay=0)
