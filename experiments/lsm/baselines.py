"""What the reservoirs are compared with: networks of their sizes, trained through time."""

from collections.abc import Iterable

from experiments.lsm import trained, trained_pairs
from experiments.lsm.rows import Case, Numbers
from experiments.lsm.tasks import TASKS


def cases(seeds: Iterable[int] = range(3)) -> list[Case]:
    """Every network of every task, and the pair that matches audio and vision."""
    seeds = list(seeds)
    return [
        *(Case("baselines", t, arm, seed=s) for t in TASKS for arm in trained.ARMS for s in seeds),
        *(Case("baselines-zero", "atv", "srnn", seed=s) for s in seeds),
    ]


def measure(case: Case) -> Numbers:
    """Train on the whole training part; what the last epoch reaches on the test, and its cost."""
    if case.part == "baselines-zero":
        return trained_pairs.measure(case.seed)
    return trained.measure(case.task, case.arm, case.seed)
