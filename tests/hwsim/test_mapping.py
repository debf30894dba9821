"""Every neuron has one place, every place keeps its limits, and what does not fit says why."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.mapping.partition import DoesNotFit, broken, partition, reach_of, use_of
from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Dense
from tests.strategies import chip_with, integer_networks

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


@given(integer_networks(), st.integers(1, 8), st.integers(6, 40), st.integers(10, 60))
def test_every_neuron_has_one_core_within_its_limits(net, neurons, axons, words):
    chip = chip_with(
        neurons_per_core=neurons,
        axons_in_per_core=axons,
        axons_out_per_core=axons,
        synapse_bits_per_core=64 * words,
    )
    try:
        plan = hwsim.compile(net, chip)
    except DoesNotFit as error:
        verdict = str(error)
    else:
        verdict = ""
    if verdict:
        assert "layer" in verdict
        assert "\n" not in verdict
        return
    placed = {p.name: [0] * p.size for p in net.populations}
    cuts = {p.name: [] for p in net.populations}
    for part in plan.parts:
        for n in part.neurons:
            placed[part.population][n] += 1
        cuts[part.population].append((part.neurons[0], part.neurons[-1] + 1, part.use))
    assert all(n == 1 for counts in placed.values() for n in counts)
    assert len(set(plan.cores)) == len(plan.cores) <= chip.limits.cores
    for part in plan.parts:
        if part.core is None:
            assert net[part.population].neuron is None
            continue
        population = plan.network[part.population]
        reach = reach_of(plan.network, population, cuts)
        use = use_of(plan.network, population, part.neurons[0], part.neurons[-1] + 1, reach)
        assert not broken(use, chip.limits), (part, use)
        assert use == part.use


@pytest.mark.parametrize(
    ("net", "limits", "message"),
    [
        (stack(9, 2), {"axons_in_per_core": 8}, r"'p1'.*axons_in 9 of 8 \(shrink the layer before"),
        (
            stack(2, 3, 9),
            {"neurons_per_core": 1, "axons_out_per_core": 8},
            r"'p1'.*axons_out 9 of 8 \(shrink the layer after",
        ),
        (
            stack(9, 2),
            {"synapse_bits_per_core": 64},
            r"'p1'.*synapse_bits 576 of 64 \(lower the fan-in",
        ),
        (stack(2, 9), {"cores": 2, "neurons_per_core": 3}, "needs 3 cores, the chip has 2.*'p1'"),
        (stack(2, 2, delay=64), {}, "p0 -> p1: delay 63 of 62"),
        (stack(2, 2), {"weight_bits": 4}, "p0 -> p1: weights of 8 bits of 4"),
        (
            stack(2, 2, word=WeightWord(message_bits=8)),
            {},
            "p0 -> p1: graded spikes of 8 bits of 0",
        ),
        (
            stack(2, 2, neuron=FixedNeuron.of(reset="subtract")),
            {"resets": ("zero", "none")},
            "p1: reset 'subtract'",
        ),
    ],
)
def test_what_does_not_fit_names_layer_limit_and_use(net, limits, message):
    with pytest.raises(DoesNotFit, match=message) as caught:
        hwsim.compile(net, chip_with(**limits))
    assert "\n" not in str(caught.value)


def test_all_broken_words_are_named_at_once():
    net = stack(2, 2, delay=64, word=WeightWord(message_bits=8))
    with pytest.raises(DoesNotFit) as caught:
        hwsim.compile(net, chip_with(weight_bits=4))
    for what in ("weights of 8 bits", "graded spikes", "delay 63"):
        assert what in str(caught.value)


def test_a_real_network_is_sent_to_quantisation():
    net = Network((Population("in", (1,)), Population("out", (1,), hwsim.Neuron.of())), ())
    with pytest.raises(ValueError, match="quantise it"):
        hwsim.compile(net, hwsim.load_chip("loihi1"))


def test_limits_of_neurons_hold_for_cores_larger_than_loihis():
    net = stack(1, 3000, 1)
    limits = chip_with(neurons_per_core=4096, axons_in_per_core=4096).limits
    runs = partition(net, limits)
    assert [(a, b) for a, b, _ in runs["p1"]] == [(0, 3000)]


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
