"""`neuro train RECIPE`: a run folder from a recipe; run it again to resume."""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from neuro.cli.console import AsJson, Root, emit, err, percent

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["32", "bf16"]


def train(
    recipe: Annotated[str, typer.Argument(help="name of a shipped recipe, or a `.toml` file")],
    seed: Annotated[int | None, typer.Option(min=0, help="instead of the recipe's")] = None,
    runs: Annotated[Path, typer.Option(help="where run folders live")] = Path("runs"),
    root: Root = None,
    processes: Annotated[int, typer.Option(min=1, help="that share every batch (CPU)")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of each process")] = 1,
    device: Annotated[Device, typer.Option(help="auto is a GPU if there is one")] = "auto",
    precision: Annotated[
        Precision | None, typer.Option(help="of products in training, instead of the recipe's")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network, in floats and then in the integers of the recipe's chip.

    A recipe with a `noise` section also fine-tunes the floats for cells that miss their weights.
    """
    from neuro.recipe import load_recipe
    from neuro.runs import run_for
    from neuro.training.fit import Compute
    from neuro.training.memory import keep_freed_memory
    from neuro.training.processes import limited_threads
    from neuro.training.train import train as run_training

    cores = os.cpu_count() or 1
    if processes > cores:
        raise ValueError(
            f"{processes} processes would wait for each other on {cores} cores: take 1 to {cores}"
        )
    loaded = load_recipe(recipe)
    if seed is not None:
        loaded = loaded.with_seed(seed)
    if precision is not None:
        loaded = loaded.with_precision(precision)
    folder = run_for(loaded, runs)
    err.print(f"run {folder.path}", highlight=False)
    keep_freed_memory()
    try:
        compute = Compute(processes, device)
        with limited_threads(threads):
            result = run_training(folder, err, root=root, compute=compute)
    except KeyboardInterrupt:
        err.print("interrupted: the same command resumes after the last finished epoch")
        raise typer.Exit(130) from None
    lines = [
        f"float      test {percent(result['float']['test'])}, "
        f"epoch {result['float']['best_epoch']} chosen on {percent(result['float']['hold'])}",
        *_on_chips(result, folder.path),
    ]
    emit({"run": str(folder.path), **result}, lines, as_json=as_json)


def _on_chips(result: dict[str, Any], path: Path) -> list[str]:
    """What training for chips reached, and what comes next; or why there is none."""
    if "floats_alone" in result:
        return [f"no chip    {result['floats_alone']}"]
    return [
        f"quantised  test {percent(result['quantised']['test'])}, in integers of {result['chip']}",
        *_noise(result),
        f"next: neuro deploy {path} --chip {result['chip']}",
        *([f"next: neuro deploy {path} --chip rram-40nm"] if "noise" in result else []),
    ]


def _noise(result: dict[str, Any]) -> list[str]:
    """What training with noise reached, if there was any."""
    if "noise" not in result:
        return []
    found, n = result["noise"], result["samples"]["test"]
    before, after = (sum(c) / len(c) / n for c in found["test_of_chips"].values())
    return [
        f"with noise test {percent(found['test'])} clean; at a spread of {found['spread']:.0%} of "
        f"a cell's range {after:.1%}, before {before:.1%}"
    ]
