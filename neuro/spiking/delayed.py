"""Sums of delayed inputs, forward and backward: by events, by frequencies, and the slow twin."""

import math
from functools import cache
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from hwsim._accelerate import n_threads
from hwsim.kernels import delays as kernels


def dense_delayed_sum(x: Tensor, kernel: Tensor, n_steps: int) -> Tensor:
    """The slow twin: one convolution over time, every tap of every synapse.

    Args:
        x: (time, batch, in). kernel: (out, in, taps) by tap, the last is no delay.
        n_steps: of the result (n_steps, batch, out).
    """
    before, after = kernel.shape[2] - 1, n_steps - x.shape[0]
    padded = F.pad(x.permute(1, 2, 0), (before, after))
    return F.conv1d(padded, kernel).permute(2, 0, 1)


def delayed_sum(x: Tensor, taps: Tensor, first: Tensor, n_taps: int, n_steps: int) -> Tensor:
    """The same from runs of taps, on the CPU in float32.

    Args:
        x: (time, batch, in). taps: (out, in, bumps, lanes) by delay. first: delay of each run's
            first tap, (out, in, bumps) int32. n_taps: delays are below it.
    """
    _start_threads()
    return cast("Tensor", _ByEvents.apply(x, taps, first, n_taps, n_steps))


@cache
def _start_threads() -> None:
    """Start Numba's threads: with OpenMP that gives torch as many, which here is taken back."""
    before = torch.get_num_threads()
    n_threads()
    torch.set_num_threads(before)


