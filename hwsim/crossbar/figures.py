"""What crossbars look like: conductances, the loss in the wires, accuracies, where joules go.

Every function draws a matplotlib figure of a width in points, in the colours of the report:
`hwsim.report.standalone.save_figure(lambda width: draw_energy(bill, width), path)` writes a file.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.bill import Bill
from hwsim.crossbar.wires import Wires, solve_array
from hwsim.report import units
from hwsim.report.bars import Bar, draw_bars
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, BELOW, HEIGHT = 62.0, 14.0, 42.0, 220.0  # points
TONES = ("muted", "events", "time")
BINS = 60
BY_TIME = ("static", "host")  # components that are paid by the second


def draw_conductances(cells: Mapping[str, FloatArray], width: float) -> "Figure":
    """How many cells have which conductance, on a logarithmic axis of counts.

    Args:
        cells: conductances in siemens by what they are, at most three: wanted, programmed, aged.
            The first is filled, the others are lines.
    """
    from matplotlib.ticker import NullLocator

    figure = new_figure(width, HEIGHT + 24 + BELOW)
    axes = new_axes(figure, LEFT, 24, width - LEFT - RIGHT, HEIGHT)
    values = [1e6 * np.ravel(g) for g in cells.values()]
    ends = min(0.0, *(v.min() for v in values)), max(v.max() for v in values)
    edges = np.linspace(*ends, BINS + 1)
    for i, v in enumerate(values):
        counts, tone = np.histogram(v, edges)[0], colour(TONES[i])
        if i == 0:
            axes.bar(edges[:-1], counts, np.diff(edges), align="edge", color=tone, alpha=0.45)
        else:
            axes.stairs(counts, edges, color=tone, lw=1.8, baseline=None)
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set(xlim=ends, ylim=(0.7, None))
    _framed(axes, "conductance (µS)", "cells")
    _named(axes, dict(zip(cells, TONES, strict=False)))
    return figure


def cell_loss(g_siemens: FloatArray, wires: Wires, v_read_volt: float) -> FloatArray:
    """What share of the read voltage each cell misses while all rows are driven, (rows, cols)."""
    rows, _ = g_siemens.shape
    found = solve_array(g_siemens, np.full(rows, v_read_volt), wires)
    assert found.v_word is not None
    assert found.v_bit is not None
    return 1 - (found.v_word - found.v_bit) / v_read_volt


def draw_ir_drop(g_siemens: FloatArray, wires: Wires, v_read_volt: float, width: float) -> "Figure":
    """A map of an array: the share of the read voltage that each cell misses, all rows driven."""
    loss = 100 * cell_loss(g_siemens, wires, v_read_volt)
    figure = new_figure(width, HEIGHT + 40 + 26 + BELOW)
    axes = new_axes(figure, LEFT, 26, width - LEFT - 96, HEIGHT + 40)
    rows, columns = loss.shape
    box = (-0.5, columns - 0.5, rows - 0.5, -0.5)
    image = axes.imshow(loss, aspect="auto", cmap="viridis", vmin=0, extent=box,
                        interpolation="nearest")  # fmt: skip
    _framed(axes, "bitline (column)", "wordline (row)", grid=False)
    bar = figure.colorbar(
        image, cax=new_axes(figure, width - 82, 26, 14, HEIGHT + 40), format="{x:g} %"
    )
    bar.outline.set_visible(False)
    ends = f"driven {_ends(wires.driven)}, sensed {_ends(wires.sensed)}"
    said = f"voltage missing at the cells, all rows at {units.si(v_read_volt, 'V')}; {ends}"
    axes.annotate(said, (0, 1), (0, 8), "axes fraction", "offset points", color=colour("ink"))
    return figure


def draw_accuracy_against(
    x: Sequence[float],
    mean: Sequence[float],
    p5: Sequence[float],
    p95: Sequence[float],
    label: str,
    width: float,
    *,
    chance: float | None = None,
    exact: float | None = None,
    ticks: Sequence[str] | None = None,
    logarithmic: bool = False,
) -> "Figure":
    """Accuracy of chips against what was varied: the mean, and a band of nine chips of ten.

    Args:
        x: what was varied. mean, p5, p95: accuracies, 0 to 1. label: of the axis, with unit.
        chance: of guessing. exact: of the network without errors.
        ticks: words for every x. logarithmic: x lies by its logarithm; 0 stands at the left end.
    """
    figure = new_figure(width, HEIGHT + 12 + BELOW)
    axes = new_axes(figure, LEFT, 12, width - LEFT - RIGHT - 84, HEIGHT)
    at, tone = np.asarray(x, dtype=np.float64), colour("events")
    if logarithmic:
        at = _by_logarithm(at)
    outline = np.r_[at, at[::-1]], np.r_[p5, p95[::-1]]
    axes.fill(*outline, color=tone, alpha=0.2, lw=0)
    axes.plot(at, mean, "o-", color=tone, lw=1.8, ms=5, clip_on=False, zorder=3)
    for place, low, high in zip(at, p5, p95, strict=True):
        axes.plot([place, place], [low, high], color=tone, lw=1)
    lowest = min([*p5, *([] if chance is None else [chance])])
    axes.set_ylim(max(0.0, math.floor(10 * lowest - 0.5) / 10), 1.0)
    axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
    if ticks is not None:
        axes.set_xticks(at, ticks)
    elif logarithmic:
        axes.set_xticks(at, [f"{v:g}" for v in x])
    _framed(axes, label, "accuracy")
    lines = ((exact, "good", "without errors"), (chance, "mark", "guessing"))
    for value, name, said in lines:
        if value is not None:
            axes.axhline(value, color=colour(name), lw=1.2, ls=(0, (3, 2)))
            end = axes.get_xlim()[1]
            step = 0.01 * (end - axes.get_xlim()[0])
            how: dict[str, Any] = {
                "va": "center_baseline",
                "color": colour(name),
                "fontsize": FONT - 1,
            }
            write(axes, end + step, value, said, **how)
    return figure


def draw_energy(bill: Bill, width: float) -> "Figure":
    """Joules per inference by component: medians, bars from p10 to p90; `+ ?` is not known."""
    whole, bars = bill.energy_band, []
    for name, band in bill.components.items():
        tone = "time" if name in BY_TIME else "events"
        if band is None:
            bars.append(Bar(name, None, units.UNKNOWN, tone=tone))
            continue
        open_ended = any(t.component == name and t.value is None for t in bill.energy_terms)
        share = band.median / whole.median if whole and whole.median else 0.0
        text = f"{units.si(band.median, 'J')}, {units.percent(share, digits=0)}"
        bars.append(Bar(name, band.median, text + " + ?" * open_ended, band.p10, band.p90, tone))
    return draw_bars(bars, width, "J")


@dataclass(frozen=True, slots=True)
class Span:
    """A number between two others; `text` is written beside it."""

    value: float
    low: float
    high: float
    text: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure of all chips, None where it is not known; of the unit "%", from 0 to 1."""

    title: str
    unit: str
    spans: tuple[Span | None, ...]


