"""From a network to blocks on arrays: cut, code as conductances, set the converters' ranges."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.crossbar.converters import Inputs, calibrate
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.spec import CrossbarChip
from hwsim.crossbar.unrolled import Matrix, matrices, row_inputs
from hwsim.crossbar.weights import Coding
from hwsim.crossbar.wires import Wires, reduce_array
from hwsim.inputs import inputs_of
from hwsim.mapping.violation import DoesNotFit, Violation
from hwsim.network import Network, Projection
from hwsim.neuron import Neuron
from hwsim.simulation import simulate

SPIKES = Inputs()
CALIBRATION_READS = 4096  # of every block, drawn from all of the samples'


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A matrix, or a part of one that fits an array.

    Attributes:
        matrix: the whole one. at: its number among all matrices of the network.
        rows, columns: which part of it.
        coding: weights as conductances. wanted: conductances (rows, physical columns), siemens.
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
    """

    chip: CrossbarChip
    device: Device
    network: Network
    blocks: tuple[Block, ...]
    host: frozenset[str]

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Populations that are no inputs, in the network's order."""
        return tuple(p.name for p in self.network.populations if p.neuron is not None)

    @cached_property
    def blocks_of(self) -> dict[int, tuple[int, ...]]:
        """Numbers of the blocks of each projection."""
        out: dict[int, tuple[int, ...]] = {}
        for i, block in enumerate(self.blocks):
            out[block.matrix.projection] = (*out.get(block.matrix.projection, ()), i)
        return out

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
    samples: AnyArray,
    *,
    host: tuple[str, ...] = (),
    device: Device | None = None,
    seed: int = 0,
) -> CrossbarPlan:
    """Cut a network into blocks that fit arrays, and set the ranges of their converters.

    Args:
        net: in real numbers. samples: what its inputs look like, as `simulate` takes them: the
            ranges are calibrated on the currents that they cause in cells without error.
        host: populations that are left to the host.
        device: cells to use instead of the chip's. seed: of the reads that are looked at.

    Raises:
        DoesNotFit: naming every limit of the chip that is broken.
        ValueError: if the network is in integers, or `host` names no layer.
    """
    device = device or load_device(chip.device)
    if net.is_integer:
        raise ValueError("crossbars take a network in real numbers: give the one before `quantize`")
    unknown = set(host) - {p.name for p in net.populations if p.neuron is not None}
    if unknown:
        raise ValueError(f"host layers {', '.join(sorted(unknown))} are no layers of the network")
    blocks: list[Block] = []
    for number, p in enumerate(net.projections):
        if p.target not in host:
            blocks += _blocks(net, number, chip, device, len(blocks))
    violations = (*_sense_violations(net, chip, blocks, host), *_count_violations(chip, blocks))
    if violations:
        raise DoesNotFit(chip.name, violations)
    plan = CrossbarPlan(chip, device, net, tuple(blocks), frozenset(host))
    return _calibrated(plan, samples, np.random.default_rng(seed))


def _blocks(
    net: Network, number: int, chip: CrossbarChip, device: Device, first: int
) -> list[Block]:
    p, array = net.projections[number], chip.array
    w_max = float(np.abs(p.synapses.weight).max(initial=0.0)) or 1.0
    coding = Coding(array, device.g_min_siemens, device.g_max_siemens, w_max)
    out = []
    for at, matrix in enumerate(matrices(net, number)):
        n_rows, n_columns = matrix.weight.shape
        for r in _cuts(n_rows, array.rows):
            for c in _cuts(n_columns, array.weights_per_row):
                wanted = coding.conductances(matrix.weight[r, c])
                out.append(Block(matrix, first + at, r, c, coding, wanted))
    return out


