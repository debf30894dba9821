"""Wires of an array that have resistance: exact currents, by a solve or by one reduction.

Topology: driver i at `v[i]`, its resistance, then on word line i a segment before every cell;
bit line j has a segment after every cell, then the sense resistance, then ground. All cells are
linear here (`hwsim.crossbar.nonlinear` has curves), so the array is one linear map.
"""

import os
from dataclasses import dataclass, fields
from typing import Literal, Self

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, real
from hwsim.crossbar.elimination import eliminate
from hwsim.crossbar.ladder import Ladder
from hwsim.crossbar.solution import Solver

LARGEST = 10.0**30  # ohm, siemens, volt, and siemens of a wire: beyond it, products overflow
WORD_ENDS = ("left", "right", "both")
BIT_ENDS = ("bottom", "top", "both")


@dataclass(frozen=True, slots=True)
class Wires:
    """Resistances of an array's wires, and the ends where they are driven and sensed.

    r_word_ohm, r_bit_ohm: one segment, between neighbouring cells. r_driver_ohm, r_sense_ohm: in
    series at each driven and each sensed end. Zero is an ideal wire.

    Raises:
        ValueError: if a resistance is negative, not finite, or too small to divide by; if an end
            has no such name.
    """

    r_word_ohm: float = 0.0
    r_bit_ohm: float = 0.0
    r_driver_ohm: float = 0.0
    r_sense_ohm: float = 0.0
    driven: Literal["left", "right", "both"] = "left"
    sensed: Literal["bottom", "top", "both"] = "bottom"

    def __post_init__(self) -> None:
        for name in (f.name for f in fields(self) if f.name.startswith("r_")):
            _check_ohm(name, getattr(self, name))
        for name, allowed in (("driven", WORD_ENDS), ("sensed", BIT_ENDS)):
            end = getattr(self, name)
            if end not in allowed:
                raise ValueError(f"{name} is {end!r}, must be one of {', '.join(allowed)}")

    @property
    def ideal(self) -> bool:
        """Whether nothing has resistance."""
        return not (self.r_word_ohm or self.r_bit_ohm or self.r_driver_ohm or self.r_sense_ohm)


def _check_ohm(name: str, ohm: object) -> None:
    if isinstance(ohm, bool) or not isinstance(ohm, int | float | np.number):
        raise ValueError(f"{name} is {ohm!r}, must be a number of ohms")
    if not np.isfinite(ohm) or ohm < 0:
        raise ValueError(f"{name} is {ohm:g}, must be a finite resistance of at least 0 ohm")
    if 0 < ohm < 1 / LARGEST:
        raise ValueError(f"{name} is {ohm:g}, the smallest is {1 / LARGEST:g} ohm: make it 0")
    if ohm > LARGEST:
        raise ValueError(f"{name} is {ohm:g}, the largest is {LARGEST:g} ohm: cut the wire instead")


@dataclass(frozen=True, slots=True)
class LinearArray:
    """What an array of linear cells is to whoever reads it, wires included.

    Attributes:
        g_eff: (rows, cols) siemens; bit-line currents are `v @ g_eff`.
        g_in: (rows, rows) siemens, symmetric; word-line currents are `v @ g_in`.
    """

    g_eff: FloatArray
    g_in: FloatArray

    def power_w(self, v: FloatArray) -> FloatArray:
        """What the drivers deliver, in watts, for voltages (..., rows)."""
        return np.asarray(np.sum((v @ self.g_in) * v, axis=-1))


@dataclass(frozen=True, slots=True)
class Currents:
    """A solved array; with a batch of voltages, every shape begins with it.

    Attributes:
        i_word: ampere out of the drivers of each word line (rows,), both ends together.
        i_bit: ampere into the sense ends of each bit line (cols,), both ends together.
        v_word: volt of every word-line node (rows, cols); None where they were not asked for.
        v_bit: the same of the bit lines.
    """

    i_word: FloatArray
    i_bit: FloatArray
    v_word: FloatArray | None
    v_bit: FloatArray | None

    @classmethod
    def empty(cls, batch: int, shape: tuple[int, ...], voltages: bool) -> Self:
        """Room for a batch, to be filled."""
        rows, cols = shape
        nodes = [np.empty((batch, rows, cols)) if voltages else None for _ in range(2)]
        return cls(np.empty((batch, rows)), np.empty((batch, cols)), *nodes)

    def fill(self, n: int, value: float) -> None:
        """One of the batch, everything the same."""
        for array in (self.i_word, self.i_bit, self.v_word, self.v_bit):
            if array is not None:
                array[n] = value

    def at(self, which: int | AnyArray) -> "Currents":
        """One of the batch, or some of it."""
        v_word, v_bit = (None if x is None else x[which] for x in (self.v_word, self.v_bit))
        return Currents(self.i_word[which], self.i_bit[which], v_word, v_bit)


