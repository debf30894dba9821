"""What crossbars look like: conductances, the loss in the wires, accuracies, where joules go.

Every function draws a matplotlib figure of a width in points, in the colours of the report:
`hwsim.report.standalone.save_figure(lambda width: draw_energy(bill, width), path)` writes a file.
"""

import math
from collections.abc import Mapping, Sequence
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
    ends = min(0.0, *(v.min() for v in values)), max(v.max() for v in values) or 1.0
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


def _ends(where: str) -> str:
    return "at both ends" if where == "both" else f"at the {where}"


def _by_logarithm(x: FloatArray) -> FloatArray:
    """Logarithms, 0 one step of the others to the left of the first."""
    positive = np.log10(x[x > 0])
    if not len(positive):
        return np.zeros(x.shape)
    step = np.ptp(positive) / max(len(positive) - 1, 1) or 1.0
    out = np.full(x.shape, positive.min() - step)
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