def draw_compared(names: Sequence[str], panels: Sequence[Panel], width: float) -> "Figure":
    """Chips side by side: a row each, and a panel for every figure, all but % logarithmic."""
    row, above = 36.0, 32.0
    left = 14 + FONT * LETTER_WIDTH * max(map(len, names))
    each = (width - left) / len(panels)
    figure = new_figure(width, row * len(names) + above + 26)
    for i, panel in enumerate(panels):
        axes = new_axes(figure, left + i * each, above, each - 30, row * len(names))
        axes.set(ylim=(len(names) - 0.5, -0.5), yticks=())
        _panel(axes, panel)
        for k, name in enumerate(names if i == 0 else ()):
            _beside(axes, k, name, -9, ha="right", color=colour("ink"))
    return figure


def _panel(axes: "Axes", panel: Panel) -> None:
    _reach(axes, panel)
    axes.annotate(
        panel.title, (0, 1), (0, 12), "axes fraction", "offset points", color=colour("ink")
    )
    tone = colour("events")
    for k, span in enumerate(panel.spans):
        if span is None:
            _beside(axes, k, units.UNKNOWN, 0, color=colour("muted"), fontsize=FONT - 1)
            continue
        axes.plot([span.low, span.high], [k, k], color=tone, lw=2.5, clip_on=False)
        axes.plot(span.value, k, "o", color=tone, ms=6, clip_on=False)
        axes.annotate(span.text, (span.value, k), (0, 7), "data", "offset points", ha="center",
                      color=colour("ink"), fontsize=FONT - 2)  # fmt: skip
    axes.grid(axis="x", color=colour("grid"), lw=1)
    axes.set_axisbelow(True)


