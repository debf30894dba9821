"""From real numbers to the chip's integers: one scale per population, weights even and 8 bit.

With scale S of a population, a weight w is stored as the nearest multiple of the word's step to
`w S`, the threshold as `round(v_th S)`, the bias as `round(64 S bias)` split into mantissa and
exponent; the chip's current and potential are then `64 S u` and `64 S v`. Decays are rounded to
12 bits. The scale is the largest at which weights, threshold, bias and the calibrated range of
the potential fit their words.

A graded spike carries `v >> 6`, that is `S v` of its own population: behind a source of scale S'
a weight is `w S / S'`, and the word's exponent makes it as fine as 8 bits allow.
"""

from dataclasses import dataclass, replace

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.chips.spec import ChipSpec, Limits
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import (
    BIAS_EXP_MAX,
    BIAS_MANT_MAX,
    DECAY_MAX,
    REFRACTORY_MAX,
    V_TH_MAX,
    FixedNeuron,
    Neuron,
)
from hwsim.simulation import simulate
from hwsim.synapses import with_weight

V_HEADROOM = 0.5  # calibrated potentials use at most this part of the 24-bit range
V_RANGE = (1 << 17) * V_HEADROOM  # in units of the threshold mantissa
PAYLOAD_BITS = 17  # of `v >> 6`, v having 23 bits and no sign where it fires
EXP_RANGE = (-8, 7)  # of a word


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a population was carried over: `exact`, `approximate` or `unsupported`, and why."""

    population: str
    verdict: str
    reason: str
    rms_weight_error: float | None  # relative to the rms weight; None: not measured


def decay_u_to_du(decay_u: AnyArray | float) -> IntArray:
    """12-bit word of a current's decay: `decay_u = (4095 - du) / 4096`."""
    du = DECAY_MAX - np.rint(4096 * np.asarray(decay_u))
    return np.asarray(np.clip(du, 0, DECAY_MAX), dtype=np.int64)


def decay_v_to_dv(decay_v: AnyArray | float) -> IntArray:
    """12-bit word of a potential's decay: `decay_v = (4096 - dv) / 4096`."""
    dv = 4096 - np.rint(4096 * np.asarray(decay_v))
    return np.asarray(np.clip(dv, 0, DECAY_MAX), dtype=np.int64)


def bias_to_words(bias: FloatArray) -> tuple[IntArray, IntArray]:
    """Mantissa and exponent of `bias` in units of the potential (64 S): the smallest exponent."""
    magnitude = np.abs(np.rint(bias))
    exp = np.zeros(bias.shape, dtype=np.int64)
    for e in range(1, BIAS_EXP_MAX + 1):
        exp[np.rint(magnitude / 2.0 ** (e - 1)) > BIAS_MANT_MAX] = e
    return np.rint(bias / 2.0**exp).astype(np.int64), exp


def quantize_weights(weight: AnyArray, scale: float, word: WeightWord) -> IntArray:
    """Nearest storable integers to `weight * scale`."""
    low, high = word.range
    return np.clip(np.rint(weight * scale / word.step) * word.step, low, high).astype(np.int64)


def choose_scales(net: Network, chip: ChipSpec, samples: AnyArray) -> dict[str, float]:
    """Scale of every population with neurons, from its words and a run on calibration samples."""
    run = simulate(net, samples, record=("spikes", "v"))
    word = WeightWord(n_bits=min(8, chip.limits.weight_bits))
    scales = {}
    for p in net.populations:
        if isinstance(p.neuron, Neuron):
            v_max = float(np.abs(run.v[p.name]).max(initial=0.0))
            if p.neuron.emits == "graded":  # potentials that fired, before their reset
                v_max = max(v_max, float(np.abs(run.spikes[p.name]).max(initial=0.0)))
            scales[p.name] = _scale(net, p, p.neuron, word, v_max)
    return scales


