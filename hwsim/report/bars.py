"""Horizontal bars with whiskers: energy, time and firing rates share one drawing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwsim.bill import Term, total
from hwsim.report import units
from hwsim.report.data import ReportInput
from hwsim.report.svg import (
    FONT,
    LETTER_WIDTH,
    NARROW,
    colour,
    new_axes,
    new_figure,
    shortened,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, TOP, BAR = 28.0, 4.0, 0.56  # height of a row and above all in points, bar in rows
BY_TIME = ("static", "idle", "host")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: `value` None draws none, `low` and `high` are the whisker."""

    label: str
    value: float | None
    text: str
    low: float | None = None
    high: float | None = None
    tone: str = "events"

    @property
    def end(self) -> float:
        """Where the ink ends."""
        return max(self.value or 0.0, self.high or 0.0)


def draw_bars(bars: Sequence[Bar], width: float, unit: str) -> "Figure":
    """Bars from zero with their value beside them; on an axis of "%", values are fractions."""
    n_label = 15 if width <= NARROW else 26
    left = FONT * LETTER_WIDTH * min(n_label, max(len(b.label) for b in bars)) + 14
    height = ROW * len(bars)
    right = FONT * LETTER_WIDTH * max(len(b.text) for b in bars) + 12
    figure = new_figure(width, height + TOP + 24)
    axes = new_axes(figure, left, TOP, width - left - right, height)
    end = max(b.end for b in bars) or 1.0
    axes.set(xlim=(0, end), ylim=(len(bars) - 0.5, -0.5), yticks=())
    if any(bar.value is not None for bar in bars):
        _scale(axes, end, unit, width - left - right)
    else:
        axes.set_xticks(())  # there is nothing to measure
    for row, bar in enumerate(bars):
        _bar(axes, row, bar, end / (width - left - right), n_label)
    return figure


def _bar(axes: "Axes", row: int, bar: Bar, point: float, n_label: int) -> None:
    """One bar, its whisker, and its words; `point` is a point in data units."""
    write(axes, -9 * point, row, shortened(bar.label, n_label), ha="right", va="center_baseline")
    if bar.value is not None:
        axes.barh(row, bar.value, height=BAR, color=colour(bar.tone), linewidth=0)
    if bar.low is not None and bar.high is not None and bar.high > bar.low:
        axes.plot([bar.low, bar.high], [row, row], color=colour("ink"), lw=1.3)
        for x in (bar.low, bar.high):
            axes.plot([x, x], [row - 0.14, row + 0.14], color=colour("ink"), lw=1.3)
    ink = colour("muted" if bar.value is None else "ink")
    write(axes, bar.end + 7 * point, row, bar.text, va="center_baseline", color=ink)


def _scale(axes: "Axes", end: float, unit: str, width: float) -> None:
    """A few round ticks in the prefix of the axis' end, and a faint grid."""
    from matplotlib.ticker import MaxNLocator

    exponent = -2 if unit == "%" else units.prefix_exponent(end)
    name = unit if unit == "%" else f"{units.prefix(exponent)}{unit}"
    most = max(2, int(width // 55))
    places = MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]).tick_values(0, end / 10.0**exponent)
    kept = [float(p) for p in places if 0 <= p <= end / 10.0**exponent * (1 + 1e-9)]
    labels = [f"{p:g}" for p in kept]
    labels[-1] += f" {name}"
    axes.set_xticks([p * 10.0**exponent for p in kept], labels)
    axes.grid(axis="x", color=colour("grid"), lw=1)
    axes.set_axisbelow(True)
    axes.plot([0, 0], [-0.5, 1e4], color=colour("muted"), lw=1, scaley=False)


def energy_bars(data: ReportInput) -> list[Bar]:
    """Joules by component: medians, p10 to p90, share of what is known."""
    whole, bars = data.bill.energy_band, []
    for name, band in data.bill.components.items():
        tone = "time" if name in BY_TIME else "events"
        if band is None:
            bars.append(Bar(name, None, units.UNKNOWN, tone=tone))
            continue
        share = band.median / whole.median if whole and whole.median else 0.0
        more = " + ?" if has_unknown(data, name) else ""
        text = f"{units.si(band.median, 'J')} · {units.percent(share, digits=0)}{more}"
        bars.append(Bar(name, band.median, text, band.p10, band.p90, tone))
    return bars


def has_unknown(data: ReportInput, component: str) -> bool:
    """Whether a component's energy has a part that is not known."""
    return any(t.component == component and t.value is None for t in data.bill.energy_terms)


def time_bars(data: ReportInput) -> list[Bar]:
    """Seconds of a mean time step, by what it waits for."""
    by_cause: dict[str, list[Term]] = {}
    for term in data.bill.time_terms:
        if term.amount != 0 or term.price.value is not None:  # none of what costs nobody knows what
            by_cause.setdefault(_cause(term), []).append(term)
    sums = {name: total(tuple(terms)) for name, terms in by_cause.items()}
    per_step = {n: None if s is None else s / data.steps for n, s in sums.items()}
    return [Bar(n, s, units.si(s, "s"), tone="time") for n, s in per_step.items()]


def _cause(term: Term) -> str:
    """Cores and routes apart: both are in a bill's component `network`."""
    event = term.constant.split(".")[1]
    if event.startswith("hop"):
        return "link waits" if term.what.startswith("waits") else "routes"
    if event.startswith("packet"):
        return "packets at cores"
    return {"sync": "barrier", "idle": "waiting for the tick", "steps": "tick"}.get(
        term.component, term.component
    )


def rate_bars(data: ReportInput) -> list[Bar]:
    """Spikes per neuron and step, by layer."""
    return [
        Bar(row.name, row.rate, "emits no spikes" if row.rate is None else units.percent(row.rate))
        for row in data.layers
    ]
