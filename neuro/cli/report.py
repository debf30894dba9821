"""`neuro report RUN`: one HTML page and one JSON file of a deployment."""

from typing import Annotated

import typer

from neuro.cli.console import AsJson, emit


def report(
    run: Annotated[str, typer.Argument(help="run folder, or the start of its name")],
    chip: Annotated[str, typer.Option(help="chip it was deployed on")] = "loihi1",
    as_json: AsJson = False,
) -> None:
    """Write report.html and report.json beside a deployment."""
    import hwsim
    from neuro.reporting import write
    from neuro.runs import open_run

    page, data = write(open_run(run), hwsim.load_chip(chip), given=chip)
    emit({"html": str(page), "json": str(data)}, [f"report     {page}"], as_json=as_json)
