"""Long sequences by parts, and what a loss may ask of the spikes that come out."""

from collections.abc import Callable
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

State = TypeVar("State")


def checkpointed(
    run: Callable[[Tensor, State | None], tuple[Tensor, State]],
    x: Tensor,
    n_steps: int,
    state: State | None = None,
) -> tuple[Tensor, State]:
    """A sequence in chunks that are computed again in the backward pass; gradients are the whole's.

    What a chunk keeps inside is freed until its backward pass: of a stack of layers there remain
    its input and output, its states at the cuts, and one chunk's worth of everything. It costs one
    forward pass more.

    Args:
        run: `(chunk, state) -> (output, state)`, e.g. `LIF.stream`, or layers in a row.
        x: (time, batch, ...). n_steps: of a chunk. state: to start from.

    Raises:
        ValueError: for chunks of no step, or a sequence without any.
    """
    if n_steps < 1 or not len(x):
        raise ValueError(f"{len(x)} steps in chunks of {n_steps}: both must be 1 or more")
    out = []
    for chunk in x.split(n_steps):
        y, state = checkpoint(run, chunk, state, use_reentrant=False)
        out.append(y)
    assert state is not None
    return torch.cat(out), state


def rate_penalty(spikes: Tensor, *, lower: float = 0.0, upper: float = 1.0) -> Tensor:
    """Mean over neurons of the square by which their rate leaves `lower` to `upper`.

    A neuron's rate is its mean over time and batch, in spikes a step; `lower = upper` asks for
    that very rate.

    Args:
        spikes: (time, batch, *neurons).

    Raises:
        ValueError: if the bounds cross, for spikes in integers, and for none.
    """
    if lower > upper:
        raise ValueError(f"`lower <= upper` must hold, got {lower:g} and {upper:g}")
    if not spikes.is_floating_point():
        raise ValueError(f"spikes are {spikes.dtype}, rates are fractions: give `spikes.float()`")
    if not spikes.numel():
        raise ValueError(f"spikes of shape {tuple(spikes.shape)} have no rate: none may be 0")
    rate = spikes.mean((0, 1))
    return ((lower - rate).clamp(min=0) ** 2 + (rate - upper).clamp(min=0) ** 2).mean()
