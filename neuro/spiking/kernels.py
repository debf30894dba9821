"""Time loops of leaky integrate-and-fire neurons: pure functions over arrays.

A *lane* is one neuron of one sample. Lanes are taken in runs whose state stays in the first cache
while all steps pass; inside, one simple loop per matter, so that each becomes vector instructions.
Every array of a call has one dtype, that of `a`; `held` is of bytes.
"""

import numpy as np

from hwsim._accelerate import njit

RUN = 1024  # lanes whose state and constants stay in the first or second cache

ZERO, SUBTRACT, NONE = 0, 1, 2  # what a spike does to the potential
ATAN, FAST_SIGMOID, SIGMOID, BOX, TRIANGLE = range(5)


@njit(allocates=False)
def forward(
    a, decay_u, decay_v, v_th, bias, has_current, reset, late, reached, emits, refractory,
    u, v, owed, rest, out, x, u_kept, held, first, last,
):  # fmt: skip
    """All steps of lanes `first` to `last`.

    One loop after another in one function: a part of it would be compiled in place all the same,
    and would take most of these arrays.

    a, out: (steps, lanes). decay_u, decay_v, bias: (lanes,). v_th: (1, lanes), or a row per step.
    u, v, owed, rest: states (lanes,), in and out. x: potential before the reset, (steps, lanes);
    u_kept: current; held: 1 where the potential was held at zero. Of one row each where they are
    not wanted (`held` of none without a refractory time). emits: 0 nothing, 1 spikes, 2 graded.
    """
    one, zero = a.dtype.type(1), a.dtype.type(0)
    keeps_x, keeps_u = x.shape[0] > 1 or a.shape[0] == 1, u_kept.shape[0] > 1 or a.shape[0] == 1
    per_step = v_th.shape[0] > 1
    for lo in range(first, last, RUN):
        hi = min(last, lo + RUN)
        n = hi - lo
        ku, kv, b, us = decay_u[lo:hi], decay_v[lo:hi], bias[lo:hi], u[lo:hi]
        vs, os, rs = v[lo:hi], owed[lo:hi], rest[lo:hi]
        for t in range(a.shape[0]):
            a_t, out_t, x_t = a[t, lo:hi], out[t, lo:hi], x[t if keeps_x else 0, lo:hi]
            th = v_th[t if per_step else 0, lo:hi]
            if has_current:
                uk = u_kept[t if keeps_u else 0, lo:hi]
                for i in range(n):
                    u_i = ku[i] * us[i] + a_t[i]
                    us[i] = u_i
                    uk[i] = u_i
                a_t = us
            if late:
                for i in range(n):
                    x_t[i] = (kv[i] * vs[i] + a_t[i] + b[i]) - os[i]
            else:
                for i in range(n):
                    x_t[i] = kv[i] * vs[i] + a_t[i] + b[i]
            if refractory > 0:
                held_t = held[t, lo:hi]
                for i in range(n):
                    r = rs[i]
                    held_t[i] = 1 if r > zero else 0
                    x_t[i] = zero if r > zero else x_t[i]
                    rs[i] = max(r - one, zero)
            if emits == 0:
                for i in range(n):
                    out_t[i] = x_t[i]
                    vs[i] = x_t[i]
                continue
            if reached:
                for i in range(n):
                    out_t[i] = one if x_t[i] >= th[i] else zero
            else:
                for i in range(n):
                    out_t[i] = one if x_t[i] > th[i] else zero
            if refractory > 0:
                r_new = a.dtype.type(refractory)
                for i in range(n):
                    rs[i] = r_new if out_t[i] > zero else rs[i]
            if reset == ZERO:
                for i in range(n):
                    vs[i] = zero if out_t[i] > zero else x_t[i]
            elif reset == SUBTRACT and late:
                for i in range(n):
                    os[i] = th[i] * out_t[i]
                    vs[i] = x_t[i]
            elif reset == SUBTRACT:
                for i in range(n):
                    vs[i] = x_t[i] - th[i] * out_t[i]
            else:
                for i in range(n):
                    vs[i] = x_t[i]
            if emits == 2:
                for i in range(n):
                    out_t[i] = out_t[i] * x_t[i]


