"""The map of a chip: cores shaded by load and marked by layer, traffic on the links between tiles.

Everything of one shade is one path: a chip of thousands of cores is still a small drawing.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from hwsim.report import units
from hwsim.report.map_frame import GUTTER, Box, ChipMap, Frame
from hwsim.report.map_legend import MARGIN, Legend, layer_tone
from hwsim.report.svg import FONT, N_LOADS, colour, new_axes, new_figure, wrapped, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LABELLED = 11.0  # points of a core's side below which it bears no number
STRIP = 0.14  # of a core's width: the colour of its layer
WIDEST, THINNEST = 0.3, 0.04  # of the gutter: the shaft of the busiest link, and of an idle one


def shade(part: float) -> int:
    """Shade of a part between 0 and 1: seven equal ranges, the largest is the darkest."""
    return min(N_LOADS - 1, int(part * N_LOADS))


def draw_chip_map(shown: ChipMap, width: float, *, title: str = "", note: str = "") -> "Figure":
    """The chips in use, or the part of them in use where they are large.

    Args:
        title, note: written above the map, for a figure that stands alone.
    """
    frame, legend = Frame(shown, width), Legend(width, shown.layers, *_scales(shown))
    head = [(line, "ink") for line in wrapped(title, width)]
    head += [(line, "muted") for line in wrapped(note, width)]
    above = 18.0 * len(head) + 8.0 * bool(head)
    across, height = frame.size
    figure = new_figure(width, above + height + legend.height)
    for i, (line, tone) in enumerate(head):
        axes = new_axes(figure, MARGIN, 18.0 * i, width - MARGIN, 18.0)
        axes.set(xticks=(), yticks=())
        how: dict[str, Any] = {"weight": "bold"} if tone == "ink" else {"fontsize": FONT - 1}
        write(axes, 0, 0.5, line, va="center_baseline", color=colour(tone), **how)
    axes = new_axes(figure, 0, above, across, height)
    axes.set(xlim=(0, across), ylim=(height, 0), xticks=(), yticks=())
    _draw_boxes(axes, frame)
    _draw_cores(axes, frame)
    _draw_links(axes, frame)
    _draw_way_in(axes, frame)
    legend.draw(new_axes(figure, 0, above + height, width, legend.height))
    return figure


def _scales(shown: ChipMap) -> tuple[str, str]:
    """What the darkest shades of cores and links stand for."""
    top = max(shown.cores, key=lambda row: row.busy, default=None)
    load = ""
    if top is not None and top.step_s is not None:
        load = f"{units.si(top.step_s, 's')} a step"
    return load, units.number(shown.busiest_link, digits=3)


def _add(axes: "Axes", boxes: Iterable[Box], **how: Any) -> None:
    """Rectangles as one path."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    corners, codes = [], []
    for left, top, width, height in boxes:
        right, bottom = left + width, top + height
        corners += [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]
        codes += [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY]
    if corners:
        axes.add_patch(PathPatch(Path(corners, codes), clip_on=False, **how))


def _draw_boxes(axes: "Axes", frame: Frame) -> None:
    """Chips, tiles and the cores that are not used."""
    shown, (x0, x1, y0, y1) = frame.shown, frame.shown.window
    thin = 0.8 if frame.pitch > 30 else 0.5
    if shown.n_chips > 1:
        for chip in frame.chips():
            box = frame.chip(chip)
            _add(axes, [box], facecolor="none", edgecolor=colour("muted"), linewidth=1.2)
            # between the first two columns of tiles: no link to the chip above is there
            at = box[0] + (0.4 + 1 - 0.5) * GUTTER * frame.pitch + (1 - GUTTER) * frame.pitch
            how = {"color": colour("muted"), "va": "bottom", "ha": "center", "fontsize": FONT - 2}
            write(axes, at, box[1] - 3, f"chip {chip}", **how)
    _add(axes, frame.tiles(), facecolor=colour("panel"), edgecolor=colour("grid"), linewidth=thin)
    used = {row.core for row in shown.cores}
    hollow = []
    for core in range(shown.n_chips * shown.chip.limits.cores):
        x, y = shown.chip.tile_xy(core)
        if core not in used and x0 <= x <= x1 and y0 <= y <= y1:
            hollow.append(frame.core(core))
    _add(axes, hollow, facecolor="none", edgecolor=colour("none"), linewidth=thin)


