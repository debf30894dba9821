"""From a network to blocks on arrays: cut, code as conductances, set the converters' ranges."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TypedDict

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.cells import Cells
from hwsim.crossbar.converters import Inputs, calibrate
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.formed import FormedPairs, Found, found_cells, found_together
from hwsim.crossbar.joined import check_join, together
from hwsim.crossbar.kept import reduced
from hwsim.crossbar.seeds import RANGES, stream_of
from hwsim.crossbar.spec import Array, CrossbarChip, check_crossbar
from hwsim.crossbar.unrolled import (
    Matrix,
    delayed,
    joined,
    matrices,
    matrix_shapes,
    n_reads,
    row_inputs,
)
from hwsim.crossbar.weights import Coding
from hwsim.crossbar.wires import Wires
from hwsim.inputs import Samples, inputs_of
from hwsim.mapping.violation import DoesNotFit, Violation
from hwsim.network import Network, Projection
from hwsim.neuron import Neuron
from hwsim.simulation import simulate
from hwsim.synapses import Conv2d

SPIKES = Inputs()
CALIBRATION_READS = 4096  # of every matrix, drawn from all of the samples'
UNROLLED_BYTES = 64 * 2**20  # of inputs looked at, at a time


class Drivers(TypedDict):
    """How the rows of a block are driven; see `Block`."""

    inputs: Inputs
    x_full: float


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A matrix, or a part of one that fits an array.

    Attributes:
        matrix: the whole one. at: its number among all matrices of the network.
        rows, columns: which part of it.
        coding: weights as conductances. wanted: conductances (rows, physical columns), siemens.
        cells: those that were formed by chance, of which `wanted` was found; None: programmed.
        inputs: how its rows are driven. x_full: what a driver's full scale stands for.
        low, high: range of its converters in amperes; None where there are none, or they are as
            fine as numbers are.
    """

    matrix: Matrix
    at: int
    rows: slice
    columns: slice
    coding: Coding
    wanted: FloatArray
    inputs: Inputs = SPIKES
    x_full: float = 1.0
    low: float | None = None
    high: float | None = None
    cells: Cells | None = None

    @property
    def n_columns(self) -> int:
        """Weights per row."""
        return int(self.columns.stop - self.columns.start)

    @property
    def n_sensed(self) -> int:
        """Columns that converters see."""
        return self.coding.n_sensed(self.n_columns)


@dataclass(frozen=True, eq=False)
class CrossbarPlan:
    """A network on a chip of crossbars, one block on one array.

    Attributes:
        network: real. host: populations whose arriving sums the host computes, exactly.
        join: populations all of whose projections are one matrix.
    """

    chip: CrossbarChip
    device: Device
    network: Network
    blocks: tuple[Block, ...]
    host: frozenset[str]
    join: frozenset[str] = frozenset()

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Populations that are no inputs, in the network's order."""
        return tuple(p.name for p in self.network.populations if p.neuron is not None)

    @cached_property
    def blocks_of(self) -> dict[int, tuple[int, ...]]:
        """Numbers of the blocks of each projection; of those that are joined, of the first."""
        out: dict[int, tuple[int, ...]] = {}
        for i, block in enumerate(self.blocks):
            out[block.matrix.projection] = (*out.get(block.matrix.projection, ()), i)
        return out

    @cached_property
    def together(self) -> tuple[tuple[int, ...], ...]:
        """Numbers of the projections that are read together: one, or those that are joined."""
        return together(self.network, self.join)

    @property
    def n_cells(self) -> int:
        """Cells in use."""
        return sum(block.wanted.size for block in self.blocks)

    @property
    def wires(self) -> Wires:
        """Resistances of an array's wires."""
        return wires_of(self.chip)


def wires_of(chip: CrossbarChip) -> Wires:
    """A chip's wires."""
    a = chip.array
    return Wires(
        r_word_ohm=a.r_word_ohm,
        r_bit_ohm=a.r_bit_ohm,
        r_driver_ohm=a.r_driver_ohm,
        r_sense_ohm=a.r_sense_ohm,
        driven=a.driven,
        sensed=a.sensed,
    )


