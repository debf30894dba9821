"""Who listens to whom on a chip, as the compiled counters read it."""

from dataclasses import dataclass
from itertools import pairwise
from weakref import WeakKeyDictionary

import numpy as np

from hwsim.arrays import BoolArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.kernels import tables as kt
from hwsim.mapping.plan import Plan
from hwsim.program import Program
from hwsim.spike_classes import KINDS, Classes, classes_of, heard_of

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
MANY = 64  # classes of a population above which its spikes are counted one by one
LOOSE = 4  # words of rows for every one that is not 0, above which lists are kept instead


@dataclass(frozen=True, slots=True, eq=False)
class Flows:
    """What one part sends to the synapses of one kind on another; all arrays are (flows,).

    Attributes:
        source, target: the plan's numbers of both parts. kind: of synapse, as in `KINDS`.
        hops: router moves of one packet, (flows, 3).
        slot: where the counters add it up.
    """

    source: IntArray
    target: IntArray
    kind: IntArray
    hops: IntArray
    slot: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Listeners:
    """A plan as the counters read it.

    Attributes:
        parts: the plan's number of each part in the engine's order.
        on_core, n_neurons: of each of the plan's parts.
    """

    listening: kt.Listening
    flows: Flows
    parts: IntArray
    on_core: BoolArray
    n_neurons: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class _Causes:
    """What spikes of each class cause: entries, ordered by class and `to`.

    Attributes:
        classes: of every population. own_part: of each class.
        class_of, to, word: of each entry: the class, where it is read (a kind and a part, as one
            number), and how much, see `Listening.heard`.
    """

    classes: list[Classes]
    own_part: IntArray
    class_of: IntArray
    to: IntArray
    word: IntArray

    @classmethod
    def of(cls, classes: list[Classes]) -> "_Causes":
        """Those of all populations."""
        n_entries = np.concatenate([np.diff(c.heard.indptr) for c in classes])
        amount = np.concatenate([c.heard.data for c in classes]).astype(np.int64)
        sops, packets = amount % kt.HEARD_PACKET, amount // kt.HEARD_PACKET
        return cls(
            classes,
            np.concatenate([c.own_part for c in classes]),
            np.repeat(np.arange(n_entries.size), n_entries),
            np.concatenate([c.heard.indices for c in classes]).astype(np.int64),
            sops + packets * kt.PACKET,
        )

    @property
    def sends(self) -> IntArray:
        """A spike and its packets, of each class."""
        packets = np.concatenate([c.packets for c in self.classes])
        return packets * kt.PACKET + 1


_PREPARED: "WeakKeyDictionary[Plan, Listeners]" = WeakKeyDictionary()


def listeners(plan: Plan, program: Program) -> Listeners:
    """A plan as the counters read it, made at its first use."""
    if plan not in _PREPARED:
        _PREPARED[plan] = _listeners(plan, program)
    return _PREPARED[plan]


