"""Dropout of whole neurons."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class NeuronDropout(nn.Module):
    """Silences a neuron in all steps of a sample or in none, over (time, batch, *neurons).

    As `nn.Dropout`, which draws every spike anew, it scales what is left by 1 / (1 - p).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes of the neurons that are left; in evaluation all."""
        if not self.training:
            return spikes
        return spikes * F.dropout(torch.ones_like(spikes[:1]), self.p)
