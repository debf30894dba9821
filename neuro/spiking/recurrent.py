"""Layers whose own spikes come back one step later, through a matrix."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neuro.spiking import kernels
from neuro.spiking.fused import flat_lanes, fused_lif, has_kernel, in_rows, kernel_inputs
from neuro.spiking.lanes import KINDS
from neuro.spiking.lif import LIF
from neuro.spiking.loop import (
    Constant,
    Conventions,
    LIFState,
    check_carried,
    run_lif,
    start_from,
)

Loop = Callable[..., tuple[Tensor, LIFState]]


class RecurrentState(NamedTuple):
    """Neurons between two steps, and what they sent in the last one, (batch, neurons)."""

    neurons: LIFState
    spikes: Tensor

    def detach(self) -> "RecurrentState":
        """The same without its history."""
        return RecurrentState(self.neurons.detach(), self.spikes.detach())


class RecurrentLIF(nn.Module):
    """`LIF` neurons that also hear each other: in step t arrives `a[t] + feedback spikes[t - 1]`.

    One matrix product a step, and between the products one kernel for all else, forward and
    backward; on the CPU, the gradient of the matrix is one product for all steps.

    Args:
        neurons: that send spikes (or graded ones), dense: (time, batch, neurons).
        feedback: from them to them, without a bias.

    Raises:
        ValueError: if the feedback is not square, or has a bias, or the neurons emit nothing.
    """

    neurons: LIF
    feedback: nn.Linear

    def __init__(self, neurons: LIF, feedback: nn.Linear) -> None:
        super().__init__()
        n_in, n_out = feedback.in_features, feedback.out_features
        if n_in != n_out:
            raise ValueError(f"feedback is {n_in} to {n_out}, must be square: a layer hears itself")
        if feedback.bias is not None:
            raise ValueError("feedback carries no bias: give the neurons one (`bias_shape`)")
        if neurons.emits == "nothing":
            raise ValueError("neurons that emit nothing have no feedback: let them emit spikes")
        self.neurons, self.feedback = neurons, feedback

    def forward(self, a: Tensor) -> Tensor:
        """Spikes for an arriving current, both (time, batch, neurons)."""
        return self.stream(a)[0]

    def stream(
        self, a: Tensor, state: RecurrentState | None = None
    ) -> tuple[Tensor, RecurrentState]:
        """As `forward`, going on from the `state` of an earlier call; and the state after it."""
        if a.ndim != 3 or a.shape[2] != self.feedback.in_features:
            raise ValueError(
                f"current has shape {tuple(a.shape)}, must be (time, batch, "
                f"{self.feedback.in_features})"
            )
        a = a if a.is_floating_point() else a.to(self.feedback.weight.dtype)
        n, gain = self.neurons, self.neurons.input_gain
        bias = 0.0 if n.bias is None else n.bias
        constants = n.decay_u.clamp(0, 1), n.decay_v.clamp(0, 1), n.v_th, bias
        return run_loop(a * gain, self.feedback.weight * gain, n, *constants, state)


@torch.compiler.disable
def run_loop(
    a: Tensor, weight: Tensor, how: Conventions, decay_u: Constant, decay_v: Constant,
    v_th: Constant, bias: Constant, state: RecurrentState | None = None,
) -> tuple[Tensor, RecurrentState]:  # fmt: skip
    """As `run_recurrent`, with a kernel where there is one.

    Currents of half precision are summed up in float32, those of the feedback too, whatever
    autocast would do. The output has the dtype of `a`.
    """
    kind = KINDS.get(a.dtype, a.dtype)
    if state is not None:
        kind = torch.promote_types(kind, state.neurons.v.dtype)
    current, weight = a.to(kind), weight.to(kind)
    loop = fused_recurrent if has_kernel(current, how) else run_recurrent
    with torch.autocast(a.device.type, enabled=False):
        out, after = loop(current, weight, how, decay_u, decay_v, v_th, bias, state)
    return out.to(a.dtype), after


def run_recurrent(
    a: Tensor, weight: Tensor, how: Conventions, decay_u: Constant, decay_v: Constant,
    v_th: Constant, bias: Constant, state: RecurrentState | None = None, loop: Loop = run_lif,
) -> tuple[Tensor, RecurrentState]:  # fmt: skip
    """The slow twin of `fused_recurrent`: `run_lif`, a step at a time.

    Args:
        a: current from outside, (time, batch, neurons). weight: (to, from).
        decay_u, decay_v, v_th, bias: as in `run_lif`. state: of an earlier call, or None.
        loop: does a step between two products.
    """
    neurons, spikes = _start(a, how, state)
    out = []
    for a_t in a.unbind(0):
        arriving = torch.addmm(a_t, spikes, weight.t()).unsqueeze(0)
        sent, neurons = loop(arriving, how, decay_u, decay_v, v_th, bias, neurons)
        spikes = sent[0]
        out.append(spikes)
    return torch.stack(out), RecurrentState(neurons, spikes)


def fused_recurrent(
    a: Tensor, weight: Tensor, how: Conventions, decay_u: Constant, decay_v: Constant,
    v_th: Constant, bias: Constant, state: RecurrentState | None = None,
) -> tuple[Tensor, RecurrentState]:  # fmt: skip
    """As `run_recurrent`, for what `has_kernel` says yes to: the same but for a product's rounding.

    Kept for the backward pass, in float32: 4 bytes per neuron and step beside the output, 4 more
    for each learned decay. On a GPU `run_recurrent`, with `fused_lif` for every step.
    """
    if a.device.type != "cpu":
        return run_recurrent(a, weight, how, decay_u, decay_v, v_th, bias, state, fused_lif)
    neurons, spikes = _start(a, how, state)
    constants, codes = kernel_inputs(a, how, decay_u, decay_v, v_th, bias, neurons.step)
    u, v, owed, rest, step = neurons
    inputs = (a, weight, *constants, spikes, u, v, owed)
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    out, u, v, owed, rest = _FusedRecurrent.apply(*inputs, rest, codes, keeps)
    return out, RecurrentState(LIFState(u, v, owed, rest, step + a.shape[0]), out[-1])


def _start(a: Tensor, how: Conventions, state: RecurrentState | None) -> RecurrentState:
    neurons = start_from(a, how, state.neurons if state else None)
    if state is None:
        return RecurrentState(neurons, torch.zeros_like(a[0]))
    check_carried("`spikes`", state.spikes, a)
    return RecurrentState(neurons, state.spikes.to(a.dtype))


class _FusedRecurrent(torch.autograd.Function):
    """`(a, weight, decay_u, decay_v, v_th, bias, spikes, u, v, owed, rest) -> (out, states)`."""

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, weight: Tensor, decay_u: Tensor, decay_v: Tensor, v_th: Tensor,
        bias: Tensor, spikes: Tensor, u: Tensor, v: Tensor, owed: Tensor, rest: Tensor, how: Any,
        keeps: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        v_th, weight = v_th.contiguous(), weight.contiguous()
        decay_u, decay_v, bias = (c.contiguous() for c in (decay_u, decay_v, bias))
        after = [s.clone(memory_format=torch.contiguous_format) for s in (u, v, owed, rest)]
        n_kept, n_steps = (a.shape[0] if keeps else 1), a.shape[0]
        out, x = a.new_empty(a.shape), a.new_empty((n_kept, *a.shape[1:]))
        wants_u, wants_v = ctx.needs_input_grad[2], ctx.needs_input_grad[3]
        u_before = a.new_empty((n_kept if wants_u else 1, *a.shape[1:]))
        v_before = a.new_empty((n_kept if wants_v else 1, *a.shape[1:]))
        held = torch.empty((n_kept if how.refractory else 0, *a.shape[1:]), dtype=torch.uint8)
        arriving, u_row = torch.empty_like(out[:1]), in_rows(torch.empty_like(out[:1]))
        rows_in, rows_th = in_rows(arriving), in_rows(v_th)
        constants, states = flat_lanes(decay_u, decay_v, bias), flat_lanes(*after)
        rows_out, rows_x, rows_held = in_rows(out), in_rows(x), in_rows(held)
        sent = spikes
        for t in range(n_steps):
            k = t if keeps else 0
            torch.addmm(a[t], sent, weight.t(), out=arriving[0])
            sent = out[t]
            if wants_u:
                u_before[k].copy_(after[0])
            if wants_v:
                v_before[k].copy_(after[1])
            th = rows_th[t : t + 1] if v_th.shape[0] > 1 else rows_th
            kernels.forward(
                rows_in, *constants[:2], th, constants[2], how.has_current, how.reset, how.late,
                how.reached, how.emits, how.refractory, *states, rows_out[t : t + 1],
                rows_x[k : k + 1], u_row, rows_held[k : k + 1], 0, rows_in.shape[1],
            )  # fmt: skip
        if keeps:
            ctx.save_for_backward(out, x, u_before, v_before, held, decay_u, decay_v, v_th, weight,
                                  spikes)  # fmt: skip
        ctx.how = how
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(after[3])
        return out, *after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        out, x, u_before, v_before, held, decay_u, decay_v, v_th, weight, spikes = ctx.saved_tensors
        how, wanted = ctx.how, ctx.needs_input_grad[2:6]
        states = [
            torch.zeros_like(decay_v)
            if s is None
            else s.clone(memory_format=torch.contiguous_format)
            for s in grads[1:4]
        ]
        ga, heard = torch.empty_like(out), torch.empty_like(out[:1])
        sums = [torch.zeros_like(c) for c in (decay_u, decay_v, v_th, decay_v)]
        rows_g, rows_x, rows_held = in_rows(heard), in_rows(x), in_rows(held)
        rows_th, rows_ga, rows_sum = in_rows(v_th), in_rows(ga), in_rows(sums[2])
        rows_u, rows_v, rows_kept = in_rows(u_before), in_rows(v_before), in_rows(heard)
        flat_states, (g_u, g_v, g_b) = flat_lanes(*states), flat_lanes(sums[0], sums[1], sums[3])
        decays = flat_lanes(decay_u, decay_v)
        room = [np.empty(kernels.RUN, rows_x.dtype) for _ in range(2)]
        for t in reversed(range(out.shape[0])):
            if t == out.shape[0] - 1:
                heard[0].zero_() if grads[0] is None else heard[0].copy_(grads[0][t])
            elif grads[0] is None:
                torch.mm(ga[t + 1], weight, out=heard[0])
            else:
                torch.addmm(grads[0][t], ga[t + 1], weight, out=heard[0])
            th = slice(t, t + 1) if v_th.shape[0] > 1 else slice(0, 1)
            kernels.backward(
                rows_g, rows_x[t : t + 1], rows_kept, rows_held[t : t + 1], *decays, rows_th[th],
                rows_u[t if wanted[0] else 0], rows_v[t if wanted[1] else 0], how.has_current,
                how.reset, how.late, how.reached, how.emits, how.detached, how.bump, how.shape,
                how.height, *wanted, *flat_states, rows_ga[t : t + 1], g_u, g_v, rows_sum[th], g_b,
                *room, 0, rows_g.shape[1],
            )  # fmt: skip
        g_weight = None
        if ctx.needs_input_grad[1]:
            g_weight = ga[0].t() @ spikes
            if out.shape[0] > 1:
                g_weight += ga[1:].flatten(0, 1).t() @ out[:-1].flatten(0, 1)
        of_constants = (s if w else None for s, w in zip(sums, wanted, strict=True))
        return ga, g_weight, *of_constants, ga[0] @ weight, *states, None, None, None
