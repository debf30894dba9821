"""Surrogate gradients: a step forward, a smooth bump backward.

Every one takes `x = v - v_th` and returns 1 where `x > 0`. Those that snnTorch has, have its
gradients; the others follow the papers named beside them.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Spike = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Bump:
    """A surrogate of this module, which the kernels have too.

    Attributes:
        name: in `SURROGATES`. shape: its alpha, slope or half width. height: of a box or triangle.
    """

    name: str
    shape: float
    height: float = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        """1 where x > 0."""
        return _Step.apply(x, self)

    def gradient(self, x: Tensor) -> Tensor:
        """The bump at x."""
        return GRADIENTS[self.name](x, self)


class _Step(torch.autograd.Function):
    """1 where x > 0, with the gradient of a bump, in the dtype of x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bump: Bump) -> Tensor:
        ctx.save_for_backward(x)
        ctx.bump = bump
        return (x > 0).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grads[0] * ctx.bump.gradient(x), None


def _sigmoid(x: Tensor, bump: Bump) -> Tensor:
    y = torch.sigmoid(bump.shape * x)  # finite far away, where snnTorch's is NaN
    return bump.shape * y * (1 - y)


GRADIENTS: dict[str, Callable[[Tensor, Bump], Tensor]] = {
    "atan": lambda x, b: b.shape / 2 / (1 + (math.pi / 2 * b.shape * x) ** 2),
    "fast_sigmoid": lambda x, b: 1 / (1 + b.shape * x.abs()) ** 2,
    "sigmoid": _sigmoid,
    "box": lambda x, b: b.height * (x.abs() < b.shape).to(x.dtype),
    "triangle": lambda x, b: b.height * (1 - x.abs() / b.shape).clamp(min=0),
}


def atan(alpha: float = 2.0) -> Bump:
    """Gradient (alpha / 2) / (1 + (pi alpha x / 2)^2), snnTorch's."""
    return Bump("atan", alpha)


def fast_sigmoid(slope: float = 25.0) -> Bump:
    """Gradient 1 / (1 + slope |x|)^2, snnTorch's."""
    return Bump("fast_sigmoid", slope)


def sigmoid(slope: float = 4.0) -> Bump:
    """Gradient slope sigma(slope x) (1 - sigma(slope x))."""
    return Bump("sigmoid", slope)


def box(half_width: float = 0.5, height: float = 1.0) -> Bump:
    """Gradient height where |x| < half_width, else 0 [Lin2025; Wu2018]."""
    return Bump("box", half_width, height)


def triangle(half_width: float = 1.0, height: float = 0.3) -> Bump:
    """Gradient height max(0, 1 - |x| / half_width) [Chowdhury2021; Bellec2018]."""
    return Bump("triangle", half_width, height)


SURROGATES: dict[str, Callable[..., Bump]] = {
    "atan": atan,
    "fast_sigmoid": fast_sigmoid,
    "sigmoid": sigmoid,
    "box": box,
    "triangle": triangle,
}


def surrogate(name: str, **shape: float) -> Bump:
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
