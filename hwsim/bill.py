"""A bill: amounts times constants, every product kept, their sums and bands."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.bands import DRAWS, Band, band
from hwsim.chips.spec import Constant


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a bill: `amount` of something times a constant.

    Attributes:
        component: where it belongs: synapses, neurons, network, static, idle, host, sync, reset.
        what: the event, in words. amount: how many per inference (seconds for a power); None if
            that is not known.
        constant: dotted name in the chip file. price: value, source, class, band.
    """

    component: str
    what: str
    amount: float | None
    constant: str
    price: Constant

    @property
    def value(self) -> float | None:
        """Amount times price; None if either is unknown, and the amount is not zero."""
        if self.amount == 0:
            return 0.0
        if self.amount is None or self.price.value is None:
            return None
        return self.amount * self.price.value


@dataclass(frozen=True, slots=True)
class Bill:
    """Joules and seconds of one inference, term by term.

    `energy` and `latency` are the sums of the known terms at the constants' own values, None if
    nothing of them is known; `bands` hold median [p10, p90] of the totals and of every component.
    What is not known is listed in `unknown` and is in no sum.
    """

    title: str
    n_samples: int
    energy_terms: tuple[Term, ...]
    time_terms: tuple[Term, ...]
    energy_j: float | None
    latency_s: float | None
    power_w: float | None
    energy_band: Band | None
    latency_band: Band | None
    components: dict[str, Band | None]
    unknown: tuple[str, ...]

    def component_j(self) -> dict[str, float | None]:
        """Joules by component; None where nothing in it is known."""
        return component_sums(self.energy_terms)

    def as_dict(self) -> dict[str, Any]:
        """The bill as plain data, for JSON."""

        def line(term: Term) -> dict[str, Any]:
            return {
                "component": term.component,
                "what": term.what,
                "amount": term.amount,
                "constant": term.constant,
                "value": term.value,
                **term.price.model_dump(by_alias=True, exclude={"value"}),
                "price": term.price.value,
            }

        def plain(b: Band | None) -> dict[str, float] | None:
            return None if b is None else asdict(b)

        return {
            "title": self.title,
            "n_samples": self.n_samples,
            "energy_j": self.energy_j,
            "energy_band_j": plain(self.energy_band),
            "latency_s": self.latency_s,
            "latency_band_s": plain(self.latency_band),
            "power_w": self.power_w,
            "components_j": self.component_j(),
            "component_bands_j": {name: plain(b) for name, b in self.components.items()},
            "unknown": list(self.unknown),
            "energy_terms": [line(t) for t in self.energy_terms],
            "time_terms": [line(t) for t in self.time_terms],
        }


@dataclass(frozen=True, slots=True)
class Lasts:
    """How long a power is drawn: the nominal time, None if unknown, and its draws."""

    value: float | None
    draws: FloatArray


def make_bill(
    title: str,
    n_samples: int,
    energies: tuple[Term, ...],
    times: tuple[Term, ...],
    draws: dict[str, FloatArray],
    lasts: dict[str, Lasts],
) -> Bill:
    """Add the terms up, with bands.

    Args:
        draws: of the constants, by their names.
        lasts: how long each component that has a power is paid; `host` lasts the whole inference.
    """
    own = {n: tuple(t for t in energies if t.component == n) for n in _components(energies)}
    joules = {n: _joules(terms, lasts, draws) for n, terms in own.items()}
    energy, latency = total(energies), total(times)
    return Bill(
        title=title,
        n_samples=n_samples,
        energy_terms=energies,
        time_terms=times,
        energy_j=energy,
        latency_s=latency,
        power_w=energy / latency if energy is not None and latency else None,
        energy_band=band(energy, sum(joules.values(), start=np.zeros(DRAWS))),
        latency_band=band(latency, lasts["host"].draws),
        components={n: band(total(own[n]), joules[n]) for n in own},
        unknown=unknown_terms(energies + times),
    )


def unknown_terms(terms: tuple[Term, ...]) -> tuple[str, ...]:
    """What is in no sum because it is not known, in words."""
    return tuple(f"{t.component}: {t.what} ({t.constant})" for t in terms if t.value is None)


def held(component: str, what: str, n: float, name: str, constant: Constant, t: Lasts) -> Term:
    """A power of n parts, for as long as it is drawn."""
    drawn_for = None if t.value is None else n * t.value
    return Term(component, f"{what}, seconds", drawn_for, name, constant)


def _components(terms: tuple[Term, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(t.component for t in terms))


def _joules(
    terms: tuple[Term, ...], lasts: dict[str, Lasts], draws: dict[str, FloatArray]
) -> FloatArray:
    """Draws of a component's energy: powers with the drawn time, not the nominal one."""
    out = sum_draws(tuple(t for t in terms if t.price.unit != "W"), draws)
    for term in terms:
        if term.price.unit == "W" and term.amount and term.constant in draws:
            t = lasts[term.component]
            assert t.value, "a power was priced without its time"
            out = out + term.amount / t.value * t.draws * draws[term.constant]
    return out


def total(terms: tuple[Term, ...]) -> float | None:
    """Sum of the known terms; None if nothing but zeros is known beside what is not."""
    values = [t.value for t in terms]
    known = float(sum(v or 0.0 for v in values))
    return known if known or None not in values else None


def component_sums(terms: tuple[Term, ...]) -> dict[str, float | None]:
    """The totals of the terms of each component."""
    return {n: total(tuple(t for t in terms if t.component == n)) for n in _components(terms)}


def sum_draws(terms: tuple[Term, ...], draws: dict[str, FloatArray]) -> FloatArray:
    """Draws of the sum of amounts times constants."""
    sums = np.zeros(DRAWS)
    for term in terms:
        if term.amount and term.constant in draws:
            sums = sums + term.amount * draws[term.constant]
    return sums
