"""A network through a chunk of steps: group by group, inside a group step by step.

Everything that arrives at a neuron in a step is added up in one order, however the steps are cut
into chunks and samples into blocks: spikes of earlier steps first; of those of one step, the
projections from outside the group in the network's order, then those inside; then the neurons.
"""

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels import counting, deliver, graded, neurons
from hwsim.kernels.events import BYTE, EIGHTH, FIRST_BIT
from hwsim.kernels.intrinsics import lowest_bit
from hwsim.kernels.tables import (
    ABOVE,
    FIXED,
    GRADED_VEC,
    INPUT,
    KERNELS,
    LISTED,
    MESSAGE,
    NEVER,
    PAD,
    REACHED,
    REAL,
    SHIFTED,
    SUBTRACT,
    VALUE,
    ZERO,
)


@njit(allocates=False)
def advance(
    tables, given, state, found, listening, tallies, samples, one_lane, t0, t1, n_own, n_steps
):
    """Run `samples` of a block through the steps t0 <= t < t1, and count what happens.

    one_lane: all samples use lane 0, one after another; else each has its own. n_own: steps
    presented; n_steps: steps in all, those by which populations run late included.
    """
    for i in range(samples.shape[0]):
        b = samples[i]
        lane = 0 if one_lane else b
        if t0 == 0:
            clear(tables, state, lane)
        for g in range(tables.group_ptr.shape[0] - 1):
            for t in range(t0, t1):
                for f in range(tables.feed_ptr[g], tables.feed_ptr[g + 1]):
                    send(tables, tables.feeds[f], given, state, found, b, lane, t, t0, n_steps)
                for m in range(tables.group_ptr[g], tables.group_ptr[g + 1]):
                    p = tables.members[m]
                    step(tables, p, given, state, found, b, lane, t, t0, n_own, listening)
                    for f in range(tables.loop_ptr[p], tables.loop_ptr[p + 1]):
                        send(tables, tables.loops[f], given, state, found, b, lane, t, t0, n_steps)
        if listening.counts:
            counting.count(tables, given, state, listening, tallies, b, lane, t0, t1)


@njit(allocates=False, inline=True)
def copy(source, target):
    """One row into another: the same type, and the same length."""
    for n in range(target.shape[0]):
        target[n] = source[n]


@njit(allocates=False, inline=True)
def clear(tables, state, lane):
    """Before the first step: no sums on their way, initial potentials, nobody awake."""
    state.sums[lane, :] = 0
    state.u[lane, :] = 0
    copy(tables.v_init, state.v[lane])
    state.rest[lane, :] = 0
    state.fired[lane, :] = 0
    state.residue[lane, :] = 0
    state.error[lane, :] = 0
    state.awake[lane, :] = False


@njit(inline=True, allocates=False)
def send(tables, k, given, state, found, b, lane, t, t0, n_steps):
    """Add what the spikes of step t send over projection k to the sums of their arrival.

    `n_sops` grows by the synapses of every event if the step that reads it, t + 1 (t for delay 0),
    still lies among the steps.
    """
    p = tables.projections[k]
    source = tables.populations[p.source]
    if source.kind == INPUT:
        first, last = given.ptr[source.ids_at, b, t], given.ptr[source.ids_at, b, t + 1]
        ids, values = given.ids[first:last], given.values[first:last]
    else:
        ptr = state.ptr[lane, p.source]
        first, last = source.ids_at + ptr[t - t0], source.ids_at + ptr[t - t0 + 1]
        ids, values = state.ids[lane, first:last], state.values[lane, first:last]
    if first == last:
        return
    scaled = (source.valued != 0 and p.plain == 0) or p.n_gains > 0
    n_sops = 0
    if p.kind == LISTED:
        send_listed(tables, p, ids, values, scaled, state, lane, t, n_steps)
        n_sops = count_listed(tables, p, ids)
    elif t + p.delay < n_steps:
        n_sops = send_block(tables, p, ids, values, scaled, state, lane, t + p.delay)
    else:
        n_sops = count_block(tables, p, ids)
    if t + p.least_delay < n_steps:
        found.n_sops[b] += n_sops


@njit(inline=True, allocates=False)
def count_listed(tables, p, ids):
    """Listed synapses of the events."""
    n_sops = 0
    for e in range(ids.shape[0]):
        i = p.segments_at + ids[e] * p.n_delays
        n_sops += tables.segments[i + p.n_delays] - tables.segments[i]
    return n_sops


@njit(inline=True, allocates=False)
def count_block(tables, p, ids):
    """Dense or convolutional synapses of the events."""
    if p.kind == KERNELS:
        return deliver.count_kernels(ids, p, tables.taps)
    return ids.shape[0] * tables.populations[p.target].size


