"""Trained recurrent networks of a reservoir's sizes: what it is compared with [Lin2025].

All take frames (time, batch, *inputs) and answer logits (batch, classes). The spiking ones have the
reservoir's cell, and start from a reservoir: a network whose weights and threshold are multiplied
by one factor has the same spikes, so `at_threshold` gives the reservoir's own firing rate, neither
silent nor saturated, at any threshold. They are trained by surrogate gradients through time: in
the recurrent layer a triangle as wide as the threshold and 0.3 high [Bellec2018], low enough for
gradients not to grow over a hundred steps.
"""

from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from hwsim.network import Shape
from hwsim.synapses import size_of
from neuro.models.lsm import Reservoir, neurons_of, reservoir_block, set_weights
from neuro.models.stack import Block, Stack
from neuro.spiking import LIF, surrogate

Head = Literal["ann", "snn"]
RECURRENT = "recurrent"
READOUT = "readout"
READOUT_DECAY = 0.9  # [Lin2025]


def at_threshold(reservoir: Reservoir, v_th: float) -> Reservoir:
    """The reservoir with the same spikes, but for rounding, at another threshold."""
    return replace(reservoir.scaled(v_th / reservoir.v_th), v_th=v_th, pairs=None)


def recurrent_block(start: Reservoir) -> Block:
    """A reservoir whose weights are trained, in float32."""
    neurons = neurons_of(start)
    neurons.spike = surrogate("triangle", half_width=start.v_th, height=0.3)
    block = reservoir_block(start.n_inputs, start.n_neurons, neurons)
    set_weights(block, start)
    return block.requires_grad_(True)


class SRNN(nn.Module):
    """A trained spiking recurrent layer, read by a head; the head is drawn from torch's generator.

    Args:
        start: weights before training, and neurons. input_shape: of a step.
        head: "ann" is linear in the counts of spikes. "snn" is a layer of leaky neurons, of the
            same threshold and kind, decay 0.9, that answers its own counts; its weights start with
            the spread of the recurrent ones.
    """

    def __init__(
        self, start: Reservoir, input_shape: Shape, n_classes: int, head: Head = "ann"
    ) -> None:
        super().__init__()
        blocks: dict[str, nn.Module] = {RECURRENT: recurrent_block(start)}
        if head == "snn":
            blocks[READOUT] = _readout(start, n_classes)
        self.stack = Stack(blocks, input_shape)
        self.head = nn.Linear(start.n_neurons, n_classes) if head == "ann" else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) for frames (time, batch, *inputs)."""
        return self.head(self.stack(x))

    def spikes(self, x: Tensor) -> Tensor:
        """Spikes of the recurrent layer, (time, batch, neurons)."""
        return self.stack.trace(x).spikes[RECURRENT]


def _readout(start: Reservoir, n_classes: int) -> Block:
    synapses = nn.Linear(start.n_neurons, n_classes, bias=False)
    nn.init.normal_(synapses.weight, std=float(start.w_rec.std()))
    neurons = LIF(decay_v=READOUT_DECAY, v_th=start.v_th, reset="zero", reset_late=True)
    return Block(synapses, neurons)


class RNN(nn.Module):
    """A plain recurrent layer, tanh, and logits linear in its mean over all steps.

    The mean, not the last state: recordings end in silence, which the last state has heard most of.
    """

    def __init__(self, input_shape: Shape, n_neurons: int, n_classes: int) -> None:
        super().__init__()
        self.recurrent = nn.RNN(size_of(input_shape), n_neurons)
        self.head = nn.Linear(n_neurons, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (batch, classes) for frames (time, batch, *inputs)."""
        states: Tensor = self.recurrent(x.flatten(2))[0]
        return self.head(states.mean(0))


def steps_first(frames: Tensor) -> Tensor:
    """Frames (batch, time, *inputs) as networks take them: float32, time first."""
    return frames.transpose(0, 1).float()
