"""Cells whose current is no multiple of their voltage, by Newton's method on the linear solver.

Every cell carries g f(v), with one curve f for all, in volts, that never falls. Each step solves
the array with the cells' slopes; a step that would raise what Kirchhoff's law is missed by is
halved. At the end the cells' currents miss those that the wires carry by some d: let a cell's
chord, which is not negative, stand for it, and d is a source of current beside it, of which no
terminal sees more than |d|. So no current is off by more than the sum of |d|, which is the test.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import PchipInterpolator

from hwsim.arrays import FloatArray, frozen, real
from hwsim.crossbar.gated import ActiveRows
from hwsim.crossbar.ladder import Ladder
from hwsim.crossbar.solution import PROVEN, Solution, Solver
from hwsim.crossbar.wires import Currents, Wires, conductances, drivers, fits_memory

MAX_STEPS = 100
MAX_HALVINGS = 40
STEEPEST = 10.0**8  # slope over conductance, at the start: beyond it, rounding decides


class Curve(Protocol):
    """Current of a cell of 1 siemens against its voltage: never falling, 0 at 0."""

    def __call__(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f(v) in volts, and its slope f'(v), of the same shape as v."""

    def spice(self, v: str) -> str:
        """The same as a formula of a SPICE netlist, of the voltage `v`."""


