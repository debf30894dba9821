"""Between numbers and currents: how inputs are driven, and how columns are sensed.

`Inputs` turns numbers into read pulses, `Adc` turns a column's current into a code, `SenseAmp`
into one bit. An `Adc` or a `SenseAmp` is what a designer orders; `draw` makes the converters of
one chip, each with an error of its own that stays.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.arrays import AnyArray, BoolArray, FloatArray, IntArray, real

MAX_BITS = 16
Kind = Literal["spike", "serial", "dac"]
Method = Literal["percentile", "loss"]


@dataclass(frozen=True, slots=True)
class Inputs:
    """How numbers reach the wordlines.

    `spike`: 0 or 1, one pulse of the read voltage or none. `serial`: whole numbers of `bits` bits,
    one pulse a bit, the least first, shifted and added digitally; with `signed`, numbers below 0
    are driven in a second pass and subtracted. `dac`: numbers in [-1, 1], rounded to 2^bits - 1
    levels 1 / (2^(bits - 1) - 1) apart, of which one is 0; one pulse of that part of the voltage.
    """

    kind: Kind = "spike"
    bits: int = 1
    signed: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("spike", "serial", "dac"):
            raise ValueError(f"inputs are {self.kind!r}, must be 'spike', 'serial' or 'dac'")
        least = 2 if self.kind == "dac" else 1  # one bit of a DAC leaves 0 alone
        _check_bits(f"{self.kind} inputs", self.bits, least)
        if self.kind == "spike" and self.bits != 1:
            raise ValueError(f"spike inputs have 1 bit, not {self.bits}: take kind='serial'")
        if self.signed and self.kind != "serial":
            raise ValueError(f"`signed` is for serial inputs, not {self.kind}: leave it out")

    @property
    def n_steps(self) -> int:
        """Steps from 0 to the largest number."""
        return (1 << (self.bits - 1) if self.kind == "dac" else 1 << self.bits) - 1

    @property
    def n_pulses(self) -> int:
        """Read pulses, and so conversions, a vector takes."""
        return self.bits * (1 + self.signed) if self.kind == "serial" else 1

    def driven(self, x: AnyArray) -> FloatArray:
        """The numbers that the drivers make of x, or one clear error.

        Raises:
            ValueError: if a number is none that these drivers can make.
        """
        whole = self.kind != "dac"
        high = self.n_steps if whole else 1
        low = 0 if whole and not self.signed else -high
        inside = not x.size or bool(x.min() >= low and x.max() <= high)  # nan is not
        if not inside or (whole and x.dtype.kind == "f" and (x != np.rint(x)).any()):
            bad = (x < low) | (x > high) | (whole & (x != np.rint(x))) | (x != x)
            law = "whole numbers from" if whole else "from"
            raise ValueError(
                f"{self.kind} inputs are {law} {low} to {high}, got {x[bad].flat[0]:g}: scale them"
            )
        x = x.astype(np.float64, copy=False)
        return x if whole else np.rint(x * self.n_steps) / self.n_steps

    def pulses(self, driven: AnyArray) -> list[tuple[int, AnyArray]]:
        """Weight and wordlines (batch, rows) of every pulse; their sum is `driven`."""
        if self.kind != "serial":
            return [(1, driven)]
        signs = (1, -1) if self.signed else (1,)
        found: list[tuple[int, AnyArray]] = []
        for sign in signs:
            part = np.maximum(sign * driven, 0).astype(np.int32)
            for bit in range(self.bits):
                found.append((sign << bit, (part >> bit & 1).astype(driven.dtype)))
        return found

    def squares(self, driven: AnyArray) -> AnyArray:
        """Weight squared times pulse squared, summed over pulses: how read noise adds up."""
        if self.kind != "serial":
            return driven * driven
        total = np.zeros_like(driven)
        for weight, lines in self.pulses(driven):
            total += weight**2 * lines
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Adc:
    """A uniform converter of currents from `low` to `high`, in amperes.

    2^bits levels, one step `lsb` apart, of which one is exactly 0 (mid-tread: no current, no
    charge); to have it the levels are moved by half a step at most, so that within the range no
    error exceeds half a step. What lies farther out than half a step from the last level
    saturates, and is counted.

    Attributes:
        bits: 1 to 16.
        low, high: the range, in amperes.
        gain_sd: spread of the converters' gains around 1.
        offset_sd_lsb: spread of their offsets, in steps.
        columns_per_adc: neighbouring columns that share a converter.
    """

    bits: int = 8
    low: float
    high: float
    gain_sd: float = 0.0
    offset_sd_lsb: float = 0.0
    columns_per_adc: int = 8

    def __post_init__(self) -> None:
        _check_bits("an ADC", self.bits, 1)
        if not (np.isfinite(self.low) and np.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"an ADC's range needs low < high, got {self.low:g} and {self.high:g} A: "
                "`calibrate` finds one"
            )
        _check_spread("`gain_sd` of an ADC", self.gain_sd)
        _check_spread("`offset_sd_lsb` of an ADC", self.offset_sd_lsb)
        _check_whole("`columns_per_adc`", self.columns_per_adc, 1)

    @property
    def lsb(self) -> float:
        """One step, in amperes."""
        return (self.high - self.low) / ((1 << self.bits) - 1)

    @property
    def code_min(self) -> int:
        """The lowest code, in steps from 0 A."""
        return -round(-self.low / self.lsb)

    @property
    def code_max(self) -> int:
        """The highest code, in steps from 0 A."""
        return self.code_min + (1 << self.bits) - 1

    def n_adcs(self, n_columns: int) -> int:
        """Converters of so many columns."""
        return -(-n_columns // self.columns_per_adc)

    def draw(self, n_columns: int, rng: np.random.Generator | None = None) -> "Converters":
        """The converters of one array, each with a gain and an offset of its own.

        Raises:
            ValueError: if converters differ and there is no `rng`.
        """
        gain, offset = np.ones(n_columns), np.zeros(n_columns)
        if self.gain_sd or self.offset_sd_lsb:
            if rng is None:
                raise ValueError(
                    f"converters differ (gain_sd {self.gain_sd:g}, offset_sd_lsb "
                    f"{self.offset_sd_lsb:g}): give `rng`, a numpy Generator"
                )
            drawn = rng.standard_normal((2, self.n_adcs(n_columns)))
            of_column = np.arange(n_columns) // self.columns_per_adc
            gain += self.gain_sd * drawn[0, of_column]
            offset += self.offset_sd_lsb * drawn[1, of_column]
        return Converters(self, gain, offset)


@dataclass(frozen=True, slots=True)
class Converters:
    """The converters of one array: `adc` with gain and offset (in steps) of each column."""

    adc: Adc
    gain: FloatArray
    offset_lsb: FloatArray

    def codes(self, currents: AnyArray) -> tuple[IntArray, int]:
        """Codes of currents (batch, columns), in steps from 0 A, and how many were clipped."""
        adc = self.adc
        codes = np.rint(currents * (self.gain / adc.lsb) + self.offset_lsb)
        inside = np.clip(codes, adc.code_min, adc.code_max)
        return inside.astype(np.int64), int(np.count_nonzero(codes != inside))


@dataclass(frozen=True, slots=True)
class SenseAmp:
    """Compares the current of a column with a reference: one bit, no ADC.

    `offset_sd_ampere`: spread of the offsets, drawn once a column. `noise_sd_ampere`: of each
    comparison.
    """

    offset_sd_ampere: float = 0.0
    noise_sd_ampere: float = 0.0

    def __post_init__(self) -> None:
        _check_spread("`offset_sd_ampere` of a sense amplifier", self.offset_sd_ampere)
        _check_spread("`noise_sd_ampere` of a sense amplifier", self.noise_sd_ampere)

    def draw(self, n_columns: int, rng: np.random.Generator | None = None) -> "SenseAmps":
        """The amplifiers of one array, an offset each.

        Raises:
            ValueError: if amplifiers differ and there is no `rng`.
        """
        if not self.offset_sd_ampere:
            return SenseAmps(self, np.zeros(n_columns))
        if rng is None:
            raise ValueError(
                f"sense amplifiers differ (offset_sd_ampere {self.offset_sd_ampere:g}): "
                "give `rng`, a numpy Generator"
            )
        return SenseAmps(self, self.offset_sd_ampere * rng.standard_normal(n_columns))


@dataclass(frozen=True, slots=True)
class SenseAmps:
    """The sense amplifiers of one array, with the offset (columns,) of each in amperes."""

    amp: SenseAmp
    offset_ampere: FloatArray

    def fires(
        self,
        currents: AnyArray,
        reference_ampere: float | FloatArray = 0.0,
        rng: np.random.Generator | None = None,
    ) -> BoolArray:
        """Where currents (batch, columns), plus offset, exceed the reference (strictly)."""
        seen = currents + self.offset_ampere
        if self.amp.noise_sd_ampere:
            if rng is None:
                raise ValueError("sense amplifiers are noisy: give `rng`, a numpy Generator")
            seen = seen + self.amp.noise_sd_ampere * rng.standard_normal(seen.shape)
        return np.asarray(seen > reference_ampere)


def calibrate(
    currents: AnyArray,
    bits: int,
    method: Method = "percentile",
    *,
    percentile: float = 99.9,
) -> tuple[float, float]:
    """A converter's range, from sample currents of the columns that share it.

    The range holds 0 A. `percentile` cuts off `100 - percentile` per cent at either end that is
    not 0; `loss` takes the range whose converter has the least mean squared error on the sample,
    of a grid of ranges, then of finer ones around the best.

    Args:
        currents: in amperes, any shape.
        bits: of the converter.
        method: `percentile` or `loss`.
        percentile: above 50, at most 100.

    Returns:
        `low` and `high` of an `Adc`, in amperes.

    Raises:
        ValueError: if there are no currents, if they are all 0, or an argument is out of bounds.
    """
    sample = real("sample currents", currents).ravel()
    _check_bits("an ADC", bits, 1)
    if not 50 < percentile <= 100:
        raise ValueError(f"`percentile` is {percentile:g}, must be above 50 and at most 100")
    if not sample.size or not np.isfinite(sample).all():
        raise ValueError("sample currents must be finite, and at least one")
    if not sample.any():
        raise ValueError("sample currents are all 0 A: they set no range, give others")
    if method == "percentile":
        return _between(sample, percentile)
    if method != "loss":
        raise ValueError(f"`method` is {method!r}, must be 'percentile' or 'loss'")
    return _least_loss(sample, bits)


def _between(sample: FloatArray, percentile: float) -> tuple[float, float]:
    low, high = np.percentile(sample, [100 - percentile, percentile])
    if low >= 0 and high <= 0:  # fewer currents than are cut off: take them all
        low, high = sample.min(), sample.max()
    return min(float(low), 0.0), max(float(high), 0.0)


def _least_loss(sample: FloatArray, bits: int) -> tuple[float, float]:
    """The best of ranges that shrink together, then of each end alone, finer and finer."""
    ends = _between(sample, 100)
    found = [(ends[0] * s, ends[1] * s) for s in np.geomspace(1, 2**-6, 49)]
    found += [_between(sample, p) for p in (99, 99.5, 99.9, 99.99)]
    best = min(found, key=lambda r: _loss(sample, r, bits))
    for width in (0.3, 0.1, 0.03):
        factors = 1 + width * np.linspace(-1, 1, 13)
        for side in (0, 1):
            tried = [best] + [_scaled(best, side, f) for f in factors]
            best = min(tried, key=lambda r: _loss(sample, r, bits))
    return best


def _scaled(ends: tuple[float, float], side: int, factor: float) -> tuple[float, float]:
    low, high = ends
    return (low * factor, high) if side == 0 else (low, high * factor)


def _loss(sample: FloatArray, ends: tuple[float, float], bits: int) -> float:
    adc = Adc(bits=bits, low=ends[0], high=ends[1])
    codes = np.clip(np.rint(sample / adc.lsb), adc.code_min, adc.code_max)
    return float(np.mean((codes * adc.lsb - sample) ** 2))


def _check_bits(what: str, bits: int, least: int) -> None:
    if isinstance(bits, bool) or not isinstance(bits, int | np.integer):
        raise ValueError(f"{what} needs a whole number of bits, got {bits!r}")
    if not least <= bits <= MAX_BITS:
        raise ValueError(f"{what} needs {least} to {MAX_BITS} bits, got {bits}")


def _check_whole(what: str, value: int, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{what} is {value!r}, must be a whole number of at least {least}")


def _check_spread(what: str, value: float) -> None:
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"{what} is {value:g}, must be a number of at least 0")
