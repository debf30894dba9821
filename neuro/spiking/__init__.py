"""The vocabulary of spiking layers: surrogate gradients and the leaky integrate-and-fire family."""

from neuro.spiking.delay import Delay
from neuro.spiking.lif import LIF
from neuro.spiking.surrogate import SURROGATES, Spike, surrogate

__all__ = ["LIF", "SURROGATES", "Delay", "Spike", "surrogate"]
