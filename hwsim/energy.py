"""The one module that knows joules and seconds: counts times constants, every product kept."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.chips.spec import ChipSpec, Constant, Energies, PriceList, Times
from hwsim.counts import Counts

Z90 = 1.2815515594457831  # standard normal quantile of 90 %: where the bands lie
DRAWS = 4096


@dataclass(frozen=True, slots=True)
class Term:
    """One line of a bill: `amount` of something times a constant.

    Attributes:
        component: where it belongs: synapses, neurons, network, static, host, sync, reset.
        what: the event, in words. amount: how many per inference (seconds for a power).
        constant: dotted name in the chip file. price: value, source, class, band.
    """

    component: str
    what: str
    amount: float
    constant: str
    price: Constant

    @property
    def value(self) -> float | None:
        """Amount times price; None if the price is unknown and the amount is not zero."""
        if self.price.value is None:
            return None if self.amount else 0.0
        return self.amount * self.price.value


@dataclass(frozen=True, slots=True)
class Band:
    """Median and the 10th and 90th percentiles that the constants' bands propagate to."""

    median: float
    p10: float
    p90: float


@dataclass(frozen=True, slots=True)
class Bill:
    """Joules and seconds of one inference, term by term.

    `energy` and `latency` are the sums of the known terms at the constants' own values; `bands`
    hold median [p10, p90] of the totals and of every component. What is not known is listed in
    `unknown` and is in no sum.
    """

    title: str
    n_samples: int
    energy_terms: tuple[Term, ...]
    time_terms: tuple[Term, ...]
    energy_j: float
    latency_s: float
    power_w: float | None
    energy_band: Band
    latency_band: Band
    components: dict[str, Band]
    unknown: tuple[str, ...]

    def component_j(self) -> dict[str, float | None]:
        """Joules by component; None where nothing in it is known."""
        out: dict[str, float | None] = {}
        for term in self.energy_terms:
            value, so_far = term.value, out.get(term.component)
            known = None if value is None and so_far is None else (value or 0.0) + (so_far or 0.0)
            out[term.component] = known
        return out

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

        def band(b: Band) -> dict[str, float]:
            return {f.name: getattr(b, f.name) for f in fields(Band)}

        return {
            "title": self.title,
            "n_samples": self.n_samples,
            "energy_j": self.energy_j,
            "energy_band_j": band(self.energy_band),
            "latency_s": self.latency_s,
            "latency_band_s": band(self.latency_band),
            "power_w": self.power_w,
            "components_j": self.component_j(),
            "component_bands_j": {name: band(b) for name, b in self.components.items()},
            "unknown": list(self.unknown),
            "energy_terms": [line(t) for t in self.energy_terms],
            "time_terms": [line(t) for t in self.time_terms],
        }


def price(counts: Counts, chip: ChipSpec, *, seed: int = 0) -> Bill:
    """What an average inference costs on a chip.

    Static and host power are paid for the whole latency. A time step lasts as long as its slowest
    core computes or its packets travel, whichever is longer, plus the barrier [Davies2018].

    Args:
        counts: of a simulation on `chip`. seed: of the Monte Carlo draw of the constants.

    Raises:
        ValueError: if nothing was counted.
    """
    if counts.n_samples == 0:
        raise ValueError("no samples were counted: simulate some first")
    times = _time_terms(counts, chip)
    constants = chip.constants()
    draws = draw(constants, seed=seed)
    latency = total(times)
    latency_draws = _sum_draws(times, draws)
    energies = _energy_terms(counts, chip, latency)
    watts = [t for t in energies if t.price.unit == "W"]
    rest = [t for t in energies if t.price.unit != "W"]
    by_component = {}
    for name in dict.fromkeys(t.component for t in energies):
        own = _sum_draws([t for t in rest if t.component == name], draws)
        for t in watts:
            if t.component == name and t.price.value is not None:
                scale = latency_draws / latency if latency else 0.0
                own = own + t.amount * draws[t.constant] * scale
        by_component[name] = own
    energy = total(energies)
    return Bill(
        title=chip.title,
        n_samples=counts.n_samples,
        energy_terms=energies,
        time_terms=times,
        energy_j=energy,
        latency_s=latency,
        power_w=energy / latency if latency else None,
        energy_band=_band(sum(by_component.values(), start=np.zeros(DRAWS))),
        latency_band=_band(latency_draws),
        components={name: _band(values) for name, values in by_component.items()},
        unknown=tuple(
            f"{t.component}: {t.what} ({t.constant})" for t in energies + times if t.value is None
        ),
    )


