"""Synapses with a weight and a learnable delay each (DCLS) [Hammouamri2024].

The kernel of a synapse over `n_taps` steps is a bump around a real position P, scaled by a weight:

    x_k   = k - (P + n_taps // 2),  k = 0 .. n_taps - 1
    G_k   = exp(-x_k^2 / (2 s^2)),  s = |sigma| + 0.27     "gauss"
    G_k   = max(0, s - |x_k|),      s = |sigma| + 1        "triangle"
    Ker_k = w G_k / (sum_k G_k + 1e-7)
    y[t]  = sum over sources and k of Ker_k x[t - (n_taps - 1 - k)]

so the delay is `n_taps - 1 - n_taps // 2 - P` steps: the largest position is no delay. The package
DCLS names a triangle "max", and "v1" one of sigma 0. In evaluation every position is rounded, and
its bump is the weight at one whole delay.
"""

import math
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.arrays import IntArray
from neuro.spiking.delayed import (
    Way,
    cheapest_way,
    delayed_sum,
    dense_delayed_sum,
    spectral_delayed_sum,
)

Bump = Literal["gauss", "triangle"]
WIDTH_MIN = {"gauss": 0.27, "triangle": 1.0}  # steps, of a bump of sigma 0 (DCLS 0.1.1)
ENOUGH = {"gauss": 5.5, "triangle": 1.0}  # widths s beyond which a bump is left out (3e-7 of it)
NORM_MIN = 1e-7  # added to the sum of a bump (DCLS 0.1.1)
SIGMA_END = 0.23  # steps: where the paper's schedule ends


