"""Cores onto the mesh: along a Hilbert curve, then annealed for spike-weighted hops."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from hwsim.arrays import FloatArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.chips.spec import ChipSpec
from hwsim.kernels import annealing
from hwsim.mapping.hilbert import hilbert_curve

CHIP_WEIGHT = 10.0  # hops that a move from chip to chip counts as where its energy is not known
ROUNDS = 60  # temperatures of an annealing
TRIES_PER_PAIR = 2  # swaps tried at one temperature: so often each pair of cores, but no more than
MOST_TRIES = 40_000
MOST_LOOKED_AT = 128 * MOST_TRIES  # neighbours of the cores swapped; where all talk, little is won
COOLING = 1e-3  # last temperature over the first
FREE = np.zeros(3)  # what packets at the entry cost where only hops count
MOST_SOLVED = 2000  # cores whose Laplacian is solved for an order
FAINT = 2.0**-30  # of the mean traffic, between all cores: then the graph is in one piece


def chip_weight(chip: ChipSpec) -> float:
    """Hops on the mesh that a move from chip to chip is worth, by the chip's energies."""
    far = nominal(chip.energy, "hop_chip")
    near = (nominal(chip.energy, "hop_ew") + nominal(chip.energy, "hop_ns")) / 2
    return far / near if far and near else CHIP_WEIGHT


