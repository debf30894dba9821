"""Square metres of a chip of crossbars, part by part."""

from dataclasses import dataclass

from hwsim.arrays import FloatArray
from hwsim.bands import Band, band, draw
from hwsim.bill import Term, component_sums, sum_draws, total, unknown_terms
from hwsim.crossbar.spec import CrossbarChip, check_crossbar


@dataclass(frozen=True, slots=True)
class Area:
    """Area term by term: cells, rows, columns, converters, digital.

    `m2` is the sum of the known terms, None if none is; what is not known is in `unknown`.
    """

    terms: tuple[Term, ...]
    m2: float | None
    band: Band | None
    unknown: tuple[str, ...]

    def component_m2(self) -> dict[str, float | None]:
        """Square metres by component; None where nothing in it is known."""
        return component_sums(self.terms)


def area(chip: CrossbarChip, n_arrays: int | None = None, *, seed: int = 0) -> Area:
    """Area of a chip's arrays with what stands around each; pads, clocks and links are not in it.

    Args:
        n_arrays: arrays to count, by default all of the chip. seed: of the draw of constants.

    Raises:
        ValueError: for fewer arrays than 0, or more than the chip has.
    """
    chip = check_crossbar(chip)
    n = chip.array.count if n_arrays is None else n_arrays
    if not 0 <= n <= chip.array.count:
        raise ValueError(f"{n} arrays, {chip.name} has {chip.array.count}: give 0 to that")
    one = chip.array
    sensed = sensed_columns(chip)
    n_adcs = -(-sensed // chip.output.columns_per_adc) if chip.output.kind == "adc" else 0
    n_senses = sensed if chip.output.kind == "sense" else 0

    def part(component: str, what: str, each: int, price: str) -> Term:
        return Term(component, what, float(n * each), f"area.{price}", getattr(chip.area, price))

    terms = (
        part("cells", "cells", one.rows * one.columns, "cell"),
        part("rows", "rows", one.rows, "row"),
        part("columns", "columns", one.columns, "column"),
        part("converters", "converters", n_adcs, "adc"),
        part("converters", "sense amplifiers", n_senses, "sense"),
        part("digital", "arrays", 1, "digital"),
    )
    return area_of(terms, draw(chip.constants(), seed=seed))


def area_of(terms: tuple[Term, ...], draws: dict[str, FloatArray]) -> Area:
    """The sum of parts, with its band."""
    m2 = total(terms)
    return Area(terms, m2, band(m2, sum_draws(terms, draws)), unknown_terms(terms))


def sensed_columns(chip: CrossbarChip) -> int:
    """What the converters of one array see: pairs joined before them are one column."""
    joined = chip.array.signed == "pairs" and chip.array.pair == "analog"
    return chip.array.columns // 2 if joined else chip.array.columns
