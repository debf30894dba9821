"""Ways to cut a population into parts: an order of its neurons, and where to cut it."""

from dataclasses import dataclass, fields

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.chips.spec import Limits
from hwsim.mapping.hilbert import hilbert_curve
from hwsim.network import Population
from hwsim.synapses import Shape

EVEN, MIXED, LOADED = 0.0, 0.5, 1.0  # how much of a cut's weight is load, the rest is number


@dataclass(frozen=True, slots=True, eq=False)
class Cutter:
    """A population's orders and weights.

    Attributes:
        load: work of each neuron, (neurons,). orders: permutations of the neurons; neighbours in
            one of them end on the same part.
        group: number of the group of settings a neuron belongs to, (neurons,): those of one group
            fit a core's tables; neurons of two groups never share a part.
        neuron_config, v_th_config: number of the neuron's settings and threshold, (neurons,).
    """

    load: FloatArray
    orders: tuple[IntArray, ...]
    group: IntArray
    neuron_config: IntArray
    v_th_config: IntArray

    @property
    def n_groups(self) -> int:
        """Fewest parts that the core's tables allow."""
        return int(self.group.max()) + 1

    @property
    def table(self) -> str:
        """The table that has more different entries, as `Use` names it."""
        many = self.v_th_config.max() > self.neuron_config.max()
        return "v_th_configs" if many else "neuron_configs"

    def part_of(self, n_parts: int, order: IntArray, loaded: float) -> IntArray:
        """Cut into `n_parts` of equal weight along an order, (neurons,); none is empty."""
        size = self.load.size
        weight = np.full(size, (1 - loaded) / size)
        if self.load.any():
            weight += loaded * self.load / self.load.sum()
        if not weight.any():
            weight[:] = 1 / size
        out = np.empty(size, dtype=np.int64)
        group = self.group[order]
        shares = _shares(np.bincount(group, weight[order]), np.bincount(group), n_parts)
        first = 0
        for g, share in enumerate(shares):
            own = order[group == g]
            out[own] = first + _cut(weight[own], int(share))
            first += int(share)
        return out


def _cut(weight: FloatArray, n_parts: int) -> IntArray:
    """Neighbouring parts of near equal weight, at least one neuron in each, (neurons,)."""
    ends = np.cumsum(weight)
    cuts = np.searchsorted(ends - weight / 2, ends[-1] * np.arange(1, n_parts) / n_parts)
    at = np.arange(n_parts - 1)
    cuts = np.maximum.accumulate(np.maximum(cuts, at + 1) - at) + at  # rising, none is empty
    cuts = np.minimum(cuts, weight.size - (n_parts - 1) + at)
    marks = np.zeros(weight.size, dtype=np.int64)
    marks[cuts] = 1
    return np.cumsum(marks)


def _shares(weight: AnyArray, sizes: IntArray, n_parts: int) -> IntArray:
    """Parts of each group: at least one, at most its neurons, else by weight."""
    shares = np.ones(sizes.size, dtype=np.int64)
    for _ in range(n_parts - sizes.size):
        shares[np.argmax(np.where(shares < sizes, weight / shares, -1.0))] += 1
    return shares


def cutter_of(
    pop: Population, load: FloatArray, limits: Limits, spikes: FloatArray | None
) -> Cutter:
    """The ways to cut a population.

    With `spikes` (neurons,) it is cut by how often neurons fire, which is right where all neurons
    have the same sources and targets: packets of a few busy cores can then be kept short.
    """
    neuron, v_th = _configs(pop)
    group = _groups(neuron, v_th, limits)
    orders = [_by_group(order, group) for order in _orders(pop.shape, spikes)]
    return Cutter(load, tuple(orders), group, neuron, v_th)


def _orders(shape: Shape, spikes: FloatArray | None) -> list[IntArray]:
    """By index; where there are places, by row, column and along a curve, channels together."""
    size = int(np.prod(shape))
    if spikes is not None:
        return [np.argsort(-spikes, kind="stable")]
    if len(shape) < 2 or shape[-1] == 1 or shape[-2] == 1:
        return [np.arange(size)]
    height, width = shape[-2:]
    channels = np.arange(size // (height * width)) * height * width
    place = np.arange(height * width)
    by_column = place.reshape(height, width).T.reshape(-1)
    curve = hilbert_curve(width, height)
    places = (place, by_column, curve[:, 1] * width + curve[:, 0])
    return [(at[:, None] + channels).reshape(-1) for at in places]


def _by_group(order: IntArray, group: IntArray) -> IntArray:
    return order if not group.any() else order[np.argsort(group[order], kind="stable")]


def _configs(pop: Population) -> tuple[IntArray, IntArray]:
    """Numbers of every neuron's settings and of its threshold, (neurons,) each."""
    assert pop.neuron is not None
    columns: list[list[IntArray]] = [[], []]
    for field in fields(pop.neuron):
        value = getattr(pop.neuron, field.name)
        if isinstance(value, np.ndarray) and value.ndim and field.name not in ("bias_mant", "bias"):
            flat = np.broadcast_to(value, pop.shape).reshape(-1)
            columns[field.name in ("v_th", "v_th_low")].append(flat)
    numbers = [_number(c, pop.size) for c in columns]
    return numbers[0], numbers[1]


def _number(columns: list[IntArray], size: int) -> IntArray:
    if not columns:
        return np.zeros(size, dtype=np.int64)
    rows = np.stack(columns, axis=1)
    number = np.unique(rows, axis=0, return_inverse=True)[1]
    return np.asarray(number, dtype=np.int64).reshape(-1)


def _groups(neuron: IntArray, v_th: IntArray, limits: Limits) -> IntArray:
    """Neurons whose settings fit a core's tables together, numbered, (neurons,).

    Pairs of settings and threshold, sorted, are taken while both tables have room.
    """
    most_neuron = limits.neuron_configs or neuron.size
    most_v_th = limits.v_th_configs or v_th.size
    pairs, pair_of = np.unique(np.stack([neuron, v_th], axis=1), axis=0, return_inverse=True)
    group_of = np.zeros(len(pairs), dtype=np.int64)
    group, seen = 0, (set[int](), set[int]())
    for i, (a, b) in enumerate(pairs.tolist()):
        grown = (seen[0] | {a}, seen[1] | {b})
        if len(grown[0]) > most_neuron or len(grown[1]) > most_v_th:
            group, grown = group + 1, ({a}, {b})
        seen = grown
        group_of[i] = group
    return group_of[np.asarray(pair_of).reshape(-1)]


def distinct(number: IntArray, part_of: IntArray, n_parts: int) -> IntArray:
    """Distinct numbers in each part, (parts,)."""
    if not number.any():
        return np.ones(n_parts, dtype=np.int64)
    pairs = np.unique(part_of * (int(number.max()) + 1) + number)
    return np.bincount(pairs // (int(number.max()) + 1), minlength=n_parts)
