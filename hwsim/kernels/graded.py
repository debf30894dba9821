"""Neurons whose messages are numbers: sigma-delta neurons, encoders, graded vectors.

One step of one population, as plain loops over its neurons. Everything is wrapped to 32 bits, as
in Lava's `fixed_pt` models. All arrays are (neurons,); `a` are arriving sums.
"""

import numpy as np

from hwsim._accelerate import njit


@njit(allocates=False)
def step_sigma_delta(
    a, bias, v_th, relu, integrates, cum_error, spike_exp, state_exp, u, v, residue, error, sent
):
    """Advance sigma-delta neurons or encoders by a step [`SigmaDelta`].

    bias, v_th: shifted left by `spike_exp + state_exp` already. u: sigma. v: the activation.
    residue, error: the rest of the state. sent: messages, 0 for none; it may be `a` itself.
    """
    for n in range(u.shape[0]):
        a_n = np.int32(a[n])
        if integrates:
            u[n] = np.int32(u[n] + a_n)
        new = activation(a_n, bias[n], relu, integrates, spike_exp + state_exp, u[n])
        delta = np.int32(np.int32(new - v[n]) + residue[n])
        compared = np.int32(error[n] + delta) if cum_error else delta
        # the magnitude of -2^31 wraps to itself, below any threshold
        out = delta if np.int32(abs(np.int64(compared))) >= v_th[n] else np.int32(0)
        if cum_error:
            error[n] = compared if out == 0 else 0
        residue[n] = np.int32(delta - out)
        v[n] = new
        sent[n] = out >> state_exp


@njit(allocates=False)
def activation(a, bias, relu, integrates, exp, sigma):
    """The activation of one neuron, `sigma` being up to date."""
    if not integrates:
        return np.int32(a << exp)
    new = np.int32(sigma + np.int32(bias))
    return np.int32(0) if relu and new < 0 else new


@njit(allocates=False)
def mark_sigma_delta(a, bias, relu, integrates, spike_exp, state_exp, u, v, residue, idle):
    """Before the update: `idle` is 1 where it cannot change a state.

    Nothing arrives, the activation is not about to change, and no change was left over.
    """
    for n in range(u.shape[0]):
        a_n = np.int32(a[n])
        sigma = np.int32(u[n] + a_n)
        new = activation(a_n, bias[n], relu, integrates, spike_exp + state_exp, sigma)
        idle[n] = (a_n == 0) & (new == v[n]) & (residue[n] == 0)


@njit(allocates=False)
def step_graded_vec(a, v_th, relu, u, v, sent):
    """Pass on what arrived where it is beyond the threshold [`GradedVec`].

    u: what arrived. v: cleared. sent: as in `step_sigma_delta`.
    """
    for n in range(u.shape[0]):
        a_n = np.int32(a[n])
        compared = a_n if relu else np.int32(abs(np.int64(a_n)))
        u[n] = a_n
        v[n] = 0
        sent[n] = a_n if compared > v_th[n] else np.int32(0)


@njit(allocates=False)
def mark_graded_vec(a, idle):
    """`idle` is 1 where nothing arrives."""
    for n in range(a.shape[0]):
        idle[n] = a[n] == 0