def _beside(axes: "Axes", row: float, text: str, shift: float, **how: Any) -> None:
    """Words in a row, so many points from the left edge."""
    where = axes.get_yaxis_transform()
    axes.annotate(text, (0, row), (shift, 0), where, "offset points", va="center_baseline", **how)


def _reach(axes: "Axes", panel: Panel) -> None:
    """From 0 to 100 %, or whole decades around what is known."""
    from matplotlib.ticker import NullLocator

    known = [s for s in panel.spans if s is not None]
    if panel.unit == "%":
        axes.set(xlim=(0, 1))
        axes.set_xticks([0, 0.5, 1], ["0", "50 %", "100 %"])
        _inside(axes)
        return
    if not known:
        axes.set_xticks(())
        return
    axes.set_xscale("log")
    low = math.floor(math.log10(min(s.low for s in known)))
    high = max(math.ceil(math.log10(max(s.high for s in known))), low + 1)
    ticks = [10.0**e for e in range(low, high + 1, -(-(high - low) // 2))]
    axes.set_xticks(ticks, [units.si(t, panel.unit) for t in ticks])
    _inside(axes)
    axes.set_xlim(10.0**low, 10.0**high)
    axes.xaxis.set_minor_locator(NullLocator())


def _inside(axes: "Axes") -> None:
    """The words of the first and the last tick do not leave the panel."""
    labels = axes.get_xticklabels()
    labels[0].set_horizontalalignment("left")
    labels[-1].set_horizontalalignment("right")


def _ends(where: str) -> str:
    return "at both ends" if where == "both" else f"at the {where}"


def _by_logarithm(x: FloatArray) -> FloatArray:
    """Logarithms, 0 one step of the others to the left of the first."""
    positive = np.log10(x[x > 0])
    step = np.ptp(positive) / max(len(positive) - 1, 1) or 1.0
    out = np.full(x.shape, (positive.min() if len(positive) else 0.0) - step)
    out[x > 0] = positive
    return out


def _framed(axes: "Axes", x: str, y: str, *, grid: bool = True) -> None:
    """Names of the axes, and a faint grid."""
    axes.set_xlabel(x, color=colour("ink"))
    axes.set_ylabel(y, color=colour("ink"))
    if grid:
        axes.grid(color=colour("grid"), lw=1)
        axes.set_axisbelow(True)


def _named(axes: "Axes", tones: Mapping[str, str]) -> None:
    """What the colours mean, in a line above."""
    at = 0.0
    for name, tone in tones.items():
        axes.annotate("■", (0, 1), (at, 7), "axes fraction", "offset points", color=colour(tone))
        how: dict[str, Any] = {"color": colour("ink"), "parse_math": False}
        axes.annotate(name, (0, 1), (at + 14, 7), "axes fraction", "offset points", **how)
        at += 34 + FONT * LETTER_WIDTH * len(name)
