"""Which parts the listed synapses of each neuron reach."""

import numpy as np

from hwsim._accelerate import njit


@njit()
def count_reached(indptr, target, part_of, n_parts):
    """Parts that each source reaches, and synapses onto each of them, as CSR.

    indptr (sources + 1,), target (synapses,): CSR by source. part_of (targets,): -1 is not
    counted. Returns indptr, part (ascending in a row), synapses. Linear in the synapses.
    """
    n_sources = indptr.shape[0] - 1
    last = np.full(n_parts, -1, dtype=np.int64)
    rows = np.zeros(n_sources + 1, dtype=np.int64)
    for i in range(n_sources):
        n = 0
        for k in range(indptr[i], indptr[i + 1]):
            part = part_of[target[k]]
            if part >= 0 and last[part] != i:
                last[part] = i
                n += 1
        rows[i + 1] = rows[i] + n
    parts = np.empty(rows[n_sources], dtype=np.int64)
    counts = np.zeros(rows[n_sources], dtype=np.int64)
    place = np.zeros(n_parts, dtype=np.int64)
    last[:] = -1
    for i in range(n_sources):
        n = rows[i]
        for k in range(indptr[i], indptr[i + 1]):
            part = part_of[target[k]]
            if part >= 0 and last[part] != i:
                last[part] = i
                parts[n] = part
                n += 1
        parts[rows[i] : n].sort()
        for k in range(rows[i], n):
            place[parts[k]] = k
        for k in range(indptr[i], indptr[i + 1]):
            part = part_of[target[k]]
            if part >= 0:
                counts[place[part]] += 1
    return rows, parts, counts