def _energy_terms(counts: Counts, chip: ChipSpec, latency_s: float) -> tuple[Term, ...]:
    n, e, p = counts.n_samples, chip.energy, chip.power
    off_chip = {"spikes": counts.n_inputs}

    def each(component: str, what: str, event: str, price: str) -> Term | None:
        constant = getattr(e, price)
        if constant is None:  # no event of its own on this chip
            return None
        amount = float(np.sum(getattr(counts, event)) - off_chip.get(event, 0)) / n
        return Term(component, what, amount, f"energy.{price}", constant)

    def held(component: str, what: str, amount: float, price: str) -> Term | None:
        constant = getattr(p, price)
        if constant is None:
            return None
        return Term(component, what, amount * latency_s, f"power.{price}", constant)

    terms = (
        *(each("synapses", *line) for line in _sop_lines(e)),
        each("neurons", "active neuron updates", "updates_active", "update_active"),
        each("neurons", "idle neuron updates", "updates_inactive", "update_inactive"),
        each("neurons", "spikes fired", "spikes", "spike"),
        each("network", "packets sent", "packets", "packet"),
        each("network", "packets received", "packets_in", "packet_in"),
        each("network", "hops east-west", "hops_ew", "hop_ew"),
        each("network", "hops north-south", "hops_ns", "hop_ns"),
        each("network", "hops from chip to chip", "hops_chip", "hop_chip"),
        each("sync", "barriers", "n_steps", "barrier"),
        Term("reset", "state resets", float(counts.n_chips), "energy.reset", e.reset),
        held("static", f"{counts.n_cores} powered cores, seconds", counts.n_cores, "core"),
        held("static", f"{counts.n_chips} powered chips, seconds", counts.n_chips, "chip"),
        held("host", "embedded processors, seconds", counts.n_chips, "host"),
        each("host", "spikes brought in", "n_inputs", "input_spike"),
        each("host", "values read out", "n_readouts", "readout"),
    )
    return tuple(term for term in terms if term is not None)


def _sop_lines(prices: Energies | Times) -> list[tuple[str, str, str]]:
    """What, count and price of the synaptic operations, by the kinds that a chip tells apart."""
    kinds = {"dense": "sop", "sparse": "sop_sparse", "conv": "sop_conv"}
    apart = {k: price if getattr(prices, price) else "sop" for k, price in kinds.items()}
    if set(apart.values()) == {"sop"}:
        return [("synaptic operations", "sops", "sop")]
    return [(f"{k} synaptic operations", f"sops_{k}", price) for k, price in apart.items()]


def _time_terms(counts: Counts, chip: ChipSpec) -> tuple[Term, ...]:
    c, t, n = counts.critical, chip.time, counts.n_samples
    steps = counts.n_steps / n
    tiles = chip.mesh.columns * chip.mesh.rows
    share = min(1.0, (counts.n_tiles - 1) / (tiles - 1)) if tiles > 1 else 0.0
    core, route = "on the slowest core", "longest route"

    def each(component: str, what: str, amount: float, price: str) -> Term | None:
        constant = getattr(t, price)
        if constant is None:
            return None
        return Term(component, what, amount / n, f"time.{price}", constant)

    terms = (
        *(
            each("synapses", f"{what} {core}", getattr(c, event), price)
            for what, event, price in _sop_lines(t)
        ),
        each("neurons", f"active updates {core}", c.updates_active, "update_active"),
        each("neurons", f"idle updates {core}", c.updates_inactive, "update_inactive"),
        each("neurons", f"spikes fired {core}", c.spikes, "spike"),
        each("network", f"packets sent {core}", c.packets, "packet"),
        each("network", f"packets received {core}", c.packets_in, "packet_in"),
        each("network", f"hops east-west, {route}", c.hops_ew, "hop_ew"),
        each("network", f"hops north-south, {route}", c.hops_ns, "hop_ns"),
        each("network", f"hops from chip to chip, {route}", c.hops_chip, "hop_chip"),
        each("network", "waits for the busiest link, east-west", c.waits_ew, "hop_ew"),
        each("network", "waits for the busiest link, north-south", c.waits_ns, "hop_ns"),
        each("sync", "barriers, share of one tile", n * steps * (1 - share), "barrier_one_tile"),
        each("sync", "barriers, share of all tiles", n * steps * share, "barrier_all_tiles"),
        each("sync", "barriers over chips", n * steps * (counts.n_chips > 1), "barrier_chips"),
    )
    return tuple(term for term in terms if term is not None)


def total(terms: tuple[Term, ...]) -> float:
    """Sum of the known terms."""
    return float(sum(t.value or 0.0 for t in terms))


def draw(constants: dict[str, Constant], *, seed: int) -> dict[str, FloatArray]:
    """Log-normal draws of every known constant: its value is the median, p10 and p90 its band."""
    rng = np.random.default_rng(seed)
    out = {}
    for name, constant in constants.items():
        normal = rng.standard_normal(DRAWS)  # drawn for unknown ones too: the others stay put
        if constant.value is not None and constant.rel_uncertainty is not None:
            sigma = np.log1p(constant.rel_uncertainty) / Z90
            out[name] = constant.value * np.exp(sigma * normal)
    return out


def _sum_draws(terms: list[Term] | tuple[Term, ...], draws: dict[str, FloatArray]) -> FloatArray:
    sums = np.zeros(DRAWS)
    for term in terms:
        if term.constant in draws:
            sums = sums + term.amount * draws[term.constant]
    return sums


def _band(values: FloatArray) -> Band:
    p10, median, p90 = np.percentile(values, [10, 50, 90])
    return Band(float(median), float(p10), float(p90))


def shortcut(sops: float, macs: float, prices: PriceList) -> dict[str, Term]:
    """The field's shortcut, and what an ANN of the same shape costs by it, per inference.

    Args:
        sops: synaptic operations of the spiking network. macs: multiply-accumulates of one pass
            of the non-spiking network of the same shape.
    """
    e = prices.energy
    return {
        "snn_fp32": Term("shortcut", "spiking network, AC", sops, "energy.ac_fp32", e.ac_fp32),
        "ann_fp32": Term("shortcut", "ANN, MAC fp32", macs, "energy.mac_fp32", e.mac_fp32),
        "ann_int8": Term("shortcut", "ANN, MAC int8", macs, "energy.mac_int8", e.mac_int8),
    }
