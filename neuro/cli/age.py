"""`neuro age RUN --chip NAME --times 1s,1h`: accuracy on crossbars against time."""

from typing import Annotated

import typer
from rich.table import Table

from neuro.cli import crossbar
from neuro.cli.console import AsJson, Root, emit, percent, print_table
from neuro.cli.crossbar import Calibrate, Chips, Host, Join, Network
from neuro.cli.opening import Chip, Run


def age(
    run: Run,
    chip: Chip = "rram-40nm",
    times: Annotated[
        str, typer.Option(help="since programming, each with s, min, h, d, w or y")
    ] = "1s,1h,1d,1y",
    chips: Chips = None,
    calibrate: Calibrate = False,
    host: Host = None,
    join: Join = None,
    network: Network = None,
    seed: Annotated[int, typer.Option(min=0, help="of the first chip")] = 0,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Simulate a run's test set on the same crossbars at several ages: accuracy against time."""
    import hwsim
    from hwsim.crossbar.spec import check_crossbar
    from neuro.crossbar import age as grow_old
    from neuro.durations import parse_durations
    from neuro.runs import open_run

    spec, folder = check_crossbar(hwsim.load_chip(chip)), open_run(run)
    times_s = parse_durations(times)
    asked = crossbar.Asked.of(chips, calibrate, host, join, network, seed)
    with crossbar.simulating(folder, spec, asked.n_chips * len(times_s)) as simulated:
        content = grow_old(folder, spec, times_s, **asked.options(), given=chip, root=root,
                           on_samples=simulated)  # fmt: skip
    n = asked.n_chips
    lines = [
        f"accuracy   mean [p5, p95] over {n} chip{'s' * (n != 1)} on {content['chip']}, cells of "
        f"{content['device']}",
        f"network    {percent(content['exact'])} without errors, {crossbar.told(content)}",
        f"figure     {folder.deployment(spec.name) / content['figure']}",
    ]
    emit(content, lines, as_json=as_json)
    if as_json:
        return
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("time", "accuracy", "p5", "p95"):
        table.add_column(title, justify="right", no_wrap=True)
    for row in content["times"]:
        table.add_row(row["time"], *(f"{row[key]:.1%}" for key in ("mean", "p5", "p95")))
    print_table(table)
