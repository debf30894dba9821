"""A plan: the retimed network, its parts on cores, and the routes between them."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.use import Use
from hwsim.mapping.ways import Ways, ways_of
from hwsim.network import Network, Projection


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

    packets: one per core that listens. hops: router moves of all of them.
    """

    packets: IntArray
    hops_ew: IntArray
    hops_ns: IntArray
    hops_chip: IntArray


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
        return list(self._parts_of.get(population, ()))

    @cached_property
    def _parts_of(self) -> dict[str, list[int]]:
        out: dict[str, list[int]] = {}
        for i, part in enumerate(self.parts):
            out.setdefault(part.population, []).append(i)
        return out

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
    def _fan_out(self) -> dict[Projection, csr_array]:
        return {}

    def fan_out(self, projection: Projection) -> csr_array:
        """Synapses of each source neuron on each part of the target, (sources, target's parts)."""
        if projection not in self._fan_out:
            source, target = self.network[projection.source], self.network[projection.target]
            n_parts = len(self.parts_of(target.name))
            self._fan_out[projection] = projection.synapses.fan_out(
                source.shape, target.shape, self.part_of(target.name), n_parts
            )
        return self._fan_out[projection]

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
        core = self._cores_of_parts[part]
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

    @cached_property
    def ways(self) -> Ways:
        """The links that packets take, and the slowest of their routes."""
        return ways_of(self)

    def _routes_of(self, name: str) -> Routes:
        heard = self.listeners(name).tocoo()
        at = self._places
        own = np.array(self.parts_of(name))[self.part_of(name)]
        ew, ns, over_x, over_y = np.abs(at[heard.col] - at[own[heard.row]]).T
        n = heard.shape[0]

        def total(hops: IntArray) -> IntArray:
            return np.bincount(heard.row, hops, n).astype(np.int64)

        return Routes(total(np.ones_like(ew)), total(ew), total(ns), total(over_x + over_y))

    @cached_property
    def _cores_of_parts(self) -> IntArray:
        return np.array([-1 if part.core is None else part.core for part in self.parts])

    @cached_property
    def _places(self) -> IntArray:
        """Tile and chip of every part, (parts, 4); inputs enter at tile 0."""
        tile_xy, chip_xy = self.chip.tile_xy, self.chip.chip_xy
        cores = [part.core for part in self.parts]
        return np.array([(0,) * 4 if c is None else tile_xy(c) + chip_xy(c) for c in cores])
