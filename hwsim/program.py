"""A network as the compiled engine reads it, made once per network.

Whole weights are kept divided by their greatest common divisor, in one or two bytes; a
population's `unit` makes up for it. Sums of whole numbers are exact in any order; real weights
that are not whole are added in a fixed order, see `hwsim.kernels.advance`.
"""

from dataclasses import dataclass, field
from math import gcd, inf
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.kernels import arrange
from hwsim.kernels import tables as kt
from hwsim.network import Network, Population, Projection
from hwsim.neuron import AnyNeuron, FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.schedule import numbers_into, schedule
from hwsim.synapse_pools import UINT16_RANGE, Order, fill, gain_of, is_listed, order_of
from hwsim.synapses import Conv2d

WRAP_HALF = 1 << 23  # convolutions wrap at 24 bits
INT32_MAX = 2**31 - 1
FINEST = 8  # real weights that are multiples of 2^-8 are summed as whole numbers
RESETS = {"zero": kt.ZERO, "subtract": kt.SUBTRACT, "none": kt.NONE}


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """A network, prepared.

    Attributes:
        tables: what depends on the length of a run is still 0.
        orders: of each population's neurons, `order_of` its shape.
        n_neurons: entries of arrays over all neurons.
        max_delay: longest delay into each population.
        payload_max: largest whole number an input may send so that no sum leaves its type.
        sum_dtype, state_dtype: of arriving sums and of states.
        number, size: of each population.
        layouts: of runs that were made, see `hwsim.engine`.
    """

    tables: kt.Tables
    orders: dict[str, Order]
    n_neurons: int
    max_delay: tuple[int, ...]
    payload_max: float
    sum_dtype: type
    state_dtype: type
    number: dict[str, int]
    size: dict[str, int]
    layouts: dict[object, Any] = field(default_factory=dict)

    def neurons(self, name: str) -> slice:
        """A population's neurons in arrays over all of them."""
        row = self.tables.populations[self.number[name]]
        return slice(int(row["at"]), int(row["at"] + row["size"]))


@dataclass(frozen=True, slots=True, eq=False)
class _Scales:
    """How weights are kept.

    Attributes:
        dtype: of the weights. units: what an arriving sum counts in, by population.
        divisors: what the weights of each projection are divided by.
        bound: no sum of a step exceeds it, if spikes carry 1.
    """

    dtype: type
    units: dict[str, float]
    divisors: list[float]
    bound: float = 0.0


_PREPARED: "WeakKeyDictionary[Network, dict[bool, Program | None]]" = WeakKeyDictionary()


def prepare(net: Network, *, whole: bool = False) -> Program | None:
    """The program of a network, made at its first use.

    Args:
        whole: for a real network, one that sums whole numbers; None if its weights, up to a
            power of two, are none, or its neurons send other values.
    """
    made = _PREPARED.setdefault(net, {})
    if whole not in made:
        scales = _whole_scales(net) if whole else _scales(net)
        made[whole] = None if scales is None else _make(net, scales)
    return made[whole]


def _scales(net: Network) -> _Scales:
    if net.is_integer:
        return _integer_scales(net)
    ones = {p.name: 1.0 for p in net.populations}
    return _Scales(np.float64, ones, [1.0] * len(net.projections))


def _integer_scales(net: Network) -> _Scales:
    """Weights, positive exponents included, divided by what divides all into a population."""
    divisors = [
        float(max(1, arrange.common_divisor(p.synapses.weight.reshape(-1), 1.0)))
        for p in net.projections
    ]
    units, number_into = {}, numbers_into(net)
    for population in net.populations:
        into = number_into[population.name]
        steps = [int(divisors[k]) << _raised(net.projections[k]) for k in into]
        apart = any(is_apart(net, net.projections[k]) for k in into)
        scaled = isinstance(population.neuron, FixedNeuron) and not apart
        units[population.name] = float(gcd(*steps) or 1) if scaled else 1.0
        for k in into:
            if not is_apart(net, net.projections[k]):
                divisors[k] = units[population.name] / (1 << _raised(net.projections[k]))
    ranges = [_range(p, 1 / d) for p, d in zip(net.projections, divisors, strict=True)]
    return _Scales(_narrowest(net, ranges), units, divisors)


def _raised(p: Projection) -> int:
    """By how many bits a projection's weights are shifted left."""
    return max(0, p.word.exp) if p.word else 0


def _range(p: Projection, factor: float) -> tuple[float, float]:
    if p.synapses.weight.size == 0:
        return 0.0, 0.0
    ends = p.synapses.weight.min() * factor, p.synapses.weight.max() * factor
    return float(min(ends)), float(max(ends))


def _narrowest(net: Network, ranges: list[tuple[float, float]]) -> type:
    """int8 if all weights fit, and two bytes hold the targets of listed synapses; else int16."""
    few = all(net[p.target].size <= UINT16_RANGE for p in net.projections if is_listed(p))
    return np.int8 if few and all(lo >= -128 and hi <= 127 for lo, hi in ranges) else np.int16


