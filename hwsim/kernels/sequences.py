"""Real neurons over whole sequences of arriving sums: where layers run one after the other."""

import numpy as np

from hwsim._accelerate import njit, prange


@njit(parallel=True)
def run_neurons(a, how, decay_u, decay_v, bias, v_th, u, v, fired, rest, first, out):
    """Advance neurons [`Neuron`] by some steps; states are carried in `u`, `v`, `fired`, `rest`.

    a: arriving sums, (samples, steps, neurons). how: reset (0 zero, 1 subtract, 2 none), late,
    reached, refractory steps, emits (0 spikes, 1 graded, 2 nothing). decay_u, decay_v, bias
    (neurons,). v_th: (1, neurons), or a row per step. first: number of the first step. u, v,
    fired, rest: (samples, neurons); fired and rest int64. out: what is sent, shape of `a`, all 0
    before.
    """
    reset, late, reached, refractory, emits = how[0], how[1], how[2], how[3], how[4]
    for s in prange(a.shape[0]):
        for t in range(a.shape[1]):
            th = v_th[min(first + t, v_th.shape[0] - 1)]
            before = v_th[max(0, min(first + t - 1, v_th.shape[0] - 1))]
            for n in range(a.shape[2]):
                u_n = decay_u[n] * u[s, n] + a[s, t, n]
                v_n = v[s, n]
                carried = late == 1 and fired[s, n] == 1
                if carried and reset == 0:
                    v_n = 0.0
                v_n = decay_v[n] * v_n + u_n + bias[n]
                if carried and reset == 1:
                    v_n -= before[n]
                if rest[s, n] > 0:
                    v_n = 0.0
                    rest[s, n] -= 1
                fires = emits != 2 and (v_n > th[n] or (reached == 1 and v_n >= th[n]))
                if fires:
                    out[s, t, n] = v_n if emits == 1 else 1
                if fires:
                    rest[s, n] = refractory
                    if late == 0 and reset == 0:
                        v_n = 0.0
                    elif late == 0 and reset == 1:
                        v_n -= th[n]
                fired[s, n] = 1 if fires else 0
                u[s, n], v[s, n] = u_n, v_n
    return np.int64(0)
