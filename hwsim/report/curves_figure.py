"""Training curves: one panel per metric, its splits drawn together and named at their ends."""

import math
import re
from typing import TYPE_CHECKING

from hwsim.report.data import Curves
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, TITLE, AXIS, MAX_LINES = 120.0, 20.0, 40.0, 6


def metrics(curves: Curves) -> dict[str, list[str]]:
    """Columns by metric, the last word of their name: `train_loss`, `val_loss` share a panel."""
    out: dict[str, list[str]] = {}
    for name in curves.columns:
        if any(v is not None and math.isfinite(v) for v in curves.columns[name]):
            out.setdefault(re.split(r"[\s_/]+", name.strip())[-1], []).append(name)
    return {metric: names[:MAX_LINES] for metric, names in out.items()}


def draw_curves(curves: Curves, width: float) -> "Figure":
    """Panels below each other over the epochs."""
    groups = metrics(curves)
    figure = new_figure(width, (PANEL + TITLE) * len(groups) + AXIS)
    for i, (metric, names) in enumerate(groups.items()):
        longest = min(16, max(len(_split(n, metric)) for n in names))
        right = 12 + FONT * LETTER_WIDTH * longest
        top = i * (PANEL + TITLE) + TITLE
        axes = new_axes(figure, 44, top, width - 44 - right, PANEL - 16)
        _panel(axes, curves, metric, names)
        if i == len(groups) - 1:
            axes.set_xlabel("epoch", color=colour("muted"), fontsize=FONT - 1)
        else:
            axes.tick_params(labelbottom=False)
    return figure


def _split(name: str, metric: str) -> str:
    return name.strip()[: -len(metric)].strip(" _/") or name


def _panel(axes: "Axes", curves: Curves, metric: str, names: list[str]) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = []
    for i, name in enumerate(names):
        y = [v if v is not None and math.isfinite(v) else math.nan for v in curves.columns[name]]
        dot = "o" if sum(map(math.isfinite, y)) < 3 else ""
        axes.plot(curves.epochs, y, color=colour(f"series-{i}"), lw=1.8, marker=dot, markersize=4)
        ends.append((next(v for v in reversed(y) if math.isfinite(v)), i, name))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.margins(x=0.02 if len(curves.epochs) > 1 else 0.5, y=0.08)
    axes.grid(color=colour("grid"), lw=1)
    axes.set_axisbelow(True)
    low, high = axes.get_ylim()
    point = (high - low) / (PANEL - 16)
    right = axes.get_xlim()[1]
    for y_text, i, name in _spread(ends, 13 * point):
        text = shortened(_split(name, metric), 16)
        at = {"va": "center", "color": colour(f"series-{i}")}
        write(axes, right, y_text, f" {text}", **at)
    write(axes, axes.get_xlim()[0], high + 5 * point, shortened(metric, 40), va="bottom")


def _spread(ends: list[tuple[float, int, str]], gap: float) -> list[tuple[float, int, str]]:
    """The same heights, moved up where two would touch."""
    out: list[tuple[float, int, str]] = []
    for y, i, name in sorted(ends):
        out.append((max(y, out[-1][0] + gap) if out else y, i, name))
    return out
