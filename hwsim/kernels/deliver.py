"""From the spikes of one step to the sums that arrive at the targets.

`ids` (events,) are the neurons that fired, `values` (events,) what each spike carries, `row`
(targets,) the sums of the step of arrival. Neurons are in the engine's order: an image's channels
come last, so that the inner loops are contiguous. `weights` is the pool of all projections, one of
which begins at some place `at`.
"""

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels.intrinsics import prefetch

# Listed synapses lie anywhere in memory. So while the synapses of one event are added, the cache
# lines of later ones are asked for: of pointers, then of synapses, then of the sums they add to.
SEGMENTS_AHEAD, SYNAPSES_AHEAD, SUMS_AHEAD = 8, 4, 2  # events
AT_MOST = 256  # synapses of an event; the processor itself asks for what follows
CACHED_SUMS = 1 << 20  # sums on their way that stay in a cache anyway
LINE = 64  # bytes


@njit(allocates=False)
def add_rows(ids, weights, at, n, row):
    """`row += weights[id]` of every event, four at once: where sums are exact in any order.

    weights (sources, n) from `at` on.
    """
    fours = ids.shape[0] // 4 * 4
    for e in range(0, fours, 4):
        i, j = at + ids[e] * n, at + ids[e + 1] * n
        k, m = at + ids[e + 2] * n, at + ids[e + 3] * n
        first, second = weights[i : i + n], weights[j : j + n]
        third, fourth = weights[k : k + n], weights[m : m + n]
        for x in range(n):
            row[x] += (first[x] + second[x]) + (third[x] + fourth[x])
    add_rows_in_order(ids[fours:], weights, at, n, row)


@njit(allocates=False)
def add_rows_in_order(ids, weights, at, n, row):
    """`row += weights[id]`, event by event: sums of real numbers depend on their order."""
    for e in range(ids.shape[0]):
        i = at + ids[e] * n
        one = weights[i : i + n]
        for x in range(n):
            row[x] += one[x]


@njit(allocates=False)
def add_scaled_rows(ids, values, gain, weights, at, n, row):
    """`row += weights[id] (value gain)` of every event."""
    for e in range(ids.shape[0]):
        s = values[e] * gain
        i = at + ids[e] * n
        one = weights[i : i + n]
        for x in range(n):
            row[x] += one[x] * s


@njit(allocates=False, inline=True)
def ask_ahead(e, ids, p, segments, targets, weights):
    """Ask for pointers and synapses of events soon after e."""
    if e + SEGMENTS_AHEAD < ids.shape[0]:
        first = p.segments_at + ids[e + SEGMENTS_AHEAD] * p.n_delays
        for i in range(first, first + p.n_delays + 1, LINE // segments.itemsize):
            prefetch(segments, i)
    if e + SYNAPSES_AHEAD < ids.shape[0]:
        i = p.segments_at + ids[e + SYNAPSES_AHEAD] * p.n_delays
        first, last = segments[i], segments[i + p.n_delays]
        last = min(last, first + AT_MOST)
        for k in range(first, last, LINE // targets.itemsize):
            prefetch(targets, k)
        for k in range(first, last, LINE // weights.itemsize):
            prefetch(weights, k)


@njit(allocates=False, inline=True)
def ask_sums(i, segments, targets, row):
    """Ask for the sums that the synapses of segment `i` add to."""
    for k in range(segments[i], segments[i + 1]):
        prefetch(row, targets[k])


@njit(allocates=False)
def add_listed(i, segments, targets, weights, row):
    """`row[target] += weight` over the synapses of segment `i`."""
    for k in range(segments[i], segments[i + 1]):
        row[targets[k]] += weights[k]


@njit(allocates=False)
def add_scaled_listed(i, s, segments, targets, weights, row):
    """`row[target] += weight s` over the synapses of segment `i`."""
    for k in range(segments[i], segments[i + 1]):
        row[targets[k]] += weights[k] * s


@njit(allocates=False, inline=True)
def quotient(i, per_one):
    """`i // n` from `per_one = 1 / n`, exact below 2^31: the half keeps it away from the step."""
    return int((i + 0.5) * per_one)


@njit(allocates=False)
def add_kernels(ids, values, scaled, gain, weights, p, taps, row):
    """Scatter every event through the kernel, which is never unrolled; returns the operations.

    Row y of an image meets the kernel's rows `taps[y_k + i]`, which lead to the rows
    `taps[y_out + i]` of the target, i from `taps[y_ptr + y]` to `taps[y_ptr + y + 1]`. Of columns
    there are runs: `taps[x_n + i]` neighbouring columns of the target from `taps[x_out + i]` on,
    whose weights lie side by side from column `taps[x_k + i]` on. So a run of all its channels is
    one contiguous addition.

    p: the projection. weights (source channels, k_h, k_w, channels of a group) from p.weight_at on.
    """
    per_channel, per_width = 1.0 / p.channels, 1.0 / p.width
    one_group = p.channels == p.channels_per_group
    n_sops = 0
    for e in range(ids.shape[0]):
        place = quotient(ids[e], per_channel)
        y = quotient(place, per_width)
        c, x = ids[e] - place * p.channels, place - y * p.width
        first = 0 if one_group else c // p.channels_per_group * p.out_per_group
        for i in range(taps[p.y_ptr + y], taps[p.y_ptr + y + 1]):
            w_row = p.weight_at + (c * p.k_h + taps[p.y_k + i]) * p.k_w * p.out_per_group
            out_row = taps[p.y_out + i] * p.out_width
            for j in range(taps[p.x_ptr + x], taps[p.x_ptr + x + 1]):
                n = taps[p.x_n + j] * p.out_per_group
                a = w_row + taps[p.x_k + j] * p.out_per_group
                b = (out_row + taps[p.x_out + j]) * p.out_channels + first
                added, sums = weights[a : a + n], row[b : b + n]
                if scaled:
                    s = values[e] * gain
                    for k in range(n):
                        sums[k] += added[k] * s
                else:
                    for k in range(n):
                        sums[k] += added[k]
                n_sops += n
    return n_sops


@njit(allocates=False)
def count_kernels(ids, p, taps):
    """Synapses of every event over a convolution."""
    n_sops = 0
    for e in range(ids.shape[0]):
        y, x = divmod(ids[e] // p.channels, p.width)
        columns = 0
        for j in range(taps[p.x_ptr + x], taps[p.x_ptr + x + 1]):
            columns += taps[p.x_n + j]
        rows = taps[p.y_ptr + y + 1] - taps[p.y_ptr + y]
        n_sops += rows * columns * p.out_per_group
    return n_sops


@njit(allocates=False)
def add_shifted(sums, scale, shift, wraps, row):
    """`row += (sums scale) >> shift`, folded into 24 bits if it `wraps`; `sums` are cleared."""
    half = 1 << 23
    for n in range(row.shape[0]):
        total = np.int64(np.int32(np.int64(sums[n]) * scale)) >> shift
        if wraps:
            total = ((total + half) & (2 * half - 1)) - half
        row[n] += total
        sums[n] = 0
