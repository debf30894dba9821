"""Delays of a network, brought into a chip's range and merged into a few classes, exactly.

The classes of a projection are whole delays c_1 < ... < c_k, chosen so that

    sum over synapses of |w| (d - c(d))^2

is least, d the synapse's delay and c(d) its class. On a line the synapses of a class are
neighbours, so the best cut of the histogram is found by dynamic programming over its at most 63
delays, and the best class of an interval is its mean by |w|, rounded. No start is drawn: equal
networks give equal classes.
"""

from dataclasses import dataclass, replace

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.network import Network, Projection


@dataclass(frozen=True, slots=True)
class Merged:
    """What became of a projection's delays.

    Attributes:
        delays, classes: different delays before and after. longest: in steps, after.
        clipped: synapses whose delay was beyond the range. changed: all whose delay moved.
        error_steps: root of the mean squared move, weighted by |w|.
    """

    projection: str
    synapses: int
    delays: int
    classes: int
    longest: int
    clipped: int
    changed: int
    error_steps: float


def quantize_delays(
    net: Network, *, max_delay: int | None = None, n_classes: int | None = None
) -> tuple[Network, tuple[Merged, ...]]:
    """A network whose synapses have delays within a range, of few different values.

    Works on real and on integer networks, which stay as they are but for delays.

    Args:
        max_delay: longest delay, in the network's steps; longer ones become it. A chip's own
            limit counts from the step that every spike takes, as a stack without delays does.
        n_classes: most different delays of a projection; None leaves all.

    Returns:
        The network, and what became of every projection that has any delay.

    Raises:
        ValueError: for a range below 0 or less than one class, and where clipping would leave a
            loop without delay.
    """
    if max_delay is not None and max_delay < 0:
        raise ValueError(f"`max_delay` is {max_delay}, must be 0 steps or more")
    if n_classes is not None and n_classes < 1:
        raise ValueError(f"`n_classes` is {n_classes}, must be 1 or more: None leaves all delays")
    projections, merged = [], []
    for p in net.projections:
        found = _merged(p, max_delay, n_classes)
        projections.append(replace(p, delay=found))
        if p.delay.any():
            merged.append(_said(p, found, max_delay))
    return Network(net.populations, tuple(projections), net.dt_s, net.output), tuple(merged)


def _merged(p: Projection, max_delay: int | None, n_classes: int | None) -> AnyArray:
    delay = p.delay if max_delay is None else np.minimum(p.delay, max_delay)
    if n_classes is None or not delay.ndim:
        return delay
    values, which = np.unique(delay, return_inverse=True)
    mass = np.zeros(values.size)
    np.add.at(mass, which.reshape(-1), _mass(p).reshape(-1))
    best = classes_of(values, mass, n_classes)
    return best[which].reshape(delay.shape)


def _mass(p: Projection) -> FloatArray:
    """|w| of every synapse; 1 each where all weights are 0."""
    mass = np.abs(p.synapses.weight.astype(np.float64))
    return mass if mass.any() else np.ones_like(mass)


def classes_of(values: IntArray, mass: FloatArray, n_classes: int) -> IntArray:
    """The class of every value, (values,): at most so many, of the least squared move by mass.

    Args:
        values: different whole numbers, ascending. mass: 0 or more, of each.
    """
    n = values.size
    if n <= n_classes:
        return values
    cost, centre = _intervals(values, mass)
    least = np.full((n_classes + 1, n + 1), np.inf)  # of the first values in so many classes
    cut = np.zeros((n_classes + 1, n + 1), dtype=np.int64)
    least[0, 0] = 0.0
    for k in range(1, n_classes + 1):
        for stop in range(k, n + 1):
            sums = least[k - 1, :stop] + cost[:stop, stop - 1]
            cut[k, stop] = int(sums.argmin())
            least[k, stop] = sums[cut[k, stop]]
    out, stop = np.empty(n, dtype=values.dtype), n
    for k in range(int(least[:, n].argmin()), 0, -1):
        start = cut[k, stop]
        out[start:stop] = centre[start, stop - 1]
        stop = start
    return out


def _intervals(values: IntArray, mass: FloatArray) -> tuple[FloatArray, IntArray]:
    """Least squared move of values first .. last to one whole number, and that number."""
    n = values.size
    cost, centre = np.zeros((n, n)), np.zeros((n, n), dtype=np.int64)
    for first in range(n):
        for last in range(first, n):
            own, weight = values[first : last + 1], mass[first : last + 1]
            if not weight.any():
                weight = np.ones_like(weight)
            middle = int(np.rint(np.average(own, weights=weight)))
            centre[first, last] = middle
            cost[first, last] = float((mass[first : last + 1] * (own - middle) ** 2).sum())
    return cost, centre


def _said(p: Projection, found: AnyArray, max_delay: int | None) -> Merged:
    mass = _mass(p)
    moved = np.broadcast_to(found - p.delay, mass.shape)
    beyond = np.broadcast_to(p.delay, mass.shape) > (
        p.delay.max() if max_delay is None else max_delay
    )
    return Merged(
        f"{p.source} -> {p.target}",
        mass.size,
        np.unique(p.delay).size,
        np.unique(found).size,
        int(found.max()),
        int(beyond.sum()),
        int((moved != 0).sum()),
        float(np.sqrt(np.average(moved.astype(np.float64) ** 2, weights=mass))),
    )
