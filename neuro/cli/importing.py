"""`neuro import FILE`: a network of another framework, and what is exact of it."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from neuro.cli.console import AsJson, out, print_table

if TYPE_CHECKING:
    from hwsim import Imported, NodeVerdict


class Framework(StrEnum):
    """Who wrote a NIR graph."""

    SNNTORCH = "snntorch"
    NORSE = "norse"
    SINABS = "sinabs"


class Discretise(StrEnum):
    """How a step follows continuous time."""

    EULER = "euler"
    EXACT = "exact"


class Reset(StrEnum):
    """What a spike does to the potential."""

    ZERO = "zero"
    SUBTRACT = "subtract"
    NONE = "none"


class Fires(StrEnum):
    """Where a neuron fires."""

    ABOVE = "above"
    REACHED = "reached"


class Spikes(StrEnum):
    """What a spike is to what it reaches."""

    STEP = "step"
    PULSE = "pulse"


def import_(
    file: Annotated[
        Path, typer.Argument(help="a NIR graph (.nir), or a netx file of lava-dl (.net)")
    ],
    dt: Annotated[
        float | None, typer.Option(help="time step, in the file's unit; else from its metadata")
    ] = None,
    framework: Annotated[
        Framework | None,
        typer.Option(help="that wrote it: what it means where no option below is given"),
    ] = None,
    discretise: Annotated[
        Discretise | None, typer.Option(help="how a step is taken; else euler")
    ] = None,
    reset: Annotated[
        Reset | None, typer.Option(help="of a spike; else zero, which is to `v_reset`")
    ] = None,
    reset_late: Annotated[
        bool | None,
        typer.Option(
            "--reset-late/--reset-at-once",
            help="whether the reset acts in the next step, as in snnTorch; else at once",
        ),
    ] = None,
    fires: Annotated[Fires | None, typer.Option(help="against the threshold; else above")] = None,
    spikes: Annotated[
        Spikes | None, typer.Option(help="1 in a step, or of area 1; else step")
    ] = None,
    layers: Annotated[
        int | None, typer.Option(min=1, help="netx: read the first so many layers only")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--out", help="write the network to this file (.h5)")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read a network from NIR or netx and say of every node whether it is exact.

    Exit code 1 if one is unsupported: then there is no network, and nothing is written.
    """
    import hwsim

    if save is not None and save.suffix.lower() != ".h5":
        raise ValueError(f"`--out` is {save}, must end in .h5: other commands know networks by it")
    how = {"framework": framework, "dt": dt, "discretise": discretise, "reset": reset,
           "reset_late": reset_late, "fires": fires, "spikes": spikes}  # fmt: skip
    found = _read(file, layers, how)
    if found.network is not None and save is not None:
        hwsim.save_network(found.network, save)
    written = str(save) if save is not None and found.network is not None else None
    n_bad = sum(v.grade == "unsupported" for v in found.verdicts)
    if as_json:
        step = None if found.network is None else found.network.dt_s
        content: dict[str, Any] = {"file": str(file), "step_s": step, "network": written}
        content["verdicts"] = [asdict(verdict) for verdict in found.verdicts]
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
    else:
        _show(found.verdicts, written, n_bad)
    if n_bad:
        raise typer.Exit(1)


def _read(file: Path, layers: int | None, how: dict[str, Any]) -> "Imported":
    """The file by its kind; `how` a NIR file is meant, as options give it."""
    import hwsim

    if file.suffix.lower() == ".net":
        if any(option is not None for option in how.values()):
            raise ValueError(
                f"{file} is a netx file, which leaves nothing open: leave out the options that say "
                "how NIR is meant"
            )
        return hwsim.read_netx(file, layers=layers)
    if layers is not None:
        raise ValueError(f"`--layers` is for netx files (.net), {file} is none: leave it out")
    plain = {k: v.value if isinstance(v, StrEnum) else v for k, v in how.items()}
    return hwsim.read_nir(file, **plain)


def _show(verdicts: Sequence["NodeVerdict"], written: str | None, n_bad: int) -> None:
    """A line per node, and what became of the network."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("node", "kind", "verdict", "reason"):
        table.add_column(title, no_wrap=title != "reason")
    for verdict in verdicts:
        table.add_row(*(escape(str(word)) for word in asdict(verdict).values()))
    print_table(table)
    if written:
        out.print(f"written    {written}", markup=False)
    if n_bad:
        out.print(f"no network: {n_bad} nodes are unsupported", markup=False)
