"""All synapses of a network as the compiled engine reads them: one pool of each kind of array."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.kernels import arrange
from hwsim.kernels import tables as kt
from hwsim.network import Network, Projection
from hwsim.synapses import Conv2d, Shape, Sparse, size_of

DELAY_MAX = 1 << 30  # what is longer arrives no earlier
FEW_DELAYS = 1 << 12  # delays below it are looked up in a table
UINT16_RANGE = 1 << 16

Order = tuple[IntArray, IntArray]


def order_of(shape: Shape) -> Order:
    """The engine's order of neurons, an image's channels last.

    Returns:
        `origin`, the network's number of each of the engine's neurons, and `place`, the other way.
    """
    origin = np.arange(size_of(shape))
    if len(shape) == 3:
        origin = origin.reshape(shape).transpose(1, 2, 0).reshape(-1).copy()
    place = np.empty_like(origin)
    place[origin] = np.arange(origin.size)
    return origin, place


def is_listed(p: Projection) -> bool:
    """Whether a projection's synapses are read one by one."""
    return isinstance(p.synapses, Sparse) or p.delay.ndim > 0


@dataclass(slots=True, eq=False)
class Pool:
    """Arrays put end to end."""

    arrays: list[IntArray] = field(default_factory=lambda: [np.zeros(0, dtype=np.int64)])
    size: int = 0

    def append(self, values: IntArray) -> int:
        """Append, and say where that begins."""
        at = self.size
        self.arrays.append(values)
        self.size += values.size
        return at

    def whole(self) -> IntArray:
        """All of them."""
        return np.concatenate(self.arrays)


@dataclass(slots=True, eq=False)
class Pools:
    """Pools under construction; see `hwsim.kernels.tables` for what they hold.

    Attributes:
        rows: one per projection, and one more, so that the table is never empty.
        weights: those of listed projections come first, at the same places as their `targets`.
    """

    rows: AnyArray
    weights: AnyArray
    targets: AnyArray
    segments: Pool = field(default_factory=Pool)
    delays: Pool = field(default_factory=Pool)
    taps: Pool = field(default_factory=Pool)


def fill(net: Network, orders: dict[str, Order], divisors: list[float], dtype: type) -> Pools:
    """Pools of a network's synapses.

    Args:
        orders: `order_of` each population.
        divisors: what the weights of each projection are divided by.
        dtype: of the weights. int8 goes with targets of two bytes.
    """
    first = sorted(range(len(net.projections)), key=lambda k: not is_listed(net.projections[k]))
    size = sum(p.synapses.weight.size for p in net.projections)
    n_listed = sum(p.synapses.weight.size for p in net.projections if is_listed(p))
    pools = Pools(
        np.zeros(len(first) + 1, dtype=kt.PROJECTION),
        np.empty(size, dtype=dtype),
        np.empty(n_listed, dtype=np.uint16 if dtype is np.int8 else np.uint32),
    )
    at = 0
    for k in first:
        p, row = net.projections[k], pools.rows[k]
        row["weight_at"] = at
        source, target = orders[p.source], orders[p.target]
        if is_listed(p):
            _fill_listed(pools, row, p, source, target, divisors[k])
        elif isinstance(p.synapses, Conv2d):
            shapes = net[p.source].shape, net[p.target].shape
            _fill_kernels(pools, row, p, p.synapses, *shapes, divisors[k])
        else:
            row["kind"] = kt.ROWS
            matrix = p.synapses.weight.T[source[0]]
            _rescale(pools, row, p, matrix[:, target[0]], divisors[k])
        at += p.synapses.weight.size
    return pools


def _rescale(pools: Pools, row: AnyArray, p: Projection, weight: AnyArray, divisor: float) -> None:
    at, flat = int(row["weight_at"]), np.ascontiguousarray(weight).reshape(-1)
    arrange.rescale(flat, gain_of(p), divisor, pools.weights[at : at + flat.size])


def gain_of(p: Projection) -> float:
    """The gain that is multiplied into the weights."""
    return float(p.gain) if p.gain.ndim == 0 else 1.0


