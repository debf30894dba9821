"""Delays that were learned, as a network: torch's spikes are the simulator's and the chip's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import hwsim
from neuro.models.stack import Block, Stack
from neuro.recipe import NoiseSpec
from neuro.spiking import LIF, Delay
from neuro.to_network import export
from neuro.training.noise import NoiseBlock
from neuro.training.qat import quantised
from tests.strategies import chip_with

SEEDS = st.integers(0, 2**31)
SOURCES, HIDDEN, CLASSES = 9, 8, 3


def stack_of(rng, *, n_taps=25, bumps=1, pad=0, norm=False, dyadic=False):
    """Two layers of delays and a read-out with delays."""
    sizes = [(SOURCES, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, CLASSES)]
    blocks = {}
    for n, (i, o) in enumerate(sizes):
        synapses = Delay(i, o, n_taps=n_taps, bumps=bumps, right_pad=0 if n else pad, rng=rng)
        if dyadic:
            drawn = rng.integers(-64, 97, synapses.weight.shape) / 64
            synapses.weight.data = torch.from_numpy(drawn.astype(np.float32))
        last = n == len(sizes) - 1
        neurons = LIF(decay_v=0.5, v_th=1.0, emits="nothing" if last else "spikes")
        blocks[f"layer{n}"] = Block(synapses, neurons, norm=lived(o, rng) if norm else None)
    return Stack(blocks, (SOURCES,)).eval()


def lived(n, rng):
    """A BatchNorm with statistics, gain and shift of its own."""
    norm = nn.BatchNorm1d(n)
    for tensor, low, high in (
        (norm.running_mean, -0.2, 0.2), (norm.running_var, 0.5, 1.5),
        (norm.weight.data, 0.5, 1.5), (norm.bias.data, -0.1, 0.3),
    ):  # fmt: skip
        tensor.copy_(torch.from_numpy(rng.uniform(low, high, n)))
    return norm


def frames_of(rng, steps, batch=3):
    return (rng.random((batch, steps, SOURCES)) < 0.3).astype(np.uint8)


def traced(stack, frames, kind):
    with torch.no_grad():
        return stack.trace(torch.from_numpy(frames).transpose(0, 1).to(kind))


def assert_same(trace, run):
    for name, spikes in trace.spikes.items():
        ours = spikes.flatten(2).transpose(0, 1).numpy()
        np.testing.assert_array_equal(run.aligned(name), ours, err_msg=name)
        assert ours.any(), name
    np.testing.assert_array_equal(run.output, trace.output.numpy())


@settings(max_examples=10)
@given(st.sampled_from([1, 2, 8, 25, 62]), st.integers(1, 2), SEEDS)
def test_torch_and_the_simulator_agree_on_every_spike(n_taps, bumps, seed):
    """Weights in 64ths and halving: every float is exact, ties included."""
    rng = np.random.default_rng(seed)
    stack = stack_of(rng, n_taps=n_taps, bumps=bumps, dyadic=True)
    frames = np.pad(frames_of(rng, 8), ((0, 0), (0, 2 * n_taps), (0, 0)))[:, :40]
    frames = np.maximum(frames, frames_of(rng, frames.shape[1]))
    run = hwsim.simulate(export(stack), frames, record=("spikes",))
    trace = traced(stack.double(), frames, torch.float64)
    for name, spikes in trace.spikes.items():
        np.testing.assert_array_equal(run.aligned(name), spikes.transpose(0, 1).numpy())


def test_batchnorm_behind_delays_is_folded_and_the_spikes_stay():
    rng = np.random.default_rng(1)
    stack = stack_of(rng, norm=True).double()
    frames = frames_of(rng, 60)
    run = hwsim.simulate(export(stack), frames, record=("spikes",))
    trace = traced(stack, frames, torch.float64)
    for name, spikes in trace.spikes.items():
        ours = spikes.transpose(0, 1).numpy()
        assert ours.any()
        np.testing.assert_array_equal(run.aligned(name), ours)
    np.testing.assert_allclose(run.output, trace.output.numpy(), rtol=1e-9, atol=1e-9)


@settings(max_examples=8)
@given(st.sampled_from([1, 8, 25, 62]), st.integers(1, 2), SEEDS, st.integers(3, 40))
def test_torchs_integers_with_delays_are_the_chips_on_any_mapping(n_taps, bumps, seed, per_core):
    rng = np.random.default_rng(seed)
    frames, chip = frames_of(rng, 40), chip_with(neurons_per_core=per_core)
    qstack = quantised(stack_of(rng, n_taps=n_taps, bumps=bumps), chip, frames)
    trace = traced(qstack.eval(), frames, torch.float32)
    net = export(qstack)
    assert net.is_integer
    for runs in (net, hwsim.compile(net, chip)):
        run = hwsim.simulate(runs, frames, record=("spikes",))
        for name, spikes in trace.spikes.items():
            np.testing.assert_array_equal(run.aligned(name), spikes.transpose(0, 1).numpy())
        np.testing.assert_array_equal(run.output, trace.output.numpy())


def test_quantised_and_compiled_delays_are_those_that_were_rounded():
    rng = np.random.default_rng(4)
    stack, frames = stack_of(rng), frames_of(rng, 60)
    chip = hwsim.load_chip("loihi2")
    qnet, _ = hwsim.quantize(export(stack), chip, frames)
    for name, block in stack.blocks.items():
        (projection,) = qnet.into(name)
        np.testing.assert_array_equal(projection.delay, block.synapses.delays()[..., 0])
    run = hwsim.simulate(hwsim.compile(qnet, chip), frames, record=("spikes",))
    plain = hwsim.simulate(qnet, frames, record=("spikes",))
    assert run.spikes["layer1"].any()
    for name in ("layer0", "layer1"):
        np.testing.assert_array_equal(run.aligned(name), plain.aligned(name))


def test_a_chip_refuses_delays_that_it_has_not():
    rng = np.random.default_rng(5)
    stack, frames = stack_of(rng, n_taps=80), frames_of(rng, 20)
    qnet, _ = hwsim.quantize(export(stack), chip_with(), frames)
    with pytest.raises(hwsim.DoesNotFit, match="max_delay"):
        hwsim.compile(qnet, chip_with())


def test_training_in_integers_moves_weights_and_leaves_delays():
    rng = np.random.default_rng(6)
    frames = frames_of(rng, 60)
    qstack = quantised(stack_of(rng, dyadic=True), chip_with(), frames).train()
    qstack(torch.from_numpy(frames).transpose(0, 1).float()).sum().backward()
    for block in qstack.blocks.values():
        assert block.synapses.weight.grad.abs().sum() > 0
        assert block.synapses.position.grad is None


def test_a_first_layer_may_run_longer_as_a_padded_input_does():
    rng = np.random.default_rng(7)
    stack, frames = stack_of(rng, pad=12, dyadic=True), frames_of(rng, 40)
    padded = np.pad(frames, ((0, 0), (0, 12), (0, 0)))
    run = hwsim.simulate(export(stack), padded, record=("spikes",))
    assert_same(traced(stack.double(), frames, torch.float64), run)


def test_a_later_layer_that_runs_longer_is_refused():
    stack = stack_of(np.random.default_rng(0))
    stack.blocks["layer1"].synapses.right_pad = 12
    with pytest.raises(ValueError, match=r"'layer1' runs 12 steps longer .* pad the input"):
        export(stack)


def test_resistive_cells_have_no_delays():
    block = Block(Delay(3, 2, n_taps=5), LIF())
    with pytest.raises(ValueError, match="an array of cells has no delays"):
        NoiseBlock(block, NoiseSpec())
