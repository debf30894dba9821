"""Layers that hear themselves, from a recipe to a chip: spikes, integers, gradients, refusals.

Random stacks of them are in `test_exactness.py`.
"""

import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

import hwsim
from neuro.models.build import build_stack
from neuro.models.stack import Block, Stack
from neuro.recipe import NoiseSpec
from neuro.runs import run_for
from neuro.spiking import LIF, Delay
from neuro.to_network import export
from neuro.training.noise import noisy
from neuro.training.qat import quantised
from neuro.training.train import load_splits, load_stacks, train
from tests.neuro.test_delay_network import assert_same, frames_of, lived, traced
from tests.neuro.test_delay_recipe import CONV
from tests.neuro.tiny import TINY, tiny

SOURCES, HIDDEN, CLASSES = 9, 8, 3
CHIP = hwsim.load_chip("loihi2")
LOOP = """name = "loop1"
kind = "dense"
size = 12
recurrent = true
norm = true
dropout = 0.2
"""


def loop_block(synapses, rng, **neurons):
    feedback = nn.Linear(HIDDEN, HIDDEN, bias=False)
    with torch.no_grad():
        for module in (synapses, feedback):
            module.weight.copy_(torch.from_numpy(rng.normal(0.1, 0.6, module.weight.shape)))
    norm = None if neurons.get("decay_u") else lived(HIDDEN, rng)
    return Block(synapses, LIF(**neurons), norm=norm, feedback=feedback)


def stack_of(seed):
    """A dense layer with a current and one of delays with BatchNorm, both looped; a read-out."""
    rng = np.random.default_rng(seed)
    dense = nn.Linear(SOURCES, HIDDEN, bias=False)
    delay = Delay(HIDDEN, HIDDEN, n_taps=6, rng=rng)
    read = nn.Linear(HIDDEN, CLASSES, bias=False)
    nn.init.constant_(read.weight, 0.25)
    return Stack(
        {
            "dense": loop_block(dense, rng, decay_u=0.6, decay_v=0.8, input_gain=0.5),
            "delay": loop_block(delay, rng, decay_v=0.7, input_gain=0.75, refractory=1),
            "read": Block(read, LIF(decay_v=0.9, emits="nothing")),
        },
        (SOURCES,),
    ).eval()


@pytest.mark.parametrize("seed", range(4))
def test_batchnorm_is_folded_before_feedback_and_every_spike_stays(seed):
    stack, frames = stack_of(seed).double(), frames_of(np.random.default_rng(seed), 40)
    run = hwsim.simulate(export(stack), frames, record=("spikes",))
    for one in (stack, stack.folded()):
        trace = traced(one, frames, torch.float64)
        for name, spikes in trace.spikes.items():
            found = run.aligned(name)
            np.testing.assert_array_equal(found, spikes.transpose(0, 1).numpy(), err_msg=name)
            assert 0.02 < found.mean() < 0.9
        np.testing.assert_allclose(run.output, trace.output.numpy(), rtol=1e-9)


def test_feedback_changes_spikes():
    """Without it the tests above would hold too."""
    stack, frames = stack_of(0), frames_of(np.random.default_rng(0), 40)
    before = traced(stack, frames, torch.float32).spikes["dense"]
    nn.init.zeros_(stack.blocks["dense"].feedback.weight)
    assert not torch.equal(traced(stack, frames, torch.float32).spikes["dense"], before)


def test_the_chip_fires_torchs_integers():
    stack, frames = stack_of(1), frames_of(np.random.default_rng(1), 40)
    qstack = quantised(stack, CHIP, frames).eval()
    trace = traced(qstack, frames, torch.float32)
    net = export(qstack)
    assert [int(p.delay) for p in net.projections if p.source == p.target] == [1, 1]
    for runs in (net, hwsim.compile(net, CHIP)):
        assert_same(trace, hwsim.simulate(runs, frames, record=("spikes",)))


def test_training_in_integers_rounds_feedback_and_moves_it():
    """Where no word rounds, training on rounded values fires the chip's spikes."""
    rng = np.random.default_rng(2)
    dense, feedback = nn.Linear(SOURCES, HIDDEN, bias=False), nn.Linear(HIDDEN, HIDDEN, bias=False)
    with torch.no_grad():
        for module in (dense, feedback):
            module.weight.copy_(torch.from_numpy(rng.integers(-4, 7, module.weight.shape) / 8))
    block = Block(dense, LIF(decay_u=0.5, decay_v=0.5), feedback=feedback)
    frames = frames_of(rng, 6)  # so few steps that halving drops no bit
    qstack = quantised(Stack({"a": block}, (SOURCES,)), CHIP, frames)
    qblock = qstack.blocks["a"]
    qblock.scale = 16.0  # weights are even: an eighth is a step
    x = torch.from_numpy(frames).transpose(0, 1).float()
    spikes = qstack.train().trace(x).spikes["a"]
    assert spikes.any()
    assert torch.equal(spikes.to(torch.int64), qstack.eval().trace(x).spikes["a"])
    qstack.train()(x).sum().backward()
    assert (feedback.weight.grad != 0).any()
    with torch.no_grad():
        feedback.weight += 0.4 / 8  # less than half a step
    assert torch.equal(qstack.train().trace(x).spikes["a"], spikes)


def recurrent(**changes):
    return tiny(TINY.replace(CONV, LOOP), **changes)


def test_a_recipe_trains_a_loop_and_the_chip_has_it(tmp_path):
    run = run_for(recurrent(), tmp_path)
    train(run, Console(quiet=True))
    splits = load_splits(run, None)
    _, qstack = load_stacks(run, splits)
    net, frames = hwsim.load_network(run.chip_network), splits.test.frames[:4]
    (loop,) = [p for p in net.projections if p.source == p.target]
    assert (loop.source, int(loop.delay), loop.synapses.weight.shape) == ("loop1", 1, (12, 12))
    done = hwsim.simulate(hwsim.compile(net, CHIP), frames)
    trace = traced(qstack, (frames > 0).astype(np.uint8), torch.float32)
    np.testing.assert_array_equal(done.output, trace.output.numpy())


def test_recipes_without_loops_keep_the_names_of_their_runs():
    assert "recurrent" not in tiny().model_dump_json()
    assert '"recurrent":true' in recurrent().model_dump_json()


def test_what_has_no_feedback_is_refused():
    conv = tiny(TINY.replace("stride = 3", "stride = 3\nrecurrent = true"))
    with pytest.raises(ValueError, match="layer 'conv1': a convolution has no feedback"):
        build_stack(conv.model, (2, 6, 6), 3)
    last = tiny(TINY.replace('kind = "dense"', 'kind = "dense"\nrecurrent = true'))
    with pytest.raises(ValueError, match="layer 'readout': neurons that emit nothing"):
        build_stack(last.model, (2, 6, 6), 3)
    with pytest.raises(ValueError, match="feedback joins 4 neurons, the layer has 3"):
        Block(nn.Linear(2, 3, bias=False), LIF(), feedback=nn.Linear(4, 4, bias=False))
    with pytest.raises(ValueError, match="feedback is not trained with noise"):
        noisy(stack_of(0), NoiseSpec())


def test_noise_and_feedback_are_refused_before_training(tmp_path):
    run = run_for(recurrent(**{"[qat]": "[noise]\nepochs = 1\n[qat]"}), tmp_path)
    with pytest.raises(ValueError, match="feedback is not trained with noise"):
        train(run, Console(quiet=True))
    assert not (run.path / "float").exists()
