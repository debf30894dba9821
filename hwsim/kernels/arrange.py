"""Synapses in the order in which the engine reads them: whole weights, rows sorted by delay."""

import numpy as np

from hwsim._accelerate import njit


@njit()
def whole_range(weight, factor):
    """Smallest and largest `weight factor`, and whether all are whole numbers."""
    low, high = 0.0, 0.0
    for k in range(weight.shape[0]):
        w = weight[k] * factor
        if w != np.floor(w):
            return low, high, False
        low, high = min(low, w), max(high, w)
    return low, high, True


@njit()
def common_divisor(weight, factor):
    """Greatest whole number that divides every `weight factor`; 0 if all are zero."""
    divisor = np.int64(0)
    for k in range(weight.shape[0]):
        a = abs(np.int64(weight[k] * factor))
        while a != 0:
            divisor, a = a, divisor % a
        if divisor == 1:
            break
    return divisor


@njit()
def rescale(weight, gain, divisor, out):
    """`out = weight gain / divisor`."""
    for k in range(weight.shape[0]):
        out[k] = weight[k] * gain / divisor


@njit()
def count_by_delay(indptr, origin, rank, n_ranks, at, segments):
    """Where the synapses of each row and delay begin, rows sorted by delay, the first `at`.

    indptr (rows + 1,): synapses of each source neuron; row i is that of neuron `origin[i]`. rank
    (synapses,): which of the delays each has; not read if there is one only. Fills segments
    (rows * n_ranks + 1,).
    """
    segments[0] = at
    for i in range(indptr.shape[0] - 1):
        first, last = indptr[origin[i]], indptr[origin[i] + 1]
        of_row = segments[i * n_ranks + 1 : (i + 1) * n_ranks + 1]
        of_row[:] = 0
        if n_ranks == 1:
            of_row[0] = last - first
        else:
            for k in range(first, last):
                of_row[rank[k]] += 1
        for r in range(n_ranks):
            at += of_row[r]
            of_row[r] = at


@njit()
def sort_by_delay(
    indptr, origin, rank, n_ranks, segments, target, place, weight, gain, divisor, targets, weights
):
    """Fill `targets` and `weights` row by row and by delay, those of one delay in their old order.

    place (targets,): the engine's number of each target neuron. The rest as in `count_by_delay`
    and `rescale`.
    """
    at = np.zeros(n_ranks, dtype=np.int64)
    for i in range(indptr.shape[0] - 1):
        at[:] = segments[i * n_ranks : (i + 1) * n_ranks]
        for k in range(indptr[origin[i]], indptr[origin[i] + 1]):
            r = rank[k] if n_ranks > 1 else 0
            targets[at[r]] = place[target[k]]
            weights[at[r]] = weight[k] * gain / divisor
            at[r] += 1
