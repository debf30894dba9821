"""From arriving sums to states and fired neurons: passes over the neurons of a population.

Every pass is one plain loop, so that it runs in vector registers. `a` (neurons,) counts in `unit`s;
`fired` (neurons,) is 1 where a neuron crossed its threshold, or -1 its lower one.
"""

import numpy as np

from hwsim._accelerate import njit

U_HALF = 1 << 23  # the current wraps at 24 bits
V_MAX = (1 << 23) - 1  # the potential saturates there
HALF, FULL, TOP = np.int32(U_HALF), np.int32(2 * U_HALF), np.int32(V_MAX)


@njit(allocates=False, inline=True)
def _fixed(a, keep_u, keep_v, bias, u, v):
    """Current and potential of one of a chip's neurons; a: what arrives, in units of `u`."""
    u = np.int32(np.int32(u * keep_u) + a)
    if u > HALF:
        u = np.int32(u - FULL)
    if u <= -HALF:
        u = np.int32(u + FULL)
    v = np.int32(np.int32(np.int32(v * keep_v) + u) + bias)
    if v > TOP:
        v = TOP
    if v < -TOP:
        v = np.int32(-TOP)
    return u, v


@njit(allocates=False)
def integrate_fixed(a, unit, keep_u, keep_v, bias, u, v):
    """Current and potential of a chip's neurons [`FixedNeuron`]; sums wrap at 32 bits, as Lava's.

    `u <- trunc0(u keep_u) + a unit`, folded once into 24 bits; `v <- clip(trunc0(v keep_v) + u +
    bias)`. keep_u, keep_v: (4095 - du) / 4096 and (4096 - dv) / 4096: the product of a state and a
    12-bit factor has up to 44 bits, which float64 holds, and 2^-12 moves the point only.
    """
    for n in range(u.shape[0]):
        a_n, b_n = np.int32(a[n] * np.int32(unit)), np.int32(bias[n])
        u[n], v[n] = _fixed(a_n, keep_u[n], keep_v[n], b_n, u[n], v[n])


@njit(allocates=False)
def integrate_alike(a, unit, keep_u, keep_v, bias, u, v):
    """`integrate_fixed` where decays and bias of all neurons are those of the first.

    Returns how many neurons it leaves without state or bias, see `mark_idle`.
    """
    k_u, k_v, b = keep_u[0], keep_v[0], np.int32(bias[0])
    kept = np.int32(-1 if k_u != 0 else 0)
    n_still = np.int32(0)
    for n in range(u.shape[0]):
        u_n, v_n = _fixed(np.int32(a[n] * np.int32(unit)), k_u, k_v, b, u[n], v[n])
        u[n], v[n] = u_n, v_n
        n_still = np.int32(n_still + np.int32(((u_n & kept) | v_n | b) == 0))
    return n_still


@njit(allocates=False)
def integrate_real(a, unit, decay_u, decay_v, bias, u, v):
    """Current and potential of real neurons [`Neuron`]."""
    for n in range(u.shape[0]):
        u_n = decay_u[n] * u[n] + a[n] * unit
        u[n] = u_n
        v[n] = decay_v[n] * v[n] + u_n + bias[n]


@njit(allocates=False)
def integrate_real_alike(a, unit, decay_u, decay_v, bias, u, v):
    """`integrate_real` where the decays of all neurons are those of the first."""
    k_u, k_v = decay_u[0], decay_v[0]
    for n in range(u.shape[0]):
        u_n = k_u * u[n] + a[n] * unit
        u[n] = u_n
        v[n] = k_v * v[n] + u_n + bias[n]


@njit(allocates=False)
def integrate_real_late(a, unit, decay_u, decay_v, bias, reset, v_th, fired, u, v):
    """`integrate_real` where the reset of the last step acts now: `fired` and `v_th` are its."""
    for n in range(u.shape[0]):
        u_n = decay_u[n] * u[n] + a[n] * unit
        u[n] = u_n
        v_n = 0.0 if fired[n] != 0 and reset == 0 else v[n]
        v_n = decay_v[n] * v_n + u_n + bias[n]
        v[n] = v_n - v_th[n] if fired[n] != 0 and reset == 1 else v_n


@njit(allocates=False)
def hold(rest, v):
    """Neurons that rest keep `v` at 0. rest (neurons,): steps left."""
    for n in range(v.shape[0]):
        v[n] = 0 if rest[n] > 0 else v[n]
        rest[n] = rest[n] - 1 if rest[n] > 0 else 0


@njit(allocates=False)
def fire_above(v, v_th, fired):
    """Fire where `v > v_th`."""
    for n in range(v.shape[0]):
        fired[n] = v[n] > v_th[n]


@njit(allocates=False)
def fire_reached(v, v_th, fired):
    """Fire where `v >= v_th`."""
    for n in range(v.shape[0]):
        fired[n] = v[n] >= v_th[n]


@njit(allocates=False)
def fire_either(v, v_th, v_th_low, fired):
    """Fire +1 where `v > v_th`, -1 where `v < v_th_low`."""
    for n in range(v.shape[0]):
        fired[n] = np.int8(v[n] > v_th[n]) - np.int8(v[n] < v_th_low[n])


@njit(allocates=False)
def mark_idle(a, u, keep_u, v, bias, idle):
    """`idle` is 1 where an update cannot change a state: there is no input, state or bias.

    A current of which nothing is kept (`du = 4095`) is no state.
    """
    for n in range(u.shape[0]):
        state = ((u[n] != 0) & (keep_u[n] != 0)) | (v[n] != 0)
        idle[n] = (a[n] == 0) & (not state) & (bias[n] == 0)


@njit(allocates=False)
def mark_idle_alike(a, keep_u, bias, u, v, idle):
    """`mark_idle` where decays and bias of all neurons are those of the first.

    A pass of its own: in one with `integrate_alike` the loop would not run in vector registers.
    """
    kept, b = np.int32(-1 if keep_u[0] != 0 else 0), np.int32(bias[0])
    for n in range(u.shape[0]):
        state = (np.int32(u[n]) & kept) | np.int32(v[n])
        idle[n] = np.int32((np.int32(a[n]) | state | b) == 0)


@njit(allocates=False)
def count_idle(idle):
    """Neurons that are marked."""
    n_idle = np.int32(0)
    for n in range(idle.shape[0]):
        n_idle += idle[n]
    return n_idle
