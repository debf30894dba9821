"""The map of the chip: tiles on the mesh, their cores shaded by how busy they are."""

import math
from typing import TYPE_CHECKING

from hwsim.report.data import ReportInput
from hwsim.report.layers import CoreRow, build_cores
from hwsim.report.svg import FONT, N_LOADS, colour, new_axes, new_figure, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GAP = 0.12  # of a tile, between tiles
LEGEND = 46.0  # points
READABLE = 12.0  # points of a core below which its number is left out


def shade(busy: float) -> int:
    """Shade of a load between 0 and 1: the ends are their own, the busiest is the darkest."""
    return min(N_LOADS - 1, int(busy * N_LOADS))


def layer_numbers(data: ReportInput) -> dict[str, int]:
    """Number of every layer that holds cores, as written on the map."""
    names = [row.name for row in data.layers if row.cores]
    return {name: i + 1 for i, name in enumerate(names)}


def draw_chip_map(data: ReportInput, width: float) -> "Figure":
    """Every core of the chip; those without a layer are hollow."""
    mesh = data.chip.mesh
    tile = min(width / mesh.columns, 68.0)
    figure_width = max(tile * mesh.columns, min(width, 330.0))
    height = tile * mesh.rows
    figure = new_figure(figure_width, height + LEGEND)
    axes = new_axes(figure, 0, 0, tile * mesh.columns, height)
    axes.set(xlim=(0, mesh.columns), ylim=(mesh.rows, 0), xticks=(), yticks=())
    per_row = math.ceil(math.sqrt(mesh.cores_per_tile))
    side = (1 - GAP) / per_row
    numbers = layer_numbers(data)
    used = {row.core: row for row in build_cores(data.plan, data.counts)}
    for core in range(data.chip.limits.cores):
        x, y = data.chip.tile_xy(core)
        slot = core % mesh.cores_per_tile
        at = (x + GAP / 2 + slot % per_row * side, y + GAP / 2 + slot // per_row * side)
        _core(axes, at, side, used.get(core))
        if core in used and side * tile >= READABLE:
            size = min(FONT, 0.5 * side * tile)
            _number(axes, at, side, used[core], numbers[used[core].layer], size)
    _legend(new_axes(figure, 0, height, figure_width, LEGEND), figure_width)
    return figure


def _core(axes: "Axes", at: tuple[float, float], side: float, row: CoreRow | None) -> None:
    from matplotlib.patches import Rectangle

    inset = 0.05 * side
    fill = "none" if row is None else colour(f"load-{shade(row.busy)}")
    box = Rectangle(
        (at[0] + inset, at[1] + inset),
        side - 2 * inset,
        side - 2 * inset,
        facecolor=fill,
        edgecolor=colour("none" if row is None else "muted"),
        linewidth=0.8,
    )
    axes.add_patch(box)


def _number(
    axes: "Axes", at: tuple[float, float], side: float, row: CoreRow, number: int, size: float
) -> None:
    ink = colour(f"load-ink-{shade(row.busy)}")
    x, y = at[0] + side / 2, at[1] + side / 2
    write(axes, x, y, str(number), ha="center", va="center", color=ink, fontsize=size)


def _legend(axes: "Axes", width: float) -> None:
    """The shades, and what hollow means; coordinates are points."""
    from matplotlib.patches import Rectangle

    axes.set(xlim=(0, width), ylim=(LEGEND, 0), xticks=(), yticks=())
    for i in range(N_LOADS):
        axes.add_patch(
            Rectangle((3 + 20 * i, 10), 20, 12, facecolor=colour(f"load-{i}"), linewidth=0)
        )
    muted = {"color": colour("muted"), "fontsize": FONT - 1, "va": "top"}
    write(axes, 3, 27, "idle", **muted)
    write(axes, 3 + 20 * N_LOADS, 27, "busiest core", ha="right", **muted)
    box = Rectangle((190, 10), 12, 12, facecolor="none", edgecolor=colour("none"), linewidth=0.8)
    axes.add_patch(box)
    write(axes, 208, 10, "not used", **muted)
