"""`neuro data`: which data sets there are, what is known of them, and how to get them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from neuro.cli.console import AsJson, Root, emit

if TYPE_CHECKING:
    from neuro.datasets import Dataset, Info

app = typer.Typer(help="List, describe and fetch data sets.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="data set, e.g., nmnist-small")]

N_SAMPLED = 20  # samples behind the statistics that `info` shows


@app.command(name="list")
def list_(root: Root = None, as_json: AsJson = False) -> None:
    """List the data sets, and which of them are here."""
    from neuro.datasets import info, names

    infos = [info(name) for name in names()]
    if as_json:
        typer.echo(json.dumps([_summary(about, root) for about in infos], indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "samples", "train", "test", "shape", "here", box=None)
    for about in infos:
        shape = " x ".join(str(length) for length in about.sample_shape)
        counts = (str(about.n_train), str(about.n_test))
        table.add_row(
            about.name, about.kind, *counts, shape, "yes" if about.present(root) else "no"
        )
    Console().print(table)


@app.command()
def info(name: Name, root: Root = None, as_json: AsJson = False) -> None:
    """Describe a data set: counts, licence, source, and statistics where it is here."""
    from neuro.datasets import info as about
    from neuro.datasets import load

    facts = _summary(about(name), root)
    if facts["present"]:
        facts["statistics"] = _statistics(load(name, root=root))
    emit(
        facts,
        [f"{key.replace('_', ' '):14} {_in_words(key, facts[key])}" for key in facts],
        as_json=as_json,
    )


@app.command()
def fetch(name: Name, root: Root = None, as_json: AsJson = False) -> None:
    """Download a data set, unless it is here."""
    from neuro.datasets import fetch as get

    place = get(name, root)
    where = "in the program, nothing to fetch" if place is None else str(place)
    emit({"name": name, "place": where}, [f"{name}: {where}"], as_json=as_json)


def _summary(about: Info, root: str | None) -> dict[str, object]:
    """The catalogue's facts, without what serves the program only."""
    present = about.present(root)
    facts: dict[str, object] = {**asdict(about), "present": present}
    del facts["files"]
    if present:
        del facts["how_to_get"]
    return facts


def _in_words(key: str, value: object) -> str:
    """A fact for a reader."""
    if isinstance(value, dict):
        return ", ".join(f"{part} {number:.4g}" for part, number in value.items())
    if isinstance(value, tuple):
        return " x ".join(map(str, value))
    if key == "present":
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def _statistics(dataset: Dataset) -> dict[str, float]:
    """Means over some samples, spread evenly over the split."""
    import numpy as np

    some = dataset.take(np.linspace(0, len(dataset) - 1, N_SAMPLED).astype(int))
    samples = [sample for sample, _ in some]
    if dataset.kind != "events":
        return {"samples": len(some), "mean value": float(np.mean([s.mean() for s in samples]))}
    counts = np.array([len(events) for events in samples])
    end_us = 1e6 * (dataset.duration_s or 0)
    return {
        "samples": len(some),
        "events": float(counts.mean()),
        "events std": float(counts.std()),
        "on fraction": float(np.mean([events["p"].mean() for events in samples])),
        "share after nominal end": float(np.mean([(e["t"] >= end_us).mean() for e in samples])),
        "last event s": float(max(events["t"].max() for events in samples)) * 1e-6,
    }
