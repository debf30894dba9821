"""Joules per operation of one array in full use, beside what was published of macros."""

from dataclasses import dataclass
from importlib import resources

import numpy as np
from pydantic import Field, PositiveFloat

from hwsim.bands import Band
from hwsim.bill import Bill
from hwsim.chips import toml_files
from hwsim.chips.spec import Spec
from hwsim.crossbar.area import sensed_columns
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.energy import price_crossbar
from hwsim.crossbar.spec import CrossbarChip, check_crossbar

OPS_PER_MAC = 2  # as the papers count: a multiplication and an addition


class PublishedMacro(Spec):
    """A workload that a macro was reported to run."""

    device: str
    workload: str
    operations: PositiveFloat
    joules: PositiveFloat
    source: str = Field(min_length=8)

    @property
    def joules_per_op(self) -> float:
        """Energy of one operation."""
        return self.joules / self.operations


class _Published(Spec):
    macro: tuple[PublishedMacro, ...]


def published(device: str) -> tuple[PublishedMacro, ...]:
    """What was published of macros with such a device."""
    text = (resources.files("hwsim.chips") / "published.toml").read_text(encoding="utf-8")
    found = toml_files.parse(_Published, "published", text).macro
    return tuple(macro for macro in found if macro.device == device)


@dataclass(frozen=True, slots=True)
class PerOperation:
    """Energy of an operation, by component.

    Attributes:
        input_bits: of a number, one pulse for each. operations: of one product, 2 per MAC.
        bill: of the product. components_j: per operation, None where nothing is known.
        energy_j: per operation. energy_band: median [p10, p90].
    """

    input_bits: int
    operations: int
    bill: Bill
    components_j: dict[str, float | None]
    energy_j: float | None
    energy_band: Band | None


def per_operation(
    chip: CrossbarChip,
    *,
    input_bits: int = 1,
    driven: float = 1.0,
    g_mean_siemens: float | None = None,
) -> PerOperation:
    """One product of one array, all rows and columns in use, a signed weight being one MAC.

    Wires are taken as ideal, so that cells cost V^2 G for the length of a pulse: the most that
    they can. A number of several bits takes a pulse for each; its neurons are updated once.

    Args:
        driven: rows at the read voltage, of all, mean over pulses. g_mean_siemens: of a cell; by
            default of cells as they are formed, or else the middle of the device's window.

    Raises:
        ValueError: for no bit, or a part of the rows that is not above 0 and at most 1.
    """
    chip = check_crossbar(chip)
    if input_bits < 1 or not 0 < driven <= 1:
        raise ValueError(
            f"{input_bits} bits with {driven:g} of the rows driven: give 1 bit or more, and more "
            "than 0 to 1 of the rows"
        )
    mean = g_mean_siemens
    if mean is None:
        mean = mean_conductance(load_device(chip.device))
    bill = price_crossbar(_full_use(chip, input_bits, driven, mean), chip)
    n = OPS_PER_MAC * chip.array.rows * chip.array.weights_per_row
    parts = bill.component_j()
    b = bill.energy_band
    return PerOperation(
        input_bits=input_bits,
        operations=n,
        bill=bill,
        components_j={name: None if j is None else j / n for name, j in parts.items()},
        energy_j=None if bill.energy_j is None else bill.energy_j / n,
        energy_band=None if b is None else Band(b.median / n, b.p10 / n, b.p90 / n),
    )


def mean_conductance(device: Device) -> float:
    """Of a cell: as many pristine ones as forming leaves; else the middle of the window."""
    law = device.forming
    if law is None:
        return (device.g_min_siemens + device.g_max_siemens) / 2
    formed = device.form((1 << 14,), np.random.default_rng(0))
    return float(formed.at(0.0).mean())


def _full_use(chip: CrossbarChip, bits: int, driven: float, mean: float) -> CrossbarCounts:
    """What one product of a full array counts."""
    a, out, columns = chip.array, chip.output, sensed_columns(chip)
    rows = driven * a.rows * bits
    watts = rows * a.columns * mean * a.v_read_volt**2
    adc = out.kind == "adc"
    read = bits * columns

    def once(n: float) -> np.ndarray:
        return np.array([n])

    return CrossbarCounts(
        pulses=once(bits),
        rows_driven=once(rows),
        cells_driven=once(rows * a.columns),
        cell_watts=once(watts),
        columns_read=once(bits * a.columns),
        conversions=once(read if adc else 0),
        clipped=once(0),
        senses=once(0 if adc else read),
        shift_adds=once(read - a.weights_per_row if adc else 0),
        serial_conversions=once(bits * min(columns, out.columns_per_adc) if adc else 0),
        layer=np.array([0]),
        updates=once(a.weights_per_row if adc else 0),
        spikes=once(0),
        bits_buffered=once(bits * a.rows),
        host_macs=once(0),
        n_samples=1,
        n_steps=1,
        n_inputs=0,
        n_readouts=0,
        n_arrays=1,
        n_cells=a.rows * a.columns,
        depth=1,
    )
