"""Between arrays of spikes and lists of events."""

import numpy as np

from hwsim._accelerate import njit


@njit(allocates=False)
def list_bytes(x, n, place, valued, at, ids, values, ptr):
    """List the events of one sample, whose bytes x (steps * n,) are looked at eight at a time.

    place (n,): the engine's number of each neuron. Events go to `ids` and `values` from entry
    `at` on; ptr (steps of the run + 1,) says where those of each step begin, the presented ones
    first. Returns the entry after the last. The memory of x begins anywhere.
    """
    size = x.shape[0]
    head = min(size, (8 - x.ctypes.data % 8) % 8)
    words = x[head : head + (size - head) // 8 * 8].view(np.uint64)
    ptr[0] = at
    row = 0
    for w in range(-1, words.shape[0] + 1):  # first what comes before the words, then the rest
        if 0 <= w < words.shape[0] and words[w] == 0:
            continue
        first = 0 if w < 0 else head + 8 * w
        last = head if w < 0 else size if w == words.shape[0] else first + 8
        for k in range(first, last):
            if x[k] != 0:
                while k >= (row + 1) * n:
                    row += 1
                    ptr[row] = at
                ids[at] = place[k - row * n]
                if valued:
                    values[at] = x[k]
                at += 1
    for later in range(row + 1, ptr.shape[0]):
        ptr[later] = at
    return at


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
