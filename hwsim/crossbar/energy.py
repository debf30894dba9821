"""Joules and seconds of a chip of crossbars: counts times constants, every product kept."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.bands import DRAWS, Band, band, draw
from hwsim.bill import Bill, Lasts, Term, held, make_bill, sum_draws, total
from hwsim.chips.spec import Constant
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.spec import CrossbarChip, check_crossbar


def price_crossbar(counts: object, chip: object, *, seed: int = 0) -> Bill:
    """What an average inference costs on a chip of crossbars.

    Cells cost what the drivers delivered, `cell_watts`, for the length of a pulse; all else is a
    count times a price. A layer takes, per time step, as long as the slowest of its blocks:
    pulses, conversions of the busiest converter one after the other, then its neurons; a layer
    left to the host, its multiply-accumulates. On a pipelined chip an inference lasts
    (steps + depth - 1) times the slowest layer, on others the layers of a step follow each other.
    These are means over steps: the slowest block is that of the whole run. Layers of a loop are
    pipelined as others are, as if what they exchange could arrive steps later.

    Args:
        counts: `CrossbarCounts` of a simulation on such a chip. seed: of the draw of constants.

    Raises:
        ValueError: if nothing was counted, or the counts are of another kind of chip or array.
    """
    if isinstance(chip, CrossbarChip) and not isinstance(counts, CrossbarCounts):
        raise ValueError(
            f"{chip.name} is a chip of crossbars, the counts are not: price them on the chip that "
            "they were counted on"
        )
    assert isinstance(counts, CrossbarCounts)
    chip = check_crossbar(chip)
    _check(counts, chip)
    draws = draw(chip.constants(), seed=seed)
    times = _time_terms(counts, chip)
    whole = Lasts(total(times), sum_draws(times, draws))
    energies = _energy_terms(counts, chip, whole)
    lasts = {"static": whole, "host": whole}
    return make_bill(chip.title, counts.n_samples, energies, times, draws, lasts)


def _check(counts: CrossbarCounts, chip: CrossbarChip) -> None:
    if counts.n_samples == 0:
        raise ValueError("no samples were counted: simulate some first")
    if counts.n_arrays > chip.array.count:
        raise ValueError(
            f"counts of {counts.n_arrays} arrays, {chip.name} has {chip.array.count}: they are of "
            "another chip, price them on that, or raise `array.count`"
        )
    other = {"adc": "senses", "sense": "conversions"}[chip.output.kind]
    if n := int(getattr(counts, other).sum()):
        raise ValueError(
            f"{n} {other} counted, {chip.name} has `output.kind` {chip.output.kind!r}: the counts "
            "are of another chip, price them on that"
        )


def _energy_terms(counts: CrossbarCounts, chip: CrossbarChip, whole: Lasts) -> tuple[Term, ...]:
    e, p, n = chip.energy, chip.power, counts.n_samples

    def each(component: str, what: str, event: str, price: str) -> Term:
        amount = float(np.sum(getattr(counts, event))) / n
        return Term(component, what, amount, f"energy.{price}", getattr(e, price))

    watts = float(counts.cell_watts.sum()) / n
    return (
        Term("cells", "watts into cells, all pulses", watts, "time.pulse", chip.time.pulse),
        each("lines", "rows driven", "rows_driven", "wordline"),
        each("lines", "columns read", "columns_read", "bitline"),
        each("drivers", "rows switched", "rows_driven", "driver"),
        each("converters", "conversions", "conversions", "adc"),
        each("converters", "comparisons", "senses", "sense"),
        each("digital", "columns switched to a converter", "conversions", "mux"),
        each("digital", "additions behind converters", "shift_adds", "shift_add"),
        each("digital", "bits buffered", "bits_buffered", "buffer_bit"),
        each("neurons", "neuron updates", "updates", "update"),
        each("control", "pulses", "pulses", "control"),
        held("static", "arrays in use", counts.n_arrays, "power.array", p.array, whole),
        held("static", "the chip", 1, "power.chip", p.chip, whole),
        held("host", "the host", 1, "power.host", p.host, whole),
        each("host", "operations left to the host", "host_macs", "host_mac"),
        each("host", "spikes brought in", "n_inputs", "input_spike"),
        each("host", "values read out", "n_readouts", "readout"),
    )


EVENTS = ("pulse", "sense", "adc", "update", "host_mac")  # what takes time


def _time_terms(counts: CrossbarCounts, chip: CrossbarChip) -> tuple[Term, ...]:
    work = _work_of_layers(counts, chip) / counts.n_samples
    if chip.pipelined and len(work):
        steps = counts.n_steps / counts.n_samples
        slowest = work[np.argmax(work @ _nominal(chip))]
        amounts = slowest * ((steps + counts.depth - 1) / steps if steps else 0.0)
    else:
        amounts = work.sum(axis=0)
    of = "of the slowest layer" if chip.pipelined else "of all layers"
    lines = {
        "pulse": ("arrays", f"pulses {of}"),
        "sense": ("converters", f"comparisons {of}"),
        "adc": ("converters", f"conversions one after the other {of}"),
        "update": ("neurons", f"time steps {of}"),
        "host_mac": ("host", f"operations on the host {of}"),
    }
    return tuple(
        Term(*lines[event], float(amounts[i]), f"time.{event}", getattr(chip.time, event))
        for i, event in enumerate(EVENTS)
    )


def _nominal(chip: CrossbarChip) -> FloatArray:
    """Seconds of each event; what is not known weighs nothing where the slowest is looked for."""
    return np.array([getattr(chip.time, event).value or 0.0 for event in EVENTS])


def _work_of_layers(counts: CrossbarCounts, chip: CrossbarChip) -> FloatArray:
    """Events one after the other in each layer over all steps and samples, (layers, EVENTS)."""
    t = _nominal(chip)
    compared = counts.pulses * (counts.senses > 0)  # all columns of a pulse at once
    blocks = np.stack([counts.pulses, compared, counts.serial_conversions], axis=1)
    seconds = blocks @ t[:3]
    work = np.zeros((len(counts.updates), len(EVENTS)))
    for k in range(len(work)):
        own: IntArray = np.flatnonzero(counts.layer == k)
        if len(own):
            work[k, :3] = blocks[own[np.argmax(seconds[own])]]
    work[:, 3] = counts.n_steps * (counts.updates > 0)
    work[:, 4] = counts.host_macs
    return work


@dataclass(frozen=True, slots=True)
class Programming:
    """What it takes to program cells once, and how often that can be done.

    Attributes:
        energy_j, seconds: None if not known. energy_band, seconds_band: median [p10, p90].
        times: how often the cells can be programmed before they wear out; None if not known.
        unknown: what of it is not known, in words.
    """

    energy_j: float | None
    energy_band: Band | None
    seconds: float | None
    seconds_band: Band | None
    times: float | None
    unknown: tuple[str, ...]


def programming(
    chip: CrossbarChip,
    n_cells: int,
    *,
    pulses_per_cell: float | None = None,
    in_parallel: int = 1,
    seed: int = 0,
) -> Programming:
    """Energy, time and wear of programming cells.

    Every pulse wears a cell as much as a whole cycle: the endurance is the shortest there can be.

    Args:
        n_cells: cells written, see `CrossbarCounts.n_cells`.
        pulses_per_cell: of write and verify, by default the chip's own mean.
        in_parallel: cells that are written at once.

    Raises:
        ValueError: for fewer than 0 cells, no pulse, or fewer than 1 cell at once.
    """
    chip = check_crossbar(chip)
    if n_cells < 0 or in_parallel < 1 or (pulses_per_cell is not None and pulses_per_cell <= 0):
        raise ValueError(
            f"{n_cells} cells, {in_parallel} at once, {pulses_per_cell} pulses each: give 0 cells "
            "or more, 1 or more at once, more than 0 pulses"
        )
    draws = draw(chip.constants(), seed=seed)
    mean = "writing.pulses_per_cell"
    pulses = chip.writing.pulses_per_cell.value if pulses_per_cell is None else pulses_per_cell
    each = draws.get(mean) if pulses_per_cell is None else np.full(DRAWS, pulses)

    def spent(constant: Constant, name: str, cells: float, what: str) -> _Spent:
        price = constant.value
        if price is None or pulses is None or each is None:
            missing = name if pulses is not None else mean
            return _Spent(None, None, f"programming: {what} ({missing})")
        return _Spent(cells * pulses * price, band(price, cells * each * draws[name]), None)

    energy = spent(chip.energy.write_pulse, "energy.write_pulse", n_cells, "write pulses")
    time = spent(
        chip.time.write_pulse, "time.write_pulse", n_cells / in_parallel, "pulses one by one"
    )
    cycles = chip.writing.endurance_cycles.value
    times = None if cycles is None or pulses is None else cycles / pulses
    wear = "programming: how often (writing.endurance_cycles)" if times is None else None
    missing = (energy.missing, time.missing, wear)
    return Programming(
        energy_j=energy.value,
        energy_band=energy.band,
        seconds=time.value,
        seconds_band=time.band,
        times=times,
        unknown=tuple(said for said in missing if said),
    )


@dataclass(frozen=True, slots=True)
class _Spent:
    """A product of three, with its band, or what of it is missing."""

    value: float | None
    band: Band | None
    missing: str | None
