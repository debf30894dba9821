"""`neuro map NET --chip NAME`: where a network would lie on a chip, what it costs, and a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress
from rich.table import Table

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err, print_table
from neuro.cli.opening import Chip, Mapper, Net, Opened, open_network

if TYPE_CHECKING:
    import hwsim
    from neuro.mapping import Mapped, Samples

BASELINES = ("row-major", "random", "greedy", "halve")
DEFAULT = "optimised"

Count = Annotated[
    int,
    typer.Option(min=1, help="samples to profile and simulate: of the run, of --inputs, random"),
]


def map_(
    network: Net,
    chip: Chip = "loihi1",
    mapper: Mapper = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of the mapper's random numbers")] = None,
    samples: Count = 64,
    inputs: Annotated[
        Path | None,
        typer.Option(help="`.npy`, or `.npz` with an array by the name of each input"),
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0, max=1, help="of random input, where there is no other")
    ] = 0.05,
    steps: Annotated[int, typer.Option(min=1, help="of random input")] = 20,
    compare: Annotated[bool, typer.Option("--compare", help="with the baseline mappers")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="draw the chip's map: `.svg`, `.png` or `.pdf`")
    ] = None,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Place a network on a chip, simulate some samples there, and say what the map costs.

    A run is profiled on samples held back in training. If it was deployed on this chip, its map is
    shown, unless --mapper or --seed asks for another.
    """
    from hwsim.chips.files import load_neurocores
    from hwsim.report.standalone import check_format

    if figure is not None:
        check_format(figure)
    opened, spec = open_network(network), load_neurocores(chip)
    given = _samples(opened, inputs, samples, rate, steps, seed or 0, root)
    found: list[Mapped] = []
    names = [mapper or DEFAULT, *(b for b in BASELINES if compare and b != (mapper or DEFAULT))]
    bar = Progress(console=err, transient=True, disable=not err.is_terminal)
    with compiling_said(), bar as progress:
        for i, name in enumerate(names):
            deployed = None if i or mapper or seed is not None else _deployed(opened, spec)
            found.append(_map(opened, spec, given, name, seed or 0, deployed, progress))
    if figure is not None:
        _draw(found[0], opened.title, spec, figure)
    rows = [mapped.as_dict() for mapped in found]
    content = {
        "network": opened.title,
        "chip": spec.name,
        "input": given.what,
        "map": rows[0],
        "compared": rows[1:],
        "figure": None if figure is None else str(figure),
        "unknown": list(found[0].bill.unknown),
    }
    emit(content, _lines(content), as_json=as_json)
    if compare and not as_json:
        print_table(_table(rows))


def _samples(
    opened: Opened,
    inputs: Path | None,
    n: int,
    rate: float,
    steps: int,
    seed: int,
    root: str | None,
) -> Samples:
    from neuro.mapping import profile_samples, random_samples, samples_from

    if inputs is not None:
        return samples_from(inputs, opened.network, n)
    if opened.run is not None:
        return profile_samples(opened.run, n, root)
    return random_samples(opened.network, n, rate=rate, steps=steps, seed=seed)


def _deployed(opened: Opened, spec: hwsim.ChipSpec) -> tuple[hwsim.Plan, str] | None:
    """The map of the run's deployment on this very chip, and how it was made."""
    from neuro.mapping import deployed_map

    return None if opened.run is None else deployed_map(opened.run, opened.network, spec)


def _map(
    opened: Opened,
    spec: hwsim.ChipSpec,
    given: Samples,
    mapper: str,
    seed: int,
    deployed: tuple[hwsim.Plan, str] | None,
    progress: Progress,
) -> Mapped:
    """Place and simulate, with a bar for each."""
    from neuro.mapping import make_map, run_map

    n = given.n
    task = progress.add_task(f"placing: {mapper}", total=None)
    if deployed is None:
        deployed = make_map(opened.network, spec, given, mapper, seed), f"{mapper}, seed {seed}"
    plan, how = deployed
    progress.update(task, description=f"simulating: {mapper}", total=n)
    return run_map(plan, given, how, lambda done: progress.advance(task, done))


def _draw(mapped: Mapped, title: str, spec: hwsim.ChipSpec, path: Path) -> None:
    import hwsim
    from hwsim.report.chip_map import draw_chip_map
    from hwsim.report.map_frame import ChipMap
    from hwsim.report.standalone import save_figure
    from hwsim.report.units import number, si

    shown, row = ChipMap.of(mapped.plan, mapped.counts, mapped.spikes), mapped.as_dict()
    cut = ", the part in use" if shown.is_cropped else ""
    note = (
        f"{row['cores']} cores on {row['tiles']} tile{'s' * (row['tiles'] != 1)}{cut}; "
        f"{number(row['hops'])} hops per inference; {si(row['step_s'], 's')} per time step"
    )
    own = "" if spec.name in hwsim.chip_names() else f", {spec.name}"
    head = f"{title} on {spec.title}{own}; map: {mapped.how}"
    save_figure(lambda width: draw_chip_map(shown, width, title=head, note=note), path)


def _lines(content: dict[str, Any]) -> list[str]:
    """A map in a few lines."""
    from hwsim.report.delays import delay_line
    from hwsim.report.units import number, si

    row = content["map"]
    chips = f", {number(row['hops_chip'])} of them between chips" if row["chips"] > 1 else ""
    slowest = "its time is not known"
    if row["slowest_core_s"] is not None:
        slowest = f"{si(row['slowest_core_s'], 's')} of an average step"
    packet = "its time is not known"
    if row["packet_latency_s"] is not None:
        alone = si(row["packet_latency_alone_s"], "s")
        packet = f"{si(row['packet_latency_s'], 's')} on its way on average, {alone} unhindered"
    layers = ", ".join(row["slowest_core_layers"])
    said = [
        f"map        {content['network']} on {content['chip']}: {row['mapper']}",
        f"input      {content['input']}",
        f"cores      {row['cores']} on {row['tiles']} tile{'s' * (row['tiles'] != 1)}, "
        f"{row['chips']} chip{'s' * (row['chips'] != 1)}",
        f"network    {number(row['hops'])} hops{chips}, {number(row['packets'])} packets per "
        f"inference; {number(row['busiest_link'])} on the busiest link",
        f"packet     {packet}",
        f"slowest    core {row['slowest_core']} ({layers}): {slowest}",
        f"step       {si(row['step_s'], 's')} on average, {number(row['steps'])} "
        f"step{'s' * (row['steps'] != 1)} per inference",
        f"energy     {si(row['energy_j'], 'J')} per inference",
        f"delays     {delay_line(row['delay_memory'])}",
    ]
    return said + ([f"figure     {content['figure']}"] if content["figure"] else [])


def _table(rows: list[dict[str, Any]]) -> Table:
    """Every mapper beside the first."""
    from hwsim.report.units import number, si

    table = Table("mapper", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in (
        "cores",
        "tiles",
        "hops",
        "",
        "busiest\nlink",
        "step",
        "energy",
        "energy x\ndelay",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for row in rows:
        ratio = row["hops"] / rows[0]["hops"] if rows[0]["hops"] else None
        table.add_row(
            row["mapper"].split(",")[0],
            str(row["cores"]),
            str(row["tiles"]),
            number(row["hops"]),
            "" if ratio is None else f"x {ratio:.2f}",
            number(row["busiest_link"]),
            si(row["step_s"], "s"),
            si(row["energy_j"], "J"),
            si(row["energy_delay_js"], "Js"),
        )
    return table
