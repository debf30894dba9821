"""One sample as the layers see it: a dot of ink per spike, and the answer at the end."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.report import units
from hwsim.report.data import Raster
from hwsim.report.layers import LayerRow
from hwsim.report.svg import FONT, LETTER_WIDTH, colour, new_axes, new_figure, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_NEURONS, MAX_MARKS, MAX_CLASSES = 240, 5000, 40
TITLE, GAP, AXIS = 17.0, 12.0, 34.0  # points


@dataclass(frozen=True, slots=True)
class Panel:
    """The spikes of a layer that are drawn: neurons evenly spaced, and how many there are."""

    name: str
    shown: AnyArray  # (steps, neurons shown): 0, or the sign of what was sent
    n_neurons: int
    n_spikes: int

    def title(self, n_letters: int) -> str:
        """The layer, what is shown of it, and its spikes; a long name is shortened."""
        shown = self.shown.shape[1]
        of = f"{shown} of " if shown < self.n_neurons else ""
        spikes = f"{units.number(self.n_spikes)} spike{'s' * (self.n_spikes != 1)}"
        rest = f" · {of}{units.number(self.n_neurons)} neurons · {spikes}"
        return shortened(self.name, max(6, n_letters - len(rest))) + rest


def panels(raster: Raster, layers: tuple[LayerRow, ...]) -> tuple[Panel, ...]:
    """One panel per layer that emits spikes, in the order of the layers."""
    emitting = [row.name for row in layers if row.rate is not None and row.name in raster.spikes]
    return tuple(_panel(name, np.sign(np.asarray(raster.spikes[name]))) for name in emitting)


def _panel(name: str, spikes: AnyArray) -> Panel:
    n, total = spikes.shape[1], int(np.count_nonzero(spikes))
    fit = MAX_NEURONS if total <= MAX_MARKS else max(1, int(n * MAX_MARKS / total))
    n_shown = min(n, MAX_NEURONS, fit)
    chosen: IntArray = np.arange(n_shown) * n // n_shown
    return Panel(name, spikes[:, chosen], n, total)


def subsampled(drawn: tuple[Panel, ...]) -> bool:
    """Whether any layer shows only some of its neurons."""
    return any(p.shown.shape[1] < p.n_neurons for p in drawn)


def signed(drawn: tuple[Panel, ...]) -> bool:
    """Whether any layer sends negative messages."""
    return any((p.shown < 0).any() for p in drawn)


def draw_raster(drawn: tuple[Panel, ...], output: AnyArray | None, width: float) -> "Figure":
    """Panels over one axis of time, and the output's numbers below."""
    heights = [float(np.clip(2.0 * p.shown.shape[1], 34, 110)) for p in drawn]
    with_output = output is not None and 1 < len(output) <= MAX_CLASSES
    tail = TITLE + 84.0 if with_output else 0.0
    stack = sum(heights) + (TITLE + GAP) * len(drawn)
    figure = new_figure(width, stack + AXIS + tail)
    top = 0.0
    for panel, height in zip(drawn, heights, strict=True):
        axes = new_axes(figure, 4, top + TITLE, width - 18, height)
        _draw_panel(axes, panel, (width - 18, height), last=panel is drawn[-1])
        top += height + TITLE + GAP
    if output is not None and with_output:
        _draw_output(new_axes(figure, 4, stack + AXIS + TITLE, width - 18, 56), output)
    return figure


def _draw_panel(axes: "Axes", panel: Panel, size: tuple[float, float], *, last: bool) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path
    from matplotlib.ticker import MaxNLocator

    n_steps, n = panel.shown.shape
    width, height = size
    axes.set(xlim=(-0.5, n_steps - 0.5), ylim=(n - 0.5, -0.5), yticks=())
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True, min_n_ticks=1))
    axes.grid(axis="x", color=colour("grid"), lw=1)
    axes.set_axisbelow(True)
    half = max(0.45, 1.1 * n / height)  # a mark stays visible where rows are thin
    for tone, marks in (("ink", panel.shown > 0), ("mark", panel.shown < 0)):
        steps, neurons = np.nonzero(marks)
        if not len(steps):
            continue
        ends = np.stack([neurons - half, neurons + half], axis=1)
        points = np.stack([np.repeat(steps, 2), ends.reshape(-1)], axis=1)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(steps)).astype(np.uint8)
        path = Path(points, codes)
        thick = float(np.clip(0.25 * width / n_steps, 1.2, 2.6))
        ink = {"edgecolor": colour(tone), "linewidth": thick, "clip_on": False}
        axes.add_patch(PathPatch(path, fill=False, **ink))
    title = panel.title(int(width / (FONT * LETTER_WIDTH)))
    write(axes, -0.5, -0.5 - 4 * n / height, title, va="bottom", fontsize=FONT)
    if last:
        axes.set_xlabel("time step", color=colour("muted"), fontsize=FONT - 1)
    else:
        axes.tick_params(labelbottom=False)


def _draw_output(axes: "Axes", output: AnyArray) -> None:
    """A bar per class; the largest is the answer."""
    n = len(output)
    best = int(np.argmax(output))
    tones = [colour("good" if i == best else "none") for i in range(n)]
    low, high = min(0.0, float(output.min())), max(0.0, float(output.max()))
    axes.bar(range(n), output, color=tones, width=0.7, linewidth=0)
    axes.set(xlim=(-0.6, n - 0.4), ylim=(low, high if high > low else low + 1.0), yticks=())
    every = -(-n // 12)
    axes.set_xticks(range(0, n, every))
    axes.plot([-0.6, n - 0.4], [0, 0], color=colour("muted"), lw=1)
    span = high - low or 1.0
    at = high + 5 / 56 * span if high > low else 1.09
    write(axes, -0.6, at, "output, by class: the largest is the answer", va="bottom")