def compile_crossbar(
    net: Network,
    chip: CrossbarChip,
    samples: Samples,
    *,
    host: str | tuple[str, ...] = (),
    join: str | tuple[str, ...] = (),
    device: Device | None = None,
    formed: Mapping[tuple[str, str], FormedPairs] | None = None,
    seed: int = 0,
) -> CrossbarPlan:
    """Cut a network into blocks that fit arrays, and set the ranges of their converters.

    Args:
        net: in real numbers. samples: what its inputs look like, as `simulate` takes them: the
            ranges are calibrated on the currents that they cause in cells without error.
        host: populations that are left to the host; one name stands for itself.
        join: populations that hear several dense projections, each of one delay, with the rows of
            all of them on the same arrays: one pulse, one conversion a column, one sum.
        device: cells to use instead of the chip's. seed: of the reads that are looked at.
        formed: cells formed by chance, by (source, target) of a dense projection with one delay,
            whose weights were read off them; all others are programmed.

    Raises:
        DoesNotFit: naming every limit of the chip that is broken.
        ValueError: if the network is in integers, `host` names no layer, what `join` names cannot
            be joined, formed cells are not those of the weights, or an argument is not what it
            should be.
    """
    chip, rng = check_crossbar(chip), stream_of(seed, 0, RANGES)
    device = load_device(chip.device) if device is None else device
    if not isinstance(device, Device):
        raise ValueError(f"device is {device!r:.40}: give load_device(name), or leave it out")
    host = (host,) if isinstance(host, str) else tuple(host)
    if net.is_integer:
        raise ValueError("crossbars take a network in real numbers: give the one before `quantize`")
    layers = [p.name for p in net.populations if p.neuron is not None]
    if unknown := sorted(set(host) - set(layers)):
        raise ValueError(
            f"host layers {', '.join(unknown)} are no layers of the network: there are "
            + ", ".join(layers)
        )
    at_once = check_join(net, host, (join,) if isinstance(join, str) else tuple(join))
    read = [n for n in together(net, at_once) if net.projections[n[0]].target not in host]
    violations = (*_sense_violations(net, chip, host, read), *_count_violations(net, chip, read))
    if violations:
        raise DoesNotFit(chip.name, violations)
    found = found_cells(net, chip, device, host, formed or {})
    blocks: list[Block] = []
    for numbers in read:
        cells = found_together(net, numbers, found)
        coding = _coding(net, numbers, chip, device, cells)
        blocks += _blocks(net, numbers, coding, cells, len(blocks))
    plan = CrossbarPlan(chip, device, net, tuple(blocks), frozenset(host), at_once)
    return _calibrated(plan, samples, rng)


Read = Sequence[int]  # numbers of projections that are read together


def _coding(
    net: Network, numbers: Read, chip: CrossbarChip, device: Device, found: Found | None
) -> Coding:
    g_min, g_max = device.g_min_siemens, device.g_max_siemens
    if found is None:
        weights = [net.projections[k].synapses.weight for k in numbers]
        w_max = max(float(np.abs(w).max(initial=0.0)) for w in weights) or 1.0
    else:
        w_max = (g_max - g_min) / found.siemens_per_weight
    return Coding(chip.array, g_min, g_max, w_max)


def _blocks(
    net: Network, numbers: Read, coding: Coding, found: Found | None, first: int
) -> list[Block]:
    out, array = [], coding.array
    for at, matrix in enumerate(_matrices(net, numbers)):
        n_rows, n_columns = matrix.weight.shape
        for r in _cuts(n_rows, array.rows):
            for c in _cuts(n_columns, array.weights_per_row):
                if found is None:
                    cells, g = None, coding.conductances(matrix.weight[r, c])
                else:
                    cells = found.cells.part(r, slice(2 * c.start, 2 * c.stop))
                    g = cells.at()
                out.append(Block(matrix, first + at, r, c, coding, g, cells=cells))
    return out


def _matrices(net: Network, numbers: Read) -> list[Matrix]:
    own = [m for k in numbers for m in matrices(net, k)]
    return own if len(numbers) == 1 else [joined(own)]


def _shapes(net: Network, numbers: Read) -> list[tuple[int, int]]:
    """Rows and columns of the same matrices."""
    own = [shape for k in numbers for shape in matrix_shapes(net, k)]
    return own if len(numbers) == 1 else [(sum(rows for rows, _ in own), own[0][1])]