def is_apart(net: Network, p: Projection) -> bool:
    """Whether the sum of a step over this projection is finished before it joins the others."""
    return (p.word is not None and p.word.exp < 0) or may_wrap(net, p)


def may_wrap(net: Network, p: Projection) -> bool:
    """Whether a convolution's sum of a step can leave 24 bits, where Lava folds it."""
    if not isinstance(p.synapses, Conv2d) or p.word is None:
        return False
    source = net[p.source]
    valued = p.word.message_bits > 0 and (source.neuron is None or sends_values(source))
    return valued or _bound(net, p) * (1 << _raised(p)) >= WRAP_HALF


def _bound(net: Network, p: Projection) -> float:
    """No sum of a step over this projection exceeds this, if spikes carry 1."""
    low, high = _range(p, gain_of(p))
    return p.synapses.fan_in(net[p.source].shape) * max(-low, high)


def _whole_scales(net: Network) -> _Scales | None:
    """Scales of a real network whose weights times a power of two are whole and small."""
    if any(sends_values(p) for p in net.populations) or any(p.gain.ndim for p in net.projections):
        return None
    for bits in range(FINEST + 1):
        factors = [gain_of(p) * 2.0**bits for p in net.projections]
        flat = [p.synapses.weight.reshape(-1) for p in net.projections]
        if all(arrange.whole_range(w, f)[2] for w, f in zip(flat, factors, strict=True)):
            break
    else:
        return None
    steps = [int(arrange.common_divisor(w, f)) for w, f in zip(flat, factors, strict=True)]
    units = {}
    for name, into in numbers_into(net).items():
        units[name] = (gcd(*(steps[k] for k in into)) or 1) / 2.0**bits
    divisors = [units[p.target] for p in net.projections]
    ranges = [_range(p, gain_of(p) / units[p.target]) for p in net.projections]
    bounds = dict.fromkeys(units, 0.0)
    for p in net.projections:
        bounds[p.target] += _bound(net, p) / units[p.target]
    bound = max(bounds.values())
    if bound > INT32_MAX or any(max(-lo, hi) > 2**15 - 1 for lo, hi in ranges):
        return None
    return _Scales(_narrowest(net, ranges), units, divisors, bound)


def sends_values(population: Population) -> bool:
    """Whether a population's spikes carry more than that they are there."""
    neuron = population.neuron
    return neuron is not None and neuron.emits not in ("spikes", "nothing")


def _make(net: Network, scales: _Scales) -> Program:
    orders = {p.name: order_of(p.shape) for p in net.populations}
    pools = fill(net, orders, scales.divisors, scales.dtype)
    gains = [np.ones(1)]
    index, n_gains = {p.name: i for i, p in enumerate(net.populations)}, 1
    for k, p in enumerate(net.projections):
        pools.rows[k]["source"], pools.rows[k]["target"] = index[p.source], index[p.target]
        _finish(net, p, pools.rows[k], scales, k)
        if p.gain.ndim:
            pools.rows[k]["gain_at"] = n_gains
            n_gains += p.gain.size
            pools.rows[k]["n_gains"] = p.gain.size
            gains.append(p.gain)
    sum_dtype = np.float64 if scales.dtype is np.float64 else np.int32
    state_dtype = np.int32 if net.is_integer else np.float64
    populations, n_neurons, neurons = _populations(net, orders, scales.units, state_dtype)
    tables = kt.Tables(
        populations=populations,
        projections=pools.rows,
        weights=pools.weights,
        targets=pools.targets,
        segments=pools.segments.whole(),
        delays=pools.delays.whole(),
        gains=np.concatenate(gains).astype(sum_dtype),
        taps=pools.taps.whole(),
        **schedule(net),
        **neurons,
    )
    into = [[int(p.delay.max()) for p in net.into(q.name) if p.delay.size] for q in net.populations]
    payload_max = INT32_MAX / scales.bound if scales.bound else inf
    longest = tuple(max(delays, default=0) for delays in into)
    return Program(
        tables,
        orders,
        n_neurons,
        longest,
        payload_max,
        sum_dtype,
        state_dtype,
        number=index,
        size={p.name: p.size for p in net.populations},
    )


def _finish(net: Network, p: Projection, row: Any, scales: _Scales, k: int) -> None:
    """What a projection's row says beyond its ends and synapses."""
    row["least_delay"] = min(int(p.delay.min(initial=1)), 1)
    row["delay"] = 0 if p.delay.ndim else min(int(p.delay), 1 << 30)
    row["in_order"] = scales.dtype is np.float64
    row["plain"] = p.word is not None and p.word.message_bits == 0
    if p.word is not None and is_apart(net, p):
        row["apart"] = 1
        row["scale"] = int(scales.divisors[k]) << _raised(p)
        row["shift"] = max(0, -p.word.exp)
        row["wraps"] = may_wrap(net, p)