class Delay(nn.Module):
    """Synapses from all to all, each with a weight and a delay, over (time, batch, *neurons).

    In float32 on the CPU the sums take the cheapest of three ways; elsewhere, as on a GPU, they
    are a convolution of plain torch.

    Args:
        in_features, out_features: numbers of neurons.
        n_taps: steps that a kernel spans; delays are 0 to n_taps - 1.
        bumps: weights and positions of every pair of neurons; they add up.
        bump: "gauss" or "triangle".
        sigma: width at the start, n_taps // 2 without; `anneal` narrows it.
        learn_sigma: whether every bump's width is trained too.
        right_pad: steps by which the sequence grows, so that late spikes count; the paper takes
            (n_taps - 1) // 2. A chip runs all layers equally long: there, pad the input.
        round_in_eval: whether evaluation takes whole delays. Without, it takes the bumps.
        rng: draws the weights (Kaiming uniform for relu) and positions (uniform); without, torch's
            seed decides, as it does for every other layer.

    Raises:
        ValueError: naming a size below 1, a width below 0, or a bump that there is not.
    """

    sigma: Tensor

    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        n_taps: int,
        bumps: int = 1,
        bump: Bump = "gauss",
        sigma: float | None = None,
        learn_sigma: bool = False,
        right_pad: int = 0,
        round_in_eval: bool = True,
        rng: np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = {"in_features": in_features, "out_features": out_features, "n_taps": n_taps,
                 "bumps": bumps}  # fmt: skip
        for name, size in sizes.items():
            if not isinstance(size, int) or size < 1:
                raise ValueError(f"`{name}` is {size}, must be a whole number from 1")
        if bump not in get_args(Bump):
            raise ValueError(f"bump {bump!r} must be one of {', '.join(get_args(Bump))}")
        width = float(n_taps // 2) if sigma is None else float(sigma)
        if not (math.isfinite(width) and width >= 0):
            raise ValueError(f"`sigma` is {width}, must be a number of steps, 0 or more")
        if right_pad < 0:
            raise ValueError(f"`right_pad` is {right_pad}, must be 0 steps or more")
        self.in_features, self.out_features, self.bumps = in_features, out_features, bumps
        self.n_taps, self.right_pad, self.round_in_eval = n_taps, right_pad, round_in_eval
        self.bump: Bump = bump
        shape = (out_features, in_features, bumps)
        self.weight = nn.Parameter(torch.empty(shape))
        self.position = nn.Parameter(torch.empty(shape))
        self.register_parameter("bias", None)
        if learn_sigma:
            self.sigma = nn.Parameter(torch.full(shape, width))
        else:
            self.register_buffer("sigma", torch.tensor(width))
        self.sigma_start = width
        self.draw(rng or np.random.default_rng(int(torch.randint(2**62, ()))))

    @torch.no_grad()
    def draw(self, rng: np.random.Generator) -> None:
        """Fresh weights and positions."""
        bound = math.sqrt(6 / (self.in_features * self.bumps))
        low, high = self.limits
        self.weight.copy_(torch.from_numpy(rng.uniform(-bound, bound, self.weight.shape)))
        self.position.copy_(torch.from_numpy(rng.uniform(low, high, self.position.shape)))

    @property
    def limits(self) -> tuple[float, float]:
        """The positions of the longest delay and of none."""
        half = self.n_taps // 2
        return float(-half), float(self.n_taps - 1 - half)

    @torch.no_grad()
    def clamp(self) -> None:
        """Bring positions back within their limits: after every step of training."""
        self.position.clamp_(*self.limits)

    @torch.no_grad()
    def anneal(self, epoch: int, epochs: int) -> None:
        """Set the width for an epoch of training: from its start to 0.23 within a quarter of it.

        `sigma = sigma_0 (0.23 / sigma_0)^(epoch / E)`, `E = epochs // 4`, never below 0.23.

        Raises:
            ValueError: if widths are trained.
        """
        if isinstance(self.sigma, nn.Parameter):
            raise ValueError("widths are trained here: `learn_sigma=False` for a schedule")
        last = max(epochs // 4, 1)
        end = min(SIGMA_END, self.sigma_start)
        share = min(epoch / last, 1.0)
        start = max(self.sigma_start, 1e-30)
        self.sigma.fill_(max(start * (end / start) ** share, end))

    def delays(self) -> IntArray:
        """Whole delays in steps, (out, in, bumps): what evaluation and a chip take."""
        rounded = torch.round(self.position.detach()).clamp(*self.limits)
        delays = self.n_taps - 1 - self.n_taps // 2 - rounded
        return delays.to(torch.int64).cpu().numpy()

    @torch.no_grad()
    def set_delays(self, delays: IntArray) -> None:
        """Put every position at a whole delay, (out, in, bumps), 0 to n_taps - 1 steps."""
        position = self.n_taps - 1 - self.n_taps // 2 - torch.from_numpy(np.array(delays))
        self.position.copy_(position.clamp(*self.limits))

    @property
    def is_rounded(self) -> bool:
        """Whether the next pass takes whole delays: of positions that are not trained, always."""
        is_fixed = not self.position.requires_grad
        return self.round_in_eval and (is_fixed or not self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Sums (time + right_pad, batch, out) of inputs (time, batch, *in)."""
        return self.with_weight(x, self.weight, rounded=self.is_rounded)

    def with_weight(
        self, x: Tensor, weight: Tensor, *, rounded: bool, exact: bool = False
    ) -> Tensor:
        """The same with other weights, shaped as ours, at whole delays or with the bumps.

        `exact`: sums of whole numbers are whole, as they are not by frequencies.
        """
        x = x.flatten(2)
        if x.shape[2] != self.in_features:
            raise ValueError(
                f"input has {x.shape[2]} neurons a step, the layer takes {self.in_features}"
            )
        x = x if x.is_floating_point() else x.to(weight.dtype)
        n_steps = x.shape[0] + self.right_pad
        how = (*self._shape(rounded), self.n_taps)
        is_fast = x.device.type == "cpu" and x.dtype == weight.dtype == torch.float32
        way: Way = "events" if is_fast else "dense"
        if is_fast and not exact:
            way = self._way(x, n_steps, lanes_of(*how[1:]))
        if way == "events":
            taps, first = runs(weight, *how)
            return delayed_sum(x, taps, first, self.n_taps, n_steps)
        kernel = dense_kernel(weight, *how).to(x.dtype)
        if way == "spectral":
            with torch.autocast(x.device.type, enabled=False):  # halves would leak into the past
                return spectral_delayed_sum(x, kernel, n_steps)
        return dense_delayed_sum(x, kernel, n_steps)

    def _way(self, x: Tensor, n_steps: int, lanes: int) -> Way:
        n_events = int(torch.count_nonzero(x.detach()))
        shape = (*self.weight.shape, lanes, self.n_taps)
        return cheapest_way(n_events, x.shape, shape, n_steps, needs_input=x.requires_grad)

    def _shape(self, rounded: bool) -> tuple[Tensor, Tensor | None, Bump]:
        """Positions, widths and bump of a pass; no width: one tap."""
        if rounded:
            return torch.round(self.position).clamp(*self.limits), None, "triangle"
        return self.position, self.sigma, self.bump

    def extra_repr(self) -> str:
        """Sizes, for `print(model)`."""
        return (
            f"{self.in_features}, {self.out_features}, n_taps={self.n_taps}, bumps={self.bumps}, "
            f"bump={self.bump}, right_pad={self.right_pad}"
        )


def bumps_at(
    taps: Tensor, position: Tensor, sigma: Tensor | None, bump: Bump, n_taps: int
) -> Tensor:
    """Normalised bumps at whole taps; 0 at taps beyond the kernel.

    Args:
        taps: tap numbers k, (..., runs). position: (...). sigma: (...) or one number; None: the
            positions are whole, and a bump is 1 at its own tap.
    """
    x = taps - (position + n_taps // 2).unsqueeze(-1)
    if sigma is None:
        return (x == 0).to(position.dtype)
    width = (sigma.abs() + WIDTH_MIN[bump]).unsqueeze(-1)
    height = torch.exp(-0.5 * (x / width) ** 2) if bump == "gauss" else (width - x.abs()).relu()
    inside = (taps >= 0) & (taps < n_taps)
    height = height * inside
    return height / (height.sum(-1, keepdim=True) + NORM_MIN)


def dense_kernel(
    weight: Tensor, position: Tensor, sigma: Tensor | None, bump: Bump, n_taps: int
) -> Tensor:
    """Kernels (out, in, n_taps) by tap: the last tap is no delay. All (out, in, bumps)."""
    taps = torch.arange(n_taps, device=position.device, dtype=position.dtype)
    bumps = bumps_at(taps, position, sigma, bump, n_taps)
    return (weight.unsqueeze(-1) * bumps).sum(2)


def lanes_of(sigma: Tensor | None, bump: Bump, n_taps: int) -> int:
    """Taps of a run that holds every bump: 2, or a multiple of 8."""
    width = 2 * _reach(sigma, bump)
    needed = math.ceil(width) if width < n_taps else n_taps  # of no number, all
    return 2 if needed <= 2 else (needed + 7) // 8 * 8


def _reach(sigma: Tensor | None, bump: Bump) -> float:
    """Steps from the middle of the widest bump to its end."""
    if sigma is None:
        return 0.0
    return ENOUGH[bump] * (float(sigma.detach().abs().max()) + WIDTH_MIN[bump])


def runs(
    weight: Tensor, position: Tensor, sigma: Tensor | None, bump: Bump, n_taps: int
) -> tuple[Tensor, Tensor]:
    """The taps of every bump that are not 0, as runs by delay.

    Returns:
        taps (out, in, bumps, lanes), and the delay of each run's first, (out, in, bumps) int32.
        Lanes are 2 or a multiple of 8; taps beyond the longest delay are 0.
    """
    lanes, reach = lanes_of(sigma, bump, n_taps), _reach(sigma, bump)
    with torch.no_grad():
        delay = n_taps - 1 - (position + n_taps // 2)
        first = torch.nan_to_num(torch.ceil(delay - reach)).clamp(0, max(n_taps - lanes, 0))
    steps = torch.arange(lanes, dtype=position.dtype)
    taps = n_taps - 1 - (first.unsqueeze(-1) + steps)
    bumps = bumps_at(taps, position, sigma, bump, n_taps)
    return weight.unsqueeze(-1) * bumps, first.to(torch.int32)
