"""A chip of crossbars at another technology node, or with other bits, by stated rules."""

from functools import cache
from importlib import resources
from typing import Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from hwsim.chips import toml_files
from hwsim.chips.spec import Constant, Spec
from hwsim.crossbar.spec import CrossbarChip, check_crossbar

NANO = 1e9  # nanometres in a metre


class Copper(Spec):
    """Resistivity of a wire: 1 + path / width, times that of the metal [Gall2016]."""

    path_m: PositiveFloat
    width_per_node: PositiveFloat
    source: str = Field(min_length=8)

    def segment(self, node_m: float) -> float:
        """Resistance of a segment in arbitrary units: its squares stay, its height is its width."""
        return (1 + self.path_m / (self.width_per_node * node_m)) / node_m


class AdcTable(Spec):
    """Joules of a conversion by node and bits, and how far a survey lies above this fit."""

    node_m: tuple[PositiveFloat, ...]
    bits: tuple[PositiveFloat, ...]
    joules: tuple[tuple[PositiveFloat, ...], ...]
    survey_ratio: PositiveFloat
    source: str = Field(min_length=8)

    @model_validator(mode="after")
    def _is_a_table(self) -> Self:
        if np.shape(self.joules) != (len(self.node_m), len(self.bits)):
            raise ValueError(f"{len(self.node_m)} nodes by {len(self.bits)} bits, other `joules`")
        return self

    def check_node(self, node_m: float) -> None:
        """Raise if the table does not reach the node."""
        least, most = self.node_m[0], self.node_m[-1]
        if not least <= node_m <= most:
            raise ValueError(
                f"node_m {node_m:g}: figures of converters reach from {least:g} to {most:g} m, "
                "give one between"
            )

    def optimistic(self, bits: float, node_m: float) -> float | None:
        """The fit, log-linear in bits and log-log in nodes; None above its most bits.

        Below its fewest bits a converter takes what it takes with those: the fit is flat there.
        """
        self.check_node(node_m)
        if bits > self.bits[-1]:
            return None
        logs = [np.interp(bits, self.bits, np.log(row)) for row in self.joules]
        return float(np.exp(np.interp(np.log(node_m), np.log(self.node_m), logs)))


class Rule(Spec):
    """Constants that go as a power of the node, and how far the power may be off."""

    exponent: float
    uncertainty: NonNegativeFloat
    source: str = Field(min_length=8)
    constants: tuple[str, ...]


class Scaling(Spec):
    """All rules, as a file."""

    copper: Copper
    adc: AdcTable
    rules: dict[str, Rule]


@cache
def scaling() -> Scaling:
    """The rules that ship."""
    text = (resources.files("hwsim.chips") / "scaling.toml").read_text(encoding="utf-8")
    return toml_files.parse(Scaling, "scaling", text)


def adc_energy(bits: float | None, node_m: float) -> Constant:
    """Energy of a conversion: p10 is the optimistic fit, p90 where the survey's medians lie.

    Args:
        bits: effective ones, taken to be all. None, or more than the fit reaches, is not known.

    Raises:
        ValueError: for a node that the figures do not reach, or less than 1 bit.
    """
    table = scaling().adc
    table.check_node(node_m)
    if bits is not None and bits < 1:
        raise ValueError(f"a converter of {bits:g} bits: give 1 or more")
    least = None if bits is None else table.optimistic(bits, node_m)
    plain: dict[str, object] = {"unit": "J", "class": "F", "source": table.source}
    if least is None:
        source = f"no figure beyond {table.bits[-1]:g} bits: {table.source}"
        return Constant.model_validate(plain | {"source": source})
    root, at = table.survey_ratio**0.5, f"{bits:g} bits at {node_m * NANO:g} nm"
    known = {"value": least * root, "rel_uncertainty": root - 1}
    note = f"{at}: p10 is the fit, p90 {table.survey_ratio:g} times it, as the survey's medians"
    return Constant.model_validate(plain | known | {"note": note})


def with_adc_bits(chip: CrossbarChip, bits: int | None) -> CrossbarChip:
    """A chip whose converters have other bits, at the energy and the time that those take.

    Energy goes as the table of published converters (`adc_energy`), from the chip's own; time as
    the bits, one after the other as in successive approximation. The area is kept.

    Raises:
        ValueError: for a chip of sense amplifiers, or bits that are no whole number from 1 to 16.
    """
    chip = check_crossbar(chip)
    if chip.output.kind != "adc":
        raise ValueError(f"{chip.name} has sense amplifiers, no converters: `output.kind` says so")
    own, new, old = chip.energy.adc, adc_energy(bits, chip.node_m), chip.output.bits
    before = adc_energy(old, chip.node_m).value
    if new.value is not None and before is not None and own.value is not None:
        new = _changed(own, new.value / before, 0.0, f"{bits} bits instead of {old}: {new.source}")
    time = chip.time.adc
    if bits and old:
        time = _changed(time, bits / old, 0.0, "a cycle for every bit")
    plain = chip.model_dump(by_alias=True)
    plain["output"]["bits"] = bits
    plain["energy"]["adc"] = new.model_dump(by_alias=True)
    plain["time"]["adc"] = time.model_dump(by_alias=True)
    return CrossbarChip.model_validate(plain)


