"""A chain of layers back in torch: the same spikes, and a clear word for what is no chain."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from neuro.from_network import stack_of
from neuro.to_network import export
from tests.neuro.test_exactness import SEEDS, any_neurons, as_torch, coarse, events, stacks


@settings(max_examples=10)
@given(stacks(any_neurons, weight=coarse), SEEDS, st.integers(1, 5))
def test_the_stack_of_a_network_fires_its_spikes(stack, seed, steps):
    net, inputs = export(stack), events(steps, 2, seed, counts=True)
    back = stack_of(net)
    with torch.no_grad():
        trace = back.trace(as_torch(inputs, torch.float64))
    run = hwsim.simulate(net, inputs, record=("spikes",))
    for name, spikes in trace.spikes.items():
        ours = spikes.flatten(2).transpose(0, 1).numpy()
        np.testing.assert_array_equal(run.aligned(name), ours, err_msg=name)


def test_parameters_of_each_neuron_come_along():
    each = np.arange(1, 4) / 4
    neuron = hwsim.Neuron.of(decay_u=each / 2, decay_v=each, v_th=each, bias=each)
    net = network(hwsim.Dense.of(np.eye(3)), neuron)
    x = np.random.default_rng(0).integers(0, 2, (2, 9, 3)).astype(np.uint8)
    run = hwsim.simulate(net, x, record=("spikes",))
    with torch.no_grad():
        spikes = stack_of(net).trace(as_torch(x, torch.float64)).spikes["a"]
    np.testing.assert_array_equal(run.aligned("a"), spikes.transpose(0, 1).numpy())


def network(synapses, neuron, more=(), **arguments):
    ends = (hwsim.Population("input", (3,)), hwsim.Population("a", (3,), neuron))
    return hwsim.Network(ends, (hwsim.Projection.of("input", "a", synapses, **arguments), *more))


NEURON, EYE = hwsim.Neuron.of(), hwsim.Dense.of(np.eye(3))
LOOP = hwsim.Projection.of("a", "a", EYE, delay=1)
REFUSED = {
    "a loop": (network(EYE, NEURON, (LOOP,)), "no chain of layers"),
    "a delay": (network(EYE, NEURON, delay=2), "layer 'a' has delays"),
    "a gain per step": (network(EYE, NEURON, gain=[1.0, 2.0]), "a gain per step"),
    "a threshold per step": (network(EYE, hwsim.Neuron.of(v_th=np.ones((2, 3)))), "of its own"),
}


@pytest.mark.parametrize("what", sorted(REFUSED))
def test_what_is_no_chain_of_plain_layers_is_refused(what):
    net, says = REFUSED[what]
    with pytest.raises(ValueError, match=says) as error:
        stack_of(net)
    assert "use `hwsim.simulate`" in str(error.value)
    assert "\n" not in str(error.value)
