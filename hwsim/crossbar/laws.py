"""Laws of resistive devices as plain data: what is drawn when, how wide, how it ages.

Every law is a table of a device file with its source, class and uncertainty. `x` is a
conductance over the device's `g_reference_siemens`.
"""

from itertools import pairwise
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from hwsim.arrays import FloatArray
from hwsim.chips.spec import Spec

Fraction = Annotated[float, Field(ge=0, le=1)]


class Law(Spec):
    """Where a law is from; its numbers may be off by a factor of 1 + `rel_uncertainty`."""

    source: str = Field(min_length=8)
    kind: Literal["M", "P", "F", "D", "R"] = Field(alias="class")
    rel_uncertainty: float = Field(ge=0, le=10)
    note: str = ""


class ProgrammingError(Law):
    """Normal error around the wanted conductance, drawn whenever a cell is programmed.

    `sd_siemens`: a polynomial in x, lowest power first; one for each of `times_s`, or a single
    one where no times are published: that of a cell just programmed. Between two times sd is
    interpolated in ln t; the first holds at time 0 too.
    """

    sd_siemens: tuple[tuple[float, ...], ...] = Field(min_length=1)
    times_s: tuple[PositiveFloat, ...] = ()

    @model_validator(mode="after")
    def _a_polynomial_for_every_time(self) -> Self:
        if len(self.sd_siemens) != max(len(self.times_s), 1):
            raise ValueError(
                f"{len(self.sd_siemens)} polynomials for {len(self.times_s)} times: give one for "
                "every time, or one and no times"
            )
        if any(b <= a for a, b in pairwise(self.times_s)):
            raise ValueError("`times_s` must rise")
        if not all(self.sd_siemens):
            raise ValueError("a polynomial of `sd_siemens` has no coefficients")
        return self

    def sd(self, x: FloatArray, time_s: float) -> FloatArray:
        """Standard deviation in siemens at each x, `time_s` after programming."""
        sds = [np.polynomial.polynomial.polyval(x, row) for row in self.sd_siemens]
        if time_s <= 0 or not self.times_s:
            return np.asarray(sds[0], dtype=np.float64)
        share = np.interp(np.log(time_s), np.log(self.times_s), np.arange(len(sds)))
        i = min(int(share), len(sds) - 1)
        if share == i:
            return np.asarray(sds[i], dtype=np.float64)
        return np.asarray(sds[i] + (share - i) * (sds[i + 1] - sds[i]), dtype=np.float64)


class DeviceToDevice(Law):
    """A gain of every device, normal around 1, that stays when it is programmed again."""

    sd_relative: NonNegativeFloat


class Faults(Law):
    """Devices that cannot be programmed: fractions, and the conductance at which they stay."""

    stuck_low: Fraction
    stuck_high: Fraction
    g_low_siemens: NonNegativeFloat
    g_high_siemens: NonNegativeFloat

    @model_validator(mode="after")
    def _no_device_is_stuck_twice(self) -> Self:
        if self.stuck_low + self.stuck_high > 1:
            raise ValueError(
                f"stuck_low {self.stuck_low:g} and stuck_high {self.stuck_high:g} are more than 1"
            )
        return self


class ClippedLog(Spec):
    """A number that depends on x as clip(offset + slope ln x, low, high)."""

    offset: float
    slope: float
    low: NonNegativeFloat
    high: NonNegativeFloat

    def at(self, x: FloatArray) -> FloatArray:
        """Its value at each x."""
        log = np.log(np.maximum(x, np.finfo(np.float64).tiny))
        return np.asarray(np.clip(self.offset + self.slope * log, self.low, self.high))


class PowerDrift(Law):
    """g(t) = g ((t + t0) / t0)^-nu, nu = |normal(nu_mean, nu_sd)|, one draw for each device.

    x is that of the wanted conductance, t0 the time of the first reading.
    """

    t0_s: PositiveFloat
    nu_mean: ClippedLog
    nu_sd: ClippedLog

    def factor(self, x: FloatArray, z: FloatArray, time_s: float) -> FloatArray:
        """What is left of each conductance, by its standard normal number z."""
        nu = np.abs(self.nu_mean.at(x) + self.nu_sd.at(x) * z)
        return np.asarray(((time_s + self.t0_s) / self.t0_s) ** -nu)


class Relaxation(Law):
    """Mean and spread that grow with L = ln(t / first_s), one draw for each programming.

    g(t) = g + m L + (s0 + s1 L) z from `first_s` on, each of m, s0 and s1 the sum of a number of
    siemens and a share of g. At time 0 nothing has relaxed; between 0 and `first_s` nothing is
    known. `last_s` is the last time for which the law holds; None: it has no end.
    """

    first_s: PositiveFloat
    last_s: PositiveFloat | None = None
    mean_per_ln_siemens: float = 0.0
    mean_per_ln_relative: float = 0.0
    sd_siemens: NonNegativeFloat = 0.0
    sd_relative: NonNegativeFloat = 0.0
    sd_per_ln_siemens: NonNegativeFloat = 0.0
    sd_per_ln_relative: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _time_goes_on(self) -> Self:
        if self.last_s is not None and self.last_s < self.first_s:
            raise ValueError(f"`last_s` {self.last_s:g} is before `first_s` {self.first_s:g}")
        return self

    def shift(self, g: FloatArray, z: FloatArray, time_s: float) -> FloatArray:
        """What each conductance has moved by, siemens."""
        if time_s <= 0:
            return np.zeros_like(g)
        log = np.log(time_s / self.first_s)
        mean = (self.mean_per_ln_siemens + self.mean_per_ln_relative * g) * log
        first = self.sd_siemens + self.sd_relative * g
        rest = self.sd_per_ln_siemens + self.sd_per_ln_relative * g
        return np.asarray(mean + (first + rest * log) * z)


