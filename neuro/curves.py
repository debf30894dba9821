"""Learning curves: a table per phase of training, kept as it runs, and a figure of them all."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwsim.atomic import write_text
from hwsim.report.curves_figure import draw_curves
from hwsim.report.data import Curves, Phase
from hwsim.report.standalone import save_figure

Rows = Sequence[Mapping[str, float]]
METRICS, FIGURE = "metrics.csv", "curves.svg"
PHASES = {"float": "floats", "qat": "integers", "noise": "noise"}  # by folder of a run


def write_metrics(folder: Path, rows: Rows) -> None:
    """Write a phase's epochs as `metrics.csv`; what an epoch does not have stays empty."""
    out = io.StringIO()
    names = dict.fromkeys(name for row in rows for name in row)
    table = csv.DictWriter(out, list(names), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / METRICS, out.getvalue())


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """What `write_metrics` wrote; nothing if it did not.

    Raises:
        ValueError: if the file is damaged.
    """
    path = folder / METRICS
    if not path.is_file():
        return []
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: float(v) for name, v in row.items() if v != ""} for row in rows]
    except (ValueError, TypeError, csv.Error) as error:
        raise ValueError(f"{path} is damaged: delete it, and `neuro train` again") from error


def curves_of(phases: Mapping[str, Rows]) -> Curves | None:
    """Phases one after another, each with its best epoch on the held-back part; None for none."""
    kept = {name: rows for name, rows in phases.items() if rows}
    rows = [row for phase in kept.values() for row in phase]
    if not rows:
        return None
    names = dict.fromkeys(name for row in rows for name in row if name != "epoch")
    first = ("fit_loss", "hold_loss", "fit_accuracy", "hold_accuracy")
    ordered = [*(n for n in first if n in names), *(n for n in names if n not in first)]
    columns = {name: tuple(row.get(name) for row in rows) for name in ordered}
    parts = tuple(Phase(name, len(phase), _best(phase)) for name, phase in kept.items())
    return Curves(tuple(range(1, len(rows) + 1)), columns, parts)


def draw_run(run: Path) -> None:
    """Draw the curves of a run so far into its folder; nothing before its first epoch."""
    curves = curves_of({name: read_metrics(run / folder) for folder, name in PHASES.items()})
    if curves is not None:
        save_figure(lambda width: draw_curves(curves, width), run / FIGURE)


def _best(rows: Rows) -> int:
    """The epoch that is kept: the first of lowest loss on the held-back part, from 1."""
    losses = [row["hold_loss"] for row in rows]
    return losses.index(min(losses)) + 1
