"""The command line: a command parses, calls one function, prints. Errors are one line."""

import os
import sys

import typer
from rich.markup import escape

from neuro.cli import (
    age,
    chips,
    compare,
    data,
    demo,
    deploy,
    export,
    fits,
    importing,
    inspect,
    map,
    report,
    train,
    zero_shot,
)
from neuro.cli.console import err

app = typer.Typer(
    help="Train spiking networks and know, before any chip is bought, what they do on silicon.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command()(demo.demo)
app.command()(train.train)
app.command(name="zero-shot")(zero_shot.zero_shot)
app.command()(fits.fits)
app.command(name="map")(map.map_)
app.command()(deploy.deploy)
app.command()(compare.compare)
app.command()(age.age)
app.command()(report.report)
app.command()(export.export)
app.command(name="import")(importing.import_)
app.command()(inspect.inspect)

app.add_typer(chips.app, name="chips")
app.add_typer(data.app, name="data")


def _show_version(show: bool) -> None:
    if show:
        from importlib import metadata

        typer.echo(metadata.version("neuro-hwsim"))
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False,
        "--version",
        callback=_show_version,
        is_eager=True,  # else the command is missed first
        help="show the version and stop",
    ),
) -> None:
    pass


def main() -> None:
    """Run the command line; any error a user can mend is one line and exit code 1."""
    try:
        app()
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)
    except (ValueError, OSError) as error:
        if os.environ.get("NEURO_DEBUG"):
            raise
        err.print(f"[red]error:[/red] {escape(' '.join(_said(error).split()))}", highlight=False)
        sys.exit(1)


def _said(error: Exception) -> str:
    """The message of an error; of the system's the file and what is wrong with it."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)
