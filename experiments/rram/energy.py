"""What one inference costs on the chip, by component, and one operation beside published macros."""

import csv
import io

import hwsim
from experiments.rram.cases import CHIP, HERE, NETWORKS, Case, chip
from experiments.rram.measure import tried
from hwsim.atomic import write_text
from hwsim.bands import Band
from hwsim.bill import Bill
from hwsim.crossbar.area import area
from hwsim.crossbar.macro import per_operation, published

ENERGY = HERE / "energy.csv"
COLUMNS = ("network", "what", "unit", "value", "median", "p10", "p90", "source")
Row = dict[str, str]


def read_energy() -> list[Row]:
    """The rows that were kept."""
    return list(csv.DictReader(io.StringIO(ENERGY.read_text(encoding="utf-8"))))


def write_energy() -> None:
    """Run both networks on their first chips; write their bills, the chip's area, an operation."""
    rows = [row for network in NETWORKS for row in _bill(network)]
    arrays = area(hwsim.load_chip(CHIP))
    rows.append(_row("", "area of the chip's arrays", "m2", arrays.m2, arrays.band))
    for bits, driven, said in (
        (1, 1.0, "an operation of a full array, one pulse, all rows driven"),
        (8, 0.5, "an operation of a full array, 8 bits serially, half of them 1"),
    ):
        one = per_operation(hwsim.load_chip(CHIP), input_bits=bits, driven=driven)
        rows.append(_row("", said, "J", one.energy_j, one.energy_band))
        for name, joules in one.components_j.items():
            rows.append(_row("", f"{said}: {name}", "J", joules, None))
    for macro in published("taox-40nm"):
        said = f"published, {macro.workload}"
        rows.append(_row("", said, "J", macro.joules_per_op, None, macro.source))
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(ENERGY, text.getvalue())


def _bill(network: str) -> list[Row]:
    case = Case("as-is", network)
    counts = tried(case, 0).counts
    bill: Bill = hwsim.price(counts, chip(case))
    rows = [_row(network, "an inference", "J", bill.energy_j, bill.energy_band)]
    for name, joules in bill.component_j().items():
        rows.append(_row(network, name, "J", joules, bill.components[name]))
    rows.append(_row(network, "latency", "s", bill.latency_s, bill.latency_band))
    used = area(hwsim.load_chip(CHIP), counts.n_arrays)
    return [*rows, _row(network, f"area of {counts.n_arrays} arrays", "m2", used.m2, used.band)]


def _row(
    network: str, what: str, unit: str, value: float | None, band: Band | None, source: str = ""
) -> Row:
    ends = ("", "", "") if band is None else (band.median, band.p10, band.p90)
    numbers = ["" if v in (None, "") else f"{v:.5g}" for v in (value, *ends)]
    return dict(zip(COLUMNS, (network, what, unit, *numbers, source), strict=True))
