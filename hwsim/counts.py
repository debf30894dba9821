"""What happened on a chip: event counts per part, that add up over samples and runs."""

from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np

from hwsim.arrays import IntArray


@dataclass(frozen=True, slots=True)
class Critical:
    """What set the length of every time step, summed over time steps.

    A step lasts as long as its slowest core computes or its packets travel, whichever is longer:
    of each step either the events of the slowest core are counted here, or the hops of the
    slowest route, or, where that takes longer, the packets on the busiest link: the hops of the
    first of them on the shortest way, and one wait for every other.
    """

    sops_dense: int = 0
    sops_sparse: int = 0
    sops_conv: int = 0
    updates_active: int = 0
    updates_inactive: int = 0
    spikes: int = 0
    packets: int = 0
    packets_in: int = 0
    hops_ew: int = 0
    hops_ns: int = 0
    hops_chip: int = 0
    waits_ew: int = 0
    waits_ns: int = 0
    waits_chip: int = 0

    @property
    def sops(self) -> int:
        """Synaptic operations of all kinds."""
        return self.sops_dense + self.sops_sparse + self.sops_conv

    def __add__(self, other: "Critical") -> "Critical":
        names = [f.name for f in fields(self)]
        return Critical(*(getattr(self, n) + getattr(other, n) for n in names))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Events by part: a part is some neurons of one population on one core.

    Input populations are parts too; they send, but update nothing.

    Attributes:
        sops_dense, sops_sparse, sops_conv: synaptic operations by kind of synapse: fired axon
            times its synapses on the part, (parts,).
        updates_active: neuron updates with input, state or bias; a current that is not kept is no
            state. updates_inactive: all others.
        spikes: neurons fired. packets: spike messages sent, one per core that listens.
        packets_in: spike messages received; those of a core are its first listening part's.
        hops_ew, hops_ns: router-to-router moves of the packets a part sent, those between chips
            included. hops_chip: moves from chip to chip.
        n_samples, n_steps: presentations, and time steps over all of them.
        n_inputs: spikes that came from outside. n_readouts: values the host read.
        n_cores, n_tiles, n_chips: cores powered, tiles and chips with at least one of them.
        critical: see `Critical`.
    """

    sops_dense: IntArray
    sops_sparse: IntArray
    sops_conv: IntArray
    updates_active: IntArray
    updates_inactive: IntArray
    spikes: IntArray
    packets: IntArray
    packets_in: IntArray
    hops_ew: IntArray
    hops_ns: IntArray
    hops_chip: IntArray
    n_samples: int = 0
    n_steps: int = 0
    n_inputs: int = 0
    n_readouts: int = 0
    n_cores: int = 0
    n_tiles: int = 0
    n_chips: int = 1
    critical: Critical = Critical()

    @property
    def sops(self) -> IntArray:
        """Synaptic operations of all kinds, (parts,)."""
        return self.sops_dense + self.sops_sparse + self.sops_conv

    @classmethod
    def zero(
        cls, n_parts: int, *, n_cores: int = 0, n_tiles: int = 0, n_chips: int = 1
    ) -> "Counts":
        """Nothing happened on `n_parts` parts."""
        events: dict[str, Any] = {
            f.name: np.zeros(n_parts, dtype=np.int64) for f in fields(cls) if f.default is MISSING
        }
        return cls(**events, n_cores=n_cores, n_tiles=n_tiles, n_chips=n_chips)

    def __add__(self, other: "Counts") -> "Counts":
        kept = ("n_cores", "n_tiles", "n_chips")
        same = [getattr(self, n) == getattr(other, n) for n in kept]
        if self.spikes.size != other.spikes.size or not all(same):
            raise ValueError(
                f"counts of {self.spikes.size} parts on {self.n_cores} cores and of "
                f"{other.spikes.size} on {other.n_cores} do not add up: they are of different plans"
            )
        names = [f.name for f in fields(self) if f.name not in kept]
        summed: dict[str, Any] = {n: getattr(self, n) + getattr(other, n) for n in names}
        return Counts(**summed, **{n: getattr(self, n) for n in kept})
