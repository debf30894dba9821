"""Memory that delays take: a field in every synapse, and a ring of sums for input on its way.

    fields  = synapses x bits of a delay field
    pending = neurons x steps of the longest delay x bits of a sum

A layer whose spikes all take one step has neither. Fields are part of the memory of synapses that
a core's limit counts; where a chip keeps its rings is said by its file (`limits.pending_input`).
"""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import IntArray
from hwsim.mapping.memory import delay_width, kernel_taps, longest_delay, pending_bits
from hwsim.mapping.plan import Plan
from hwsim.network import Projection
from hwsim.synapses import Conv2d


@dataclass(frozen=True, slots=True)
class DelayBits:
    """Bits of delay fields, and of rings of pending input; None if those are not known."""

    fields: int = 0
    pending: int | None = 0

    def __add__(self, other: "DelayBits") -> "DelayBits":
        known = self.pending is not None and other.pending is not None
        pending = (self.pending or 0) + (other.pending or 0) if known else None
        return DelayBits(self.fields + other.fields, pending)

    @property
    def total(self) -> int | None:
        """Bits of both; None if one is not known."""
        return None if self.pending is None else self.fields + self.pending


@dataclass(frozen=True, slots=True)
class LayerDelays:
    """A layer that hears delays.

    Attributes:
        steps: of the longest on the chip, where every spike takes one at least.
        values: different delays of its synapses, the most of a projection. field_bits: of one
            synapse, the most of a projection. bits: of all its cores.
    """

    layer: str
    steps: int
    values: int
    field_bits: int
    bits: DelayBits


@dataclass(frozen=True, slots=True)
class DelayMemory:
    """Delay memory of a plan: by layer, by core, and of all. Those without delays are left out."""

    layers: tuple[LayerDelays, ...]
    cores: dict[int, DelayBits]
    total: DelayBits


def delay_memory(plan: Plan) -> DelayMemory:
    """Count the memory that the delays of a plan take."""
    net, layers = plan.network, []
    cores: dict[int, DelayBits] = {}
    for population in net.populations:
        into = [p for p in net.into(population.name) if p.delay.max() > 1]
        if not into:
            continue
        parts, found = plan.parts_of(population.name), []
        per_neuron = pending_bits(net, population.name, plan.chip.limits)
        fields = sum(_field_bits(plan, p) for p in into)
        for i, own in zip(parts, np.broadcast_to(fields, len(parts)).tolist(), strict=True):
            part = plan.parts[i]
            ring = None if per_neuron is None else part.neurons.size * per_neuron
            found.append(DelayBits(own, ring))
            if part.core is not None:
                cores[part.core] = cores.get(part.core, DelayBits()) + found[-1]
        layers.append(
            LayerDelays(
                population.name,
                longest_delay(net, population.name),
                max(np.unique(p.delay).size for p in into),
                max(delay_width(p, plan.chip.limits.synapse_format) for p in into),
                sum(found, start=DelayBits()),
            )
        )
    total = sum((layer.bits for layer in layers), start=DelayBits())
    return DelayMemory(tuple(layers), dict(sorted(cores.items())), total)


def _field_bits(plan: Plan, p: Projection) -> IntArray:
    """Bits of the delay fields of a projection, (parts of its target,)."""
    form = plan.chip.limits.synapse_format
    if isinstance(p.synapses, Conv2d) and form.shares_kernels:
        part_of, n_parts = plan.part_of(p.target), len(plan.parts_of(p.target))
        taps = kernel_taps(p.synapses, part_of, n_parts).sum(axis=0)
        stored = taps * p.synapses.weight.shape[1]
    else:
        stored = np.asarray(plan.fan_out(p).sum(axis=0)).reshape(-1)
    bits: IntArray = stored.astype(np.int64) * delay_width(p, form)
    return bits
