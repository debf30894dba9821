"""Quantisation-aware training: gradients pass the rounding, words and scales hold."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import hwsim
from neuro.models.stack import Block, Stack
from neuro.spiking import LIF
from neuro.to_network import export
from neuro.training.qat import QuantBlock, quantised, with_scales

CHIP = hwsim.load_chip("loihi1")
WORD = hwsim.WeightWord(n_bits=8)


def small_stack():
    """A convolution with a bias and a current, and a read-out."""
    conv = nn.Conv2d(2, 4, 3, 2, 1, bias=False)
    hidden = LIF(decay_u=0.3, decay_v=0.8, v_th=0.7, bias_shape=(4, 1, 1))
    dense = nn.Linear(4 * 3 * 3, 3, bias=False)
    nn.init.normal_(hidden.bias, std=0.1)
    readout = LIF(decay_v=1.0, emits="nothing", reset="none", bias_shape=(3,))
    return Stack({"conv": Block(conv, hidden), "readout": Block(dense, readout)}, (2, 6, 6)).eval()


def frames(n=16, steps=12):
    return (np.random.default_rng(0).random((n, steps, 2, 6, 6)) < 0.4).astype(np.uint8)


def as_torch(samples):
    return torch.from_numpy(samples).transpose(0, 1).float()


def scales_of(stack):
    return {name: block.scale for name, block in stack.blocks.items()}


def test_gradients_reach_every_master_weight_through_the_rounding():
    qstack = quantised(small_stack(), CHIP, frames()).train()
    labels = torch.arange(16) % 3
    F.cross_entropy(qstack(as_torch(frames())), labels).backward()
    for name, master in qstack.named_parameters():
        assert master.grad is not None, name
        assert master.grad.isfinite().all(), name
        assert (master.grad != 0).any(), name


def test_the_rounding_is_invisible_to_the_gradient():
    """Of a read-out, a linear function of its weights, the gradient is that without rounding."""
    dense = nn.Linear(5, 3, bias=False)
    neurons = LIF(decay_v=0.5, emits="nothing")  # 0.5 is exact in 12 bits
    stack = Stack({"a": Block(dense, neurons)}, (5,)).eval()
    x = (torch.rand(6, 4, 5) < 0.5).float()
    weight = torch.randn(4, 3)
    gradients = []
    for one in (stack, quantised(stack, CHIP, x.transpose(0, 1).numpy()).train()):
        dense.weight.grad = None
        (one(x) * weight).sum().backward()
        gradients.append(dense.weight.grad.clone())
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("lr", [1e-3, 10.0])  # 10: masters leave the words' range
def test_after_steps_of_an_optimiser_all_integers_fit_and_scales_stand(lr):
    qstack = quantised(small_stack(), CHIP, frames())
    before, scales = [p.detach().clone() for p in qstack.parameters()], scales_of(qstack)
    optimizer = torch.optim.AdamW(qstack.parameters(), lr=lr)
    for _ in range(4):
        qstack.train()
        optimizer.zero_grad()
        F.cross_entropy(qstack(as_torch(frames())), torch.arange(16) % 3).backward()
        optimizer.step()
    assert scales_of(qstack) == scales
    assert any(not torch.equal(a, b) for a, b in zip(before, qstack.parameters(), strict=True))
    low, high = WORD.range
    for block in qstack.blocks.values():
        weight = block.weights_of(block.synapses)
        assert weight.min() >= low
        assert weight.max() <= high
        assert (weight % WORD.step == 0).all()
    net = export(qstack.eval())  # a Network refuses whatever its words do not hold
    run = hwsim.simulate(hwsim.compile(net, CHIP), frames())
    np.testing.assert_array_equal(run.output, qstack(as_torch(frames())).numpy())


@pytest.mark.parametrize("name", ["v_th", "bias"])
def test_a_threshold_or_bias_that_set_the_scale_may_grow_in_training(name):
    """The scale leaves the largest of them at the end of its word: one more step must not stop."""
    neurons = LIF(v_th=1.0, learn=("v_th",), bias_shape=(3,))
    with torch.no_grad():
        value = getattr(neurons, name)
        value.fill_(1e5)
        stack = Stack({"a": Block(nn.Linear(4, 3, bias=False), neurons)}, (4,)).eval()
        x = np.ones((2, 5, 4), dtype=np.uint8)
        qstack = quantised(stack, CHIP, x)
        before = export(qstack).digest
        value.mul_(2)
        assert export(qstack).digest == before  # it stands at the end of its word
        for mode in (True, False):
            qstack.train(mode)(torch.ones(5, 2, 4))


def test_the_float_path_is_close_to_the_integers():
    torch.manual_seed(2)
    qstack = quantised(small_stack(), CHIP, frames())
    x = as_torch(frames())
    with torch.no_grad():
        soft, hard = qstack.train().trace(x), qstack.eval().trace(x)
    agree = (soft.spikes["conv"] == hard.spikes["conv"]).float().mean()
    assert hard.spikes["conv"].float().mean() > 0.05  # there is something to compare
    assert agree > 0.99
    real = hard.output / (64 * qstack.blocks["readout"].scale)
    assert (soft.output - real).abs().max() < 0.1 * soft.output.abs().max()


def test_halves_round_no_integer():
    qstack = quantised(small_stack(), CHIP, frames())
    whole = qstack.eval().trace(as_torch(frames())).output
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(qstack.trace(as_torch(frames())).output, whole)


@given(st.integers(0, 2**16), st.floats(0.05, 20))
def test_rounding_moves_a_weight_by_half_a_step_at_most(seed, spread):
    torch.manual_seed(seed)
    stack = small_stack()
    with torch.no_grad():
        stack.blocks["conv"].synapses.weight.mul_(spread)
    for name, block in quantised(stack, CHIP, frames(2, 4)).blocks.items():
        wanted = stack.blocks[name].synapses.weight.detach().double().numpy()
        error = np.abs(block.weights_of(block.synapses) / block.scale - wanted).max()
        assert error <= 0.5 * WORD.step / block.scale * (1 + 1e-9)


def test_scales_of_a_checkpoint_give_the_same_stack():
    stack = small_stack()
    qstack = quantised(stack, CHIP, frames()).eval()
    same = with_scales(stack.folded(), CHIP, scales_of(qstack)).eval()
    assert export(same).digest == export(qstack).digest


def test_batchnorm_is_to_be_folded_first():
    block = Block(nn.Linear(4, 3, bias=False), LIF(), norm=nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="fold BatchNorm before quantisation"):
        QuantBlock(block, (3,), 1.0, WORD)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"refractory": 64}, r"a refractory time of 64 steps \(of 63\)"),
        ({"emits": "graded"}, "graded spikes"),
        ({"reset": "subtract", "reset_late": True}, "a late subtracting reset"),
        ({"v_init": 0.5}, "an initial potential"),
    ],
)
def test_what_the_chips_neurons_have_not_is_refused_before_training(arguments, says):
    stack = Stack({"a": Block(nn.Linear(4, 3, bias=False), LIF(**arguments))}, (4,)).eval()
    with pytest.raises(ValueError, match=f"layer 'a' has {says}"):
        quantised(stack, CHIP, np.ones((2, 3, 4), dtype=np.uint8))


def test_dropout_acts_in_training_only():
    stack = small_stack()
    dropped = Stack(
        {name: Block(b.synapses, b.neurons, dropout=0.9 * (name == "conv"))
         for name, b in stack.blocks.items()},
        stack.input_shape,
    ).eval()  # fmt: skip
    ours, theirs = (quantised(one, CHIP, frames()) for one in (stack, dropped))
    x = as_torch(frames())
    assert torch.equal(ours.eval()(x), theirs.eval()(x))
    assert not torch.equal(ours.train()(x), theirs.train()(x))
