"""Arrays whose idle rows are cut off: one transistor per cell (1T1R), its gate on the word line.

A row at 0 V then conducts nothing, its cells are not there, and the segments of bit line on either
side of it are one longer segment. So what an array does depends on which rows are active, and
every set of them is an array of its own: k rows, solved at the cost of k rows. Rows that are
driven at 0 V instead, their gates open, are `hwsim.crossbar.wires`.
"""

from collections import OrderedDict
from dataclasses import dataclass
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
            self._solve_set(distinct, members, found)
        return found.at(where.reshape(-1)) if np.ndim(v) == 2 else found.at(0)

    def _solve_set(self, volts: FloatArray, members: list[int], found: Currents) -> None:
        """Fill in those of the voltages (n, rows) that leave the same rows active."""
        rows = np.flatnonzero(volts[members[0]])
        if not len(rows):
            found.fill(members[0], 0.0)
            return
        active, solver = ActiveRows(rows, self.g.shape, self.wires), None
        for n in members:
            key = volts[n].tobytes()
            if key in self._kept and found.v_word is None:
                self._kept.move_to_end(key)
            else:
                solver = solver or active.solver(self.g)
                solved = solver.solve(solver.g * active.drivers(volts[n]))
                self._keep(key, active.currents(solved))
                if found.v_word is not None and found.v_bit is not None:
                    found.v_word[n], found.v_bit[n] = active.voltages(volts[n], solved)
            found.i_word[n], found.i_bit[n] = self._kept[key]

    def _keep(self, key: bytes, currents: tuple[FloatArray, FloatArray]) -> None:
        self._kept[key] = currents
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_PATTERNS:
            self._kept.popitem(last=False)


def _by_active(volts: FloatArray) -> list[list[int]]:
    """Indices of voltages (n, rows), grouped by the set of rows that are not 0."""
    groups: dict[bytes, list[int]] = {}
    for n, row in enumerate(volts != 0):
        groups.setdefault(row.tobytes(), []).append(n)
    return list(groups.values())


@dataclass(frozen=True, slots=True, eq=False)
class ActiveRows:
    """The array that some rows of an array are, and the way back to all of it.

    rows: indices (k,) of the active rows, rising, at least one. shape: of the whole array.
    """

    rows: AnyArray
    shape: tuple[int, ...]
    wires: Wires

    def solver(self, g: FloatArray) -> Solver:
        """A solver of their cells in the whole array g."""
        return Solver(self.cells(g), *self.lines())

    def cells(self, x: FloatArray) -> FloatArray:
        """Their part of something (rows, cols), lines ending at their last nodes."""
        return np.array(x[self.rows][order(self.wires)])

    def drivers(self, volts: FloatArray) -> FloatArray:
        """Their part of voltages (rows,), as a column."""
        return np.array(volts[self.rows][order(self.wires)[0], None])

    def lines(self) -> tuple[Ladder, Ladder]:
        """Word and bit lines."""
        wires, words = self.wires, np.ones(self.shape[1] + 1)
        word = Ladder.of(words, wires.r_word_ohm, wires.r_driver_ohm, wires.driven == "both")
        bit = Ladder.of(self._lengths(), wires.r_bit_ohm, wires.r_sense_ohm, wires.sensed == "both")
        return word, bit

    def currents(self, solved: Solution) -> tuple[FloatArray, FloatArray]:
        """Of all word and bit lines."""
        i, j = order(self.wires)
        i_word = np.zeros(self.shape[0])
        i_word[self.rows] = solved.i_word[i]
        return i_word, solved.i_bit[j]

    def voltages(self, volts: FloatArray, solved: Solution) -> tuple[FloatArray, FloatArray]:
        """Of all nodes of word and bit lines, (rows, cols)."""
        i, j = order(self.wires)
        v_word = np.zeros(self.shape)
        v_word[self.rows] = volts[self.rows, None] + solved.w[i, j]
        between = _between(self._lengths(), self.shape[0], self.wires)
        return v_word, (between @ solved.b)[i, j]

    def _lengths(self) -> FloatArray:
        """Segments before, between and after active rows, towards the sensed end."""
        n_rows = self.shape[0]
        places = self.rows if self.wires.sensed != "top" else n_rows - 1 - self.rows[::-1]
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
    return weights


def _to_ground(segments: FloatArray, wires: Wires) -> FloatArray:
    """Voltages that far from the end of a bit line, of the voltage at the farthest."""
    ohm = wires.r_sense_ohm + segments * wires.r_bit_ohm
    return np.asarray(ohm / ohm.max()) if ohm.max() else np.ones_like(ohm)
