"""`neuro export RUN --to lava`: a folder that builds and runs the same network in Lava."""

from enum import StrEnum
from typing import Annotated

import typer

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err
from neuro.cli.opening import Run


class Target(StrEnum):
    """Where a network can go."""

    LAVA = "lava"


def export(
    run: Run,
    to: Annotated[Target, typer.Option(help="format")] = Target.LAVA,
    chip: Annotated[str, typer.Option(help="chip whose plan is exported")] = "loihi1",
    samples: Annotated[int, typer.Option(min=1, help="test samples to take along")] = 10,
    verify: Annotated[bool, typer.Option(help="run it in Lava, compare every spike")] = False,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Export a trained network, with inputs and the spikes that are expected of it."""
    import hwsim
    from neuro.lava import export_run, verify_run
    from neuro.runs import open_run

    spec, opened = hwsim.load_chip(chip), open_run(run)
    with compiling_said():
        folder = export_run(opened, spec, n_samples=samples, root=root)
    content = {"folder": str(folder)}
    lines = [f"lava       {folder}, run it with: uv run --python 3.10 {folder / 'run_lava.py'}"]
    if verify:
        err.print("running Lava (the first time it builds a Python 3.10 environment)")
        content |= verify_run(opened, spec, folder)
        lines.append(content["sentence"])
    emit(content, lines, as_json=as_json)
    if verify and content["n_different"]:
        raise typer.Exit(1)
