"""A programmed array, read: drivers, product, noise, converters."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hwsim.arrays import AnyArray, FloatArray, IntArray, numbers_of, real
from hwsim.crossbar.converters import Adc, Inputs
from hwsim.crossbar.products import Cells, Exact, Fast, PerDevice, Product
from hwsim.kernels import analog


@dataclass(frozen=True, slots=True)
class ReadCounts:
    """What a reader did: vectors, pulses, conversions, and how many of these saturated."""

    vectors: int = 0
    pulses: int = 0
    conversions: int = 0
    clipped: int = 0

    def __add__(self, other: "ReadCounts") -> "ReadCounts":
        return ReadCounts(
            self.vectors + other.vectors,
            self.pulses + other.pulses,
            self.conversions + other.conversions,
            self.clipped + other.clipped,
        )


class Reader:
    """An array of conductances (rows, columns) that is read, a batch of vectors a call.

    A column's current is `i_j = v sum_i x_i g_ij`. White noise of reading is drawn where it is
    seen, at the column: the sum of independent Gaussians of the cells is a Gaussian of variance
    `v^2 sum_i x_i^2 sd_ij^2`, exactly, so that one draw a column stands for one a cell. Slow (1/f)
    noise hardly moves during a batch: it is drawn once a call, for every cell, and added to g. A
    serial input is a pulse, with noise and a conversion of its own, for every bit.

    In float64, with neither noise nor ADC, currents are `x @ g * v` as NumPy computes it, bit for
    bit, x being what the drivers make of the inputs. float32 is faster; the same `rng` draws the
    same noise in both. `counts` has what was done so far.
    """

    def __init__(
        self,
        g_siemens: AnyArray,
        v_read_volt: float,
        *,
        inputs: Inputs | None = None,
        sd_siemens: float | AnyArray | None = None,
        flicker_sd_siemens: float | AnyArray | None = None,
        adc: Adc | None = None,
        rng: np.random.Generator | None = None,
        per_device: bool = False,
        dtype: npt.DTypeLike = np.float64,
    ) -> None:
        """Get an array ready.

        Args:
            g_siemens: (rows, columns); signed, for pairs that are subtracted before conversion;
                the effective conductances, where wires have resistance.
            v_read_volt: of a pulse, or of the number 1.
            inputs: the drivers; None takes every real number as it is.
            sd_siemens: standard deviation of the white noise of one read, one number or
                (rows, columns); None is no noise.
            flicker_sd_siemens: the same, of noise that stays for a call.
            adc: the converters; None leaves the currents as they are.
            rng: draws what differs among the converters.
            per_device: draw white noise for every cell and every pulse: slow, to check by.
            dtype: float64, or float32 for speed.

        Raises:
            ValueError: if an argument is out of bounds, or shapes disagree.
        """
        g = _conductances(g_siemens)
        if not (np.isfinite(v_read_volt) and v_read_volt != 0):
            raise ValueError(f"`v_read_volt` is {v_read_volt:g}, must be finite and not 0")
        if np.dtype(dtype) not in (np.float64, np.float32):
            raise ValueError(f"`dtype` is {np.dtype(dtype)}, must be float64 or float32")
        self.g_siemens, self.v_read_volt = g, float(v_read_volt)
        self.inputs, self.adc, self.dtype = inputs, adc, np.dtype(dtype)
        self.per_device = per_device
        self.counts = ReadCounts()
        fast = self.dtype == np.float32 and not per_device
        self._in_levels = fast and inputs is not None and inputs.kind == "dac"
        n_levels = inputs.n_steps if inputs is not None and self._in_levels else 1
        self._cells = Cells(
            g,
            self.v_read_volt / n_levels,
            _spread("`sd_siemens`", sd_siemens, g.shape),
            _spread("`flicker_sd_siemens`", flicker_sd_siemens, g.shape),
        )
        converters = None if adc is None else adc.draw(g.shape[1], rng)
        way = PerDevice if per_device else Fast if fast else Exact
        self._product: Product = way(self._cells, converters)

    def read(self, x: AnyArray, rng: np.random.Generator | None = None) -> AnyArray:
        """Currents of the columns, (batch, columns) in amperes, of inputs x (batch, rows).

        With converters they are what these report, codes times a step; of serial inputs they are
        those of the whole numbers, shifted and added.

        Raises:
            ValueError: if x does not fit the array or the drivers, or there is noise and no `rng`.
        """
        values = self._values(x, rng).astype(self.dtype, copy=False)
        if self.adc is not None:
            values *= self.adc.lsb
        return values

    def read_codes(self, x: AnyArray, rng: np.random.Generator | None = None) -> IntArray:
        """Codes (batch, columns) in steps of the ADC from 0 A; shifted and added, if serial.

        Raises:
            ValueError: as `read`, or if there is no ADC.
        """
        if self.adc is None:
            raise ValueError("codes need converters: give the reader an `adc`, or call `read`")
        return self._values(x, rng).astype(np.int64)

    def _values(self, x: AnyArray, rng: np.random.Generator | None) -> AnyArray:
        """Currents, or whole codes, of all pulses together; counts them."""
        if self._cells.noisy and rng is None:
            raise ValueError("reading is noisy: give `rng`, a numpy Generator")
        lines = self._lines(x)
        held = self._product.hold(rng)
        total, n_clipped = None, 0
        for weight, pulse, squares in self._pulses(lines):
            values, clipped = self._product.pulse(pulse, squares, held, rng)
            total = values if total is None else total + weight * values  # the first weight is 1
            n_clipped += clipped
        assert total is not None
        n_pulses = lines.shape[0] * (1 if self.inputs is None else self.inputs.n_pulses)
        n_conversions = 0 if self.adc is None else n_pulses * total.shape[1]
        self.counts += ReadCounts(lines.shape[0], n_pulses, n_conversions, n_clipped)
        return total

    def _lines(self, x: AnyArray) -> AnyArray:
        """What the drivers make of the inputs, (batch, rows): whole levels for a fast DAC."""
        x = numbers_of("inputs", x)
        n_rows = self.g_siemens.shape[0]
        if x.ndim != 2 or x.shape[1] != n_rows:
            raise ValueError(f"inputs have shape {x.shape}, must be (batch, {n_rows})")
        if self._in_levels and self.inputs is not None:
            given = np.ascontiguousarray(x, dtype=np.float32)
            lines = np.empty_like(given)
            n_steps = np.float32(self.inputs.n_steps)
            if not analog.quantise(given.reshape(-1), n_steps, lines.reshape(-1)):
                return lines  # else the next lines say what is wrong
        if self.inputs is not None:
            return self.inputs.driven(x).astype(self.dtype, copy=False)
        if not np.isfinite(x).all():
            raise ValueError("inputs must be finite: some are nan or infinite")
        return np.ascontiguousarray(x, dtype=self.dtype)

    def _pulses(self, lines: AnyArray) -> list[tuple[int, AnyArray, AnyArray | None]]:
        """Weight, wordlines, and their squares if others, of every pulse to be told apart."""
        if self.inputs is None or self.inputs.kind != "serial":
            return [(1, lines, None)]
        if self.adc is not None or self.per_device:
            return [(weight, pulse, pulse) for weight, pulse in self.inputs.pulses(lines)]
        return [(1, lines, self.inputs.squares(lines) if self._cells.noisy else None)]


def _conductances(g_siemens: AnyArray) -> FloatArray:
    g = real("conductances `g_siemens`", g_siemens)
    if g.ndim != 2 or not g.size:
        raise ValueError(f"conductances have shape {g.shape}, must be (rows, columns)")
    if not np.isfinite(g).all():
        raise ValueError("conductances must be finite: some are nan or infinite")
    return g


def _spread(what: str, sd: float | AnyArray | None, shape: tuple[int, ...]) -> FloatArray | None:
    """A standard deviation as an array of two axes; None if it is 0 everywhere."""
    if sd is None:
        return None
    found = real(what, sd)
    if found.shape not in ((), shape):
        raise ValueError(f"{what} has shape {found.shape}, must be one number or {shape}")
    if not (np.isfinite(found).all() and (found >= 0).all()):
        raise ValueError(f"{what} must be finite and at least 0: some are not")
    if not found.any():
        return None
    return found.reshape(shape if found.shape else (1, 1))
