"""Limits of single numbers: weights, delays, thresholds, biases, and the kinds of neurons."""

from collections.abc import Iterator

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.chips.spec import ChipSpec, Limits
from hwsim.mapping.violation import Violation
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FixedNeuron, IntegerNeuron


def check_words(net: Network, chip: ChipSpec) -> Iterator[Violation]:
    """Every weight, delay, threshold, ... of a retimed network that the chip cannot hold."""
    for p in net.projections:
        yield from _of_projection(p, chip.limits)
    for population in net.populations:
        if population.neuron is not None:
            yield from _of_neurons(population, chip.limits)


def _of_projection(p: Projection, limits: Limits) -> Iterator[Violation]:
    where = f"{p.source} -> {p.target}"
    assert p.word is not None
    if p.word.n_bits > limits.weight_bits:
        remedy = f"train or quantise it to {limits.weight_bits} bits"
        yield Violation(where, "weight_bits", p.word.n_bits, limits.weight_bits, remedy)
    if p.word.message_bits > limits.message_bits:
        remedy = "bin graded spikes to plain ones" if not limits.message_bits else "scale them down"
        yield Violation(where, "message_bits", p.word.message_bits, limits.message_bits, remedy)
    if (longest := int(p.delay.max()) - 1) > limits.max_delay:
        remedy = (
            "shorten the delay (`neuro deploy --max-delay`, hwsim.quantize_delays), or relay it "
            "through a layer"
        )
        yield Violation(where, "max_delay", longest, limits.max_delay, remedy)


def _of_neurons(pop: Population, limits: Limits) -> Iterator[Violation]:
    neuron, rescale = pop.neuron, "scale the layer's weights, threshold and bias down together"
    ranges = {
        "v_th": ("v_th_max", rescale),
        "v_th_low": ("v_th_max", rescale),
        "bias_mant": ("bias_mant_max", "raise the bias exponent, or " + rescale),
        "bias_exp": ("bias_exp_max", rescale),
        "refractory": ("refractory_max", "shorten the refractory time"),
    }
    for field, (limit, remedy) in ranges.items():
        value = getattr(neuron, field, None) if isinstance(neuron, FixedNeuron) else None
        used, allowed = 0 if value is None else _largest(value), getattr(limits, limit)
        if used > allowed:
            yield Violation(pop.name, limit, used, allowed, remedy)
    reset = getattr(neuron, "reset", None)
    if reset is not None and reset not in limits.resets:
        remedy = "train with a reset that the chip has"
        yield Violation(pop.name, "resets", reset, ", ".join(limits.resets), remedy)
    kind = neuron.kind if isinstance(neuron, IntegerNeuron) else "spikes"
    if kind not in limits.neurons:
        remedy = "use a chip whose neurons can be programmed"
        yield Violation(pop.name, "neurons", kind, ", ".join(limits.neurons), remedy)


def _largest(value: AnyArray | int) -> int:
    """Largest magnitude of an integer or an array of them; -4096 counts as 4095 of 13 bits."""
    array = np.asarray(value)
    return max(int(array.max(initial=0)), -int(array.min(initial=0)) - 1)
