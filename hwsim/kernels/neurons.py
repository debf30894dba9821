"""From arriving sums to states and spikes."""

import numpy as np

from hwsim._accelerate import njit, prange

U_HALF = 1 << 23  # the current wraps at 24 bits
V_MAX = (1 << 23) - 1  # the potential saturates there


@njit()
def _fold_current(u, keep_u, a):
    """`u <- trunc0(u keep) + (a << 6)`, folded back once into 24 bits."""
    for n in range(u.shape[0]):
        u_n = np.trunc(u[n] * keep_u[n]) + a[n] * 64.0
        u_n = u_n - (2.0 * U_HALF if u_n > U_HALF else 0.0)
        u[n] = u_n + (2.0 * U_HALF if u_n <= -U_HALF else 0.0)


@njit()
def _saturate_potential(v, keep_v, u, bias):
    """`v <- clip(trunc0(v keep) + u + bias)`."""
    for n in range(v.shape[0]):
        v_n = np.trunc(v[n] * keep_v[n]) + u[n] + bias[n]
        v_n = v_n if v_n < V_MAX else float(V_MAX)
        v[n] = v_n if v_n > -V_MAX else -float(V_MAX)


@njit()
def _fire_to_zero(v, v_th, spikes):
    for n in range(v.shape[0]):
        fired = v[n] > v_th[n]
        spikes[n] = fired
        v[n] = 0.0 if fired else v[n]


@njit()
def _fire_and_subtract(v, v_th, spikes):
    for n in range(v.shape[0]):
        fired = v[n] > v_th[n]
        spikes[n] = fired
        v[n] = v[n] - (v_th[n] if fired else 0.0)


@njit()
def _fire_only(v, v_th, spikes):
    for n in range(v.shape[0]):
        spikes[n] = v[n] > v_th[n]


@njit()
def _count_idle(a, u, keep_u, v, bias):
    """Neurons whose state cannot change: no input, no state, no bias.

    A current of which nothing is kept (`du = 4095`) is no state.
    """
    n_idle = 0
    for n in range(u.shape[0]):
        n_idle += (a[n] == 0) & (u[n] * keep_u[n] == 0.0) & (v[n] == 0.0) & (bias[n] == 0.0)
    return n_idle


@njit(parallel=True)
def step_fixed(
    a, keep_u, keep_v, v_th, bias, reset, fires, start, bounds, run_part, t0, t1, u, v, spikes,
    n_active, u_out, v_out,
):  # fmt: skip
    """Advance integer neurons [Lava `fixed_pt`; `FixedNeuron`].

    The integers live in float64, which holds them exactly: a 24-bit state times a 12-bit factor
    has 36 bits, and 2^-12 moves the point only. So the loops run in vector registers.

    keep_u, keep_v (neurons,): (4095 - du) / 4096 and (4096 - dv) / 4096. v_th: shifted
    threshold. reset: 0 zero, 1 subtract, 2 none. fires: False for a read-out. The state is
    cleared before the update of step `start`, and nothing fires before it: a bias would, and
    through a delay be heard later. n_active (samples, steps, parts): updates that could change a
    state, by the parts whose runs of neurons `bounds` (runs + 1,) and `run_part` (runs,) list.
    u_out, v_out (samples, steps or 0, neurons): probes.
    """
    probe_u, probe_v = u_out.shape[1] > 0, v_out.shape[1] > 0
    for b in prange(a.shape[0]):
        for t in range(t0, t1):
            if t == start:
                u[b, :] = 0.0
                v[b, :] = 0.0
            for part in range(bounds.shape[0] - 1):
                i, j = bounds[part], bounds[part + 1]
                n_idle = _count_idle(a[b, t, i:j], u[b, i:j], keep_u[i:j], v[b, i:j], bias[i:j])
                n_active[b, t, run_part[part]] += j - i - n_idle
            _fold_current(u[b], keep_u, a[b, t])
            _saturate_potential(v[b], keep_v, u[b], bias)
            if fires and t >= start:
                if reset == 0:
                    _fire_to_zero(v[b], v_th, spikes[b, t])
                elif reset == 1:
                    _fire_and_subtract(v[b], v_th, spikes[b, t])
                else:
                    _fire_only(v[b], v_th, spikes[b, t])
            if probe_u:
                for n in range(u.shape[1]):
                    u_out[b, t, n] = np.int64(u[b, n])
            if probe_v:
                for n in range(v.shape[1]):
                    v_out[b, t, n] = np.int64(v[b, n])


@njit(parallel=True)
def step_real(
    a, decay_u, decay_v, v_th, bias, reset, late, reached, emits, refractory, t0, t1, u, v, fired,
    rest, spikes, u_out, v_out,
):  # fmt: skip
    """Advance real neurons [`Neuron`].

    v_th (steps or 1, neurons). reset as in `step_fixed`. emits: 0 nothing, 1 spikes, 2 graded.
    fired, rest (samples, neurons): whether the last step fired, refractory steps left.
    """
    probe_u, probe_v = u_out.shape[1] > 0, v_out.shape[1] > 0
    for b in prange(a.shape[0]):
        for t in range(t0, t1):
            row = t if v_th.shape[0] > 1 else 0
            for n in range(a.shape[2]):
                theta = v_th[row, n]
                u_n = decay_u[n] * u[b, n] + a[b, t, n]
                v_n = v[b, n]
                if late and fired[b, n] and reset == 0:
                    v_n = 0.0
                v_n = decay_v[n] * v_n + u_n + bias[n]
                if late and fired[b, n] and reset == 1:
                    v_n -= v_th[row - 1 if row > 0 else 0, n]
                if rest[b, n] > 0:
                    rest[b, n] -= 1
                    v_n = 0.0
                fire = emits != 0 and (v_n > theta or (reached and v_n == theta))
                out = 0.0
                if fire:
                    out = v_n if emits == 2 else 1.0
                    rest[b, n] = refractory
                    if not late:
                        if reset == 0:
                            v_n = 0.0
                        elif reset == 1:
                            v_n -= theta
                fired[b, n] = fire
                spikes[b, t, n] = out
                u[b, n] = u_n
                v[b, n] = v_n
                if probe_u:
                    u_out[b, t, n] = u_n
                if probe_v:
                    v_out[b, t, n] = v_n
