"""Figures of experiments in one style, written as SVG: the same bytes every time."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hwsim.atomic import write_text

GREY, GRID = "#6b7280", "#e5e7eb"
STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"], "font.size": 9.5, "svg.fonttype": "none",
    "axes.spines.top": False, "axes.spines.right": False,
    "axes.edgecolor": GREY, "xtick.color": "#374151", "ytick.color": "#374151",
    "axes.grid": True, "grid.color": GRID, "axes.axisbelow": True,
}  # fmt: skip


@contextmanager
def drawn(
    path: Path, width: float, height: float, columns: int = 1, *, salt: str, same_y: bool = False
) -> Iterator[list[Axes]]:
    """Axes side by side in a new figure, in inches, which is then written.

    Args:
        salt: of the names inside the file. same_y: whether all have one vertical axis.
    """
    with mpl.rc_context(STYLE | {"svg.hashsalt": salt}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield list(figure.subplots(1, columns, squeeze=False, sharey=same_y)[0])
        text = StringIO()
        figure.savefig(text, format="svg", metadata=dict.fromkeys(("Date", "Creator")))
    write_text(path, re.sub(r"[ \t]+$", "", text.getvalue(), flags=re.MULTILINE))
