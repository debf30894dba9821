"""A reservoir on a chip: of crossbars, formed by chance, or of neurocores, in their integers."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

import hwsim
from experiments.lsm.rows import Numbers
from experiments.lsm.tasks import Data, Task, spread_microsiemens
from hwsim.arrays import AnyArray, IntArray
from hwsim.bill import Bill
from hwsim.crossbar.area import area
from hwsim.crossbar.correction import calibrate_chip
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.kept import reduced
from hwsim.crossbar.made import MadeChip, fabricate
from hwsim.crossbar.plan import compile_crossbar
from hwsim.crossbar.scaling import with_array_size
from hwsim.crossbar.spec import CrossbarChip
from neuro.models.lsm import LSM, RESERVOIR, Reservoir
from neuro.to_network import export

CHIP, DEVICE = "rram-40nm", "taox-40nm"
FOR_RANGES = 64  # training recordings that converters' ranges and corrections are found on
OTHER_READS = 1_000_000  # added to the seed, for noise of its own
COMPONENTS = ("cells", "lines", "drivers", "converters", "digital", "neurons", "control", "static")


@dataclass(frozen=True, slots=True, eq=False)
class OnChip:
    """Counts that a chip's counters read, (samples, neurons), and what the test part cost."""

    counts: IntArray
    test_counts: IntArray
    bill: Bill
    clipped: float
    n_arrays: int


@lru_cache(maxsize=8)
def crossbars(rows: int = 512, columns: int = 512) -> CrossbarChip:
    """The 40 nm chip, with arrays of another size."""
    chip = hwsim.load_chip(CHIP)
    assert isinstance(chip, CrossbarChip)
    if (rows, columns) == (chip.array.rows, chip.array.columns):
        return chip
    return with_array_size(chip, rows, columns)


@lru_cache(maxsize=16)
def cells(spread: float = 1.0) -> Device:
    """The chip's cells, formed ones with another spread: times the measured standard deviation."""
    device = load_device(DEVICE)
    if spread == 1:
        return device
    assert device.forming is not None
    values = device.forming.model_dump(by_alias=True)
    values["formed_sd_siemens"] *= spread
    return device.with_(forming=values)


def made(
    reservoir: Reservoir, frames: AnyArray, seed: int, *, chip: CrossbarChip, device: Device
) -> MadeChip:
    """The chip whose cells the weights were read off; input and feedback share arrays."""
    net = export(LSM(reservoir, tuple(frames.shape[2:])))
    known = frames[:FOR_RANGES]
    plan = compile_crossbar(net, chip, known, device=device, formed=reservoir.cells, join=RESERVOIR)
    return fabricate(plan, seed=seed)


def corrected(chip: MadeChip, frames: AnyArray) -> MadeChip:
    """The chip with a digital factor and offset for each neuron, found on training recordings.

    Idle rows are at 0 V and take current off the columns, whose wires resist: sums are too small.
    """
    return calibrate_chip(chip, frames[:FOR_RANGES], seed=chip.seed)


def far_over_near(chip: MadeChip) -> float:
    """What is left of an input row's current, over what is left of a feedback row's.

    Input rows are the far ones of an array, feedback rows lie beside its converters.
    """
    (block,) = chip.plan.blocks
    g = block.wanted
    left = reduced(g, chip.plan.wires).g_eff / g
    n_inputs = chip.plan.network.inputs[0].size
    return float(np.median(left[:n_inputs]) / np.median(left[n_inputs:]))


def with_noise(chip: MadeChip, noise: float) -> MadeChip:
    """The same cells, read with other noise in the place of the device's 2 % of a conductance.

    Args:
        noise: standard deviation of one read of a weight, of the spread of weights.
    """
    old = chip.plan.device
    assert old.read is not None
    a_cell = noise * spread_microsiemens(old, None) * 1e-6 / np.sqrt(2)
    values = old.read.model_dump(by_alias=True)
    values |= {"relative": a_cell / old.reference_siemens, "power": 0.0}
    device = old.with_(read=values if noise else None)
    return replace(chip, cells=tuple(replace(c, device=device) for c in chip.cells))


def run(chip: MadeChip, data: Data) -> OnChip:
    """All recordings on a chip; the bill is that of the test part."""
    training = simulate_crossbar(chip, data.frames, seed=chip.seed)
    test = simulate_crossbar(chip, data.test_frames, seed=chip.seed + OTHER_READS)
    clipped = float(test.counts.clipped.sum() / test.counts.conversions.sum())
    bill = hwsim.price(test.counts, chip.plan.chip)
    return OnChip(training.output, test.output, bill, clipped, len(chip.plan.blocks))


def on_cores(reservoir: Reservoir, data: Data, name: str) -> OnChip:
    """All recordings on a chip of neurocores, the weights rounded to its integers."""
    chip = hwsim.load_chip(name)
    assert isinstance(chip, hwsim.ChipSpec)
    net = export(LSM(reservoir, tuple(data.frames.shape[2:])))
    qnet, _ = hwsim.quantize(net, chip, data.frames[:FOR_RANGES])
    plan = hwsim.compile(qnet, chip)
    training, test = (hwsim.simulate(plan, x) for x in (data.frames, data.test_frames))
    bill = hwsim.price(test.counts, without_host(chip))
    return OnChip(training.output, test.output, bill, 0.0, len(plan.cores))


def without_host(chip: hwsim.ChipSpec) -> hwsim.ChipSpec:
    """The chip with a host whose power is not known, as those of the others."""
    plain = chip.model_dump(by_alias=True)
    if plain["power"]["host"] is not None:
        plain["power"]["host"] |= {"value": None, "rel_uncertainty": None}
    return hwsim.ChipSpec.model_validate(plain)


def cost(found: OnChip, chip: CrossbarChip | None = None) -> Numbers:
    """What an inference costs, by component, with the band of the constants."""
    bill = found.bill
    band, parts = bill.energy_band, bill.component_j()
    out: Numbers = {"energy_j": bill.energy_j, "latency_s": bill.latency_s}
    if band is not None:
        out |= {"energy_p10_j": band.p10, "energy_p90_j": band.p90}
    out |= {f"{name}_j": value for name, value in parts.items()}
    out |= {"clipped": found.clipped, "arrays": float(found.n_arrays)}
    if chip is not None:
        out["area_m2"] = area(chip, found.n_arrays).m2
    return out


def macs_per_inference(task: Task, n_inputs: int, n_neurons: int) -> int:
    """Multiply-accumulates of a reservoir computed densely, all steps."""
    return task.binning.n_steps * n_neurons * (n_inputs + n_neurons)
