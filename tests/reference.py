"""Slow twins of the integer kernels: a Loihi-class core as Lava's `fixed_pt` models define it.

Written to be obviously right, from the equations, with no look at the fast code: everything is
int64, `>>` is arithmetic, history is kept whole. Checked against Lava in test_golden_reference.
"""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection
from hwsim.synapses import Conv2d, Dense, Sparse, size_of
from tests.golden import (
    INPUT,
    AnyGolden,
    GoldenPopulation,
    GoldenProjection,
    GoldenSigmaDelta,
    GoldenVec,
)

STATE_LIMIT = 1 << 23


def wrap32(x: np.ndarray) -> np.ndarray:
    """The number that 32 bits hold: Lava's states, sums and messages are int32."""
    return (x + 2**31) % 2**32 - 2**31


def trunc0(x: np.ndarray) -> np.ndarray:
    """`sign(x) (|x| >> 12)`: a decay rounds toward zero."""
    return np.sign(x) * (np.abs(x) >> 12)


def shift(x: np.ndarray, exp: int) -> np.ndarray:
    """`x << exp`, or `x >> -exp`."""
    return x << exp if exp > 0 else x >> -exp


def stored_weights(
    weight: np.ndarray, *, num_weight_bits: int = 8, sign_mode: str | None = None
) -> np.ndarray:
    """Weights as a core holds them: clipped to the sign mode, low bits cut off."""
    if sign_mode is None:
        sign_mode = (
            "excitatory" if weight.min() >= 0 else "inhibitory" if weight.max() <= 0 else "mixed"
        )
    mixed = int(sign_mode == "mixed")
    sign = -1 if sign_mode == "inhibitory" else 1
    cut = 8 - num_weight_bits + mixed
    clipped = np.clip(sign * weight, -256 * mixed, 255)
    return sign * ((clipped >> cut) << cut)


def loihi_dense(weight: np.ndarray, s: np.ndarray, *, weight_exp: int = 0) -> np.ndarray:
    """Sum over the spikes of one step: `(W s)` shifted, (out,). The shift acts on the sum."""
    return wrap32(shift(wrap32(weight @ s), weight_exp))


def loihi_delayed(
    weight: np.ndarray,
    delays: np.ndarray,
    history: Sequence[np.ndarray],
    *,
    weight_exp: int = 0,
    wide: bool = False,
) -> np.ndarray:
    """Sum arriving now, from `history`: the spikes of steps 0, 1, ... up to the step before.

    The synapses of one delay are summed and shifted together; the shifted sums add up. `wide`:
    Lava's `DelayDense` sums in 64 bits products that it has wrapped to 32, before it shifts.
    """
    total = np.zeros(weight.shape[0], dtype=np.int64)
    for delay in range(int(delays.max()) + 1):
        if delay < len(history):
            of_delay = np.where(delays == delay, weight, 0)
            if wide:
                products = wrap32(of_delay * history[-1 - delay])
                total += shift(products.sum(axis=1), weight_exp)
            else:
                total += loihi_dense(of_delay, history[-1 - delay], weight_exp=weight_exp)
    return wrap32(total)


