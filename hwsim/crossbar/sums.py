"""What arrives at a layer: reads of its blocks, or exact sums of the host; counted."""

from collections.abc import Callable, Sequence

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.crossbar.made import MadeChip
from hwsim.crossbar.plan import Block
from hwsim.crossbar.ready import ReadyBlock
from hwsim.crossbar.tally import Tally
from hwsim.crossbar.unrolled import Matrix, as_target, matrices, row_inputs
from hwsim.network import Projection
from hwsim.synapses import Sparse

OfDelay = Callable[[int], AnyArray]


def delayed(x: AnyArray, t0: int, t1: int) -> OfDelay:
    """What a population sent before the steps t0 <= t < t1, as (samples x steps, neurons).

    x: all that it sent, (samples, steps, neurons); nothing before its first step.
    """

    def of_delay(delay: int) -> AnyArray:
        late = x[:, max(0, t0 - delay) : max(0, t1 - delay)]
        missing = t1 - t0 - late.shape[1]
        if missing:
            late = np.pad(late, ((0, 0), (missing, 0), (0, 0)))
        return late.reshape(len(x) * (t1 - t0), -1)

    return of_delay


class Products:
    """Sums of weights, as one chip at one age computes them.

    Args:
        ready: its blocks. rng: of the noise of reads.
    """

    def __init__(
        self, made: MadeChip, ready: Sequence[ReadyBlock], rng: np.random.Generator
    ) -> None:
        self.made, self.plan, self.ready, self.rng = made, made.plan, ready, rng
        self.tally = Tally(made.plan)
        net = made.plan.network
        self.on_host = {
            k: matrices(net, k) for k, p in enumerate(net.projections) if p.target in made.plan.host
        }

    def sums(self, number: int, of_delay: OfDelay) -> FloatArray:
        """Sums of one projection (reads, target neurons).

        of_delay: what its sources sent so many steps earlier, (reads, sources).
        """
        net = self.plan.network
        p = net.projections[number]
        source, target = net[p.source].shape, net[p.target].shape
        unrolled: dict[int, list[AnyArray]] = {}

        def rows(delay: int) -> list[AnyArray]:
            if delay not in unrolled:
                unrolled[delay] = row_inputs(p, source, target, of_delay(delay))
            return unrolled[delay]

        if number in self.on_host:
            return self._host(number, rows)
        out: dict[int, FloatArray] = {}
        for i in self.plan.blocks_of.get(number, ()):
            block = self.ready[i].block
            x = rows(block.matrix.delay)[block.matrix.group]
            group = out.setdefault(
                block.matrix.group, np.zeros((*x.shape[:2], block.matrix.weight.shape[1]))
            )
            mine = x[:, :, _as_slice(block.matrix.rows[block.rows])].reshape(-1, len(block.wanted))
            found = self._read(i, mine)
            group[:, :, block.columns] += found.reshape(*x.shape[:2], -1)
        self.tally.buffered(p.target, len(of_delay(0)) * net[p.source].size)
        if not out:  # no synapse at all
            return np.zeros((len(of_delay(0)), net[p.target].size))
        joined = as_target(p, target, [out[g] for g in sorted(out)])
        return self._corrected(number, joined)

    def _host(self, number: int, rows: Callable[[int], list[AnyArray]]) -> FloatArray:
        net = self.plan.network
        p = net.projections[number]
        target = net[p.target].shape
        out: dict[int, FloatArray] = {}
        macs = 0
        for m in self.on_host[number]:
            x = rows(m.delay)[m.group][:, :, m.rows]
            out[m.group] = out.get(m.group, 0.0) + x @ m.weight
            macs += int(np.count_nonzero(x, axis=(0, 1)) @ _fan_out(p, m))
        self.tally.host(p.target, macs)
        if not out:
            return np.zeros((len(rows(0)[0]), net[p.target].size))
        return as_target(p, target, [out[g] for g in sorted(out)])

    def _corrected(self, number: int, sums: FloatArray) -> FloatArray:
        found = self.made.corrections.get(number)
        if found is None:
            return sums
        shape = self.plan.network[self.plan.network.projections[number].target].shape
        rows = sums.reshape(len(sums), *shape)
        channel = (-1, *(1,) * (len(shape) - 1))
        out = rows * found.factor.reshape(channel) + found.offset.reshape(channel)
        return np.asarray(out.reshape(sums.shape))

    def _read(self, i: int, x: AnyArray) -> FloatArray:
        """Sums of a block (reads, columns), all pulses of its inputs added."""
        block, kind = self.ready[i].block, self.ready[i].held.dtype
        if block.inputs.kind == "dac":
            self.tally.clipped[i] += np.count_nonzero(np.abs(x) > block.x_full)
        skips = self.plan.chip.array.skip_silent
        sums = np.zeros((len(x), block.n_columns))
        for number, (worth, lines) in enumerate(_pulses(block, x)):
            driven = lines.any(axis=1) if skips else np.ones(len(x), dtype=bool)
            shown = (lines if driven.all() else lines[driven]).astype(kind)
            sums[driven] += worth * self._pulse(i, shown)
            self.tally.pulses(i, shown, again=number > 0)
        return sums

    def _pulse(self, i: int, x: FloatArray) -> FloatArray:
        block, v = self.ready[i].block, self.plan.chip.array.v_read_volt
        currents, clipped, watts = self.ready[i].read(x, self.rng)
        self.tally.clipped[i] += clipped
        self.tally.watts[i] += watts
        return block.coding.sums(currents, block.n_columns, v)


def _fan_out(p: Projection, m: Matrix) -> IntArray:
    """Synapses of each row: those there are, where they are listed or have delays of their own."""
    if isinstance(p.synapses, Sparse) or p.delay.ndim:
        return np.asarray(np.count_nonzero(m.weight, axis=1))
    return np.full(len(m.weight), m.weight.shape[1])


def _pulses(block: Block, x: AnyArray) -> list[tuple[float, AnyArray]]:
    """Voltages of every pulse that sends x (reads, rows), and what its sums are worth."""
    if block.inputs.kind == "spike" and x.dtype == np.uint8:
        return [(1.0, x)]
    x = x / block.x_full
    if block.inputs.kind == "dac":  # it saturates; counted
        x = np.clip(x, -1.0, 1.0)
    driven = block.inputs.driven(x)
    return [(worth * block.x_full, lines) for worth, lines in block.inputs.pulses(driven)]


def _as_slice(rows: AnyArray) -> AnyArray | slice:
    """Neighbouring rows as a slice, which copies nothing."""
    first, n = int(rows[0]), len(rows)
    return slice(first, first + n) if int(rows[-1]) - first == n - 1 else rows
