"""The chain of exactness: torch = simulator, torch's integers = the simulator's = the plan's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hwsim
from neuro.models.stack import Block, Stack
from neuro.spiking import LIF
from neuro.to_network import export
from neuro.training.qat import quantised, with_scales
from tests.strategies import chip_with, geometries

INPUT = (2, 6, 5)
SEEDS = st.integers(0, 2**31)
DYADIC = (0.0, 0.25, 0.5, 0.75)  # two bits: products over few steps stay exact in float64


@st.composite
def stacks(draw, neurons, *, weight, loops=False):
    """A stack of convolutions and dense layers; `weight(*shape)` draws weights and biases.

    With `loops` dense layers that send plain spikes may have feedback.
    """
    torch.manual_seed(draw(SEEDS))
    shape, blocks = INPUT, {}
    for i in range(draw(st.integers(0, 2))):
        geometry, kernel = draw(geometries(*shape))
        conv = nn.Conv2d(shape[0], kernel[0], kernel[2:], bias=False, **geometry)
        block = filled(conv, draw(neurons(last=False, n=(kernel[0], 1, 1))), weight)
        shape = block.target_shape(shape)
        blocks[f"conv{i}"] = block
    for i in range(n := draw(st.integers(1, 2))):
        size = draw(st.integers(1, 6))
        dense = nn.Linear(int(np.prod(shape)), size, bias=False)
        lif = draw(neurons(last=i == n - 1, n=(size,)))
        looped = loops and lif.emits == "spikes" and draw(st.booleans())
        feedback = nn.Linear(size, size, bias=False) if looped else None
        blocks[f"dense{i}"] = filled(dense, lif, weight, feedback)
        shape = (size,)
    return Stack(blocks, INPUT).eval()


def filled(synapses, neurons, weight, feedback=None):
    with torch.no_grad():
        for module in (synapses, feedback) if feedback else (synapses,):
            module.weight.copy_(weight(*module.weight.shape))
        if neurons.bias is not None:
            neurons.bias.copy_(weight(*neurons.bias.shape))
    return Block(synapses, neurons, feedback=feedback)


@st.composite
def any_neurons(draw, *, last, n, decays=DYADIC, exact=True):
    """Every convention that a real network has."""
    return LIF(
        decay_u=draw(st.sampled_from(decays)),
        decay_v=draw(st.sampled_from((*decays, 1.0))),
        v_th=draw(st.sampled_from([0.5, 1.0, 2.0])) if exact else draw(st.floats(0.1, 2)),
        v_init=draw(st.sampled_from([0.0, 0.25, -0.5])),
        input_gain=draw(st.sampled_from([0.5, 1.0])),
        reset=draw(st.sampled_from(["zero", "subtract", "none"])),
        reset_late=draw(st.booleans()),
        fires=draw(st.sampled_from(["above", "reached"])),
        refractory=draw(st.sampled_from([0, 0, 1, 2])),
        emits=draw(st.sampled_from(["spikes", "graded", "nothing"] if last else ["spikes"])),
        bias_shape=draw(st.sampled_from([None, n])),
    )


@st.composite
def chip_neurons(draw, *, last, n, resets=("zero", "subtract", "none")):
    """Every convention that an integer core has."""
    reset = draw(st.sampled_from(resets))
    return LIF(
        decay_u=draw(st.floats(0, 0.99)),
        decay_v=draw(st.floats(0, 1)),
        v_th=draw(st.floats(0.1, 2)),
        input_gain=draw(st.sampled_from([0.5, 1.0])),
        reset=reset,
        reset_late=reset == "zero" and draw(st.booleans()),
        refractory=draw(st.sampled_from([0, 0, 1, 3])),
        emits=draw(st.sampled_from(["spikes", "nothing"])) if last else "spikes",
        bias_shape=draw(st.sampled_from([None, n])),
    )


def coarse(*shape):
    return torch.randint(-64, 97, shape) / 64


def fine(*shape):
    return 0.2 + 0.8 * torch.randn(*shape)


def events(steps, batch, seed, *, counts=False):
    """Frames (batch, steps, *shape), as whole numbers."""
    rng = np.random.default_rng(seed)
    return rng.binomial(3 if counts else 1, 0.4, (batch, steps, *INPUT)).astype(np.uint8)


def as_torch(frames, kind):
    return torch.from_numpy(frames).transpose(0, 1).to(kind)


def assert_same(trace, run):
    """Every spike of every layer, and every answer, to the last bit."""
    for name, spikes in trace.spikes.items():
        ours = spikes.flatten(2).transpose(0, 1).numpy()
        np.testing.assert_array_equal(run.aligned(name), ours, err_msg=name)
    np.testing.assert_array_equal(run.output, trace.output.numpy())


@given(stacks(any_neurons, weight=coarse, loops=True), SEEDS, st.integers(1, 5))
def test_torch_and_the_simulator_agree_where_floats_are_exact_ties_included(stack, seed, steps):
    stack, frames = stack.double(), events(steps, 2, seed, counts=True)
    with torch.no_grad():
        trace = stack.trace(as_torch(frames, torch.float64))
    run = hwsim.simulate(export(stack), frames, record=("spikes",))
    for name, spikes in trace.spikes.items():
        ours = spikes.flatten(2).transpose(0, 1).numpy()
        np.testing.assert_array_equal(run.aligned(name), ours, err_msg=name)
    if stack.blocks[name := list(stack.blocks)[-1]].neurons.emits != "graded":
        np.testing.assert_array_equal(run.output, trace.output.numpy(), err_msg=name)


def arbitrary_neurons(*, last, n):
    return any_neurons(last=last, n=n, decays=(0.0, 0.1, 0.37, 0.93), exact=False)


@given(stacks(arbitrary_neurons, weight=fine, loops=True), SEEDS, st.integers(1, 15))
def test_torch_and_the_simulator_agree_on_any_floats(stack, seed, steps):
    stack, frames = stack.double(), events(steps, 2, seed)
    with torch.no_grad():
        trace = stack.trace(as_torch(frames, torch.float64))
    run = hwsim.simulate(export(stack), frames, record=("spikes", "v"))
    for name, spikes in trace.spikes.items():
        ours, theirs = spikes.flatten(2).transpose(0, 1).numpy(), run.aligned(name)
        different = (ours != 0) != (theirs != 0)
        if different.any():  # a tie within rounding, and nothing after it counts
            assert tie(stack, name, run, different) < 1e-9
            return
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, err_msg=name)  # graded values
    if stack.blocks[list(stack.blocks)[-1]].neurons.emits != "graded":
        np.testing.assert_allclose(run.output, trace.output.numpy(), rtol=1e-9, atol=1e-9)


def tie(stack, name, run, different):
    """Distance to the threshold where a layer first differs (a reset takes the threshold off)."""
    sample, step, neuron = min(zip(*np.nonzero(different), strict=True), key=lambda at: at[1])
    v, v_th = run.v[name][sample, step, neuron], stack.blocks[name].neurons.v_th.item()
    return min(abs(v - v_th), abs(v))


def assert_chain(qstack, frames, chip):
    """torch's integers = the simulator's = the plan's, split over cores or not."""
    trace = qstack.trace(as_torch(frames, torch.float32))
    net = export(qstack)
    assert net.is_integer
    assert_same(trace, hwsim.simulate(net, frames, record=("spikes",)))
    plan = hwsim.compile(net, chip)
    assert_same(trace, hwsim.simulate(plan, frames, record=("spikes",)))
    return plan


