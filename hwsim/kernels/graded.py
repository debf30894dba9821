"""Neurons whose messages are numbers: sigma-delta neurons, encoders, graded vectors.

One step of one population, as a plain loop over its neurons. Everything is wrapped to 32 bits, as
in Lava's `fixed_pt` models. All arrays are (neurons,).
"""

import numpy as np

from hwsim._accelerate import njit


@njit()
def step_sigma_delta(
    a, bias, v_th, relu, integrates, cum_error, spike_exp, state_exp, fires, u, v, residue, error,
    sent, now,
):  # fmt: skip
    """Advance sigma-delta neurons or encoders by a step [`SigmaDelta`].

    a: arriving sums. bias, v_th: shifted left by `spike_exp + state_exp` already. fires: False for
    a read-out, and before the step in which the state is cleared. u: sigma. v: the activation.
    residue, error: the rest of the state. sent: messages, 0 for none. now: 1 where the update was
    active: something arrived, the activation changed, or a change had been left over.
    """
    for n in range(u.shape[0]):
        a_n = np.int32(a[n])
        if integrates:
            u[n] = np.int32(u[n] + a_n)
            new = np.int32(u[n] + bias[n])
            if relu and new < 0:
                new = np.int32(0)
        else:
            new = np.int32(a_n << (spike_exp + state_exp))
        now[n] = (a_n != 0) | (new != v[n]) | (residue[n] != 0)
        delta = np.int32(np.int32(new - v[n]) + residue[n])
        compared = np.int32(error[n] + delta) if cum_error else delta
        # the magnitude of -2^31 wraps to itself, below any threshold
        out = delta if np.int32(abs(np.int64(compared))) >= v_th[n] else np.int32(0)
        if cum_error:
            error[n] = compared if out == 0 else 0
        residue[n] = np.int32(delta - out)
        v[n] = new
        sent[n] = out >> state_exp if fires else 0


@njit()
def step_graded_vec(a, v_th, relu, fires, u, v, sent, now):
    """Pass on what arrived where it is beyond the threshold [`GradedVec`].

    u: what arrived. v: cleared. The rest as in `step_sigma_delta`.
    """
    for n in range(u.shape[0]):
        a_n = np.int32(a[n])
        compared = a_n if relu else np.int32(abs(np.int64(a_n)))
        u[n] = a_n
        v[n] = 0
        sent[n] = a_n if fires and compared > v_th[n] else 0
        now[n] = a_n != 0
