"""From spikes to the sums that arrive at the targets."""

import numpy as np

from hwsim._accelerate import njit, prange


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
def deliver_sparse(spikes, indptr, target, weight, delay, t0, t1, a, n_sops):
    """`a[t + delay[k], target[k]] += weight[k] spike[t]` over the synapses k of each neuron (CSR).

    delay (synapses,), or (1,) for all; see `deliver_dense`.
    """
    n_steps, per_synapse = spikes.shape[1], delay.shape[0] > 1
    least = min(1, delay.min()) if delay.shape[0] > 0 else 1
    for b in prange(spikes.shape[0]):
        sops = 0
        for t in range(t0, t1):
            for i in range(indptr.shape[0] - 1):
                s = spikes[b, t, i]
                if s != 0:
                    if t + least < n_steps:
                        sops += indptr[i + 1] - indptr[i]
                    for k in range(indptr[i], indptr[i + 1]):
                        at = t + (delay[k] if per_synapse else delay[0])
                        if at < n_steps:
                            a[b, at, target[k]] += weight[k] * s
        n_sops[b] += sops


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
