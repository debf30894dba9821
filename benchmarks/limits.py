"""This machine's limit: the same additions at the same addresses, and nothing else.

Every synaptic operation of a run is one addition. These loops replay all of them from spikes that
are known beforehand: no neuron is updated, nothing is counted, no event is looked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwsim._accelerate import njit
from hwsim.arrays import AnyArray, IntArray
from hwsim.kernels.intrinsics import prefetch
from hwsim.network import Network, Projection
from hwsim.synapses import Conv2d, Sparse

AHEAD = 4  # spikes
SLOTS = 32  # of the ring of arriving sums; a power of two holds 16 delays


@njit()
def add_rows(fired, rows, sums):
    """Dense rows: `sums += rows[source]`, into int32, for every spike; four at once."""
    fours = fired.shape[0] // 4 * 4
    for k in range(0, fours, 4):
        a, b, c, d = rows[fired[k]], rows[fired[k + 1]], rows[fired[k + 2]], rows[fired[k + 3]]
        for j in range(sums.shape[0]):
            sums[j] += (a[j] + b[j]) + (c[j] + d[j])
    for k in range(fours, fired.shape[0]):
        row = rows[fired[k]]
        for j in range(sums.shape[0]):
            sums[j] += row[j]


@njit()
def add_listed(fired, steps, runs_of, run_ptr, run_delay, target, weight, ring):
    """Listed synapses, each source's in runs of one delay, into a ring of sums: int8 to int32."""
    one = np.uint32(1)
    for k in range(fired.shape[0]):
        if k + AHEAD < fired.shape[0]:  # soon needed; what follows, the processor asks for itself
            source = fired[k + AHEAD]
            first, last = run_ptr[runs_of[source]], run_ptr[runs_of[source + one]]
            for i in range(first, min(first + 256, last), 16):
                prefetch(target, i)
            for i in range(first, min(first + 256, last), 64):
                prefetch(weight, i)
        for r in range(runs_of[fired[k]], runs_of[fired[k] + one]):
            slot = ring[(steps[k] + run_delay[r]) & np.uint32(SLOTS - 1)]
            for i in range(run_ptr[r], run_ptr[r + one]):
                slot[target[i]] += weight[i]


@njit()
def add_kernels(fired, indptr, place, tap, kernel, sums):
    """Convolution: a kernel's column, one weight per channel, at every place a source reaches."""
    n_channels = sums.shape[1]
    for k in range(fired.shape[0]):
        for i in range(indptr[fired[k]], indptr[fired[k] + np.uint32(1)]):
            here, row = sums[place[i]], kernel[tap[i]]
            for c in range(n_channels):
                here[c] += row[c]


@dataclass(frozen=True)
class Additions:
    """All additions over one projection: `work()` does them, into `sums`, in units of `step`."""

    work: Callable[[], None]
    sums: AnyArray
    step: int = 1


def additions(net: Network, p: Projection, spikes: AnyArray) -> Additions:
    """Those of the source's spikes, (samples, steps, neurons)."""
    _, step, neuron = np.nonzero(spikes)
    fired, size = neuron.astype(np.uint32), net[p.target].size
    if isinstance(p.synapses, Sparse):
        runs = _runs(p.synapses, np.broadcast_to(p.delay, p.synapses.weight.shape))
        steps, ring = step.astype(np.uint32), np.zeros((SLOTS, size), dtype=np.int32)
        return Additions(lambda: add_listed(fired, steps, *runs, ring), ring)
    if isinstance(p.synapses, Conv2d):
        reach = _reach(p.synapses, net[p.source].shape, net[p.target].shape)
        n_out = net[p.target].shape[0]
        kernel, step = _narrow(p.synapses.weight.transpose(1, 2, 3, 0).reshape(-1, n_out))
        sums = np.zeros((size // n_out, n_out), dtype=np.int32)
        return Additions(lambda: add_kernels(fired, *reach, kernel, sums), sums, step)
    rows, step = _narrow(p.synapses.weight.T)
    sums = np.zeros(size, dtype=np.int32)
    return Additions(lambda: add_rows(fired, rows, sums), sums, step)


def replay(net: Network, spikes: dict[str, AnyArray]) -> Callable[[], None]:
    """All additions of a run, spikes (samples, steps, neurons) by population, layer by layer."""
    works = [additions(net, p, spikes[p.source]).work for p in net.projections]

    def run() -> None:
        for work in works:
            work()

    return run


def _narrow(weight: AnyArray) -> tuple[AnyArray, int]:
    """Weights in one byte, and what a unit of them is.

    Raises:
        OverflowError: if they need more.
    """
    step = int(np.gcd.reduce(weight, axis=None)) or 1
    units = np.ascontiguousarray(weight // step)
    if np.abs(units).max(initial=0) > 127:
        raise OverflowError(f"weights up to {np.abs(units).max()} do not fit one byte")
    return units.astype(np.int8), step


def _runs(listed: Sparse, delay: IntArray) -> tuple[AnyArray, ...]:
    """Synapses by source, delay and target: the fastest order found; see `add_listed`."""
    order = np.lexsort((listed.target, delay, listed.source))
    source, delay = listed.source[order], delay[order]
    new = (np.diff(source, prepend=-1) != 0) | (np.diff(delay, prepend=-1) != 0)
    starts = np.flatnonzero(new)
    runs_of = np.searchsorted(source[starts], np.arange(listed.indptr.size))
    return (
        runs_of.astype(np.uint32),
        np.append(starts, source.size).astype(np.uint32),
        delay[starts].astype(np.uint32),
        listed.target[order].astype(np.uint32),
        listed.weight[order].astype(np.int8),
    )


def _reach(
    conv: Conv2d, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[IntArray, IntArray, IntArray]:
    """CSR by source neuron: places it reaches, and rows of the kernel there; no groups."""
    ends: list[tuple[int, int, int]] = []
    height, width = conv.weight.shape[2:]
    for channel, y, x in np.ndindex(*source):
        i = (channel * source[1] + y) * source[2] + x
        for ky, kx in np.ndindex(height, width):
            row, row_off = divmod(y + conv.padding[0] - ky, conv.stride[0])
            column, column_off = divmod(x + conv.padding[1] - kx, conv.stride[1])
            inside = 0 <= row < target[1] and 0 <= column < target[2]
            if inside and not (row_off or column_off):
                tap = (channel * height + ky) * width + kx
                ends.append((i, row * target[2] + column, tap))
    neuron, place, tap = np.array(ends, dtype=np.uint32).T
    starts = np.searchsorted(neuron, np.arange(np.prod(source) + 1))
    return starts.astype(np.uint32), np.ascontiguousarray(place), np.ascontiguousarray(tap)
