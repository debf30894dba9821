"""Delays of a stack merged into classes, as `hwsim.quantize_delays` merges those of its network."""

import copy

import hwsim
from neuro.models.stack import Stack
from neuro.spiking.delay import Delay
from neuro.to_network import export


def with_delays(stack: Stack, *, max_delay: int | None = None, n_classes: int | None) -> Stack:
    """A copy of a stack whose delays are whole, within a range and of few values.

    Its network is `hwsim.quantize_delays` of the network of `stack`; the weights stay, so that
    training can go on from there with rounded delays.
    """
    net, _ = hwsim.quantize_delays(export(stack), max_delay=max_delay, n_classes=n_classes)
    out = copy.deepcopy(stack)
    set_delays(out, net)
    return out


def set_delays(stack: Stack, net: hwsim.Network) -> None:
    """Give a stack the delays of its network."""
    for name, block in stack.blocks.items():
        if isinstance(block.synapses, Delay):
            bumps = [p.delay for p in net.into(name) if p.source != name]  # not its feedback
            delays = block.synapses.delays()
            for m, delay in enumerate(bumps):
                delays[..., m] = delay
            block.synapses.set_delays(delays)
