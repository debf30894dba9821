"""Which parts the synapses of each neuron reach, and what follows from it."""

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


@njit()
def add_demand(indptr, target, part_of, width, bits_of, bits, axons, reach):
    """Add up what the listed synapses take of each part, without listing who reaches whom.

    indptr, target, part_of: as in `count_reached`, none left out. width (parts,): row of `bits_of`
    (widths, synapses + 1), the memory of an axon of so many synapses. Adds to bits (parts,) and
    axons (parts,); sets reach (sources,), the parts that each source reaches.
    """
    count = np.zeros(bits.shape[0], dtype=np.int64)
    touched = np.empty(bits.shape[0], dtype=np.int64)
    for i in range(indptr.shape[0] - 1):
        n = 0
        for k in range(indptr[i], indptr[i + 1]):
            part = part_of[target[k]]
            if count[part] == 0:
                touched[n] = part
                n += 1
            count[part] += 1
        for j in range(n):
            part = touched[j]
            bits[part] += bits_of[width[part], count[part]]
            axons[part] += 1
            count[part] = 0
        reach[i] = n


@njit()
def add_pairs(indptr, part, spikes, out):
    """Add `spikes[i]` to `out[a, b]` for all parts a and b of row i of a CSR without values."""
    for i in range(indptr.shape[0] - 1):
        for j in range(indptr[i], indptr[i + 1]):
            for k in range(indptr[i], indptr[i + 1]):
                out[part[j], part[k]] += spikes[i]


@njit()
def add_packets(indptr, core, own, spikes, out):
    """Add `spikes[i]` to `out[own[i], c]` once for every core c of row i of a CSR."""
    last = np.full(out.shape[1], -1, dtype=np.int64)
    for i in range(indptr.shape[0] - 1):
        for k in range(indptr[i], indptr[i + 1]):
            if last[core[k]] != i:
                last[core[k]] = i
                out[own[i], core[k]] += spikes[i]
