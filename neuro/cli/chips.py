"""`neuro chips`: the chips and price lists that ship, with every constant."""

from typing import Annotated, Any

import typer
from rich.table import Table

from neuro.cli.console import AsJson, emit, out


def chips(
    name: Annotated[str | None, typer.Argument(help="show every constant of this one")] = None,
    as_json: AsJson = False,
) -> None:
    """List the chips, or show one with every constant and its source."""
    import hwsim

    if name is None:
        specs = [hwsim.load_chip(n) for n in hwsim.chip_names()]
        rows = [{"name": s.name, "title": s.title, "technology": s.technology} for s in specs]
        lines = [f"{row['name']:12} {row['title']}, {row['technology']}" for row in rows]
        emit({"chips": rows}, lines, as_json=as_json)
        return
    spec = hwsim.load_chip(name)
    if as_json:
        emit(spec.model_dump(mode="json", by_alias=True), [], as_json=True)
        return
    out.print(_limits(spec))
    out.print(_constants(spec))


def _limits(spec: Any) -> Table:
    table = Table(title=f"{spec.title}: limits")
    table.add_column("limit")
    table.add_column("value", justify="right")
    for field, value in spec.limits.model_dump().items():
        table.add_row(field, ", ".join(value) if isinstance(value, tuple) else str(value))
    return table


def _constants(spec: Any) -> Table:
    from hwsim.report.units import si

    table = Table(title=f"{spec.title}: constants (class M measured, P pre-silicon, F fitted, "
                  "D derived, R rule of thumb)")  # fmt: skip
    for column in ("constant", "value", "class", "band", "source"):
        table.add_column(column)
    for name, c in spec.constants().items():
        known = c.value is not None
        value = si(c.value, c.unit) if known else "not known"
        band = f"x/ {1 + c.rel_uncertainty:.2f}" if known else ""
        table.add_row(name, value, c.kind, band, c.source)
    return table
