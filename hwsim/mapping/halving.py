"""Cut layers as Lava's compiler does: halve a part that is too full, again and again."""

from itertools import pairwise

import numpy as np

from hwsim.arrays import BoolArray, IntArray
from hwsim.mapping.partition import ROUNDS, Cut, Partition, as_cut
from hwsim.mapping.use import LIMIT_OF
from hwsim.mapping.violation import REMEDY, DoesNotFit, Violation
from hwsim.network import Population


def halve_until_it_fits(partition: Partition) -> None:
    """Cut every population of a partition: in two by place, and each half that does not fit.

    Neurons are taken by index, or by rows with all channels together where there are rows. The
    count of cores follows powers of two, which is what was measured of Lava's compiler on Loihi 2
    [OzU-CAST, LoihiScalingEfficiency].

    Raises:
        DoesNotFit: if a single neuron breaks a limit.
    """
    marks = {p.name: np.zeros(p.size, dtype=np.int64) for p in partition.inner}
    for _ in range(ROUNDS):
        before = {name: cut.n_parts for name, cut in partition.cuts.items()}  # none at first
        for pop in partition.inner:
            partition.cuts[pop.name] = _halved(partition, pop, marks[pop.name])
            marks[pop.name] = partition.cuts[pop.name].part_of
        if before == {name: cut.n_parts for name, cut in partition.cuts.items()}:
            return


def _halved(partition: Partition, pop: Population, part_of: IntArray) -> Cut:
    while True:
        n_parts = int(part_of.max()) + 1
        demands = partition.demands(pop, part_of, n_parts)
        uses = partition.measure(pop, part_of, n_parts, demands)
        over = _over(partition, uses)
        full = np.any(list(over.values()), axis=0)
        if not full.any():
            return as_cut(part_of, demands, uses)
        alone = full & (uses["neurons"] == 1)
        if alone.any():
            raise DoesNotFit(partition.chip.name, _explain(partition, pop, uses, over))
        order = partition.cutter(pop).orders[0]
        split = np.empty_like(part_of)
        split[order] = _split(part_of[order], full)
        part_of = split


def _over(partition: Partition, uses: dict[str, IntArray]) -> dict[str, BoolArray]:
    """Which parts break which limits, (parts,) each."""
    allowed = {name: getattr(partition.chip.limits, limit) for name, limit in LIMIT_OF.items()}
    return {name: uses[name] > most for name, most in allowed.items() if most is not None}


def _split(part_of: IntArray, full: BoolArray) -> IntArray:
    """Parts in order of place; those that are `full` in two."""
    starts = np.concatenate([[0], np.flatnonzero(np.diff(part_of)) + 1, [part_of.size]])
    out, n = np.empty_like(part_of), 0
    for i, (start, stop) in enumerate(pairwise(starts)):
        middle = (start + stop) // 2 if full[i] else stop
        out[start:middle] = n
        out[middle:stop] = n + 1
        n += 1 + bool(full[i])
    return out


def _explain(
    partition: Partition, pop: Population, uses: dict[str, IntArray], over: dict[str, BoolArray]
) -> tuple[Violation, ...]:
    return tuple(
        Violation(
            pop.name,
            LIMIT_OF[name],
            int(uses[name][broken & (uses["neurons"] == 1)].max()),
            getattr(partition.chip.limits, LIMIT_OF[name]),
            REMEDY[name],
        )
        for name, broken in over.items()
        if (broken & (uses["neurons"] == 1)).any()
    )
