"""`neuro zero-shot RECIPE`: two modalities, queries of classes that training never saw."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from neuro.cli.console import AsJson, Root, err, out, print_table

COLUMNS = {
    "seen": "seen",
    "unseen": "unseen",
    "seen_of_all": "seen,\nof all",
    "unseen_of_all": "unseen,\nof all",
}
LEVELS = {"chance": "chance", "majority": "always the most frequent class"}


def zero_shot(
    recipe: Annotated[str, typer.Argument(help="name of a shipped recipe, or a `.toml` file")],
    seed: Annotated[
        list[int] | None, typer.Option(min=0, help="instead of the recipe's; may be repeated")
    ] = None,
    runs: Annotated[Path, typer.Option(help="where run folders live")] = Path("runs"),
    root: Root = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train projections of two modalities on pairs of seen classes, and query unseen ones.

    Every seed draws new reservoirs and runs the controls: untrained, pairs shuffled, raw input. The
    last epoch counts. What was done is kept: the same command goes on after the last finished seed.
    """
    import json

    from neuro.training.processes import limited_threads
    from neuro.zero_shot import load_zero_shot
    from neuro.zero_shot_run import folder_of, run_zero_shot

    loaded = load_zero_shot(recipe)
    if seed:
        loaded = loaded.with_seeds(seed)
    folder = folder_of(loaded, runs)
    err.print(f"run {folder}", highlight=False)
    try:
        with limited_threads(threads), err.status("reading data") as status:
            result = run_zero_shot(loaded, folder, root=root, say=status.update)
    except KeyboardInterrupt:
        err.print("interrupted: the same command goes on after the last finished seed")
        raise typer.Exit(130) from None
    if as_json:
        content = {"run": str(folder), **result}
        typer.echo(json.dumps(content, indent=2, allow_nan=False))
        return
    print_table(_table(result))
    for line in _lines(result):
        out.print(line, markup=False)


def _table(result: dict[str, Any]) -> Table:
    """A row per arm and direction, and above it what chance gives."""
    from neuro.zero_shot_run import ARMS, DIRECTIONS

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("queries", no_wrap=True)
    table.add_column("arm", no_wrap=True, min_width=max(map(len, ARMS.values())))
    for title in COLUMNS.values():
        table.add_column(title, justify="right", no_wrap=True, min_width=len("100.0 ± 10.0 %"))
    for direction in DIRECTIONS:
        asks = direction[0]
        data = result["recipe"][asks]["data"]
        scores = {arm: result["arms"][arm][direction] for arm in ARMS}
        first = next(iter(scores.values()))
        for i, name in enumerate(("chance", "majority")):
            levels = [f"{100 * first[g][name]:.1f} %" for g in COLUMNS]
            table.add_row(data if i == 0 else "", LEVELS[name], *levels)
        for arm, row in scores.items():
            table.add_row("", ARMS[arm], *[_cell(row[g]) for g in COLUMNS])
        table.add_row("", "number of queries", *[f"{first[g]['n_queries']:,}" for g in COLUMNS])
        table.add_section()
    return table


def _cell(score: dict[str, Any]) -> str:
    mean = f"{100 * score['mean']:.1f}"
    return f"{mean} %" if score["sd"] is None else f"{mean} ± {100 * score['sd']:.1f} %"


def _lines(result: dict[str, Any]) -> list[str]:
    """What the table does not say."""
    n, last = len(result["seeds"]), len(result["epochs"]["loss"][0])
    low, high = _range(result["epochs"]["a_to_b_unseen"])
    a, b = (result["recipe"][side]["data"] for side in "ab")
    many = f"mean ± standard deviation of {n} seeds" if n > 1 else "one seed"
    return [
        f"{many}, each with reservoirs of its own; after epoch {last}, the last: none was chosen",
        f"over the epochs of a training, unseen of {a} in {b} goes from {low:.1%} to {high:.1%}: "
        "an epoch chosen on this test would show the upper end",
        f"spikes per neuron and step, least to most of the seeds: {a} {_rates(result, 'a')}, "
        f"{b} {_rates(result, 'b')}; neurons that never fire tell nothing apart",
        f"{result['pairs']:,} pairs of {len(result['recipe']['seen'])} seen classes; "
        f"{len(result['recipe']['unseen'])} unseen",
    ]


def _rates(result: dict[str, Any], side: str) -> str:
    rates = [row[side] for row in result["spikes_per_neuron_and_step"]]
    low, high = f"{min(rates):.4f}", f"{max(rates):.4f}"
    return low if low == high else f"{low} to {high}"


def _range(epochs: list[list[float]]) -> tuple[float, float]:
    """Lowest and highest over the epochs, means over the seeds."""
    lows, highs = ([f(row) for row in epochs] for f in (min, max))
    return sum(lows) / len(lows), sum(highs) / len(highs)