def with_array_size(chip: CrossbarChip, rows: int, columns: int) -> CrossbarChip:
    """A chip with as many cells in arrays of another size, rules of thumb for what that changes.

    A word line and its driver go with its cells, the columns; latches, leakage and logic beside an
    array with its rows and columns together. A bit line is kept: its clamp takes nearly all of it.
    So are wires and pulses: lines are short against them.

    Raises:
        ValueError: for no row, or fewer columns than a weight takes.
    """
    chip = check_crossbar(chip)
    a = chip.array
    least = a.columns_per_weight + (a.n_slices if a.signed == "offset" else 0)
    if rows < 1 or columns < least:
        raise ValueError(
            f"arrays of {rows} x {columns} cells: give 1 or more rows, {least} or more columns"
        )
    along, around = columns / a.columns, (rows + columns) / (a.rows + a.columns)
    size = f"{rows} x {columns} instead of {a.rows} x {a.columns}"
    plain = chip.model_dump(by_alias=True)
    for factor, names in (
        (along, ("energy.wordline", "energy.driver")),
        (around, ("energy.control", "power.array", "area.digital")),
    ):
        for name in names:
            group, _, field = name.partition(".")
            constant = _changed(chip.constants()[name], factor, 0.0, f"x {factor:.3g}, {size}")
            plain[group][field] = constant.model_dump(by_alias=True)
    count = max(1, a.count * a.rows * a.columns // (rows * columns))
    plain["array"] |= {"rows": rows, "columns": columns, "count": count}
    if (rows, columns) != (a.rows, a.columns):
        plain["name"] += f"-{rows}x{columns}"
    return CrossbarChip.model_validate(plain)


def at_node(chip: CrossbarChip, node_m: float) -> CrossbarChip:
    """The same chip in another technology: device, voltage and array stay, constants follow.

    Each constant goes as a power of the node (chips/scaling.toml: general scaling of gates,
    lines with their length, areas with the node's square), converters by published ones of
    either node, wires by their resistance per square with thinner copper. Bands grow with the
    uncertainty of the power. Classes become D; rules of thumb stay R.

    Raises:
        ValueError: for a node that the figures of converters do not reach.
    """
    chip, rules = check_crossbar(chip), scaling()
    rules.adc.check_node(node_m)
    ratio, bits = node_m / chip.node_m, chip.output.bits
    nanos = f"{node_m * NANO:g} nm"
    if ratio == 1:
        return chip
    plain = chip.model_dump(by_alias=True)
    for rule in rules.rules.values():
        for name in rule.constants:
            group, _, field = name.partition(".")
            said = f"x ({ratio:.3g})^{rule.exponent:g} to {nanos}: {rule.source}"
            factor, off = ratio**rule.exponent, abs(np.log(ratio)) * rule.uncertainty
            constant = _changed(chip.constants()[name], factor, off, said)
            plain[group][field] = constant.model_dump(by_alias=True)
    old, new = (adc_energy(bits, node).value for node in (chip.node_m, node_m))
    adc = adc_energy(None, node_m)
    if old is not None and new is not None:
        said = f"x {new / old:.3g} to {nanos}: {rules.adc.source}"
        adc = _changed(chip.energy.adc, new / old, 0.0, said)
    plain["energy"]["adc"] = adc.model_dump(by_alias=True)
    wire = rules.copper.segment(node_m) / rules.copper.segment(chip.node_m)
    for end in ("r_word_ohm", "r_bit_ohm"):
        plain["array"][end] *= wire
    plain["array"]["source"] += f" Wires x {wire:.3g} to {nanos}: {rules.copper.source}."
    plain["name"] += f"-at-{nanos.replace(' ', '')}"
    plain["title"] += f", scaled to {nanos}"
    plain["technology"] += f", scaled to {nanos}"
    return CrossbarChip.model_validate(plain | {"node_m": node_m})


def _changed(constant: Constant, factor: float, off: float, why: str) -> Constant:
    """A constant times a factor, with e^off more of a band, and why."""
    if constant.value is None or constant.rel_uncertainty is None or (factor == 1 and not off):
        return constant
    return Constant.model_validate(
        constant.model_dump(by_alias=True)
        | {
            "value": constant.value * factor,
            "source": f"{constant.source}; {why}",
            "class": "R" if constant.kind == "R" else "D",
            "rel_uncertainty": min((1 + constant.rel_uncertainty) * float(np.exp(off)) - 1, 10.0),
            "note": f"before: {constant.note}" if constant.note else "",
        }
    )
