"""Time loops of leaky integrate-and-fire neurons on a GPU: the kernels of `kernels.py`, in Triton.

A program takes a block of *lanes* (one neuron of one sample each) through all steps; their states
stay in registers, and neighbours in a block read neighbours in memory. Conventions are constants of
the compiler, which leaves out what a layer does not have. Sums over steps are a lane's own, so that
no order of programs can change them.

A constant of neurons is stored once for every `n_...` lanes: 1 for a number, or as many as there
are neurons in a sample, or all; lane i has entry i % n.
"""

import triton
import triton.language as tl


@triton.jit
def forward(
    a, decay_u, decay_v, v_th, bias, u, v, owed, rest, out, x, u_kept, held,
    n_steps, n_lanes, n_u, n_v, n_th, n_bias,
    HAS_CURRENT: tl.constexpr, RESET: tl.constexpr, LATE: tl.constexpr, REACHED: tl.constexpr,
    EMITS: tl.constexpr, REFRACTORY: tl.constexpr, PER_STEP: tl.constexpr,
    KEEPS: tl.constexpr, KEEPS_U: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """All steps of a block of lanes.

    a, out: (steps, lanes), of any precision. u, v, owed, rest: states (lanes,), in and out. x:
    potential before the reset; u_kept: current; held: 1 where the potential was held at zero; each
    (steps, lanes). v_th: (1, n_th), or with PER_STEP a row for every step.
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = lane < n_lanes
    a_at, out_at, x_at, u_at, held_at = a + lane, out + lane, x + lane, u_kept + lane, held + lane
    th_at = v_th + lane % n_th
    ku, kv = tl.load(decay_u + lane % n_u, real), tl.load(decay_v + lane % n_v, real)
    b, th = tl.load(bias + lane % n_bias, real), tl.load(th_at, real)
    us, vs = tl.load(u + lane, real), tl.load(v + lane, real)
    due, wait = tl.load(owed + lane, real), tl.load(rest + lane, real)
    for _ in range(n_steps):
        arriving = tl.load(a_at, real).to(vs.dtype)
        if HAS_CURRENT:
            us = ku * us + arriving
            arriving = us
            if KEEPS_U:
                tl.store(u_at, us, real)
        vs = kv * vs + arriving + b
        if LATE:
            vs = vs - due
        if REFRACTORY > 0:
            tl.store(held_at, wait > 0, real)
            vs = tl.where(wait > 0, 0.0, vs)
            wait = tl.maximum(wait - 1, 0.0)
        if KEEPS:
            tl.store(x_at, vs, real)
        if EMITS == "nothing":
            tl.store(out_at, vs, real)
        else:
            if PER_STEP:
                th = tl.load(th_at, real)
            fired = _fires(vs, th, REACHED)
            if EMITS == "graded":
                tl.store(out_at, tl.where(fired, vs, 0.0), real)
            else:
                tl.store(out_at, tl.where(fired, 1.0, 0.0), real)
            if REFRACTORY > 0:
                wait = tl.where(fired, REFRACTORY + 0.0, wait)
            if LATE:
                due = tl.where(fired, th, 0.0)
            else:
                vs = _left(vs, th, fired, RESET)
        a_at += n_lanes
        out_at += n_lanes
        x_at += n_lanes
        u_at += n_lanes
        held_at += n_lanes
        th_at += n_th
    tl.store(v + lane, vs, real)
    if HAS_CURRENT:
        tl.store(u + lane, us, real)
    if LATE:
        tl.store(owed + lane, due, real)
    if REFRACTORY > 0:
        tl.store(rest + lane, wait, real)


@triton.jit
def backward(
    g, x, u_kept, held, decay_u, decay_v, v_th, u_first, v_first, gu, gv, gowed, ga,
    g_decay_u, g_decay_v, g_th, g_bias,
    n_steps, n_lanes, n_u, n_v, n_th, last, last_th,
    HAS_CURRENT: tl.constexpr, RESET: tl.constexpr, LATE: tl.constexpr, REACHED: tl.constexpr,
    EMITS: tl.constexpr, REFRACTORY: tl.constexpr, PER_STEP: tl.constexpr, DETACHED: tl.constexpr,
    BUMP: tl.constexpr, SHAPE: tl.constexpr, HEIGHT: tl.constexpr,
    WANTS_U: tl.constexpr, WANTS_V: tl.constexpr, WANTS_TH: tl.constexpr, WANTS_BIAS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of all steps of a block of lanes, last step first.

    One function, as its states and pointers stay in registers: a part of it would take and return
    them all.

    g, ga: of the output and of `a`, (steps, lanes), of any precision. u_first, v_first: states
    before the first step, (lanes,). gu, gv, gowed: of the states after the last step, those before
    the first come out. g_decay_u, g_decay_v, g_bias: (lanes,); g_th: (1 or steps, lanes). last,
    last_th: where the last row of (steps, lanes) and of `v_th` begins. The others as in `forward`.

    What a reset takes off is `removed = fired x` or `fired v_th`; at once it is taken off `v`,
    late it is owed and taken off the next potential.
    """
    lane = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    real = lane < n_lanes
    g_at, x_at, ga_at, g_th_at = g + last + lane, x + last + lane, ga + last + lane, g_th + lane
    held_at, u_at, th_at = held + last + lane, u_kept + last + lane, v_th + last_th + lane % n_th
    ku, kv = tl.load(decay_u + lane % n_u, real), tl.load(decay_v + lane % n_v, real)
    gus, gvs = tl.load(gu + lane, real), tl.load(gv + lane, real)
    g_due = tl.load(gowed + lane, real)
    g_ku, g_kv, g_b, g_t = gvs * 0.0, gvs * 0.0, gvs * 0.0, gvs * 0.0
    xs, th = tl.load(x_at, real), tl.load(th_at, real)
    if PER_STEP:
        g_th_at += last
    for back in range(n_steps):
        # an earlier step's values; before the first step, there is what was at the start
        earlier = real & (tl.full([BLOCK], back + 1, tl.int32) < n_steps)
        x_at -= n_lanes
        th_at -= n_th
        x_before = tl.load(x_at, earlier)
        th_before = th
        if PER_STEP:
            th_before = tl.load(th_at, earlier)
        g_out = tl.load(g_at, real).to(gvs.dtype)
        gx = g_out + gvs
        if EMITS != "nothing":
            fired = _fires(xs, th, REACHED)
            g_removed = -gvs
            if LATE:
                g_removed = g_due
            g_spike = g_out
            if EMITS == "graded":
                g_spike = g_out * xs
            if not DETACHED:
                if RESET == "zero":
                    g_spike += g_removed * xs
                if RESET == "subtract":
                    g_spike += g_removed * th
            through = g_spike * _surrogate(xs - th, BUMP, SHAPE, HEIGHT)
            gx = through + gvs
            if RESET == "zero":
                gx = tl.where(fired, through, gx)
            if EMITS == "graded":
                gx += tl.where(fired, g_out, 0.0)
            if WANTS_TH:
                g_now = -through
                if RESET == "subtract":
                    g_now += tl.where(fired, g_removed, 0.0)
                if PER_STEP:
                    tl.store(g_th_at, g_now, real)
                else:
                    g_t += g_now
        if REFRACTORY > 0:
            gx = tl.where(tl.load(held_at, real) > 0, 0.0, gx)
        if LATE:
            g_due = -gx
        gvs = kv * gx
        if WANTS_BIAS:
            g_b += gx
        if WANTS_V:
            left = x_before
            if EMITS != "nothing" and not LATE:
                left = _left(x_before, th_before, _fires(x_before, th_before, REACHED), RESET)
            g_kv += gx * tl.where(earlier, left, tl.load(v_first + lane, real))
        if HAS_CURRENT:
            gx += gus
            gus = ku * gx
            if WANTS_U:
                u_at -= n_lanes
                u_before = tl.load(u_at, earlier)
                g_ku += gx * tl.where(earlier, u_before, tl.load(u_first + lane, real))
        tl.store(ga_at, gx, real)
        xs, th = x_before, th_before
        g_at -= n_lanes
        ga_at -= n_lanes
        held_at -= n_lanes
        g_th_at -= n_lanes
    tl.store(gv + lane, gvs, real)
    if HAS_CURRENT:
        tl.store(gu + lane, gus, real)
    if LATE:
        tl.store(gowed + lane, g_due, real)
    if WANTS_U:
        tl.store(g_decay_u + lane, g_ku, real)
    if WANTS_V:
        tl.store(g_decay_v + lane, g_kv, real)
    if WANTS_BIAS:
        tl.store(g_bias + lane, g_b, real)
    if WANTS_TH and not PER_STEP:
        tl.store(g_th + lane, g_t, real)


@triton.jit
def _fires(x, th, REACHED: tl.constexpr):
    """Where a spike is sent."""
    return x >= th if REACHED else x > th


@triton.jit
def _left(x, th, fired, RESET: tl.constexpr):
    """What a reset at once leaves of the potential."""
    if RESET == "zero":
        x = tl.where(fired, 0.0, x)
    if RESET == "subtract":
        x = tl.where(fired, x - th, x)
    return x


@triton.jit
def _surrogate(d, BUMP: tl.constexpr, SHAPE: tl.constexpr, HEIGHT: tl.constexpr):
    """Gradient of a spike by `d = x - v_th`, see `neuro.spiking.surrogate`."""
    if BUMP == "atan":
        y = (1.5707963267948966 * SHAPE) * d
        bump = (SHAPE / 2) / (1.0 + y * y)
    elif BUMP == "fast_sigmoid":
        y = 1.0 + SHAPE * tl.abs(d)
        bump = 1.0 / (y * y)
    elif BUMP == "sigmoid":
        e = tl.exp(-SHAPE * tl.abs(d))
        bump = SHAPE * e / ((1.0 + e) * (1.0 + e))
    elif BUMP == "box":
        bump = tl.where(tl.abs(d) < SHAPE, HEIGHT + 0.0 * d, 0.0)
    else:
        bump = HEIGHT * tl.maximum(1.0 - tl.abs(d) / SHAPE, 0.0)
    return bump
