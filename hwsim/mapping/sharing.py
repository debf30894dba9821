"""Let parts share a core: those that hear the same neurons, as far as limits and time allow."""

from dataclasses import astuple

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.chips.spec import Limits
from hwsim.mapping.partition import Partition
from hwsim.mapping.traffic import Traffic
from hwsim.mapping.use import LIMIT_OF, Use

ROUNDING = 2.0**-30  # of a limit: sums of shares of it are not exact
MARGIN = 0.6  # of the slowest part's work on a shared core: several may be busy in one step


def share(partition: Partition, traffic: Traffic) -> IntArray:
    """Core of each part, (parts,): shared where no core comes near the work of the slowest part.

    On a chip that has too few cores for that, speed does not count.
    Limits hold for the sum of what the parts take: a source that two of them hear counts as two
    axons, though one packet serves both. A plan that needs this to fit is refused.
    """
    chip, names = partition.chip, [p.name for p in partition.net.populations if p.neuron]
    uses = [use for name in names for use in partition.cuts[name].uses]
    work = np.concatenate(
        [np.bincount(partition.cuts[n].part_of, partition.loads[n]) for n in names]
    )
    alone = traffic.matrix(np.arange(traffic.n_parts), traffic.n_parts)
    sent = np.asarray(alone[: traffic.n_parts].sum(axis=1)).reshape(-1)
    heard = np.asarray(alone.sum(axis=0)).reshape(-1)
    work += sent * nominal(chip.time, "packet") + heard * nominal(chip.time, "packet_in")
    between = alone[: traffic.n_parts].toarray()
    affinity = traffic.affinity() + between + between.T
    core_of = share_cores(uses, work, affinity, chip.limits, most_work=MARGIN * float(work.max()))
    if core_of.max() >= chip.n_cores:
        core_of = share_cores(uses, work, affinity, chip.limits, most_work=np.inf)
    return core_of


def share_cores(
    uses: list[Use], work: FloatArray, affinity: FloatArray, limits: Limits, *, most_work: float
) -> IntArray:
    """Core of each part, (parts,), numbered from 0 in order of the parts.

    Best fit, fullest part first: a part joins the core with whose parts it saves most packets, if
    the limits hold for the sum of what all of them take and none works longer than `most_work`.

    Args:
        uses: of each part. work: seconds of each part, (parts,).
        affinity: packets saved if two parts share a core, (parts, parts).
        most_work: seconds that the parts of a core may take together.
    """
    allowed = np.array([getattr(limits, limit) or np.inf for limit in LIMIT_OF.values()])
    need = np.array([astuple(use) for use in uses], dtype=np.float64) / allowed
    if most_work > 0 and np.isfinite(most_work):
        need = np.column_stack([need, work / most_work])
    filled = np.zeros((len(uses), need.shape[1]))
    attracts = np.zeros((len(uses), len(uses)))  # (cores, parts)
    core_of, n_cores = np.full(len(uses), -1), 0
    for part in np.argsort(-need.max(axis=1), kind="stable"):
        room = (filled[:n_cores] + need[part] <= 1 + ROUNDING).all(axis=1)
        if room.any():
            wanted = np.where(room, attracts[:n_cores, part], -1.0)
            core = int(np.argmax(wanted))
        else:
            core, n_cores = n_cores, n_cores + 1
        core_of[part] = core
        filled[core] += need[part]
        attracts[core] += affinity[part]
    return _renumbered(core_of)


def _renumbered(core_of: IntArray) -> IntArray:
    """Cores numbered by their first parts."""
    first = np.unique(core_of, return_index=True)[1]
    rank = np.empty(first.size, dtype=np.int64)
    rank[np.argsort(first)] = np.arange(first.size)
    return rank[core_of]
