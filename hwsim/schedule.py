"""The order in which the engine takes populations and projections."""

from collections import Counter
from heapq import heapify, heappop, heappush
from itertools import chain

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hwsim.arrays import IntArray
from hwsim.network import Network


def schedule(net: Network) -> dict[str, IntArray]:
    """Groups of populations, and the projections into and inside each."""
    index = {p.name: i for i, p in enumerate(net.populations)}
    of_group = groups(net)
    number_into = numbers_into(net)
    feeds: list[list[int]] = []
    loops: list[list[int]] = [[] for _ in net.populations]
    for group in of_group:
        inside = set(group)
        into = [(k, net.projections[k]) for name in group for k in number_into[name]]
        feeds.append([k for k, p in into if p.source not in inside])
        for k, p in into:
            if p.source in inside:
                loops[index[p.source]].append(k)
    members = [[index[name] for name in group] for group in of_group]
    listed = {"group": members, "feed": feeds, "loop": loops}
    out = {f"{name}_ptr": np.cumsum([0, *map(len, rows)]) for name, rows in listed.items()}
    flat = {"members": members, "feeds": feeds, "loops": loops}
    return out | {n: np.array([*chain(*rows)], dtype=np.int64) for n, rows in flat.items()}


def numbers_into(net: Network) -> dict[str, list[int]]:
    """Numbers of the projections into each population."""
    out: dict[str, list[int]] = {p.name: [] for p in net.populations}
    for k, p in enumerate(net.projections):
        out[p.target].append(k)
    return out


def groups(net: Network) -> list[tuple[str, ...]]:
    """Populations, sources first; those that share a cycle come together.

    Of several whose sources are all done, the first in the network's order comes next.
    """
    place = {name: i for i, name in enumerate(net.order)}
    source = [place[p.source] for p in net.projections]
    target = [place[p.target] for p in net.projections]
    joined = coo_array((np.ones(len(source)), (source, target)), shape=(len(place),) * 2)
    n, group_of = connected_components(joined, connection="strong")
    members: list[list[int]] = [[] for _ in range(n)]
    for i, group in enumerate(group_of):
        members[group].append(i)
    after: list[set[int]] = [set() for _ in range(n)]
    for a, b in zip(group_of[source], group_of[target], strict=True):
        if a != b:
            after[a].add(b)
    waits = Counter(chain(*after))
    ready = [(own[0], group) for group, own in enumerate(members) if not waits[group]]
    heapify(ready)
    done = []
    while ready:
        _, group = heappop(ready)
        done.append(tuple(net.order[i] for i in members[group]))
        for later in after[group]:
            waits[later] -= 1
            if not waits[later]:
                heappush(ready, (members[later][0], later))
    return done
