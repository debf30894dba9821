"""Which parts the listed synapses of each neuron reach."""

import numpy as np

from hwsim._accelerate import njit


@njit()
def count_reached(indptr, target, part_of, n_parts):
    """Parts that each source reaches, and synapses onto each of them, as CSR.

    indptr (sources + 1,), target (synapses,): CSR by source. part_of (targets,): -1 is not
    counted. Returns indptr, part (in a row in order of the first synapse), synapses. One pass.
    """
    n_sources = indptr.shape[0] - 1
    place = np.full(n_parts, -1, dtype=np.int64)  # of each part in the source's row, if there
    rows = np.zeros(n_sources + 1, dtype=np.int64)
    parts = np.empty(target.shape[0], dtype=np.int64)
    counts = np.empty(target.shape[0], dtype=np.int64)
    n = 0
    for i in range(n_sources):
        for k in range(indptr[i], indptr[i + 1]):
            part = part_of[target[k]]
            if part < 0:
                continue
            if place[part] < rows[i]:  # left from a source before
                place[part] = n
                parts[n] = part
                counts[n] = 0
                n += 1
            counts[place[part]] += 1
        rows[i + 1] = n
    return rows, parts[:n].copy(), counts[:n].copy()
