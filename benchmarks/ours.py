"""hwsim on a workload: events counted on a chip where the network is in a chip's integers."""

from dataclasses import dataclass

import hwsim
from benchmarks.timing import Once, timed
from benchmarks.workloads import Workload
from hwsim.arrays import AnyArray
from hwsim.mapping.plan import Plan
from hwsim.network import Network
from hwsim.simulation import Run

ALONE, BATCH, UNCOUNTED = "hwsim, one by one", "hwsim, a batch", "hwsim, a batch, nothing counted"


@dataclass(frozen=True)
class Ours:
    """A workload, where it runs, and what came out of its `n_alone` samples."""

    workload: Workload
    what: Plan | Network
    alone: AnyArray
    batch: AnyArray
    run: Run

    @classmethod
    def of(cls, workload: Workload) -> "Ours":
        """Compile, and run once with spikes kept."""
        net = workload.network
        what = hwsim.compile(net, hwsim.load_chip("loihi1")) if net.is_integer else net
        samples = workload.draw(max(workload.n_alone, workload.n_batch))
        alone, batch = samples[: workload.n_alone], samples[: workload.n_batch]
        return cls(workload, what, alone, batch, hwsim.simulate(what, alone, record=("spikes",)))

    @property
    def spikes(self) -> dict[str, int]:
        """Spikes of every population with neurons, over the samples that ran alone."""
        inner = [p.name for p in self.workload.network.populations if p.neuron is not None]
        return {name: int(self.run.spike_counts[name].sum()) for name in inner}

    @property
    def sops_per_sample(self) -> float:
        """Synaptic operations; on a chip those of the last steps, that nobody hears, are not."""
        return float(self.run.sops.mean())

    def contestants(self) -> list[Once]:
        """One by one, in a batch, and in a batch off the chip."""
        entries: list[Once] = [self.one_by_one]
        if len(self.batch):
            entries.append(self.in_a_batch)
        if len(self.batch) and self.what is not self.workload.network:
            entries.append(self.nothing_counted)
        return entries

    def one_by_one(self) -> dict[str, float]:
        """Every sample in a call of its own."""

        def work() -> None:
            for i in range(len(self.alone)):
                hwsim.simulate(self.what, self.alone[i : i + 1])

        return {ALONE: timed(work, len(self.alone))}

    def in_a_batch(self) -> dict[str, float]:
        """All samples in one call."""
        return {BATCH: timed(lambda: hwsim.simulate(self.what, self.batch), len(self.batch))}

    def nothing_counted(self) -> dict[str, float]:
        """All samples in one call, off the chip."""
        net = self.workload.network
        return {UNCOUNTED: timed(lambda: hwsim.simulate(net, self.batch), len(self.batch))}
