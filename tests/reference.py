"""Slow twins of the integer kernels: a Loihi-class core as Lava's `fixed_pt` models define it.

Written to be obviously right, from the equations, with no look at the fast code: everything is
int64, `>>` is arithmetic, history is kept whole. Checked against Lava in test_golden_reference.
"""

from collections.abc import Sequence

import numpy as np

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
