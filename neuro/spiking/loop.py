"""The time loop of leaky integrate-and-fire neurons in plain torch, step by step.

The slow twin of `neuro.spiking.fused`, and what runs where no kernel does: on other devices, and
with surrogates that no kernel has.
"""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from hwsim.neuron import Emits, Fires, Reset
from neuro.spiking.surrogate import Spike

Constant = Tensor | float


class Conventions(Protocol):
    """What a loop must know of a neuron beside its constants; `LIF` has it."""

    v_init: float
    reset: Reset
    reset_late: bool
    detach_reset: bool
    fires: Fires
    refractory: int
    emits: Emits
    spike: Spike
    has_current: bool


class LIFState(NamedTuple):
    """Neurons between two steps, each (batch, *neurons).

    u: synaptic current. v: potential, after the reset. owed: what a late reset that subtracts has
    still to take off. rest: steps for which `v` is still held at zero. step: how many have passed.
    """

    u: Tensor
    v: Tensor
    owed: Tensor
    rest: Tensor
    step: int = 0

    def detach(self) -> "LIFState":
        """The same without its history: where truncated back-propagation through time cuts."""
        u, v, owed, rest, step = self
        return LIFState(u.detach(), v.detach(), owed.detach(), rest.detach(), step)


def start_from(a: Tensor, how: Conventions, state: LIFState | None) -> LIFState:
    """Neurons before the first of these steps: fresh ones, or those of an earlier call.

    Args:
        a: currents (time, batch, *neurons). The state gets their dtype.

    Raises:
        ValueError: for currents of no step, or a state of other neurons or samples.
    """
    if not len(a):
        raise ValueError(f"currents have shape {tuple(a.shape)}: give 1 time step or more")
    if state is None:
        zero = torch.zeros_like(a[0])
        return LIFState(zero, torch.full_like(zero, how.v_init), zero, zero)
    for name, values in zip(state._fields, state[:4], strict=False):
        check_carried(f"`{name}`", values, a)
    u, v, owed, rest = (values.to(a.dtype) for values in state[:4])
    return LIFState(u, v, owed, rest, state.step)


def check_carried(name: str, values: Tensor, a: Tensor) -> None:
    """Raise unless what is carried over from an earlier call is of the neurons of `a`."""
    if values.shape != a.shape[1:]:
        raise ValueError(
            f"{name} of the state has shape {tuple(values.shape)}, currents of shape "
            f"{tuple(a.shape)} need {tuple(a.shape[1:])}: start afresh where samples change"
        )


def is_owed(how: Conventions) -> bool:
    """Whether a reset is carried over to the next step; a late zero need not be, nobody sees it."""
    return how.reset_late and how.reset == "subtract" and how.emits != "nothing"


def threshold_rows(v_th: Constant, a: Tensor, step: int) -> Constant:
    """`v_th`; of a table (steps, *neurons) the rows of these steps, the last one repeated."""
    if not isinstance(v_th, Tensor) or v_th.ndim < a.ndim - 1:
        return v_th
    rows = torch.arange(step, step + a.shape[0], device=v_th.device)
    return v_th[rows.clamp(max=v_th.shape[0] - 1)]


def run_lif(
    a: Tensor,
    how: Conventions,
    decay_u: Constant,
    decay_v: Constant,
    v_th: Constant,
    bias: Constant,
    state: LIFState | None = None,
) -> tuple[Tensor, LIFState]:
    """The time loop of `LIF` with given constants; `how` supplies the conventions.

    Args:
        a: arriving current, (time, batch, *neurons).
        decay_u, decay_v, bias: numbers, or broadcast to the neurons. v_th: the same, or one row
            per step (steps, *neurons), of which the last stays.
        state: of an earlier call, to go on from; None for the first step.

    Returns:
        Output as `a`, and the state after it.
    """
    u, v, owed, rest, step = start_from(a, how, state)
    rows = threshold_rows(v_th, a, step)
    per_step, owes = rows is not v_th, is_owed(how)
    out = []
    for t, a_t in enumerate(a.unbind(0)):
        th = rows[t] if per_step and isinstance(rows, Tensor) else v_th
        if how.has_current:
            u = a_t = decay_u * u + a_t
        v = decay_v * v + a_t + bias
        if owes:
            v = v - owed
        if how.refractory:
            v = torch.where(rest > 0, 0.0, v)
            rest = (rest - 1).clamp(min=0)
        if how.emits == "nothing":
            out.append(v)
            continue
        s = fire(v - th, how.fires, how.spike)
        out.append(s * v if how.emits == "graded" else s)
        fired = s.detach() if how.detach_reset else s
        if how.refractory:
            rest = torch.where(s > 0, float(how.refractory), rest)
        if how.reset == "zero":  # late or at once: nobody sees the potential in between
            v = v * (1 - fired)
        elif owes:
            owed = th * fired
        elif how.reset == "subtract":
            v = v - th * fired
    return torch.stack(out), LIFState(u, v, owed, rest, step + a.shape[0])


def fire(x: Tensor, fires: Fires, spike: Callable[[Tensor], Tensor]) -> Tensor:
    """1 where `x > 0`, or for "reached" where `x >= 0`: one minus a spike of -x."""
    return spike(x) if fires == "above" else 1 - spike(-x)
