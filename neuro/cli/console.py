"""Where the command line speaks: data on stdout, talk on stderr."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

err = Console(stderr=True, soft_wrap=True)
out = Console(soft_wrap=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout")]
Root = Annotated[
    str | None, typer.Option(help="folder of the data sets", envvar="NEURO_DATA", metavar="DIR")
]


def emit(content: dict[str, Any], lines: list[str], *, as_json: bool) -> None:
    """Print a result: as JSON, or as lines for a reader."""
    if as_json:
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
        return
    for line in lines:
        out.print(line, markup=False)


def print_table(table: Table, *, unseen: int = 0) -> None:
    """Print a table whole: where a terminal is too narrow its lines wrap, and no cell is cut.

    Args:
        unseen: columns that it may have where no terminal limits them.
    """
    endless = Console(width=10_000)
    need = Measurement.get(endless, endless.options, table).minimum
    width = max(out.width, need, 0 if out.is_terminal else unseen)
    Console(width=width, highlight=False).print(table)


def percent(part: dict[str, Any]) -> str:
    """`97.0 % (97 of 100)`."""
    n, total = part["n_correct"], part["n_total"]
    return f"{n / total:.1%} ({n} of {total})"
