"""What a command takes as a network: a run folder, the start of its name, or a network file."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import hwsim
    from neuro.runs import RunFolder

Run = Annotated[str, typer.Argument(metavar="RUN", help="run folder, or the start of its name")]
Net = Annotated[
    str,
    typer.Argument(
        metavar="NET", help="run folder, the start of its name, or a network file (.h5)"
    ),
]
Chip = Annotated[str, typer.Option(help="chip by name, or a `.toml` file")]
Mapper = Annotated[
    str | None,
    typer.Option(
        help="how parts are placed: optimised, fastest, hilbert, row-major, random, greedy, halve"
    ),
]


@dataclass(frozen=True, slots=True)
class Opened:
    """A network, and the run it is from, if it is from one."""

    title: str
    network: "hwsim.Network"
    run: "RunFolder | None" = None


def open_network(name: str) -> Opened:
    """A network by a file's path, or that of a run, in its chip's integers.

    Raises:
        FileNotFoundError: if there is neither.
        ValueError: if the file holds no network.
    """
    import hwsim
    from neuro.runs import open_run

    path = Path(name)
    if path.suffix.lower() == ".h5":
        return Opened(path.stem, hwsim.load_network(path))
    run = open_run(name)
    return Opened(run.path.name, hwsim.load_network(run.chip_network), run)
