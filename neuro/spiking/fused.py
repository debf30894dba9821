"""The time loop of leaky integrate-and-fire neurons as one function, forward and backward.

On the CPU with kernels of Numba (`kernels.py`), on a GPU with Triton's (`triton_loop.py`).

Torch's own loop (`neuro.spiking.loop`) makes some ten tensors a step and keeps them all for the
backward pass; here one kernel does all steps of a run of neurons while their state is in the first
cache. What is kept for the backward pass: the potential before the reset, one number per neuron and
step; with the output, 8 bytes in float32. One more where `decay_u` is learned, or the threshold has
a row per step; a byte with a refractory time; nothing where no gradient is asked for.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hwsim.neuron import Emits, Fires, Reset
from neuro.spiking import kernels
from neuro.spiking.lanes import KINDS, lane_constants
from neuro.spiking.loop import Constant, Conventions, LIFState, is_owed, run_lif, start_from
from neuro.spiking.surrogate import Bump, surrogate

RESET_CODES: dict[Reset, int] = {
    "zero": kernels.ZERO,
    "subtract": kernels.SUBTRACT,
    "none": kernels.NONE,
}
EMIT_CODES: dict[Emits, int] = {"nothing": 0, "spikes": 1, "graded": 2}
BUMP_CODES = {
    "atan": kernels.ATAN,
    "fast_sigmoid": kernels.FAST_SIGMOID,
    "sigmoid": kernels.SIGMOID,
    "box": kernels.BOX,
    "triangle": kernels.TRIANGLE,
}
TRITON_FOUND = find_spec("triton") is not None
WORTH_A_THREAD = 1 << 17  # neurons times steps below which a second thread costs more than it does


@dataclass(frozen=True, slots=True)
class Codes:
    """Conventions as the kernels take them."""

    has_current: bool
    reset: int
    late: bool
    reached: bool
    emits: int
    refractory: int
    detached: bool
    bump: int
    shape: float
    height: float

    @classmethod
    def of(cls, how: Conventions) -> "Codes":
        """Of a layer."""
        bump = how.spike if isinstance(how.spike, Bump) else surrogate("box")
        fires: Fires = how.fires
        return cls(
            how.has_current,
            RESET_CODES[how.reset],
            is_owed(how),
            fires == "reached",
            EMIT_CODES[how.emits],
            how.refractory,
            how.detach_reset,
            BUMP_CODES[bump.name],
            bump.shape,
            bump.height,
        )


@torch.compiler.disable
def run(
    a: Tensor,
    how: Conventions,
    decay_u: Constant,
    decay_v: Constant,
    v_th: Constant,
    bias: Constant,
    state: LIFState | None = None,
) -> tuple[Tensor, LIFState]:
    """As `run_lif`, in one function where there is a kernel for it.

    Currents of half precision are summed up in float32, and the state stays so: a potential of 8
    bits would lose what is smaller than a 256th of it. The output has the dtype of `a`.
    """
    out_kind, kind = a.dtype, KINDS.get(a.dtype, a.dtype)
    for value in (decay_u, decay_v, v_th, bias, *((state.v,) if state else ())):
        if isinstance(value, Tensor) and value.ndim:
            kind = torch.promote_types(kind, value.dtype)
    out_kind = out_kind if out_kind in KINDS else kind
    if KINDS.get(a.dtype) != kind or not has_kernel(a, how):
        a = a.to(kind)
    loop = fused_lif if has_kernel(a, how) else run_lif
    out, after = loop(a, how, decay_u, decay_v, v_th, bias, state)
    return out.to(out_kind), after


def has_kernel(a: Tensor, how: Conventions) -> bool:
    """Whether `fused_lif` can run it, with a surrogate of `SURROGATES`.

    On the CPU; on a GPU where Triton is installed, there also with currents of half precision.
    """
    known = how.emits == "nothing" or isinstance(how.spike, Bump)
    whole = a.dtype in (torch.float32, torch.float64)
    if a.device.type == "cuda":
        return known and has_triton() and (whole or a.dtype in KINDS)
    return known and whole and a.device.type == "cpu"


def has_triton() -> bool:
    """Whether a GPU takes Triton's kernels: where it is installed, unless NEURO_TRITON is 0."""
    return TRITON_FOUND and os.environ.get("NEURO_TRITON") != "0"


def fused_lif(
    a: Tensor,
    how: Conventions,
    decay_u: Constant,
    decay_v: Constant,
    v_th: Constant,
    bias: Constant,
    state: LIFState | None = None,
) -> tuple[Tensor, LIFState]:
    """As `run_lif`, for what `has_kernel` says yes to. Spikes and states are the same bits."""
    if a.device.type != "cpu":
        from neuro.spiking.triton_loop import triton_lif  # the only import of what may be absent

        return triton_lif(a, how, decay_u, decay_v, v_th, bias, state)
    u, v, owed, rest, step = start_from(a, how, state)
    constants, codes = kernel_inputs(a, how, decay_u, decay_v, v_th, bias, step)
    inputs = (a, *constants, u, v, owed)
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    out, u, v, owed, rest = _FusedLIF.apply(*inputs, rest, codes, keeps)
    return out, LIFState(u, v, owed, rest, step + a.shape[0])


