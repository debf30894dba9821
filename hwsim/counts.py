"""What happened on a chip: event counts per part, that add up over samples and runs."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hwsim.arrays import IntArray


@dataclass(frozen=True, slots=True)
class Critical:
    """What the slowest part did, summed over time steps: a step lasts as long as it does.

    Hops are those of the longest route that any spike of the step took.
    """

    sops: int = 0
    updates_active: int = 0
    updates_inactive: int = 0
    packets: int = 0
    hops_ew: int = 0
    hops_ns: int = 0

    def __add__(self, other: "Critical") -> "Critical":
        names = [f.name for f in fields(self)]
        return Critical(*(getattr(self, n) + getattr(other, n) for n in names))


@dataclass(frozen=True, slots=True, eq=False)
class Counts:
    """Events by part: a part is a run of neurons of one population on one core.

    Input populations are parts too; they send, but update nothing.

    Attributes:
        sops: synaptic operations: fired axon times its synapses on the part, (parts,).
        updates_active: neuron updates with input, state or bias. updates_inactive: all others.
        spikes: neurons fired. packets: spike messages sent, one per core that listens.
        hops_ew, hops_ns: router-to-router moves of the packets a part sent.
        n_samples, n_steps: presentations, and time steps over all of them.
        n_inputs: spikes that came from outside. n_readouts: values the host read.
        n_cores, n_tiles: cores powered, and tiles with at least one of them.
        critical: see `Critical`.
    """

    sops: IntArray
    updates_active: IntArray
    updates_inactive: IntArray
    spikes: IntArray
    packets: IntArray
    hops_ew: IntArray
    hops_ns: IntArray
    n_samples: int = 0
    n_steps: int = 0
    n_inputs: int = 0
    n_readouts: int = 0
    n_cores: int = 0
    n_tiles: int = 0
    critical: Critical = Critical()

    @classmethod
    def zero(cls, n_parts: int, *, n_cores: int = 0, n_tiles: int = 0) -> "Counts":
        """Nothing happened on `n_parts` parts."""
        zero = np.zeros(n_parts, dtype=np.int64)
        return cls(zero, zero, zero, zero, zero, zero, zero, n_cores=n_cores, n_tiles=n_tiles)

    def __add__(self, other: "Counts") -> "Counts":
        same = (self.sops.size, self.n_cores, self.n_tiles)
        if same != (other.sops.size, other.n_cores, other.n_tiles):
            raise ValueError(
                f"counts of {self.sops.size} parts on {self.n_cores} cores and of "
                f"{other.sops.size} on {other.n_cores} do not add up: they are of different plans"
            )
        kept: dict[str, Any] = {"n_cores": self.n_cores, "n_tiles": self.n_tiles}
        names = [f.name for f in fields(self) if f.name not in kept]
        summed: dict[str, Any] = {n: getattr(self, n) + getattr(other, n) for n in names}
        return Counts(**summed, **kept)
