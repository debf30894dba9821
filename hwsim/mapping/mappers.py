"""Mappers: plain functions from a `Problem` to placed parts; the baselines are mappers too."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.halving import halve_until_it_fits
from hwsim.mapping.partition import Partition
from hwsim.mapping.placement import Board, nearest_free, place
from hwsim.mapping.plan import Part
from hwsim.mapping.profile import Profile
from hwsim.mapping.sharing import share
from hwsim.mapping.spreading import spread
from hwsim.mapping.traffic import traffic_of
from hwsim.mapping.violation import DoesNotFit, Violation


@dataclass(frozen=True, eq=False)
class Problem:
    """What a mapper is given: a network that fits, a profile and a seed.

    Attributes:
        fewest: the retimed network and the chip, cut into the fewest parts that fit.
    """

    fewest: Partition
    profile: Profile | None
    seed: int

    @property
    def chip(self) -> ChipSpec:
        """The chip, as many of them as there are."""
        return self.fewest.chip

    @property
    def weights(self) -> Profile:
        """The profile; without one every neuron fires alike."""
        return self.profile or Profile.uniform(self.fewest.net)

    @cached_property
    def partition(self) -> Partition:
        """The network cut into parts that fit.

        With a profile the slowest layers get more parts than the fewest, on the same chips, as
        long as that saves energy times delay; without one, nothing is known of time.
        """
        if self.profile is None:
            return self.fewest
        more = self.fewest.again()
        if more.settle(spread(self.fewest, self.profile)):
            return self.fewest
        chips = [-(-each.n_parts // self.chip.limits.cores) for each in (self.fewest, more)]
        return more if chips[1] <= chips[0] else self.fewest

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of the seed."""
        return np.random.default_rng(self.seed)


Mapper = Callable[[Problem], tuple[Part, ...]]


def parts_on(partition: Partition, core_of: IntArray) -> tuple[Part, ...]:
    """The parts of a partition, in the network's order, on the cores `core_of` (parts,)."""
    parts, cores = [], iter(core_of.tolist())
    for p in partition.net.populations:
        if p.neuron is not None:
            cut = partition.cuts[p.name]
            ends = np.cumsum(np.bincount(cut.part_of))[:-1]
            held = np.split(np.argsort(cut.part_of, kind="stable"), ends)
            for neurons, use in zip(held, cut.uses, strict=True):
                parts.append(Part(p.name, neurons, next(cores), use))
    return tuple(parts)


def _board(problem: Problem, n_cores: int) -> Board:
    """Chips for one part a core.

    Raises:
        DoesNotFit: if there are too few; `optimised` may still fit, since its parts share cores.
    """
    most = problem.chip.n_cores
    if n_cores > most:
        layer = max(problem.partition.cuts.items(), key=lambda item: item[1].n_parts)[0]
        remedy = "let parts share cores: use the mapper `optimised`"
        raise DoesNotFit(problem.chip.name, (Violation(layer, "cores", n_cores, most, remedy),))
    return Board(problem.chip, n_cores)


def row_major(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, one part a core, cores and tiles row by row."""
    board = _board(problem, problem.partition.n_parts)
    return parts_on(problem.partition, np.arange(board.n_cores))


def random(problem: Problem) -> tuple[Part, ...]:
    """One part a core, cores drawn from as few chips as are needed."""
    board = _board(problem, problem.partition.n_parts)
    return parts_on(
        problem.partition, problem.rng.choice(board.walk.size, board.n_cores, replace=False)
    )


def hilbert(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, one part a core, along a Hilbert curve."""
    board = _board(problem, problem.partition.n_parts)
    return parts_on(problem.partition, board.walk[: board.n_cores])


def greedy(problem: Problem) -> tuple[Part, ...]:
    """Layer by layer, each part on the free core with fewest hops to those already placed."""
    board = _board(problem, problem.partition.n_parts)
    traffic = traffic_of(problem.partition, problem.weights)
    packets = traffic.matrix(np.arange(board.n_cores), board.n_cores)
    return parts_on(problem.partition, nearest_free(packets, board))


def halve(problem: Problem) -> tuple[Part, ...]:
    """Each layer halved until every half fits, row by row: Lava's compiler as it is described."""
    partition = problem.fewest.again()
    halve_until_it_fits(partition)
    return parts_on(partition, np.arange(_board(problem, partition.n_parts).n_cores))


def optimised(problem: Problem) -> tuple[Part, ...]:
    """Parts share cores where no core gets slower than the slowest, then cores are annealed."""
    partition = problem.partition
    traffic = traffic_of(partition, problem.weights)
    shared = share(partition, traffic)
    n = int(shared.max()) + 1
    packets = traffic.matrix(shared, n)
    return parts_on(partition, place(packets, problem.chip, problem.rng)[shared])


MAPPERS: dict[str, Mapper] = {
    "optimised": optimised,
    "hilbert": hilbert,
    "row-major": row_major,
    "random": random,
    "greedy": greedy,
    "halve": halve,
}