@given(stacks(chip_neurons, weight=fine, loops=True), SEEDS, st.integers(1, 15),
       st.integers(1, 40))  # fmt: skip
def test_torchs_integers_are_the_chips_on_any_mapping(stack, seed, steps, neurons_per_core):
    chip = chip_with(neurons_per_core=neurons_per_core)
    frames = events(steps, 3, seed)
    qstack = quantised(stack, chip, frames)
    with torch.no_grad():
        for weight in qstack.parameters():  # fine-tuning moves the masters, not the scale
            weight.add_(0.1 * torch.randn_like(weight) * weight.abs().mean())
    assert_chain(qstack.eval(), frames, chip)


def loihi1_neurons(*, last, n):
    return chip_neurons(last=last, n=n, resets=("zero", "none"))


@given(stacks(loihi1_neurons, weight=fine), SEEDS)
def test_torchs_integers_are_those_of_loihi_1(stack, seed):
    chip, frames = hwsim.load_chip("loihi1"), events(10, 2, seed)
    assert_chain(quantised(stack, chip, frames).eval(), frames, chip)


def heavy(*shape):
    """Weights beyond the 8-bit word, mostly of one sign."""
    return torch.randint(-60, 301, shape).float()


@st.composite
def extreme_neurons(draw, *, last, n):
    """Currents that hardly decay, thresholds near the largest word."""
    return LIF(
        decay_u=draw(st.sampled_from([0.0, 0.99, 0.9997])),
        decay_v=draw(st.sampled_from([0.0, 0.9, 0.9999, 1.0])),
        v_th=draw(st.sampled_from([0.0, 1.0, 30000.0, 131071.0])),
        reset=draw(st.sampled_from(["zero", "subtract", "none"])),
        emits=draw(st.sampled_from(["spikes", "nothing"])) if last else "spikes",
        bias_shape=draw(st.sampled_from([None, n])),
    )