def _cuts(n: int, most: int) -> list[slice]:
    """As few nearly equal pieces as hold at most `most`."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _count_violations(net: Network, chip: CrossbarChip, read: Sequence[Read]) -> list[Violation]:
    """Counted by shapes, so that what does not fit is never laid out."""
    n = sum(_n_blocks(shape, chip.array) for k in read for shape in _shapes(net, k))
    if n <= chip.array.count:
        return []
    remedy = f"shrink layers, leave some to the host, or use arrays larger than {chip.array.rows} "
    remedy += f"x {chip.array.columns}"
    return [Violation("all", "array.count", n, chip.array.count, remedy)]


def _n_blocks(shape: tuple[int, int], array: Array) -> int:
    rows, columns = shape
    return -(-rows // array.rows) * -(-columns // array.weights_per_row)


def _sense_violations(
    net: Network, chip: CrossbarChip, host: tuple[str, ...], read: Sequence[Read]
) -> list[Violation]:
    """What keeps layers from having sense amplifiers as their neurons."""
    if chip.output.kind != "sense":
        return []
    out = []
    for population in net.populations:
        n, name = population.neuron, population.name
        if n is None or name in host:
            continue
        assert isinstance(n, Neuron)
        memory = n.decay_u.any() or n.decay_v.any() or n.refractory or n.emits != "spikes"
        memory = memory or (n.reset_late and n.reset == "subtract")
        if memory or n.v_th.ndim > len(population.shape):
            what = "memory, or something else than a spike of a fixed threshold"
            out.append(Violation(name, "output.sense", what, "none", "leave it to the host"))
        own = [numbers for numbers in read if net.projections[numbers[0]].target == name]
        if len(own) > 1 or any(_sums_in_parts(net, numbers, chip.array) for numbers in own):
            remedy = "shrink its inputs to one array's rows, or leave it to the host"
            out.append(Violation(name, "output.sense", "sums over arrays", "one array", remedy))
    return out


def _sums_in_parts(net: Network, numbers: Read, array: Array) -> bool:
    """Whether sums of projections that are read together are added up of several arrays."""
    shapes, synapses = _shapes(net, numbers), net.projections[numbers[0]].synapses
    groups = synapses.groups if isinstance(synapses, Conv2d) else 1
    return len(shapes) > groups or any(rows > array.rows for rows, _ in shapes)


def _calibrated(plan: CrossbarPlan, samples: Samples, rng: np.random.Generator) -> CrossbarPlan:
    """The same plan with the ranges of drivers and converters set."""
    net, inputs = plan.network, inputs_of(plan.network, samples)
    run = simulate(net, samples, record="spikes")
    sent = {p.name: x for p, x in zip(net.inputs, inputs, strict=True)}
    sent |= {name: s for name, s in run.spikes.items() if name not in sent}
    blocks: list[Block] = []
    matrix: Matrix | None = None
    for block in plan.blocks:
        xs = [sent[net.projections[m.projection].source] for m in block.matrix.parts]
        if block.matrix is not matrix:  # those of one matrix follow each other
            matrix = block.matrix
            reads = _some_reads(net, matrix, _heard(matrix, xs), rng)
        driven = replace(block, **_drivers(plan.chip, xs))
        blocks.append(_ranged(plan, driven, reads[:, block.rows]))
    return replace(plan, blocks=tuple(blocks))


def _drivers(chip: CrossbarChip, xs: Sequence[AnyArray]) -> Drivers:
    """Drivers of rows that hear what some populations send, each over all samples."""
    kind, bits = chip.input.kind, chip.input.bits
    least, most = min(float(x.min()) for x in xs), max(float(x.max()) for x in xs)
    inputs = Inputs(kind, bits, signed=kind == "serial" and least < 0)
    return {"inputs": inputs, "x_full": (max(most, -least) or 1.0) if kind == "dac" else 1.0}


def _heard(matrix: Matrix, xs: Sequence[AnyArray]) -> AnyArray:
    """What the rows of a matrix may be driven with, (samples, steps, sources).

    xs: what the source of each of its parts sends. Of delays only their differences say what is
    read together.
    """
    if not matrix.joined:
        return xs[0]
    late = [
        delayed(x, 0, x.shape[1])(m.delay - matrix.delay)
        for m, x in zip(matrix.joined, xs, strict=True)
    ]
    return np.concatenate(late, axis=1).reshape(*xs[0].shape[:2], -1)


def _some_reads(net: Network, matrix: Matrix, x: AnyArray, rng: np.random.Generator) -> FloatArray:
    """Inputs of a matrix's rows in some of its reads that are not all 0, (reads, rows).

    Every read of some steps has a random number, and those with the least are kept: all are as
    likely, and no more of them are in memory than of one piece.
    """
    p: Projection = net.projections[matrix.projection]
    ends = net[p.source].shape, net[p.target].shape
    x = x.reshape(-1, x.shape[-1])
    x = x[np.sort(rng.permutation(len(x))[:CALIBRATION_READS])]
    size = max(1, UNROLLED_BYTES // (8 * n_reads(p, ends[1]) * len(matrix.weight)))
    kept, order = np.zeros((0, len(matrix.weight))), np.zeros(0)
    for at in range(0, len(x), size):
        (reads,) = row_inputs(p, *ends, x[at : at + size], (matrix.group,))
        flat = reads.reshape(-1, reads.shape[-1])
        flat = flat[flat.any(axis=1)][:, matrix.rows]
        kept = np.concatenate([kept, flat])
        order = np.concatenate([order, rng.random(len(flat))])
        first = np.argsort(order)[:CALIBRATION_READS]
        kept, order = kept[first], order[first]
    return kept


def _ranged(plan: CrossbarPlan, block: Block, x: FloatArray) -> Block:
    """A block with the range of its converters; x: some of its inputs, (reads, rows)."""
    chip, inputs = plan.chip, block.inputs
    if chip.output.kind == "sense" or chip.output.bits is None:
        return block
    g = block.coding.sensed(reduced(block.wanted, plan.wires).g_eff)
    pulses = [lines for _, lines in inputs.pulses(inputs.driven(x / block.x_full))]
    currents = np.concatenate(pulses) @ g * chip.array.v_read_volt
    if not currents.any():  # nothing is known of what it will see
        currents = g[None].sum(axis=1) * chip.array.v_read_volt
    weightless = not block.matrix.weight[block.rows, block.columns].any()
    if (weightless and block.coding.both_signs) or not currents.any():  # cells err, no more
        currents = np.full((1, 1), plan.device.g_max_siemens * chip.array.v_read_volt)
    if block.coding.both_signs:
        currents = np.concatenate([currents, -currents])
    low, high = calibrate(
        currents, chip.output.bits, chip.output.range, percentile=chip.output.percentile
    )
    return replace(block, low=low, high=high)
