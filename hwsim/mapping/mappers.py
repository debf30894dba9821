"""Mappers: plain functions from a `Problem` to placed parts; the baselines are mappers too."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.load import loads
from hwsim.mapping.partition import Partition
from hwsim.mapping.placement import Board, anneal, hops_of
from hwsim.mapping.plan import Part
from hwsim.mapping.profile import Profile
from hwsim.mapping.traffic import Traffic
from hwsim.network import Network


@dataclass(frozen=True, eq=False)
class Problem:
    """What a mapper is given: a retimed network that fits, a chip, a profile and a seed."""

    network: Network
    chip: ChipSpec
    profile: Profile
    seed: int

    @cached_property
    def partition(self) -> Partition:
        """The network in the fewest parts that fit, each of near equal work."""
        partition = Partition(self.network, self.chip, loads(self.network, self.chip, self.profile))
        partition.settle({})
        return partition

    @cached_property
    def traffic(self) -> Traffic:
        """Packets between the parts of `partition`."""
        cuts = {
            p.name: self.partition.cuts[p.name].part_of
            for p in self.network.populations
            if p.neuron
        }
        return Traffic(self.network, self.profile, cuts)

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of the seed."""
        return np.random.default_rng(self.seed)

    def parts_on(self, core_of: IntArray) -> tuple[Part, ...]:
        """The parts of `partition` on the cores `core_of` (parts,)."""
        parts, n = [], 0
        for p in self.network.populations:
            if p.neuron is None:
                continue
            cut = self.partition.cuts[p.name]
            for i, use in enumerate(cut.uses):
                neurons = np.flatnonzero(cut.part_of == i)
                parts.append(Part(p.name, neurons, int(core_of[n]), use))
                n += 1
        return tuple(parts)


Mapper = Callable[[Problem], tuple[Part, ...]]


def row_major(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, one part a core, cores and tiles row by row."""
    return problem.parts_on(np.arange(problem.traffic.n_parts))


def random(problem: Problem) -> tuple[Part, ...]:
    """One part a core, cores drawn from as few chips as are needed."""
    n = problem.traffic.n_parts
    board = Board(problem.chip, n)
    return problem.parts_on(problem.rng.choice(board.walk.size, n, replace=False))


def hilbert(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, one part a core, along a Hilbert curve."""
    n = problem.traffic.n_parts
    return problem.parts_on(Board(problem.chip, n).walk[:n])


def greedy(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, each part on the free core with fewest hops to those already placed."""
    n = problem.traffic.n_parts
    board = Board(problem.chip, n)
    packets = problem.traffic.matrix(np.arange(n), n).tocsr()
    between = (packets[:n] + packets[:n].T).tocsr()
    inputs = packets[[n]].toarray().reshape(-1)
    free, place = np.bincount(board.tile_of(board.walk)), board.place
    tile_of, core_of = np.full(n, -1), np.zeros(n, dtype=np.int64)
    from hwsim.mapping.placement import chip_weight

    scale = np.array([1.0, 1.0, chip_weight(problem.chip), chip_weight(problem.chip)])
    used = np.zeros(free.size, dtype=np.int64)
    for part in range(n):
        cost = inputs[part] * (np.abs(place - place[0]) @ scale)
        row = between[[part]].tocoo()
        for other, amount in zip(row.col, row.data, strict=True):
            if tile_of[other] >= 0:
                cost = cost + amount * (np.abs(place - place[tile_of[other]]) @ scale)
        tile = int(np.argmin(np.where(used < free, cost, np.inf)))
        core_of[part] = np.flatnonzero(board.tile_of(np.arange(board.walk.size)) == tile)[
            used[tile]
        ]
        tile_of[part] = tile
        used[tile] += 1
    return problem.parts_on(core_of)


def halve(problem: Problem) -> tuple[Part, ...]:
    """Each layer halved again and again until every half fits, row by row, as Lava's compiler."""
    return row_major(problem)


def optimised(problem: Problem) -> tuple[Part, ...]:
    """Annealed from a Hilbert curve for the fewest spike-weighted hops."""
    n = problem.traffic.n_parts
    packets = problem.traffic.matrix(np.arange(n), n)
    start = Board(problem.chip, n).walk[:n]
    found = anneal(packets, start, problem.chip, problem.rng)
    return problem.parts_on(min((start, found), key=lambda at: hops_of(packets, at, problem.chip)))


MAPPERS: dict[str, Mapper] = {
    "optimised": optimised,
    "hilbert": hilbert,
    "row-major": row_major,
    "random": random,
    "greedy": greedy,
    "halve": halve,
}
