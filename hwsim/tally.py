"""From spikes to `Counts`: every event follows from who fired, when, and who listens."""

import numpy as np

from hwsim import kernels
from hwsim.arrays import AnyArray, IntArray
from hwsim.counts import Counts, Critical
from hwsim.mapping.plan import Plan

ROUTE = 1 << 16  # a route as one ordered number: hops in all, then hops east-west


def tally(plan: Plan, spikes: dict[str, AnyArray], n_active: dict[str, IntArray]) -> Counts:
    """Count the events of a block of samples.

    A spike of step t is sent in step t and read by the cores that listen in step t + 1, if that
    still lies in the window; delays beyond one step are waited for at the target.

    Args:
        plan: says who listens where.
        spikes: (samples, steps, neurons) by population.
        n_active: updates that could change a state, (samples, steps, parts of the population).
    """
    shape = (*next(iter(spikes.values())).shape[:2], len(plan.parts))
    sops, active, inactive = (np.zeros(shape, dtype=np.int64) for _ in range(3))
    sent = np.zeros((*shape, 4), dtype=np.int64)
    longest = np.zeros(shape[:2], dtype=np.int64)
    for p in plan.network.projections:
        parts = plan.parts_of(p.target)
        read = np.zeros((*shape[:2], len(parts)), dtype=np.int64)
        kernels.count_sops(spikes[p.source], plan.fan_out(p), read)
        sops[..., parts] += read
    for population in plan.network.populations:
        name = population.name
        _count_sent(plan, name, spikes[name], sent, longest)
        for j, i in enumerate(plan.parts_of(name)):
            part = plan.parts[i]
            if part.core is not None:
                active[..., i] = n_active[name][..., j]
                inactive[..., i] = part.stop - part.start - active[..., i]
    totals = sent.sum(axis=(0, 1))
    return Counts(
        sops=sops.sum(axis=(0, 1)),
        updates_active=active.sum(axis=(0, 1)),
        updates_inactive=inactive.sum(axis=(0, 1)),
        spikes=totals[:, 0],
        packets=totals[:, 1],
        hops_ew=totals[:, 2],
        hops_ns=totals[:, 3],
        n_samples=shape[0],
        n_steps=shape[0] * shape[1],
        n_inputs=sum(int(totals[i, 0]) for i, p in enumerate(plan.parts) if p.core is None),
        n_cores=len(plan.cores),
        n_tiles=plan.n_tiles,
        n_readouts=shape[0] * plan.network[plan.network.output].size,
        critical=_critical(plan, longest, sops, active, inactive, sent[..., 1]),
    )


def _count_sent(plan: Plan, name: str, spikes: AnyArray, sent: IntArray, longest: IntArray) -> None:
    """Add what a population sends to `sent`, and lengthen `longest`."""
    routes = plan.routes[name]
    part_of = np.zeros(plan.network[name].size, dtype=np.int64)
    for i in plan.parts_of(name):
        part_of[plan.parts[i].start : plan.parts[i].stop] = i
    kernels.count_events(
        spikes,
        part_of,
        routes.packets,
        routes.hops_ew,
        routes.hops_ns,
        (routes.far_ew + routes.far_ns) * ROUTE + routes.far_ew,
        sent,
        longest,
    )


def _critical(
    plan: Plan,
    longest: IntArray,
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
    hops, ew = int((longest // ROUTE).sum()), int((longest % ROUTE).sum())
    return Critical(totals[0], totals[1], totals[2], totals[3], ew, hops - ew)
