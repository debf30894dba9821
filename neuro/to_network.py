"""From a torch model to `hwsim.Network`: plain arrays, no torch behind them."""

import numpy as np
from torch import nn

from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.synapses import Conv2d, Dense, Synapses
from neuro.models.stack import Block, Stack
from neuro.spiking.delay import Delay
from neuro.training.noise import NoiseBlock

INPUT = "input"


def export(stack: Stack, *, dt_s: float = 1e-3) -> Network:
    """The network of a trained stack: real, or in a chip's integers if its blocks are quantised.

    BatchNorm is folded, weights trained with noise are clipped, an input gain enters the weights,
    learned delays are rounded, feedback takes one step. A first layer's `right_pad` is for the
    input: give the simulator as many more steps without spikes.

    Args:
        dt_s: duration of a time step in seconds.

    Raises:
        ValueError: if a later layer of delays runs longer than the one before it, or the answer is
            made of every step's potentials.
    """
    stack.check_score()
    if all(isinstance(block, Block | NoiseBlock) for block in stack.blocks.values()):
        stack = stack.folded()
    populations = [Population(INPUT, tuple(stack.input_shape))]
    projections: list[Projection] = []
    for n, (name, block, shape) in enumerate(stack.shapes()):
        source = populations[-1].name
        if isinstance(block, Block):
            populations.append(Population(name, shape, block.neurons.neuron(shape)))
            word = None
        else:
            populations.append(Population(name, shape, block.fixed()))
            word = block.word
        weight = block.weights_of(block.synapses)
        if isinstance(block.synapses, Delay):
            if n and block.synapses.right_pad:
                raise ValueError(
                    f"layer {name!r} runs {block.synapses.right_pad} steps longer than the one "
                    "before it, a chip runs all layers equally long: set its `right_pad` to 0 and "
                    "pad the input"
                )
            projections += _delayed(source, name, block.synapses, weight, word)
        else:
            projections.append(
                Projection.of(source, name, _synapses(block.synapses, weight), word=word)
            )
        if block.feedback is not None:
            back = Dense.of(block.weights_of(block.feedback))
            projections.append(Projection.of(name, name, back, delay=1, word=word))
    return Network(tuple(populations), tuple(projections), dt_s)


def _delayed(
    source: str, name: str, synapses: Delay, weight: np.ndarray, word: WeightWord | None
) -> list[Projection]:
    """A projection for every bump, with a whole delay per synapse."""
    delays = synapses.delays()
    return [
        Projection.of(source, name, Dense.of(weight[..., m]), delay=delays[..., m], word=word)
        for m in range(synapses.bumps)
    ]


def _synapses(module: nn.Module, weight: np.ndarray) -> Synapses:
    if isinstance(module, nn.Linear):
        return Dense.of(weight)
    if isinstance(module, nn.Conv2d):
        return Conv2d.of(
            weight,
            stride=_pair(module.stride),
            padding=_pair(module.padding),
            dilation=_pair(module.dilation),
            groups=module.groups,
        )
    raise ValueError(f"{type(module).__name__} synapses have no place in a Network yet")


def _pair(value: object) -> tuple[int, int]:
    if isinstance(value, str):
        raise ValueError(f"padding {value!r}: give it as numbers")
    if not isinstance(value, tuple) or len(value) != 2:
        raise ValueError(f"{value!r}: give one number per axis")
    return int(value[0]), int(value[1])
