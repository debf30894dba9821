"""Joules and seconds of a chip of neurocores: counts times constants, every product kept."""

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.bands import DRAWS, draw
from hwsim.bill import Bill, Lasts, Term, held, make_bill, sum_draws, total
from hwsim.chips.spec import ChipSpec, Energies, PriceList, Times, check_chip
from hwsim.counts import Counts
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.energy import price_crossbar
from hwsim.crossbar.spec import CrossbarChip
from hwsim.mapping.delay_memory import DelayBits


def price(counts: Counts | CrossbarCounts, chip: ChipSpec | CrossbarChip, *, seed: int = 0) -> Bill:
    """What an average inference costs on a chip; of crossbars, see `price_crossbar`.

    Static and host power are paid for the whole latency. A time step lasts as long as its slowest
    core computes or its packets travel, whichever is longer, plus the barrier [Davies2018]; on a
    chip with a tick, at least until the next tick. What powered cores take while they wait for
    it is idle energy.

    Args:
        counts: of a simulation on `chip`, or on one that differs from it in constants only:
            what was counted followed from its cores and mesh, what was slowest from its times.
        seed: of the Monte Carlo draw of the constants.

    Raises:
        ValueError: if nothing was counted, or more cores, tiles or chips than `chip` has.
    """
    if isinstance(counts, CrossbarCounts) or isinstance(chip, CrossbarChip):
        return price_crossbar(counts, chip, seed=seed)
    check_chip(chip)
    if not isinstance(counts, Counts):
        raise ValueError(f"{counts!r:.60} are no counts: off chip none are taken, simulate a plan")
    if counts.n_samples == 0:
        raise ValueError("no samples were counted: simulate some first")
    _check_places(counts, chip)
    draws = draw(chip.constants(), seed=seed)
    times = _time_terms(counts, chip)
    seconds = _seconds(times, counts, draws)
    energies = _energy_terms(counts, chip, seconds)
    return make_bill(chip.title, counts.n_samples, energies, times, draws, seconds)


def _check_places(counts: Counts, chip: ChipSpec) -> None:
    """Raise if the counts cannot be of this chip."""
    n_chips, mesh = chip.limits.chips, chip.mesh
    has = {
        "n_cores": chip.limits.cores * min(counts.n_chips, n_chips),
        "n_tiles": mesh.columns * mesh.rows * min(counts.n_chips, n_chips),
        "n_chips": n_chips,
    }
    for name, most in has.items():
        if (used := getattr(counts, name)) > most:
            raise ValueError(
                f"counts of {used} {name[2:]}, {chip.name} has {most}: they are of another chip, "
                "price them on that, or compile and simulate for this one"
            )


def _seconds(
    times: tuple[Term, ...], counts: Counts, draws: dict[str, FloatArray]
) -> dict[str, Lasts]:
    """The time for which the components of energy that have a power are paid.

    `static` while cores work, `idle` while they wait for the tick, `host` throughout.
    """
    waits = tuple(t for t in times if t.component == "idle")
    work = tuple(t for t in times if t.component != "idle")
    busy = sum_draws(work, draws)
    whole = busy
    if waits:
        ticks = counts.n_steps / counts.n_samples * draws.get("time.tick", np.zeros(DRAWS))
        whole = np.maximum(busy, ticks)
    return {
        "static": Lasts(total(work), busy),
        "idle": Lasts(total(waits), whole - busy),
        "host": Lasts(total(times), whole),
    }


def _energy_terms(counts: Counts, chip: ChipSpec, seconds: dict[str, Lasts]) -> tuple[Term, ...]:
    n, e, p = counts.n_samples, chip.energy, chip.power
    off_chip = {"spikes": counts.n_inputs}

    def each(component: str, what: str, event: str, price: str) -> Term | None:
        constant = getattr(e, price)
        if constant is None:  # no event of its own on this chip
            return None
        amount = float(np.sum(getattr(counts, event)) - off_chip.get(event, 0)) / n
        return Term(component, what, amount, f"energy.{price}", constant)

    def paid(component: str, what: str, amount: float, price: str) -> Term | None:
        constant, lasts = getattr(p, price), seconds[component]
        if constant is None or (component == "idle" and not lasts.value):
            return None
        return held(component, what, amount, f"power.{price}", constant, lasts)

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
        paid("static", f"{counts.n_cores} powered cores", counts.n_cores, "core"),
        paid("static", f"{counts.n_chips} powered chips", counts.n_chips, "chip"),
        paid("idle", f"{counts.n_cores} cores waiting for the tick", counts.n_cores, "core"),
        paid("idle", f"{counts.n_chips} chips waiting for the tick", counts.n_chips, "chip"),
        paid("host", "embedded processors", counts.n_chips, "host"),
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
    core, route = "on the slowest core", "slowest route"

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
        each("network", "waits for the busiest link, chip to chip", c.waits_chip, "hop_chip"),
        *_barriers(counts, t),
        each("sync", "barriers over chips", counts.n_steps * (counts.n_chips > 1), "barrier_chips"),
    )
    known = tuple(term for term in terms if term is not None)
    return (*known, *_ticks(counts, t, known))


def _barriers(counts: Counts, times: Times) -> tuple[Term, ...]:
    """Barriers by the tiles in use, shared out over the neighbouring entries of the table."""
    steps, n_tiles = counts.n_steps / counts.n_samples, max(1, counts.n_tiles)
    return tuple(
        Term(
            "sync",
            f"barriers over {n_tiles} tiles, share of {tiles}",
            steps * share,
            f"time.barrier.{tiles}",
            times.barrier[tiles],
        )
        for tiles, share in times.barriers(n_tiles).items()
    )


def _ticks(counts: Counts, times: Times, work: tuple[Term, ...]) -> tuple[Term, ...]:
    """What is left of the chip's fixed steps after the work; all of them if work has no times."""
    tick = times.tick
    if tick is None:
        return ()
    steps = counts.n_steps / counts.n_samples
    if total(work) is None or not work:
        return (Term("steps", "time steps of fixed length", steps, "time.tick", tick),)
    busy = (total(work) or 0.0) / tick.value if tick.value else 0.0
    return (Term("idle", "waiting for the next tick", max(0.0, steps - busy), "time.tick", tick),)


def delay_area(bits: DelayBits, chip: ChipSpec) -> Term:
    """Square metres of delay memory: all that delays cost beside what the bill has already.

    Reading a synapse with its delay and adding to a sum, of whichever step, is the synaptic
    operation that `energy.sop` pays; memory that leaks is paid with `power.core`.
    """
    total = None if bits.total is None else float(bits.total)
    return Term("delays", "bits of delay memory", total, "area.bit", chip.area.bit)


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
