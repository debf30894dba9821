"""From spikes to counts of what they cause."""

from hwsim._accelerate import njit, prange


@njit(parallel=True)
def count_events(spikes, part_of, packets, n_spikes, n_packets):
    """What the fired neurons of a population send, in one pass over their spikes.

    part_of, packets (neurons,): the neuron's part, and the packets one spike of it sends.
    n_spikes, n_packets (samples, steps, parts) grow.
    """
    for b in prange(spikes.shape[0]):
        for t in range(spikes.shape[1]):
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    n_spikes[b, t, part_of[n]] += 1
                    n_packets[b, t, part_of[n]] += packets[n]


@njit(parallel=True)
def count_listed(spikes, later, indptr, parts, amount, out):
    """What the spikes of step t cause `later`, listed by neuron (CSR): out (samples, steps, parts).

    indptr (neurons + 1,), parts (entries,), amount (entries,).
    """
    for b in prange(spikes.shape[0]):
        for t in range(spikes.shape[1] - later):
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    for k in range(indptr[n], indptr[n + 1]):
                        out[b, t + later, parts[k]] += amount[k]
