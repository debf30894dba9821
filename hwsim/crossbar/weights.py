"""Weights as conductances, and the sums of currents as sums of weights again.

Physical columns are ordered by weight, slice (least bits first), sign; those of an offset follow
at the end, one per slice.
"""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.spec import Array


@dataclass(frozen=True, slots=True)
class Coding:
    """How a matrix of weights lies on an array.

    Attributes:
        array: the chip's arrays. g_min, g_max: ends of the device's range, in siemens.
        w_max: the weight of full conductance.
    """

    array: Array
    g_min: float
    g_max: float
    w_max: float

    @property
    def _span(self) -> float:
        return self.g_max - self.g_min

    @property
    def _levels(self) -> int:
        """Largest digit of a slice."""
        assert self.array.slice_bits is not None
        return int(2**self.array.slice_bits - 1)

    @property
    def _top(self) -> int:
        """Whole number of the largest weight, where weights are sliced."""
        assert self.array.weight_bits is not None
        bits = self.array.weight_bits - (self.array.signed == "offset")
        return int(2**bits - 1)

    @property
    def siemens_per_weight(self) -> float:
        """Change of a column's sensed conductance by a weight of 1 (of the least slice)."""
        if self.array.slice_bits is not None:
            return self._span / self._levels * self._top / self.w_max
        return self._span / self.w_max / (2 if self.array.signed == "offset" else 1)

    def conductances(self, weight: FloatArray) -> FloatArray:
        """Wanted conductances (rows, physical columns) of weights (rows, columns), in siemens."""
        parts = np.stack([self._sliced(w) for w in self._signs(weight)], axis=-1)
        rows = len(weight)
        g = self.g_min + parts.reshape(rows, -1) * self._span
        if self.array.signed == "pairs":
            return g
        offset = self.g_min + self._sliced(self._signs(np.zeros((rows, 1)))[0])[:, 0] * self._span
        return np.concatenate([g, offset], axis=1)

    def _signs(self, weight: FloatArray) -> list[FloatArray]:
        """Magnitudes of both signs, or the weight moved up by the offset; in units of `w_max`."""
        w = weight / self.w_max
        if self.array.signed == "pairs":
            return [np.maximum(w, 0.0), np.maximum(-w, 0.0)]
        if self.array.slice_bits is None:
            return [(w + 1) / 2]
        assert self.array.weight_bits is not None
        middle = 2 ** (self.array.weight_bits - 1)
        return [(np.rint(w * self._top) + middle) / self._top]

    def _sliced(self, w: FloatArray) -> FloatArray:
        """Fractions of the conductance range by slice, (rows, columns, slices)."""
        if self.array.slice_bits is None:
            return w[:, :, None]
        q = np.rint(w * self._top).astype(np.int64)
        shifts = self.array.slice_bits * np.arange(self.array.n_slices)
        digits = (q[:, :, None] >> shifts) & self._levels
        return digits / self._levels

    def sensed(self, g: FloatArray) -> FloatArray:
        """What a converter sees, (rows, sensed columns): pairs are taken off in analog, or not."""
        if self.array.signed == "pairs" and self.array.pair == "analog":
            return np.ascontiguousarray(g[:, 0::2] - g[:, 1::2])
        return g

    def sensed_variance(self, variance: FloatArray) -> FloatArray:
        """Variance of what a converter sees, from that of the cells."""
        if self.array.signed == "pairs" and self.array.pair == "analog":
            return np.ascontiguousarray(variance[:, 0::2] + variance[:, 1::2])
        return variance

    @property
    def both_signs(self) -> bool:
        """Whether what a converter sees may be negative."""
        return self.array.signed == "pairs" and self.array.pair == "analog"

    def n_sensed(self, columns: int) -> int:
        """Columns that converters see, of so many weights."""
        slices = self.array.n_slices
        if self.array.signed == "offset":
            return columns * slices + slices
        return columns * slices * (1 if self.array.pair == "analog" else 2)

    def sums(self, currents: AnyArray, columns: int, v_read_volt: float) -> FloatArray:
        """Sums of weights (reads, columns) from sensed currents (reads, sensed columns)."""
        slices, n = self.array.n_slices, len(currents)
        if self.array.signed == "offset":
            own = currents[:, :-slices].reshape(n, columns, slices)
            signed = own - currents[:, None, -slices:]
        elif self.array.pair == "digital":
            both = currents.reshape(n, columns, slices, 2)
            signed = both[..., 0] - both[..., 1]
        else:
            signed = currents.reshape(n, columns, slices)
        if slices == 1:
            whole = signed[..., 0]
        else:
            assert self.array.slice_bits is not None
            whole = signed @ 2.0 ** (self.array.slice_bits * np.arange(slices))
        return np.asarray(whole / (self.siemens_per_weight * v_read_volt))
