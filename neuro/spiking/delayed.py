"""Sums of delayed inputs, forward and backward: by events, by Fourier, and the slow twin."""

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

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
    return cast("Tensor", _ByEvents.apply(x, taps, first, n_taps, n_steps))


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
    if taps.shape[3] > 2:
        return _input_gradient_by_fourier(taps, first, gradient, length, n_taps)
    sources = taps.shape[1]
    by_source = taps.transpose(0, 1).reshape(sources, -1, 2).contiguous()
    places = first.transpose(0, 1).reshape(sources, -1).contiguous()
    out = gradient.new_empty(length, gradient.shape[1], sources)
    kernels.input_gradient(by_source.numpy(), places.numpy(), gradient.numpy(), span, out.numpy())
    return out


def _input_gradient_by_fourier(
    taps: Tensor, first: Tensor, gradient: Tensor, length: int, n_taps: int
) -> Tensor:
    """`sum over targets and delays d of Ker[d] g[t + d]`, one product a frequency."""
    lanes = taps.shape[3]
    by_delay = taps.new_zeros(*taps.shape[:2], n_taps + lanes)
    at = first.unsqueeze(-1) + torch.arange(lanes)
    by_delay.scatter_add_(2, at.flatten(2).long(), taps.flatten(2))
    n = _fast_length(gradient.shape[0] + n_taps + lanes)
    kernel = torch.fft.rfft(by_delay, n).conj().permute(2, 0, 1)
    product = torch.bmm(torch.fft.rfft(gradient, n, dim=0), kernel.resolve_conj())
    return torch.fft.irfft(product, n, dim=0)[:length]


def _fast_length(n: int) -> int:
    from scipy.fft import next_fast_len

    return int(next_fast_len(n, real=True))
