"""The figures of README.md, drawn from the tables; the same bytes every time."""

import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from experiments import drawing
from experiments.delay_memory.tables import Row
from experiments.drawing import GREY

drawn = partial(drawing.drawn, salt="delay_memory")
INK = "#111827"
TONES = {"classes": "#c2410c", "longest": "#1d4ed8", "tuned": "#15803d"}
SWEPT = {
    "longest": "clipped to a range",
    "classes": "merged into classes",
    "tuned": "merged, then trained",
}
PARTS = {"synapses": "#1d4ed8", "neurons": "#60a5fa", "network": "#a3a3a3", "static": "#c2410c"}
NAMES = {"learned": "learned", "fixed": "fixed", "none": "none", "small": "learned",
         "recurrent": "loop"}  # fmt: skip
KIB = 8 * 1024


def draw_sweep(rows: Sequence[Row], path: Path) -> None:
    """Accuracy against the memory of delays: as the chip stores them, and as names of classes."""
    with drawn(path, 9.0, 3.6, 2) as (left, right):
        for limit, label in SWEPT.items():
            _curve(left, rows, limit, "field_bits", label)
            if limit != "longest":
                _curve(right, rows, limit, "coded_bits", label)
        left.set(xlabel="delay memory on the chip (KiB)", ylabel="test accuracy (%)")
        right.set(xlabel="if fields named a class (KiB)", ylim=left.get_ylim())
        left.legend(frameon=False, loc="lower right")


def _curve(axes: Axes, rows: Sequence[Row], limit: str, fields: str, label: str) -> None:
    """Every seed a dot, means joined; each mean says its limit."""
    own = [r for r in rows if r["limit"] == limit]
    points = []
    for value in dict.fromkeys(r["value"] for r in own):
        each = [r for r in own if r["value"] == value]
        x = statistics.mean((int(r[fields]) + int(r["pending_bits"])) / KIB for r in each)
        right = [100 * int(r["n_correct"]) / int(r["n_test"]) for r in each]
        axes.plot([x] * len(right), right, "o", color=TONES[limit], ms=3.5, alpha=0.35, mew=0)
        points.append((x, statistics.mean(right), value))
    points.sort()
    axes.plot([x for x, _, _ in points], [y for _, y, _ in points], "o-", color=TONES[limit],
              lw=1.8, ms=5, label=label)  # fmt: skip
    below = (0, -14 if limit == "classes" else 7)
    for x, y, value in points:
        axes.annotate(value, (x, y), below, textcoords="offset points",
                      ha="center", fontsize=8, color=TONES[limit])  # fmt: skip


def draw_energy(rows: Sequence[Row], path: Path) -> None:
    """Energy by component with its band, accuracy on chip, and memory, an arm a bar."""
    arms = list(dict.fromkeys(r["arm"] for r in rows))
    own = {arm: [r for r in rows if r["arm"] == arm] for arm in arms}

    def mean(arm: str, column: str, scale: float) -> float:
        return scale * statistics.mean(float(r[column]) for r in own[arm])

    with drawn(path, 10.0, 3.8, 3) as (energy, accuracy, memory):
        bottoms = [0.0] * len(arms)
        for part, tone in PARTS.items():
            heights = [mean(arm, f"{part}_j", 1e9) for arm in arms]
            energy.bar(range(len(arms)), heights, 0.6, bottoms, color=tone, label=part)
            bottoms = [a + b for a, b in zip(bottoms, heights, strict=True)]
        for at, arm in enumerate(arms):
            low, high = (mean(arm, f"energy_{p}_j", 1e9) for p in ("p10", "p90"))
            energy.plot([at, at], [low, high], color=INK, lw=1.4)
        energy.set(ylabel="energy per inference (nJ), p10 to p90")
        energy.legend(frameon=False, fontsize=8.5)
        for at, arm in enumerate(arms):
            each = [100 * int(r["chip_test"]) / int(r["n_test"]) for r in own[arm]]
            accuracy.plot([at] * len(each), each, "o", color=INK, ms=5, alpha=0.5, mew=0)
            accuracy.plot([at - 0.3, at + 0.3], [statistics.mean(each)] * 2, color=INK, lw=2)
        accuracy.set(ylabel="test accuracy on chip (%)")
        _memory(memory, own, arms)
        for axes in (energy, accuracy, memory):
            labels = [f"{NAMES[arm]}\n{own[arm][0]['hidden']}" for arm in arms]
            axes.set_xticks(range(len(arms)), labels, fontsize=8)
            axes.set_xlim(-0.6, len(arms) - 0.4)
            axes.grid(visible=False, axis="x")


def _memory(axes: Axes, own: Mapping[str, Sequence[Row]], arms: Sequence[str]) -> None:
    """Synapses without their delays, delay fields, and input on its way, in KiB."""
    bottoms = [0.0] * len(arms)
    kinds = (
        ("weights, indices", GREY),
        ("delay fields", "#f59e0b"),
        ("input on its way", "#b45309"),
    )
    for name, tone in kinds:
        heights = [statistics.mean(_kib(row, name) for row in own[arm]) for arm in arms]
        axes.bar(range(len(arms)), heights, 0.6, bottoms, color=tone, label=name)
        bottoms = [a + b for a, b in zip(bottoms, heights, strict=True)]
    axes.set(ylabel="memory (KiB)", xlabel="delays, and hidden neurons")
    axes.legend(frameon=False, fontsize=8.5)


def _kib(row: Row, kind: str) -> float:
    synapses, fields, ring = (int(row[f"{n}_bits"]) for n in ("synapse", "field", "pending"))
    bits = {"weights, indices": synapses - fields, "delay fields": fields, "input on its way": ring}
    return bits[kind] / KIB