def _scale(net: Network, pop: Population, neuron: Neuron, word: WeightWord, v_max: float) -> float:
    largest = max(
        (
            float(np.abs(p.synapses.weight * p.gain.max()).max(initial=0.0))
            for p in net.into(pop.name)
            if not _is_graded(net[p.source])  # an exponent makes room for their weights
        ),
        default=0.0,
    )
    limits = [word.range[1] / largest if largest else np.inf]
    if neuron.emits != "nothing":
        limits.append(V_TH_MAX / max(float(np.abs(neuron.v_th).max()), 1e-30))
    bias = float(np.abs(neuron.bias).max(initial=0.0))
    if bias:
        limits.append((BIAS_MANT_MAX << BIAS_EXP_MAX) / 64 / bias)
    if v_max:
        limits.append(V_RANGE / v_max)
    scale = min(limits)
    return float(scale) if np.isfinite(scale) else 1.0


def quantize(
    net: Network,
    chip: ChipSpec,
    samples: AnyArray,
    *,
    scales: dict[str, float] | None = None,
) -> tuple[Network, tuple[Verdict, ...]]:
    """A real network in the integers of `chip`, and how faithfully each layer got there.

    Args:
        samples: calibration input, (samples, steps, *input shape).
        scales: of each population, instead of choosing them.

    Raises:
        ValueError: if a population uses what the chip's arithmetic has not: thresholds per step
            or below 0, a longer refractory time or graded spikes than it has.
    """
    if net.is_integer:
        raise ValueError("the network is in integers already")
    scales = scales or choose_scales(net, chip, samples)
    word = WeightWord(n_bits=min(8, chip.limits.weight_bits))
    projections = tuple(_quantize_projection(net, p, scales, word) for p in net.projections)
    populations = tuple(
        Population(p.name, p.shape, fixed_neuron(p, _prompt(p.neuron), scales[p.name], chip.limits))
        if isinstance(p.neuron, Neuron)
        else p
        for p in net.populations
    )
    qnet = Network(populations, projections, net.dt_s, net.output)
    return qnet, tuple(_verdict(net, qnet, p, scales) for p in net.populations if p.neuron)


def _is_late(neuron: object) -> bool:
    """Whether the threshold is taken off one step late, after a leak: no chip does that."""
    return isinstance(neuron, Neuron) and neuron.reset_late and neuron.reset == "subtract"


def _prompt(neuron: Neuron) -> Neuron:
    """The neuron that takes its threshold off in the step of the spike."""
    return replace(neuron, reset_late=False) if _is_late(neuron) else neuron


def _quantize_projection(
    net: Network, p: Projection, scales: dict[str, float], word: WeightWord
) -> Projection:
    if p.gain.ndim:
        raise ValueError(
            f"projection {p.source} -> {p.target}: a gain per step cannot be folded into weights"
        )
    wanted = p.synapses.weight * float(p.gain)
    scale = scales[p.target]
    if _is_graded(net[p.source]):
        scale /= scales[p.source]
        exp = _exponent(float(np.abs(wanted).max(initial=0.0)) * scale, word)
        scale /= 2.0**exp
        word = replace(word, exp=exp, message_bits=PAYLOAD_BITS)
    weight = quantize_weights(wanted, scale, word)
    return Projection.of(
        p.source, p.target, with_weight(p.synapses, weight), delay=p.delay, word=word
    )


def _is_graded(pop: Population) -> bool:
    return pop.neuron is not None and pop.neuron.emits == "graded"


def _exponent(largest: float, word: WeightWord) -> int:
    """The smallest exponent of a word that still holds a weight: the finest steps."""
    low, high = EXP_RANGE
    if largest == 0:
        return 0
    return int(np.clip(np.ceil(np.log2(largest / word.range[1])), low, high))