@njit(allocates=False)
def forget_unread(tables, given, state, found, samples, t, t0):
    """Take back the operations that nobody reads, of samples that stop after step t.

    `send` counts them with the spike, and its reader, a step later, is not run. Each sample has its
    own lane, as always where samples may stop.
    """
    for i in range(samples.shape[0]):
        b = samples[i]
        for k in range(tables.projections.shape[0]):
            p = tables.projections[k]
            if p.least_delay == 0:
                continue  # read in step t already
            source = tables.populations[p.source]
            if source.kind == INPUT:
                first, last = given.ptr[source.ids_at, b, t], given.ptr[source.ids_at, b, t + 1]
                ids = given.ids[first:last]
            else:
                ptr = state.ptr[b, p.source]
                first, last = source.ids_at + ptr[t - t0], source.ids_at + ptr[t - t0 + 1]
                ids = state.ids[b, first:last]
            if p.kind == LISTED:
                found.n_sops[b] -= count_listed(tables, p, ids)
            else:
                found.n_sops[b] -= count_block(tables, p, ids)


@njit(inline=True, allocates=False)
def arrival(target, at):
    """Where the sums that arrive at a population in step `at` begin."""
    return target.sums_at + at % target.sums_steps * target.size


@njit(inline=True, allocates=False)
def send_block(tables, p, ids, values, scaled, state, lane, at):
    """Deliver events over dense or convolutional synapses in step `at`; returns the operations."""
    target = tables.populations[p.target]
    first = arrival(target, at)
    row = state.sums[lane, first : first + target.size]
    gain = tables.gains[p.gain_at + max(0, min(at, p.n_gains - 1))]  # that of the arrival
    if p.apart == 0:
        return add_block(tables, p, ids, values, scaled, gain, row)
    sums = state.apart[lane, : row.shape[0]]
    n_sops = add_block(tables, p, ids, values, scaled, gain, sums)
    deliver.add_shifted(sums, p.scale, p.shift, p.wraps, row)
    return n_sops


@njit(inline=True, allocates=False)
def add_block(tables, p, ids, values, scaled, gain, row):
    """Add the weights of events to `row`; returns the operations."""
    weights = tables.weights
    if p.kind == KERNELS:
        return deliver.add_kernels(ids, values, scaled, gain, weights, p, tables.taps, row)
    if scaled:
        deliver.add_scaled_rows(ids, values, gain, weights, p.weight_at, row.shape[0], row)
    elif p.in_order:
        deliver.add_rows_in_order(ids, weights, p.weight_at, row.shape[0], row)
    else:
        deliver.add_rows(ids, weights, p.weight_at, row.shape[0], row)
    return ids.shape[0] * row.shape[0]


@njit(inline=True, allocates=False)
def send_listed(tables, p, ids, values, scaled, state, lane, t, n_steps):
    """Deliver one step's events over listed synapses, each segment in the step of its delay."""
    if p.apart != 0:
        send_listed_apart(tables, p, ids, values, scaled, state, lane, t, n_steps)
        return
    segments, targets, weights = tables.segments, tables.targets, tables.weights
    target = tables.populations[p.target]
    now = t % target.sums_steps
    far_sums = target.sums_steps * target.size > deliver.CACHED_SUMS
    for e in range(ids.shape[0]):
        deliver.ask_ahead(e, ids, p, segments, targets, weights)
        if far_sums and e + deliver.SUMS_AHEAD < ids.shape[0]:
            first = p.segments_at + ids[e + deliver.SUMS_AHEAD] * p.n_delays
            for r in range(p.n_delays):
                begin = arrival(target, t + tables.delays[p.delays_at + r])
                deliver.ask_sums(first + r, segments, targets, state.sums[lane, begin:])
        first = p.segments_at + ids[e] * p.n_delays
        for r in range(p.n_delays):
            delay = tables.delays[p.delays_at + r]
            if t + delay >= n_steps:
                break  # delays ascend
            turn = now + delay
            turn -= target.sums_steps if turn >= target.sums_steps else 0
            begin = target.sums_at + turn * target.size
            row = state.sums[lane, begin : begin + target.size]
            if scaled:
                deliver.add_scaled_listed(first + r, values[e], segments, targets, weights, row)
            else:
                deliver.add_listed(first + r, segments, targets, weights, row)


