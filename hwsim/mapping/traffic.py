"""Who sends how many packets to whom: the weights that a placement multiplies by hops."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from hwsim.arrays import FloatArray, IntArray
from hwsim.kernels.listing import add_packets, add_pairs
from hwsim.mapping.partition import Partition
from hwsim.mapping.profile import Profile
from hwsim.network import Network, Population


@dataclass(frozen=True, eq=False)
class Traffic:
    """Packets between parts of a network, by a profile.

    Parts are numbered over all populations, in the network's order.

    Attributes:
        part_of: part within its population of each neuron, by population with neurons.
    """

    net: Network
    profile: Profile
    part_of: dict[str, IntArray]

    @cached_property
    def first(self) -> dict[str, int]:
        """Number of the first part of each population."""
        out, n = {}, 0
        for p in self.net.populations:
            if p.name in self.part_of:
                out[p.name] = n
                n += int(self.part_of[p.name].max()) + 1
        return out

    @cached_property
    def n_parts(self) -> int:
        """Parts of all populations."""
        return sum(int(part.max()) + 1 for part in self.part_of.values())

    @cached_property
    def _heard(self) -> dict[str, tuple[IntArray, IntArray]]:
        """The parts that have synapses of each neuron, by population: CSR without values."""
        return {source.name: self._heard_of(source) for source in self.net.populations}

    def _heard_of(self, source: Population) -> tuple[IntArray, IntArray]:
        fans = []
        for p in self.net.out_of(source.name):
            own = self.part_of[p.target]
            shapes = source.shape, self.net[p.target].shape
            fan = p.synapses.fan_out(*shapes, own, int(own.max()) + 1)
            fans.append((fan.indptr.astype(np.int64), fan.indices + self.first[p.target]))
        if len(fans) == 1:
            return fans[0]
        row, part = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        for indptr, heard in fans:
            row.append(np.repeat(np.arange(source.size), np.diff(indptr)))
            part.append(heard)
        pairs = np.unique(np.concatenate(row) * self.n_parts + np.concatenate(part))
        ends = np.searchsorted(pairs, np.arange(source.size + 1) * self.n_parts)
        return ends, pairs % self.n_parts

    def matrix(self, core_of: IntArray, n_cores: int) -> sparse.csr_array:
        """Packets per sample from each core to each other, (cores + 1, cores); the last: inputs.

        A spike is one packet for each core that holds at least one of its synapses, however
        many parts of it listen.

        Args:
            core_of: core of each part, (parts,), numbered 0 to `n_cores` - 1.
        """
        out = np.zeros((n_cores + 1, n_cores))
        for p in self.net.populations:
            indptr, part = self._heard[p.name]
            own = np.full(p.size, n_cores)
            if p.name in self.part_of:
                own = core_of[self.part_of[p.name] + self.first[p.name]]
            senders, sender = _numbered(own, n_cores + 1)
            cores, core = _numbered(core_of[part], n_cores)
            sent = np.zeros((senders.size, cores.size))
            add_packets(indptr, core, sender, self.profile.spikes[p.name], sent)
            out[np.ix_(senders, cores)] += sent
        return sparse.csr_array(out)

    def affinity(self) -> FloatArray:
        """Packets per sample saved if two parts share a core, (parts, parts)."""
        out = np.zeros((self.n_parts, self.n_parts))
        for p in self.net.populations:
            indptr, part = self._heard[p.name]
            parts, at = _numbered(part, self.n_parts)
            saved = np.zeros((parts.size, parts.size))
            add_pairs(indptr, at, self.profile.spikes[p.name], saved)
            out[np.ix_(parts, parts)] += saved
        return out


def _numbered(values: IntArray, n: int) -> tuple[IntArray, IntArray]:
    """The different ones of some values below `n`, ascending, and which of them each is."""
    there = np.zeros(n, dtype=np.bool_)
    there[values] = True
    return np.flatnonzero(there), (np.cumsum(there) - 1)[values]


def traffic_of(partition: Partition, profile: Profile) -> Traffic:
    """Packets between the parts of a partition."""
    inner = [p.name for p in partition.net.populations if p.neuron is not None]
    return Traffic(partition.net, profile, {name: partition.cuts[name].part_of for name in inner})
