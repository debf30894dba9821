"""One bit line eliminated: what an array's column is to its word lines. Pure functions over arrays.

All matrices are symmetric, and only their lower triangles (i >= k) are read or written.
"""

import numpy as np

from hwsim._accelerate import njit


@njit()
def behind_and_ahead(g, r, g_start):
    """Conductances to ground of a bit line, seen from each node over the nodes before and after.

    g (rows,) siemens; r (rows,) ohm, the last above zero; g_start siemens. Returns two (rows,).
    """
    n = g.shape[0]
    behind, ahead = np.empty(n), np.empty(n)
    behind[0] = g_start
    for k in range(1, n):
        p = g[k - 1] + behind[k - 1]
        behind[k] = p / (1.0 + r[k - 1] * p)
    ahead[n - 1] = 1.0 / r[n - 1]
    for k in range(n - 2, -1, -1):
        p = g[k + 1] + ahead[k + 1]
        ahead[k] = p / (1.0 + r[k] * p)
    return behind, ahead


@njit()
def column(g, r, g_start, matrix, sensed):
    """Add to `matrix` (rows, rows) what currents a bit line takes from the word lines.

    `sensed` (rows,) takes its share of the current that reaches ground, per volt of a word line.
    A line without any resistance (last r zero) is ground itself.
    """
    n = g.shape[0]
    for k in range(n):
        matrix[k, k] += g[k]
        sensed[k] = g[k]
    if r[n - 1] == 0.0:
        return
    behind, ahead = behind_and_ahead(g, r, g_start)
    down, up = np.ones(n), np.ones(n)  # what a node has of the voltage before it, and after it
    for k in range(1, n):
        down[k] = 1.0 / (1.0 + r[k - 1] * (g[k] + ahead[k]))
        up[k - 1] = 1.0 / (1.0 + r[k - 1] * (g[k - 1] + behind[k - 1]))
    for k in range(n):
        own = g[k] / (g[k] + behind[k] + ahead[k])  # volt at node k, per volt of word line k
        matrix[k, k] -= g[k] * own
        volt = own
        for i in range(k + 1, n):
            volt *= down[i]
            matrix[i, k] -= g[i] * volt
        sensed[k] = volt / r[n - 1]
        if g_start > 0.0:
            volt = own
            for i in range(k - 1, -1, -1):
                volt *= up[i]
            sensed[k] += g_start * volt


@njit()
def one_plus(matrix, r, out):
    """1 + r matrix, into `out`."""
    n = matrix.shape[0]
    for k in range(n):
        for i in range(k, n):
            out[i, k] = r * matrix[i, k]
        out[k, k] += 1.0


@njit()
def seen_through(inverse, r, out):
    """(1 - inverse) / r, into `out`."""
    n = inverse.shape[0]
    for k in range(n):
        for i in range(k, n):
            out[i, k] = -inverse[i, k] / r
        out[k, k] = (1.0 - inverse[k, k]) / r


@njit()
def mirror(matrix):
    """The upper triangle from the lower."""
    n = matrix.shape[0]
    for k in range(n):
        for i in range(k + 1, n):
            matrix[k, i] = matrix[i, k]
