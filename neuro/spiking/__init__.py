"""The vocabulary of spiking layers: surrogate gradients and the leaky integrate-and-fire family."""

from neuro.spiking.delay import Delay
from neuro.spiking.lif import LIF
from neuro.spiking.loop import LIFState
from neuro.spiking.recurrent import RecurrentLIF, RecurrentState
from neuro.spiking.sequences import checkpointed, rate_penalty
from neuro.spiking.snntorch_fused import fuse
from neuro.spiking.surrogate import SURROGATES, Bump, Spike, surrogate

__all__ = [
    "LIF",
    "SURROGATES",
    "Bump",
    "Delay",
    "LIFState",
    "RecurrentLIF",
    "RecurrentState",
    "Spike",
    "checkpointed",
    "fuse",
    "rate_penalty",
    "surrogate",
]