@dataclass(frozen=True, eq=False)
class Board:
    """The tiles of as many chips as are needed, in the order of a walk that keeps them near.

    Attributes:
        n_cores: cores to place.
    """

    chip: ChipSpec
    n_cores: int

    @property
    def n_chips(self) -> int:
        """The fewest chips with enough cores."""
        return -(-self.n_cores // self.chip.limits.cores)

    @cached_property
    def walk(self) -> IntArray:
        """Every core, (chips * cores,): chip after chip, tiles along a Hilbert curve."""
        mesh, cores = self.chip.mesh, self.chip.limits.cores
        curve = hilbert_curve(mesh.columns, mesh.rows)
        tiles = curve[:, 1] * mesh.columns + curve[:, 0]
        slots = tiles[:, None] * mesh.cores_per_tile + np.arange(mesh.cores_per_tile)
        one = slots[slots < cores]
        return (np.arange(self.n_chips)[:, None] * cores + one).reshape(-1)

    def tile_of(self, core: IntArray) -> IntArray:
        """Number of a core's tile; tiles of the next chip go on counting."""
        cores, per_tile = self.chip.limits.cores, self.chip.mesh.cores_per_tile
        per_chip = -(-cores // per_tile)
        return core // cores * per_chip + core % cores // per_tile

    def core(self, tile: int, n_free: int) -> int:
        """The first free core of a tile that has `n_free` left, the others being the last."""
        cores, per_tile = self.chip.limits.cores, self.chip.mesh.cores_per_tile
        per_chip = -(-cores // per_tile)
        first = tile // per_chip * cores + tile % per_chip * per_tile
        return first + min(per_tile, cores - tile % per_chip * per_tile) - n_free

    @cached_property
    def _at(self) -> IntArray:
        """Column and row of every tile over all chips, and of its chip, (tiles, 4)."""
        cores, per_tile = self.chip.limits.cores, self.chip.mesh.cores_per_tile
        firsts = [
            chip * cores + core
            for chip in range(self.n_chips)
            for core in range(0, cores, per_tile)
        ]
        return np.array([self.chip.tile_xy(c) + self.chip.chip_xy(c) for c in firsts])

    @cached_property
    def far(self) -> FloatArray:
        """Hops between tiles, those from chip to chip weighted, (tiles, tiles)."""
        weights = np.array([1.0, 1.0, chip_weight(self.chip), chip_weight(self.chip)])
        out: FloatArray = np.abs(self._at[:, None] - self._at) @ weights
        return out

    @cached_property
    def gate(self) -> IntArray:
        """The link by which packets from tile 0 leave it: 1 east, 2 south, 0 not at all."""
        x, y = self._at[:, 0], self._at[:, 1]
        return np.where(x > 0, 1, np.where(y > 0, 2, 0))


def hops_of(traffic: sparse.csr_array, core_of: IntArray, chip: ChipSpec) -> float:
    """Packets times hops, moves between chips weighted, of cores at `core_of` (cores,)."""
    board = Board(chip, int(core_of.max()) + 1)
    graph, inputs = _graph(traffic)
    at = board.tile_of(core_of)
    return float(
        annealing.total_cost(
            at, graph.indptr, graph.indices, graph.data, inputs, board.far, board.gate, FREE
        )
    )


def anneal(
    traffic: sparse.csr_array,
    core_of: IntArray,
    chip: ChipSpec,
    rng: np.random.Generator,
    hops_per_s: float = 0.0,
) -> IntArray:
    """Cores of fewer spike-weighted hops than the start `core_of`, (cores,), or the start itself.

    With `hops_per_s`, the hops that a second is worth, the packets of the inputs are also spread
    over the links of the tile where they enter: all wait there for the busiest of them.

    Swaps of cores keep the tiles in use; swaps of whole tiles, with empty ones too, move them.
    """
    n = core_of.size
    board = Board(chip, max(n, int(core_of.max()) + 1))
    return _anneal(_State(board, _graph(traffic), core_of, hops_per_s), rng)


def _anneal(state: "_State", rng: np.random.Generator) -> IntArray:
    best, best_cost = state.tile_of.copy(), state.cost()
    heat, cold = _first_heat(state), 0.0
    for step in range(ROUNDS):
        hot = heat * COOLING ** (step / (ROUNDS - 1))
        state.shake(hot if step < ROUNDS - 5 else cold, rng)
        if (cost := state.cost()) < best_cost:
            best, best_cost = state.tile_of.copy(), cost
    return state.cores(best)


def place(
    traffic: sparse.csr_array,
    chip: ChipSpec,
    rng: np.random.Generator,
    hops_per_s: float = 0.0,
) -> IntArray:
    """Places of cores, (cores,), for few spike-weighted hops: the best of several annealings.

    They start along a Hilbert curve, once in the order of the cores, once in that of their
    traffic; both keep to as few tiles as hold the cores. For `hops_per_s` see `anneal`.
    """
    n, graph = traffic.shape[1], _graph(traffic)
    board = Board(chip, n)
    starts = [board.walk[:n]]
    if 1 < n <= MOST_SOLVED:
        along = np.empty(n, dtype=np.int64)
        along[by_traffic(traffic)] = board.walk[:n]
        starts.append(along)

    def state(core_of: IntArray) -> _State:
        return _State(board, graph, core_of, hops_per_s)

    found = [*starts, *(_anneal(state(start), rng) for start in starts)]
    return min(found, key=lambda core_of: state(core_of).cost())


def by_traffic(traffic: sparse.csr_array) -> IntArray:
    """Cores in an order in which those that talk are near: by the Fiedler vector, (cores,).

    The eigenvector of the second smallest eigenvalue of the graph's Laplacian gives the line on
    which the squared distances, weighted by packets, are least. It starts at the end that hears
    the inputs.
    """
    n = traffic.shape[1]
    graph, inputs = _graph(traffic)
    weights = graph.toarray() + FAINT * max(1.0, float(graph.sum())) / n**2
    laplacian = np.diag(weights.sum(axis=1)) - weights
    line = np.linalg.eigh(laplacian)[1][:, 1]
    order = np.argsort(np.round(line, 9), kind="stable")
    first, last = inputs[order[: n // 2]].sum(), inputs[order[n // 2 :]].sum()
    return order if first >= last else order[::-1].copy()


def nearest_free(traffic: sparse.csr_array, board: Board) -> IntArray:
    """Core by core in order, each on the free place with fewest hops to those already placed."""
    n, graph, inputs = traffic.shape[1], *_graph(traffic)
    free = np.bincount(board.tile_of(board.walk))
    tile_of, core_of = np.full(n, -1), np.empty(n, dtype=np.int64)
    for core in range(n):
        others, packets = graph.indices, graph.data
        row = slice(graph.indptr[core], graph.indptr[core + 1])
        placed = tile_of[others[row]] >= 0
        ends = np.append(tile_of[others[row]][placed], 0)  # inputs enter at tile 0
        amounts = np.append(packets[row][placed], inputs[core])
        cost = board.far[:, ends] @ amounts
        tile_of[core] = np.argmin(np.where(free > 0, cost, np.inf))
        core_of[core] = board.core(int(tile_of[core]), int(free[tile_of[core]]))
        free[tile_of[core]] -= 1
    return core_of


class _State:
    """A placement in flight: owns the arrays, leaves the arithmetic to the kernels."""

    def __init__(
        self,
        board: Board,
        traffic: tuple[sparse.csr_array, FloatArray],
        core_of: IntArray,
        hops_per_s: float,
    ) -> None:
        self.board, n = board, core_of.size
        limits, per_tile = board.chip.limits, board.chip.mesh.cores_per_tile
        everywhere = np.arange(board.n_chips * limits.cores)
        self.room = np.bincount(board.tile_of(everywhere))
        at = board.tile_of(core_of)
        spare = np.setdiff1d(everywhere[np.isin(board.tile_of(everywhere), at)], core_of)
        self.n_cores = n
        self.tile_of = np.concatenate([at, board.tile_of(spare)])
        graph, inputs = traffic
        indptr = np.append(graph.indptr, np.full(spare.size, graph.indptr[-1]))
        held = (0.0, nominal(board.chip.time, "hop_ew"), nominal(board.chip.time, "hop_ns"))
        self.board_costs = (board.far, board.gate, hops_per_s * np.array(held))
        self.csr = (indptr, graph.indices, graph.data, np.append(inputs, np.zeros(spare.size)))
        self.most_tries = min(MOST_TRIES, MOST_LOOKED_AT * n // max(1, graph.nnz))
        self.full = np.flatnonzero(self.room == per_tile)  # tiles that can be swapped as a whole

    def cost(self) -> float:
        """Packets times weighted hops."""
        return float(annealing.total_cost(self.tile_of, *self.csr, *self.board_costs))

    def shake(self, heat: float, rng: np.random.Generator) -> None:
        """Swaps at one temperature: of cores, then of tiles."""
        n = self.tile_of.size
        tries = min(self.most_tries, TRIES_PER_PAIR * n * n)
        pairs, chances = rng.integers(0, n, (tries, 2)), rng.random(tries)
        hot = np.full(tries, heat)
        annealing.swap_cores(pairs, chances, hot, self.tile_of, *self.csr, *self.board_costs)
        if self.full.size < 2:
            return
        tries = tries // 4
        tiles, chances = self.full[rng.integers(0, self.full.size, (tries, 2))], rng.random(tries)
        annealing.swap_tiles(
            tiles, chances, hot[:tries], self.tile_of, self._nodes(), *self.csr, *self.board_costs
        )

    def _nodes(self) -> IntArray:
        """Nodes on every tile, (tiles, places), -1 beyond the last."""
        out = np.full((self.room.size, int(self.room.max())), -1)
        order = np.argsort(self.tile_of, kind="stable")
        tile = self.tile_of[order]
        slot = np.arange(order.size) - np.searchsorted(tile, tile)
        out[tile, slot] = order
        return out

    def cores(self, tile_of: IntArray) -> IntArray:
        """Core of each node in use, given tiles: the cores of a tile in order."""
        cores, per_tile = self.board.chip.limits.cores, self.board.chip.mesh.cores_per_tile
        own = tile_of[: self.n_cores]
        order = np.argsort(own, kind="stable")
        slot = np.empty_like(own)
        slot[order] = np.arange(order.size) - np.searchsorted(own[order], own[order])
        per_chip = -(-cores // per_tile)
        out: IntArray = own // per_chip * cores + own % per_chip * per_tile + slot
        return out


def _graph(traffic: sparse.csr_array) -> tuple[sparse.csr_array, FloatArray]:
    """Symmetric traffic between cores, and what each hears from outside."""
    n = traffic.shape[1]
    between = traffic[:n]
    both = (between + between.T).tocoo()
    kept = both.row != both.col
    graph = sparse.csr_array((both.data[kept], (both.row[kept], both.col[kept])), shape=(n, n))
    return graph, traffic[[n]].toarray().reshape(-1)


def _first_heat(state: _State) -> float:
    """A temperature at which most swaps are made: the mean cost of a core's packets per hop."""
    _, _, packets, inputs = state.csr
    return float((packets.sum() + inputs.sum()) / max(1, state.n_cores))
