"""NIR's neurons in continuous time as one step of ours."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.formats.nir_graph import SPIKING, Node
from hwsim.neuron import Fires, Neuron, Reset
from hwsim.synapses import Shape

Discretise = Literal["euler", "exact"]
DISCRETISATIONS = ("euler", "exact")
SINGLE = 2.0**-21  # what a few roundings of a float32 may add up to
LOWEST = float(np.finfo(np.float64).min)  # below any potential: a neuron that always sends


@dataclass(frozen=True, slots=True)
class Convention:
    """What NIR leaves open: the step, how it is taken, what a spike and its reset are.

    Attributes:
        rests: a late reset to zero drops what arrives in its step, too; of all nodes but a LIF
            without a loop of its own, as in snnTorch.
    """

    dt: float
    discretise: Discretise = "euler"
    reset: Reset = "zero"
    reset_late: bool = False
    fires: Fires = "above"
    rests: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A neuron, the factor on all that reaches it, and whether NIR means exactly this.

    Attributes:
        unsupported: why there is no such neuron; "" if there is.
    """

    neuron: Neuron
    factor: FloatArray
    approximate: str = ""
    note: str = ""
    unsupported: str = ""


def relay() -> Neuron:
    """A layer without memory that sends the sum of each step."""
    return Neuron.of(decay_v=0, v_th=LOWEST, reset="none", emits="graded")


def constant() -> Neuron:
    """A neuron that spikes in every step: biases that arrive late or through a current."""
    return Neuron.of(decay_v=0, v_th=0.5, bias=1.0)


def neuron_of(node: Node, shape: Shape, how: Convention, *, reads_out: bool) -> Found:
    """One step of a neuron.

    With `k = dt / tau` (Euler) or `1 - exp(-dt / tau)` (exact):
    `v <- (1 - k) v + k (v_leak + r I)`, and of CubaLI(F) first
    `I <- (1 - k_syn) I + k_syn w_in S`; I and IF have `v <- v + dt r I`.
    A reset to `v_reset` is one to zero of `v - v_reset`.

    Constants in float32 are ratios that their framework rounded: a `k r` that only these roundings
    keep from 1 is 1, else a sum of weights that is the threshold would come to lie above it.
    """
    p = node.parameters()
    if node.kind == "Threshold":
        neuron = Neuron.of(decay_v=0, v_th=_simple(p["threshold"], shape), fires=how.fires)
        return Found(neuron, np.ones(1))
    kept_u, gain_u = _kept(node, p["tau_syn"], how) if "tau_syn" in p else (np.zeros(1), 1.0)
    tau = p.get("tau", p.get("tau_mem"))
    kept_v, gain = (np.ones(1), how.dt) if tau is None else _kept(node, tau, how)
    factor = np.asarray(gain * p["r"] * gain_u * p.get("w_in", 1.0))
    if _is_single(node):
        factor = np.where(np.abs(factor - 1) < SINGLE, 1.0, factor)
    fields: dict[str, Any] = {
        "decay_u": _simple(kept_u, shape),
        "decay_v": _simple(kept_v, shape),
        "bias": _simple(gain * p.get("v_leak", np.zeros(1)), shape),
    }
    worst = min(kept_u.min(), kept_v.min())
    if worst < 0:
        why = (
            f"a step of {how.dt:g} is longer than a time constant (Euler would keep {worst:.3g} of "
            "the state): shorten `dt`, or discretise exactly"
        )
        return Found(Neuron.of(), factor, unsupported=why)
    if kept_u.max() >= 1:
        return Found(Neuron.of(), factor, unsupported="`tau_syn` is too long for this step")
    found = Found(Neuron.of(**fields), factor)
    if "tau_syn" in p and how.discretise == "exact":
        why = "the current is held over a step, while the membrane follows it exactly"
        found = replace(found, approximate=why)
    if node.kind in SPIKING:
        return _spiking(found, fields, p, shape, how)
    if reads_out:
        return replace(found, neuron=Neuron.of(**fields, reset="none", emits="nothing"))
    neuron = Neuron.of(**fields, v_th=LOWEST, reset="none", emits="graded")
    return replace(found, neuron=neuron, note="sends its potential in every step")


def _spiking(
    found: Found, fields: dict[str, Any], p: dict[str, AnyArray], shape: Shape, how: Convention
) -> Found:
    v_th, v_reset = np.broadcast_arrays(p["v_threshold"], p["v_reset"])
    note = ""
    if v_reset.any() and how.reset != "zero":
        why = f"`v_reset` is not 0, and the reset is {how.reset!r}: reset to zero"
        return replace(found, unsupported=why)
    if v_reset.any():
        rest = _simple(v_reset, shape)
        fields["bias"] = fields["bias"] - (1 - fields["decay_v"]) * rest
        fields["v_init"] = -rest
        note = "potentials are counted from `v_reset`"
    fields["v_th"] = _simple(v_th - v_reset, shape)
    drops = how.rests and how.reset_late and how.reset == "zero"
    neuron = Neuron.of(
        **fields,
        reset=how.reset,
        reset_late=how.reset_late and not drops,
        fires=how.fires,
        refractory=int(drops),
    )
    return replace(found, neuron=neuron, note=note)


def _kept(node: Node, tau: FloatArray, how: Convention) -> tuple[FloatArray, Any]:
    """What is kept of a state per step, and what is taken of its input."""
    if tau.min() <= 0:
        raise ValueError(f"a time constant of node {node.name!r} is {tau.min():g}, must be above 0")
    ratio = how.dt / tau
    if _is_single(node):
        with np.errstate(all="ignore"):  # beyond float32 it is no better
            rounded = np.float64(np.float32(how.dt) / tau.astype(np.float32))
            ratio = np.where(np.abs(rounded - ratio) < SINGLE * ratio, rounded, ratio)
    gain = ratio if how.discretise == "euler" else -np.expm1(-ratio)
    return 1 - gain, gain


def _is_single(node: Node) -> bool:
    """Whether a neuron's constants were rounded to float32 before they were written."""
    return np.asarray(node.fields.get("r")).dtype == np.float32


def _simple(values: AnyArray, shape: Shape) -> FloatArray:
    """One number where all are alike, else one per neuron."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    if not np.ptp(flat):
        return np.asarray(flat[0])
    return flat.reshape(shape)
