"""Stacks: folding BatchNorm changes nothing, and what a chip cannot have is refused early."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from neuro.models.stack import Block, Stack
from neuro.spiking import LIF
from neuro.to_network import export


def lived(norm):
    """The same BatchNorm with statistics and parameters as after training."""
    with torch.no_grad():
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.2, 3.0)
        norm.weight.uniform_(-1.5, 1.5)
        norm.bias.normal_()
    return norm


@st.composite
def normed_stacks(draw):
    """A convolution and a dense layer, both normed, in float64."""
    torch.manual_seed(draw(st.integers(0, 2**16)))
    groups = draw(st.sampled_from([1, 2]))
    conv = nn.Conv2d(
        2, 4, draw(st.sampled_from([1, 2, 3])), draw(st.integers(1, 2)), draw(st.integers(0, 2)),
        groups=groups, bias=False,
    )  # fmt: skip
    how = {
        "decay_v": draw(st.sampled_from([0.5, 0.9, 1.0])),
        "input_gain": draw(st.sampled_from([0.5, 1.0, 2.0])),
    }
    bias_shape = draw(st.sampled_from([None, (4, 1, 1)]))
    first = Block(conv, LIF(**how, bias_shape=bias_shape), norm=lived(nn.BatchNorm2d(4)))
    shape = first.target_shape((2, 6, 5))
    dense = nn.Linear(int(np.prod(shape)), 3, bias=False)
    second = Block(dense, LIF(**how, emits="nothing"), norm=lived(nn.BatchNorm1d(3)))
    for block in (first, second):
        if block.neurons.bias is not None:
            nn.init.normal_(block.neurons.bias)
    return Stack({"conv": first, "dense": second}, (2, 6, 5)).double().eval()


@given(normed_stacks())
def test_folding_batchnorm_leaves_the_function_unchanged(stack):
    x = (torch.rand(6, 2, 2, 6, 5) < 0.4).double()
    folded = stack.folded()
    assert all(block.norm is None for block in folded.blocks.values())
    with torch.no_grad():
        first, same = stack.blocks["conv"], folded.blocks["conv"]
        gain = first.neurons.input_gain
        bias = 0.0 if first.neurons.bias is None else first.neurons.bias
        wanted = gain * first.current(x) + bias
        torch.testing.assert_close(gain * same.current(x) + same.neurons.bias, wanted)
        torch.testing.assert_close(folded(x), stack(x), rtol=1e-9, atol=1e-9)
        assert torch.equal(folded.trace(x).spikes["conv"], stack.trace(x).spikes["conv"])


@given(normed_stacks())
def test_folding_leaves_the_trained_stack_alone(stack):
    before = {name: value.clone() for name, value in stack.state_dict().items()}
    stack.folded()
    export(stack)
    assert all(torch.equal(before[name], value) for name, value in stack.state_dict().items())


def test_folding_twice_is_folding_once():
    norm = lived(nn.BatchNorm1d(3))
    stack = Stack({"a": Block(nn.Linear(4, 3, bias=False), LIF(), norm=norm)}, (4,)).eval()
    once = stack.folded()
    twice = once.folded()
    for name, value in once.state_dict().items():
        assert torch.equal(value, twice.state_dict()[name])


@pytest.mark.parametrize("neurons", [LIF(decay_u=0.5), LIF(decay_u=0.0, learn=("decay_u",))])
def test_batchnorm_before_a_current_memory_is_refused(neurons):
    with pytest.raises(ValueError, match="cannot be folded: set decay_u = 0 or norm = false"):
        Block(nn.Linear(4, 3, bias=False), neurons, norm=nn.BatchNorm1d(3))


@pytest.mark.parametrize("synapses", [nn.Linear(4, 3), nn.Conv2d(2, 3, 3)])
def test_a_bias_of_the_synapses_is_refused(synapses):
    with pytest.raises(ValueError, match="give the neurons one"):
        Block(synapses, LIF())


def test_padding_with_other_than_zeros_is_refused():
    conv = nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular", bias=False)
    with pytest.raises(ValueError, match="'circular': a chip pads with zeros only"):
        Block(conv, LIF())


def test_padding_in_words_is_refused_by_the_export():
    conv = nn.Conv2d(2, 3, 3, padding="same", bias=False)
    with pytest.raises(ValueError, match="padding 'same': give it as numbers"):
        export(Stack({"a": Block(conv, LIF())}, (2, 5, 5)))


@pytest.mark.parametrize("shape", [(3, 2, 5), (3, 2, 4, 4), (3, 4), (3, 2)])
def test_input_of_another_shape_is_refused_with_both_shapes(shape):
    stack = Stack({"a": Block(nn.Linear(4, 3, bias=False), LIF())}, (4,))
    with pytest.raises(ValueError, match=r"the model takes \(time, batch, 4\)") as error:
        stack(torch.zeros(shape))
    assert str(shape) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_stack_is_refused():
    with pytest.raises(ValueError, match="at least one block"):
        Stack({}, (4,))


@given(st.integers(1, 5), st.integers(1, 4), st.sampled_from(["spikes", "nothing"]))
def test_the_answer_counts_spikes_or_reads_the_last_potential(steps, batch, emits):
    neurons = LIF(decay_v=1.0, v_th=0.2, emits=emits)
    block = Block(nn.Linear(4, 3, bias=False), neurons)
    x = torch.rand(steps, batch, 4)
    with torch.no_grad():
        out, answer = block(x), Stack({"a": block}, (4,))(x)
    assert torch.equal(answer, out.sum(0) if emits == "spikes" else out[-1])
    assert answer.shape == (batch, 3)


def test_samples_of_a_batch_do_not_meet():
    conv = Block(nn.Conv2d(2, 3, 3, bias=False), LIF(), norm=lived(nn.BatchNorm2d(3)))
    dense = Block(nn.Linear(3 * 3 * 4, 5, bias=False), LIF(decay_u=0.5, emits="nothing"))
    stack = Stack({"conv": conv, "dense": dense}, (2, 5, 6)).double().eval()
    x = (torch.rand(4, 3, 2, 5, 6) < 0.5).double()
    with torch.no_grad():
        one_by_one = torch.cat([stack(x[:, i : i + 1]) for i in range(3)])
        torch.testing.assert_close(stack(x), one_by_one)
