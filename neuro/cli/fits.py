"""`neuro fits NET --chip NAME`: every limit of a chip against every layer, before anything runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer
from rich.markup import escape
from rich.table import Table

from neuro.cli.console import AsJson, out, print_table
from neuro.cli.opening import Chip, Net, open_network

if TYPE_CHECKING:
    from hwsim.report.fit import Fit

COLUMNS = {
    "neurons_per_core": "neurons",
    "synapse_bits_per_core": "memory\nKiB",
    "axons_in_per_core": "axons\nin",
    "axons_out_per_core": "axons\nout",
    "max_delay": "delay",
    "weight_bits": "weight\nbits",
    "message_bits": "message\nbits",
}
CONFIGS = ("neuron_configs", "v_th_configs", "synapse_configs")
NOTE = (
    "used by a layer's fullest part, in the fewest parts that fit; parts may share a core; config "
    "slots are neuron settings / thresholds / synapse words"
)


def fits(network: Net, chip: Chip = "loihi1", as_json: AsJson = False) -> None:
    """Say whether a network fits a chip: used and allowed of every limit, layer by layer.

    Every broken limit is a line: layer, limit, used, allowed, remedy; the exit code is then 1.
    """
    from hwsim.chips.files import load_neurocores
    from hwsim.report.fit import fit_of

    opened, spec = open_network(network), load_neurocores(chip)
    found = fit_of(opened.network, spec)
    if as_json:
        content = {"network": opened.title, "chip": spec.name, **found.as_dict()}
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        print_table(_table(found))
        out.print(NOTE, markup=False)
        for violation in found.violations:
            out.print(f"broken: {violation}", markup=False)
        out.print(_sum(found, opened.title, spec.name), markup=False)
    if found.violations:
        raise typer.Exit(1)


def _table(found: Fit) -> Table:
    """A row per layer, and what the chip allows below."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("layer", no_wrap=True)
    graded = any(row.used["message_bits"] for row in found.layers)
    shown = {name: title for name, title in COLUMNS.items() if graded or name != "message_bits"}
    for title in ("size", "parts", "cores", *shown.values(), "config\nslots"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in found.layers:
        cells = [_cell(name, row.used[name], found.allowed[name]) for name in shown]
        slots = "/".join(_cell(name, row.used[name], found.allowed[name]) for name in CONFIGS)
        sizes = map(_number, (row.neurons, row.parts, row.cores))
        table.add_row(escape(row.layer), *sizes, *cells, slots)
    allowed = ["any" if found.allowed[n] is None else _cell(n, found.allowed[n]) for n in shown]
    slots = "/".join("any" if (n := found.allowed[name]) is None else f"{n:,}" for name in CONFIGS)
    table.add_section()
    table.add_row("allowed", "", "", _number(found.allowed["cores"]), *allowed, slots)
    return table


def _cell(name: str, used: int | None, allowed: int | None = None) -> str:
    """A number; one that breaks its limit is marked."""
    text = _number(used)
    if used is not None and name == "synapse_bits_per_core":
        text = f"{used / 8192:,.4g}"
    over = used is not None and allowed is not None and used > allowed
    return f"[red]{text}![/red]" if over else text


def _number(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _sum(found: Fit, title: str, chip: str) -> str:
    n = len(found.violations)
    said = "fits" if not n else f"does not fit, {n} limit{'s' * (n != 1)} broken"
    cores = "" if found.cores is None else f"; {found.cores:,} of {found.allowed['cores']:,} cores"
    return f"{title} on {chip}: {said}{cores}"