@njit(inline=True, allocates=False)
def send_listed_apart(tables, p, ids, values, scaled, state, lane, t, n_steps):
    """`send_listed` where the sum of each delay is shifted by itself, as Lava does."""
    segments, targets, weights = tables.segments, tables.targets, tables.weights
    target = tables.populations[p.target]
    for r in range(p.n_delays):
        at = t + tables.delays[p.delays_at + r]
        if at >= n_steps:
            continue
        begin = arrival(target, at)
        row = state.sums[lane, begin : begin + target.size]
        sums = state.apart[lane, : row.shape[0]]
        for e in range(ids.shape[0]):
            i = p.segments_at + ids[e] * p.n_delays + r
            if scaled:
                deliver.add_scaled_listed(i, values[e], segments, targets, weights, sums)
            else:
                deliver.add_listed(i, segments, targets, weights, sums)
        deliver.add_shifted(sums, p.scale, p.shift, p.wraps, row)


@njit(inline=True, allocates=False)
def step(tables, i, given, state, found, b, lane, t, t0, n_own, listening):
    """Advance population i by step t: its state, then who fires, then its traces."""
    p = tables.populations[i]
    if p.kind == INPUT:
        count_given(p, given, found, b, t)
        return
    first, last = p.at, p.at + p.size
    u, v = state.u[lane, first:last], state.v[lane, first:last]
    begin = arrival(p, t)
    a = state.sums[lane, begin : begin + p.size]
    if t == p.start and t > 0:
        u[:] = 0
        v[:] = 0
        state.rest[lane, first:last] = 0
        state.residue[lane, first:last] = 0
        state.error[lane, first:last] = 0
        state.awake[lane, i] = False
    was_awake = state.awake[lane, i]
    state.awake[lane, i] = update(tables, p, a, u, v, state, lane, t, listening.counts, was_awake)
    if listening.counts:
        count_active(p, i, listening, state, lane, t - t0, was_awake)
    ptr = state.ptr[lane, i]
    m = ptr[t - t0]
    if p.fires != NEVER and t >= p.start:
        if p.emits == MESSAGE:
            m = post(p, a, state, found, b, lane, t, m, n_own)
        else:
            m = fire(tables, p, i, u, v, state, found, b, lane, t, m, n_own)
    ptr[t - t0 + 1] = m
    a[:] = 0
    if p.u_at >= 0:
        copy(u, found.u[b, t, p.u_at : p.u_at + p.size])
    if p.v_at >= 0:
        copy(v, found.v[b, t, p.v_at : p.v_at + p.size])
    if p.answers and t < p.start + n_own:
        copy(v, found.answer[b])


@njit(inline=True, allocates=False)
def count_given(p, given, found, b, t):
    """Count the events of an input."""
    for e in range(given.ptr[p.ids_at, b, t], given.ptr[p.ids_at, b, t + 1]):
        found.spike_counts[b, p.at + given.ids[e]] += 1


@njit(inline=True, allocates=False)
def v_th_of(p, t):
    """Where the thresholds of population p in step t begin."""
    return p.v_th_at + min(t, p.v_th_steps - 1) * p.size


@njit(inline=True, allocates=False)
def update(tables, p, a, u, v, state, lane, t, counts, was_awake):
    """Bring the state of population p to step t; messages take the place of what arrived.

    counts: whether `idle` is to say which updates are not active. Returns whether all neurons are
    awake; if in doubt, no.
    """
    first, last = p.at, p.at + p.size
    marks = counts and not was_awake
    awake = False
    if p.kind == FIXED:
        awake = update_fixed(tables, p, a, u, v, state, lane, marks) and p.refractory == 0
    elif p.kind == REAL:
        keep_u, keep_v = tables.keep_u[first:last], tables.keep_v[first:last]
        bias, begin = tables.bias[first:last], v_th_of(p, max(t - 1, 0))
        fired, v_th = state.fired[lane, first:last], tables.thresholds[begin : begin + p.size]
        if p.late:
            neurons.integrate_real_late(a, p.unit, keep_u, keep_v, bias, p.reset, v_th, fired, u, v)
        elif p.alike:
            neurons.integrate_real_alike(a, p.unit, keep_u, keep_v, bias, u, v)
        else:
            neurons.integrate_real(a, p.unit, keep_u, keep_v, bias, u, v)
    else:
        update_message(tables, p, a, u, v, state, lane, marks)
    if p.refractory > 0:
        neurons.hold(state.rest[lane, first:last], v)
    return awake


@njit(inline=True, allocates=False)
def update_fixed(tables, p, a, u, v, state, lane, marks):
    """`update` of a chip's plain neurons; returns whether all of them are awake."""
    first, last = p.at, p.at + p.size
    keep_u, keep_v = tables.keep_u[first:last], tables.keep_v[first:last]
    bias = tables.bias[first:last]
    idle = state.idle[lane, first:last]
    if p.alike:
        if marks:
            neurons.mark_idle_alike(a, keep_u, bias, u, v, idle)
        return neurons.integrate_alike(a, p.unit, keep_u, keep_v, bias, u, v) == 0
    if marks:
        neurons.mark_idle(a, u, keep_u, v, bias, idle)
    neurons.integrate_fixed(a, p.unit, keep_u, keep_v, bias, u, v)
    return False