def _populations(
    net: Network, orders: dict[str, Order], units: dict[str, float], dtype: type
) -> tuple[AnyArray, int, dict[str, AnyArray]]:
    """Rows of the populations, the neurons in all, and what is listed by neuron."""
    rows = np.zeros(len(net.populations), dtype=kt.POPULATION)
    at = 0
    for row, population in zip(rows, net.populations, strict=True):
        row["size"], row["at"], row["unit"] = population.size, at, units[population.name]
        at += -(-population.size // kt.PAD) * kt.PAD
    by_neuron = {name: np.zeros(at) for name in ("keep_u", "keep_v")}
    by_neuron |= {name: np.zeros(at, dtype=dtype) for name in ("bias", "v_init")}
    thresholds: list[AnyArray] = [np.zeros(0, dtype=dtype)]
    n_thresholds = 0
    for row, population in zip(rows, net.populations, strict=True):
        if population.neuron is None:
            continue
        origin = orders[population.name][0]
        values, tables = _fill_row(row, population.neuron, len(population.shape))
        if any(p.gain.ndim for p in net.out_of(population.name)):
            row["valued"] = 1  # a gain per step multiplies the values of events
        for name, value in values.items():
            flat = np.broadcast_to(value, population.shape).reshape(-1)[origin]
            by_neuron[name][row["at"] : row["at"] + row["size"]] = flat
        shared = {"keep_u", "keep_v"} | ({"bias"} if row["kind"] == kt.FIXED else set())
        row["alike"] = all((x == x.flat[0]).all() for name, x in values.items() if name in shared)
        for name, steps in tables.items():
            row[name] = n_thresholds
            for step in steps:
                flat = np.broadcast_to(step, population.shape).reshape(-1)[origin]
                thresholds.append(flat.astype(dtype))
                n_thresholds += flat.size
    return rows, at, by_neuron | {"thresholds": np.concatenate(thresholds)}


def _fill_row(
    row: Any, neuron: AnyNeuron, n_axes: int
) -> tuple[dict[str, AnyArray], dict[str, list[AnyArray]]]:
    """Fill a population's row.

    Returns:
        What is listed by neuron; and thresholds, of one step or of each, by the row's field.
    """
    row["v_th_steps"] = 1
    if isinstance(neuron, FixedNeuron):
        _fixed_row(row, neuron)
        low = {} if neuron.v_th_low is None else {"v_th_low_at": [neuron.v_th_low << 6]}
        keep = {"keep_u": (4095 - neuron.du) / 4096, "keep_v": (4096 - neuron.dv) / 4096}
        return keep | {"bias": neuron.bias}, {"v_th_at": [neuron.v_th << 6]} | low
    if isinstance(neuron, Neuron):
        _real_row(row, neuron)
        steps = list(neuron.v_th) if neuron.v_th.ndim > n_axes else [neuron.v_th]
        row["v_th_steps"] = len(steps)
        keep = {"keep_u": neuron.decay_u, "keep_v": neuron.decay_v}
        return keep | {"bias": neuron.bias, "v_init": neuron.v_init}, {"v_th_at": steps}
    row["relu"], row["emits"], row["valued"] = neuron.activation == "relu", kt.MESSAGE, 1
    if isinstance(neuron, GradedVec):
        row["kind"] = kt.GRADED_VEC
        return {}, {"v_th_at": [neuron.v_th]}
    _sigma_delta_row(row, neuron)
    return {"bias": neuron.bias << neuron.exp}, {"v_th_at": [neuron.v_th << neuron.exp]}


def _fixed_row(row: Any, neuron: FixedNeuron) -> None:
    fires = {"nothing": kt.NEVER, "ternary": kt.EITHER}
    emits = {"ternary": kt.SIGN, "graded": kt.SHIFTED}
    row["kind"] = kt.FIXED
    row["unit"] *= 64
    row["reset"], row["refractory"] = RESETS[neuron.reset], neuron.refractory
    row["fires"] = fires.get(neuron.emits, kt.ABOVE)
    row["emits"] = emits.get(neuron.emits, kt.ONE)
    row["valued"] = neuron.emits in emits


def _real_row(row: Any, neuron: Neuron) -> None:
    row["kind"] = kt.REAL
    row["reset"], row["late"] = RESETS[neuron.reset], neuron.reset_late
    row["refractory"] = neuron.refractory
    row["fires"] = kt.REACHED if neuron.fires == "reached" else kt.ABOVE
    if neuron.emits == "nothing":
        row["fires"] = kt.NEVER
    row["emits"] = kt.VALUE if neuron.emits == "graded" else kt.ONE
    row["valued"] = neuron.emits == "graded"


def _sigma_delta_row(row: Any, neuron: SigmaDelta) -> None:
    row["kind"] = kt.SIGMA_DELTA
    row["fires"] = kt.NEVER if neuron.emits == "nothing" else kt.ABOVE
    row["integrates"], row["cum_error"] = neuron.integrates, neuron.cum_error
    row["spike_exp"], row["state_exp"] = neuron.spike_exp, neuron.state_exp
