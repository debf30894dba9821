"""The mesh: routes as links, and the traffic on them.

Tiles stand on a grid, each with a router. A directed link leads from every router to each
neighbour; a tile's port hands packets to its router (`INJECT`), another takes them from it
(`EJECT`). A packet goes along its row first, then along its column, and holds every link on its
way for that link's own time, one packet at a time, first come first served. A packet is one flit:
a hop's published time is that of a whole spike message [Davies2018]. Queues are unbounded: nothing
is dropped, and no full buffer holds up the link before it.

The spikes of a time step (`Critical` in `hwsim.counts`) are a burst. All of its
packets have arrived no earlier than the farthest has gone its way, and no earlier than the last of
the n packets on any link j, held s_j by each, has passed it and gone on,

    t >= min over packets on j (way to j) + n s_j + min over packets on j (way from j).

For packets that come all the time see `hwsim.contention`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array

from hwsim.arrays import FloatArray, IntArray, frozen
from hwsim.chips.spec import ChipSpec, Constant
from hwsim.counts import Counts

if TYPE_CHECKING:
    from hwsim.mapping.plan import Plan

EAST, WEST, SOUTH, NORTH, INJECT, EJECT = range(6)  # rows are counted southwards
KINDS = 6
STEP = np.array([[1, 0], [-1, 0], [0, 1], [0, -1], [0, 0], [0, 0]])  # x, y by kind


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Routers on a grid, and for how long a packet holds each link.

    Tile t stands in column t % columns and row t // columns. Link l is `hold_s.flat[l]`: its kind
    first, then the row and column of the tile that it leaves.

    Attributes:
        hold_s: seconds by link, (6, rows, columns). Those that would leave the grid are not used.
    """

    hold_s: FloatArray

    def __post_init__(self) -> None:
        hold = frozen(self.hold_s, np.float64)
        if hold.ndim != 3 or hold.shape[0] != KINDS:
            raise ValueError(f"`hold_s` has shape {hold.shape}, must be (6, rows, columns)")
        if not np.isfinite(hold).all() or hold.min(initial=0.0) < 0:
            raise ValueError("`hold_s` must be finite and not negative")
        object.__setattr__(self, "hold_s", hold)

    @property
    def rows(self) -> int:
        """Rows of tiles."""
        return int(self.hold_s.shape[1])

    @property
    def columns(self) -> int:
        """Columns of tiles."""
        return int(self.hold_s.shape[2])

    @classmethod
    def of(cls, chip: ChipSpec, *, n_chips: int = 1) -> "Grid":
        """The mesh of a chip, or of the first `n_chips` of a grid of chips side by side.

        A packet within its tile takes `time.packet`: half at each port. A link between chips is
        held for the time of a hop and that of a hop between chips.

        Raises:
            ValueError: if the chip has not that many, or one of the times is not known.
        """
        columns, rows = extent(chip, n_chips)
        hold = np.empty((KINDS, rows, columns))
        hold[[EAST, WEST]] = _seconds(chip, "hop_ew")
        hold[[SOUTH, NORTH]] = _seconds(chip, "hop_ns")
        hold[[INJECT, EJECT]] = _seconds(chip, "packet") / 2
        if n_chips > 1:
            kinds = hold.reshape(KINDS, -1)
            kinds += between_chips(chip, columns, rows) * _seconds(chip, "hop_chip")
        return cls(hold)


@dataclass(frozen=True, slots=True, eq=False)
class LinkTraffic:
    """Packets per sample on every link between routers that carries any.

    Attributes:
        from_xy, to_xy: column and row of the tiles at its ends, over all chips, (links, 2).
        packets: (links,).
    """

    from_xy: IntArray
    to_xy: IntArray
    packets: FloatArray


def routes(
    columns: int, rows: int, source: IntArray, target: IntArray, *, ports: bool = True
) -> tuple[IntArray, IntArray]:
    """The links of every way from a tile to a tile, in order: `indptr` and link numbers (CSR).

    Args:
        columns, rows: of the grid. source, target: tiles, (ways,).
        ports: whether the ways begin and end with the tiles' ports.
    """
    y0, x0 = np.divmod(source, columns)
    y1, x1 = np.divmod(target, columns)
    ew, ns = np.abs(x1 - x0), np.abs(y1 - y0)
    first = int(ports)
    indptr = np.concatenate([[0], np.cumsum(ew + ns + 2 * first)])
    way = np.repeat(np.arange(source.size), np.diff(indptr))
    k = np.arange(indptr[-1]) - indptr[way] - first  # hops done before this link
    right, down = (x1 > x0)[way], (y1 > y0)[way]
    along, across = np.clip(k, 0, ew[way]), np.clip(k - ew[way], 0, ns[way])
    x = x0[way] + np.where(right, along, -along)
    y = y0[way] + np.where(down, across, -across)
    kind = np.where(k < ew[way], np.where(right, EAST, WEST), np.where(down, SOUTH, NORTH))
    kind[k < 0] = INJECT
    kind[k == (ew + ns)[way]] = EJECT
    return indptr, (kind * rows + y) * columns + x