def loihi_conv2d(
    kernel: np.ndarray,
    x: np.ndarray,
    *,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> np.ndarray:
    """Correlation of x (channels, height, width) with a torch kernel, wrapped to 24 bits.

    Kernels are neither clipped nor truncated nor shifted: Lava's model does nothing of it.
    """
    n_out, n_in = kernel.shape[:2]
    x = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2))
    reach = [dilation[i] * (kernel.shape[2 + i] - 1) + 1 for i in (0, 1)]
    height, width = ((x.shape[1 + i] - reach[i]) // stride[i] + 1 for i in (0, 1))
    a = np.zeros((n_out, height, width), dtype=np.int64)
    for channel in range(n_out):
        first = channel // (n_out // groups) * n_in
        for row in range(height):
            for column in range(width):
                top, left = row * stride[0], column * stride[1]
                patch = x[
                    first : first + n_in,
                    top : top + reach[0] : dilation[0],
                    left : left + reach[1] : dilation[1],
                ]
                a[channel, row, column] = (kernel[channel] * patch).sum()
    return (a + STATE_LIMIT) % (2 * STATE_LIMIT) - STATE_LIMIT


def loihi_lif_step(
    a: np.ndarray,
    u: np.ndarray,
    v: np.ndarray,
    *,
    du: np.ndarray,
    dv: np.ndarray,
    v_th: np.ndarray,
    bias_mant: np.ndarray,
    bias_exp: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`u`, `v` and spikes after one step; `v` is 0 where it fired.

    The current is folded back once: an input beyond 3 x 2^23 leaves it outside 24 bits, in Lava
    too. The products of a 24-bit state and a 12-bit decay need more than 32 bits.
    """
    u, v = lif_update(a, u, v, du=du, dv=dv, bias_mant=bias_mant, bias_exp=bias_exp)
    s = v > (v_th << 6)
    return u, np.where(s, 0, v), s


def lif_update(a, u, v, *, du, dv, bias_mant, bias_exp) -> tuple[np.ndarray, np.ndarray]:
    """`u` and `v` of one step before anything fires."""
    u = wrap32(trunc0(u * (4096 - (du + 1))) + wrap32(a << 6))
    u = np.where(u > STATE_LIMIT, u - 2 * STATE_LIMIT, u)
    u = np.where(u <= -STATE_LIMIT, u + 2 * STATE_LIMIT, u)
    bias = np.where(
        bias_exp >= 0, bias_mant << np.maximum(bias_exp, 0), bias_mant >> np.maximum(-bias_exp, 0)
    )
    v = wrap32(wrap32(trunc0(v * (4096 - dv)) + u) + bias)
    return u, np.clip(v, -(STATE_LIMIT - 1), STATE_LIMIT - 1)


def lif_step(p: GoldenPopulation, a: np.ndarray, state: dict) -> np.ndarray:
    """One step of a LIF neuron of any kind; changes `state` (u, v, rest), returns what is sent."""
    constants = {n: getattr(p, n) for n in ("du", "dv", "bias_mant", "bias_exp")}
    u, v = lif_update(a, state["u"], state["v"], **constants)
    v = np.where(state["rest"] > 0, 0, v)
    rest = np.maximum(state["rest"] - 1, 0)
    above = v > p.v_th << 6
    below = np.zeros_like(above) if p.v_th_low is None else v < p.v_th_low << 6
    fired = above | below
    if p.emits == "nothing":
        fired[:] = False
    sent = v >> 6 if p.emits == "graded" else above.astype(np.int64) - below
    sent = np.where(fired, sent, 0)
    if p.reset == "zero":
        v = np.where(fired, 0, v)
    elif p.reset == "subtract":
        low = 0 if p.v_th_low is None else p.v_th_low << 6
        v = np.where(fired, v - np.where(above, p.v_th << 6, low), v)
    state.update(u=u, v=v, rest=np.where(fired, p.refractory, rest))
    return sent


def sigma_delta_step(p: GoldenSigmaDelta, a: np.ndarray, state: dict) -> np.ndarray:
    """One step of a sigma-delta neuron or encoder; `state`: u (sigma), v (act), residue, error."""
    exp = p.spike_exp + p.state_exp
    if p.integrates:
        state["u"] = wrap32(state["u"] + a)
        act = wrap32(state["u"] + (p.bias << exp))
        act = np.maximum(act, 0) if p.activation == "relu" else act
    else:
        act = wrap32(a << exp)
    delta = wrap32(act - state["v"] + state["residue"])
    compared = delta
    if p.cum_error:
        compared = wrap32(state["error"] + delta)
    sent = np.where(wrap32(np.abs(compared)) >= p.v_th << exp, delta, 0)
    if p.cum_error:
        state["error"] = np.where(sent != 0, 0, compared)
    state.update(v=act, residue=wrap32(delta - sent))
    return sent >> p.state_exp


def graded_vec_step(p: GoldenVec, a: np.ndarray, state: dict) -> np.ndarray:
    """One step of a graded vector: what arrived (u) is sent or forgotten, v is always cleared."""
    state["u"] = a
    return np.where((a if p.activation == "relu" else wrap32(np.abs(a))) > p.v_th, a, 0)


def step(p: AnyGolden, a: np.ndarray, state: dict) -> np.ndarray:
    """One step of a population of any kind."""
    if isinstance(p, GoldenVec):
        return graded_vec_step(p, a, state)
    return (
        sigma_delta_step(p, a, state) if isinstance(p, GoldenSigmaDelta) else lif_step(p, a, state)
    )


STATES = ("u", "v", "rest", "residue", "error")


def simulate_reference(
    populations: Sequence[AnyGolden],
    projections: Sequence[GoldenProjection],
    inputs: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Run a network on `inputs` (steps, *shape); u, v, s of every population, (steps, neurons)."""
    return [(r["u"], r["v"], r["s"]) for r in record_reference(populations, projections, inputs)]


def record_reference(
    populations: Sequence[AnyGolden],
    projections: Sequence[GoldenProjection],
    inputs: np.ndarray,
) -> list[dict[str, np.ndarray]]:
    """All states of every population, (steps, neurons), and `s`, what it sent.

    A spike of step j reaches its targets in step j + 1 at the earliest, recurrent or not.
    """
    sent: dict[int, list[np.ndarray]] = {INPUT: list(inputs.reshape(len(inputs), -1))}
    sent |= {i: [] for i in range(len(populations))}
    states = [{n: np.zeros(_size(p), np.int64) for n in STATES} for p in populations]
    records: list[dict[str, list]] = [{n: [] for n in (*STATES, "s")} for _ in populations]
    for t in range(len(inputs)):
        arrived = [np.zeros(_size(p), np.int64) for p in populations]
        for p in projections:
            shape = inputs.shape[1:] if p.source == INPUT else populations[p.source].shape
            arrived[p.target] += _arrival(p, sent[p.source][:t], shape)
        for i, p in enumerate(populations):
            if p.reset_interval and (t + 1 - p.reset_offset) % p.reset_interval == 0:
                states[i] = {n: np.zeros(_size(p), np.int64) for n in STATES}
            s = step(p, wrap32(arrived[i]), states[i])
            sent[i].append(s)
            for name, values in (states[i] | {"s": s}).items():
                records[i][name].append(values)
    return [{name: np.stack(x) for name, x in record.items()} for record in records]


def _arrival(p: GoldenProjection, history: Sequence[np.ndarray], shape: tuple[int, ...]):
    """What one projection delivers after `history`, the source's spikes of all earlier steps."""
    if not history:
        return 0
    if p.num_message_bits == 0:
        history = [(s != 0).astype(np.int64) for s in history]
    if p.kind == "conv":
        geometry = {n: getattr(p, n) for n in ("stride", "padding", "dilation", "groups")}
        return loihi_conv2d(p.weight, history[-1].reshape(shape), **geometry).ravel()
    weight = stored_weights(p.weight, num_weight_bits=p.num_weight_bits, sign_mode=p.sign_mode)
    if p.kind in ("dense", "sparse"):
        return loihi_dense(weight, history[-1], weight_exp=p.weight_exp)
    assert p.delays is not None
    wide = p.kind == "delay_dense"
    return loihi_delayed(weight, p.delays, history, weight_exp=p.weight_exp, wide=wide)


def _size(p: AnyGolden) -> int:
    return int(np.prod(p.shape))


# --- networks of the contract, of every kind of neuron and synapse -------------------------------


def network_reference(net: Network, sample: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """u, v and messages s of every population of an integer network in its own steps.

    sample (steps, *shape). The network runs as on a chip, every projection taking a step, and each
    population is cleared, and silent before, in its first step. Messages are stored whole.
    """
    late, late_by = retime(net)
    n_steps = len(sample)
    window = n_steps + max(late_by.values())
    size = {p.name: size_of(p.shape) for p in late.populations}
    sent: dict[str, list] = {p.name: [] for p in late.populations}
    traces: dict[str, dict[str, list]] = {p.name: {"u": [], "v": []} for p in late.populations}
    state = {name: _cleared(n) for name, n in size.items()}
    flat = np.zeros((window, size[late.inputs[0].name]), np.int64)
    flat[:n_steps] = sample.reshape(n_steps, -1)
    synapses = {p: _listed(late, p) for p in late.projections}
    for t in range(window):
        for p in late.populations:
            if p.neuron is None:
                sent[p.name].append(flat[t])
                continue
            a = sum((_brought(q, synapses[q], sent[q.source][:t], size[p.name], t)
                     for q in late.into(p.name)), np.zeros(size[p.name], np.int64))  # fmt: skip
            if t == late_by[p.name]:
                state[p.name] = _cleared(size[p.name])
            s = step(_golden(p), wrap32(a), state[p.name])
            silent = t < late_by[p.name] or p.neuron.emits == "nothing"
            sent[p.name].append(np.zeros_like(s) if silent else s)
            for name, trace in traces[p.name].items():
                trace.append(state[p.name][name])
    own = {name: slice(late_by[name], late_by[name] + n_steps) for name in sent}
    return {
        name: {"s": np.stack(values)[own[name]]}
        | {x: np.stack(trace)[own[name]] for x, trace in traces[name].items() if trace}
        for name, values in sent.items()
    }


def _cleared(n: int) -> dict[str, np.ndarray]:
    return {name: np.zeros(n, np.int64) for name in STATES}


def _listed(net: Network, p: Projection) -> list[tuple[int, int, int, int]]:
    """Every synapse: target, source, weight, delay."""
    synapses = p.synapses
    if isinstance(synapses, Sparse):
        ends = zip(synapses.target, synapses.source, synapses.weight, strict=True)
        delays = np.broadcast_to(p.delay, synapses.weight.shape)
        return [(*map(int, end), int(d)) for end, d in zip(ends, delays, strict=True)]
    dense = isinstance(synapses, Dense)
    ends = (net[p.source].shape, net[p.target].shape)
    weight = synapses.weight if dense else unrolled(synapses, *ends)
    delays = np.broadcast_to(p.delay, weight.shape)
    return [(i, j, int(w), int(delays[i, j])) for (i, j), w in np.ndenumerate(weight) if w]


def _brought(p: Projection, synapses, history, n: int, t: int) -> np.ndarray:
    """Sums that arrive over a projection in step t; those of each delay are shifted apart."""
    assert p.word is not None
    sums: dict[int, np.ndarray] = {}
    for target, source, weight, delay in synapses:
        if t >= delay:
            s = int(history[t - delay][source])
            s = s if p.word.message_bits else int(s != 0)
            sums.setdefault(delay, np.zeros(n, np.int64))[target] += weight * s
    total = np.zeros(n, np.int64)
    for arrived in sums.values():
        arrived = shift(wrap32(arrived), p.word.exp)
        if isinstance(p.synapses, Conv2d):
            arrived = (arrived + STATE_LIMIT) % (2 * STATE_LIMIT) - STATE_LIMIT
        total += arrived
    return wrap32(total)


def _golden(p: Population) -> AnyGolden:
    """A population with its constants spread over the neurons, for `step`."""
    neuron = p.neuron
    names = [f.name for f in fields(neuron)]
    values = {name: getattr(neuron, name) for name in names}
    values = {
        name: np.broadcast_to(x, p.shape).reshape(-1) if isinstance(x, np.ndarray) else x
        for name, x in values.items()
    }
    values |= {"shape": p.shape, "reset_interval": None, "reset_offset": 0}
    kind = {"SigmaDelta": GoldenSigmaDelta, "GradedVec": GoldenVec}.get(
        type(neuron).__name__, GoldenPopulation
    )
    held = {f.name: values.get(f.name) for f in fields(kind)}
    return kind(**held)


def unrolled(conv, source: tuple[int, ...], target: tuple[int, ...]) -> np.ndarray:
    """The matrix (target neurons, source neurons) of a convolution, tap by tap."""
    matrix = np.zeros((*target, *source), dtype=conv.weight.dtype)
    n_out, n_in, k_h, k_w = conv.weight.shape
    for o, y, x in np.ndindex(*target):
        for i, ky, kx in np.ndindex(n_in, k_h, k_w):
            row = y * conv.stride[0] - conv.padding[0] + ky * conv.dilation[0]
            column = x * conv.stride[1] - conv.padding[1] + kx * conv.dilation[1]
            if 0 <= row < source[1] and 0 <= column < source[2]:
                channel = o // (n_out // conv.groups) * n_in + i
                matrix[o, y, x, channel, row, column] = conv.weight[o, i, ky, kx]
    return matrix.reshape(int(np.prod(target)), int(np.prod(source)))


def simulate_real_reference(neuron, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`u`, `v` and what is emitted by real neurons that receive `a` (steps, neurons)."""
    n_steps, n = a.shape
    u = np.zeros(n)
    v = np.broadcast_to(neuron.v_init, n).astype(float)
    fired, rest = np.zeros(n, dtype=bool), np.zeros(n, dtype=int)
    records = []
    last = np.zeros(n)
    for t in range(n_steps):
        v_th = neuron.v_th[t] if neuron.v_th.ndim == 2 else neuron.v_th
        v_th = np.broadcast_to(v_th, n)
        u = neuron.decay_u * u + a[t]
        if neuron.reset_late and neuron.reset == "zero":
            v = np.where(fired, 0.0, v)
        v = neuron.decay_v * v + u + neuron.bias
        if neuron.reset_late and neuron.reset == "subtract":
            v = np.where(fired, v - last, v)
        v = np.where(rest > 0, 0.0, v)
        rest = np.maximum(rest - 1, 0)
        fired = (v >= v_th) if neuron.fires == "reached" else (v > v_th)
        if neuron.emits == "nothing":
            fired = np.zeros(n, dtype=bool)
        emitted = np.where(fired, v if neuron.emits == "graded" else 1.0, 0.0)
        rest = np.where(fired, neuron.refractory, rest)
        if not neuron.reset_late and neuron.reset == "zero":
            v = np.where(fired, 0.0, v)
        if not neuron.reset_late and neuron.reset == "subtract":
            v = np.where(fired, v - v_th, v)
        last = v_th
        records.append((u, v, emitted))
    return tuple(np.stack(x) for x in zip(*records, strict=True))
