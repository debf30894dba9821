"""From what the compiled counters found to `Counts`."""

from typing import Any

import numpy as np

from hwsim.arrays import IntArray
from hwsim.counts import Counts, Critical
from hwsim.kernels import tables as kt
from hwsim.listening import WORK, Listeners
from hwsim.mapping.plan import Plan
from hwsim.spike_classes import KINDS

HOPS = ("hops_ew", "hops_ns", "hops_chip")
WAITS = ("waits_ew", "waits_ns", "waits_chip")


def counts_of(plan: Plan, heard: Listeners, tallies: list[kt.Tallies], n_steps: IntArray) -> Counts:
    """The counts of blocks of samples, which ran n_steps (samples,) each."""
    n_parts, ran, flows = len(plan.parts), int(n_steps.sum()), heard.flows
    active, read, unread, critical = (
        sum(counted[1:], counted[0])
        for counted in zip(*(t[: t._fields.index("critical") + 1] for t in tallies), strict=True)
    )
    last = sum(t.flows.sum(axis=0) for t in tallies)
    sent = read + unread + [last % kt.PACKET, last // kt.PACKET]
    events: dict[str, Any] = {}
    spikes = sent[0, heard.listening.own_slot]
    for name, values in (("updates_active", active), ("spikes", spikes)):
        events[name] = np.empty(n_parts, dtype=np.int64)
        events[name][heard.parts] = values
    sops, packets_in, packets = read[0, flows.slot], read[1, flows.slot], sent[1, flows.slot]
    for kind, name in enumerate(KINDS.values()):
        events[name] = _add_up(flows.target, sops * (flows.kind == kind), n_parts)
    events["updates_inactive"] = heard.n_neurons * heard.on_core * ran - events["updates_active"]
    events["packets_in"] = _add_up(flows.target, packets_in, n_parts)
    events["packets"] = _add_up(flows.source, packets, n_parts)
    for name, hops in zip(HOPS, flows.hops.T, strict=True):
        events[name] = _add_up(flows.source, packets * hops, n_parts)
    return Counts(
        **events,
        n_samples=n_steps.size,
        n_steps=ran,
        n_inputs=int(events["spikes"][~heard.on_core].sum()),
        n_cores=len(plan.cores),
        n_tiles=plan.n_tiles,
        n_chips=plan.n_chips,
        n_readouts=n_steps.size * plan.network[plan.network.output].size,
        critical=Critical(**dict(zip((*WORK, *HOPS, *WAITS), critical.tolist(), strict=True))),
    )


def _add_up(part: IntArray, values: IntArray, n_parts: int) -> IntArray:
    out = np.zeros(n_parts, dtype=np.int64)
    np.add.at(out, part, values)
    return out
