"""Resistive cells that were programmed: what was drawn for them, and what they are at any time."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from hwsim.arrays import BoolArray, FloatArray

if TYPE_CHECKING:
    from hwsim.crossbar.device import Device

# every law has a stream of random numbers of its own: one more law moves no other's draws
STREAMS = ("gain", "nu", "fault", "breakdown", "formed", "programming", "relaxation", "flicker")


def seed_from(rng: np.random.Generator) -> int:
    """One number of a generator, of which all streams of a chip are made.

    Raises:
        ValueError: if it is none.
    """
    if not isinstance(rng, np.random.Generator):
        raise ValueError(f"rng is {rng!r:.40}, no Generator: give np.random.default_rng(seed)")
    return int(rng.integers(np.iinfo(np.int64).max))


def stream(seed: int, law: str) -> np.random.Generator:
    """The random numbers of one law of one chip."""
    return np.random.default_rng([seed, STREAMS.index(law)])


@dataclass(frozen=True, slots=True, eq=False)
class DeviceDraws:
    """What a device keeps for its life, shape of the cells; None where no law asks for it.

    Attributes:
        gain, nu: standard normal numbers, of the gain and of the exponent of drift.
        fault: uniform numbers that say which devices are stuck.
    """

    gain: FloatArray | None
    nu: FloatArray | None
    fault: FloatArray | None

    @classmethod
    def of(cls, device: "Device", shape: tuple[int, ...], seed: int) -> Self:
        """New devices."""
        normal = device.device_to_device, device.drift
        gain, nu = (
            None if law is None else stream(seed, name).standard_normal(shape)
            for name, law in zip(("gain", "nu"), normal, strict=True)
        )
        fault = None if device.faults is None else stream(seed, "fault").random(shape)
        return cls(gain, nu, fault)

    def part(self, at: tuple[slice, slice]) -> "DeviceDraws":
        """Those of some rows and columns."""
        return DeviceDraws(_part(self.gain, at), _part(self.nu, at), _part(self.fault, at))

    def above(self, other: "DeviceDraws") -> "DeviceDraws":
        """These rows, then those of the same kind of device."""
        pairs = (self.gain, other.gain), (self.nu, other.nu), (self.fault, other.fault)
        return DeviceDraws(*(_stacked(a, b) for a, b in pairs))


@dataclass(frozen=True, slots=True, eq=False)
class ProgramDraws:
    """Standard normal numbers drawn at every programming, shape of the cells, or None."""

    programming: FloatArray | None
    relaxation: FloatArray | None
    flicker: FloatArray | None

    @classmethod
    def of(cls, device: "Device", shape: tuple[int, ...], seed: int) -> Self:
        """One programming of all cells."""
        laws = device.programming, device.relaxation, device.flicker
        names = ("programming", "relaxation", "flicker")
        return cls(
            *(
                None if law is None else stream(seed, name).standard_normal(shape)
                for name, law in zip(names, laws, strict=True)
            )
        )

    def part(self, at: tuple[slice, slice]) -> "ProgramDraws":
        """Those of some rows and columns."""
        kept = self.programming, self.relaxation, self.flicker
        return ProgramDraws(*(_part(z, at) for z in kept))

    def above(self, other: "ProgramDraws") -> "ProgramDraws":
        """These rows, then those of the same kind of device."""
        return ProgramDraws(
            _stacked(self.programming, other.programming),
            _stacked(self.relaxation, other.relaxation),
            _stacked(self.flicker, other.flicker),
        )


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Programmed cells. The same cells at the same time are the same numbers.

    A cell keeps its place in every distribution: one standard normal number a law, scaled by the
    law's spread at the time that is asked for.

    Attributes:
        device: what kind they are.
        g_wanted: siemens, any shape, on the device's levels.
        fixed: what was drawn for each device, and stays when it is programmed again.
        drawn: what was drawn at this programming.
        as_found: they have `g_wanted` at time 0, formed or measured: no error is added to it.
    """

    device: "Device"
    g_wanted: FloatArray
    fixed: DeviceDraws
    drawn: ProgramDraws
    as_found: bool = False

    def at(self, time_s: float = 0.0, temperature_k: float | None = None) -> FloatArray:
        """Conductances in siemens, `time_s` after programming, kept at a temperature.

        1/f noise is in it: it is slow, and the same for all reads at that time. White noise is
        not: see `read_sd`. What a law leaves below 0 is 0: see `n_clipped`.

        Args:
            time_s: seconds since programming; 0 is the first reading.
            temperature_k: None: that at which the device was measured.

        Raises:
            ValueError: if the device's laws say nothing of that time or temperature.
        """
        return self._aged(time_s, temperature_k)[0]

    def n_clipped(self, time_s: float = 0.0, temperature_k: float | None = None) -> int:
        """How many cells a law would leave below 0 S; they have 0 S."""
        return int(np.count_nonzero(self._aged(time_s, temperature_k)[1]))

    def read_sd(self, time_s: float = 0.0, temperature_k: float | None = None) -> FloatArray:
        """Standard deviation in siemens of the white noise of one read, shape of the cells.

        0 everywhere where the device's read noise is not known.
        """
        g, read = self.at(time_s, temperature_k), self.device.read
        return np.zeros_like(g) if read is None else read.sd(g, self.device.reference_siemens)

    def programmed(self) -> FloatArray:
        """Conductances in siemens as programming left them, before drift and noise of reading."""
        return self._stuck(np.maximum(self._first(0.0), 0.0))

    def reprogram(self, g_wanted: object, rng: np.random.Generator) -> "Cells":
        """The same devices, programmed once more: gains, faults and exponents of drift stay.

        Raises:
            ValueError: if the shape is another, or a conductance is outside the window.
        """
        g = self.device.nearest(g_wanted)
        if g.shape != self.g_wanted.shape:
            raise ValueError(f"conductances of shape {g.shape} for cells of {self.g_wanted.shape}")
        drawn = ProgramDraws.of(self.device, g.shape, seed_from(rng))
        return Cells(self.device, g, self.fixed, drawn)

    def part(self, rows: slice, columns: slice) -> "Cells":
        """Some of the cells of an array, (rows, columns), with all that was drawn for them."""
        at = rows, columns
        return replace(
            self,
            g_wanted=self.g_wanted[at],
            fixed=self.fixed.part(at),
            drawn=self.drawn.part(at),
        )

    def above(self, other: "Cells") -> "Cells":
        """One array of these rows, then those of other cells.

        Raises:
            ValueError: if they are of another device or width, or not both found or programmed.
        """
        if self.device != other.device or self.as_found != other.as_found:
            raise ValueError("cells of one array are of one device, all found or all programmed")
        if self.g_wanted.shape[1:] != other.g_wanted.shape[1:]:
            shapes = f"{self.g_wanted.shape} and {other.g_wanted.shape}"
            raise ValueError(f"cells of shapes {shapes} have no common columns")
        return replace(
            self,
            g_wanted=np.concatenate([self.g_wanted, other.g_wanted]),
            fixed=self.fixed.above(other.fixed),
            drawn=self.drawn.above(other.drawn),
        )

    def _first(self, time_s: float) -> FloatArray:
        device, g = self.device, self.g_wanted
        if self.as_found:
            if time_s > 0 and device.programming is not None and device.programming.times_s:
                raise ValueError(
                    f"how a found conductance of {device.name} ages is not known: its law holds "
                    "for cells that were programmed; ask for time 0"
                )
            return g
        if device.programming is not None and self.drawn.programming is not None:
            x = g / device.reference_siemens
            g = g + device.programming.sd(x, time_s) * self.drawn.programming
        if device.device_to_device is not None and self.fixed.gain is not None:
            g = g * (1 + device.device_to_device.sd_relative * self.fixed.gain)
        return g

    def _aged(self, time_s: float, temperature_k: float | None) -> tuple[FloatArray, BoolArray]:
        device = self.device
        time_s = device.age(time_s, temperature_k)
        first = self._first(time_s)
        programmed = np.maximum(first, 0.0)
        g = programmed
        if device.drift is not None and self.fixed.nu is not None:
            x = self.g_wanted / device.reference_siemens
            g = g * device.drift.factor(x, self.fixed.nu, time_s)
        if device.relaxation is not None and self.drawn.relaxation is not None:
            g = g + device.relaxation.shift(g, self.drawn.relaxation, time_s)
        if device.flicker is not None and self.drawn.flicker is not None:
            x = programmed / device.reference_siemens
            g = g + device.flicker.sd(np.maximum(g, 0.0), x, time_s) * self.drawn.flicker
        below = self._stuck(np.minimum(first, g)) < 0
        return self._stuck(np.maximum(g, 0.0)), below

    def _stuck(self, g: FloatArray) -> FloatArray:
        faults, u = self.device.faults, self.fixed.fault
        if faults is None or u is None or self.as_found:
            return g
        g = np.where(u < faults.stuck_low, faults.g_low_siemens, g)
        return np.where(u >= 1 - faults.stuck_high, faults.g_high_siemens, g)


def _part(z: FloatArray | None, at: tuple[slice, slice]) -> FloatArray | None:
    return None if z is None else z[at]


def _stacked(above: FloatArray | None, below: FloatArray | None) -> FloatArray | None:
    return None if above is None or below is None else np.concatenate([above, below])
