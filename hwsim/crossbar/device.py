"""A resistive device as data: a window of conductances, and the laws by which it errs and ages."""

from itertools import pairwise
from typing import Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from hwsim.arrays import FloatArray, real
from hwsim.chips.spec import Spec
from hwsim.chips.toml_files import checked
from hwsim.crossbar.cells import Cells, DeviceDraws, ProgramDraws, seed_from, stream
from hwsim.crossbar.laws import (
    Activation,
    DeviceToDevice,
    Faults,
    Flicker,
    Forming,
    PowerDrift,
    ProgrammingError,
    ReadNoise,
    Relaxation,
)

LAWS = (
    "programming",
    "device_to_device",
    "faults",
    "drift",
    "relaxation",
    "flicker",
    "read",
    "forming",
    "activation",
)


class Device(Spec):
    """One kind of resistive cell. A law that is None is not known, or the device has none of it.

    Attributes:
        g_min_siemens, g_max_siemens: the window in which a conductance may be wanted.
        g_reference_siemens: what the laws call 1: x = g / g_reference; None: g_max. A device whose
            window is made narrower keeps its laws if it is given.
        levels: None: any conductance of the window; a whole number: so many, evenly spaced from
            end to end; or the conductances themselves, siemens.
        temperature_k: of the measurements; None: not published.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]*$")
    title: str
    technology: str
    notes: tuple[str, ...] = ()
    g_min_siemens: NonNegativeFloat
    g_max_siemens: PositiveFloat
    g_reference_siemens: PositiveFloat | None = None
    levels: int | tuple[NonNegativeFloat, ...] | None = None
    temperature_k: PositiveFloat | None = None
    programming: ProgrammingError | None = None
    device_to_device: DeviceToDevice | None = None
    faults: Faults | None = None
    drift: PowerDrift | None = None
    relaxation: Relaxation | None = None
    flicker: Flicker | None = None
    read: ReadNoise | None = None
    forming: Forming | None = None
    activation: Activation | None = None

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        lo, hi = self.g_min_siemens, self.g_max_siemens
        if lo >= hi:
            raise ValueError(f"`g_min_siemens < g_max_siemens` must hold, got {lo:g} and {hi:g}")
        return self

    @model_validator(mode="after")
    def _levels_are_in_the_window(self) -> Self:
        if isinstance(self.levels, int) and self.levels < 2:
            raise ValueError(f"`levels` is {self.levels}: a cell needs 2 or more, or none at all")
        if isinstance(self.levels, tuple):
            if not self.levels or any(b <= a for a, b in pairwise(self.levels)):
                raise ValueError("`levels` must be conductances that rise")
            if self.levels[0] < self.g_min_siemens or self.levels[-1] > self.g_max_siemens:
                raise ValueError(f"`levels` leave the window: {self._window()}")
        return self

    @model_validator(mode="after")
    def _no_spread_is_negative(self) -> Self:
        g, law = np.linspace(self.g_min_siemens, self.g_max_siemens, 1001), self.programming
        x = g / self.reference_siemens
        for sd in () if law is None else [law.sd(x, t) for t in law.times_s or (0.0,)]:
            if sd.min() < 0:
                raise ValueError(
                    f"`programming.sd_siemens` is {sd.min():g} at x = {x[sd.argmin()]:.3f}: "
                    "no spread is below 0 in the window"
                )
        return self

    @model_validator(mode="after")
    def _one_temperature(self) -> Self:
        if self.activation and self.activation.reference_k != self.temperature_k:
            raise ValueError("`activation.reference_k` must be `temperature_k`")
        return self

    @property
    def reference_siemens(self) -> float:
        """The conductance at which x is 1."""
        return self.g_reference_siemens or self.g_max_siemens

    @property
    def unknown(self) -> tuple[str, ...]:
        """Effects of which the file says nothing: they are not simulated."""
        ages = self._known_times()[0] < np.inf
        names = [n for n in LAWS if getattr(self, n) is None and n not in ("drift", "relaxation")]
        return tuple(n for n in names if n != "forming") + (() if ages else ("ageing",))

    @property
    def assumed(self) -> tuple[str, ...]:
        """Laws that are rules of thumb."""
        laws = {name: getattr(self, name) for name in LAWS}
        return tuple(name for name, law in laws.items() if law is not None and law.kind == "R")

    def level_siemens(self) -> FloatArray | None:
        """The conductances that can be asked for, siemens; None: any in the window."""
        if isinstance(self.levels, int):
            return np.linspace(self.g_min_siemens, self.g_max_siemens, self.levels)
        return None if self.levels is None else np.array(self.levels)

    def program(self, g_wanted: object, rng: np.random.Generator) -> Cells:
        """New cells, programmed to conductances of the window.

        Args:
            g_wanted: siemens, any shape; taken to the nearest of `levels`.
            rng: two numbers are drawn from it, whatever the shape: the same state, the same chip.

        Raises:
            ValueError: if a conductance is not a number or outside the window.
        """
        g = self.nearest(g_wanted)
        fixed = DeviceDraws.of(self, g.shape, seed_from(rng))
        return Cells(self, g, fixed, ProgramDraws.of(self, g.shape, seed_from(rng)))

    def measured(self, g_siemens: object, rng: np.random.Generator) -> Cells:
        """Cells that have these conductances at time 0: no error, gain or fault is added to them.

        Raises:
            ValueError: if a conductance is not a number or outside the window.
        """
        return self._found(self._in_window(g_siemens), seed_from(rng), seed_from(rng))

    def form(
        self,
        shape: tuple[int, ...],
        rng: np.random.Generator,
        breakdown_volt: float | None = None,
    ) -> Cells:
        """New cells, formed by chance; the voltage sets how many stay pristine.

        Args:
            shape: of the cells.
            rng: two numbers are drawn from it: the same state, the same chip.
            breakdown_volt: the voltage applied; None: that of the device file.

        Raises:
            ValueError: if the device has no `forming`, or the voltage is no positive number.
        """
        law = self.forming
        if law is None:
            raise ValueError(f"how {self.name} is formed is not known: use `program`")
        volt = law.volt if breakdown_volt is None else breakdown_volt
        if not 0 < volt < np.inf:
            raise ValueError(f"breakdown_volt is {volt}, must be a voltage above 0")
        seed, other = seed_from(rng), seed_from(rng)
        broken = law.breaks(stream(seed, "breakdown").standard_normal(shape), volt)
        formed = law.formed(stream(seed, "formed").standard_normal(shape))
        return self._found(np.where(broken, formed, law.pristine_siemens), seed, other)

    def spread(self, fraction: float) -> Self:
        """This device with a programming error of sd `fraction` g_max, and no other known of it.

        Times of the former error are gone with it: how such a device ages is known only by
        `drift` or `relaxation`.
        """
        law = {
            "sd_siemens": ((fraction * self.g_max_siemens,),),
            "source": "assumed, to sweep the spread",
            "class": "R",
            "rel_uncertainty": 0.0,
        }
        values = self.model_dump(by_alias=True)
        values |= {"name": f"{self.name}+spread{fraction:g}", "programming": law}
        if not 0 <= fraction <= 1:
            raise ValueError(f"a spread of {fraction} is no fraction of g_max: give 0 to 1")
        return checked(type(self), self.name, values)

    def with_(self, **changes: object) -> Self:
        """This device with other values, checked again; a table given takes the old one's place.

        Raises:
            ValueError: if the result is no device.
        """
        values = self.model_dump(by_alias=True)
        plain = {
            k: v.model_dump(by_alias=True) if isinstance(v, Spec) else v for k, v in changes.items()
        }
        return checked(type(self), self.name, values | plain)

    def nearest(self, g_wanted: object) -> FloatArray:
        """Conductances of the window, each taken to the nearest level.

        Raises:
            ValueError: if a conductance is not a number or outside the window.
        """
        g, levels = self._in_window(g_wanted), self.level_siemens()
        if levels is None:
            return g
        middle = (levels[1:] + levels[:-1]) / 2
        return levels[np.searchsorted(middle, g)]

    def age(self, time_s: float, temperature_k: float | None = None) -> float:
        """Seconds of ageing at the temperature of the measurements.

        Raises:
            ValueError: if the laws say nothing of that time or temperature.
        """
        if not isinstance(time_s, int | float | np.number) or not 0 <= time_s < np.inf:
            raise ValueError(f"time_s is {time_s!r}, must be seconds, 0 or more")
        time_s = self._at_reference(time_s, temperature_k)
        if time_s == 0:
            return 0.0
        first, last = self._known_times()
        if not first <= time_s <= last:
            known = "" if first > last else f" and {first:g} to {last:g} s"
            raise ValueError(
                f"{self.name} is not known {time_s:g} s after programming, only at 0{known}: ask "
                "for such a time, or give a device with a law that covers it"
            )
        return time_s

    def _at_reference(self, time_s: float, temperature_k: float | None) -> float:
        if temperature_k is None or temperature_k == self.temperature_k:
            return float(time_s)
        if not 0 < temperature_k < np.inf:
            raise ValueError(f"temperature_k is {temperature_k}, must be kelvins above 0")
        if self.activation is None:
            at = "not published" if self.temperature_k is None else f"{self.temperature_k:g} K"
            raise ValueError(
                f"how {self.name} ages at {temperature_k:g} K is not known, only at the "
                f"temperature of its measurements ({at}): leave temperature_k out"
            )
        return self.activation.as_at_reference(time_s, temperature_k)

    def _known_times(self) -> tuple[float, float]:
        """First and last time after 0 that every law of ageing covers; first > last: none."""
        spans = [(0.0, np.inf)] if self.drift else []
        if self.programming and self.programming.times_s:
            spans.append((self.programming.times_s[0], self.programming.times_s[-1]))
        if law := self.relaxation:
            spans.append((law.first_s, np.inf if law.last_s is None else law.last_s))
        if not spans:
            return np.inf, 0.0
        return max(first for first, _ in spans), min(last for _, last in spans)

    def _found(self, g: FloatArray, seed: int, other: int) -> Cells:
        fixed, drawn = DeviceDraws.of(self, g.shape, seed), ProgramDraws.of(self, g.shape, other)
        return Cells(self, g, fixed, drawn, as_found=True)

    def _in_window(self, g_siemens: object) -> FloatArray:
        g = real("a conductance", g_siemens)
        slack = 4 * np.spacing(self.g_max_siemens)  # of sums that should end at the window's end
        inside = (g >= self.g_min_siemens - slack) & (g <= self.g_max_siemens + slack)
        if not inside.all():
            where = tuple(int(i) for i in np.argwhere(~inside)[0])
            at = f" at {where}" if where else ""
            raise ValueError(
                f"a conductance is {g[where]:g} S{at} ({np.count_nonzero(~inside)} of {g.size} "
                f"are outside): {self._window()}"
            )
        return np.clip(g, self.g_min_siemens, self.g_max_siemens)

    def _window(self) -> str:
        return f"{self.name} takes {self.g_min_siemens:g} to {self.g_max_siemens:g} S"
