"""Neurons whose spikes cause the same on a chip: what is counted of a spike is known beforehand."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from hwsim.arrays import AnyArray, IntArray
from hwsim.kernels import tables as kt
from hwsim.mapping.plan import Plan
from hwsim.synapses import Conv2d, Dense, Sparse

KINDS = {Dense: "sops_dense", Sparse: "sops_sparse", Conv2d: "sops_conv"}


def heard_of(plan: Plan, name: str, place: IntArray) -> csr_array:
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
class Classes:
    """Neurons of a population whose spikes cause the same; see `Listening`.

    Attributes:
        class_of: (neurons,). own_part, packets: of each class. heard: (classes, kinds x parts).
    """

    class_of: IntArray
    own_part: IntArray
    packets: IntArray
    heard: csr_array

    @property
    def size(self) -> int:
        """How many classes there are."""
        return int(self.own_part.size)


def classes_of(heard: csr_array, own_part: IntArray, packets: IntArray) -> Classes:
    """The classes of a population; all arguments by neuron."""
    mixed = _mix(heard.indices.astype(np.uint64)) * _mix(heard.data.astype(np.uint64))
    summed = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(mixed, dtype=np.uint64)])
    key = np.diff(summed[heard.indptr])
    for values in (own_part, packets):
        key = _mix(key ^ values.astype(np.uint64))
    _, first, class_of = np.unique(key, return_index=True, return_inverse=True)
    like = first[class_of]  # of each neuron, the first of its class
    same = all((x == x[like]).all() for x in (own_part, packets))
    if not same or abs(heard - heard[like]).nnz > 0:  # two keys are equal by chance
        return Classes(np.arange(key.size), own_part, packets, heard)
    return Classes(class_of, own_part[first], packets[first], heard[first])


def _mix(values: AnyArray) -> AnyArray:
    """Scramble 64-bit words [the finaliser of SplitMix64], never 0 for small ones."""
    x = values.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
