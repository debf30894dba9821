"""One array solved for one set of drivers: conjugate gradients, and a bound on what they leave.

The bound: let the word lines be solved for bit-line voltages b, and the bit lines then for those
word lines, which gives b'. All of Kirchhoff's laws hold, but for cells that carry g (w - b) at
one end and g (w - b') at the other. That is a source of current at every cell, and a source in a
network of resistors reaches any one terminal with no more than all of its current. So no current
is off by more than the sum of g |b' - b|.
"""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.crossbar.ladder import Ladder
from hwsim.kernels import ladders, wires

AIM = 2.0**-40  # of the largest current, before the last pass
PROVEN = 2.0**-30  # of the largest current, at the end
N_TRIES = 4


@dataclass(frozen=True, slots=True)
class Solution:
    """State of a solved array: see `hwsim.kernels.wires`.

    Attributes:
        w: (rows, cols) volt, word-line nodes above their drivers; b: bit-line nodes.
        y: (rows, cols) ampere, what flows into the bit-line nodes with all cells tied to ground.
        i_word: (rows,) ampere out of the drivers. i_bit: (cols,) ampere into ground.
        bound_ampere: no current is off by more, but for rounding.
        n_steps: of conjugate gradients.
    """

    w: FloatArray
    b: FloatArray
    y: FloatArray
    i_word: FloatArray
    i_bit: FloatArray
    bound_ampere: float
    n_steps: int

    @property
    def largest_ampere(self) -> float:
        """The largest current of any line."""
        return float(max(np.abs(self.i_word).max(), np.abs(self.i_bit).max()))


class Solver:
    """The lines of one array, prepared; solves for any sources.

    Lines end at their last nodes: `hwsim.crossbar.wires` mirrors arrays that do not.
    """

    def __init__(self, g: FloatArray, word: Ladder, bit: Ladder):
        self.g, self.word, self.bit = g, word, bit
        self._bits = ladders.shares_of_bits(g, bit.r, bit.g_start)
        self._words = ladders.shares_of_words(g, word.r, word.g_start)

    def solve(self, c: FloatArray, start: tuple[FloatArray, FloatArray] | None = None) -> Solution:
        """Currents and voltages where the cells carry c + g (w - b).

        Args:
            c: (rows, cols) ampere.
            start: b, which is changed, and its y to start from; zeros unless told otherwise.

        Raises:
            ValueError: if rounding keeps the bound above a billionth of the largest current.
        """
        b, y = start or (np.zeros_like(self.g), np.zeros_like(self.g))
        largest, n_steps = 0.0, 0
        for n_try in range(N_TRIES):
            w, ends = self._word_lines(c, b)
            residual = np.empty_like(c)
            wires.residual(self.g, c, w, y, residual)
            aim = AIM * (largest or float(np.abs(ends).max())) / 64**n_try
            n_steps += self._descend(residual, b, aim)
            found = self._last_pass(c, b, n_steps)
            largest = found.largest_ampere
            if found.bound_ampere <= PROVEN * largest:
                return found
            b, y = found.b, found.y
        raise ValueError(
            f"the currents are known to {found.bound_ampere / largest:.1g} of the largest only: "
            "resistances times conductances span too much for double precision, bring them closer "
            "together"
        )

    def _word_lines(self, c: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        w, ends = np.empty_like(c), np.empty(len(c))
        wires.words(self.g, c, b, self._words, self.word.r, w, ends)
        return w, ends

    def _descend(self, residual: FloatArray, b: FloatArray, aim: float) -> int:
        """Improve b until the currents are off by about `aim` ampere; the steps it took."""
        if self.bit.ideal:
            return 0
        least = 1.0 / (1.0 + float(self.g.max()) * self.bit.reach_ohm)  # eigenvalue
        end = max(1.0 / self.bit.r[-1], self.bit.g_start)
        lines = (self._bits, self.bit.r, self._words, self.word.r)
        limit = aim**2 * least / end
        steps, _ = wires.descend(self.g, residual, b, *lines, limit, 1000 + sum(self.g.shape))
        return int(steps)

    def _last_pass(self, c: FloatArray, b: FloatArray, n_steps: int) -> Solution:
        """Word lines for b, then bit lines for those word lines; and how far that is from b."""
        w, ends = self._word_lines(c, b)
        y = c + self.g * w
        after = y.copy()
        ladders.solve_bits(after, self.bit.r, self._bits)
        i_word = -ends - self.word.g_start * w[:, 0]
        i_bit = y.sum(axis=0) if self.bit.ideal else after[-1] / self.bit.r[-1]
        i_bit = i_bit + self.bit.g_start * after[0]
        bound = float(wires.mismatch(self.g, b, after))
        return Solution(w, after, y, i_word, i_bit, bound, n_steps)