@given(stacks(extreme_neurons, weight=heavy, loops=True), SEEDS)
def test_the_chain_holds_where_words_overflow(stack, seed):
    frames, chip = np.maximum(events(40, 2, seed), events(40, 2, seed + 1)), chip_with()
    qstack = with_scales(stack, chip, dict.fromkeys(stack.blocks, 1.0)).eval()
    assert_chain(qstack, frames, chip)


@pytest.mark.parametrize("emits", ["spikes", "nothing"])
def test_a_current_that_wraps_and_a_potential_that_saturates_agree(emits):
    neurons = LIF(decay_u=0.9997, decay_v=1.0, v_th=131071.0, reset="none", emits=emits)
    dense = nn.Linear(int(np.prod(INPUT)), 3, bias=False)
    nn.init.constant_(dense.weight, 254.0)
    qstack = with_scales(Stack({"a": Block(dense, neurons)}, INPUT), chip_with(), {"a": 1.0})
    frames = np.ones((1, 40, *INPUT), dtype=np.uint8)
    assert_chain(qstack.eval(), frames, chip_with())
    run = hwsim.simulate(export(qstack), frames, record=("u", "v"))
    assert run.u["a"].min() < 0  # every weight and input is positive: it wrapped
    assert run.v["a"].max() == 2**23 - 1


def constant_layer(n_inputs, weight, neurons):
    """One neuron that hears every input with the same integer weight."""
    dense = nn.Linear(n_inputs, 1, bias=False)
    nn.init.constant_(dense.weight, weight)
    stack = Stack({"a": Block(dense, neurons)}, (n_inputs,))
    return with_scales(stack, chip_with(), {"a": 1.0}).eval()


@pytest.mark.parametrize(("sign", "v"), [(1, 2**23 - 1), (-1, 2**23 - 1)])
def test_the_ends_of_the_currents_word_are_the_chips(sign, v):
    """2^23 is held, -2^23 wraps to it: 1024 spikes of weight 128, 6 bits up."""
    readout = LIF(decay_v=1.0, emits="nothing")
    qstack, frames = constant_layer(1024, 128.0 * sign, readout), np.ones((1, 1, 1024), np.uint8)
    assert qstack(as_torch(frames, torch.float32)).item() == v
    assert_chain(qstack, frames, chip_with(synapse_bits_per_core=2**30))


@given(st.integers(1, 6), st.lists(st.integers(0, 6), min_size=1, max_size=12),
       st.sampled_from(["zero", "subtract", "none"]))  # fmt: skip
def test_a_potential_at_the_threshold_is_silent_everywhere(v_th, arriving, reset):
    """Every potential is a multiple of the threshold's unit, so ties are common."""
    qstack = constant_layer(6, 2.0, LIF(decay_v=1.0, v_th=2.0 * v_th, reset=reset))
    frames = (np.arange(6) < np.array(arriving)[:, None]).astype(np.uint8)[None]
    assert_chain(qstack, frames, chip_with())


@settings(max_examples=8)
@given(stacks(chip_neurons, weight=fine), SEEDS)
def test_counts_in_the_input_are_plain_spikes_to_the_chip(stack, seed):
    """A plain spike carries no number, in torch's integers as on the chip."""
    chip, frames = chip_with(), events(6, 2, seed, counts=True)
    assert_chain(quantised(stack, chip, frames).eval(), frames, chip)


@settings(max_examples=8)
@given(stacks(chip_neurons, weight=fine), SEEDS)
def test_saving_and_loading_changes_no_spike(stack, seed):
    from pathlib import Path
    from tempfile import TemporaryDirectory

    frames = events(5, 2, seed)
    net = export(quantised(stack, chip_with(), frames).eval())
    with TemporaryDirectory() as folder:
        hwsim.save_network(net, Path(folder) / "chip.h5")
        same = hwsim.load_network(Path(folder) / "chip.h5")
    assert same.digest == net.digest
    np.testing.assert_array_equal(
        hwsim.simulate(same, frames).output, hwsim.simulate(net, frames).output
    )
