"""Between arrays of spikes and lists of events."""

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels.intrinsics import lowest_bit

# of a word whose first byte is its lowest
BYTE, FIRST_BIT, EIGHTH = np.uint64(255), np.uint64(56), np.uint64(3)


@njit(allocates=False)
def list_bytes(x, n, place, valued, at, ids, values, ptr):
    """List the events of one sample, whose bytes x (steps * n,) are looked at eight at a time.

    place (n,): the engine's number of each neuron. Events go to `ids` and `values` from entry
    `at` on; ptr (steps of the run + 1,) says where those of each step begin, the presented ones
    first. Returns the entry after the last. The memory of x begins anywhere.
    """
    head = min(x.shape[0], (8 - x.ctypes.data % 8) % 8)
    words = x[head : head + (x.shape[0] - head) // 8 * 8].view(np.uint64)
    ptr[0] = at
    step = 0
    for k in range(head):
        if x[k] != 0:
            step, at = put(x, k, n, place, valued, step, at, ids, values, ptr)
    for w in range(words.shape[0]):
        word = words[w]
        while word != 0:
            bit = lowest_bit(word) & FIRST_BIT  # of its byte
            k = head + 8 * w + np.int64(bit >> EIGHTH)
            step, at = put(x, k, n, place, valued, step, at, ids, values, ptr)
            word &= ~(BYTE << bit)
    for k in range(head + 8 * words.shape[0], x.shape[0]):
        if x[k] != 0:
            step, at = put(x, k, n, place, valued, step, at, ids, values, ptr)
    for later in range(step + 1, ptr.shape[0]):
        ptr[later] = at
    return at


@njit(allocates=False, inline=True)
def put(x, k, n, place, valued, step, at, ids, values, ptr):
    """List the event of byte k as entry `at`; returns its step, and the entry after."""
    while k >= (step + 1) * n:
        step += 1
        ptr[step] = at
    ids[at] = place[k - step * n]
    if valued:
        values[at] = x[k]
    return step, at + 1


@njit(allocates=False)
def list_numbers(x, place, valued, at, ids, values, ptr):
    """`list_bytes` for x (steps, n) of any type."""
    ptr[0] = at
    for t in range(x.shape[0]):
        for n in range(x.shape[1]):
            if x[t, n] != 0:
                ids[at] = place[n]
                if valued:
                    values[at] = x[t, n]
                at += 1
        ptr[t + 1] = at
    for later in range(x.shape[0] + 1, ptr.shape[0]):
        ptr[later] = at
    return at


@njit(allocates=False)
def spread(ids, values, valued, ptr, origin, out):
    """Write the events of a population's steps into `out` (steps, neurons), which holds zeros.

    origin (neurons,): the network's number of each of the engine's neurons.
    """
    for t in range(out.shape[0]):
        for e in range(ptr[t], ptr[t + 1]):
            out[t, origin[ids[e]]] = values[e] if valued else 1