def reduce_array(g_siemens: FloatArray, wires: Wires) -> LinearArray:
    """An array of linear cells as one matrix, by block-tridiagonal elimination, column by column.

    Exact but for rounding; O(cols rows^3), about three times as much with `driven="both"`. Arrays
    of few columns go row by row, O(rows cols^3 + rows^2 cols^2), unless sensed at both ends. Valid
    while every word line is driven, at 0 V when idle, and no cell changes.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        wires: resistances and ends.

    Raises:
        ValueError: for conductances that are negative or not finite, and for an array that does
            not fit the memory.
    """
    g = conductances(g_siemens)
    rows, cols = g.shape
    fits_memory((8 if wires.driven == "both" else 4) * rows**2 + 5 * rows * cols, g.shape)
    if wires.ideal:
        return LinearArray(g, np.diag(g.sum(axis=1)))
    i, j = order(wires)
    g_eff, g_in = eliminate(np.array(g[i, j]), *ladders(g.shape, wires))
    return LinearArray(np.ascontiguousarray(g_eff[i, j]), np.ascontiguousarray(g_in[i, i]))


def solve_array(
    g_siemens: FloatArray, v: FloatArray, wires: Wires, *, voltages: bool = True
) -> Currents:
    """Currents and voltages of an array of linear cells, all within a billionth of the largest.

    Conjugate gradients that end by a proven bound (`hwsim.crossbar.solution`), and usually end
    four digits below it.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        v: volts of the drivers, (rows,) or (batch, rows).
        wires: resistances and ends.
        voltages: whether to return the voltages of all nodes too.

    Raises:
        ValueError: for conductances that are negative or not finite, voltages that are not finite,
            shapes that disagree, an array that does not fit the memory.
    """
    g = conductances(g_siemens)
    volts = drivers(v, g.shape[0])
    fits_memory((14 + (2 * len(volts) if voltages else 0)) * g.size, g.shape)
    i, j = order(wires)
    solver = Solver(np.array(g[i, j]), *ladders(g.shape, wires))
    found = Currents.empty(len(volts), g.shape, voltages)
    for n, row in enumerate(volts):
        one = solver.solve(solver.g * row[i, None])
        found.i_word[n], found.i_bit[n] = one.i_word[i], one.i_bit[j]
        if found.v_word is not None and found.v_bit is not None:
            found.v_word[n], found.v_bit[n] = row[:, None] + one.w[i, j], one.b[i, j]
    return found if np.ndim(v) == 2 else found.at(0)


def order(wires: Wires) -> tuple[slice, slice]:
    """Rows and columns so that lines end at their last nodes; the same order leads back."""
    back = slice(None, None, -1)
    rows = back if wires.sensed == "top" else slice(None)
    return rows, back if wires.driven == "left" else slice(None)


def ladders(shape: tuple[int, ...], wires: Wires) -> tuple[Ladder, Ladder]:
    """Word and bit lines of an array."""
    rows, cols = (np.ones(n + 1) for n in shape)
    word = Ladder.of(cols, wires.r_word_ohm, wires.r_driver_ohm, wires.driven == "both")
    bit = Ladder.of(rows, wires.r_bit_ohm, wires.r_sense_ohm, wires.sensed == "both")
    return word, bit


def conductances(g_siemens: FloatArray) -> FloatArray:
    """A checked array of conductances, (rows, cols), none of them negative."""
    g = real("g_siemens", g_siemens)
    if g.ndim != 2 or not g.size:
        raise ValueError(f"g_siemens has shape {g.shape}, must be (rows, cols), neither of them 0")
    bad = ~((g >= 0) & (g <= LARGEST))
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise ValueError(
            f"g_siemens[{i}, {j}] is {g[i, j]:g}, must be from 0 to {LARGEST:g} siemens "
            f"({int(bad.sum())} such cells): clip what was programmed or measured"
        )
    return g


def drivers(v: FloatArray, rows: int) -> FloatArray:
    """Checked voltages as (batch, rows)."""
    volts = real("v", v)
    if volts.ndim not in (1, 2) or volts.shape[-1] != rows:
        raise ValueError(f"v has shape {volts.shape}, must be ({rows},) or (batch, {rows})")
    bad = ~(np.abs(volts) <= LARGEST)
    if bad.any():
        raise ValueError(
            f"v has {int(bad.sum())} values like {volts[bad][0]:g}, must be within {LARGEST:g} volt"
        )
    return np.atleast_2d(volts)


def fits_memory(n_doubles: int, shape: tuple[int, ...]) -> None:
    """Refuse what the machine's memory cannot hold, before it is asked for."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):  # pragma: no cover (not Linux)
        return
    if 8 * n_doubles > there:
        raise ValueError(
            f"an array of {shape[0]} x {shape[1]} needs {8 * n_doubles / 10**9:.3g} GB here, there "
            f"are {there / 10**9:.3g}: cut it into smaller arrays, or solve fewer voltages at once"
        )
