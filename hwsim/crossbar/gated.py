"""Arrays whose idle rows are cut off: one transistor per cell (1T1R), its gate on the word line.

A row at 0 V then conducts nothing, its cells are not there, and the segments of bit line on either
side of it are one longer segment. So what an array does depends on which rows are active, and
every set of them is an array of its own: k rows, solved at the cost of k rows. Rows that are
driven at 0 V instead, their gates open, are `hwsim.crossbar.wires`.
"""

from collections import OrderedDict
from itertools import pairwise

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.ladder import Ladder
from hwsim.crossbar.solution import Solution, Solver
from hwsim.crossbar.wires import Currents, Wires, conductances, drivers, fits_memory, order

MAX_PATTERNS = 4096  # kept, of the voltages read last


def solve_gated(
    g_siemens: FloatArray, v: FloatArray, wires: Wires, *, voltages: bool = True
) -> Currents:
    """Currents of an array of linear cells where rows with v == 0 are cut off.

    As exact as `solve_array`. Equal voltages in a batch are solved once.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        v: volts of the drivers, (rows,) or (batch, rows).
        wires: resistances and ends.
        voltages: whether to return the voltages of all nodes too; word lines that are cut off
            are at 0 V, bit lines beside them between their neighbours.

    Raises:
        ValueError: as `solve_array`.
    """
    return GatedArray(g_siemens, wires).solve(v, voltages=voltages)


class GatedArray:
    """An array with gates, for many reads: currents of voltages that come again are kept.

    Raises:
        ValueError: for conductances that are negative or not finite.
    """

    def __init__(self, g_siemens: FloatArray, wires: Wires):
        self.g = conductances(g_siemens)
        self.wires = wires
        self._kept: OrderedDict[bytes, tuple[FloatArray, FloatArray]] = OrderedDict()

    def solve(self, v: FloatArray, *, voltages: bool = False) -> Currents:
        """Currents for voltages (rows,) or (batch, rows); see `solve_gated`."""
        volts = drivers(v, len(self.g))
        fits_memory((14 + (4 * len(volts) if voltages else 0)) * self.g.size, self.g.shape)
        distinct, where = np.unique(volts, axis=0, return_inverse=True)
        found = Currents.empty(len(distinct), self.g.shape, voltages)
        for members in _by_active(distinct):
            active = _Active(self, np.flatnonzero(distinct[members[0]]))
            for n in members:
                if found.v_word is not None and found.v_bit is not None:
                    found.v_word[n], found.v_bit[n] = active.voltages(distinct[n])
                found.i_word[n], found.i_bit[n] = self._currents(active, distinct[n])
        return found.at(where.reshape(-1)) if np.ndim(v) == 2 else found.at(0)

    def _currents(self, active: "_Active", volts: FloatArray) -> tuple[FloatArray, FloatArray]:
        key = volts.tobytes()
        if key not in self._kept:
            self._kept[key] = active.currents(volts)
            if len(self._kept) > MAX_PATTERNS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def _by_active(volts: FloatArray) -> list[list[int]]:
    """Indices of voltages (n, rows), grouped by the set of rows that are not 0."""
    groups: dict[bytes, list[int]] = {}
    for n, row in enumerate(volts != 0):
        groups.setdefault(row.tobytes(), []).append(n)
    return list(groups.values())


class _Active:
    """The array that one set of active rows (k,) is."""

    def __init__(self, array: GatedArray, rows: AnyArray):
        self.array, self.rows = array, rows
        self._solver: Solver | None = None
        self._last: tuple[bytes, Solution] | None = None

    def currents(self, volts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of word and bit lines, for voltages (rows,) of all rows."""
        n_rows, n_cols = self.array.g.shape
        if not len(self.rows):
            return np.zeros(n_rows), np.zeros(n_cols)
        solved = self._solved(volts)
        i, j = order(self.array.wires)
        i_word = np.zeros(n_rows)
        i_word[self.rows] = solved.i_word[i]
        return i_word, solved.i_bit[j]

    def voltages(self, volts: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Of the nodes of word and bit lines, (rows, cols)."""
        shape = self.array.g.shape
        if not len(self.rows):
            return np.zeros(shape), np.zeros(shape)
        solved = self._solved(volts)
        i, j = order(self.array.wires)
        v_word = np.zeros(shape)
        v_word[self.rows] = volts[self.rows, None] + solved.w[i, j]
        between = _between(self._lengths(), shape[0], self.array.wires)
        return v_word, (between @ solved.b)[i, j]

    def _solved(self, volts: FloatArray) -> Solution:
        key = volts.tobytes()
        if self._last is None or self._last[0] != key:
            solver = self._solver or self._new_solver()
            self._solver = solver
            i, _ = order(self.array.wires)
            self._last = key, solver.solve(solver.g * volts[self.rows][i, None])
        return self._last[1]

    def _new_solver(self) -> Solver:
        wires, n_cols = self.array.wires, self.array.g.shape[1]
        i, j = order(wires)
        words = np.ones(n_cols + 1)
        word = Ladder.of(words, wires.r_word_ohm, wires.r_driver_ohm, wires.driven == "both")
        bit = Ladder.of(self._lengths(), wires.r_bit_ohm, wires.r_sense_ohm, wires.sensed == "both")
        return Solver(np.array(self.array.g[self.rows][i, j]), word, bit)

    def _lengths(self) -> FloatArray:
        """Segments before, between and after active rows, towards the sensed end."""
        n_rows = len(self.array.g)
        places = self.rows if self.array.wires.sensed != "top" else n_rows - 1 - self.rows[::-1]
        return np.diff(places, prepend=-1, append=n_rows).astype(np.float64)


def _between(lengths: FloatArray, n_rows: int, wires: Wires) -> FloatArray:
    """Weights (rows, k) that give every bit-line node's voltage from those of the active rows."""
    places = np.cumsum(lengths)[:-1].astype(np.int64) - 1
    weights = np.zeros((n_rows, len(places)))
    for k, (here, ahead) in enumerate(pairwise(places)):
        share = np.arange(ahead - here) / (ahead - here)
        weights[here:ahead, k], weights[here:ahead, k + 1] = 1 - share, share
    last = places[-1]
    weights[last:, -1] = _to_ground(np.arange(n_rows - last, 0, -1.0), wires)
    first = places[0] + 1
    both = wires.sensed == "both"
    weights[:first, 0] = _to_ground(np.arange(1.0, first + 1), wires) if both else 1.0
    if both and len(places) == 1:
        weights[last, 0] = 1.0
    return weights


def _to_ground(segments: FloatArray, wires: Wires) -> FloatArray:
    """Voltages that far from the end of a bit line, of the voltage at the farthest."""
    ohm = wires.r_sense_ohm + segments * wires.r_bit_ohm
    return np.asarray(ohm / ohm.max()) if ohm.max() else np.ones_like(ohm)