def kernel_inputs(
    a: Tensor, how: Conventions, decay_u: Constant, decay_v: Constant, v_th: Constant,
    bias: Constant, step: int,
) -> tuple[tuple[Tensor, Tensor, Tensor, Tensor], Codes]:  # fmt: skip
    """Constants for every neuron of every sample, and the conventions as numbers.

    `v_th` has one row, or one per step, first; the others are (batch, *neurons).
    """
    return lane_constants(a, a.dtype, decay_u, decay_v, v_th, bias, step), Codes.of(how)


class _FusedLIF(torch.autograd.Function):
    """`(a, decay_u, decay_v, v_th, bias, u, v, owed, rest) -> (out, u, v, owed, rest)`.

    a, out: (steps, batch, *neurons). v_th: (1 or steps, batch, *neurons). Others without steps.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, decay_u: Tensor, decay_v: Tensor, v_th: Tensor, bias: Tensor,
        u: Tensor, v: Tensor, owed: Tensor, rest: Tensor, how: Codes, keeps: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        a, v_th = a.contiguous(), v_th.contiguous()
        decay_u, decay_v, bias = (c.contiguous() for c in (decay_u, decay_v, bias))
        after = [s.clone(memory_format=torch.contiguous_format) for s in (u, v, owed, rest)]
        out, one = torch.empty_like(a), a.new_empty((1, *a.shape[1:]))
        keeps_u = keeps and how.has_current and ctx.needs_input_grad[1]
        x = one if not keeps else out if how.emits == 0 else torch.empty_like(a)
        u_kept = torch.empty_like(a) if keeps_u else torch.empty_like(one)
        held = torch.empty((a.shape[0] if how.refractory else 0, *a.shape[1:]), dtype=torch.uint8)
        conventions = (how.has_current, how.reset, how.late, how.reached, how.emits, how.refractory)
        arrays = in_rows(a), *flat_lanes(decay_u, decay_v), in_rows(v_th), *flat_lanes(bias)
        results = *flat_lanes(*after), in_rows(out), in_rows(x), in_rows(u_kept), in_rows(held)
        _in_runs(partial(kernels.forward, *arrays, *conventions, *results), a)
        if keeps:
            ctx.save_for_backward(x, u_kept, held, decay_u, decay_v, v_th, u, v)
        ctx.how = how
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(after[3])
        return out, *after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, u_kept, held, decay_u, decay_v, v_th, u, v = ctx.saved_tensors
        how: Codes = ctx.how
        g = torch.zeros_like(x) if grads[0] is None else grads[0].contiguous()
        states = [
            torch.zeros_like(u, memory_format=torch.contiguous_format)
            if s is None
            else s.clone(memory_format=torch.contiguous_format)
            for s in grads[1:4]
        ]
        ga = torch.empty_like(g)
        wants_u, wants_v, wants_th, wants_bias = ctx.needs_input_grad[1:5]
        sums = [torch.zeros_like(c) for c in (decay_u, decay_v, v_th, decay_v)]
        read = (
            in_rows(g),
            in_rows(x),
            in_rows(u_kept),
            in_rows(held),
            *flat_lanes(decay_u, decay_v),
        )
        before = (in_rows(v_th), *flat_lanes(u.contiguous(), v.contiguous()))
        conventions = (how.has_current, how.reset, how.late, how.reached, how.emits, how.detached,
                       how.bump, how.shape, how.height)  # fmt: skip
        written = (
            *flat_lanes(*states),
            in_rows(ga),
            *flat_lanes(*sums[:2]),
            in_rows(sums[2]),
            *flat_lanes(sums[3]),
        )

        def kernel(first: int, last: int) -> None:
            room = (np.empty(kernels.RUN, written[3].dtype) for _ in range(2))
            wanted = wants_u, wants_v, wants_th, wants_bias
            kernels.backward(*read, *before, *conventions, *wanted, *written, *room, first, last)

        _in_runs(kernel, g)
        wanted = (s if w else None for s, w in zip(sums, ctx.needs_input_grad[1:5], strict=True))
        return ga, *wanted, *states, None, None, None


def in_rows(tensor: Tensor) -> Any:
    """(steps, lanes), sharing memory."""
    return tensor.detach().view(tensor.shape[0], tensor.shape[1:].numel()).numpy()


def flat_lanes(*tensors: Tensor) -> list[Any]:
    """(lanes,) of each, sharing memory."""
    return [tensor.detach().view(-1).numpy() for tensor in tensors]


def _in_runs(kernel: Callable[[int, int], None], a: Tensor) -> None:
    """Call a kernel for all lanes of `a`, in as many threads as torch has; the bits do not vary."""
    lanes = a[0].numel()
    parts = min(torch.get_num_threads(), lanes // kernels.RUN, a.numel() // WORTH_A_THREAD)
    if parts < 2:
        kernel(0, lanes)
        return
    step = -(-lanes // (parts * kernels.RUN)) * kernels.RUN
    with ThreadPoolExecutor(parts) as pool:
        list(pool.map(lambda lo: kernel(lo, min(lanes, lo + step)), range(0, lanes, step)))
