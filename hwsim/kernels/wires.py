"""Both kinds of line of an array together: conjugate gradients on its bit lines.

The current of cell (i, j) is c + g (w - b): w is what its word-line node lies above its driver, b
its bit-line node above ground, c the current at w = b = 0. With the word lines eliminated, Schur's
complement on b is symmetric and positive; the bit lines alone are a preconditioner that leaves a
condition number of a few. A vector of voltages b travels with the currents y that cause it when
the cells are tied to ground, so that no segment is ever divided by.
"""

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels.ladders import LANES, pass_on, rise, rise_last, solve_words


@njit()
def words(g, c, b, share, r, w, ends):
    """Voltages w (rows, cols) of the word lines, given those of the bit lines, b.

    share: blocks of `shares_of_words`; r (cols,) ohm. ends (rows,): takes the currents that leave
    at the last nodes. Returns nothing; w is filled.
    """
    n_rows, n_cols = g.shape
    x, out = np.empty(n_cols * LANES), np.empty(LANES)
    for block in range(share.shape[0]):
        first = block * LANES
        n_lanes = min(LANES, n_rows - first)
        x[:] = 0.0
        for lane in range(n_lanes):
            i = first + lane
            for j in range(n_cols):
                x[j * LANES + lane] = g[i, j] * b[i, j] - c[i, j]
        solve_words(x, r, share[block], out)
        for lane in range(n_lanes):
            i = first + lane
            for j in range(n_cols):
                w[i, j] = x[j * LANES + lane]
            ends[i] = out[lane]


@njit()
def residual(g, c, w, y, res):
    """What flows into the bit-line nodes beyond y: res = c + g w - y."""
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            res[i, j] = c[i, j] + g[i, j] * w[i, j] - y[i, j]


@njit(inline=True, allocates=False)
def add(x, factor, onto):
    """A multiple of one row onto another."""
    for j in range(x.shape[0]):
        onto[j] += factor * x[j]


@njit(inline=True, allocates=False)
def keep(x, factor, onto):
    """One row plus a multiple of the other, into the other."""
    for j in range(x.shape[0]):
        onto[j] = x[j] + factor * onto[j]


@njit(inline=True, allocates=False)
def products(x, y, sums):
    """The products of two rows, onto sums."""
    for j in range(x.shape[0]):
        sums[j] += x[j] * y[j]


@njit(inline=True, allocates=False)
def assign(x, onto):
    """One row into another."""
    for j in range(x.shape[0]):
        onto[j] = x[j]


@njit()
def forward(alpha, p, q, b, res, z, share):
    """A step of length alpha, and the way along the bit lines with the residual that is left."""
    last = res.shape[0] - 1
    for i in range(last + 1):
        add(p[i], alpha, b[i])
        add(q[i], -alpha, res[i])
        assign(res[i], z[i])
        if i > 0:
            pass_on(z[i - 1], share[i - 1], z[i])


@njit()
def backward(res, z, r, share, sums):
    """The way back along the bit lines: z are voltages now. Returns the product of res and z."""
    last = res.shape[0] - 1
    sums[:] = 0.0
    rise_last(z[last], r[last], share[last])
    products(res[last], z[last], sums)
    for i in range(last - 1, -1, -1):
        rise(z[i], r[i], share[i], z[i + 1])
        products(res[i], z[i], sums)
    return sums.sum()


@njit()
def turn(beta, g, res, z, p, s, q, share, r, x, out, sums):
    """The next direction p (its currents s), and what the array makes of it, q.

    Returns the product of p and q.
    """
    sums[:] = 0.0
    for block in range(share.shape[0]):
        first = block * LANES
        n_lanes = min(LANES, g.shape[0] - first)
        for lane in range(n_lanes):
            i = first + lane
            keep(z[i], beta, p[i])
            keep(res[i], beta, s[i])
            spread(g[i], p[i], x, lane)
        solve_words(x, r, share[block], out)
        for lane in range(n_lanes):
            i = first + lane
            collect(g[i], s[i], x, lane, q[i])
            products(p[i], q[i], sums)
    return sums.sum()


@njit(inline=True, allocates=False)
def spread(g, p, x, lane):
    """A row of currents g p into its lane of a block."""
    for j in range(g.shape[0]):
        x[j * LANES + lane] = g[j] * p[j]


@njit(inline=True, allocates=False)
def collect(g, s, x, lane, q):
    """What leaves through the cells, taken from s: s - g w, with w the lane of a block."""
    for j in range(g.shape[0]):
        q[j] = s[j] - g[j] * x[j * LANES + lane]


@njit()
def descend(g, res, b, share_bit, r_bit, share_word, r_word, limit, max_steps):
    """Improve b, in place, until the energy of the residual is below `limit`, or give up.

    Returns the steps taken, and that energy, in watts: the product of the residual's currents and
    the voltages they cause.
    """
    p, s, q = np.zeros_like(g), np.zeros_like(g), np.zeros_like(g)
    z, x = np.empty_like(g), np.zeros(g.shape[1] * LANES)
    sums, out = np.empty(g.shape[1]), np.empty(LANES)
    alpha, before = 0.0, 0.0
    for step in range(max_steps):
        forward(alpha, p, q, b, res, z, share_bit)
        energy = backward(res, z, r_bit, share_bit, sums)
        if not energy > limit:
            return step, energy
        beta = energy / before if step else 0.0
        before = energy
        pq = turn(beta, g, res, z, p, s, q, share_word, r_word, x, out, sums)
        if not pq > 0.0:
            return step, np.inf
        alpha = energy / pq
    return max_steps, np.inf


@njit()
def mismatch(g, old, new):
    """Sum of the currents that differ, in amperes, when b goes from `old` to `new`."""
    total = 0.0
    for i in range(g.shape[0]):
        for j in range(g.shape[1]):
            total += g[i, j] * abs(new[i, j] - old[i, j])
    return total
