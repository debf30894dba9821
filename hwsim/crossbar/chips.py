"""Many chips of one plan: what is measured on each, and how far they differ."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtrit

from hwsim.arrays import FloatArray, whole_number
from hwsim.crossbar.made import MadeChip, fabricate
from hwsim.crossbar.plan import CrossbarPlan


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """A figure of every chip, (chips,)."""

    values: FloatArray

    @property
    def mean(self) -> float:
        """Mean over chips."""
        return float(self.values.mean())

    @property
    def p5_p95(self) -> tuple[float, float]:
        """Between these lie nine chips of ten."""
        low, high = np.percentile(self.values, [5, 95])
        return float(low), float(high)

    def interval(self) -> tuple[float, float]:
        """95 % confidence interval of the mean, by Student's t; the mean alone of one chip."""
        n = len(self.values)
        if n < 2:
            return self.mean, self.mean
        half = float(stdtrit(n - 1, 0.975) * self.values.std(ddof=1) / np.sqrt(n))
        return self.mean - half, self.mean + half


def over_chips(
    plan: CrossbarPlan,
    n_chips: int,
    measure: Callable[[MadeChip], float],
    *,
    seed: int = 0,
    on_chip: Callable[[], None] | None = None,
) -> Spread:
    """Make chips with fresh devices, and measure each.

    Args:
        measure: a figure of one chip, e.g. its accuracy. seed: of the first; the others follow.
        on_chip: called after each.
    """
    n_chips, seed = whole_number("`n_chips`", n_chips), whole_number("`seed`", seed)
    if n_chips < 1:
        raise ValueError(f"{n_chips} chips were asked for, must be 1 or more")
    values = []
    for i in range(n_chips):
        values.append(measure(fabricate(plan, seed=seed + i)))
        if on_chip:
            on_chip()
    return Spread(np.array(values, dtype=np.float64))