@njit(allocates=False)
def backward(
    g, x, u_kept, held, decay_u, decay_v, v_th, u_first, v_first, has_current, reset, late,
    reached, emits, detached, bump, shape, height, wants_u, wants_v, wants_th, wants_bias,
    gu, gv, gowed, ga, g_decay_u, g_decay_v, g_th, g_bias, bumps, spikes, first, last,
):  # fmt: skip
    """Gradients of all steps of lanes `first` to `last`, last step first.

    g: of the output, (steps, lanes). u_first, v_first: states before the first step, (lanes,).
    gu, gv, gowed: of the states after the last step, (lanes,); those before the first come out.
    ga: of `a`, (steps, lanes). g_decay_u, g_decay_v, g_bias: (lanes,), g_th: as `v_th`, all added
    to. bumps, spikes: room for a run of lanes, (RUN,). The others as in `forward`.

    What a reset takes off is `removed = fired x` or `fired v_th`; at once it is taken off `v`,
    late it is owed and taken off the next potential.
    """
    one, zero = g.dtype.type(1), g.dtype.type(0)
    per_step, refractory = v_th.shape[0] > 1, held.shape[0] > 0
    for lo in range(first, last, RUN):
        hi = min(last, lo + RUN)
        n = hi - lo
        ku, kv = decay_u[lo:hi], decay_v[lo:hi]
        gus, gvs, gos = gu[lo:hi], gv[lo:hi], gowed[lo:hi]
        g_ku, g_kv, g_b = g_decay_u[lo:hi], g_decay_v[lo:hi], g_bias[lo:hi]
        for back in range(g.shape[0]):
            t = g.shape[0] - 1 - back
            g_t, x_t, gx = g[t, lo:hi], x[t, lo:hi], ga[t, lo:hi]
            th, g_tht = v_th[t if per_step else 0, lo:hi], g_th[t if per_step else 0, lo:hi]
            if emits == 0:
                for i in range(n):
                    gx[i] = g_t[i] + gvs[i]
            else:
                _bumps(x_t, th, bump, shape, height, bumps)
                if reached:
                    for i in range(n):
                        spikes[i] = one if x_t[i] >= th[i] else zero
                else:
                    for i in range(n):
                        spikes[i] = one if x_t[i] > th[i] else zero
                _through_spike(g_t, x_t, th, spikes, bumps, gvs, gos, reset, late, emits, detached,
                               wants_th, g_tht, gx)  # fmt: skip
            if refractory:
                held_t = held[t, lo:hi]
                for i in range(n):
                    gx[i] = zero if held_t[i] > 0 else gx[i]
            if late:
                for i in range(n):
                    gos[i] = -gx[i]
            for i in range(n):
                gvs[i] = kv[i] * gx[i]
            if wants_bias:
                for i in range(n):
                    g_b[i] += gx[i]
            if wants_v and t == 0:
                vf = v_first[lo:hi]
                for i in range(n):
                    g_kv[i] += gx[i] * vf[i]
            elif wants_v:
                th = v_th[t - 1 if per_step else 0, lo:hi]
                _through_decay(gx, x[t - 1, lo:hi], th, reset, late, reached, emits, g_kv)
            if has_current:
                if wants_u:
                    uf = u_first[lo:hi] if t == 0 else u_kept[t - 1, lo:hi]
                    for i in range(n):
                        gx[i] += gus[i]
                        g_ku[i] += gx[i] * uf[i]
                        gus[i] = ku[i] * gx[i]
                else:
                    for i in range(n):
                        gx[i] += gus[i]
                        gus[i] = ku[i] * gx[i]


@njit(inline=True, allocates=False)
def _through_spike(
    g_t, x, th, spikes, bumps, gv, gowed, reset, late, emits, detached, wants_th, g_th, gx
):
    """Gradient of the potential before the reset, `gx`, and of the threshold, added to `g_th`."""
    zero = gx.dtype.type(0)
    if emits == 1 and detached and not wants_th:  # what most networks are
        if reset == ZERO:
            for i in range(x.shape[0]):
                gx[i] = g_t[i] * bumps[i] + (zero if spikes[i] > zero else gv[i])
        else:
            for i in range(x.shape[0]):
                gx[i] = g_t[i] * bumps[i] + gv[i]
        return
    graded, full = emits == 2, not detached
    zeroes, subtracts = reset == ZERO, reset == SUBTRACT
    for i in range(x.shape[0]):
        g_removed = gowed[i] if late else -gv[i]
        removed = x[i] if zeroes else (th[i] if subtracts else zero)
        g_spike = (g_t[i] * x[i] if graded else g_t[i]) + (g_removed * removed if full else zero)
        through = g_spike * bumps[i]
        direct = gv[i] + (g_t[i] * spikes[i] if graded else zero)
        gx[i] = through + direct + (g_removed * spikes[i] if zeroes else zero)
        g_th[i] += (g_removed * spikes[i] if subtracts else zero) - through


@njit(inline=True, allocates=False)
def _through_decay(gx, x, th, reset, late, reached, emits, g_decay):
    """Add `gx` times the potential carried over from the step before."""
    zero = gx.dtype.type(0)
    if emits == 0 or reset == NONE or late:
        for i in range(x.shape[0]):
            g_decay[i] += gx[i] * x[i]
    else:
        for i in range(x.shape[0]):
            fired = x[i] > th[i] or (reached and x[i] == th[i])
            left = zero if reset == ZERO else x[i] - th[i]
            g_decay[i] += gx[i] * (left if fired else x[i])


@njit(inline=True, allocates=False)
def _bumps(x, th, bump, shape, height, out):
    """Surrogate gradients at `x - th`, see `neuro.spiking.surrogate`.

    shape: alpha, slope or half width. height: of a box or triangle.
    """
    one, zero = x.dtype.type(1), x.dtype.type(0)
    k, h = x.dtype.type(shape), x.dtype.type(height)
    if bump == ATAN:
        half, c = x.dtype.type(shape / 2), x.dtype.type(np.pi * shape / 2)
        for i in range(x.shape[0]):
            y = c * (x[i] - th[i])
            out[i] = half / (one + y * y)
    elif bump == FAST_SIGMOID:
        for i in range(x.shape[0]):
            y = one + k * abs(x[i] - th[i])
            out[i] = one / (y * y)
    elif bump == SIGMOID:
        for i in range(x.shape[0]):
            e = _exp_minus(shape * abs(np.float64(x[i] - th[i])))
            out[i] = x.dtype.type(shape * e / ((1.0 + e) * (1.0 + e)))
    elif bump == BOX:
        for i in range(x.shape[0]):
            out[i] = h if abs(x[i] - th[i]) < k else zero
    else:
        for i in range(x.shape[0]):
            out[i] = h * max(one - abs(x[i] - th[i]) / k, zero)


@njit(inline=True, allocates=False)
def _exp_minus(z):
    """`exp(-z)` for z >= 0, to 1e-13 of itself; beyond 80, that of 80.

    The library's exponential would keep the loop around it from vector instructions. Taylor's
    series of a 256th, squared eight times.
    """
    r = min(z, 80.0) * (-1.0 / 256.0)
    p = 1.0 + r * (1.0 / 11.0)
    for n in (10.0, 9.0, 8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        p = 1.0 + r * p * (1.0 / n)
    for _ in range(8):
        p = p * p
    return p