def _fill_listed(
    pools: Pools, row: AnyArray, p: Projection, source: Order, target: Order, divisor: float
) -> None:
    """Synapses one by one, each row sorted by delay."""
    weight, delay = p.synapses.weight, p.delay
    if isinstance(p.synapses, Sparse):
        indptr, targets = p.synapses.indptr, p.synapses.target
    else:  # a matrix with a delay of each synapse
        n_targets, n_sources = weight.shape
        indptr = np.arange(n_sources + 1) * n_targets
        targets = np.tile(np.arange(n_targets, dtype=np.int32), n_sources)
        weight, delay = (np.ascontiguousarray(x.T).reshape(-1) for x in (weight, delay))
    delays, rank = _ranks(delay)
    segments = np.empty((indptr.size - 1) * delays.size + 1, dtype=np.int64)
    rows = (indptr, source[0], rank, delays.size)
    arrange.count_by_delay(*rows, int(row["weight_at"]), segments)
    ends = (targets, target[1], weight, gain_of(p), divisor)
    arrange.sort_by_delay(*rows, segments, *ends, pools.targets, pools.weights)
    row["kind"], row["n_delays"] = kt.LISTED, delays.size
    row["segments_at"] = pools.segments.append(segments)
    row["delays_at"] = pools.delays.append(delays)


def _ranks(delay: AnyArray) -> tuple[IntArray, AnyArray]:
    """The different delays, ascending, and which of them each synapse has."""
    if delay.ndim == 0 or delay.size == 0:
        return np.array([min(int(delay.max(initial=0)), DELAY_MAX)]), np.zeros(1, dtype=np.uint16)
    if delay.max() >= FEW_DELAYS:
        delays, rank = np.unique(np.minimum(delay, DELAY_MAX), return_inverse=True)
        return delays, rank.astype(np.uint32)
    there = np.bincount(delay) > 0
    table = (np.cumsum(there) - 1).astype(np.uint16)
    return np.flatnonzero(there), table[delay]


def _fill_kernels(
    pools: Pools,
    row: AnyArray,
    p: Projection,
    conv: Conv2d,
    source: Shape,
    target: Shape,
    divisor: float,
) -> None:
    """A convolution's kernels, and where each row and column of the source meets them."""
    out, in_per_group, k_h, k_w = conv.weight.shape
    per_group = out // conv.groups
    columns, run = _columns(k_w, conv.stride[1], conv.dilation[1])
    grouped = conv.weight[..., columns].reshape(conv.groups, per_group, in_per_group, k_h, k_w)
    row["kind"] = kt.KERNELS
    _rescale(pools, row, p, grouped.transpose(0, 2, 3, 4, 1), divisor)
    down = [_meets(conv, 0, y, range(k_h), target[1]) for y in range(source[1])]
    across = [_meets(conv, 1, x, columns, target[2]) for x in range(source[2])]
    runs = [_runs(pairs, joined=run and conv.groups == 1) for pairs in across]
    shape = {
        "channels": source[0],
        "width": source[2],
        "channels_per_group": in_per_group,
        "out_channels": out,
        "out_per_group": per_group,
        "out_width": target[2],
        "k_h": k_h,
        "k_w": k_w,
    }
    tables = {
        "y_ptr": _ptr(down),
        "y_k": [k for pairs in down for k, _ in pairs],
        "y_out": [at for pairs in down for _, at in pairs],
        "x_ptr": _ptr(runs),
        "x_k": [k for listed in runs for k, _, _ in listed],
        "x_out": [at for listed in runs for _, at, _ in listed],
        "x_n": [n for listed in runs for _, _, n in listed],
    }
    for name, number in shape.items():
        row[name] = number
    for name, values in tables.items():
        row[name] = pools.taps.append(np.array(values, dtype=np.int64))


def _columns(k_w: int, stride: int, dilation: int) -> tuple[list[int], bool]:
    """An order of the kernel's columns in which those that one neuron meets lie side by side.

    A step to the next target column is `stride / dilation` columns back. False if that is no
    whole number: then the order is the kernel's own, and nothing lies side by side.
    """
    if stride % dilation:
        return list(range(k_w)), False
    step = stride // dilation
    return [k for phase in range(step) for k in reversed(range(phase, k_w, step))], True


def _meets(
    conv: Conv2d, axis: int, source: int, order: Sequence[int], n_targets: int
) -> list[tuple[int, int]]:
    """What a row or column of the source meets: positions in the kernel's order, and targets."""
    found = []
    for position, k in enumerate(order):
        at = source + conv.padding[axis] - k * conv.dilation[axis]
        target, rest = divmod(at, conv.stride[axis])
        if rest == 0 and 0 <= target < n_targets:
            found.append((position, target))
    return found


def _runs(pairs: list[tuple[int, int]], *, joined: bool) -> list[tuple[int, int, int]]:
    """Pairs that go on side by side, as (position, target, how many)."""
    runs: list[tuple[int, int, int]] = []
    for position, target in pairs:
        if joined and runs:
            first, at, n = runs[-1]
            if (position, target) == (first + n, at + n):
                runs[-1] = (first, at, n + 1)
                continue
        runs.append((position, target, 1))
    return runs


def _ptr(listed: Sequence[Sequence[object]]) -> IntArray:
    """Where each one's entries begin."""
    return np.cumsum([0, *map(len, listed)])
