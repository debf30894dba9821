"""Train all arms, carry them onto the chip: `NEURO_DATA=DIR python -m experiments.delays.run`.

Keeps a row per finished training in ../learned-delays/results.csv, and of learned delays how many
synapses have each (delays.csv). A rerun skips the rows it has and takes up unfinished trainings
from their run folders; rows of another recipe or version are measured anew. Prints the tables that
README.md shows and draws its figures.
"""

import argparse
import csv
import io
from collections.abc import Sequence
from pathlib import Path

from experiments.delays.cases import ARMS, FOLDER, SEEDS, SPLITS, Case, all_cases
from experiments.delays.figures import draw_all
from experiments.delays.measure import COLUMNS, Moves, of_counts, row_of, save_networks
from experiments.delays.summary import Row, summary
from experiments.pool import bar, finished
from hwsim.atomic import write_text
from neuro.runs import RUNS, run_for

RESULTS, DELAYS = FOLDER / "results.csv", FOLDER / "delays.csv"
DELAY_COLUMNS = ("split", "seed", "layer", "delay", "before", "after")
KEPT = Case("index", "learned", 0)  # whose networks are kept beside the results


def read_rows(path: Path = RESULTS) -> list[Row]:
    """The rows that were kept."""
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def keep(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write rows, whole."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def order(row: Row) -> tuple[int, int, int]:
    """By split, arm, seed; counts last."""
    arms = [*ARMS, "counts"]
    return list(SPLITS).index(row["split"]), arms.index(row["arm"]), int(row["seed"] or 0)


def keep_one(row: Row, moves: Moves) -> None:
    """Put a row in its place, and the delays that belong to it."""
    key = ("split", "arm", "seed")
    others = [r for r in read_rows() if [r[k] for k in key] != [row[k] for k in key]]
    keep(RESULTS, COLUMNS, sorted([*others, row], key=order))
    if moves:
        rest = [r for r in read_rows(DELAYS)
                if (r["split"], r["seed"]) != (row["split"], row["seed"])]  # fmt: skip
        new = [{k: str(v) for k, v in move.items()} for move in moves]
        by_run = sorted(
            [*rest, *new], key=lambda r: (list(SPLITS).index(r["split"]), int(r["seed"]))
        )
        keep(DELAYS, DELAY_COLUMNS, by_run)


def main() -> None:
    """Measure what is missing, keep it, say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--arms", nargs="*", choices=ARMS, default=list(ARMS))
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the run folders")
    asked = parser.parse_args()
    cases = [c for c in all_cases() if c.arm in asked.arms and c.seed in asked.seeds]
    have = {(r["split"], r["arm"], r["seed"]): r["hash"] for r in read_rows()}
    missing = [c for c in cases if have.get(c.key) != c.recipe().digest()]
    with bar() as shown:
        task = shown.add_task("trainings", total=len(missing))
        each = [(case, asked.runs) for case in missing]
        for (case, _), (row, moves) in finished(row_of, each, asked.jobs):
            keep_one({k: str(v) for k, v in row.items()}, moves)
            if case == KEPT:
                save_networks(run_for(case.recipe(), asked.runs), FOLDER)
            shown.advance(task)
    for split in SPLITS:
        if (split, "counts", "") not in have:
            keep_one({k: str(v) for k, v in of_counts(split).items()}, [])
    rows = read_rows()
    print(summary(rows))
    draw_all(rows, read_rows(DELAYS), FOLDER)


if __name__ == "__main__":
    main()
