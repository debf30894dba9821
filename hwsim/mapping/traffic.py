"""Who sends how many packets to whom: the weights that a placement multiplies by hops."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from hwsim.arrays import FloatArray, IntArray
from hwsim.mapping.partition import Partition
from hwsim.mapping.profile import Profile
from hwsim.network import Network


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
    def _heard(self) -> dict[str, sparse.csr_array]:
        """1 where a part has synapses of a neuron, (neurons, parts), by population."""
        out = {}
        for source in self.net.populations:
            heard = sparse.csr_array((source.size, self.n_parts), dtype=np.int64)
            for p in self.net.out_of(source.name):
                target = self.net[p.target]
                n = int(self.part_of[p.target].max()) + 1
                own = self.part_of[p.target]
                fan = p.synapses.fan_out(source.shape, target.shape, own, n).tocoo()
                ends = (fan.row, fan.col + self.first[p.target])
                ones = np.ones(fan.nnz, dtype=np.int64)
                heard = heard + sparse.csr_array((ones, ends), shape=heard.shape)
            out[source.name] = heard
        return out

    def matrix(self, core_of: IntArray, n_cores: int) -> sparse.csr_array:
        """Packets per sample from each core to each other, (cores + 1, cores); the last: inputs.

        A spike is one packet for each core that holds at least one of its synapses, however
        many parts of it listen.

        Args:
            core_of: core of each part, (parts,), numbered 0 to `n_cores` - 1.
        """
        gather = sparse.csr_array(
            (np.ones(self.n_parts, dtype=np.int64), (np.arange(self.n_parts), core_of)),
            shape=(self.n_parts, n_cores),
        )
        out = sparse.csr_array((n_cores + 1, n_cores))
        for p in self.net.populations:
            heard = sparse.csr_array(self._heard[p.name] @ gather)
            heard.data = np.ones(heard.data.size)
            own = np.full(p.size, n_cores)
            if p.name in self.part_of:
                own = core_of[self.part_of[p.name] + self.first[p.name]]
            spikes = self.profile.spikes[p.name]
            sent = sparse.csr_array((spikes, (own, np.arange(p.size))), (n_cores + 1, p.size))
            out = out + sent @ heard
        return sparse.csr_array(out)

    def affinity(self) -> FloatArray:
        """Packets per sample saved if two parts share a core, (parts, parts)."""
        out = np.zeros((self.n_parts, self.n_parts))
        for p in self.net.populations:
            heard = sparse.csr_array(self._heard[p.name], copy=True, dtype=np.float64)
            heard.data[:] = 1
            weighted = sparse.diags_array(self.profile.spikes[p.name]) @ heard
            out += (heard.T @ weighted).toarray()
        return out


def traffic_of(partition: Partition, profile: Profile) -> Traffic:
    """Packets between the parts of a partition."""
    inner = [p.name for p in partition.net.populations if p.neuron is not None]
    return Traffic(partition.net, profile, {name: partition.cuts[name].part_of for name in inner})
