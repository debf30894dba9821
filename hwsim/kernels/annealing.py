"""Simulated annealing of cores on tiles: swaps of cores, and of whole tiles."""

import numpy as np

from hwsim._accelerate import njit


@njit()
def _moved(node, to, tile_of, indptr, other, packets, inputs, far):
    """Change of cost if `node` alone moves to tile `to`."""
    from_to, from_at = far[to], far[tile_of[node]]  # rows: neighbours of a core are in no order
    change = inputs[node] * (from_to[0] - from_at[0])
    for k in range(indptr[node], indptr[node + 1]):
        tile = tile_of[other[k]]
        change += packets[k] * (from_to[tile] - from_at[tile])
    return change


@njit()
def _between(a, b, indptr, other, packets):
    """Packets between two cores."""
    for k in range(indptr[a], indptr[a + 1]):
        if other[k] == b:
            return packets[k]
    return 0.0


@njit()
def _leaving(tile_of, inputs, gate):
    """Packets of the inputs that leave tile 0 by each of its gates, and those that do not."""
    out = np.zeros(3)
    for node in range(inputs.shape[0]):
        out[gate[tile_of[node]]] += inputs[node]
    return out


@njit()
def _longest(out, held):
    """Cost of the gate that takes longest."""
    return max(out[1] * held[1], out[2] * held[2])


@njit()
def swap_cores(
    pairs, chances, heat, tile_of, indptr, other, packets, inputs, far, gate, held
):  # fmt: skip
    """Try to swap pairs of cores; return the change of cost.

    pairs (tries, 2): nodes, those beyond the cores in use being empty places. chances (tries,):
    uniform numbers; a swap that costs more is made where `chance < exp(-cost / heat)`, with heat
    (tries,). tile_of (nodes,) changes in place. indptr, other, packets: symmetric traffic, CSR;
    inputs (nodes,): packets from tile 0, where spikes enter. far (tiles, tiles): weighted hops,
    symmetric.
    gate (tiles,): by which link packets from tile 0 leave it, 0 for tile 0 itself; held (3,): cost
    of a packet on each; the one that costs most counts.
    """
    total = 0.0
    out = _leaving(tile_of, inputs, gate)
    for i in range(pairs.shape[0]):
        a, b = pairs[i, 0], pairs[i, 1]
        at, to = tile_of[a], tile_of[b]
        if at == to:
            continue
        change = _moved(a, to, tile_of, indptr, other, packets, inputs, far)
        change += _moved(b, at, tile_of, indptr, other, packets, inputs, far)
        # the two stay as far apart as they were, which both sums took for nearer
        change += 2 * _between(a, b, indptr, other, packets) * far[at, to]
        moved = inputs[a] - inputs[b]
        before = _longest(out, held)
        out[gate[at]] -= moved
        out[gate[to]] += moved
        change += _longest(out, held) - before
        if change <= 0 or chances[i] < np.exp(-change / max(heat[i], 1e-300)):
            tile_of[a], tile_of[b] = to, at
            total += change
        else:
            out[gate[at]] += moved
            out[gate[to]] -= moved
    return total


@njit()
def swap_tiles(
    pairs, chances, heat, tile_of, nodes_of, indptr, other, packets, inputs, far, gate, held
):  # fmt: skip
    """Try to swap all that two tiles hold; see `swap_cores`.

    pairs (tries, 2): tiles. nodes_of (tiles, places): the nodes on each tile, -1 beyond the last;
    changes in place with tile_of.
    """
    total = 0.0
    out = _leaving(tile_of, inputs, gate)
    for i in range(pairs.shape[0]):
        s, t = pairs[i, 0], pairs[i, 1]
        if s == t:
            continue
        change = moved = 0.0
        for side in range(2):
            at, to = (s, t) if side == 0 else (t, s)
            from_to, from_at = far[to], far[at]
            for j in range(nodes_of.shape[1]):
                node = nodes_of[at, j]
                if node < 0:
                    continue
                moved += inputs[node] if side == 0 else -inputs[node]
                change += inputs[node] * (from_to[0] - from_at[0])
                for k in range(indptr[node], indptr[node + 1]):
                    tile = tile_of[other[k]]
                    if tile != s and tile != t:  # those between the two stay as far apart
                        change += packets[k] * (from_to[tile] - from_at[tile])
        before = _longest(out, held)
        out[gate[s]] -= moved
        out[gate[t]] += moved
        change += _longest(out, held) - before
        if change <= 0 or chances[i] < np.exp(-change / max(heat[i], 1e-300)):
            for j in range(nodes_of.shape[1]):
                a, b = nodes_of[s, j], nodes_of[t, j]
                nodes_of[s, j], nodes_of[t, j] = b, a
                if a >= 0:
                    tile_of[a] = t
                if b >= 0:
                    tile_of[b] = s
            total += change
        else:
            out[gate[s]] += moved
            out[gate[t]] -= moved
    return total


@njit()
def total_cost(tile_of, indptr, other, packets, inputs, far, gate, held):
    """Packets times weighted hops of a placement, and what the longest gate costs."""
    total = _longest(_leaving(tile_of, inputs, gate), held)
    for node in range(indptr.shape[0] - 1):
        total += inputs[node] * far[0, tile_of[node]]
        for k in range(indptr[node], indptr[node + 1]):
            total += 0.5 * packets[k] * far[tile_of[node], tile_of[other[k]]]
    return total