def fixed_neuron(
    pop: Population, neuron: Neuron, scale: float, limits: Limits | None = None
) -> FixedNeuron:
    """The integers of a population's real neuron at a scale.

    Args:
        limits: of the chip; without, only the words themselves are.

    Raises:
        ValueError: naming what the chip's neurons have not.
    """
    graded = limits is None or ("graded" in limits.neurons and limits.message_bits >= PAYLOAD_BITS)
    longest = REFRACTORY_MAX if limits is None else limits.refractory_max
    missing = {
        "a threshold per step": neuron.v_th.ndim > len(pop.shape),
        f"a refractory time of {neuron.refractory} steps (of {longest})": (
            neuron.refractory > longest
        ),
        f"graded spikes of {PAYLOAD_BITS} bits": neuron.emits == "graded" and not graded,
        "a late subtracting reset": _is_late(neuron),
        "a threshold below 0, so it sends in every step": neuron.emits != "nothing"
        and bool((neuron.v_th < 0).any()),
        "an initial potential": bool((neuron.v_init != 0).any()),
    }
    found = [what for what, there in missing.items() if there]
    if found:
        raise ValueError(
            f"layer {pop.name!r} has {' and '.join(found)}, which the chip's neurons have not: "
            "train without"
        )
    mant, exp = bias_to_words(np.asarray(64 * scale * neuron.bias))
    silent = neuron.emits == "nothing"
    try:
        return FixedNeuron.of(
            du=decay_u_to_du(neuron.decay_u),
            dv=decay_v_to_dv(neuron.decay_v),
            v_th=V_TH_MAX if silent else np.rint(neuron.v_th * scale),
            bias_mant=mant,
            bias_exp=exp,
            reset="none" if silent else neuron.reset,
            emits=neuron.emits,
            refractory=0 if silent else neuron.refractory,
        )
    except ValueError as error:
        raise ValueError(f"layer {pop.name!r}: {error}") from error


def _verdict(net: Network, qnet: Network, pop: Population, scales: dict[str, float]) -> Verdict:
    scale = scales[pop.name]
    wanted, got = [], []
    for p, q in zip(net.into(pop.name), qnet.into(pop.name), strict=True):
        assert q.word is not None
        unit = scales[p.source] if _is_graded(net[p.source]) else 1.0
        wanted.append(np.ravel(p.synapses.weight * float(p.gain)))
        got.append(np.ravel(q.synapses.weight) * 2.0**q.word.exp * unit / scale)
    w, g = np.concatenate([*wanted, [0.0]]), np.concatenate([*got, [0.0]])
    rms = float(np.sqrt(np.mean(w**2)))
    error = float(np.sqrt(np.mean((w - g) ** 2))) / rms if rms else 0.0
    rounded = [f"weights rounded, {error:.2%} rms"] if error else []
    words = _rounded_words(pop.neuron, qnet[pop.name].neuron, scale)
    rounded += [f"{' and '.join(words)} rounded to the chip's words"] if words else []
    rounded += ["payloads cut to whole numbers"] if _is_graded(pop) else []
    if _is_late(pop.neuron):
        rounded.append("the threshold is taken off in the step of a spike, here after a leak")
    if not rounded:
        return Verdict(pop.name, "exact", "every word holds its value", 0.0)
    return Verdict(pop.name, "approximate", "; ".join(rounded), error)


def _rounded_words(real: object, fixed: object, scale: float) -> list[str]:
    """Which of a neuron's constants the chip's words do not hold exactly."""
    assert isinstance(real, Neuron)
    assert isinstance(fixed, FixedNeuron)
    decays = np.array_equal((DECAY_MAX - fixed.du) / 4096, real.decay_u) and np.array_equal(
        (4096 - fixed.dv) / 4096, real.decay_v
    )
    threshold = real.emits == "nothing" or (
        real.fires == "above" and np.allclose(real.v_th * scale, fixed.v_th, rtol=1e-12, atol=0)
    )
    bias = np.allclose(64 * scale * real.bias, fixed.bias, rtol=1e-12, atol=0)
    held = {"decays": decays, "threshold": threshold, "bias": bias}
    return [name for name, exact in held.items() if not exact]
