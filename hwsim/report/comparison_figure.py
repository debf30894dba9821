"""Chips side by side: accuracy, and energy, latency and area on logarithmic axes with bands."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwsim.bands import Band
from hwsim.comparison import Compared
from hwsim.report import units
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, TITLE, AXIS, NAMES = 22.0, 20.0, 26.0, 22  # points; letters of a name


@dataclass(frozen=True, slots=True)
class _Mark:
    """A value with its band, and how both are written; value None is not known."""

    value: float | None
    low: float | None
    high: float | None
    text: str


def draw_comparison(rows: Sequence[Compared], width: float) -> "Figure":
    """Four panels below each other, one line for every chip in each."""
    panels = {
        "accuracy": [_accuracy(r) for r in rows],
        "energy per inference": [
            _mark(r.bill.energy_j, r.bill.energy_band, "J", _more(r)) for r in rows
        ],
        "latency": [_mark(r.bill.latency_s, r.bill.latency_band, "s", "") for r in rows],
        "area in use": [_mark(r.area_m2, r.area_band, "m2", "") for r in rows],
    }
    names = [shortened(r.name, NAMES) for r in rows]
    left = 14 + FONT * LETTER_WIDTH * max(map(len, names))
    longest = max(len(mark.text) for marks in panels.values() for mark in marks)
    inner = max(60.0, width - left - 18 - FONT * LETTER_WIDTH * longest)
    each = TITLE + ROW * len(rows) + AXIS
    figure = new_figure(width, each * len(panels))
    for i, (title, marks) in enumerate(panels.items()):
        axes = new_axes(figure, left, i * each + TITLE, inner, ROW * len(rows))
        _panel(axes, title, names, marks, logarithmic=i > 0, inner=inner)
    return figure


def _panel(
    axes: "Axes",
    title: str,
    names: Sequence[str],
    marks: Sequence[_Mark],
    *,
    logarithmic: bool,
    inner: float,
) -> None:
    from matplotlib.ticker import LogLocator

    known = [x for m in marks for x in (m.value, m.low, m.high) if x]
    axes.set(ylim=(len(marks) - 0.5, -0.5), yticks=())
    if logarithmic:
        axes.set_xscale("log")
        axes.set_xlim((min(known) / 1.5, max(known) * 1.5) if known else (1, 10))
        if known and max(known) / min(known) < 100:  # one tick a decade would leave one, or none
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.minorticks_off()
    else:
        axes.set_xlim(0, 1)
    axes.grid(axis="x", color=colour("grid"), lw=1)
    axes.set_axisbelow(True)
    ticks = [x for x in axes.get_xticks() if axes.get_xlim()[0] <= x <= axes.get_xlim()[1]]
    unit = {"energy per inference": "J", "latency": "s", "area in use": "m2"}.get(title)
    said = [units.percent(x, digits=0) if unit is None else units.si(x, unit) for x in ticks]
    axes.set_xticks(ticks, said)
    place = {"transform": axes.get_yaxis_transform(), "va": "center_baseline"}
    for row, (name, mark) in enumerate(zip(names, marks, strict=True)):
        write(axes, -9 / inner, row, name, ha="right", **place)
        if mark.low is not None and mark.high is not None:
            axes.plot([mark.low, mark.high], [row, row], color=colour("events"), lw=3)
        if mark.value is not None:
            axes.plot(mark.value, row, "o", color=colour("events"), markersize=7, clip_on=False)
        ink = colour("muted" if mark.value is None else "ink")
        write(axes, 1 + 13 / inner, row, mark.text, color=ink, **place)
    top = {"transform": axes.get_yaxis_transform(), "va": "bottom"}
    write(axes, 0, -0.6, title, fontweight="bold", **top)


def _accuracy(row: Compared) -> _Mark:
    if row.accuracy is None:
        return _Mark(None, None, None, "no spikes: has to be trained")
    if row.p5_p95 is None:
        return _Mark(row.accuracy, None, None, units.percent(row.accuracy))
    low, high = row.p5_p95
    said = f"{units.percent(row.accuracy)} [{100 * low:.1f}, {100 * high:.1f}]"
    return _Mark(row.accuracy, low, high, f"{said} of {row.n_chips} chips")


def _mark(value: float | None, band: Band | None, unit: str, more: str) -> _Mark:
    if value is None:
        return _Mark(None, None, None, units.UNKNOWN)
    if band is None:
        return _Mark(value, None, None, units.si(value, unit) + more)
    said = units.band(band.median, band.p10, band.p90, unit)
    return _Mark(band.median, band.p10, band.p90, said + more)


def _more(row: Compared) -> str:
    """A sign where parts are in no sum."""
    return " + unknown" if any("energy." in u or "power." in u for u in row.bill.unknown) else ""


def as_text(rows: Sequence[Compared]) -> list[str]:
    """The same as lines: a head, a line for every chip, and what is not known of each."""
    table: list[tuple[str, ...]] = [("chip", "accuracy", "energy", "latency", "area in use")]
    for r in rows:
        marks = (
            _accuracy(r),
            _mark(r.bill.energy_j, r.bill.energy_band, "J", _more(r)),
            _mark(r.bill.latency_s, r.bill.latency_band, "s", ""),
            _mark(r.area_m2, r.area_band, "m2", ""),
        )
        table.append((r.name, *(m.text for m in marks)))
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip()
        for line in table
    ]
    lines.append("medians [p10, p90] of the constants' bands; + unknown: parts are in no sum")
    for r in rows:
        lines.append(f"{r.name}: area of {r.area_says}")
        if r.bill.unknown:
            lines.append(f"{r.name}: not known: {'; '.join(r.bill.unknown)}")
    return lines
