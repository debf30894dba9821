"""Inner loops: pure functions over arrays. No objects, no I/O, no randomness.

Everywhere `spikes` is (samples, steps, sources), `a` (samples, steps, targets); samples run in
parallel. A kernel advances the steps `t0 <= t < t1`, so the same code runs a feed-forward layer
over all steps at once and a recurrent one step by step. Real and integer networks share the
delivery kernels: the dtype of `a` decides.
"""

import numpy as np

from hwsim._accelerate import njit, prange

U_HALF = 1 << 23  # the current wraps at 24 bits
V_MAX = (1 << 23) - 1  # the potential saturates there


@njit(parallel=True)
def deliver_dense(spikes, weight, delay, t0, t1, a, n_sops):
    """`a[t + delay] += weight[source] spike[t]`.

    weight (sources, targets). n_sops (samples,) grows by one per fired axon and synapse, where
    the step that reads the axon, t + 1 (t for delay 0), still lies in the window.
    """
    n_steps, n_sources, n_targets = spikes.shape[1], weight.shape[0], weight.shape[1]
    for b in prange(spikes.shape[0]):
        n_fired = 0
        for t in range(t0, t1):
            if t + min(delay, 1) >= n_steps:
                break
            at = t + delay
            for i in range(n_sources):
                s = spikes[b, t, i]
                if s != 0:
                    n_fired += 1
                    if at < n_steps:
                        if s == 1:
                            for j in range(n_targets):
                                a[b, at, j] += weight[i, j]
                        else:
                            for j in range(n_targets):
                                a[b, at, j] += weight[i, j] * s
        n_sops[b] += n_fired * n_targets


@njit(parallel=True)
def deliver_delayed(spikes, weight, delay, t0, t1, a, n_sops):
    """`a[t + delay[source, target]] += weight[source, target] spike[t]`; see `deliver_dense`."""
    n_steps, n_sources, n_targets = spikes.shape[1], weight.shape[0], weight.shape[1]
    for b in prange(spikes.shape[0]):
        n_fired = 0
        for t in range(t0, t1):
            for i in range(n_sources):
                s = spikes[b, t, i]
                if s != 0:
                    n_fired += t + 1 < n_steps
                    for j in range(n_targets):
                        at = t + delay[i, j]
                        if at < n_steps:
                            a[b, at, j] += weight[i, j] * s
        n_sops[b] += n_fired * n_targets


@njit(parallel=True)
def deliver_conv2d(
    spikes, source_hw, target_hw, weight, stride, padding, dilation, delay, t0, t1, a, n_sops
):
    """Scatter every event through the kernel: the convolution is never unrolled.

    weight (source channels, kernel h, kernel w, target channels / groups); neurons of both sides
    in (channel, height, width) order. The sum of a step is kept channel-last, so that the
    innermost loop is contiguous, and turned once per step.
    """
    n_steps = spikes.shape[1]
    height, width = source_hw
    out_h, out_w = target_hw
    n_in, k_h, k_w, per_group = weight.shape
    n_out = a.shape[2] // (out_h * out_w)
    in_per_group = n_in // (n_out // per_group)
    for b in prange(spikes.shape[0]):
        total = np.zeros((out_h, out_w, n_out), dtype=a.dtype)
        sops = 0
        for t in range(t0, t1):
            at = t + delay
            if t + min(delay, 1) >= n_steps:
                break
            any_fired = False
            for i in range(spikes.shape[2]):
                s = spikes[b, t, i]
                if s == 0:
                    continue
                any_fired = True
                c = i // (height * width)
                y = i // width % height
                x = i % width
                first = c // in_per_group * per_group
                for ky in range(k_h):
                    top = y + padding[0] - ky * dilation[0]
                    oy = top // stride[0]
                    if top < 0 or top % stride[0] != 0 or oy >= out_h:
                        continue
                    for kx in range(k_w):
                        left = x + padding[1] - kx * dilation[1]
                        ox = left // stride[1]
                        if left < 0 or left % stride[1] != 0 or ox >= out_w:
                            continue
                        sops += per_group
                        if s == 1:
                            for j in range(per_group):
                                total[oy, ox, first + j] += weight[c, ky, kx, j]
                        else:
                            for j in range(per_group):
                                total[oy, ox, first + j] += weight[c, ky, kx, j] * s
            if not any_fired:
                continue
            if at < n_steps:
                for c in range(n_out):
                    for y in range(out_h):
                        for x in range(out_w):
                            a[b, at, (c * out_h + y) * out_w + x] += total[y, x, c]
            total[:] = 0
        n_sops[b] += sops


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
def _count_idle(a, u, v, bias):
    """Neurons whose state cannot change: no input, no state, no bias."""
    n_idle = 0
    for n in range(u.shape[0]):
        n_idle += (a[n] == 0) & (u[n] == 0.0) & (v[n] == 0.0) & (bias[n] == 0.0)
    return n_idle


@njit(parallel=True)
def step_fixed(
    a, keep_u, keep_v, v_th, bias, reset, fires, start, bounds, t0, t1, u, v, spikes, n_active,
    u_out, v_out,
):  # fmt: skip
    """Advance integer neurons [Lava `fixed_pt`; `FixedNeuron`].

    The integers live in float64, which holds them exactly: a 24-bit state times a 12-bit factor
    has 36 bits, and 2^-12 moves the point only. So the loops run in vector registers.

    keep_u, keep_v (neurons,): (4095 - du) / 4096 and (4096 - dv) / 4096. v_th: shifted
    threshold. reset: 0 zero, 1 subtract, 2 none. fires: False for a read-out. The state is
    cleared before the update of step `start`, and nothing fires before it: a bias would, and
    through a delay be heard later. n_active (samples, steps, parts): updates that could change a
    state, by the parts `bounds` cuts the population into. u_out, v_out (samples, steps or 0,
    neurons): probes.
    """
    probe_u, probe_v = u_out.shape[1] > 0, v_out.shape[1] > 0
    for b in prange(a.shape[0]):
        for t in range(t0, t1):
            if t == start:
                u[b, :] = 0.0
                v[b, :] = 0.0
            for part in range(bounds.shape[0] - 1):
                i, j = bounds[part], bounds[part + 1]
                n_active[b, t, part] = (
                    j - i - _count_idle(a[b, t, i:j], u[b, i:j], v[b, i:j], bias[i:j])
                )
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
def count_events(spikes, part_of, packets, hops_ew, hops_ns, route, out, longest):
    """What the fired neurons of a population send, in one pass over their spikes.

    part_of, packets, hops_ew, hops_ns, route (neurons,): the neuron's part, what one spike of it
    sends, and an ordered code of its longest route. out (samples, steps, parts, 4): grows by
    fired, packets, hops east-west, north-south. longest (samples, steps): largest code used.
    """
    for b in prange(spikes.shape[0]):
        for t in range(spikes.shape[1]):
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    part = part_of[n]
                    out[b, t, part, 0] += 1
                    out[b, t, part, 1] += packets[n]
                    out[b, t, part, 2] += hops_ew[n]
                    out[b, t, part, 3] += hops_ns[n]
                    if route[n] > longest[b, t]:
                        longest[b, t] = route[n]


@njit(parallel=True)
def count_sops(spikes, fan_out, sops):
    """Synapses read in step t + 1 for the spikes of step t: sops (samples, steps, parts) grows.

    fan_out (neurons, parts): synapses of a neuron on each part of the target.
    """
    for b in prange(spikes.shape[0]):
        for t in range(spikes.shape[1] - 1):
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    for part in range(fan_out.shape[1]):
                        sops[b, t + 1, part] += fan_out[n, part]


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
