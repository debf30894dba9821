"""Projections as matrices on wordlines and bitlines, and spikes as the rows' inputs.

A dense projection is one matrix (sources, targets). A convolution's kernel is one matrix per group,
(channels x kernel, target channels), read once for every place of its output. Delays of its own
for every synapse are a matrix per delay. Projections that are joined are one matrix, their rows one
below the other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.network import Network, Projection
from hwsim.synapses import Conv2d, Dense, Shape, Sparse, size_of


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A part of a projection that has one delay and one set of rows, or several joined.

    Attributes:
        projection: its number in the network. group: of a convolution; 0 for others.
        delay: steps. weight: (rows, columns), real. rows: which inputs of the group they are.
        joined: matrices of several projections, from the top down; then `projection` is the first
            one's, `delay` the least, and `rows` counts on from one to the next.
    """

    projection: int
    group: int
    delay: int
    rows: IntArray
    weight: FloatArray
    joined: tuple["Matrix", ...] = ()

    @property
    def parts(self) -> tuple["Matrix", ...]:
        """What it is made of: itself, or those that are joined."""
        return self.joined or (self,)


OfDelay = Callable[[int], AnyArray]


def delayed(x: AnyArray, t0: int, t1: int) -> OfDelay:
    """What a population sent before the steps t0 <= t < t1, as (samples x steps, neurons).

    x: all that it sent, (samples, steps, neurons); nothing before its first step.
    """

    def of_delay(delay: int) -> AnyArray:
        late = x[:, max(0, t0 - delay) : max(0, t1 - delay)]
        missing = t1 - t0 - late.shape[1]
        if missing:
            late = np.pad(late, ((0, 0), (missing, 0), (0, 0)))
        return late.reshape(len(x) * (t1 - t0), -1)

    return of_delay


def joined(parts: Sequence[Matrix]) -> Matrix:
    """Matrices of several dense projections as one, their rows one below the other."""
    weight = np.concatenate([m.weight for m in parts])
    delay = min(m.delay for m in parts)
    return Matrix(parts[0].projection, 0, delay, np.arange(len(weight)), weight, tuple(parts))


def matrices(net: Network, number: int) -> list[Matrix]:
    """The matrices of one projection, together all of its synapses."""
    p = net.projections[number]
    if isinstance(p.synapses, Conv2d):
        delay, kernel = int(p.delay), np.asarray(p.synapses.weight, dtype=np.float64)
        by_group = np.split(kernel, p.synapses.groups)
        return [_matrix(number, g, delay, k.reshape(len(k), -1).T) for g, k in enumerate(by_group)]
    weight, delays = _dense(p, net[p.source].size)
    if p.delay.ndim == 0:
        return [_matrix(number, 0, int(p.delay), weight[0])]
    return [_heard(number, delay, w) for delay, w in zip(delays, weight, strict=True) if w.any()]


def matrix_shapes(net: Network, number: int) -> list[tuple[int, int]]:
    """Rows and columns of the matrices of one projection, without making them.

    Synapses that cancel each other, of the same pair of neurons, count as if they did not.
    """
    p = net.projections[number]
    synapses = p.synapses
    if isinstance(synapses, Conv2d):
        columns, rows = len(synapses.weight) // synapses.groups, size_of(synapses.weight.shape[1:])
        return [(rows, columns)] * synapses.groups
    n_sources, n_targets = net[p.source].size, net[p.target].size
    if p.delay.ndim == 0:
        return [(n_sources, n_targets)]
    source = synapses.source if isinstance(synapses, Sparse) else np.arange(n_sources)
    there = synapses.weight != 0
    heard = [
        np.broadcast_to(source, there.shape)[there & (p.delay == d)] for d in np.unique(p.delay)
    ]
    return [(len(np.unique(rows)), n_targets) for rows in heard if len(rows)]


def _matrix(number: int, group: int, delay: int, weight: AnyArray) -> Matrix:
    return Matrix(number, group, delay, np.arange(len(weight)), np.ascontiguousarray(weight))


def _heard(number: int, delay: int, weight: FloatArray) -> Matrix:
    """Only the rows that have a synapse of this delay."""
    rows = np.flatnonzero(weight.any(axis=1))
    return Matrix(number, 0, delay, rows, np.ascontiguousarray(weight[rows]))


def _dense(p: Projection, n_sources: int) -> tuple[list[FloatArray], list[int]]:
    """Weights (sources, targets) of every delay, and the delays."""
    synapses = p.synapses
    delays = [int(d) for d in np.unique(p.delay)]
    if isinstance(synapses, Dense):
        weight = np.asarray(synapses.weight, dtype=np.float64).T
        return [np.where(d == p.delay.T, weight, 0.0) for d in delays], delays
    assert isinstance(synapses, Sparse)
    delay = np.broadcast_to(p.delay, synapses.weight.shape)
    out = []
    for d in delays:
        weight, own = np.zeros((n_sources, synapses.n_targets)), delay == d
        np.add.at(weight, (synapses.source[own], synapses.target[own]), synapses.weight[own])
        out.append(weight)
    return out, delays


def n_reads(p: Projection, target: Shape) -> int:
    """Reads of a matrix per time step: places of a convolution's output, 1 for others."""
    return target[1] * target[2] if isinstance(p.synapses, Conv2d) else 1


def row_inputs(
    p: Projection,
    source: Shape,
    target: Shape,
    x: AnyArray,
    groups: Sequence[int] | None = None,
) -> list[AnyArray]:
    """What the rows of each group are driven with, (samples, reads, rows) each.

    x: what the sources send, (samples, sources); a sample may be a step of one. groups: which
    ones, by default all.
    """
    if not isinstance(p.synapses, Conv2d):
        return [x[:, None, :]]
    s, (pad_y, pad_x) = p.synapses, p.synapses.padding
    x = np.pad(x.reshape(-1, *source), ((0, 0), (0, 0), (pad_y, pad_y), (pad_x, pad_x)))
    spans = [s.dilation[i] * (s.weight.shape[2 + i] - 1) + 1 for i in (0, 1)]
    windows = sliding_window_view(x, spans, axis=(2, 3))  # type: ignore[call-overload]
    windows = windows[:, :, :: s.stride[0], :: s.stride[1], :: s.dilation[0], :: s.dilation[1]]
    windows = windows[:, :, : target[1], : target[2]].transpose(0, 2, 3, 1, 4, 5)
    channels = source[0] // s.groups
    n, reads = len(x), target[1] * target[2]
    return [
        windows[:, :, :, g * channels : (g + 1) * channels].reshape(n, reads, -1)
        for g in (range(s.groups) if groups is None else groups)
    ]


def as_target(p: Projection, target: Shape, groups: list[FloatArray]) -> FloatArray:
    """Sums of each group (samples, reads, columns) as those of the target, (samples, neurons)."""
    joined = np.concatenate(groups, axis=2) if len(groups) > 1 else groups[0]
    if isinstance(p.synapses, Conv2d):
        joined = joined.transpose(0, 2, 1)
    return np.ascontiguousarray(joined).reshape(len(joined), -1)
