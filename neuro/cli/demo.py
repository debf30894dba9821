"""`neuro demo`: the whole road on data that comes with the program."""

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, emit, err, percent


def demo(
    runs: Annotated[Path, typer.Option(help="where run folders live")] = Path("runs"),
    recipe: Annotated[str, typer.Option(help="recipe to take")] = "digits",
    seed: Annotated[int | None, typer.Option(min=0, help="instead of the recipe's")] = None,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads")] = 1,
    as_json: AsJson = False,
) -> None:
    """Train on scikit-learn's digits as events, carry it onto Loihi 1, simulate, price, report."""
    import torch

    from hwsim.chips.files import load_neurocores
    from neuro.cli.deploy import lines
    from neuro.deploy import deploy
    from neuro.recipe import load_recipe
    from neuro.reporting import write
    from neuro.runs import run_for
    from neuro.training.train import train

    torch.set_num_threads(threads)
    loaded = load_recipe(recipe)
    if seed is not None:
        loaded = loaded.with_seed(seed)
    chip = load_neurocores(loaded.qat.chip)
    folder = run_for(loaded, runs)
    err.print(f"training {loaded.name} in {folder.path}", highlight=False)
    try:
        result = train(folder, err)
    except KeyboardInterrupt:
        err.print("interrupted: the same command resumes after the last finished epoch")
        raise typer.Exit(130) from None
    err.print(f"simulating {result['samples']['test']} samples on {chip.title}", highlight=False)
    with compiling_said():
        content = deploy(folder, chip)
    page, data = write(folder, chip)
    said = [
        f"float      {percent(result['float']['test'])}",
        f"quantised  {percent(result['quantised']['test'])}",
        *lines(content),
        f"report     {page}",
    ]
    summary = {"run": str(folder.path), "html": str(page), "json": str(data), **content}
    emit(summary, said, as_json=as_json)