def extent(chip: ChipSpec, n_chips: int) -> tuple[int, int]:
    """Columns and rows of tiles of the first chips of a grid of chips."""
    if not 1 <= n_chips <= chip.limits.chips:
        raise ValueError(f"{n_chips} chips of {chip.name}, 1 to {chip.limits.chips} can be joined")
    across = min(n_chips, chip.mesh.chip_columns)
    down = -(-n_chips // chip.mesh.chip_columns)
    return across * chip.mesh.columns, down * chip.mesh.rows


def between_chips(chip: ChipSpec, columns: int, rows: int) -> IntArray:
    """1 for links from one chip to another, (6, rows * columns)."""
    y, x = np.divmod(np.arange(rows * columns), columns)
    ends = np.stack([x, y], axis=-1) + STEP[:, None]
    size = np.array([chip.mesh.columns, chip.mesh.rows])
    crossed: IntArray = (ends // size != np.stack([x, y], axis=-1) // size).any(axis=-1)
    return crossed.astype(np.int64)


def _seconds(chip: ChipSpec, name: str) -> float:
    """A time of the chip; 0 if it is no event of its own there."""
    constant: Constant | None = getattr(chip.time, name)
    if constant is None:
        return 0.0
    if constant.value is None:
        raise ValueError(f"time.{name} of {chip.name} is not known: give it a value")
    return constant.value


def traffic(plan: "Plan", spikes: Counts | Mapping[str, FloatArray]) -> coo_array:
    """Packets per sample from tile to tile of the plan's chips, (tiles, tiles).

    Args:
        spikes: mean spikes per sample of every neuron, (neurons,), by population; those of
            populations that are not named are 0. Or counts: then the spikes of a part are spread
            evenly over its neurons, which is exact only where these have the same listeners.
    """
    columns, rows = plan_extent(plan)
    tile = plan_tiles(plan)
    named = _spread(plan, spikes) if isinstance(spikes, Counts) else spikes
    source, target, packets = [np.zeros(0, int)], [np.zeros(0, int)], [np.zeros(0)]
    for name, per_neuron in named.items():
        own = tile[np.array(plan.parts_of(name))[plan.part_of(name)]]
        heard = plan.listeners(name).tocoo()
        source.append(own[heard.row])
        target.append(tile[heard.col])
        packets.append(np.asarray(per_neuron, dtype=np.float64)[heard.row])
    ends = (np.concatenate(source), np.concatenate(target))
    n_tiles = columns * rows
    return coo_array((np.concatenate(packets), ends), shape=(n_tiles, n_tiles)).tocsr().tocoo()


def _spread(plan: "Plan", counts: Counts) -> dict[str, FloatArray]:
    """Mean spikes per sample of every neuron, if those of a part fire alike."""
    out = {p.name: np.zeros(p.size) for p in plan.network.populations}
    for part, n_spikes in zip(plan.parts, counts.spikes, strict=True):
        out[part.population][part.neurons] = n_spikes / part.neurons.size / counts.n_samples
    return out


def link_traffic(plan: "Plan", spikes: Counts | Mapping[str, FloatArray]) -> LinkTraffic:
    """Packets per sample on the links between routers; `spikes` as for `traffic`."""
    columns, rows = plan_extent(plan)
    flows = traffic(plan, spikes)
    indptr, links = routes(columns, rows, flows.row, flows.col, ports=False)
    each = np.repeat(flows.data, np.diff(indptr))
    carried = np.bincount(links, each, KINDS * rows * columns).astype(np.float64)
    used = np.flatnonzero(carried)
    from_xy = np.stack([used % columns, used // columns % rows], axis=1)
    return LinkTraffic(from_xy, from_xy + STEP[used // (columns * rows)], carried[used])


def plan_extent(plan: "Plan") -> tuple[int, int]:
    """Columns and rows of tiles, over the chips up to the last in use."""
    return extent(plan.chip, 1 + max((plan.chip.chip_of(core) for core in plan.cores), default=0))


def plan_tiles(plan: "Plan") -> IntArray:
    """The tile of every part, (parts,); inputs enter at tile 0."""
    columns, _ = plan_extent(plan)
    at = [(0, 0) if p.core is None else plan.chip.tile_xy(p.core) for p in plan.parts]
    return np.array([y * columns + x for x, y in at], dtype=np.int64)