class _Flicker(Law):
    t_read_s: PositiveFloat
    t0_s: NonNegativeFloat = 0.0

    def _growth(self, time_s: float) -> float:
        """sqrt(ln((t + t_read) / (2 t_read))), t counted from programming."""
        ratio = (time_s + self.t0_s + self.t_read_s) / (2 * self.t_read_s)
        return float(np.sqrt(np.log(max(ratio, 1.0))))


class FlickerPower(_Flicker):
    """1/f noise of sd g min(scale / x^power, cap) sqrt(ln((t + t0 + t_read) / (2 t_read))).

    x is that of the programmed conductance, g the aged one; one draw for each programming.
    """

    law: Literal["power"]
    scale: NonNegativeFloat
    power: NonNegativeFloat
    cap: NonNegativeFloat

    def sd(self, g: FloatArray, x: FloatArray, time_s: float) -> FloatArray:
        """Standard deviation in siemens of aged conductances g that were programmed to x."""
        scale = self.scale / np.maximum(x, np.finfo(np.float64).tiny) ** self.power
        return np.asarray(g * np.minimum(scale, self.cap) * self._growth(time_s))


class FlickerLog(_Flicker):
    """1/f noise of sd k log10(g / reference) sqrt(ln((t + t0 + t_read) / (2 t_read))).

    No noise below the reference; one draw for each programming.
    """

    law: Literal["log"]
    k_siemens: NonNegativeFloat
    reference_siemens: PositiveFloat

    def sd(self, g: FloatArray, x: FloatArray, time_s: float) -> FloatArray:
        """Standard deviation in siemens of aged conductances g; x is not used."""
        decades = np.log10(np.maximum(g / self.reference_siemens, 1.0))
        return np.asarray(self.k_siemens * decades * self._growth(time_s))


Flicker = Annotated[FlickerPower | FlickerLog, Field(discriminator="law")]


class ReadNoise(Law):
    """White noise, new at every read: of sd `relative` g_reference x^power, or a polynomial.

    `power` 1 is a share of the conductance itself, 0 the same noise everywhere.
    """

    relative: NonNegativeFloat | None = None
    power: NonNegativeFloat = 1.0
    sd_siemens: tuple[float, ...] | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.relative is None) == (not self.sd_siemens):
            raise ValueError("give `relative` or the coefficients `sd_siemens`, one of both")
        return self

    def sd(self, g: FloatArray, g_reference_siemens: float) -> FloatArray:
        """Standard deviation in siemens of one read of each conductance."""
        x = g / g_reference_siemens
        if self.sd_siemens:
            return np.maximum(np.polynomial.polynomial.polyval(x, self.sd_siemens), 0.0)
        return np.asarray((self.relative or 0.0) * g_reference_siemens * x**self.power)


class Forming(Law):
    """Stochastic forming: a voltage breaks some cells down and leaves the others pristine.

    The breakdown voltages of cells are normal, the conductances of broken ones log-normal with the
    given mean and sd; both are drawn once for each device, independently of each other.
    """

    breakdown_mean_volt: PositiveFloat
    breakdown_sd_volt: PositiveFloat
    volt: PositiveFloat  # applied unless another is asked for
    formed_mean_siemens: PositiveFloat
    formed_sd_siemens: PositiveFloat
    pristine_siemens: NonNegativeFloat

    @property
    def log_mean(self) -> float:
        """Mean of ln g of a formed cell."""
        return float(np.log(self.formed_mean_siemens) - self.log_sd**2 / 2)

    @property
    def log_sd(self) -> float:
        """Standard deviation of ln g of a formed cell."""
        cv = self.formed_sd_siemens / self.formed_mean_siemens
        return float(np.sqrt(np.log1p(cv**2)))

    def breaks(self, z: FloatArray, volt: float) -> np.ndarray:
        """Which cells a voltage breaks down, by their standard normal numbers z."""
        return np.asarray(self.breakdown_mean_volt + self.breakdown_sd_volt * z <= volt)

    def formed(self, z: FloatArray) -> FloatArray:
        """Conductances of broken cells, siemens, by their standard normal numbers z."""
        return np.asarray(np.exp(self.log_mean + self.log_sd * z))


class Activation(Law):
    """Arrhenius: at another temperature a cell ages as it would after exp(E / k (1/T0 - 1/T)) t."""

    energy_ev: PositiveFloat
    reference_k: PositiveFloat

    def as_at_reference(self, time_s: float, temperature_k: float) -> float:
        """The time after which a cell would be as old at the reference temperature."""
        boltzmann_ev_per_k = 8.617333262e-5  # CODATA 2018, exact
        inverse = 1 / self.reference_k - 1 / temperature_k
        return float(time_s * np.exp(self.energy_ev / boltzmann_ev_per_k * inverse))
