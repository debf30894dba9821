"""Resistive ladders: a chain of nodes, cells to elsewhere at each, segments between them, an end.

Node k of a line has cells of conductance g[k] to nodes outside the line, and the segment r[k] to
node k + 1; the last segment ends at ground, and node 0 may have a conductance `g_start` to ground
as well. Everything is a sum or product of positive numbers, so that nothing cancels, and segments
of 0 ohm are as good as any. Bit lines are solved row by row, all of them at once; word lines in
blocks of LANES rows, interleaved as (column, lane), so that both loops run along memory.
"""

import numpy as np

from hwsim._accelerate import njit

LANES = 16


@njit()
def shares_of_bits(g, r, g_start):
    """Of the current that reaches node k from behind, the share that goes on to node k + 1.

    g (rows, cols) siemens; r (rows,) ohm; g_start siemens. Returns (rows, cols): 1 / (1 + r p),
    where p is the conductance to ground of node k and all behind it, the node ahead not counted.
    """
    share = np.empty_like(g)
    behind = np.full(g.shape[1], g_start)
    for k in range(g.shape[0]):
        for j in range(g.shape[1]):
            share[k, j] = 1.0 / (1.0 + r[k] * (g[k, j] + behind[j]))
        for j in range(g.shape[1]):
            behind[j] = (g[k, j] + behind[j]) * share[k, j]
    return share


@njit()
def shares_of_words(g, r, g_start):
    """The same along the columns of g (rows, cols), in blocks (blocks, cols * LANES)."""
    n_blocks = (g.shape[0] + LANES - 1) // LANES
    share = np.ones((n_blocks, g.shape[1] * LANES))
    for i in range(g.shape[0]):
        block, lane, behind = i // LANES, i % LANES, g_start
        for j in range(g.shape[1]):
            p = g[i, j] + behind
            t = 1.0 / (1.0 + r[j] * p)
            share[block, j * LANES + lane] = t
            behind = p * t
    return share


@njit(inline=True, allocates=False)
def pass_on(x, share, onto):
    """What x (cols,) sends ahead, added to `onto`, in place."""
    for j in range(x.shape[0]):
        onto[j] += share[j] * x[j]


@njit(inline=True, allocates=False)
def rise(x, r, share, ahead):
    """From the currents x (cols,) of a node to its voltages, given those ahead; in place."""
    for j in range(x.shape[0]):
        x[j] = (r * x[j] + ahead[j]) * share[j]


@njit(inline=True, allocates=False)
def rise_last(x, r, share):
    """The same for the node before ground."""
    for j in range(x.shape[0]):
        x[j] = r * x[j] * share[j]


@njit(allocates=False)
def solve_bits(x, r, share):
    """Voltages (rows, cols) of the bit lines into which the currents x flow; in place."""
    last = x.shape[0] - 1
    for k in range(last):
        pass_on(x[k], share[k], x[k + 1])
    rise_last(x[last], r[last], share[last])
    for k in range(last - 1, -1, -1):
        rise(x[k], r[k], share[k], x[k + 1])


@njit(allocates=False)
def solve_words(x, r, share, ends):
    """The same for a block of word lines, x and share (cols * LANES,); in place.

    ends (LANES,): takes the currents that leave at the last node.
    """
    n = x.shape[0]
    for k in range(LANES, n):
        x[k] += share[k - LANES] * x[k - LANES]
    for k in range(n - LANES, n):
        ends[k - n + LANES] = x[k] * share[k]
        x[k] *= r[r.shape[0] - 1] * share[k]
    for j in range(r.shape[0] - 2, -1, -1):
        for k in range(j * LANES, (j + 1) * LANES):
            x[k] = (r[j] * x[k] + x[k + LANES]) * share[k]
