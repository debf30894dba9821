"""From spikes to `Counts`: who listens to whom on a chip, as the compiled counters read it."""

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.sparse import coo_array, csr_array

from hwsim.arrays import AnyArray, BoolArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.counts import Counts, Critical
from hwsim.kernels import tables as kt
from hwsim.mapping.plan import Plan
from hwsim.program import Program
from hwsim.synapses import Conv2d, Dense, Sparse

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
HOPS = ("hops_ew", "hops_ns", "hops_chip")
WAITS = ("waits_ew", "waits_ns", "waits_chip")
MANY = 64  # classes of a population above which every neuron is one


@dataclass(frozen=True, slots=True, eq=False)
class Listeners:
    """A plan as the counters read it.

    Attributes:
        parts: the plan's number of each part in the engine's order.
        flow_from, flow_to: the plan's numbers of the parts at both ends of each flow.
        flow_hops: router moves of one of its packets, (flows, 3).
        on_core, n_neurons: of each of the plan's parts.
    """

    listening: kt.Listening
    parts: IntArray
    flow_from: IntArray
    flow_to: IntArray
    flow_hops: IntArray
    on_core: BoolArray
    n_neurons: IntArray


_PREPARED: "WeakKeyDictionary[Plan, Listeners]" = WeakKeyDictionary()


def listeners(plan: Plan, program: Program) -> Listeners:
    """A plan as the counters read it, made at its first use."""
    if plan not in _PREPARED:
        _PREPARED[plan] = _listeners(plan, program)
    return _PREPARED[plan]


def _listeners(plan: Plan, program: Program) -> Listeners:
    names = [p.name for p in plan.network.populations]
    of_population = [plan.parts_of(name) for name in names]
    parts = np.concatenate([np.array(p, dtype=np.int64) for p in of_population])
    place = np.empty_like(parts)
    place[parts] = np.arange(parts.size)
    own_part, class_of = (np.zeros(program.n_neurons, dtype=np.int64) for _ in range(2))
    classes: list[_Classes] = []
    for i, name in enumerate(names):
        row = program.tables.populations[i]
        neurons = slice(row["at"], row["at"] + row["size"])
        origin, routes = program.orders[name][0], plan.routes[name]
        own_part[neurons] = place[np.array(of_population[i])[plan.part_of(name)]][origin]
        heard = _heard(plan, name, place)[origin]
        classes.append(_classes(heard, own_part[neurons], routes.packets[origin]))
        class_of[neurons] = classes[-1].class_of
    n_classes = [c.own_part.size for c in classes]
    own_of_class = np.concatenate([c.own_part for c in classes])
    heard_ptr = np.cumsum([0, *np.concatenate([np.diff(c.heard.indptr) for c in classes])])
    to = np.concatenate([c.heard.indices for c in classes]).astype(np.int64)
    sender = np.repeat(own_of_class, np.diff(heard_ptr))
    n_to = len(KINDS) * parts.size
    flows, heard_by = np.unique(sender * n_to + to, return_inverse=True)
    sender, to = np.divmod(flows, n_to)
    cores = {core: j for j, core in enumerate(plan.cores)}
    core_of = np.array([-1 if (c := plan.parts[i].core) is None else cores[c] for i in parts])
    n_neurons = np.array([plan.parts[i].neurons.size for i in parts])
    on_core = core_of >= 0
    ways, times = plan.ways, plan.chip.time
    flow_from, flow_to = parts[sender], parts[to % parts.size]
    flow_pair = ways.pair(flow_from, flow_to)
    listening = kt.Listening(
        counts=True,
        part_of=own_part,
        class_of=class_of,
        by_class=np.array([c.by_class for c in classes]),
        own_part=own_of_class,
        sends=np.concatenate([c.packets for c in classes]) * kt.PACKET + 1,
        heard_ptr=heard_ptr,
        heard_by=heard_by.reshape(-1).astype(np.int32),
        heard=np.concatenate([c.heard.data for c in classes]).astype(np.int32),
        flow_kind=to // parts.size,
        flow_core=core_of[to % parts.size],
        flow_pair=flow_pair,
        first_class=np.cumsum([0, *n_classes])[:-1],
        n_classes=np.array(n_classes),
        first_part=np.cumsum([0, *map(len, of_population)])[:-1],
        n_parts=np.array([len(p) for p in of_population]),
        core_of=core_of,
        n_neurons=n_neurons,
        neurons_on=np.bincount(core_of[on_core], n_neurons[on_core], len(cores)).astype(np.int64),
        prices=np.array([nominal(times, price) for price in WORK.values()]),
        hop_prices=ways.seconds,
        pair_ptr=ways.indptr,
        pair_links=ways.links,
        pair_route=ways.rank,
        routes=ways.routes,
        link=ways.link,
        least=ways.least,
        slowest_link=float((ways.link @ ways.seconds).max(initial=0.0)),
        slowest_route=float((ways.routes @ ways.seconds).max(initial=0.0)),
    )
    return Listeners(
        listening,
        parts,
        flow_from,
        flow_to,
        ways.routes[ways.rank[flow_pair]],
        on_core[place],
        n_neurons[place],
    )


