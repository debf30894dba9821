"""A plan: the retimed network, its runs of neurons on cores, and the routes between them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwsim.arrays import BoolArray, IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.partition import DoesNotFit, Use, partition
from hwsim.mapping.retime import retime
from hwsim.network import Network, Projection
from hwsim.neuron import FixedNeuron


@dataclass(frozen=True, slots=True)
class Part:
    """Neurons `start` to `stop` of a population, on one core; inputs have no core."""

    population: str
    start: int
    stop: int
    core: int | None
    use: Use | None


@dataclass(frozen=True, slots=True)
class Routes:
    """What one spike of each neuron of a population sends, arrays (neurons,).

    packets: one per core that listens. hops: router moves of all of them. far_ew, far_ns: hops
    of the longest single route.
    """

    packets: IntArray
    hops_ew: IntArray
    hops_ns: IntArray
    far_ew: IntArray
    far_ns: IntArray


@dataclass(frozen=True, eq=False)
class Plan:
    """A network on a chip.

    Attributes:
        network: with the chip's delays (each 1 or more). shift: steps by which a population runs
            late against the network that was compiled; its state is cleared at that step.
        parts: runs of neurons, inputs first.
    """

    chip: ChipSpec
    network: Network
    shift: dict[str, int]
    parts: tuple[Part, ...]

    @property
    def latency_steps(self) -> int:
        """Steps by which the slowest population runs late."""
        return max(self.shift.values())

    @cached_property
    def cores(self) -> tuple[int, ...]:
        """Cores in use."""
        return tuple(part.core for part in self.parts if part.core is not None)

    @cached_property
    def n_tiles(self) -> int:
        """Tiles with at least one core in use."""
        return len({self.chip.mesh.tile_xy(core) for core in self.cores})

    def parts_of(self, population: str) -> list[int]:
        """Indices of the parts of a population, in order of their neurons."""
        return [i for i, part in enumerate(self.parts) if part.population == population]

    def bounds(self, population: str) -> IntArray:
        """Neurons at which a population is cut, (parts + 1,)."""
        indices = self.parts_of(population)
        return np.array([self.parts[i].start for i in indices] + [self.parts[indices[-1]].stop])

    @cached_property
    def _fan_out(self) -> dict[int, IntArray]:
        return {}

    def fan_out(self, projection: Projection) -> IntArray:
        """Synapses of each source neuron on each part of the target, (sources, parts)."""
        key = self.network.projections.index(projection)
        if key not in self._fan_out:
            source, target = self.network[projection.source], self.network[projection.target]
            ends = [
                projection.synapses.fan_out(
                    source.shape, target.shape, self.parts[i].start, self.parts[i].stop
                )
                for i in self.parts_of(target.name)
            ]
            self._fan_out[key] = np.stack(ends, axis=1)
        return self._fan_out[key]

    @cached_property
    def routes(self) -> dict[str, Routes]:
        """Routes of every population, X before Y as the mesh routes."""
        return {p.name: self._routes_of(p.name) for p in self.network.populations}

    def _routes_of(self, name: str) -> Routes:
        size = self.network[name].size
        totals = np.zeros((5, size), dtype=np.int64)
        hears: dict[int, BoolArray] = {}
        for projection in self.network.out_of(name):
            for j, i in enumerate(self.parts_of(projection.target)):
                heard = self.fan_out(projection)[:, j] > 0
                hears[i] = hears.get(i, np.zeros(size, dtype=np.bool_)) | heard
        for start, stop, (x, y) in self._places(name):
            here = totals[:, start:stop]
            for i, heard in hears.items():
                core = self.parts[i].core
                assert core is not None
                to_x, to_y = self.chip.mesh.tile_xy(core)
                ew, ns = abs(to_x - x), abs(to_y - y)
                sent = heard[start:stop]
                here[:3] += sent * np.array([[1], [ew], [ns]])
                longer = sent * (ew + ns) > here[3] + here[4]
                here[3][longer], here[4][longer] = ew, ns
        return Routes(*totals)

    def _places(self, name: str) -> list[tuple[int, int, tuple[int, int]]]:
        """Runs of a population with the tile they send from; inputs enter at tile 0."""
        places = []
        for i in self.parts_of(name):
            part = self.parts[i]
            xy = (0, 0) if part.core is None else self.chip.mesh.tile_xy(part.core)
            places.append((part.start, part.stop, xy))
        return places


def compile_network(net: Network, chip: ChipSpec) -> Plan:
    """Retime, cut by the limits of a core, and place layer by layer, row by row.

    Raises:
        ValueError: if the network is not in the chip's integers (quantise it first).
        DoesNotFit: naming every limit of the chip that is broken.
    """
    if not net.is_integer:
        raise ValueError(f"the network is real, {chip.name} computes in integers: quantise it")
    retimed, shift = retime(net)
    _check_words(retimed, chip)
    runs = partition(retimed, chip.limits)
    parts = [Part(p.name, 0, p.size, None, None) for p in retimed.inputs]
    core = 0
    for population in retimed.populations:
        for start, stop, use in runs.get(population.name, []):
            parts.append(Part(population.name, start, stop, core, use))
            core += 1
    return Plan(chip, retimed, shift, tuple(parts))


def _check_words(net: Network, chip: ChipSpec) -> None:
    """Raise if weights, delays, payloads or resets are beyond the chip's words."""
    limits = chip.limits
    over = []
    for p in net.projections:
        where = f"{p.source} -> {p.target}"
        if p.word is not None and p.word.n_bits > limits.weight_bits:
            over.append(f"{where}: weights of {p.word.n_bits} bits of {limits.weight_bits}")
        if p.word is not None and p.word.message_bits > limits.message_bits:
            over.append(
                f"{where}: graded spikes of {p.word.message_bits} bits of {limits.message_bits} "
                "(bin the input to plain spikes)"
            )
        if p.delay.max() - 1 > limits.max_delay:
            over.append(f"{where}: delay {p.delay.max() - 1} of {limits.max_delay} steps")
    for population in net.populations:
        neuron = population.neuron
        if isinstance(neuron, FixedNeuron) and neuron.reset not in limits.resets:
            over.append(f"{population.name}: reset {neuron.reset!r}, it has {limits.resets}")
    if over:
        raise DoesNotFit(f"the network does not fit {chip.name}: " + "; ".join(over))
