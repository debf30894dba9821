"""Surrogate gradients: a step forward, a smooth bump backward.

Every one takes `x = v - v_th` and returns 1 where `x > 0`. Those that snnTorch has are snnTorch's;
the others follow the papers named beside them.
"""

from collections.abc import Callable
from typing import Any

import snntorch.surrogate as snntorch_surrogate
import torch
from torch import Tensor

Spike = Callable[[Tensor], Tensor]


class _Box(torch.autograd.Function):
    """Gradient height where |x| < half_width, else 0 [Lin2025; Wu2018]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, half_width: float, height: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.shape = (half_width, height)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        half_width, height = ctx.shape
        return grads[0] * height * (x.abs() < half_width).to(x.dtype), None, None


class _Triangle(torch.autograd.Function):
    """Gradient height max(0, 1 - |x| / half_width) [Chowdhury2021; Bellec2018]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, half_width: float, height: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.shape = (half_width, height)
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        half_width, height = ctx.shape
        return grads[0] * height * (1 - x.abs() / half_width).clamp(min=0), None, None


class _Sigmoid(torch.autograd.Function):
    """Gradient of a sigmoid; snnTorch's is NaN where exp(-slope x) overflows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: float) -> Tensor:
        ctx.save_for_backward(x)
        ctx.slope = slope
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        y = torch.sigmoid(ctx.slope * x)
        return grads[0] * ctx.slope * y * (1 - y), None


def _in_kind(spike: Spike) -> Spike:
    """The same, in the dtype of x: snnTorch's spikes are float32 always."""
    return lambda x: spike(x).to(x.dtype)


def atan(alpha: float = 2.0) -> Spike:
    """Gradient (alpha / 2) / (1 + (pi alpha x / 2)^2), snnTorch's."""
    return _in_kind(snntorch_surrogate.atan(alpha=alpha))


def fast_sigmoid(slope: float = 25.0) -> Spike:
    """Gradient 1 / (1 + slope |x|)^2, snnTorch's."""
    return _in_kind(snntorch_surrogate.fast_sigmoid(slope=slope))


def sigmoid(slope: float = 4.0) -> Spike:
    """Gradient slope sigma(slope x) (1 - sigma(slope x))."""
    return lambda x: _Sigmoid.apply(x, slope)


def box(half_width: float = 0.5, height: float = 1.0) -> Spike:
    """Gradient height within `half_width` of the threshold."""
    return lambda x: _Box.apply(x, half_width, height)


def triangle(half_width: float = 1.0, height: float = 0.3) -> Spike:
    """Gradient height max(0, 1 - |x| / half_width)."""
    return lambda x: _Triangle.apply(x, half_width, height)


SURROGATES: dict[str, Callable[..., Spike]] = {
    "atan": atan,
    "fast_sigmoid": fast_sigmoid,
    "sigmoid": sigmoid,
    "box": box,
    "triangle": triangle,
}


def surrogate(name: str, **shape: float) -> Spike:
    """A surrogate by name, e.g. `surrogate("atan", alpha=5.0)`.

    Raises:
        ValueError: for an unknown name or parameter.
    """
    if name not in SURROGATES:
        raise ValueError(f"unknown surrogate {name!r}: there are {', '.join(SURROGATES)}")
    try:
        return SURROGATES[name](**shape)
    except TypeError as error:
        raise ValueError(f"surrogate {name!r}: {error}") from error