@njit(inline=True, allocates=False)
def update_message(tables, p, a, u, v, state, lane, marks):
    """`update` of neurons that send numbers."""
    first, last = p.at, p.at + p.size
    v_th, bias = tables.thresholds[p.v_th_at : p.v_th_at + p.size], tables.bias[first:last]
    if p.kind == GRADED_VEC:
        if marks:
            graded.mark_graded_vec(a, state.idle[lane, first:last])
        graded.step_graded_vec(a, v_th, p.relu, u, v, a)
        return
    residue, error = state.residue[lane, first:last], state.error[lane, first:last]
    exps = (p.spike_exp, p.state_exp)
    if marks:
        idle = state.idle[lane, first:last]
        graded.mark_sigma_delta(a, bias, p.relu, p.integrates, *exps, u, v, residue, idle)
    flags = (p.relu, p.integrates, p.cum_error)
    graded.step_sigma_delta(a, bias, v_th, *flags, *exps, u, v, residue, error, a)


@njit(inline=True, allocates=False)
def count_active(p, i, listening, state, lane, row, all_active):
    """Count population p's active updates by part into `row` of the chunk: all, or not the idle."""
    active_of = state.active_of[lane, row]
    first_part = listening.first_part[i]
    for part in range(first_part, first_part + listening.n_parts[i]):
        active_of[part] = listening.n_neurons[part]
    if all_active:
        return
    begin = p.at
    for r in range(listening.run_ptr[i], listening.run_ptr[i + 1]):
        end = listening.run_end[r]
        active_of[listening.run_part[r]] -= neurons.count_idle(state.idle[lane, begin:end])
        begin = end


@njit(inline=True, allocates=False)
def post(p, messages, state, found, b, lane, t, m, n_own):
    """List the messages of step t from entry m on; returns the entry after."""
    own = t < p.start + n_own
    for n in range(p.size):
        if messages[n] != 0:
            state.ids[lane, p.ids_at + m] = n
            state.values[lane, p.ids_at + m] = messages[n]
            found.spike_counts[b, p.at + n] += own
            m += 1
    return m


@njit(inline=True, allocates=False)
def fire(tables, p, i, u, v, state, found, b, lane, t, m, n_own):
    """List who fires in step t from entry m on, and reset them; returns the entry after."""
    first, last = p.at, p.at + p.size
    fired = state.fired[lane, first:last]
    begin = v_th_of(p, t)
    v_th = tables.thresholds[begin : begin + p.size]
    v_th_low = v_th
    if p.fires == ABOVE:
        neurons.fire_above(v, v_th, fired)
    elif p.fires == REACHED:
        neurons.fire_reached(v, v_th, fired)
    else:
        v_th_low = tables.thresholds[p.v_th_low_at : p.v_th_low_at + p.size]
        neurons.fire_either(v, v_th, v_th_low, fired)
    own = t < p.start + n_own
    counted = found.spike_counts[b, first:last]
    flags = state.fired[lane, first : first + (p.size + PAD - 1) // PAD * PAD]
    words = flags.view(np.uint64)
    for k in range(words.shape[0]):
        word = words[k]
        while word != 0:
            bit = lowest_bit(word) & FIRST_BIT
            word &= ~(BYTE << bit)
            n = 8 * k + np.int64(bit >> EIGHTH)
            sent = True
            if p.valued:
                sent = put_value(p, v[n], flags[n], state.values[lane], p.ids_at + m)
            if sent:
                state.ids[lane, p.ids_at + m] = n
                counted[n] += own
                m += 1
            if p.refractory > 0:
                state.rest[lane, first + n] = p.refractory
            if p.late == 0:
                if p.reset == ZERO:
                    v[n] = 0
                elif p.reset == SUBTRACT:
                    v[n] -= v_th[n] if flags[n] > 0 else v_th_low[n]
                if v[n] == 0 and is_still(tables, p, n, u[n]):
                    state.awake[lane, i] = False
    return m


@njit(inline=True, allocates=False)
def is_still(tables, p, n, u):
    """Whether a neuron of potential 0 has neither a current that is kept nor a bias."""
    return (u == 0 or tables.keep_u[p.at + n] == 0) and tables.bias[p.at + n] == 0


@njit(inline=True, allocates=False)
def put_value(p, v, flag, values, at):
    """What a neuron of potential v sends, into `values[at]`; whether it is anything at all."""
    if p.emits == SHIFTED:
        values[at] = np.int64(v) >> 6
    elif p.emits == VALUE:
        values[at] = v
    else:
        values[at] = flag
    return values[at] != 0