@dataclass(frozen=True, slots=True)
class Sinh:
    """f(v) = a sinh(v / v0).

    v0_volt: where the curve bends. v_read_volt: the voltage at which the cell's conductance was
    measured, f(v_read) = v_read; None: at 0 V, f'(0) = 1.

    Raises:
        ValueError: if a voltage is not above 0.
    """

    v0_volt: float
    v_read_volt: float | None = None

    def __post_init__(self) -> None:
        for name, volt in (("v0_volt", self.v0_volt), ("v_read_volt", self.v_read_volt)):
            if volt is not None and not 0 < volt < np.inf:
                raise ValueError(f"{name} is {volt:g}, must be above 0 volt and finite")

    @property
    def a_volt(self) -> float:
        """The factor before sinh."""
        if self.v_read_volt is None:
            return self.v0_volt
        return self.v_read_volt / float(np.sinh(self.v_read_volt / self.v0_volt))

    def __call__(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f(v) and f'(v)."""
        with np.errstate(over="ignore"):  # an infinite current makes Newton halve its step
            x = v / self.v0_volt
            return self.a_volt * np.sinh(x), self.a_volt / self.v0_volt * np.cosh(x)

    def spice(self, v: str) -> str:
        """The formula a sinh(v / v0)."""
        return f"{self.a_volt!r}*sinh(({v})/{self.v0_volt!r})"


class Measured:
    """A curve through measured points, monotone and smooth between them (PCHIP), straight outside.

    Args:
        v: volts, rising, with 0 V inside them. i: amperes, none lower than the one before.
        v_read_volt: where the cell's conductance was measured: there f(v) = v. Currents are
            therefore known but for a factor, and those at 0 V are moved to 0.

    Raises:
        ValueError: if the points do not rise, or there is no current at `v_read_volt`.
    """

    def __init__(self, v: FloatArray, i: FloatArray, v_read_volt: float):
        volts, amperes = real("v", v), real("i", i)
        _check_points(volts, amperes)
        curve = PchipInterpolator(volts, amperes)
        at_read = float(curve(v_read_volt) - curve(0.0))
        if not volts[0] <= v_read_volt <= volts[-1] or not at_read * v_read_volt > 0:
            raise ValueError(
                f"the points give no current at v_read_volt = {v_read_volt:g}, where conductances "
                f"are measured: choose another between {volts[0]:g} and {volts[-1]:g} volt"
            )
        self.volts = frozen(volts, np.float64)
        scale = v_read_volt / at_read
        self._curve = PchipInterpolator(volts, (amperes - curve(0.0)) * scale)
        self._slope = self._curve.derivative()

    def __call__(self, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """f(v) and f'(v)."""
        inside = np.clip(v, self.volts[0], self.volts[-1])
        slope = np.maximum(self._slope(inside), 0.0)
        return self._curve(inside) + slope * (v - inside), slope

    def spice(self, v: str) -> str:
        """Refused: SPICE has no such curve."""
        raise ValueError("a measured curve has no formula in SPICE: compare a Sinh instead")


def _check_points(volts: FloatArray, amperes: FloatArray) -> None:
    if volts.ndim != 1 or volts.shape != amperes.shape or len(volts) < 2:
        raise ValueError(
            f"v and i have shapes {volts.shape} and {amperes.shape}, must be two or more points"
        )
    if not (np.isfinite(volts).all() and np.isfinite(amperes).all()):
        raise ValueError("v and i must be finite: leave out points that were not measured")
    if (np.diff(volts) <= 0).any() or (np.diff(amperes) < 0).any():
        k = int(np.argmax((np.diff(volts) <= 0) | (np.diff(amperes) < 0)))
        raise ValueError(
            f"the curve falls between points {k} and {k + 1}, ({volts[k]:g} V, {amperes[k]:g} A) "
            f"and ({volts[k + 1]:g} V, {amperes[k + 1]:g} A): sort by v, smooth what is noise"
        )
    if not volts[0] <= 0 <= volts[-1]:
        raise ValueError(f"v runs from {volts[0]:g} to {volts[-1]:g}: 0 volt must be inside")


def solve_nonlinear(
    g_siemens: FloatArray,
    v: FloatArray,
    wires: Wires,
    curve: Curve,
    *,
    gated: bool = False,
    voltages: bool = True,
) -> Currents:
    """Currents and voltages of an array whose cells carry g f(v); as exact as `solve_array`.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        v: volts of the drivers, (rows,) or (batch, rows).
        wires: resistances and ends.
        curve: f, for example `Sinh(0.25)`.
        gated: whether rows with v == 0 are cut off (`hwsim.crossbar.gated`), not held at 0 V.
        voltages: whether to return the voltages of all nodes too.

    Raises:
        ValueError: as `solve_array`; if Newton's method ends above the bound.
    """
    g = conductances(g_siemens)
    volts = drivers(v, g.shape[0])
    fits_memory((24 + (2 * len(volts) if voltages else 0)) * g.size, g.shape)
    found = Currents.empty(len(volts), g.shape, voltages)
    for n, row in enumerate(volts):
        rows = np.flatnonzero(row) if gated else np.arange(len(g))
        if not len(rows):
            found.fill(n, 0.0)
            continue
        active = ActiveRows(rows, g.shape, wires)
        solved = Newton(active.cells(g), *active.lines(), curve).solve(active.drivers(row))
        found.i_word[n], found.i_bit[n] = active.currents(solved)
        if found.v_word is not None and found.v_bit is not None:
            found.v_word[n], found.v_bit[n] = active.voltages(row, solved)
    return found if np.ndim(v) == 2 else found.at(0)


@dataclass(frozen=True, slots=True)
class Newton:
    """Newton's method on one array, its lines ending at their last nodes."""

    g: FloatArray
    word: Ladder
    bit: Ladder
    curve: Curve

    def solve(self, volts: FloatArray) -> Solution:
        """A state with currents proven to a billionth of the largest; volts (rows, 1)."""
        at = Solver(self.g, self.word, self.bit).solve(self.g * volts)
        drop = volts + at.w - at.b
        current = self.g * drop  # what the wires carry
        cell, slope, before = *self._cells(drop), self.g
        if not np.isfinite(slope).all() or slope.max() > STEEPEST * self.g.max():
            raise ValueError(
                f"{np.abs(drop).max():g} volt over a cell make it {slope.max() / self.g.max():.1g} "
                "times as conductive: lower the voltages, or make the curve less steep"
            )
        for _ in range(MAX_STEPS):
            solver = Solver(slope, self.word, self.bit)
            source = cell + slope * (volts - drop)
            at = solver.solve(source, start=(at.b, at.y + (slope - before) * at.b))
            to_drop = volts + at.w - at.b
            to_current = source + slope * (at.w - at.b)
            step = self._step(drop, current, cell, to_drop, to_current)
            drop = drop + step * (to_drop - drop)
            current = current + step * (to_current - current)
            before = slope
            cell, slope = self._cells(drop)
            missed = float(np.abs(cell - current).sum()) + at.bound_ampere
            if step == 1.0 and missed <= PROVEN * at.largest_ampere:
                return at
        raise ValueError(
            f"Newton's method did not end in {MAX_STEPS} steps: currents are known to {missed:.1g} "
            f"of {at.largest_ampere:.1g} ampere; lower the voltages, or make the curve less steep"
        )

    def _cells(self, drop: FloatArray) -> tuple[FloatArray, FloatArray]:
        f, slope = self.curve(drop)
        return self.g * f, self.g * slope

    def _step(
        self,
        drop: FloatArray,
        current: FloatArray,
        cell: FloatArray,
        to_drop: FloatArray,
        to_current: FloatArray,
    ) -> float:
        """The longest of 1, 1/2, 1/4, ... that lowers what Kirchhoff's law is missed by."""
        before = float(np.linalg.norm(cell - current))
        step = 1.0
        for _ in range(MAX_HALVINGS):
            there, _ = self._cells(drop + step * (to_drop - drop))
            missed = there - (current + step * (to_current - current))
            if np.linalg.norm(missed) <= (1 - step / 10) * before:
                return step
            if step == 1.0 and before <= PROVEN * float(np.abs(cell).max(initial=0.0)):
                return step  # nothing but rounding is left
            step /= 2
        return step