class _ByEvents(torch.autograd.Function):
    """Every input that is not 0 goes through the runs of its synapses."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, taps: Tensor, first: Tensor, n_taps: int, n_steps: int
    ) -> Tensor:
        taps, first = taps.detach().contiguous(), first.contiguous()
        span = n_steps + n_taps
        events = kernels.list_events(x.detach().contiguous().numpy(), span)
        y = x.new_empty(n_steps, x.shape[1], taps.shape[0])
        kernels.deliver_delayed(*events, taps.numpy(), first.numpy(), span, y.numpy())
        ctx.events, ctx.span, ctx.n_taps, ctx.length = events, span, n_taps, x.shape[0]
        ctx.save_for_backward(taps, first)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        taps, first = ctx.saved_tensors
        gradient = gradient.contiguous()
        to_x = to_taps = None
        if ctx.needs_input_grad[1]:
            to_taps = torch.zeros_like(taps)
            kernels.taps_gradient(
                *ctx.events, first.numpy(), gradient.numpy(), ctx.span, to_taps.numpy()
            )
        if ctx.needs_input_grad[0]:
            to_x = _input_gradient(taps, first, gradient, ctx.length, ctx.n_taps, ctx.span)
        return to_x, to_taps, None, None, None


def _input_gradient(
    taps: Tensor, first: Tensor, gradient: Tensor, length: int, n_taps: int, span: int
) -> Tensor:
    sources, lanes = taps.shape[1], taps.shape[3]
    if lanes > 2:
        kernel = taps.new_zeros(*taps.shape[:2], n_taps + lanes)
        at = first.unsqueeze(-1) + torch.arange(lanes)
        kernel.scatter_add_(2, at.flatten(2).long(), taps.flatten(2))
        return spectral_gradient(gradient, kernel[..., :n_taps].flip(2), length)
    by_source = taps.transpose(0, 1).reshape(sources, -1, 2).contiguous()
    places = first.transpose(0, 1).reshape(sources, -1).contiguous()
    out = gradient.new_empty(length, gradient.shape[1], sources)
    kernels.input_gradient(by_source.numpy(), places.numpy(), gradient.numpy(), span, out.numpy())
    return out


def spectral_delayed_sum(x: Tensor, kernel: Tensor, n_steps: int) -> Tensor:
    """The same sum by frequencies: a product each, whatever the width of the bumps.

    Sequences are short, so that Fourier's sums are products with matrices of cosines: they take and
    give (time, batch, neurons) as it lies. Arguments as of `dense_delayed_sum`.
    """
    length, batch, _ = x.shape
    targets, n_taps = kernel.shape[0], kernel.shape[2]
    n = max(length + n_taps - 1, n_steps)
    x_re, x_im = _spectrum(x, torch.arange(length), n)
    w_re, w_im = _spectrum(kernel.permute(2, 1, 0), torch.arange(n_taps - 1, -1, -1), n)
    y_re = torch.baddbmm(torch.bmm(x_re, w_re), x_im, w_im, alpha=-1)
    y_im = torch.baddbmm(torch.bmm(x_re, w_im), x_im, w_re)
    back_re, back_im = _waves(torch.arange(n_steps), n, x.dtype)
    weight = _multiplicity(n, x.dtype)
    y = torch.mm((back_re * weight).T, y_re.flatten(1))
    return torch.addmm(y, (back_im * weight).T, y_im.flatten(1)).view(n_steps, batch, targets)


def spectral_gradient(gradient: Tensor, kernel: Tensor, length: int) -> Tensor:
    """`sum over targets and delays d of Ker[d] g[t + d]`, (length, batch, in).

    A sum of delays, with time running backwards.
    """
    backwards = spectral_delayed_sum(gradient.flip(0), kernel.transpose(0, 1), len(gradient))
    return backwards[len(gradient) - length :].flip(0)


def _waves(steps: Tensor, n: int, kind: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosines and minus sines (frequencies, steps) of a cycle of n steps."""
    turns = torch.arange(n // 2 + 1).unsqueeze(1) * steps % n
    angle = turns.double() * (2 * math.pi / n)
    return torch.cos(angle).to(kind), -torch.sin(angle).to(kind)


def _multiplicity(n: int, kind: torch.dtype) -> Tensor:
    """How often each frequency counts on the way back: twice, but for the first and the middle."""
    weight = torch.full((n // 2 + 1, 1), 2.0 / n, dtype=kind)
    weight[0] = 1.0 / n
    if n % 2 == 0:
        weight[-1] = 1.0 / n
    return weight


def _spectrum(values: Tensor, steps: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Real and imaginary part (frequencies, ...) of values (steps, ...)."""
    flat = values.reshape(len(steps), -1)
    re, im = (torch.mm(waves, flat) for waves in _waves(steps, n, values.dtype))
    return re.view(-1, *values.shape[1:]), im.view(-1, *values.shape[1:])


Way = Literal["events", "spectral", "dense"]
# costs in multiply-adds of a large product, as `benchmarks/delays.py` measures them
RUN_MACS = 60  # a run of up to 8 lanes through which an event goes, one way (M)
FREQUENCY_MACS = 2.2  # a multiply-add of the products by frequencies, with what lies around it (M)
CONV_MACS = 1.0  # a multiply-add of a convolution (M)


def cheapest_way(
    n_events: int, x_shape: torch.Size, kernel_shape: tuple[int, ...], n_steps: int, *,
    needs_input: bool,
) -> Way:  # fmt: skip
    """The way of least work, forward and backward, by counts and by costs measured on one core.

    Args:
        n_events: inputs that are not 0. kernel_shape: (out, in, bumps, lanes, taps).
        needs_input: whether the inputs have a gradient too.
    """
    length, batch, sources = x_shape
    targets, _, bumps, lanes, n_taps = kernel_shape
    n = max(length + n_taps - 1, n_steps)
    products = 4 * (n // 2 + 1) * batch * sources * targets
    waves_x, waves_y = n * length * batch * sources, n * n_steps * batch * targets
    waves_w = n * n_taps * sources * targets
    alone = waves_x + waves_y + waves_w + products
    spectral = 2 * (waves_y + waves_w + products) + waves_x
    dense = CONV_MACS * 2 * n_steps * batch * sources * targets * n_taps
    events = 2.0 * RUN_MACS * n_events * targets * bumps * max(1, lanes // 8)
    if needs_input:
        spectral += products + waves_x
        dense *= 1.5
        narrow = 4.0 * length * batch * sources * targets * bumps
        events += narrow if lanes == 2 else FREQUENCY_MACS * alone
    costs: dict[Way, float] = {
        "events": events, "spectral": FREQUENCY_MACS * spectral, "dense": dense,
    }  # fmt: skip
    return min(costs, key=lambda way: costs[way])
