"""Training curves: one panel per metric, its splits drawn together and named at their ends."""

import math
import re
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from hwsim.report.data import Curves
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANEL, LOW_PANEL, TITLE, AXIS, LEFT, MAX_LINES = 120.0, 68.0, 24.0, 40.0, 50.0, 6
TITLES = {
    "rate": "learning rate",
    "width": "width of the bumps of delays (steps)",
    "moved": "mean move of a delay in an epoch (steps)",
}


def metrics(curves: Curves) -> dict[str, list[str]]:
    """Columns by metric, the last word of their name: `train_loss`, `val_loss` share a panel."""
    out: dict[str, list[str]] = {}
    for name in curves.columns:
        if any(v is not None and math.isfinite(v) for v in curves.columns[name]):
            out.setdefault(re.split(r"[\s_/]+", name.strip())[-1], []).append(name)
    return {metric: names[:MAX_LINES] for metric, names in out.items()}


def draw_curves(curves: Curves, width: float) -> "Figure":
    """Panels below each other over the epochs; phases side by side, chosen epochs ringed."""
    groups = metrics(curves)
    heights = [LOW_PANEL if metric in TITLES else PANEL for metric in groups]
    above = TITLE if curves.phases else 0.0
    figure = new_figure(width, above + sum(heights) + TITLE * len(groups) + AXIS)
    longest = max(min(16, len(_split(n, m))) for m, names in groups.items() for n in names)
    right, top = 12 + FONT * LETTER_WIDTH * longest, above
    for i, (metric, names) in enumerate(groups.items()):
        top += TITLE
        axes = new_axes(figure, LEFT, top, width - LEFT - right, heights[i] - 16)
        _panel(axes, curves, metric, names, heights[i] - 16)
        if i == 0:
            _name_phases(axes, curves)
        if i == len(groups) - 1:
            axes.set_xlabel("epoch", color=colour("muted"), fontsize=FONT - 1)
        else:
            axes.tick_params(labelbottom=False)
        top += heights[i]
    return figure


def _split(name: str, metric: str) -> str:
    return name.strip()[: -len(metric)].strip(" _/") or name


def _panel(axes: "Axes", curves: Curves, metric: str, names: list[str], height: float) -> None:
    from matplotlib.ticker import MaxNLocator

    ends = []
    for i, name in enumerate(names):
        y = [v if v is not None and math.isfinite(v) else math.nan for v in curves.columns[name]]
        _line(axes, curves, y, f"series-{i}", ringed=name.startswith("hold"))
        ends.append((next(v for v in reversed(y) if math.isfinite(v)), i, name))
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4 if height > LOW_PANEL else 2))
    axes.yaxis.set_major_formatter(
        (lambda v, _: f"{100 * v:g} %") if metric == "accuracy" else "{x:g}"
    )
    axes.margins(x=0.02 if len(curves.epochs) > 1 else 0.5, y=0.08)
    if curves.phases:
        axes.set_xlim(0.5, len(curves.epochs) + 0.5)
        for end in _ends(curves)[:-1]:
            axes.axvline(end + 0.5, color=colour("muted"), lw=1, ls=(0, (2, 3)))
    axes.grid(color=colour("grid"), lw=1)
    axes.set_axisbelow(True)
    if metric in TITLES:
        axes.set_ylim(0, None)
    low, high = axes.get_ylim()
    point = (high - low) / height
    right = axes.get_xlim()[1]
    for y_text, i, name in _spread(ends, 13 * point) if metric != "rate" else []:
        text = shortened(_split(name, metric), 16)
        at: dict[str, Any] = {"va": "center", "color": colour(f"series-{i}")}
        write(axes, right, y_text, f" {text}", **at)
    title = TITLES.get(metric, shortened(metric, 40))
    write(axes, axes.get_xlim()[0], high + 5 * point, title, va="bottom")


def _line(axes: "Axes", curves: Curves, y: list[float], tone: str, *, ringed: bool) -> None:
    """A line per phase, with a ring around its chosen epoch."""
    starts = [0, *_ends(curves)] if curves.phases else [0, len(y)]
    for at, (start, end) in enumerate(pairwise(starts)):
        part = y[start:end]
        dot = "o" if sum(map(math.isfinite, part)) < 3 else ""
        axes.plot(curves.epochs[start:end], part, color=colour(tone), lw=1.8, marker=dot, ms=4)
        if ringed and curves.phases:
            chosen = start + curves.phases[at].chosen - 1
            ring: dict[str, Any] = {"ms": 9, "mew": 1.6, "mfc": "none", "clip_on": False}
            axes.plot(curves.epochs[chosen], y[chosen], "o", color=colour(tone), **ring)


def _ends(curves: Curves) -> list[int]:
    """How many epochs there are up to the end of each phase."""
    return list(accumulate(phase.n_epochs for phase in curves.phases))


def _name_phases(axes: "Axes", curves: Curves) -> None:
    """The names of phases above their middles; where there is no room, how they begin."""
    if not curves.phases:
        return
    low, high = axes.get_ylim()
    x0, x1 = axes.get_xlim()
    room = axes.get_window_extent().width / (x1 - x0)
    for phase, end in zip(curves.phases, _ends(curves), strict=True):
        middle = end + 0.5 - phase.n_epochs / 2
        fits = int(room * phase.n_epochs / (0.5 * FONT))
        name = phase.name if len(phase.name) <= fits else phase.name[:1] if fits else ""
        how: dict[str, Any] = {"ha": "center", "va": "bottom", "color": colour("muted")}
        write(axes, middle, high + (high - low) * 26 / (PANEL - 16), name, **how)


def _spread(ends: list[tuple[float, int, str]], gap: float) -> list[tuple[float, int, str]]:
    """The same heights, moved up where two would touch."""
    out: list[tuple[float, int, str]] = []
    for y, i, name in sorted(ends):
        out.append((max(y, out[-1][0] + gap) if out else y, i, name))
    return out
