"""Constants of neurons, for every neuron of every sample."""

import torch
from torch import Tensor

from neuro.spiking.loop import Constant, threshold_rows

KINDS = {torch.float16: torch.float32, torch.bfloat16: torch.float32}  # what a state is kept in


def lane_constants(
    a: Tensor, kind: torch.dtype, decay_u: Constant, decay_v: Constant, v_th: Constant,
    bias: Constant, step: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    """Constants for currents (time, batch, *neurons), as views that repeat what is one.

    `v_th` has one row, or one per step, first; the others are (batch, *neurons).
    """
    rows = threshold_rows(v_th, a, step)
    if rows is not v_th and isinstance(rows, Tensor):
        th = rows.to(kind).unsqueeze(1).expand(a.shape)
    else:
        th = _lanes(rows, a, kind).unsqueeze(0)
    return _lanes(decay_u, a, kind), _lanes(decay_v, a, kind), th, _lanes(bias, a, kind)


def _lanes(value: Constant, a: Tensor, kind: torch.dtype) -> Tensor:
    """A constant for every neuron of every sample, (batch, *neurons)."""
    if not isinstance(value, Tensor):
        return torch.full((), value, dtype=kind, device=a.device).expand(a.shape[1:])
    return value.to(kind).expand(a.shape[1:])


def periodic(constant: Tensor) -> Tensor:
    """What there is of a view (rows, batch, *neurons): lane i of a row has its entry i % n.

    (rows, n), n being 1 for a number, or the neurons of a sample, or all lanes.
    """
    rows, sizes, strides = constant.shape[0], constant.shape[1:], constant.stride()
    repeats = [stride == 0 or size == 1 for stride, size in zip(strides[1:], sizes, strict=True)]
    if all(repeats):
        return constant.as_strided((rows, 1), (strides[0], 1)).contiguous()
    if repeats[0]:
        constant = constant.as_strided((rows, *sizes[1:]), (strides[0], *strides[2:]))
    return constant.reshape(rows, constant.shape[1:].numel()).contiguous()
