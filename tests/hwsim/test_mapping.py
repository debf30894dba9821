"""Every neuron has one place, every place keeps its limits, and what does not fit says why."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.mapping.retime import retime
from hwsim.mapping.use import Use, broken
from hwsim.mapping.violation import DoesNotFit
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Dense
from tests.strategies import chip_with, inputs_of, integer_networks

WORD = WeightWord()


def dense(source, target, shape, **more):
    weight = Dense.of(np.full(shape, 2))
    return Projection.of(source, target, weight, **{"word": WORD, **more})


def stack(*sizes, skip=False, loop=None, neuron=None, **more):
    """Layers p0 (input), p1, ... joined without delay."""
    neuron = neuron or FixedNeuron.of()
    populations = [Population(f"p{i}", (n,), neuron if i else None) for i, n in enumerate(sizes)]
    projections = [
        dense(f"p{i}", f"p{i + 1}", (sizes[i + 1], sizes[i]), **more) for i in range(len(sizes) - 1)
    ]
    if skip:
        projections.append(dense("p0", f"p{len(sizes) - 1}", (sizes[-1], sizes[0])))
    if loop is not None:
        projections.append(dense(f"p{len(sizes) - 1}", "p1", (sizes[1], sizes[-1]), delay=loop))
    return Network(tuple(populations), tuple(projections))


def limited(neurons, axons, words):
    return chip_with(
        neurons_per_core=neurons,
        axons_in_per_core=axons,
        axons_out_per_core=axons,
        synapse_bits_per_core=64 * words,
    )


tight_chips = st.builds(limited, st.integers(1, 8), st.integers(6, 40), st.integers(10, 60))


def compiled(net, chip, **more):
    """A plan, or the verdict that there is none."""
    try:
        return hwsim.compile(net, chip, **more)
    except DoesNotFit as error:
        return error


def measured(plan, part):
    """What a part takes of a core, counted synapse by synapse."""
    net, form = plan.network, plan.chip.limits.synapse_format
    bits = axons = 0
    own = np.full(net[part.population].size, -1)
    own[part.neurons] = 0
    index = min(b for b in form.index_bits if 2**b >= part.neurons.size)
    for p in net.into(part.population):
        source, target = net[p.source].shape, net[p.target].shape
        weight = min(b for b in form.weight_bits if b >= p.word.n_bits)
        longest = p.delay.max()
        delay = min(b for b in form.delay_bits if 2**b >= longest) if longest > 1 else 0
        for n in p.synapses.fan_out(source, target, own, 1).toarray().reshape(-1):
            if n:
                need = int(n) * (weight + index + delay) + form.header_bits * math.ceil(n / 63)
                bits += math.ceil(need / 64) * 64
                axons += 1
    return bits, axons


@given(integer_networks(), tight_chips, st.sampled_from(sorted(hwsim.MAPPERS)))
def test_every_neuron_has_one_core_within_its_limits(net, chip, mapper):
    plan = compiled(net, chip, mapper=hwsim.MAPPERS[mapper])
    if isinstance(plan, DoesNotFit):
        assert "layer" in str(plan)
        assert "\n" not in str(plan)
        return
    placed = {p.name: np.zeros(p.size, dtype=int) for p in net.populations}
    for part in plan.parts:
        placed[part.population][part.neurons] += 1
        assert (np.diff(part.neurons) > 0).all()
    assert all((n == 1).all() for n in placed.values())
    assert max(plan.cores) < chip.n_cores
    listening = {name: routes.packets for name, routes in plan.routes.items()}
    for core in plan.cores:
        parts = [part for part in plan.parts if part.core == core]
        assert not broken(sum((part.use for part in parts), start=Use()), chip.limits)
    for part in plan.parts:
        if part.core is None:
            assert net[part.population].neuron is None
            continue
        assert (part.use.synapse_bits, part.use.axons_in) == measured(plan, part)
        assert part.use.axons_out >= listening[part.population][part.neurons].sum()


@pytest.mark.parametrize("mapper", sorted(hwsim.MAPPERS))
def test_in_a_loop_of_two_both_send_a_packet(mapper):
    """Whichever is cut first cannot know yet who hears it."""
    word, neuron = WeightWord(), FixedNeuron.of()
    ends = (("in", "a", 1), ("a", "b", 1), ("b", "a", 1))
    ways = tuple(Projection.of(s, t, Dense.of([[2]]), delay=d, word=word) for s, t, d in ends)
    populations = (
        Population("in", (1,)),
        Population("a", (1,), neuron),
        Population("b", (1,), neuron),
    )
    plan = hwsim.compile(
        Network(populations, ways), limited(1, 6, 10), mapper=hwsim.MAPPERS[mapper]
    )
    assert [part.use.axons_out for part in plan.parts if part.core is not None] == [1, 1]


@given(integer_networks(), tight_chips)
def test_what_fits_compiles_and_nothing_else(net, chip):
    violations = hwsim.fits(net, chip)
    assert bool(full := hwsim.usage(net, chip)) == (not violations)
    plan = compiled(net, chip)
    assert violations == (plan.violations if isinstance(plan, DoesNotFit) else ())
    if not violations:
        assert full[-1].limit == "cores"
        assert full[-1].used == len(plan.cores)


@given(st.data(), integer_networks(), st.integers(0, 2**32 - 1))
def test_any_map_gives_the_same_spikes(data, net, seed):
    samples = data.draw(inputs_of(net))
    off = hwsim.simulate(net, samples)
    chip = limited(3, 4096, 4096)
    for mapper in hwsim.MAPPERS.values():
        plan = hwsim.compile(net, chip, mapper=mapper, seed=seed)
        on = hwsim.simulate(plan, samples)
        for p in net.populations:
            assert np.array_equal(on.spike_counts[p.name], off.spike_counts[p.name])
        assert np.array_equal(on.output, off.output)


@given(integer_networks(), st.integers(0, 2**32 - 1))
def test_a_seed_gives_one_plan(net, seed):
    chip = limited(3, 4096, 4096)
    for mapper in hwsim.MAPPERS.values():
        one, two = (hwsim.compile(net, chip, mapper=mapper, seed=seed) for _ in range(2))
        assert [p.core for p in one.parts] == [p.core for p in two.parts]


def test_a_real_network_is_sent_to_quantisation():
    net = Network((Population("in", (1,)), Population("out", (1,), hwsim.Neuron.of())), ())
    with pytest.raises(ValueError, match="quantise it"):
        hwsim.compile(net, hwsim.load_chip("loihi1"))


def test_limits_of_neurons_hold_for_cores_larger_than_loihis():
    net = stack(1, 3000, 1)
    plan = hwsim.compile(net, chip_with(neurons_per_core=4096, axons_in_per_core=4096))
    assert [plan.parts[i].neurons.size for i in plan.parts_of("p1")] == [3000]


@given(st.lists(st.integers(1, 3), min_size=2, max_size=6))
def test_a_stack_is_shifted_by_its_depth(sizes):
    retimed, shift = retime(stack(*sizes))
    assert shift == {f"p{i}": i for i in range(len(sizes))}
    assert all(p.delay == 1 for p in retimed.projections)


def test_a_skip_waits_for_the_layers_it_skips():
    retimed, shift = retime(stack(2, 2, 2, 2, skip=True))
    skip = retimed.projections[-1]
    assert (skip.source, skip.target, int(skip.delay)) == ("p0", "p3", 3)
    assert shift["p3"] == 3


def test_delays_that_are_there_already_are_used():
    retimed, shift = retime(stack(2, 2, 2, delay=1))
    assert set(shift.values()) == {0}
    assert all(p.delay == 1 for p in retimed.projections)


@given(integer_networks())
def test_every_projection_of_a_retimed_network_takes_a_step(net):
    retimed, shift = retime(net)
    assert min(shift.values()) == 0
    for before, after in zip(net.projections, retimed.projections, strict=True):
        assert after.delay.min() >= 1
        moved = shift[before.target] - shift[before.source]
        assert np.array_equal(after.delay, before.delay + moved)
    again, none = retime(retimed)
    assert set(none.values()) == {0}
    assert again.digest == retimed.digest


def test_a_loop_needs_a_step_for_each_projection():
    assert retime(stack(2, 2, 2, loop=2))[1]["p2"] == 2
    with pytest.raises(ValueError, match=r"cycle through .*p1.*fewer steps of delay") as caught:
        retime(stack(2, 2, 2, loop=1))
    assert "\n" not in str(caught.value)
