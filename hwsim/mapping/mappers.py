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
from hwsim.mapping.spreading import hops_per_s, spread
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

        With a profile the slowest layers get more parts than the fewest, as long as that saves
        energy times delay: in all as many as halving until it fits would end with, on the same
        chips. Without one nothing is known of time, and the parts are the fewest.
        """
        if self.profile is None:
            return self.fewest
        try:
            return self.spread(self.halved.n_parts)
        except DoesNotFit:
            return self.fewest

    @cached_property
    def halved(self) -> Partition:
        """The network as halving until it fits cuts it.

        Raises:
            DoesNotFit: if a half of one neuron does not fit.
        """
        given = self.fewest
        partition = Partition(given.net, given.chip, given.loads, given.spikes)
        halve_until_it_fits(partition)
        return partition

    def spread(self, most_parts: int) -> Partition:
        """The network in up to `most_parts` parts, on the chips that the fewest need."""
        if self.profile is None:
            return self.fewest
        cores = self.chip.limits.cores
        room = -(-self.fewest.n_parts // cores) * cores
        n_parts = spread(self.fewest, self.profile, min(most_parts, room))
        more = self.fewest.with_packets(n_parts)
        stuck = more.settle(n_parts)
        return self.fewest if stuck or more.n_parts > room else more

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
    partition = problem.halved
    return parts_on(partition, np.arange(_board(problem, partition.n_parts).n_cores))


def optimised(problem: Problem) -> tuple[Part, ...]:
    """Parts share cores where no core gets slower than the slowest, then cores are annealed."""
    return _annealed(problem, problem.partition)


def fastest(problem: Problem) -> tuple[Part, ...]:
    """As `optimised`, but slow layers get all the cores of the chips if that pays.

    Energy times delay is least, at the price of hops and of the whole chip.
    """
    return _annealed(problem, problem.spread(problem.chip.n_cores))


def _annealed(problem: Problem, partition: Partition) -> tuple[Part, ...]:
    traffic = traffic_of(partition, problem.weights)
    shared = share(partition, traffic)
    packets = traffic.matrix(shared, int(shared.max()) + 1)
    worth = 0.0 if problem.profile is None else hops_per_s(partition, problem.profile)
    return parts_on(partition, place(packets, problem.chip, problem.rng, worth)[shared])


MAPPERS: dict[str, Mapper] = {
    "optimised": optimised,
    "fastest": fastest,
    "hilbert": hilbert,
    "row-major": row_major,
    "random": random,
    "greedy": greedy,
    "halve": halve,
}
