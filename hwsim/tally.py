"""From spikes to `Counts`: every event follows from who fired, when, and who listens."""

from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.counts import Counts, Critical
from hwsim.kernels import counting
from hwsim.mapping.plan import Plan
from hwsim.synapses import Conv2d, Dense, Sparse
from hwsim.travel import at_most, travel

KINDS = {Dense: "sops_dense", Sparse: "sops_sparse", Conv2d: "sops_conv"}
# events of a core, and the price of each in time
WORK = {
    "sops_dense": "sop",
    "sops_sparse": "sop_sparse",
    "sops_conv": "sop_conv",
    "updates_active": "update_active",
    "updates_inactive": "update_inactive",
    "spikes": "spike",
    "packets": "packet",
    "packets_in": "packet_in",
}


def tally(plan: Plan, spikes: dict[str, AnyArray], n_active: dict[str, IntArray]) -> Counts:
    """Count the events of a block of samples.

    A spike of step t is sent in step t and read by the cores that listen in step t + 1, if that
    still lies in the window; delays beyond one step are waited for at the target.

    Args:
        plan: says who listens where.
        spikes: (samples, steps, neurons) by population.
        n_active: updates that could change a state, (samples, steps, parts of the population).
    """
    lead = next(iter(spikes.values())).shape[:2]
    shape = (*lead, len(plan.parts))
    work = {name: np.zeros(shape, dtype=np.int64) for name in WORK}
    hops = np.zeros((3, len(plan.parts)), dtype=np.int64)
    for p in plan.network.projections:
        fan = plan.fan_out(p)
        columns = np.array(plan.parts_of(p.target))[fan.indices]
        read = work[KINDS[type(p.synapses)]]
        counting.count_listed(spikes[p.source], 1, fan.indptr, columns, fan.data, read)
    for population in plan.network.populations:
        name = population.name
        heard = plan.listeners(name)
        counting.count_listed(
            spikes[name], 1, heard.indptr, heard.indices, heard.data, work["packets_in"]
        )
        _count_sent(plan, name, spikes[name], work, hops)
        for j, i in enumerate(plan.parts_of(name)):
            part = plan.parts[i]
            if part.core is not None:
                work["updates_active"][..., i] = n_active[name][..., j]
                work["updates_inactive"][..., i] = part.neurons.size - n_active[name][..., j]
    totals: dict[str, Any] = {name: events.sum(axis=(0, 1)) for name, events in work.items()}
    off_chip = [i for i, p in enumerate(plan.parts) if p.core is None]
    return Counts(
        **totals,
        hops_ew=hops[0],
        hops_ns=hops[1],
        hops_chip=hops[2],
        n_samples=lead[0],
        n_steps=lead[0] * lead[1],
        n_inputs=int(totals["spikes"][off_chip].sum()),
        n_cores=len(plan.cores),
        n_tiles=plan.n_tiles,
        n_chips=plan.n_chips,
        n_readouts=lead[0] * plan.network[plan.network.output].size,
        critical=_critical(plan, spikes, work),
    )


def _count_sent(
    plan: Plan,
    name: str,
    spikes: AnyArray,
    work: dict[str, IntArray],
    hops: IntArray,
) -> None:
    """Add what a population sends."""
    routes = plan.routes[name]
    own = np.array(plan.parts_of(name))[plan.part_of(name)]
    counting.count_events(spikes, own, routes.packets, work["spikes"], work["packets"])
    n_sent = np.count_nonzero(spikes, axis=(0, 1))
    for i, each in enumerate((routes.hops_ew, routes.hops_ns, routes.hops_chip)):
        np.add.at(hops[i], own, n_sent * each)


def _critical(plan: Plan, spikes: dict[str, AnyArray], work: dict[str, IntArray]) -> Critical:
    """Of every step the events of its slowest core, or what the network needs if that is longer.

    Which it is is judged by the chip's nominal times. Only samples in which the network could take
    longer are looked at link by link.
    """
    on_core = [i for i, part in enumerate(plan.parts) if part.core is not None]
    core_of = [plan.cores.index(core) for p in plan.parts if (core := p.core) is not None]
    belongs = np.zeros((len(on_core), len(plan.cores)), dtype=np.int64)
    belongs[np.arange(len(on_core)), core_of] = 1
    by_core = {name: events[..., on_core] @ belongs for name, events in work.items()}
    times = plan.chip.time
    busy = sum(by_core[name] * nominal(times, price) for name, price in WORK.items())
    slowest = np.argmax(np.asarray(busy), axis=-1)[..., None]
    computing = np.take_along_axis(np.asarray(busy), slowest, axis=-1)[..., 0]
    of_core = np.ones(computing.shape, dtype=np.bool_)
    hops, waits = [0, 0, 0], [0, 0, 0]
    longest = at_most(plan, work["packets"].sum(axis=-1))
    doubtful = np.flatnonzero((longest >= computing).any(axis=1))
    if doubtful.size:
        network = travel(plan, {name: fired[doubtful] for name, fired in spikes.items()})
        slower = network.seconds > computing[doubtful]
        of_core[doubtful] = ~slower
        hops, waits = (x[slower].sum(axis=0).tolist() for x in (network.hops, network.waits))
    picked = {
        name: int((np.take_along_axis(events, slowest, axis=-1)[..., 0] * of_core).sum())
        for name, events in by_core.items()
    }
    names = ("ew", "ns", "chip")
    return Critical(
        **picked,
        **{f"hops_{name}": n for name, n in zip(names, hops, strict=True)},
        **{f"waits_{name}": n for name, n in zip(names, waits, strict=True)},
    )