def _listeners(plan: Plan, program: Program) -> Listeners:
    of_population = [plan.parts_of(p.name) for p in plan.network.populations]
    parts = np.concatenate([np.array(p, dtype=np.int64) for p in of_population])
    own_part, causes, class_of = _causes(plan, program, parts)
    cores = {core: j for j, core in enumerate(plan.cores)}
    core_of = np.array([-1 if (c := plan.parts[i].core) is None else cores[c] for i in parts])
    n_neurons = np.array([plan.parts[i].neurons.size for i in parts])
    on_core = core_of >= 0
    # flows by the kind of synapse and the core where they end
    kind, to = np.divmod(causes.to, parts.size)
    end = kind * len(cores) + core_of[to]
    key = (end * parts.size + to) * parts.size + causes.own_part[causes.class_of]
    flows, flow_of = np.unique(key, return_inverse=True)
    flows, sender = np.divmod(flows, parts.size)
    flows, to = np.divmod(flows, parts.size)
    ends, end_ptr = np.unique(flows, return_index=True)
    end_kind, end_core = np.divmod(ends, len(cores))
    # a part's flows stand together, then its own spikes
    width = np.bincount(sender, minlength=parts.size) + 1
    first_slot = np.cumsum([0, *width])
    slot = np.empty_like(sender)
    slot[np.argsort(sender, kind="stable")] = np.delete(
        np.arange(first_slot[-1]), first_slot[1:] - 1
    )
    ways = plan.ways
    flow_pair = ways.pair(parts[sender], parts[to])
    rows = _rows(causes, slot[flow_of.reshape(-1)], first_slot)
    prices = np.array([nominal(plan.chip.time, price) for price in WORK.values()])
    listening = kt.Listening(
        counts=True,
        **_runs(program, own_part),
        **rows,
        class_of=class_of,
        first_class=np.cumsum([0, *(c.size for c in causes.classes)])[:-1],
        n_classes=np.array([c.size for c in causes.classes]),
        few=np.array([c.size <= MANY for c in causes.classes]),
        own_slot=first_slot[1:] - 1,
        flow_slot=slot,
        flow_pair=flow_pair,
        end_ptr=np.append(end_ptr, flows.size),
        end_kind=end_kind,
        end_core=end_core,
        first_part=np.cumsum([0, *map(len, of_population)])[:-1],
        n_parts=np.array([len(p) for p in of_population]),
        core_of=core_of,
        n_neurons=n_neurons,
        neurons_on=np.bincount(core_of[on_core], n_neurons[on_core], len(cores)).astype(np.int64),
        prices=prices,
        timed=np.array(_timed(prices, set(end_kind.tolist())), dtype=np.int64),
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
    place = np.argsort(parts)
    return Listeners(
        listening,
        Flows(
            parts[sender], parts[to], flows // len(cores), ways.routes[ways.rank[flow_pair]], slot
        ),
        parts,
        on_core[place],
        n_neurons[place],
    )


def _causes(plan: Plan, program: Program, parts: IntArray) -> tuple[IntArray, _Causes, IntArray]:
    """The part of each neuron, what its spikes cause, and its class; in the engine's order."""
    place = np.argsort(parts)
    own_part, class_of = (np.zeros(program.n_neurons, dtype=np.int64) for _ in range(2))
    classes: list[Classes] = []
    for p in plan.network.populations:
        neurons, origin = program.neurons(p.name), program.orders[p.name][0]
        own = np.array(plan.parts_of(p.name))[plan.part_of(p.name)]
        own_part[neurons] = place[own][origin]
        heard = heard_of(plan, p.name, place)[origin]
        packets = plan.routes[p.name].packets[origin]
        classes.append(classes_of(heard, own_part[neurons], packets))
        class_of[neurons] = classes[-1].class_of
    return own_part, _Causes.of(classes), class_of


def _runs(program: Program, part: IntArray) -> dict[str, IntArray]:
    """Neighbours in one part; see `Listening`."""
    ptr, ends, parts = [0], [], []
    for row in program.tables.populations:
        own = part[row["at"] : row["at"] + row["size"]]
        last = np.flatnonzero(np.append(own[1:] != own[:-1], True))
        ends.append(row["at"] + last + 1)
        parts.append(own[last])
        ptr.append(ptr[-1] + last.size)
    return {
        "run_ptr": np.array(ptr),
        "run_end": np.concatenate(ends),
        "run_part": np.concatenate(parts),
    }


def _rows(causes: _Causes, slot: IntArray, first_slot: IntArray) -> dict[str, IntArray]:
    """What a spike of each class adds, and where; see `Listening`.

    slot: of each entry. first_slot: of each part, and the end.
    """
    n_entries = np.bincount(causes.class_of, minlength=causes.own_part.size)
    slot_at = first_slot[causes.own_part]
    width = first_slot[causes.own_part + 1] - slot_at
    # every class also counts the spike itself
    entry_class = np.concatenate([causes.class_of, np.arange(causes.own_part.size)])
    slot = np.concatenate([slot, slot_at + width - 1])
    word = np.concatenate([causes.word, causes.sends])
    first = np.cumsum([0, *(c.size for c in causes.classes)])
    loose = [width[a:b].sum() > LOOSE * (n_entries[a:b].sum() + b - a) for a, b in pairwise(first)]
    listed = np.repeat(loose, np.diff(first))
    row_width = np.where(listed, 0, width)
    row_at = np.cumsum(row_width) - row_width
    rows = np.zeros(int(row_width.sum()), dtype=np.int64)
    inside = ~listed[entry_class]
    c = entry_class[inside]
    rows[row_at[c] + slot[inside] - slot_at[c]] = word[inside]
    order = np.argsort(entry_class[~inside], kind="stable")
    n_listed = np.bincount(entry_class[~inside], minlength=listed.size)
    return {
        "listed": np.array(loose),
        "rows": rows,
        "row_at": row_at,
        "slot_at": slot_at,
        "width": row_width,
        "list_ptr": np.cumsum([0, *n_listed]),
        "list_slot": slot[~inside][order],
        "list_word": word[~inside][order],
    }


def _timed(prices: IntArray, kinds: set[int]) -> list[int]:
    """Events that can happen and take time. kinds: of synapses, that there are."""
    every = range(prices.size)
    return [k for k in every if prices[k] and (k >= len(KINDS) or k in kinds)]
