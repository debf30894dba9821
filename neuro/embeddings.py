"""A figure of embeddings: both modalities' test samples in their first principal components."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.report.standalone import save_figure
from hwsim.report.svg import FONT, colour, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TOP, BELOW, GAP = 46.0, 22.0, 18.0  # points, around the panels
LETTER = 7.5


def principal_components(a: AnyArray, b: AnyArray) -> tuple[FloatArray, FloatArray]:
    """Embeddings of length 1, each side about its own mean, in their first two common components.

    Both sides lie apart in their space; that a gallery lies elsewhere as a whole moves no answer,
    it adds the same to all its dot products with a query. The sign of a component is that which
    makes its largest coefficient positive.

    Args:
        a: (samples, dimensions). b: (samples, dimensions).

    Returns:
        (samples, 2) of a and of b.
    """
    of_a, of_b = (_unit(x) - _unit(x).mean(0) for x in (a, b))
    axes = np.linalg.svd(np.concatenate((of_a, of_b)), full_matrices=False)[2][:2]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    return of_a @ axes.T, of_b @ axes.T


def _unit(x: AnyArray) -> FloatArray:
    return np.asarray(x, float) / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def draw_embeddings(content: Mapping[str, Any], path: Path) -> None:
    """Write the figure: a panel per side, on one pair of axes, each sample the name of its class.

    Args:
        content: `a` and `b` with `data`, `points`, `classes`; `unseen`, the names of classes that
            are drawn in colours of their own, while those seen in training are grey.
    """
    save_figure(lambda width: _draw(content, width), path)


def _draw(content: Mapping[str, Any], width: float) -> "Figure":
    side = (width - GAP) / 2
    figure = new_figure(width, TOP + side + BELOW)
    points = np.concatenate([np.array(content[name]["points"]) for name in "ab"])
    low, high = points.min(0), points.max(0)
    margin = 0.05 * np.maximum(high - low, 1e-9)
    tones = {c: colour(f"series-{i % 6}") for i, c in enumerate(content["unseen"])}
    for i, name in enumerate("ab"):
        axes = new_axes(figure, i * (side + GAP), TOP, side, side)
        axes.set_xlim(low[0] - margin[0], high[0] + margin[0])
        axes.set_ylim(low[1] - margin[1], high[1] + margin[1])
        axes.set_xticks([])
        axes.set_yticks([])
        axes.patch.set(visible=True, facecolor=colour("panel"))
        _letters(axes, content[name], tones)
        title: dict[str, Any] = {"transform": axes.transAxes, "va": "bottom"}
        write(axes, 0, 1.02, f"{content[name]['data']}, side {name}", **title)
    named = ", ".join(content["unseen"])
    said = f"test samples, each the name of its class; in colour those unseen in training: {named}"
    how: dict[str, Any] = {"transform": axes.transAxes, "color": colour("muted")}
    write(axes, -(side + GAP) / side, -0.05, said, fontsize=FONT - 1, va="top", **how)
    return figure


def _letters(axes: "Axes", side: Mapping[str, Any], tones: Mapping[str, str]) -> None:
    """Seen classes first, so that unseen ones lie on top."""
    named = zip(side["points"], side["classes"], strict=True)
    for (x, y), c in sorted(named, key=lambda row: row[1] in tones):
        tone = tones.get(c, colour("muted"))
        weight = "bold" if c in tones else "normal"
        how: dict[str, Any] = {"ha": "center", "va": "center", "fontweight": weight}
        write(axes, x, y, c, color=tone, fontsize=LETTER, **how)
