"""`neuro chips`: the chips that ship, every constant with its source, and a file for your own."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from neuro.cli.console import AsJson, emit, out, print_table

app = typer.Typer(help="List, show and copy chips.", no_args_is_help=False)

WIDE = 200  # columns for sources and notes

Name = Annotated[str, typer.Argument(help="chip by name, or a `.toml` file")]


@app.callback(invoke_without_command=True)
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the chips that ship, or show or copy one."""
    import hwsim

    if context.invoked_subcommand is not None:
        return
    specs = [hwsim.load_chip(n) for n in hwsim.chip_names()]
    rows = [_summary(spec) for spec in specs]
    lines = [
        f"{row['name']:14} {row['title']}, {row['technology']}, {_parts(row)}, energies class "
        f"{row['classes']}, {row['unknown']} of {row['constants']} constants not known"
        for row in rows
    ]
    hint = [
        "show one: neuro chips show NAME; one of your own: neuro chips copy template my.toml, of "
        "crossbars: neuro chips copy template-crossbar my.toml"
    ]
    emit({"chips": rows}, lines + hint, as_json=as_json)


@app.command()
def show(name: Name, as_json: AsJson = False) -> None:
    """Show a chip: its limits, and every constant with unit, class, band, source and note."""
    import hwsim

    spec = hwsim.load_chip(name)
    if as_json:
        emit(spec.model_dump(mode="json", by_alias=True), [], as_json=True)
        return
    out.print(f"{spec.title} ({spec.name}), {spec.technology}", markup=False)
    for note in spec.notes:
        out.print(f"- {note}", markup=False)
    if _is_crossbar(spec) and spec.array.source:
        out.print(f"- array: {spec.array.source}", markup=False)
    print_table(_arrays(spec) if _is_crossbar(spec) else _limits(spec), unseen=WIDE)
    print_table(_constants(spec), unseen=WIDE)
    if _is_crossbar(spec):
        print_table(_operations(spec), unseen=WIDE)


@app.command()
def copy(
    name: Annotated[
        str, typer.Argument(help="a chip that ships, `template` or `template-crossbar`")
    ],
    path: Annotated[Path, typer.Argument(help="the new file, e.g., my.toml")],
    as_json: AsJson = False,
) -> None:
    """Copy a chip, or the commented template, to a file of your own. Overwrites nothing."""
    import hwsim

    chip = hwsim.copy_chip(name, path)
    said = [
        f"{path}: chip {chip.name!r}, to be edited",
        f"next: neuro chips show {path}; neuro deploy RUN --chip {path}",
    ]
    emit({"chip": chip.name, "file": str(path)}, said, as_json=as_json)


def _summary(spec: Any) -> dict[str, Any]:
    constants = spec.constants().values()
    energies = [c for name, c in spec.constants().items() if name.startswith("energy.")]
    return {
        "name": spec.name,
        "title": spec.title,
        "technology": spec.technology,
        "cores": None if _is_crossbar(spec) else spec.limits.cores,
        "arrays": spec.array.count if _is_crossbar(spec) else None,
        "classes": "".join(sorted({c.kind for c in energies if c.value is not None})),
        "constants": len(constants),
        "unknown": sum(c.value is None for c in constants),
    }


def _is_crossbar(spec: Any) -> bool:
    from hwsim.crossbar.spec import CrossbarChip

    return isinstance(spec, CrossbarChip)


def _parts(row: dict[str, Any]) -> str:
    return f"{row['arrays']} arrays" if row["cores"] is None else f"{row['cores']} cores"


def _arrays(spec: Any) -> Table:
    table = Table("property", title="arrays", title_justify="left", box=None)
    table.add_column("value", justify="right")
    table.add_row("node_m", str(spec.node_m))
    table.add_row("device", spec.device)
    table.add_row("pipelined", _words(spec.pipelined))
    for group in ("array", "input", "output"):
        for field, value in getattr(spec, group):
            if field != "source":
                table.add_row(f"{group}.{field}", "none" if value is None else _words(value))
    return table


def _operations(spec: Any) -> Table:
    """Energy of an operation of a full array, beside what was published of such macros."""
    from hwsim.crossbar.macro import OPS_PER_MAC, per_operation, published
    from hwsim.report.units import si, spread

    said = (
        f"energy per operation, {OPS_PER_MAC} for a multiply-accumulate, of one array in full use"
    )
    table = Table("component", title=said, title_justify="left", box=None)
    asked = {"all rows driven once": (1, 1.0), "8 bits serially, half of them 1": (8, 0.5)}
    found = [per_operation(spec, input_bits=n, driven=d) for n, d in asked.values()]
    for name in asked:
        table.add_column(name, justify="right")
    for part in found[0].components_j:
        table.add_row(part, *(si(f.components_j[part], "J") for f in found))
    table.add_row("total", *(si(f.energy_j, "J") for f in found))
    bands = [f.energy_band for f in found]
    shown = ("" if b is None else spread(b.median, b.p10, b.p90, "J") for b in bands)
    table.add_row("p10, p90", *(text.replace("[", r"\[") for text in shown))
    for macro in published(spec.device):
        row = f"published: {macro.workload}, {macro.source}".replace("[", r"\[")
        table.add_row(row, si(macro.joules_per_op, "J"))
    return table


def _limits(spec: Any) -> Table:
    table = Table("limit", title="limits", title_justify="left", box=None)
    table.add_column("value", justify="right")
    limits = spec.limits.model_dump()
    formats = limits.pop("synapse_format")
    rows = limits | {f"synapse_format.{k}": v for k, v in formats.items()}
    rows |= {f"mesh.{k}": v for k, v in spec.mesh.model_dump().items()}
    for field, value in rows.items():
        table.add_row(field, _words(value))
    return table


def _words(value: Any) -> str:
    if value is None:
        return "no limit"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _constants(spec: Any) -> Table:
    from hwsim.chips.spec import CLASSES
    from hwsim.report.units import si

    classes = ", ".join(f"{letter} {text}" for letter, text in CLASSES.items())
    table = Table(title=f"constants ({classes})", title_justify="left", box=None)
    for column in ("constant", "value", "class", "band"):
        table.add_column(column, no_wrap=True)
    for column in ("source", "note"):
        table.add_column(column, overflow="fold")
    for name, c in spec.constants().items():
        value = si(c.value, c.unit)
        band = "" if c.value is None else _band(c)
        table.add_row(name, value, c.kind, band, c.source.replace("[", r"\["), c.note)
    for name in getattr(spec.energy, "in_sop", ()):
        table.add_row(
            name if "." in name else f"energy.{name}", "in energy.sop", "", "", "", "paid with it"
        )
    return table


def _band(constant: Any) -> str:
    """p10 to p90."""
    from hwsim.report.units import spread

    r = constant.rel_uncertainty
    return spread(
        constant.value, constant.value / (1 + r), constant.value * (1 + r), constant.unit
    ).replace("[", r"\[")
