"""The tables of README.md, from the rows of results.csv."""

import statistics
from collections.abc import Callable, Sequence

import numpy as np

from experiments.delays.cases import ARMS, SPLITS

Row = dict[str, str]
MARK = "| split | arm |"
SAID = {
    "index": "published: every speaker in both parts",
    "speaker": "the test speaker is never heard in training",
}


def rows_of(rows: Sequence[Row], split: str, arm: str) -> list[Row]:
    """The rows of an arm on a split, by seed."""
    return [row for row in rows if (row["split"], row["arm"]) == (split, arm)]


def percent(row: Row, column: str = "chip_test") -> float:
    """Right answers of a row, of a hundred."""
    return 100 * int(row[column]) / int(row["n_test"])


def said(values: Sequence[float], sign: str = "") -> str:
    """Mean and standard deviation."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{sign}.1f}{spread}"


def sign_flip(differences: Sequence[int]) -> float:
    """Two-sided p of the exact sign-flip test: whole differences of pairs, no assumption but that.

    How often a sum is as far from 0 as theirs if every sign is drawn by a coin. Of five pairs it
    is never below 1/16.
    """
    reach = sum(abs(d) for d in differences)
    ways = np.zeros(2 * reach + 1)
    ways[reach] = 1.0
    for d in differences:
        ways = (np.roll(ways, d) + np.roll(ways, -d)) / 2
    sums = np.abs(np.arange(-reach, reach + 1))
    return float(ways[sums >= abs(sum(differences))].sum())


def accuracies(rows: Sequence[Row]) -> str:
    """Every arm on every split: mean and standard deviation over the seeds."""
    lines = [f"{MARK} hidden neurons | trained numbers | synapses | float, test | on chip, test |"]
    lines.append("|-" * 7 + "|")
    for split in SPLITS:
        for arm, meant in ARMS.items():
            found = rows_of(rows, split, arm)
            if not found:
                continue
            first = found[0]
            cells = [
                split, meant.said, f"{first['hidden1']} + {first['hidden2']}",
                f"{int(first['parameters']):,}", f"{int(first['synapses']):,}",
                *(f"{said([percent(r, c) for r in found])} %" for c in ("float_test", "chip_test")),
            ]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
        for row in rows_of(rows, split, "counts"):
            right = f"{percent(row, 'float_test'):.1f} %"
            lines.append(f"| {split} | spikes of each channel, logistic | | | | {right} | |")
    return "\n".join(lines)


def deployment(rows: Sequence[Row]) -> str:
    """What every step towards the chip costs the learned arm, in points, and spikes that differ."""
    steps: dict[str, Callable[[Row], float]] = {
        "bumps − whole delays, float": lambda r: percent(r, "soft_test") - percent(r, "float_test"),
        "whole delays, float − on chip": lambda r: percent(r, "float_test") - percent(r),
        "torch integers − on chip": lambda r: percent(r, "qat_test") - percent(r),
    }
    lines = ["| learned delays, test, points | mean ± sd | worst seed |", "|-|-|-|"]
    learned = [r for split in SPLITS for r in rows_of(rows, split, "learned")]
    for name, lost in steps.items():
        for split in SPLITS:
            each = [lost(r) for r in learned if r["split"] == split]
            lines.append(f"| {name}, {split} | {said(each, '+')} | {max(each):+.1f} |")
    trained = [r for r in rows if r["chip_spikes"]]
    for name, kind in (("float torch and hwsim", "float"), ("torch integers and chip", "chip")):
        different = sum(int(r[f"{kind}_different"]) for r in trained)
        total = sum(int(r[f"{kind}_spikes"]) for r in trained)
        runs = f"all {len(trained)} networks"
        lines.append(f"| spikes that differ, {name}, {runs} | {different:,} of {total:,} | |")
    return "\n".join(lines)


def wrong_by_sample(rows: Sequence[Row]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Seeds that got each test sample wrong on the chip, (samples,)."""
    wrong = [int(place) for row in rows for place in row["chip_wrong"].split()]
    return np.bincount(np.array(wrong, dtype=np.int64), minlength=int(rows[0]["n_test"]))


def comparisons(rows: Sequence[Row]) -> str:
    """The learned arm against the others on the chip, paired by seed and by test sample."""
    lines = ["| on chip, test, points | each seed | mean | p, over seeds | p, over samples |"]
    lines.append("|-" * 5 + "|")
    for split in SPLITS:
        learned = rows_of(rows, split, "learned")
        for arm, meant in ARMS.items():
            other = rows_of(rows, split, arm)
            if arm == "learned" or [r["seed"] for r in other] != [r["seed"] for r in learned]:
                continue
            pairs = zip(learned, other, strict=True)
            more = [int(a["chip_test"]) - int(b["chip_test"]) for a, b in pairs]
            points = [100 * d / int(learned[0]["n_test"]) for d in more]
            by_sample = wrong_by_sample(other) - wrong_by_sample(learned)
            ps = (sign_flip(more), sign_flip(by_sample.tolist()))
            cells = [f"{split}: learned − {meant.said}", " ".join(f"{d:+.1f}" for d in points),
                     f"{statistics.mean(points):+.1f}", *(f"{p:.2g}" for p in ps)]  # fmt: skip
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def summary(rows: Sequence[Row]) -> str:
    """All tables."""
    return "\n\n".join((accuracies(rows), comparisons(rows), deployment(rows)))
