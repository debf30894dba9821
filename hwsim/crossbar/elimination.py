"""An array as one matrix, by block-tridiagonal elimination of its columns.

Word-line voltages are taken relative to their drivers. Going towards the last column, the driven
one, the columns passed so far take currents Y w + P v from the word lines; of these C w + K v
reach the ends of the bit lines, and counted by row all of them are P^T w + U v. A column adds
itself to Y, P and U. A segment of resistance r turns the voltages w before it into those after it:
Z = (1 + r Y)^-1, C <- C Z, K <- K - r C P, U <- U - r P^T Z P, P <- Z P, Y <- Z Y = (1 - Z) / r.
With one end driven nothing lies before the first column, and Y = P = U, C = K throughout.

An array of few columns is passed row by row instead, the same with the lines' parts exchanged: each
row's driver k sends currents k_i into the bit lines, C <- Z C as before, and a driver feels what
another sends by k_i Q_i C, where Q <- r Z + Z Q Z gathers the segments from the last row backwards.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import numpy as np
from scipy.linalg.blas import dgemm, dsymm
from scipy.linalg.lapack import dpotrf, dpotri
from threadpoolctl import ThreadpoolController

from hwsim.arrays import FloatArray
from hwsim.crossbar.ladder import Ladder
from hwsim.kernels import elimination as kernels

MIN_DROP = 1.0 / 1024  # of a line; below it, (1 - Z) / r loses digits
KEPT = 2**25  # numbers of all rows' Z that are kept, 256 MB


@cache
def _pools() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Small factorisations one after another: more threads would mostly wait for each other."""
    with _pools().limit(limits=1, user_api="blas"):
        yield


def eliminate(g: FloatArray, word: Ladder, bit: Ladder) -> tuple[FloatArray, FloatArray]:
    """What an array does to the voltages of its drivers.

    Args:
        g: (rows, cols) siemens. word, bit: its lines.

    Returns:
        (rows, cols) siemens to the currents of bit lines, (rows, rows) to those of word lines.
    """
    rows, cols = g.shape
    slim = 2 * cols <= rows and rows * cols**2 <= KEPT
    slim = slim and word.r[0] > 0 and not bit.g_start  # else the usual way is as fast, or the only
    with one_blas_thread():
        if slim:
            return _by_rows(g, word, bit)
        return (_both_ends if word.g_start else _one_end)(g, word, bit)


def _by_rows(g: FloatArray, word: Ladder, bit: Ladder) -> tuple[FloatArray, FloatArray]:
    """Bit lines that are sensed at their last node only: O(rows cols^3 + rows^2 cols^2)."""
    rows, cols = g.shape
    sent, z = np.empty((rows, cols)), np.empty((rows, cols, cols))
    y, inverse, spare = _matrices(3, cols, cols)
    is_small = float(bit.r[0] * g.sum(axis=0).max()) < MIN_DROP
    for i, r in enumerate(bit.r):
        kernels.column(g[i].copy(), word.r, word.g_start, y, sent[i])
        if r > 0:
            _invert(y, r, inverse)
            kernels.mirror(inverse)
            z[i] = inverse
            if is_small:
                y, spare = _product(y, inverse, spare, cols), y
            else:
                kernels.seen_through(inverse, r, y)
    felt, q = np.empty((rows, cols)), np.zeros((cols, cols))
    for i in range(rows - 1, -1, -1):
        if bit.r[i] > 0:
            q = bit.r[i] * z[i] + z[i] @ q @ z[i]
        felt[i] = q @ sent[i]
    g_in = np.zeros((rows, rows), order="F")
    g_eff = sent.copy()
    for i, r in enumerate(bit.r):
        g_in[i, : i + 1] = -(g_eff[: i + 1] @ felt[i])
        g_in[i, i] += sent[i].sum()
        if r > 0:
            g_eff[: i + 1] = g_eff[: i + 1] @ z[i]
    kernels.mirror(g_in)
    return g_eff, g_in


def _one_end(g: FloatArray, word: Ladder, bit: Ladder) -> tuple[FloatArray, FloatArray]:
    """Word lines that are driven at their last node only."""
    rows, cols = g.shape
    y, z, spare = _matrices(3, rows, rows)
    c, c_next = _matrices(2, rows, cols)  # transposed: a bit line is a column
    is_small = float(word.r[0] * g.sum(axis=1).max()) < MIN_DROP
    for j, r in enumerate(word.r):
        kernels.column(g[:, j].copy(), bit.r, bit.g_start, y, c[:, j])
        if r > 0:
            _invert(y, r, z)
            c, c_next = _product(z, c, c_next, j + 1), c
            if is_small:
                kernels.mirror(z)
                y, spare = _product(y, z, spare, rows), y
            else:
                kernels.seen_through(z, r, y)
    kernels.mirror(y)
    return c, y


def _both_ends(g: FloatArray, word: Ladder, bit: Ladder) -> tuple[FloatArray, FloatArray]:
    """Word lines that are driven at both ends, so with something before the first column."""
    rows, cols = g.shape
    y, z, p, p_next, u, added = _matrices(6, rows, rows)
    c, c_next, k = _matrices(3, rows, cols)
    np.fill_diagonal(y, word.g_start)
    for j, r in enumerate(word.r):
        added[:] = 0.0
        kernels.column(g[:, j].copy(), bit.r, bit.g_start, added, c[:, j])
        kernels.mirror(added)
        k[:, j] = c[:, j]
        for total in (y, p, u):
            total += added
        _invert(y, r, z)
        kernels.seen_through(z, r, y)
        c, c_next = _product(z, c, c_next, j + 1), c
        p, p_next = _product(z, p, p_next, rows), p
        passed = k[:, : j + 1]
        dgemm(-r, p_next, c[:, : j + 1], beta=1.0, c=passed, trans_a=1, overwrite_c=1)
        dgemm(-r, p_next, p, beta=1.0, c=u, trans_a=1, overwrite_c=1)
    kernels.mirror(u)
    return k, u


def _matrices(n: int, rows: int, cols: int) -> list[FloatArray]:
    """Zeros in the order that LAPACK works in place on."""
    return [np.zeros((rows, cols), order="F") for _ in range(n)]


def _invert(y: FloatArray, r: float, z: FloatArray) -> None:
    """Z = (1 + r Y)^-1, in its lower triangle.

    Raises:
        ValueError: if that is not a positive matrix but for rounding.
    """
    kernels.one_plus(y, r, z)
    _, failed = dpotrf(z, lower=1, clean=0, overwrite_a=1)
    if not failed:
        _, failed = dpotri(z, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(
            "the array is singular in double precision: its resistances times its conductances "
            "span too much, bring them closer together"
        )


def _product(a: FloatArray, b: FloatArray, out: FloatArray, n: int) -> FloatArray:
    """The symmetric a (its lower triangle) times the first n columns of b, in those of `out`."""
    dsymm(1.0, a, b[:, :n], lower=1, beta=0.0, c=out[:, :n], overwrite_c=1)
    return out
