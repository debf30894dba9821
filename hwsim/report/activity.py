"""The sections about the network at work: chip map, raster, rates, layers, confusion, training."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from hwsim.report import bars, units
from hwsim.report.chip_map import draw_chip_map, shade
from hwsim.report.curves_figure import draw_curves, metrics
from hwsim.report.data import ReportInput
from hwsim.report.layers import CoreRow, LayerRow, build_cores
from hwsim.report.map_frame import ChipMap
from hwsim.report.markup import Column, Html, element, folded, join, paragraph, section, table
from hwsim.report.raster_figure import draw_raster, panels, signed, subsampled
from hwsim.report.svg import figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SOPS = {"sops_dense": "of them dense", "sops_sparse": "sparse", "sops_conv": "convolution"}
KINDS = {
    "spikes": "spikes",
    "ternary": "ternary spikes",
    "graded": "graded spikes",
    "sigma_delta": "changes (sigma-delta)",
    "nothing": "nothing, it is read out",
}


def chip_map(data: ReportInput) -> Html:
    """The mesh with load and traffic, and a table of cores."""
    shown = ChipMap.of(data.plan, data.counts, data.spikes)
    names = "; ".join(f"{i} is {name}" for i, name in enumerate(shown.layers, start=1))
    how = (
        "a core's time on operations, updates and packets"
        if any(row.step_s is not None for row in shown.cores)
        else "a core's operations, updates and packets (the chip's times are not known)"
    )
    cut = " Of the mesh only the part in use is drawn." if shown.is_cropped else ""
    caption = (
        f"Load is {how} against the busiest core's. Numbers and strips are layers: {names}. Arrows "
        "are packets from tile to tile, first along the row, then along the column; spikes from "
        f"outside enter at the upper left tile. Hollow cores are not used.{cut}"
    )
    n_chips = data.counts.n_chips
    chips = f" on {n_chips} chips" if n_chips > 1 else ""
    drawing = figure(
        "chip",
        lambda width: draw_chip_map(shown, width),
        title=f"{data.chip.title}, {data.counts.n_cores} of {data.n_cores} cores{chips}.",
        alt=f"Map of the chip: {data.counts.n_cores} cores in use{chips}, "
        f"{units.number(shown.busiest_link, digits=3)} packets per inference on the busiest link. "
        f"{names}",
        caption=caption,
    )
    cores = folded(f"Every core in numbers ({len(shown.cores)})", _core_table(shown.cores))
    return section("chip", "Map of the chip", drawing, cores)


def _core_table(rows: tuple[CoreRow, ...]) -> Html:
    limits = tuple(rows[0].fill) if rows else ()
    titles = ("Neurons", "SOPs", "Packets out", "Packets in", "Time per step", "Load")
    columns = (
        Column("Core", numeric=True),
        Column("Layer"),
        *(Column(t, numeric=True) for t in titles),
        *(Column(f"{name.capitalize()} used", numeric=True) for name in limits),
    )
    cells = [
        (
            units.number(r.core),
            ", ".join(r.layers),
            units.number(r.neurons),
            *(units.number(n) for n in (r.sops, r.packets, r.packets_in)),
            units.si(r.step_s, "s"),
            units.percent(r.busy, digits=0),
            *(units.percent(r.fill[name], digits=0) for name in limits),
        )
        for r in rows
    ]
    return table("Cores in use; events per inference", columns, cells)


def raster(data: ReportInput) -> Html:
    """One sample."""
    found = data.raster
    drawn = panels(found, data.layers) if found else ()
    if found is None or not drawn:
        return section("raster", "One sample", paragraph("No spikes of a sample were recorded."))
    totals = "; ".join(f"{p.name}: {p.n_spikes} spikes" for p in drawn)
    said = [f"Label {found.label}"] * bool(found.label) + [f"answer {found.answer}"] * bool(
        found.answer
    )
    head = f"{', '.join(said)}. " if said else ""
    evenly = "Of large layers only evenly spaced neurons are drawn. " if subsampled(drawn) else ""
    below = "Messages below zero are red. " if signed(drawn) else ""
    return section(
        "raster",
        "One sample",
        figure(
            "raster",
            lambda width: draw_raster(drawn, found.output, width),
            title="Spikes of one sample.",
            alt=f"Spike raster of one sample. {head}{totals}",
            caption=f"{head}{evenly}{below}Every layer is drawn on the network's own time steps: "
            "on chip each one runs a step or more behind the layer before it.",
        ),
    )


def rates(data: ReportInput) -> Html:
    """Firing rates and sparsity."""
    rows = bars.rate_bars(data)
    said = "; ".join(f"{bar.label} {bar.text}" for bar in rows)
    drawing = figure(
        "rates",
        lambda width: bars.draw_bars(rows, width, "%"),
        title="Firing rate by layer.",
        alt=f"Bars of firing rate by layer: {said}",
        caption="Spikes per neuron and time step, mean over all samples.",
    )
    kinds = {"sops": "SOPs"}
    used = {n: t for n, t in SOPS.items() if any(getattr(row, n) for row in data.layers)}
    kinds |= used if len(used) > 1 else {}
    titles = ("Rate", "Sparsity", *kinds.values(), "Packets out", "Packets in", "MACs of the ANN")
    columns = (Column("Layer"), *(Column(t, numeric=True) for t in titles))
    events = (*kinds, "packets", "packets_in", "macs")
    cells = [_rate_row(row, events) for row in data.layers]
    sums = [units.number(sum(getattr(r, n) for r in data.layers)) for n in events]
    foot = ("All layers", "", "", *sums)
    shown = table("Activity by layer", columns, cells, foot=foot)
    note = (
        "Rate and sparsity are of messages: the part of the neurons that sends in a step, and that "
        "is silent. SOPs, synaptic operations, and packets, one per message and core that listens, "
        "are per inference; MACs, multiply-accumulates, per pass of the ANN of the same shape."
    )
    return section(
        "rates", "Firing rate and sparsity", drawing, shown, paragraph(note, class_="note")
    )


def _rate_row(row: LayerRow, events: tuple[str, ...]) -> tuple[str, ...]:
    silent = row.rate is None
    into = [n for n in events if n != "packets"]  # what an input does not have
    return (
        row.name,
        "emits no spikes" if silent else units.percent(row.rate, digits=2),
        "–" if silent else units.percent(row.sparsity, digits=2),
        *(
            "–" if row.role == "input" and n in into else units.number(getattr(row, n))
            for n in events
        ),
    )


def layers(data: ReportInput) -> Html:
    """What each layer is, and how it came onto the chip."""
    verdicts = {v.population: v for v in data.verdicts}
    fullest: dict[str, tuple[float, str]] = {}
    for core in build_cores(data.plan, data.counts):
        top = max((part, name) for name, part in core.fill.items())
        for layer in core.layers:
            fullest[layer] = max(fullest.get(layer, top), top)
    cells = []
    for row in data.layers:
        part, name = fullest.get(row.name, (None, ""))
        found = verdicts.get(row.name)
        cells.append(
            (
                row.name,
                " × ".join(map(str, row.shape)),
                KINDS[row.kind],
                units.number(row.neurons),
                units.number(row.parameters),
                units.number(row.cores) if row.cores else "–",
                f"{units.percent(part, digits=0)} {name}" if part is not None else "–",
                element("span", found.verdict, class_=f"verdict {found.verdict}") if found else "–",
                found.reason if found else "",
            )
        )
    columns = (
        Column("Layer"),
        Column("Shape", tight=True),
        Column("Sends"),
        *(Column(t, numeric=True) for t in ("Neurons", "Parameters", "Cores")),
        Column("Fullest limit of a core", tight=True),
        Column("Carried over", tight=True),
        Column("Why"),
    )
    shown = table("Layers, and how each was carried onto the chip", columns, cells)
    note = (
        "Exact: the chip's integers hold the layer as it was. Approximate: it was rounded, with "
        "the error given. Unsupported: the chip has nothing like it."
    )
    return section("layers", "Layers", shown, paragraph(note, class_="note"))


def confusion(data: ReportInput) -> Html:
    """Which class was taken for which; nothing if not given."""
    if data.confusion is None:
        return Html("")
    counts = np.asarray(data.confusion)
    names = [str(c) for c in data.classes] or [str(i) for i in range(len(counts))]
    rows = [
        (name, *(_tinted(int(n), int(row.sum())) for n in row))
        for name, row in zip(names, counts, strict=True)
    ]
    columns = (Column("True class"), *(Column(name, numeric=True) for name in names))
    text = "Samples by true class (rows) and answer (columns), on chip"
    return section("confusion", "Which class for which", table(text, columns, rows))


def _tinted(n: int, of: int) -> Html:
    tone = f"load l{shade(n / of)}" if n else "load zero"
    return element("span", str(n), class_=tone)


def training(data: ReportInput) -> Html:
    """How it was trained; nothing if not given."""
    curves = data.curves
    if curves is None or not curves.epochs or not metrics(curves):
        return Html("")
    last = "; ".join(
        f"{name.replace('_', ' ')} {units.number(values[-1])}"
        for name, values in curves.columns.items()
        if values[-1] is not None
    )
    kept = "; ".join(f"{phase.name}: epoch {phase.chosen}" for phase in curves.phases)
    chosen = f" Chosen on the held-back part, ringed: {kept}." if kept else ""
    draw: Callable[[float], Figure] = lambda width: draw_curves(curves, width)  # noqa: E731
    return section(
        "training",
        "Training",
        figure(
            "training",
            draw,
            title=f"{len(curves.epochs)} epochs.",
            alt=f"Training curves; last epoch: {last}",
            caption=f"Last epoch: {last}.{chosen}",
        ),
    )


def exactness(data: ReportInput) -> Html:
    """What was compared bit for bit."""
    if not data.exactness:
        text = "Nothing was compared bit for bit in this run."
        return section("exactness", "Chain of exactness", paragraph(text))
    items = join(element("li", s) for s in data.exactness)
    return section("exactness", "Chain of exactness", element("ol", items))