def _heard(plan: Plan, name: str, place: IntArray) -> csr_array:
    """Where each neuron's spikes are read: `Listening.heard`, in the network's order of neurons."""
    n_parts = len(plan.parts)
    kinds = list(KINDS)
    rows, at, amount = ([np.zeros(0, dtype=np.int64)] for _ in range(3))

    def add(entries: coo_array, kind: int, engine_part: IntArray, factor: int) -> None:
        rows.append(entries.row.astype(np.int64))
        at.append(kind * n_parts + engine_part[entries.col])
        amount.append(entries.data.astype(np.int64) * factor)

    out = plan.network.out_of(name)
    for p in out:
        add(
            plan.fan_out(p).tocoo(),
            kinds.index(type(p.synapses)),
            place[np.array(plan.parts_of(p.target))],
            1,
        )
    if out:
        add(
            plan.listeners(name).tocoo(),
            min(kinds.index(type(p.synapses)) for p in out),
            place,
            kt.HEARD_PACKET,
        )
    ends = (np.concatenate(rows), np.concatenate(at))
    shape = (plan.network[name].size, len(kinds) * n_parts)
    table = csr_array(coo_array((np.concatenate(amount), ends), shape=shape))
    table.sum_duplicates()
    return table


@dataclass(frozen=True, slots=True, eq=False)
class _Classes:
    """Neurons of a population whose spikes cause the same; see `Listening`."""

    class_of: IntArray
    by_class: bool
    own_part: IntArray
    packets: IntArray
    heard: csr_array


def _classes(heard: csr_array, own_part: IntArray, packets: IntArray) -> _Classes:
    mixed = _mix(heard.indices.astype(np.uint64)) * _mix(heard.data.astype(np.uint64))
    summed = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    key = np.diff(summed[heard.indptr])
    for values in (own_part, packets):
        key = _mix(key ^ values.astype(np.uint64))
    _, first, class_of = np.unique(key, return_index=True, return_inverse=True)
    like = first[class_of]  # of each neuron, the first of its class
    same = all((x == x[like]).all() for x in (own_part, packets))
    same = same and abs(heard - heard[like]).nnz == 0
    if first.size > MANY or not same:
        return _Classes(np.arange(key.size), False, own_part, packets, heard)
    return _Classes(class_of, True, own_part[first], packets[first], heard[first])


def _mix(values: AnyArray) -> AnyArray:
    """Scramble 64-bit words [the finaliser of SplitMix64], never 0 for small ones."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def counts_of(plan: Plan, heard: Listeners, tallies: list[kt.Tallies], n_steps: IntArray) -> Counts:
    """The counts of blocks of samples, which ran n_steps (samples,) each."""
    n_parts, ran = len(plan.parts), int(n_steps.sum())
    active, spikes, packets, packets_read, ops_read, critical = (
        sum(counted[1:], counted[0])
        for counted in zip(*(t[: t._fields.index("critical") + 1] for t in tallies), strict=True)
    )
    events: dict[str, Any] = {}
    for name, values in (("updates_active", active), ("spikes", spikes)):
        events[name] = np.empty(n_parts, dtype=np.int64)
        events[name][heard.parts] = values
    for kind, name in enumerate(KINDS.values()):
        of_kind = heard.listening.flow_kind == kind
        events[name] = _add_up(heard.flow_to, ops_read * of_kind, n_parts)
    events["updates_inactive"] = heard.n_neurons * heard.on_core * ran - events["updates_active"]
    events["packets_in"] = _add_up(heard.flow_to, packets_read, n_parts)
    events["packets"] = _add_up(heard.flow_from, packets, n_parts)
    for name, hops in zip(HOPS, heard.flow_hops.T, strict=True):
        events[name] = _add_up(heard.flow_from, packets * hops, n_parts)
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
