"""The figures of README.md, drawn from the tables; the same bytes every time."""

import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from experiments import drawing
from experiments.delays.cases import ARMS, SPLITS
from experiments.delays.summary import Row, percent, rows_of
from experiments.drawing import GREY

drawn = partial(drawing.drawn, salt="delays", columns=2, same_y=True)
TONES = {"learned": "#c2410c", "fixed": "#1d4ed8", "none": "#374151",
         "fixed-narrow": "#1d4ed8", "none-narrow": "#374151"}  # fmt: skip
NAMES = {"learned": "learned\ndelays", "fixed": "fixed,\nwider", "none": "none,\nwider",
         "fixed-narrow": "fixed,\nas wide", "none-narrow": "none,\nas wide"}  # fmt: skip
TITLES = {"index": "every speaker in training", "speaker": "a speaker never heard"}


def draw_all(rows: Sequence[Row], delays: Sequence[Row], folder: Path) -> None:
    """Both figures."""
    with drawn(folder / "accuracy.svg", 9.0, 3.6) as panels:
        for axes, split in zip(panels, SPLITS, strict=True):
            _accuracies(axes, rows, split)
        panels[0].set_ylabel("on chip, test accuracy (%)")
    with drawn(folder / "delays.svg", 9.0, 3.2) as panels:
        for axes, layer in zip(panels, ("hidden1", "hidden2"), strict=True):
            _delays(axes, [r for r in delays if r["layer"] == layer], layer)
        panels[0].set_ylabel("synapses (%)")
        panels[0].set_ylim(0, 6.4)
        panels[1].legend(frameon=False, loc="upper center", ncols=2)


def _accuracies(axes: Axes, rows: Sequence[Row], split: str) -> None:
    """Every seed a dot, the mean a bar."""
    at = 0
    for arm in ARMS:
        found = [percent(row) for row in rows_of(rows, split, arm)]
        if not found:
            continue
        offsets = [at + 0.09 * (i - (len(found) - 1) / 2) for i in range(len(found))]
        mean = statistics.mean(found)
        axes.plot([at - 0.32, at + 0.32], [mean, mean], color=TONES[arm], lw=2.2)
        axes.plot(offsets, found, "o", color=TONES[arm], ms=5, alpha=0.55, mew=0)
        axes.annotate(f"{mean:.1f}", (at + 0.34, mean), va="center", fontsize=8.5)
        at += 1
    there = [arm for arm in ARMS if rows_of(rows, split, arm)]
    axes.set_xticks(range(len(there)), [NAMES[arm] for arm in there])
    for row in rows_of(rows, split, "counts"):
        axes.axhline(percent(row, "float_test"), color=GREY, lw=1, ls=(0, (4, 3)))
        axes.annotate("counts alone", (len(there) - 0.45, percent(row, "float_test")), (0, 3),
                      textcoords="offset points", ha="right", fontsize=8.5, color=GREY)  # fmt: skip
    axes.set_title(TITLES[split], fontsize=10)
    axes.set_xlim(-0.5, len(there) - 0.3)
    axes.grid(visible=False, axis="x")


def _delays(axes: Axes, rows: Sequence[Row], layer: str) -> None:
    """Shares of the delays before and after, over all seeds of both splits."""
    steps = sorted({int(row["delay"]) for row in rows})
    for column, tone, label in (("before", GREY, "as drawn"), ("after", "#c2410c", "learned")):
        n = [sum(int(r[column]) for r in rows if int(r["delay"]) == step) for step in steps]
        total = sum(n)
        edges = [step - 0.5 for step in steps] + [steps[-1] + 0.5]
        axes.stairs([100 * k / total for k in n], edges, color=tone, lw=1.8, label=label,
                    fill=column == "before", alpha=0.35 if column == "before" else 1.0)  # fmt: skip
    axes.set_title(f"{layer}: delays before and after training", fontsize=10)
    axes.set_xlabel("delay (steps of 12.5 ms)")
    axes.grid(visible=False, axis="x")
