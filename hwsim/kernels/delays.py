"""Loops of a layer whose synapses delay: input spikes as events, taps as short runs over time.

A synapse from source i to target o carries `taps[o, i, m, j]` at the delays `first[o, i, m] + j`:
bump m, run j. Sequences are (time, batch, neurons). Inside, `chunk` samples lie one behind the
other for each target, `span` steps each: a run of taps is then a run in memory, whatever its delay.
"""

import numpy as np

from hwsim._accelerate import njit, prange
from hwsim.kernels.runs import correlate, gather_runs, scatter_runs

CHUNK = 32  # samples whose sums of one target stay in the fastest cache
BLOCK = 16  # targets, one cache line of a step
SLACK = 128  # entries behind the last sample that a long run may touch


@njit(parallel=True)
def list_events(x, span):
    """Entries of x (time, batch, sources) that are not 0, by chunk of samples and by source.

    Returns `begin` (chunks, sources + 1), and for each event its place, sample in chunk times
    `span` plus step, and its value. A source's events are in order of time, then of sample.
    """
    n_steps, batch, sources = x.shape
    chunks = (batch + CHUNK - 1) // CHUNK
    begin = np.zeros((chunks, sources + 1), np.int64)
    for c in prange(chunks):
        for t in range(n_steps):
            for b in range(c * CHUNK, min(batch, (c + 1) * CHUNK)):
                for i in range(sources):
                    begin[c, i + 1] += x[t, b, i] != 0
    total = 0
    for c in range(chunks):
        begin[c, 0] = total
        for i in range(sources):
            begin[c, i + 1] += begin[c, i]
        total = begin[c, sources]
    place = np.empty(total, np.int32)
    value = np.empty(total, np.float32)
    for c in prange(chunks):
        following = begin[c, :sources].copy()
        for t in range(n_steps):
            for b in range(c * CHUNK, min(batch, (c + 1) * CHUNK)):
                for i in range(sources):
                    if x[t, b, i] != 0:
                        e = following[i]
                        following[i] = e + 1
                        place[e] = (b - c * CHUNK) * span + t
                        value[e] = x[t, b, i]
    return begin, place, value


@njit(parallel=True)
def deliver_delayed(begin, place, value, taps, first, span, y):
    """Write y (time, batch, targets): every event through every synapse of its source.

    taps (targets, sources, bumps, lanes) with 2 lanes or a multiple of 8; first (targets,
    sources, bumps) int32.
    """
    n_steps, batch, targets = y.shape
    sources, bumps, lanes = taps.shape[1:]
    flat = taps.reshape(-1)
    blocks = (targets + BLOCK - 1) // BLOCK
    for task in prange(begin.shape[0] * blocks):
        c, o_0 = task // blocks, task % blocks * BLOCK
        o_1 = min(targets, o_0 + BLOCK)
        n = min(batch - c * CHUNK, CHUNK)
        row = n * span + SLACK
        sums = np.zeros((o_1 - o_0) * row, np.float32)
        for o in range(o_0, o_1):
            for i in range(sources):
                e_0, e_1 = begin[c, i], begin[c, i + 1]
                for m in range(bumps):
                    base = (o - o_0) * row + first[o, i, m]
                    tap = ((o * sources + i) * bumps + m) * lanes
                    if lanes == 2:
                        scatter_runs(sums, base, place, value, e_0, e_1, flat, tap, 2)
                    else:
                        for j in range(0, lanes, 8):
                            scatter_runs(sums, base + j, place, value, e_0, e_1, flat, tap + j, 8)
        for t in range(n_steps):
            for b in range(n):
                for o in range(o_1 - o_0):
                    y[t, c * CHUNK + b, o_0 + o] = sums[o * row + b * span + t]


@njit(parallel=True)
def taps_gradient(begin, place, value, first, gradient, span, out):
    """Add to out, shaped as taps: of every event, what its synapses' targets ask for.

    gradient (time, batch, targets) of `deliver_delayed`'s result.
    """
    n_steps, batch, targets = gradient.shape
    sources, bumps, lanes = out.shape[1:]
    flat = out.reshape(-1)
    for task in prange((targets + BLOCK - 1) // BLOCK):
        o_0 = task * BLOCK
        o_1 = min(targets, o_0 + BLOCK)
        row = CHUNK * span + SLACK
        asked = np.zeros((o_1 - o_0) * row, np.float32)
        for c in range(begin.shape[0]):
            n = min(batch - c * CHUNK, CHUNK)
            for t in range(n_steps):
                for b in range(n):
                    for o in range(o_1 - o_0):
                        asked[o * row + b * span + t] = gradient[t, c * CHUNK + b, o_0 + o]
            for o in range(o_0, o_1):
                for i in range(sources):
                    e_0, e_1 = begin[c, i], begin[c, i + 1]
                    for m in range(bumps):
                        base = (o - o_0) * row + first[o, i, m]
                        tap = ((o * sources + i) * bumps + m) * lanes
                        if lanes == 2:
                            gather_runs(asked, base, place, value, e_0, e_1, flat, tap, 2)
                        else:
                            for j in range(0, lanes, 8):
                                gather_runs(
                                    asked, base + j, place, value, e_0, e_1, flat, tap + j, 8
                                )


LONG, MIDDLE, SHORT = 12, 4, 1  # vectors of 8 steps that one pass sums in registers
TARGETS = 32  # whose gradients stay in the fastest cache


@njit(parallel=True)
def input_gradient(taps, first, gradient, span, out):
    """Write out (time, batch, sources), the gradient of every input of a sequence.

    taps (sources, targets, 2), flat in targets and bumps, and first alike: by source.
    """
    n_steps, batch, targets = gradient.shape
    length, _, sources = out.shape
    bumps = taps.shape[1] // targets
    flat, width = taps.reshape(-1), (length + 7) // 8 * 8
    places = np.empty(first.size, np.int32)
    for i in range(sources):
        for n in range(targets * bumps):
            places[i * targets * bumps + n] = n // bumps * (span + SLACK) + first[i, n]
    for b in prange(batch):
        asked = np.zeros(targets * (span + SLACK), np.float32)
        for t in range(n_steps):
            for o in range(targets):
                asked[o * (span + SLACK) + t] = gradient[t, b, o]
        sums = np.zeros(sources * width, np.float32)
        for o in range(0, targets, TARGETS):
            for i in range(sources):
                n_0 = (i * targets + o) * bumps
                n_1 = (i * targets + min(targets, o + TARGETS)) * bumps
                t = 0
                while t < width:
                    to = i * width + t
                    if width - t >= 8 * LONG:
                        correlate(asked, t, places, flat, n_0, n_1, sums, to, LONG, 2)
                        t += 8 * LONG
                    elif width - t >= 8 * MIDDLE:
                        correlate(asked, t, places, flat, n_0, n_1, sums, to, MIDDLE, 2)
                        t += 8 * MIDDLE
                    else:
                        correlate(asked, t, places, flat, n_0, n_1, sums, to, SHORT, 2)
                        t += 8 * SHORT
        for t in range(length):
            for i in range(sources):
                out[t, b, i] = sums[i * width + t]
