"""A run folder: `runs/<name>-<hash>/`, every file in it whole or absent.

recipe.json        what was asked            float/, qat/       checkpoints, metrics of both phases
curves.svg         metrics over the epochs of all phases
network.h5         the real network          chip.h5            the chip's integers
noise.h5, noise/   the real network after training with noise, and its checkpoints, if asked for
result.json        accuracies and versions   deploy-<chip>/     simulation, counts, bill, report
lava/              the Lava export

What no chip can run has recipe.json, float/ and result.json alone.
"""

import json
import platform
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from hwsim.atomic import write_text
from neuro.recipe import Recipe

RUNS = Path("runs")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where a run lives, and the recipe it came from."""

    path: Path
    recipe: Recipe

    @property
    def real_network(self) -> Path:
        """The trained network in real numbers."""
        return self.path / "network.h5"

    @property
    def chip_network(self) -> Path:
        """The trained network in a chip's integers."""
        return self.path / "chip.h5"

    @property
    def noise_network(self) -> Path:
        """The network in real numbers after training with noise, if the recipe has such epochs."""
        return self.path / "noise.h5"

    def deployment(self, chip: str) -> Path:
        """Folder of a deployment on a chip."""
        return self.path / f"deploy-{chip}"

    def begin(self) -> None:
        """Make the folder, with the recipe in it; called once the recipe is known to work."""
        if not (self.path / "recipe.json").exists():
            write_text(self.path / "recipe.json", self.recipe.model_dump_json(indent=2) + "\n")

    def result(self) -> dict[str, Any] | None:
        """What training reached; None if it has not ended."""
        return read_json(self.path / "result.json")


def run_for(recipe: Recipe, root: Path = RUNS) -> RunFolder:
    """The folder of a recipe's run: it may not exist yet, an unfinished one is taken up again."""
    return RunFolder(root / f"{recipe.name}-{recipe.digest()}", recipe)


def open_run(path: str | Path) -> RunFolder:
    """A finished run by its folder, or by the start of its name below `runs/`.

    Raises:
        FileNotFoundError: if there is none, or it is unfinished; says what to do.
        ValueError: if several match.
    """
    if not str(path):
        raise ValueError("the name of the run is empty: give its folder, or the start of its name")
    folder = Path(path)
    if folder.suffix.lower() == ".h5":
        raise ValueError(
            f"{path} is a network file, this command takes a run (a folder that `neuro train` "
            f"makes): `neuro fits {path}` and `neuro map {path}` take network files"
        )
    if not folder.is_dir():
        there = RUNS.iterdir() if RUNS.is_dir() and str(path) else ()
        matches = sorted(p for p in there if p.name.startswith(str(path)) and p.is_dir())
        if len(matches) > 1:
            names = ", ".join(p.name for p in matches)
            raise ValueError(f"{path} matches {len(matches)} runs ({names}): give more of the name")
        if not matches:
            raise FileNotFoundError(f"no run {path}: `neuro train RECIPE` makes one")
        folder = matches[0]
    content = read_json(folder / "recipe.json")
    if content is None:
        raise FileNotFoundError(f"{folder} is no run folder, it has no recipe.json")
    try:
        run = RunFolder(folder, Recipe.model_validate(content))
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(
            f"{folder / 'recipe.json'} holds no recipe of this version "
            f"({'.'.join(map(str, first['loc']))}: {first['msg']}): train again"
        ) from error
    result = run.result()
    if result is None:
        raise FileNotFoundError(f"run {folder} has not ended: `neuro train` again resumes it")
    lost = {"samples", "float", "quantised", "class_names"} - result.keys()
    if lost:
        raise ValueError(
            f"{folder / 'result.json'} is damaged (no {', '.join(sorted(lost))}): delete it and "
            "run again"
        )
    if "floats_alone" in result:
        raise ValueError(f"run {folder} was trained in floats alone: {result['floats_alone']}")
    return run


def read_json(path: Path) -> dict[str, Any] | None:
    """A JSON object; None if there is no such file."""
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it and run again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} is damaged (no object): delete it and run again")
    return content


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object, atomically."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def versions() -> dict[str, str]:
    """Versions of everything a result depends on."""
    names = ("neuro-hwsim", "torch", "numpy", "numba", "snntorch", "tonic", "lightning")
    return {"python": platform.python_version(), **{n: metadata.version(n) for n in names}}
