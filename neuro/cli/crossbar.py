"""What the commands that run chips of crossbars share: their options, bars and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer
from rich.progress import Progress

from neuro.cli.compiling import compiling_said
from neuro.cli.console import err, percent

if TYPE_CHECKING:
    import hwsim
    from neuro.crossbar import Which
    from neuro.runs import RunFolder

CHIPS = 10
WHICH: tuple[Which, ...] = ("noise", "float")

Chips = Annotated[int | None, typer.Option(help="crossbars: chips to make; 10 if not given")]
Time = Annotated[
    str | None, typer.Option(help="crossbars: age of the cells when they are read, e.g. 1h")
]
Calibrate = Annotated[
    bool,
    typer.Option("--calibrate", help="crossbars: correct every channel right after programming"),
]
Host = Annotated[
    list[str] | None, typer.Option(metavar="LAYER", help="crossbars: leave a layer to the host")
]
Join = Annotated[
    list[str] | None,
    typer.Option(metavar="LAYER", help="crossbars: all that a layer hears lies on the same arrays"),
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="noise|float", help="crossbars: which network; if not given, noise if there is one"
    ),
]


@dataclass(frozen=True, slots=True)
class Asked:
    """How chips of crossbars are to be made."""

    n_chips: int
    calibrate: bool
    host: tuple[str, ...]
    join: tuple[str, ...]
    network: Which | None
    seed: int

    @classmethod
    def of(
        cls,
        chips: int | None,
        calibrate: bool,
        host: list[str] | None,
        join: list[str] | None,
        network: str | None,
        seed: int,
    ) -> Self:
        """From the options.

        Raises:
            ValueError: for an unknown network.
        """
        which = next((w for w in WHICH if w == network), None)
        if network is not None and which is None:
            raise ValueError(f"unknown network {network!r}: there are {', '.join(WHICH)}")
        n = CHIPS if chips is None else chips
        return cls(n, calibrate, tuple(host or ()), tuple(join or ()), which, seed)

    def options(self) -> dict[str, Any]:
        """As keywords of `neuro.crossbar`."""
        return {
            "n_chips": self.n_chips,
            "calibrate": self.calibrate,
            "host": self.host,
            "join": self.join,
            "network": self.network,
            "seed": self.seed,
        }


def refuse(options: dict[str, object], chip: str, what: str) -> None:
    """Refuse options that a kind of chip does not know.

    Raises:
        ValueError: naming the first that was given.
    """
    for name, value in options.items():
        if value is not None and value is not False:
            raise ValueError(f"`--{name}` means nothing on {chip}, {what}: leave it out")


def deploy(
    folder: RunFolder,
    spec: hwsim.CrossbarChip,
    asked: Asked,
    time: str | None,
    *,
    given: str,
    root: str | None,
) -> dict[str, Any]:
    """Deploy on chips of crossbars, with a bar."""
    from neuro.crossbar import deploy as carry_over
    from neuro.durations import parse_duration

    time_s = 0.0 if time is None else parse_duration(time)
    with simulating(folder, spec, asked.n_chips) as simulated:
        return carry_over(folder, spec, **asked.options(), time_s=time_s, given=given, root=root,
                          on_samples=simulated)  # fmt: skip


@contextmanager
def simulating(
    folder: RunFolder, spec: hwsim.CrossbarChip, n_runs: int
) -> Iterator[Callable[[int], None]]:
    """A bar for so many runs of the test set; what it gives is called with samples done."""
    total = n_runs * (folder.result() or {})["samples"]["test"]
    bar = Progress(console=err, transient=True, disable=not err.is_terminal)
    with compiling_said(), bar as progress:
        task = progress.add_task(f"compiling for {spec.title}", total=None)

        def simulated(n: int) -> None:
            said = f"simulating on {spec.title}"
            progress.update(task, description=said, total=total, advance=n)

        yield simulated


def over_chips(accuracy: dict[str, Any]) -> str:
    """`88.0 % [85.0, 91.0]`: the mean, and [p5, p95]."""
    mean, p5, p95 = (100 * accuracy[key] for key in ("mean", "p5", "p95"))
    return f"{mean:.1f} % [{p5:.1f}, {p95:.1f}]"


def lines(content: dict[str, Any]) -> list[str]:
    """A deployment on crossbars in a few lines."""
    from hwsim.report import units
    from neuro.durations import duration_words

    bill, n, exact = content["bill"], len(content["seeds"]), content["exact"]
    differ = sum(sum(row["spikes_different"]) for row in content["layers"]) / n
    spikes = sum(row["spikes_exact"] for row in content["layers"])
    clipped = sum(row["clipped"] for row in content["blocks"])
    share = clipped / max(1, sum(row["conversions"] for row in content["blocks"]))
    chips = f"{n} chip{'s' * (n != 1)}"
    age = "read at once" if content["time_s"] == 0 else f"{duration_words(content['time_s'])} old"
    host = f"; {', '.join(content['host'])} on the host" if content["host"] else ""
    unknown = [*bill["unknown"], *content["area_unknown"], *content["programming"]["unknown"]]
    of_device = [f"{content['device']}: {law}" for law in content["device_unknown"]]
    return [
        f"accuracy   {over_chips(content['accuracy'])} over {chips} on {content['chip']}, mean "
        f"[p5, p95]{interval(content)}",
        f"network    {percent(exact)} without errors, {told(content)}, cells {age}",
        f"exactness  {units.number(round(differ))} of {units.number(spikes)} spikes differ from "
        "the exact network's, mean of the chips",
        f"energy     {banded(bill['energy_band_j'], 'J')} per inference",
        f"latency    {banded(bill['latency_band_s'], 's')}, {content['steps']} time steps",
        f"arrays     {content['arrays']} of {content['arrays_on_chip']} in use, "
        f"{units.number(content['cells'])} cells{host}",
        f"area       {banded(content['area_band_m2'], 'm2')}",
        f"clipped    {units.percent(share)} of conversions",
        f"write      {written(content['programming'])}",
        f"not known  {'; '.join([*unknown, *of_device]) or 'nothing'}",
    ]


def told(content: dict[str, Any]) -> str:
    """Which network it was, and whether the chips were calibrated."""
    which = {"noise": "trained with noise", "float": "trained without noise"}[content["network"]]
    return which + ", calibrated" * content["calibrated"]


def banded(band: dict[str, float] | None, unit: str) -> str:
    """`2.18 µJ [1.47, 3.49]`."""
    from hwsim.report import units

    if band is None:
        return units.UNKNOWN
    return units.band(band["median"], band["p10"], band["p90"], unit)


def written(part: dict[str, Any]) -> str:
    """Energy and time of programming all cells once."""
    from hwsim.report import units

    energy, seconds = banded(part["energy_band"], "J"), part["seconds"]
    if seconds is None:
        return energy if part["energy_band"] is None else f"{energy}; its time is not known"
    return f"{energy}, {units.si(seconds, 's')} one cell after the other"


def interval(content: dict[str, Any]) -> str:
    """The 95 % interval of the mean, as far as it lies between 0 and 100 %."""
    if len(content["seeds"]) < 2:
        return ""
    low, high = (100 * min(max(x, 0.0), 1.0) for x in content["accuracy"]["interval95"])
    return f"; 95 % interval of the mean [{low:.1f}, {high:.1f}]"
