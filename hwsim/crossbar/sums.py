"""What arrives at a layer: reads of its blocks, or exact sums of the host; counted."""

from collections.abc import Mapping, Sequence
from functools import reduce

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.crossbar.made import MadeChip
from hwsim.crossbar.plan import Block
from hwsim.crossbar.ready import ReadyBlock
from hwsim.crossbar.tally import Tally
from hwsim.crossbar.unrolled import Matrix, OfDelay, as_target, matrices, row_inputs
from hwsim.network import Network, Projection
from hwsim.synapses import Sparse


class Lines:
    """What the rows of matrices are driven with, unrolled once for every projection and delay.

    Args:
        heard: by number of a projection, what its sources sent so many steps earlier.
    """

    def __init__(self, net: Network, heard: Mapping[int, OfDelay]) -> None:
        self.net, self.heard = net, heard
        self._unrolled: dict[tuple[int, int], list[AnyArray]] = {}
        self._joined: dict[int, AnyArray] = {}

    def of(self, m: Matrix) -> AnyArray:
        """Inputs of all rows of the matrix's group, (samples, reads, rows)."""
        if not m.joined:
            return self.groups(m.projection, m.delay)[m.group]
        if m.projection not in self._joined:
            parts = [self.groups(q.projection, q.delay)[0] for q in m.joined]
            self._joined[m.projection] = np.concatenate(parts, axis=2)
        return self._joined[m.projection]

    def groups(self, number: int, delay: int) -> list[AnyArray]:
        """Inputs of every group of a projection."""
        if (number, delay) not in self._unrolled:
            p = self.net.projections[number]
            ends = self.net[p.source].shape, self.net[p.target].shape
            self._unrolled[number, delay] = row_inputs(p, *ends, self.heard[number](delay))
        return self._unrolled[number, delay]


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

    def sums(self, numbers: Sequence[int], heard: Mapping[int, OfDelay]) -> FloatArray:
        """Sums of projections that are read together (reads, target neurons).

        numbers: one of `CrossbarPlan.together`. heard: by number, what its sources sent so many
            steps earlier, (reads, sources).
        """
        net, lines, first = self.plan.network, Lines(self.plan.network, heard), numbers[0]
        if first in self.on_host:
            return reduce(np.add, [self._host(k, lines) for k in numbers])
        out: dict[int, FloatArray] = {}
        for i in self.plan.blocks_of.get(first, ()):
            block = self.ready[i].block
            x = lines.of(block.matrix)
            group = out.setdefault(
                block.matrix.group, np.zeros((*x.shape[:2], block.matrix.weight.shape[1]))
            )
            mine = x[:, :, _as_slice(block.matrix.rows[block.rows])].reshape(-1, len(block.wanted))
            found = self._read(i, mine)
            group[:, :, block.columns] += found.reshape(*x.shape[:2], -1)
        p, n = net.projections[first], len(heard[first](0))
        for k in numbers:
            self.tally.buffered(p.target, n * net[net.projections[k].source].size)
        if not out:  # no synapse at all
            return np.zeros((n, net[p.target].size))
        whole = as_target(p, net[p.target].shape, [out[g] for g in sorted(out)])
        return self._corrected(first, whole)

    def _host(self, number: int, lines: Lines) -> FloatArray:
        net = self.plan.network
        p = net.projections[number]
        target = net[p.target].shape
        out: dict[int, FloatArray] = {}
        macs = 0
        for m in self.on_host[number]:
            x = lines.of(m)[:, :, m.rows]
            out[m.group] = out.get(m.group, 0.0) + x @ m.weight
            macs += int(np.count_nonzero(x, axis=(0, 1)) @ _fan_out(p, m))
        self.tally.host(p.target, macs)
        if not out:
            return np.zeros((len(lines.groups(number, 0)[0]), net[p.target].size))
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
