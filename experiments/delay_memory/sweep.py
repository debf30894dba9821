"""Accuracy against delay memory: `NEURO_DATA=DIR python -m experiments.delay_memory.sweep RUN ...`.

The delays of finished runs (of `learned-delays`, one a seed), clipped to a range or merged into
classes after training, on the chip that the run was trained for; and classes that the weights were
then trained with, in integers, from the run's real network (in folders below `--runs`). Writes
sweep.csv and sweep.svg beside this file and prints the table of README.md.
"""

import argparse
import shutil
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

import hwsim
from experiments.delay_memory.figures import draw_sweep
from experiments.delay_memory.tables import HERE, Row, keep, said
from hwsim.mapping.delay_memory import DelayMemory
from neuro.recipe import Recipe
from neuro.runs import RUNS, RunFolder, open_run, run_for
from neuro.training.samples import Samples, load_split
from neuro.training.train import train

CLASSES = (1, 2, 3, 4, 6, 8, 12)
TUNED = (2, 4)
RANGES = (0, 2, 4, 8, 16)  # steps; beyond the longest nothing is clipped
TABLE = HERE / "sweep.csv"
COLUMNS = (
    "seed", "hash", "limit", "value", "n_correct", "n_test", "synapses", "changed", "clipped",
    "error_steps", "longest", "field_bits", "pending_bits", "coded_bits", "area_m2",
    "neuro-hwsim",
)  # fmt: skip


def limits() -> Iterator[tuple[str, int | None]]:
    """What delays are limited to: ("classes" or "longest", value); None: as they were trained."""
    yield from (("classes", k) for k in (*CLASSES, None))
    yield from (("longest", steps) for steps in (*RANGES, None))


def tuned(run: RunFolder, n_classes: int, runs: Path) -> RunFolder:
    """A run whose integers are trained with classes, from the epoch that `run` chose in floats."""
    recipe = run.recipe.model_dump()
    recipe["qat"]["delay_classes"] = n_classes
    recipe["name"] = f"{run.recipe.name}-{n_classes}-classes"
    other = run_for(Recipe.model_validate(recipe), runs)
    if not other.path.exists():
        shutil.copytree(run.path / "float", other.path / "float")
    train(other, Console(quiet=True))
    return other


def rows_of(name: str, runs: Path) -> list[dict[str, object]]:
    """A run under every limit. Nothing is chosen here: the test split shows the whole curve."""
    run = open_run(name)
    result = run.result() or {}
    chip = hwsim.load_chip(run.recipe.qat.chip)
    assert isinstance(chip, hwsim.ChipSpec)
    test = load_split(run.recipe.data, run.recipe.data.test)
    net = hwsim.load_network(run.chip_network)
    fixed = {"seed": result["seed"], "hash": result["hash"],
             "neuro-hwsim": result["versions"]["neuro-hwsim"]}  # fmt: skip
    rows = [fixed | measured(net, chip, test, limit, value) for limit, value in limits()]
    for k in TUNED:
        other = hwsim.load_network(tuned(run, k, runs).chip_network)
        found = measured(other, chip, test, "classes", None)
        delays = hwsim.load_network(run.real_network), other
        pairs = zip(*(n.projections for n in delays), strict=True)
        moved = sum(int((p.delay != q.delay).sum()) for p, q in pairs)
        found |= {"limit": "tuned", "value": k, "changed": moved, "error_steps": ""}
        rows.append(fixed | found)
    return rows


def measured(
    net: hwsim.Network, chip: hwsim.ChipSpec, test: Samples, limit: str, value: int | None
) -> dict[str, object]:
    """Right answers and memory of a network within one limit."""
    asked = {"n_classes" if limit == "classes" else "max_delay": value}
    limited, merged = hwsim.quantize_delays(net, **asked)
    plan = hwsim.compile(limited, chip, mapper=hwsim.MAPPERS["row-major"])
    memory = hwsim.delay_memory(plan)
    right = hwsim.simulate(plan, test.frames).output.argmax(1) == test.labels
    n_synapses = sum(m.synapses for m in merged)
    squared = sum(m.synapses * m.error_steps**2 for m in merged)
    return {
        "limit": limit,
        "value": "all" if value is None else value,
        "n_correct": int(right.sum()),
        "n_test": len(test),
        "synapses": n_synapses,
        "changed": sum(m.changed for m in merged),
        "clipped": sum(m.clipped for m in merged),
        "error_steps": f"{np.sqrt(squared / n_synapses):.3f}",
        "longest": max(m.longest for m in merged),
        "field_bits": memory.total.fields,
        "pending_bits": memory.total.pending,
        "coded_bits": coded_bits(memory),
        "area_m2": f"{hwsim.delay_area(memory.total, chip).value:.4g}",
    }


def coded_bits(memory: DelayMemory) -> int:
    """Bits of fields that name a class instead, with a table of them for every layer.

    No chip here has such a table: what one would gain.
    """
    bits = 0
    for layer in memory.layers:
        n_synapses = layer.bits.fields // layer.field_bits
        bits += n_synapses * (layer.values - 1).bit_length() + layer.values * layer.field_bits
    return bits


def table(rows: Sequence[Row]) -> str:
    """Means over seeds, as README.md shows them."""
    lines = [
        "| limit | test | synapses moved | in synapses | input on its way | both | as classes |",
        "|-" * 7 + "|",
    ]
    for limit, value in dict.fromkeys((r["limit"], r["value"]) for r in rows):
        own = [r for r in rows if (r["limit"], r["value"]) == (limit, value)]
        right = [100 * int(r["n_correct"]) / int(r["n_test"]) for r in own]
        moved = statistics.mean(100 * int(r["changed"]) / int(r["synapses"]) for r in own)
        fields, ring, coded = (
            statistics.mean(int(r[name]) / 8192 for r in own)
            for name in ("field_bits", "pending_bits", "coded_bits")
        )
        name = {
            "classes": f"{value} classes a layer",
            "longest": f"{value} steps at most",
            "tuned": f"{value} classes a layer, then trained",
        }[limit]
        cells = [
            "as trained" if value == "all" else name, f"{said(right)} %",
            f"{moved:.0f} %", f"{fields:.2f} KiB", f"{ring:.2f} KiB", f"{fields + ring:.2f} KiB",
            f"{coded + ring:.2f} KiB",
        ]  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, keep, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="folders of finished runs with delays")
    parser.add_argument("--runs", type=Path, default=RUNS, dest="folder")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for name in asked.runs for row in rows_of(name, asked.folder)]
    kept = keep(TABLE, COLUMNS, rows)
    draw_sweep(kept, HERE / "sweep.svg")
    print(table(kept))


if __name__ == "__main__":
    main()
