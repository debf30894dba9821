"""An array with resistive wires as one matrix, quickly and approximately, its error measured.

With all rows driven alike the array is solved once; every cell's share of the current, per volt, is
its effective conductance. That is exact for that input, and for others as far as their drops are
like its own. How far is measured: exact solves of random inputs say what the matrix misses.
"""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.crossbar.wires import Wires, conductances, solve_array

MAX_CHECKS = 10_000


@dataclass(frozen=True, slots=True)
class ApproximateArray:
    """An approximation and its measured error.

    Attributes:
        g_eff: (rows, cols) siemens; bit-line currents are about `v @ g_eff`.
        error: the largest error of a bit line's current in the checks, of the largest current in
            the same check. rms_error: root mean square over checks and bit lines, likewise.
        ideal_error: `error` of the same checks with the wires left out, for comparison.
        n_checks: random inputs solved exactly.
        activity: the share of rows that were driven in each check, all alike.
    """

    g_eff: FloatArray
    error: float
    rms_error: float
    ideal_error: float
    n_checks: int
    activity: float


def approximate_array(
    g_siemens: FloatArray,
    wires: Wires,
    rng: np.random.Generator,
    *,
    activity: float = 0.5,
    n_checks: int = 4,
) -> ApproximateArray:
    """The effective conductances of an array, from one exact solve, and their error from a few.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        wires: resistances and ends.
        rng: draws which rows the checks drive; the others are held at 0 V.
        activity: the share of rows driven, above 0 and at most 1.
        n_checks: exact solves for the error, 1 or more.

    Raises:
        ValueError: as `solve_array`; if `activity` or `n_checks` is out of range.
    """
    if not 0 < activity <= 1:
        raise ValueError(f"activity is {activity:g}, must be above 0 and at most 1")
    if not 1 <= n_checks <= MAX_CHECKS:
        raise ValueError(f"n_checks is {n_checks}, must be 1 to {MAX_CHECKS}: nothing unmeasured")
    g = conductances(g_siemens)
    at = solve_array(g, np.ones(len(g)), wires)
    assert at.v_word is not None
    assert at.v_bit is not None
    g_eff = g * (at.v_word - at.v_bit)
    checks = _checks(len(g), activity, n_checks, rng)
    exact = solve_array(g, checks, wires, voltages=False).i_bit
    error, rms = _errors(checks @ g_eff, exact)
    ideal, _ = _errors(checks @ g, exact)
    return ApproximateArray(g_eff, error, rms, ideal, n_checks, activity)


def _checks(rows: int, activity: float, n_checks: int, rng: np.random.Generator) -> FloatArray:
    """Inputs of 0 and 1 volt, (checks, rows), none of them silent."""
    n_on = max(1, round(activity * rows))
    volts = np.zeros((n_checks, rows))
    for row in volts:
        row[rng.permutation(rows)[:n_on]] = 1.0
    return volts


def _errors(found: FloatArray, exact: FloatArray) -> tuple[float, float]:
    scale = np.abs(exact).max(axis=1, keepdims=True)
    off = (found - exact) / np.where(scale > 0, scale, 1.0)
    return float(np.abs(off).max()), float(np.sqrt(np.mean(off**2)))