def _cuts(n: int, most: int) -> list[slice]:
    """As few nearly equal pieces as hold at most `most`."""
    edges = np.linspace(0, n, -(-n // most) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def _count_violations(chip: CrossbarChip, blocks: list[Block]) -> list[Violation]:
    if len(blocks) <= chip.array.count:
        return []
    remedy = f"shrink layers, leave some to the host, or use arrays larger than {chip.array.rows} "
    remedy += f"x {chip.array.columns}"
    return [Violation("all", "array.count", len(blocks), chip.array.count, remedy)]


def _sense_violations(
    net: Network, chip: CrossbarChip, blocks: list[Block], host: tuple[str, ...]
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
        if memory or n.v_th.ndim > len(population.shape):
            what = "memory, or something else than a spike of a fixed threshold"
            out.append(Violation(name, "output.sense", what, "none", "leave it to the host"))
        own = [b for b in blocks if net.projections[b.matrix.projection].target == name]
        parts = {(b.matrix.projection, b.matrix.group, b.columns.start) for b in own}
        if len(own) > len(parts) or len(net.into(name)) > 1:
            remedy = "shrink its inputs to one array's rows, or leave it to the host"
            out.append(Violation(name, "output.sense", "sums over arrays", "one array", remedy))
    return out


def _calibrated(plan: CrossbarPlan, samples: AnyArray, rng: np.random.Generator) -> CrossbarPlan:
    """The same plan with the ranges of drivers and converters set."""
    net, inputs = plan.network, inputs_of(plan.network, samples)
    run = simulate(net, samples, record="spikes")
    sent = {p.name: x for p, x in zip(net.inputs, inputs, strict=True)}
    sent |= {name: s for name, s in run.spikes.items() if name not in sent}
    blocks = [
        _ranged(plan, block, _some_reads(net, block.matrix, sent, rng)) for block in plan.blocks
    ]
    return CrossbarPlan(plan.chip, plan.device, net, tuple(blocks), plan.host)


def _some_reads(
    net: Network, matrix: Matrix, sent: dict[str, AnyArray], rng: np.random.Generator
) -> FloatArray:
    """Inputs of a matrix's rows in some of its reads, (reads, rows)."""
    p: Projection = net.projections[matrix.projection]
    x = sent[p.source]
    x = x.reshape(-1, x.shape[-1])
    x = x[_drawn(len(x), rng)].astype(np.float64)
    reads = row_inputs(p, net[p.source].shape, net[p.target].shape, x)[matrix.group]
    flat = reads.reshape(-1, reads.shape[-1])
    flat = flat[flat.any(axis=1)]
    return flat[_drawn(len(flat), rng)][:, matrix.rows]


def _drawn(n: int, rng: np.random.Generator) -> IntArray:
    return np.sort(rng.permutation(n)[:CALIBRATION_READS])


def _ranged(plan: CrossbarPlan, block: Block, x: FloatArray) -> Block:
    """A block with its drivers, and the range of its converters."""
    chip, x = plan.chip, x[:, block.rows]
    kind, bits = chip.input.kind, chip.input.bits
    x_full = float(np.abs(x).max(initial=0.0)) or 1.0 if kind == "dac" else 1.0
    inputs = Inputs(kind, bits, signed=kind == "serial" and bool((x < 0).any()))
    block = replace(block, inputs=inputs, x_full=x_full)
    if chip.output.kind == "sense" or chip.output.bits is None:
        return block
    g = block.coding.sensed(reduce_array(block.wanted, plan.wires).g_eff)
    pulses = [lines for _, lines in inputs.pulses(inputs.driven(x / x_full))]
    currents = np.concatenate(pulses) @ g * chip.array.v_read_volt
    if not currents.any():  # nothing is known of what it will see
        currents = g[None].sum(axis=1) * chip.array.v_read_volt
    if block.coding.both_signs:
        currents = np.concatenate([currents, -currents])
    low, high = calibrate(
        currents, chip.output.bits, chip.output.range, percentile=chip.output.percentile
    )
    return replace(block, low=low, high=high)
