"""The fused time loop on a GPU: one Triton kernel forward, one backward.

Kept for the backward pass: the potential before the reset, in float32, also where currents and
spikes are of half precision; one number more where `decay_u` is learned, a byte with a refractory
time. Every shape of a surrogate is compiled for itself, as every convention is.
"""

from typing import Any

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from neuro.spiking import triton_kernels as kernels
from neuro.spiking.lanes import KINDS, lane_constants, periodic
from neuro.spiking.loop import Constant, Conventions, LIFState, is_owed, start_from
from neuro.spiking.surrogate import Bump, surrogate

BLOCK = 128  # lanes of a program, one a thread
EXACT = {"enable_fp_fusion": False, "num_warps": BLOCK // 32}  # rounded as torch's own loop is
Words = dict[str, Any]


def triton_lif(
    a: Tensor,
    how: Conventions,
    decay_u: Constant,
    decay_v: Constant,
    v_th: Constant,
    bias: Constant,
    state: LIFState | None = None,
) -> tuple[Tensor, LIFState]:
    """As `run_lif`. Spikes and states are the same bits; the output has the dtype of `a`."""
    kind = KINDS.get(a.dtype, a.dtype)
    u, v, owed, rest, step = start_from(a[:1].to(kind), how, state)
    constants = lane_constants(a, kind, decay_u, decay_v, v_th, bias, step)
    inputs = (a, *constants, u, v, owed)
    keeps = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
    bump = how.spike if isinstance(how.spike, Bump) else surrogate("box")
    out, u, v, owed, rest = _TritonLIF.apply(*inputs, rest, conventions(how), bump, keeps)
    return out, LIFState(u, v, owed, rest, step + a.shape[0])


def conventions(how: Conventions) -> Words:
    """Of a layer, as both kernels take them."""
    return {
        "HAS_CURRENT": how.has_current,
        "RESET": how.reset,
        "LATE": is_owed(how),
        "REACHED": how.fires == "reached",
        "EMITS": how.emits,
        "REFRACTORY": how.refractory,
        "DETACHED": how.detach_reset,
    }


class _TritonLIF(torch.autograd.Function):
    """`(a, decay_u, decay_v, v_th, bias, u, v, owed, rest) -> (out, u, v, owed, rest)`.

    a, out: (steps, batch, *neurons). v_th: (1 or steps, batch, *neurons). Others without steps.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, decay_u: Tensor, decay_v: Tensor, v_th: Tensor, bias: Tensor,
        u: Tensor, v: Tensor, owed: Tensor, rest: Tensor, how: Words, bump: Bump, keeps: bool,
    ) -> tuple[Tensor, ...]:  # fmt: skip
        a, kind, per_step = a.contiguous(), decay_v.dtype, v_th.shape[0] > 1
        th, *others = (periodic(c) for c in (v_th, *(c[None] for c in (decay_u, decay_v, bias))))
        after = [s.clone(memory_format=torch.contiguous_format) for s in (u, v, owed, rest)]
        keeps_u = keeps and how["HAS_CURRENT"] and ctx.needs_input_grad[1]
        out = torch.empty_like(a)
        is_out = how["EMITS"] == "nothing" and out.dtype == kind  # the potential is what comes out
        x = out if is_out or not keeps else torch.empty_like(a, dtype=kind)
        u_kept = torch.empty_like(a, dtype=kind) if keeps_u else x
        held = torch.empty_like(a, dtype=torch.uint8) if how["REFRACTORY"] else x
        words = {name: word for name, word in how.items() if name != "DETACHED"}
        periods = others[0].shape[1], others[1].shape[1], th.shape[1], others[2].shape[1]
        launch(
            kernels.forward, a, *others[:2], th, others[2], *after, out, x, u_kept, held,
            a.shape[0], lanes_of(a), *periods, **words, PER_STEP=per_step,
            KEEPS=keeps and not is_out, KEEPS_U=keeps_u,
        )  # fmt: skip
        if keeps:
            ctx.save_for_backward(x, u_kept, held, *others[:2], th, u, v)
        ctx.how, ctx.bump, ctx.kind, ctx.th_shape = how, bump, a.dtype, v_th.shape
        ctx.set_materialize_grads(False)
        ctx.mark_non_differentiable(after[3])
        return out, *after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        x, u_kept, held, decay_u, decay_v, th, u, v = ctx.saved_tensors
        wanted, bump, steps, lanes = ctx.needs_input_grad[1:5], ctx.bump, x.shape[0], lanes_of(x)
        g = torch.zeros_like(x, dtype=ctx.kind) if grads[0] is None else grads[0].contiguous()
        states = [
            torch.zeros_like(u, memory_format=torch.contiguous_format)
            if s is None else s.clone(memory_format=torch.contiguous_format)
            for s in grads[1:4]
        ]  # fmt: skip
        ga = torch.empty_like(g)
        shapes = u.shape, u.shape, ctx.th_shape, u.shape
        sums = [u.new_zeros(s) if w else None for s, w in zip(shapes, wanted, strict=True)]
        names = ("WANTS_U", "WANTS_V", "WANTS_TH", "WANTS_BIAS")
        launch(
            kernels.backward, g, x, u_kept, held, decay_u, decay_v, th, u.contiguous(),
            v.contiguous(), *states, ga, *(ga if s is None else s for s in sums), steps, lanes,
            decay_u.shape[1], decay_v.shape[1], th.shape[1], (steps - 1) * lanes,
            (th.shape[0] - 1) * th.shape[1], **ctx.how, PER_STEP=th.shape[0] > 1, BUMP=bump.name,
            SHAPE=bump.shape, HEIGHT=bump.height, **dict(zip(names, wanted, strict=True)),
        )  # fmt: skip
        return ga, *sums, *states, None, None, None, None


def lanes_of(a: Tensor) -> int:
    """Neurons of all samples of (steps, batch, *neurons)."""
    return a.shape[1:].numel()


def launch(kernel: Any, first: Tensor, *arrays: Any, **words: Any) -> None:
    """A kernel for all lanes of its first array, if there are any."""
    if first.numel():
        with torch.cuda.device_of(first):
            grid = (triton.cdiv(lanes_of(first), BLOCK),)
            kernel[grid](first, *arrays, **words, BLOCK=BLOCK, **EXACT)
