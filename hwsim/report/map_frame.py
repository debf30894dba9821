"""What a chip map shows, and where its chips, tiles and cores lie."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from hwsim.arrays import FloatArray
from hwsim.chips.spec import ChipSpec
from hwsim.counts import Counts
from hwsim.mapping.plan import Plan
from hwsim.noc import LinkTraffic, link_traffic
from hwsim.report.layers import CoreRow, build_cores
from hwsim.report.map_legend import MARGIN

Box = tuple[float, float, float, float]  # left, top, width, height

GUTTER = 0.36  # of a tile's place, for the links between tiles
CHIP_GAP = 0.5  # tiles, between chips
PITCH = 84.0  # points of a tile's place at most
CROP = 12  # tiles along a side of a chip up to which it is drawn whole
LEAST = 8, 3  # columns and rows of that part
LEFT, TOP_OF_CHIP = 22.0, 16.0  # points: the way in, and a chip's number


@dataclass(frozen=True, eq=False)
class ChipMap:
    """What a map shows.

    Attributes:
        cores: in use. layers: those that hold cores; they are numbered from 1.
        links: packets per inference on every link that carries any.
    """

    chip: ChipSpec
    cores: tuple[CoreRow, ...]
    layers: tuple[str, ...]
    links: LinkTraffic

    @classmethod
    def of(
        cls, plan: Plan, counts: Counts, spikes: Mapping[str, FloatArray] | None = None
    ) -> "ChipMap":
        """The map of a plan at work.

        Args:
            spikes: mean spikes per inference of every neuron, by population; without them those
                of a part are spread evenly over its neurons.
        """
        on_core = {part.population for part in plan.parts if part.core is not None}
        layers = tuple(p.name for p in plan.network.populations if p.name in on_core)
        links = link_traffic(plan, counts if spikes is None else spikes)
        return cls(plan.chip, build_cores(plan, counts), layers, links)

    @property
    def n_chips(self) -> int:
        """Chips drawn: up to the last in use."""
        return 1 + max((row.chip for row in self.cores), default=0)

    @property
    def busiest_link(self) -> float:
        """Packets per inference on the busiest link."""
        return float(self.links.packets.max(initial=0.0))

    @cached_property
    def window(self) -> tuple[int, int, int, int]:
        """Tiles that are drawn: first and last column, first and last row, over all chips."""
        mesh = self.chip.mesh
        across = min(self.n_chips, mesh.chip_columns)
        down = -(-self.n_chips // mesh.chip_columns)
        size = (across * mesh.columns, down * mesh.rows)
        ends = [*self.links.from_xy.tolist(), *self.links.to_xy.tolist(), [0, 0]]
        ends += [[row.x, row.y] for row in self.cores]
        x, y = ([end[axis] for end in ends] for axis in (0, 1))
        return (
            *_shown(min(x), max(x), size[0], mesh.columns, LEAST[0]),
            *_shown(min(y), max(y), size[1], mesh.rows, LEAST[1]),
        )

    @property
    def is_cropped(self) -> bool:
        """Whether tiles of the chips are left out of the drawing."""
        x0, x1, y0, y1 = self.window
        across = min(self.n_chips, self.chip.mesh.chip_columns)
        down = -(-self.n_chips // self.chip.mesh.chip_columns)
        drawn = (x1 - x0 + 1) * (y1 - y0 + 1)
        return drawn < across * down * self.chip.mesh.columns * self.chip.mesh.rows

    def numbers(self, row: CoreRow) -> list[int]:
        """Numbers of the layers on a core."""
        return [self.layers.index(name) + 1 for name in row.layers]


def _shown(first: int, last: int, size: int, of_chip: int, least: int) -> tuple[int, int]:
    """Whole chips; of large ones the tiles in use, one more on both sides, and at least so many."""
    if of_chip <= CROP:
        return first // of_chip * of_chip, last // of_chip * of_chip + of_chip - 1
    first, last = max(0, first - 1), min(size - 1, last + 1)
    last = min(size - 1, max(last, first + least - 1))
    return max(0, min(first, last - least + 1)), last


@dataclass(frozen=True, slots=True)
class Frame:
    """Where tiles and cores lie in a drawing, in points from its upper left corner."""

    shown: ChipMap
    width: float

    @property
    def pitch(self) -> float:
        """Points from tile to tile."""
        x0, x1, _, _ = self.shown.window
        gaps = CHIP_GAP * (self._chip(x1, 0) - self._chip(x0, 0))
        return min((self.width - LEFT - MARGIN) / (x1 - x0 + 1 + gaps), PITCH)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the map."""
        _, x1, _, y1 = self.shown.window
        left, top, side, _ = self.tile(x1, y1)
        margin = self.pitch * GUTTER / 2
        return left + side + margin, top + side + margin

    def _chip(self, at: int, axis: int) -> int:
        return at // (self.shown.chip.mesh.columns, self.shown.chip.mesh.rows)[axis]

    def tile(self, x: int, y: int) -> Box:
        """The box of a tile."""
        x0, _, y0, _ = self.shown.window
        over = [self._chip(x, 0) - self._chip(x0, 0), self._chip(y, 1) - self._chip(y0, 1)]
        half = GUTTER / 2
        above = TOP_OF_CHIP if self.shown.n_chips > 1 else 0.0
        left = LEFT + self.pitch * (x - x0 + CHIP_GAP * over[0] + half)
        top = above + self.pitch * (y - y0 + CHIP_GAP * over[1] + half)
        return left, top, self.pitch * (1 - GUTTER), self.pitch * (1 - GUTTER)

    def tiles(self) -> list[Box]:
        """The boxes of all tiles with cores."""
        x0, x1, y0, y1 = self.shown.window
        mesh, limits = self.shown.chip.mesh, self.shown.chip.limits
        n_tiles = -(-limits.cores // mesh.cores_per_tile)
        return [
            self.tile(x, y)
            for x in range(x0, x1 + 1)
            for y in range(y0, y1 + 1)
            if y % mesh.rows * mesh.columns + x % mesh.columns < n_tiles
            and y // mesh.rows * mesh.chip_columns + x // mesh.columns < self.shown.n_chips
        ]

    def core(self, core: int) -> Box:
        """The box of a core."""
        per_tile = self.shown.chip.mesh.cores_per_tile
        per_row = math.ceil(math.sqrt(per_tile))
        left, top, side, _ = self.tile(*self.shown.chip.tile_xy(core))
        own, slot = side / per_row, core % self.shown.chip.limits.cores % per_tile
        inset = 0.06 * own
        return (
            left + slot % per_row * own + inset,
            top + slot // per_row * own + inset,
            own - 2 * inset,
            own - 2 * inset,
        )

    def chips(self) -> list[int]:
        """Chips of which some tiles are drawn."""
        mesh, (x0, x1, y0, y1) = self.shown.chip.mesh, self.shown.window
        return [
            chip
            for chip in range(self.shown.n_chips)
            if x0 // mesh.columns <= chip % mesh.chip_columns <= x1 // mesh.columns
            and y0 // mesh.rows <= chip // mesh.chip_columns <= y1 // mesh.rows
        ]

    def chip(self, chip: int) -> Box:
        """The part of a chip's frame that is drawn."""
        mesh, (x0, x1, y0, y1) = self.shown.chip.mesh, self.shown.window
        x, y = self.shown.chip.chip_xy(chip * self.shown.chip.limits.cores)
        first = self.tile(max(x0, x * mesh.columns), max(y0, y * mesh.rows))
        last = self.tile(min(x1, (x + 1) * mesh.columns - 1), min(y1, (y + 1) * mesh.rows - 1))
        pad = 0.4 * GUTTER * self.pitch
        return (
            first[0] - pad,
            first[1] - pad,
            last[0] + last[2] - first[0] + 2 * pad,
            last[1] + last[3] - first[1] + 2 * pad,
        )
