"""One read pulse on an array: the product, its noise and its conversion, in three ways.

`Exact` and `Fast`, in float64 and float32, draw noise where it is seen, at the columns. `PerDevice`
draws that of every cell for every vector, in plain NumPy: slow, and what the others are checked
against.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.converters import Converters
from hwsim.crossbar.noise import Noise
from hwsim.kernels import analog

NO_STREAM = (
    np.empty(0, dtype=np.uint64),
    np.empty(0, dtype=np.uint64),
    np.empty(0, dtype=np.int32),
    np.empty(1 << 12, dtype=np.float32),  # its size sets that of a block
)
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Cells:
    """Conductances (rows, columns) that get `volt` where a wordline is driven with 1.

    The spreads of white and of slow noise are (rows, columns) or (1, 1); None: no noise.
    """

    g_siemens: FloatArray
    volt: float
    sd_siemens: FloatArray | None
    slow_sd_siemens: FloatArray | None

    @property
    def noisy(self) -> bool:
        """Whether a read needs random numbers."""
        return self.sd_siemens is not None or self.slow_sd_siemens is not None

    def slow(self, rng: Rng | None) -> FloatArray:
        """Conductances with a draw of slow noise."""
        if self.slow_sd_siemens is None or rng is None:
            return self.g_siemens
        return self.g_siemens + self.slow_sd_siemens * rng.standard_normal(self.g_siemens.shape)


class Product(Protocol):
    """A way to read."""

    def hold(self, rng: Rng | None) -> AnyArray:
        """The array as it stays for a call: a draw of its slow noise."""

    def pulse(
        self, lines: AnyArray, squares: AnyArray | None, held: AnyArray, rng: Rng | None
    ) -> tuple[AnyArray, int]:
        """Currents, or whole codes, (batch, columns), and how many conversions were clipped.

        lines (batch, rows): what drives the wordlines. squares, likewise: what white noise sees of
        it, if that is not the squares of `lines`.
        """


def column_sd(
    cells: Cells, lines: AnyArray, squares: AnyArray | None, variance: AnyArray
) -> AnyArray:
    """Standard deviation of currents in amperes, (batch, columns), or (batch, 1) if all alike.

    `variance` is that of the cells, in siemens^2: `v^2 sum_i x_i^2 var_ij`.
    """
    if variance.size > 1:
        total = (lines * lines if squares is None else squares) @ variance
    elif squares is None:
        total = np.einsum("bi,bi->b", lines, lines)[:, None] * variance
    else:
        total = squares.sum(axis=1, keepdims=True) * variance
    return np.asarray(abs(cells.volt) * np.sqrt(total), dtype=lines.dtype)


class Exact:
    """float64: where there is neither noise nor a converter, `lines @ g * v` and nothing else."""

    def __init__(self, cells: Cells, converters: Converters | None) -> None:
        self._cells, self._rest = cells, Rest(cells, converters, np.float64)

    def hold(self, rng: Rng | None) -> AnyArray:
        """Conductances, in siemens."""
        return self._cells.slow(rng)

    def pulse(
        self, lines: AnyArray, squares: AnyArray | None, held: AnyArray, rng: Rng | None
    ) -> tuple[AnyArray, int]:
        """White noise is drawn at the columns."""
        values = lines @ held * self._cells.volt
        return values, self._rest.of(values, lines, squares, rng)


class Fast:
    """float32, the voltage in the matrix; the same `rng` draws the same noise as in float64."""

    def __init__(self, cells: Cells, converters: Converters | None) -> None:
        self._cells, self._rest = cells, Rest(cells, converters, np.float32)
        self._still = (cells.g_siemens * cells.volt).astype(np.float32)

    def hold(self, rng: Rng | None) -> AnyArray:
        """Amperes of a wordline driven with 1."""
        if self._cells.slow_sd_siemens is None:
            return self._still
        return (self._cells.slow(rng) * self._cells.volt).astype(np.float32)

    def pulse(
        self, lines: AnyArray, squares: AnyArray | None, held: AnyArray, rng: Rng | None
    ) -> tuple[AnyArray, int]:
        """White noise is drawn at the columns."""
        values = lines @ held
        return values, self._rest.of(values, lines, squares, rng)


class Rest:
    """What follows a product: white noise and converters, in one compiled loop."""

    def __init__(self, cells: Cells, converters: Converters | None, dtype: type[Any]) -> None:
        sd, nothing = cells.sd_siemens, np.empty(0, dtype)
        self._cells, self._no_spread = cells, np.empty((0, 0), dtype)
        self._variance = None if sd is None else (sd**2).astype(dtype)
        self._coding = nothing, nothing, dtype(0), dtype(0)
        if converters is not None:
            adc = converters.adc
            gain, offset = (converters.gain / adc.lsb).astype(dtype), converters.offset_lsb
            ends = dtype(adc.code_min), dtype(adc.code_max)
            self._coding = gain, offset.astype(dtype), *ends

    def of(
        self, values: AnyArray, lines: AnyArray, squares: AnyArray | None, rng: Rng | None
    ) -> int:
        """Turn currents into noisy ones, or codes, in place; how many were clipped.

        Noise comes from a stream that is seeded here.
        """
        spread, stream = self._no_spread, NO_STREAM
        if self._variance is not None and rng is not None:
            spread = column_sd(self._cells, lines, squares, self._variance)
            noise = Noise(rng, values.shape[1])
            stream = noise.state, noise.words, noise.bits, noise.drawn
        return int(analog.finish(values, spread, *stream, *self._coding))


class PerDevice:
    """White noise of every cell, for every vector and every pulse."""

    def __init__(self, cells: Cells, converters: Converters | None) -> None:
        self._cells, self._converters = cells, converters

    def hold(self, rng: Rng | None) -> AnyArray:
        """Conductances, in siemens."""
        return self._cells.slow(rng)

    def pulse(
        self, lines: AnyArray, squares: AnyArray | None, held: AnyArray, rng: Rng | None
    ) -> tuple[AnyArray, int]:
        """Noise is drawn at the cells; `squares` are not needed."""
        sd = self._cells.sd_siemens
        currents = np.empty((lines.shape[0], held.shape[1]))
        for b in range(lines.shape[0]):
            g = held
            if sd is not None and rng is not None:
                g = held + sd * rng.standard_normal(held.shape)
            currents[b] = lines[b] @ g * self._cells.volt
        return (currents, 0) if self._converters is None else self._converters.codes(currents)
