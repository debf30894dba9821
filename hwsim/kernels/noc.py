"""What the spikes of a time step do to the links of the mesh."""

import numpy as np

from hwsim._accelerate import njit, prange


@njit(parallel=True)
def count_links(spikes, class_of, indptr, links, amount, far, loads, farthest):
    """Add the packets of a population's spikes to the links, in one pass over its spikes.

    class_of (neurons,): neurons whose spikes use the mesh alike. indptr (classes + 1,), links,
    amount (entries,): packets that a spike of each class sends over links (CSR). far (classes,):
    rank of its slowest route, -1 if it sends none. loads (samples, steps, links) grow; farthest
    (samples, steps): highest rank so far.
    """
    for b in prange(spikes.shape[0]):
        fired = np.zeros(far.size, dtype=np.int64)
        for t in range(spikes.shape[1]):
            fired[:] = 0
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    fired[class_of[n]] += 1
            for c in range(far.size):
                if fired[c]:
                    if far[c] > farthest[b, t]:
                        farthest[b, t] = far[c]
                    for k in range(indptr[c], indptr[c + 1]):
                        loads[b, t, links[k]] += fired[c] * amount[k]


@njit(parallel=True)
def find_busiest(loads, least, hold, busiest, packets):
    """Of every step the link after which the last packet arrives latest, and its packets.

    loads (samples, steps, links). least, hold (links,): seconds of the shortest way to and from a
    link, and for which a packet holds it. busiest, packets (samples, steps) are written; where
    nothing is sent, packets are 0.
    """
    for b in prange(loads.shape[0]):
        for t in range(loads.shape[1]):
            latest = -1.0
            for k in range(loads.shape[2]):
                n = loads[b, t, k]
                if n > 0 and least[k] + n * hold[k] > latest:
                    latest = least[k] + n * hold[k]
                    busiest[b, t] = k
                    packets[b, t] = n
