"""What the reservoirs are compared with: networks of their sizes, trained through time."""

from collections.abc import Iterable
from itertools import product

from experiments.lsm import trained, trained_pairs
from experiments.lsm.rows import Case, Numbers
from experiments.lsm.tasks import TASKS


def cases(seeds: Iterable[int] = range(3)) -> list[Case]:
    """Every network of every task, and pairs that match audio and vision."""
    alone = [("baselines", task, arm) for task in TASKS for arm in trained.ARMS]
    pairs = [("baselines-zero", "atv", arm) for arm in trained_pairs.LOSSES]
    return [Case(*which, seed=s) for which, s in product([*alone, *pairs], seeds)]


def measure(case: Case) -> Numbers:
    """Train on the whole training part; what the last epoch reaches on the test, and its cost."""
    if case.part == "baselines-zero":
        return trained_pairs.measure(case.arm, case.seed)
    return trained.measure(case.task, case.arm, case.seed)