def _draw_cores(axes: "Axes", frame: Frame) -> None:
    """Fill by load, a strip by layer, and its number where there is room."""
    cores = frame.shown.cores
    for level in range(N_LOADS):
        boxes = [_right(frame.core(row.core)) for row in cores if shade(row.busy) == level]
        edge = {"edgecolor": colour("muted"), "linewidth": 0.6 if frame.pitch > 30 else 0.3}
        _add(axes, boxes, facecolor=colour(f"load-{level}"), **edge)
    strips: dict[str, list[Box]] = {}
    for row in cores:
        left, top, width, height = frame.core(row.core)
        numbers = frame.shown.numbers(row)
        own = height / len(numbers)
        for i, number in enumerate(numbers):
            box = (left, top + i * own, STRIP * width, own)
            strips.setdefault(layer_tone(number - 1), []).append(box)
        if width >= LABELLED:
            ink = colour(f"load-ink-{shade(row.busy)}")
            size = min(FONT, 0.62 * width / max(1.0, 0.7 * len(_joined(numbers))))
            how = {"ha": "center", "va": "center_baseline", "color": ink, "fontsize": size}
            write(axes, left + 0.58 * width, top + height / 2, _joined(numbers), **how)
    for tone, boxes in strips.items():
        _add(axes, boxes, facecolor=colour(tone), linewidth=0)


def _right(box: Box) -> Box:
    """What the strip leaves of a core."""
    left, top, width, height = box
    return left + (STRIP + 0.06) * width, top, (1 - STRIP - 0.06) * width, height


def _joined(numbers: list[int]) -> str:
    return "·".join(map(str, numbers)) if len(numbers) < 4 else f"{numbers[0]}…{numbers[-1]}"


def _draw_links(axes: "Axes", frame: Frame) -> None:
    """An arrow per link and direction: those that go out and come back keep to their right."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    links, most = frame.shown.links, frame.shown.busiest_link
    arrows: dict[int, tuple[list[tuple[float, float]], list[int]]] = {}
    rows = zip(links.from_xy.tolist(), links.to_xy.tolist(), links.packets.tolist(), strict=True)
    for start, end, packets in rows:
        part = packets / most
        points = arrow(frame, start, end, part)
        corners, codes = arrows.setdefault(shade(part), ([], []))
        corners += [*points, points[0]]
        codes += [int(Path.MOVETO), *[int(Path.LINETO)] * (len(points) - 1), int(Path.CLOSEPOLY)]
    for level, (corners, codes) in sorted(arrows.items()):
        how: dict[str, Any] = {
            "facecolor": colour(f"heat-{level}"),
            "linewidth": 0,
            "clip_on": False,
        }
        axes.add_patch(PathPatch(Path(corners, codes), **how))


def arrow(frame: Frame, start: list[int], end: list[int], part: float) -> list[tuple[float, float]]:
    """Corners of an arrow from the edge of a tile to the edge of the next."""
    left, top, side, _ = frame.tile(start[0], start[1])
    to_left, to_top, _, _ = frame.tile(end[0], end[1])
    along = (end[0] - start[0], end[1] - start[1])
    right = (-along[1], along[0])  # of one who goes along, rows counted downwards
    length = abs(to_left - left) + abs(to_top - top) - side
    gutter = GUTTER * frame.pitch
    shaft = gutter * (THINNEST + part * (WIDEST - THINNEST))
    head = max(1.7 * shaft, 0.13 * gutter)
    neck = length - min(0.45 * length, 1.1 * head)
    origin = (
        left + side / 2 + along[0] * side / 2 + right[0] * 0.2 * side,
        top + side / 2 + along[1] * side / 2 + right[1] * 0.2 * side,
    )
    gap = 0.04 * length
    outline = [
        (gap, -shaft / 2), (neck, -shaft / 2), (neck, -head / 2), (length - gap, 0.0),
        (neck, head / 2), (neck, shaft / 2), (gap, shaft / 2),
    ]  # fmt: skip
    return [
        (origin[0] + a * along[0] + b * right[0], origin[1] + a * along[1] + b * right[1])
        for a, b in outline
    ]


def _draw_way_in(axes: "Axes", frame: Frame) -> None:
    """Spikes from outside enter at the first tile."""
    from matplotlib.patches import Polygon

    left, top, side, _ = frame.tile(0, 0)
    middle, tip = top + side / 2, (frame.chip(0)[0] if frame.shown.n_chips > 1 else left) - 2.0
    wide = min(5.0, 0.3 * side)
    corners = [(tip - 6, middle - wide), (tip, middle), (tip - 6, middle + wide)]
    axes.add_patch(Polygon(corners, facecolor=colour("muted"), linewidth=0, clip_on=False))
    how = {"ha": "right", "va": "center_baseline", "color": colour("muted"), "fontsize": FONT - 2}
    write(axes, tip - 8, middle, "in", **how)
