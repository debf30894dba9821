"""Accuracy from float to chip: a dot and Wilson's 95 % interval per stage, and guessing."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hwsim.report import units
from hwsim.report.data import Accuracy
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW, ABOVE, BELOW = 28.0, 20.0, 24.0  # points


def axis_start(accuracies: Sequence[Accuracy], chance: float | None) -> float:
    """Where the axis begins: at zero, or, if all is far above guessing, where intervals show."""
    lowest = min(a.interval()[0] for a in accuracies)
    start = max(0.0, math.floor((lowest - 0.04) * 20) / 20)
    return 0.0 if start < 0.5 or (chance is not None and chance > start) else start


def draw_accuracies(accuracies: Sequence[Accuracy], chance: float | None, width: float) -> "Figure":
    """One row per stage; the axis ends at 100 %."""
    start = axis_start(accuracies, chance)
    texts = [interval_text(a) for a in accuracies]
    left = 14 + FONT * LETTER_WIDTH * max(len(a.stage) for a in accuracies)
    right = 18 + FONT * LETTER_WIDTH * max(map(len, texts))
    height = ROW * len(accuracies)
    marked = chance is not None and chance >= start
    above = ABOVE if marked else 4.0
    figure = new_figure(width, height + above + BELOW)
    axes = new_axes(figure, left, above, width - left - right, height)
    axes.set(xlim=(start, 1.0), ylim=(len(accuracies) - 0.5, -0.5), yticks=())
    point = (1.0 - start) / (width - left - right)
    _scale(axes, width - left - right)
    if chance is not None and marked:
        _mark_chance(axes, chance, len(accuracies))
    for row, (accuracy, text) in enumerate(zip(accuracies, texts, strict=True)):
        low, high = accuracy.interval()
        tone = colour("good" if accuracy.stage == "on chip" else "events")
        write(axes, start - 9 * point, row, accuracy.stage, ha="right", va="center_baseline")
        axes.plot([low, high], [row, row], color=tone, lw=3, clip_on=False)
        axes.plot(accuracy.value, row, "o", color=tone, markersize=8, clip_on=False)
        write(axes, 1.0 + 13 * point, row, text, va="center_baseline")
    return figure


def interval_text(accuracy: Accuracy) -> str:
    """The value and its interval, e.g. `97.3 % [96.1, 98.1]`."""
    low, high = accuracy.interval()
    return f"{units.percent(accuracy.value)} [{100 * low:.1f}, {100 * high:.1f}]"


def _scale(axes: "Axes", width: float) -> None:
    from matplotlib.ticker import MaxNLocator

    start = axes.get_xlim()[0]
    locator = MaxNLocator(nbins=max(2, int(width // 60)), steps=[1, 2, 2.5, 5, 10])
    ticks = [float(t) for t in locator.tick_values(100 * start, 100.0)]
    kept = [t for t in ticks if 100 * start - 1e-9 <= t <= 100 + 1e-9]
    axes.set_xticks([t / 100 for t in kept], [f"{t:g} %" for t in kept])
    axes.grid(axis="x", color=colour("grid"), lw=1)
    axes.set_axisbelow(True)


def _mark_chance(axes: "Axes", chance: float, n_rows: int) -> None:
    ends = [-0.5, n_rows - 0.5]
    axes.plot([chance, chance], ends, color=colour("mark"), lw=1.2, ls=(0, (3, 2)))
    how = {"color": colour("mark"), "fontsize": FONT - 1, "va": "bottom"}
    start, end = axes.get_xlim()
    side = "left" if chance < (start + end) / 2 else "right"
    write(axes, chance, -0.62, f"guessing {units.percent(chance)}", ha=side, **how)
