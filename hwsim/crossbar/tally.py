"""Counting on crossbars, while the engine runs."""

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.plan import CrossbarPlan
from hwsim.network import Population


class Tally:
    """Events of one simulation, added up as they happen."""

    def __init__(self, plan: CrossbarPlan) -> None:
        n, layers = len(plan.blocks), len(plan.layers)
        self.plan = plan
        self.n_pulses, self.rows, self.clipped, self.adds = (np.zeros(n, np.int64) for _ in "1234")
        self.watts = np.zeros(n)
        self.updates, self.spikes, self.bits, self.macs = (
            np.zeros(layers, np.int64) for _ in "1234"
        )
        self.n_samples = self.n_steps = self.n_inputs = self.n_readouts = 0
        self.at = {name: k for k, name in enumerate(plan.layers)}
        targets = [plan.network.projections[b.matrix.projection].target for b in plan.blocks]
        self.layer = np.array([self.at[name] for name in targets], dtype=np.int64)
        self.joins = self._joins()

    def _joins(self) -> IntArray:
        """1 of blocks whose sums are added to those of an earlier one of the same neurons."""
        first: dict[int, int] = {}  # projection of each layer
        seen: set[tuple[int, int, int]] = set()
        out = np.zeros(len(self.plan.blocks), dtype=np.int64)
        for i, block in enumerate(self.plan.blocks):
            projection = block.matrix.projection
            own = projection, block.matrix.group, block.columns.start
            out[i] = own in seen or first.setdefault(int(self.layer[i]), projection) != projection
            seen.add(own)
        return out

    def pulses(self, i: int, x: FloatArray, *, again: bool) -> None:
        """A pulse of a block: x (reads, rows). again: its sums are added to an earlier one's."""
        block = self.plan.blocks[i]
        self.n_pulses[i] += len(x)
        self.rows[i] += np.count_nonzero(x)
        offset = self.plan.chip.array.signed == "offset"  # added up once, taken off every column
        inside = block.n_sensed - (1 if offset else block.n_columns)
        outside = block.n_columns * (1 if again else int(self.joins[i]))
        self.adds[i] += len(x) * (inside + outside)

    def buffered(self, layer: str, bits: int) -> None:
        """Bits that a layer takes from its buffer."""
        self.bits[self.at[layer]] += bits * self.plan.chip.input.bits

    def host(self, layer: str, macs: int) -> None:
        """Multiply-accumulates of a layer that is left to the host."""
        self.macs[self.at[layer]] += macs

    def finish(
        self, n_samples: int, n_steps: int, sent: dict[str, list[IntArray]], n_readouts: int
    ) -> None:
        """What is known when all samples have run; sent: spikes of each population."""
        net, chip = self.plan.network, self.plan.chip
        self.n_samples, self.n_steps = n_samples, n_samples * n_steps
        self.n_inputs = sum(int(c.sum()) for p in net.inputs for c in sent[p.name])
        self.n_readouts = n_samples * n_readouts
        for name, k in self.at.items():
            on_chip = name not in self.plan.host
            self.spikes[k] = sum(int(c.sum()) for c in sent[name]) if on_chip else 0
            if on_chip and chip.output.kind == "adc":
                population: Population = net[name]
                self.updates[k] = self.n_steps * population.size

    def counts(self, depth: int) -> CrossbarCounts:
        """The counts."""
        plan, out = self.plan, self.plan.chip.output
        physical = np.array([b.wanted.shape[1] for b in plan.blocks], dtype=np.int64)
        sensed = np.array([b.n_sensed for b in plan.blocks], dtype=np.int64)
        compared = self.n_pulses * sensed
        none = np.zeros_like(compared)
        adc = out.kind == "adc"
        return CrossbarCounts(
            pulses=self.n_pulses,
            rows_driven=self.rows,
            cells_driven=self.rows * physical,
            cell_watts=self.watts,
            columns_read=self.n_pulses * physical,
            conversions=compared if adc else none,
            clipped=self.clipped,
            senses=none if adc else compared,
            shift_adds=self.adds,
            serial_conversions=self.n_pulses * np.minimum(sensed, out.columns_per_adc)
            if adc
            else none,
            layer=self.layer,
            updates=self.updates,
            spikes=self.spikes,
            bits_buffered=self.bits,
            host_macs=self.macs,
            n_samples=self.n_samples,
            n_steps=self.n_steps,
            n_inputs=self.n_inputs,
            n_readouts=self.n_readouts,
            n_arrays=len(plan.blocks),
            n_cells=plan.n_cells,
            depth=depth,
        )
