"""`neuro export`: the same network in Lava, or as a graph in NIR."""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err
from neuro.cli.opening import Net, open_network


class Target(StrEnum):
    """Where a network can go."""

    LAVA = "lava"
    NIR = "nir"


def export(
    run: Net,
    to: Annotated[Target, typer.Option(help="format")] = Target.LAVA,
    chip: Annotated[str, typer.Option(help="lava: chip whose plan is exported")] = "loihi1",
    samples: Annotated[int, typer.Option(min=1, help="lava: test samples to take along")] = 10,
    verify: Annotated[bool, typer.Option(help="lava: run it, compare every spike")] = False,
    save: Annotated[
        Path | None, typer.Option("--out", help="nir: file; by default beside the network")
    ] = None,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Export a network: to Lava with inputs and the spikes expected of it, or as NIR.

    To Lava goes a run. To NIR goes a network file, or a run's network in real numbers.
    """
    if to is Target.NIR:
        if verify:
            raise ValueError("`--verify` runs Lava: leave it out with `--to nir`")
        _to_nir(run, save, as_json=as_json)
        return
    if save is not None:
        raise ValueError("`--out` is for `--to nir`: Lava's folder lies in the run")
    _to_lava(run, chip, samples, verify=verify, root=root, as_json=as_json)


def _to_lava(
    run: str, chip: str, samples: int, *, verify: bool, root: str | None, as_json: bool
) -> None:
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


def _to_nir(name: str, save: Path | None, *, as_json: bool) -> None:
    import hwsim

    opened = open_network(name)
    if opened.run is None:
        net, path = opened.network, Path(name).with_suffix(".nir")
    else:
        source = opened.run.real_network
        net, path = hwsim.load_network(source), source.with_suffix(".nir")
    path = save or path
    verdicts = hwsim.write_nir(net, path)
    content = {"file": str(path), "verdicts": [asdict(v) for v in verdicts]}
    lines = [f"nir        {path}"]
    lines += [f"{v.node}: {v.grade}, {v.reason}" for v in verdicts if v.grade != "exact"]
    emit(content, lines, as_json=as_json)
