"""The ways of a plan's packets over the mesh: what one spike of each neuron puts on which links."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import coo_array, csr_array

from hwsim.arrays import FloatArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.noc import EAST, KINDS, WEST, between_chips, plan_extent, plan_tiles, routes

if TYPE_CHECKING:
    from hwsim.mapping.plan import Plan

HOPS = ("hop_ew", "hop_ns", "hop_chip")


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """The mesh as a plan uses it. Hops are triples: east-west, north-south, from chip to chip.

    Attributes:
        class_of: neurons whose spikes use the mesh alike are one class, (neurons,) by population.
        links: packets that a spike of each class sends over each link in use, (classes, links).
        far: the slowest route of a class's packets, (classes,): a row of `routes`; -1: none.
        routes: hops of every route there is, (routes, 3), by ascending time.
        link: the hops that a link is, (links, 3).
        least: hops of the shortest way to it plus those of the shortest way from it, (links, 3).
        seconds: nominal time of a hop of each kind, (3,).
    """

    class_of: dict[str, IntArray]
    links: dict[str, csr_array]
    far: dict[str, IntArray]
    routes: IntArray
    link: IntArray
    least: IntArray
    seconds: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """Every route of every class, link by link: hops before and after each."""

    owner: IntArray  # class of each route
    hops: IntArray  # (routes, 3)
    indptr: IntArray
    links: IntArray
    before: IntArray  # (steps of all routes, 3)
    after: IntArray


def ways_of(plan: "Plan") -> Ways:
    """Walk every route of a plan once.

    The time of a step's packets is bound from below, see `hwsim.noc`, by the slowest route and by
    each link: its n packets one after the other, between the shortest ways to and from it.
    """
    seconds = np.array([nominal(plan.chip.time, name) for name in HOPS])
    class_of, walks, n_classes = {}, {}, {}
    for population in plan.network.populations:
        name = population.name
        class_of[name], walks[name], n_classes[name] = _walk(plan, name)
    every = list(walks.values())
    used = np.unique(np.concatenate([w.links for w in every]))
    known = np.unique(np.concatenate([w.hops for w in every]), axis=0)
    known = known[np.lexsort((*known.T, known @ seconds))]
    least = np.zeros((used.size, 3), dtype=np.int64)
    at = np.searchsorted(used, np.concatenate([w.links for w in every]))
    for way in ("before", "after"):
        least += _shortest(at, np.concatenate([getattr(w, way) for w in every]), seconds)
    rank = {tuple(row): i for i, row in enumerate(known.tolist())}
    links, far = {}, {}
    for name, walk in walks.items():
        ends = (np.repeat(walk.owner, np.diff(walk.indptr)), np.searchsorted(used, walk.links))
        ones = np.ones(walk.links.size, dtype=np.int64)
        shape = (n_classes[name], used.size)
        links[name] = coo_array((ones, ends), shape=shape).tocsr()
        far[name] = np.full(n_classes[name], -1)
        of_route = np.array([rank[tuple(row)] for row in walk.hops.tolist()], dtype=np.int64)
        np.maximum.at(far[name], walk.owner, of_route)
    return Ways(class_of, links, far, known, _hops_of(plan)[used], least, seconds)


def _walk(plan: "Plan", name: str) -> tuple[IntArray, _Walk, int]:
    """Classes of a population's neurons, and the routes of one neuron of each."""
    columns, rows = plan_extent(plan)
    tiles, heard = plan_tiles(plan), plan.listeners(name)
    own = tiles[np.array(plan.parts_of(name))[plan.part_of(name)]]
    to = tiles[heard.indices]
    classes: dict[tuple[int, bytes], int] = {}
    class_of = np.zeros(own.size, dtype=np.int64)
    source, target, owner = (list[IntArray]() for _ in range(3))
    for n, (start, stop) in enumerate(zip(heard.indptr[:-1], heard.indptr[1:], strict=True)):
        key = (int(own[n]), to[start:stop].tobytes())
        class_of[n] = classes.setdefault(key, len(classes))
        if class_of[n] == len(owner):
            target.append(to[start:stop])
            source.append(np.full(stop - start, own[n]))
            owner.append(np.full(stop - start, class_of[n]))
    indptr, links = routes(
        columns, rows, np.concatenate(source), np.concatenate(target), ports=False
    )
    step = _hops_of(plan)[links]
    done = np.concatenate([np.zeros((1, 3), dtype=np.int64), np.cumsum(step, axis=0)])
    begin, end = (np.repeat(done[x], np.diff(indptr), axis=0) for x in (indptr[:-1], indptr[1:]))
    walk = _Walk(
        np.concatenate(owner),
        done[indptr[1:]] - done[indptr[:-1]],
        indptr,
        links,
        done[:-1] - begin,
        end - done[1:],
    )
    return class_of, walk, len(classes)


def _hops_of(plan: "Plan") -> IntArray:
    """The hops that every link of the plan's grid is, (links, 3)."""
    columns, rows = plan_extent(plan)
    ew = np.zeros((KINDS, rows * columns), dtype=np.int64)
    ew[[EAST, WEST]] = 1
    crossing = between_chips(plan.chip, columns, rows)
    return np.stack([ew, 1 - ew, crossing], axis=-1).reshape(-1, 3)


def _shortest(at: IntArray, hops: IntArray, seconds: FloatArray) -> IntArray:
    """For every link the quickest of the ways listed with it, (links, 3)."""
    order = np.lexsort((*hops.T, hops @ seconds, at))
    first = np.ones(order.size, dtype=bool)
    first[1:] = np.diff(at[order]) > 0
    quickest: IntArray = hops[order[first]]
    return quickest
