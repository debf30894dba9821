"""A plan: the retimed network, its runs of neurons on cores, and the routes between them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.partition import DoesNotFit, Use, partition
from hwsim.mapping.retime import retime
from hwsim.network import Network, Projection
from hwsim.neuron import FixedNeuron


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Some neurons of a population, on one core; inputs have no core. A core may hold several.

    Attributes:
        neurons: their indices in the population, ascending.
    """

    population: str
    neurons: IntArray
    core: int | None
    use: Use | None


@dataclass(frozen=True, slots=True)
class Routes:
    """What one spike of each neuron of a population sends, arrays (neurons,).

    packets: one per core that listens. hops: router moves of all of them. far: hops of the
    longest single route.
    """

    packets: IntArray
    hops_ew: IntArray
    hops_ns: IntArray
    hops_chip: IntArray
    far_ew: IntArray
    far_ns: IntArray
    far_chip: IntArray


@dataclass(frozen=True, eq=False)
class Plan:
    """A network on a chip.

    Attributes:
        network: with the chip's delays (each 1 or more). shift: steps by which a population runs
            late against the network that was compiled; its state is cleared at that step.
        parts: inputs first.
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
        return tuple(sorted({part.core for part in self.parts if part.core is not None}))

    @cached_property
    def n_tiles(self) -> int:
        """Tiles with at least one core in use."""
        return len({self.chip.tile_xy(core) for core in self.cores})

    @cached_property
    def n_chips(self) -> int:
        """Chips with at least one core in use."""
        return max(1, len({self.chip.chip_of(core) for core in self.cores}))

    def parts_of(self, population: str) -> list[int]:
        """Indices of the parts of a population."""
        return [i for i, part in enumerate(self.parts) if part.population == population]

    def part_of(self, population: str) -> IntArray:
        """Which of its population's parts (0, 1, ...) each neuron belongs to, (neurons,)."""
        out = np.zeros(self.network[population].size, dtype=np.int64)
        for j, i in enumerate(self.parts_of(population)):
            out[self.parts[i].neurons] = j
        return out

    def runs(self, population: str) -> tuple[IntArray, IntArray]:
        """Runs of neighbouring neurons on one part: their bounds (runs + 1,), parts (runs,)."""
        part = self.part_of(population)
        cuts = np.flatnonzero(np.diff(part)) + 1
        return np.concatenate([[0], cuts, [part.size]]), part[np.concatenate([[0], cuts])]

    @cached_property
    def _fan_out(self) -> dict[int, csr_array]:
        return {}

    def fan_out(self, projection: Projection) -> csr_array:
        """Synapses of each source neuron on each part of the target, (sources, target's parts)."""
        key = self.network.projections.index(projection)
        if key not in self._fan_out:
            source, target = self.network[projection.source], self.network[projection.target]
            n_parts = len(self.parts_of(target.name))
            self._fan_out[key] = projection.synapses.fan_out(
                source.shape, target.shape, self.part_of(target.name), n_parts
            )
        return self._fan_out[key]

    def listeners(self, population: str) -> csr_array:
        """1 where a neuron's packets arrive, (neurons, parts): a core's first part that hears it.

        A spike is one packet per core that holds at least one of its synapses.
        """
        size = self.network[population].size
        rows, columns = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for projection in self.network.out_of(population):
            heard = self.fan_out(projection).tocoo()
            rows.append(heard.row)
            columns.append(np.array(self.parts_of(projection.target))[heard.col])
        row, part = np.concatenate(rows), np.concatenate(columns)
        core = np.array([-1 if p.core is None else p.core for p in self.parts])[part]
        order = np.lexsort((part, core, row))
        row, part, core = row[order], part[order], core[order]
        first = np.ones(row.size, dtype=bool)
        first[1:] = (row[1:] != row[:-1]) | (core[1:] != core[:-1])
        ones = np.ones(int(first.sum()), dtype=np.int64)
        return csr_array((ones, (row[first], part[first])), shape=(size, len(self.parts)))

    @cached_property
    def routes(self) -> dict[str, Routes]:
        """Routes of every population, X before Y as the mesh routes; inputs enter at tile 0."""
        return {p.name: self._routes_of(p.name) for p in self.network.populations}

    def _routes_of(self, name: str) -> Routes:
        heard = self.listeners(name).tocoo()
        at = np.array([self._xy(part.core) for part in self.parts])  # (parts, 4)
        own = np.array(self.parts_of(name))[self.part_of(name)]
        ew, ns, over_x, over_y = np.abs(at[heard.col] - at[own[heard.row]]).T
        n = heard.shape[0]

        def total(hops: IntArray) -> IntArray:
            return np.bincount(heard.row, hops, n).astype(np.int64)

        far = np.zeros((3, n), dtype=np.int64)
        order = np.lexsort((ew, ew + ns, heard.row))
        last = np.ones(order.size, dtype=bool)
        last[:-1] = np.diff(heard.row[order]) > 0
        ends = order[last]
        far[:, heard.row[ends]] = ew[ends], ns[ends], (over_x + over_y)[ends]
        return Routes(total(np.ones_like(ew)), total(ew), total(ns), total(over_x + over_y), *far)

    def _xy(self, core: int | None) -> tuple[int, int, int, int]:
        """Tile and chip of a core; inputs enter at tile 0."""
        return (0, 0, 0, 0) if core is None else self.chip.tile_xy(core) + self.chip.chip_xy(core)


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
    parts = [Part(p.name, np.arange(p.size), None, None) for p in retimed.inputs]
    core = 0
    for population in retimed.populations:
        for start, stop, use in runs.get(population.name, []):
            parts.append(Part(population.name, np.arange(start, stop), core, use))
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
