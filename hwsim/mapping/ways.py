"""The ways of a plan's packets over the mesh."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.kernels.noc import find_shortest
from hwsim.noc import EAST, KINDS, WEST, between_chips, plan_extent, plan_tiles, routes

if TYPE_CHECKING:
    from hwsim.mapping.plan import Plan

HOPS = ("hop_ew", "hop_ns", "hop_chip")


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """The mesh as a plan uses it. Hops are triples: east-west, north-south, from chip to chip.

    Attributes:
        pairs: of every tile that sends and one that listens `sender * n_tiles + listener`,
            ascending. tiles: of the plan's parts.
        indptr, links: the links on the way of each pair, in order (CSR).
        rank: the route of each pair, a row of `routes`, (pairs,).
        routes: hops of every route there is, (routes, 3), by ascending time.
        link: the hops that each link in use is, (links, 3).
        least: hops of the shortest way to a link and of the shortest way from it, (links, 3).
        seconds: nominal time of a hop of each kind, (3,).
    """

    pairs: IntArray
    tiles: IntArray
    n_tiles: int
    indptr: IntArray
    links: IntArray
    rank: IntArray
    routes: IntArray
    link: IntArray
    least: IntArray
    seconds: FloatArray

    def pair(self, senders: IntArray, listeners: IntArray) -> IntArray:
        """The pairs of tiles over which parts send to parts, all of the same shape."""
        return np.searchsorted(
            self.pairs, self.tiles[senders] * self.n_tiles + self.tiles[listeners]
        )


def ways_of(plan: "Plan") -> Ways:
    """Walk the way of every pair of tiles that a plan uses.

    The time of a step's packets is bound from below, see `hwsim.noc`, by the slowest route and by
    each link: its n packets one after the other, between the shortest ways to and from it.
    """
    columns, rows = plan_extent(plan)
    seconds = np.array([nominal(plan.chip.time, name) for name in HOPS])
    pairs = _pairs(plan, columns * rows)
    indptr, links = routes(columns, rows, *np.divmod(pairs, columns * rows), ports=False)
    used, at = np.unique(links, return_inverse=True)
    link = _hops_of(plan)[used]
    done = np.concatenate([np.zeros((1, 3), np.int64), np.cumsum(link[at], axis=0)])
    known, rank = np.unique(done[indptr[1:]] - done[indptr[:-1]], axis=0, return_inverse=True)
    by_time = np.lexsort((*known.T, known @ seconds))
    to, away = np.zeros_like(link), np.zeros_like(link)
    find_shortest(indptr, at, link, seconds, to, away)
    return Ways(
        pairs,
        plan_tiles(plan),
        columns * rows,
        indptr,
        at,
        np.argsort(by_time)[rank.reshape(-1)],
        known[by_time],
        link,
        to + away,
        seconds,
    )


def _pairs(plan: "Plan", n_tiles: int) -> IntArray:
    """Pairs of tiles in use, as sender * n_tiles + listener."""
    tiles = plan_tiles(plan)
    keys = [np.zeros(0, dtype=np.int64)]
    for population in plan.network.populations:
        name = population.name
        heard = plan.listeners(name).tocoo()
        own = tiles[np.array(plan.parts_of(name))[plan.part_of(name)]]
        keys.append(np.unique(own[heard.row] * n_tiles + tiles[heard.col]))
    return np.unique(np.concatenate(keys))


def _hops_of(plan: "Plan") -> IntArray:
    """The hops that every link of the plan's grid is, (links, 3)."""
    columns, rows = plan_extent(plan)
    ew = np.zeros((KINDS, rows * columns), dtype=np.int64)
    ew[[EAST, WEST]] = 1
    crossing = between_chips(plan.chip, columns, rows)
    return np.stack([ew, 1 - ew, crossing], axis=-1).reshape(-1, 3)
