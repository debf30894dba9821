"""What learns on the counts of a frozen reservoir: a linear probe, and a projection per modality.

Counts are whole numbers of spikes, (samples, neurons), some units to tens each; heads take them as
they are, as the paper does [Lin2025], unless they are given `Standardised` ones to learn on.
"""

import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Activation = Literal["gelu", "relu", "tanh"]
Scale = Literal["raw", "standard"]

ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
}


class Standardised(nn.Module):
    """Counts less their mean, over their standard deviation, by neuron.

    Both are those of the counts it is made from, (samples, neurons); a neuron that always counts
    the same there is not divided. They are buffers: no step changes them, a checkpoint has them.
    """

    mean: Tensor
    sd: Tensor

    def __init__(self, counts: Tensor) -> None:
        super().__init__()
        sd = counts.std(0, correction=0)
        self.register_buffer("mean", counts.mean(0))
        self.register_buffer("sd", torch.where(sd > 0, sd, torch.ones_like(sd)))

    def forward(self, counts: Tensor) -> Tensor:
        """The scaled counts, (samples, neurons)."""
        return (counts - self.mean) / self.sd


def scaled(counts: Tensor, how: Scale) -> nn.Module:
    """What a head does to its counts first: nothing ("raw"), or what `Standardised` says.

    Args:
        counts: of the training samples, (samples, neurons).
    """
    return Standardised(counts) if how == "standard" else nn.Identity()


class LinearProbe(nn.Module):
    """Logits of classes, linear in the counts: (samples, features) -> (samples, classes)."""

    def __init__(self, n_features: int, n_classes: int, *, inputs: nn.Module | None = None) -> None:
        super().__init__()
        self.inputs = inputs or nn.Identity()
        self.linear = nn.Linear(n_features, n_classes)

    def forward(self, counts: Tensor) -> Tensor:
        """Logits, (samples, classes)."""
        return self.linear(self.inputs(counts))


class Projections(nn.Module):
    """Counts of two modalities, a and b, into one space, where a pair's dot product is large.

    Args:
        n_a: features of a. n_b: features of b. n_out: dimensions of the space.
        depth: fully connected layers of each side: 1, the paper's, 2 or 3.
        hidden: neurons between them; `n_out` if not given.
        activation: between them; none after the last.
        normalise: whether embeddings are divided by their length.
        temperature: dot products are divided by it.
        learn_temperature: whether it is trained, as the logarithm of its inverse [Radford2021];
            unlike there it is not held below 100.
        inputs_a: what is done to counts of a first, see `scaled`. inputs_b: the same of b.

    Raises:
        ValueError: for another depth, or a temperature that is not positive.
    """

    log_scale: Tensor

    def __init__(
        self,
        n_a: int,
        n_b: int,
        n_out: int = 64,
        *,
        depth: int = 1,
        hidden: int | None = None,
        activation: Activation = "gelu",
        normalise: bool = False,
        temperature: float = 1.0,
        learn_temperature: bool = False,
        inputs_a: nn.Module | None = None,
        inputs_b: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if not 1 <= depth <= 3:
            raise ValueError(f"`depth` is {depth}: a projection has 1 to 3 layers")
        if not (temperature > 0 and math.isfinite(temperature)):
            raise ValueError(f"`temperature` is {temperature:g}: give a number above 0")
        self.normalise = normalise
        self.a, self.b = (
            nn.Sequential(
                inputs or nn.Identity(),
                *_layers(n, n_out, depth, n_out if hidden is None else hidden, activation),
            )
            for n, inputs in ((n_a, inputs_a), (n_b, inputs_b))
        )
        log_scale = torch.tensor(-math.log(temperature))
        if learn_temperature:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    @property
    def temperature(self) -> float:
        """What dot products are divided by."""
        return math.exp(-float(self.log_scale.detach()))

    def embed_a(self, counts: Tensor) -> Tensor:
        """Embeddings of modality a: (samples, n_a) -> (samples, n_out)."""
        return self._length_one(self.a(counts))

    def embed_b(self, counts: Tensor) -> Tensor:
        """Embeddings of modality b: (samples, n_b) -> (samples, n_out)."""
        return self._length_one(self.b(counts))

    def forward(self, counts_a: Tensor, counts_b: Tensor) -> Tensor:
        """`A Bᵀ / temperature` of the embeddings: (samples of a, samples of b)."""
        return self.embed_a(counts_a) @ self.embed_b(counts_b).T * self.log_scale.exp()

    def _length_one(self, embedding: Tensor) -> Tensor:
        return F.normalize(embedding, dim=1) if self.normalise else embedding


def _layers(
    n_in: int, n_out: int, depth: int, hidden: int, activation: Activation
) -> list[nn.Module]:
    sizes = [n_in, *[hidden] * (depth - 1), n_out]
    layers: list[nn.Module] = []
    for i in range(depth):
        if i:
            layers.append(ACTIVATIONS[activation]())
        layers.append(nn.Linear(sizes[i], sizes[i + 1]))
    return layers
