"""From spikes to `Counts`: every event follows from who fired, when, and who listens."""

from dataclasses import replace

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.counts import Counts, Critical
from hwsim.mapping.plan import Plan


def tally(plan: Plan, spikes: dict[str, AnyArray], n_active: dict[str, IntArray]) -> Counts:
    """Count the events of a block of samples.

    A spike of step t is sent in step t and read by the cores that listen in step t + 1, if that
    still lies in the window; delays beyond one step are waited for at the target.

    Args:
        plan: says who listens where.
        spikes: (samples, steps, neurons) by population.
        n_active: updates that could change a state, (samples, steps, parts of the population).
    """
    n_samples, n_steps = next(iter(spikes.values())).shape[:2]
    fired = {name: (s != 0).astype(np.float32) for name, s in spikes.items()}
    sops = np.zeros((n_samples, n_steps, len(plan.parts)), dtype=np.int64)
    for p in plan.network.projections:
        read = _exact_product(fired[p.source][:, :-1], plan.fan_out(p))
        sops[:, 1:, plan.parts_of(p.target)] += read
    active, inactive = (np.zeros_like(sops) for _ in range(2))
    sent = np.zeros((3, *sops.shape), dtype=np.int64)
    n_fired = np.zeros(len(plan.parts), dtype=np.int64)
    for population in plan.network.populations:
        name, routes = population.name, plan.routes[population.name]
        for j, i in enumerate(plan.parts_of(name)):
            part = plan.parts[i]
            run = fired[name][:, :, part.start : part.stop]
            costs = np.stack([routes.packets, routes.hops_ew, routes.hops_ns], axis=1)
            sent[..., i] = np.moveaxis(_exact_product(run, costs[part.start : part.stop]), -1, 0)
            n_fired[i] = np.count_nonzero(run)
            if part.core is not None:
                active[..., i] = n_active[name][..., j]
                inactive[..., i] = part.stop - part.start - active[..., i]
    return Counts(
        sops=sops.sum(axis=(0, 1)),
        updates_active=active.sum(axis=(0, 1)),
        updates_inactive=inactive.sum(axis=(0, 1)),
        spikes=n_fired,
        packets=sent[0].sum(axis=(0, 1)),
        hops_ew=sent[1].sum(axis=(0, 1)),
        hops_ns=sent[2].sum(axis=(0, 1)),
        n_samples=n_samples,
        n_steps=n_samples * n_steps,
        n_inputs=sum(int(n_fired[i]) for i, part in enumerate(plan.parts) if part.core is None),
        n_cores=len(plan.cores),
        n_tiles=plan.n_tiles,
        n_readouts=n_samples * plan.network[plan.network.output].size,
        critical=_critical(plan, fired, sops, active, inactive, sent[0]),
    )


def _exact_product(fired: AnyArray, per_spike: IntArray) -> IntArray:
    """`fired @ per_spike` as integers; float32 is exact below 2^24, float64 below 2^53."""
    kind = np.float32 if int(per_spike.sum(axis=0).max(initial=0)) < 2**24 else np.float64
    product: IntArray = np.rint(fired.astype(kind) @ per_spike.astype(kind)).astype(np.int64)
    return product


def _critical(
    plan: Plan,
    fired: dict[str, AnyArray],
    sops: IntArray,
    active: IntArray,
    inactive: IntArray,
    packets: IntArray,
) -> Critical:
    """Counts of the slowest part of every step, and its longest route, summed over steps.

    Which part is slowest is judged by the chip's nominal times.
    """
    time = plan.chip.time
    on_core = [i for i, part in enumerate(plan.parts) if part.core is not None]
    work = [x[..., on_core] for x in (sops, active, inactive, packets)]
    costs = (time.sop, time.update_active, time.update_inactive, time.packet)
    busy = sum(x * (c.value or 0.0) for x, c in zip(work, costs, strict=True))
    slowest = np.argmax(np.asarray(busy), axis=-1)[..., None]
    totals = [int(np.take_along_axis(x, slowest, axis=-1).sum()) for x in work]
    far = [_farthest(plan, name, fired[name]) for name in fired]
    longest = np.max([ew * 1000 + ns for ew, ns in far], axis=0) if far else np.zeros(1)
    critical = Critical(*totals)
    return replace(
        critical, hops_ew=int((longest // 1000).sum()), hops_ns=int((longest % 1000).sum())
    )


def _farthest(plan: Plan, name: str, fired: AnyArray) -> tuple[IntArray, IntArray]:
    """Hops of the longest route used in every step, (samples, steps) each way."""
    routes = plan.routes[name]
    length = routes.far_ew * 1000 + routes.far_ns
    longest = np.zeros(fired.shape[:2], dtype=np.int64)
    for value in np.unique(length[length > 0]):
        used = fired[:, :, length == value].any(axis=2)
        longest = np.where(used, np.maximum(longest, value), longest)
    return longest // 1000, longest % 1000
