"""The legend of a chip map: shades of load and of traffic, and the layers by number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hwsim.report.svg import FONT, LETTER_WIDTH, N_LOADS, N_SERIES, colour, shortened, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARGIN = 6.0  # points
SWATCH, BAR = 26.0, 11.0  # a shade
ROW = 18.0
ABOVE = 20.0
SCALE = 50.0  # height of a scale with its words
MOST_LAYERS = 40
TONES = (2, 3, 5, 1, 0, 4)  # colours of the first layers, far from the map's blue and orange


def layer_tone(i: int) -> str:
    """The colour of a layer; after six they come again."""
    return f"series-{TONES[i % N_SERIES]}"


@dataclass(frozen=True, slots=True)
class Legend:
    """What stands below a map, in points.

    Attributes:
        layers: in the order of their numbers. load, packets: what the darkest shades stand for.
    """

    width: float
    layers: tuple[str, ...]
    load: str
    packets: str

    @property
    def height(self) -> float:
        """Of the whole."""
        rows = 1 + max((row for row, _, _ in self._places()), default=-1)
        return ABOVE + SCALE * (1 if self._side_by_side else 2) + ROW * rows

    @property
    def _side_by_side(self) -> bool:
        return self.width >= 480

    def draw(self, axes: "Axes") -> None:
        """Draw it on axes of its size."""
        axes.set(xlim=(0, self.width), ylim=(self.height, 0), xticks=(), yticks=())
        busiest = f"busiest: {self.load}" if self.load else "busiest core"
        _scale(axes, (MARGIN, ABOVE), "load", "Load of a core", "idle", busiest)
        second = (self.width / 2, ABOVE) if self._side_by_side else (MARGIN, ABOVE + SCALE)
        _scale(axes, second, "heat", "Packets on a link, per inference", "0", self.packets)
        top = ABOVE + SCALE * (1 if self._side_by_side else 2)
        for row, x, i in self._places():
            self._layer(axes, x, top + ROW * (row + 0.5), i)

    def _layer(self, axes: "Axes", x: float, y: float, i: int) -> None:
        from matplotlib.patches import Rectangle

        if i < MOST_LAYERS:
            tone = colour(layer_tone(i))
            axes.add_patch(Rectangle((x, y - 6), 4, 12, facecolor=tone, linewidth=0, clip_on=False))
        write(axes, x + 9, y, self._text(i), va="center_baseline", fontsize=FONT - 1)

    def _text(self, i: int) -> str:
        if i == MOST_LAYERS:
            return f"and {len(self.layers) - MOST_LAYERS} more"
        return f"{i + 1}  {shortened(self.layers[i], 28)}"

    def _places(self) -> list[tuple[int, float, int]]:
        """Row, left edge and index of every layer, as words fill lines."""
        out, row, x = [], 0, MARGIN
        for i in range(min(len(self.layers), MOST_LAYERS + 1)):
            needs = 9 + len(self._text(i)) * (FONT - 1) * LETTER_WIDTH + 16
            if x > MARGIN and x + needs > self.width:
                row, x = row + 1, MARGIN
            out.append((row, x, i))
            x += needs
        return out


def _scale(
    axes: "Axes", at: tuple[float, float], tones: str, title: str, low: str, high: str
) -> None:
    """Seven shades under a title, the ends named."""
    from matplotlib.patches import Rectangle

    x, y = at
    write(axes, x, y, title, va="center_baseline", fontsize=FONT - 1)
    for i in range(N_LOADS):
        box = Rectangle((x + SWATCH * i, y + 10), SWATCH, BAR, facecolor=colour(f"{tones}-{i}"))
        box.set(linewidth=0, clip_on=False)
        axes.add_patch(box)
    muted = {"color": colour("muted"), "fontsize": FONT - 2, "va": "center_baseline"}
    write(axes, x, y + 29, low, **muted)
    write(axes, x + SWATCH * N_LOADS, y + 29, high, ha="right", **muted)
