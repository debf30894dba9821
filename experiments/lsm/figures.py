"""The figures of README.md, drawn from the numbers; the same bytes every time."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments import drawing
from experiments.drawing import GREY
from experiments.lsm.costs import energies, mean_of, of_seeds
from experiments.lsm.rows import Found, Numbers
from experiments.lsm.summary import AS_IS, LABELS, percents, points, swept
from experiments.lsm.supervised import NOISES, SCALES, SWEEPS
from experiments.lsm.tasks import FOLDER, TASKS
from experiments.lsm.zero import DRAWN, SEEDS, embeddings

drawn = partial(drawing.drawn, salt="lsm")
TONES = {"nmnist": "#c2410c", "fsdd": "#1d4ed8"}
NAMES = {"nmnist": "N-MNIST", "fsdd": "spoken digits"}
BARS = {
    "raw": "raw counts", "lsm": "reservoir", "no-recurrence": "no recurrence",
    "formed": "formed cells", "chip": "on the chip", "rnn": "trained RNN",
    "srnn-snn": "trained SRNN, spiking head", "srnn-ann": "trained SRNN",
}  # fmt: skip


def draw_all(found: Found, folder: Path = FOLDER) -> None:
    """All figures."""
    _accuracies(found, folder / "accuracy.svg")
    _noise(found, folder / "noise.svg")
    _scale(found, folder / "scale.svg")
    _sweeps(found, folder / "sweeps.svg")
    _pareto(found, folder / "pareto.svg")
    _energy(found, folder / "energy.svg")
    _epochs(found, folder / "epochs.svg")
    if not (folder / "embeddings.svg").exists():
        embeddings(0, folder / "embeddings.svg")


def _of_arm(found: Found, task: str, arm: str) -> list[float]:
    if arm == "chip":
        return percents(of_seeds(found, "chips", task, "formed"), "chip_correct")
    part = "supervised" if of_seeds(found, "supervised", task, arm) else "baselines"
    return percents(of_seeds(found, part, task, arm), "test_correct")


def _accuracies(found: Found, path: Path) -> None:
    """A dot for every seed or chip, a bar for their mean."""
    with drawn(path, 9.0, 3.6, 2) as panels:
        for axes, task in zip(panels, TASKS, strict=True):
            for i, (arm, name) in enumerate(BARS.items()):
                values = _of_arm(found, task, arm)
                tone = GREY if arm == "raw" else TONES[task]
                axes.barh(i, np.mean(values), color=tone, alpha=0.35, height=0.7)
                spread = np.linspace(-0.2, 0.2, len(values)) if len(values) > 1 else [0.0]
                axes.plot(values, i + np.asarray(spread), ".", color=tone, ms=4, clip_on=False)
                axes.text(1, i, name, va="center", fontsize=8.5)
            axes.set_yticks([])
            axes.invert_yaxis()
            axes.grid(visible=False, axis="y")
            axes.set_xlim(0, 100)
            axes.set_xlabel(f"{NAMES[task]}: right in the test, %")
            axes.axvline(10, color=GREY, lw=0.8, ls=":")


def _band(axes: Axes, x: Sequence[float], values: Sequence[Sequence[float]], task: str) -> None:
    low, high = (np.array([np.percentile(v, p) for v in values]) for p in (5, 95))
    axes.fill_between(x, low, high, color=TONES[task], alpha=0.15, lw=0)
    axes.plot(x, [np.mean(v) for v in values], "o-", color=TONES[task], ms=4, label=NAMES[task])


def _noise(found: Found, path: Path) -> None:
    with drawn(path, 6.0, 3.4) as (axes,):
        for task in TASKS:
            rows = of_seeds(found, "chips", task, "formed")
            values = [percents(rows, f"noise_{v:g}_correct") for v in NOISES]
            _band(axes, [100 * v for v in NOISES], values, task)
        axes.set_xlabel("noise of one read, % of the spread of weights")
        axes.set_ylabel("right, %: 30 chips, nine of ten")
        axes.set_ylim(50, 100)
        axes.legend(frameon=False)


def _scale(found: Found, path: Path) -> None:
    with drawn(path, 9.0, 3.4, 2) as (left, right):
        for task, spec in TASKS.items():
            every = [swept(found, "scale", task, "lsm", "scale", v) for v in SCALES]
            x = [spec.scale * v for v in SCALES]
            left.plot(x, [mean_of(r, "rate") for r in every], "o-", color=TONES[task], ms=4,
                      label=NAMES[task])  # fmt: skip
            _band(right, x, [percents(r, "test_correct") for r in every], task)
            for axes in (left, right):
                axes.axvline(spec.scale, color=TONES[task], lw=0.8, ls=":")
                axes.set_xscale("log")
                axes.set_xlabel("weight per microsiemens (dotted: the paper's)")
        left.set_ylabel("spikes per neuron and step")
        right.set_ylabel("right in the test, %")
        left.legend(frameon=False)


def _sweeps(found: Found, path: Path) -> None:
    with drawn(path, 12.0, 3.2, len(SWEEPS), same_y=True) as panels:
        for axes, name in zip(panels, SWEEPS, strict=True):
            for task in TASKS:
                every = [(v, r) for v, r in points(found, task, name) if r]
                _band(axes, [v for v, _ in every],
                      [percents(r, "chip_correct") for _, r in every], task)  # fmt: skip
            axes.set_xlabel(LABELS[name])
            if name in ("size", "array"):
                axes.set_xscale("log", base=2)
                ticks = [v for v, _ in points(found, "nmnist", name)]
                axes.set_xticks(ticks, [f"{v:g}" for v in ticks])
        panels[0].set_ylabel("right in the test, %")
        panels[0].legend(frameon=False)


def _pareto(found: Found, path: Path) -> None:
    """Every chip of the sweeps by energy and accuracy; the line joins those that none beats."""
    marks = {"volt": "v", "spread": "s", "size": "o", "array": "^"}
    with drawn(path, 11.0, 4.0, 2) as panels:
        for axes, task in zip(panels, TASKS, strict=True):
            cloud: list[tuple[float, float, str]] = []
            for name, mark in marks.items():
                every = [(v, r) for v, r in points(found, task, name) if r]
                x = [1e9 * mean_of(r, "energy_j") for _, r in every]
                y = [float(np.mean(percents(r, "chip_correct"))) for _, r in every]
                axes.plot(x, y, mark, color=TONES[task], ms=6, mfc="white", label=LABELS[name])
                cloud += [(a, b, f"{v:g}") for a, b, (v, _) in zip(x, y, every, strict=True)]
                if name in ("size", "array"):
                    for a, b, (v, _) in zip(x, y, every, strict=True):
                        if v == AS_IS["array"]:  # the chip as it is stands there as 200 neurons
                            continue
                        axes.annotate(f"{v:g}", (a, b), (4, 4), textcoords="offset points",
                                      fontsize=7.5, color=GREY)  # fmt: skip
            best = frontier([(a, b) for a, b, _ in cloud])
            axes.plot(*zip(*best, strict=True), "-", color=TONES[task], lw=1, alpha=0.6, zorder=0)
            rows = of_seeds(found, "supervised", task, "loihi2")
            joules = next(j for j in energies(found, task)[1:2])
            axes.plot(1e9 * joules.value, np.mean(percents(rows, "test_correct")), "D",
                      color=GREY, label="Loihi 2, 200 neurons")  # fmt: skip
            axes.set_xscale("log")
            axes.set_xlabel("an inference of the encoder, nJ")
            axes.set_ylabel(f"{NAMES[task]}: right in the test, %")
        panels[0].legend(frameon=False, fontsize=8)


def frontier(cloud: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points that no other beats: less energy, or more accuracy, by energy."""
    out: list[tuple[float, float]] = []
    for energy, accuracy in sorted(cloud, key=lambda p: (p[0], -p[1])):
        if not out or accuracy > out[-1][1]:
            out.append((energy, accuracy))
    return out


def _energy(found: Found, path: Path) -> None:
    tones = ("#1d4ed8", "#c2410c", "#15803d", "#7c3aed", "#be185d", "#0e7490", "#a16207", GREY)
    with drawn(path, 11.0, 3.4, 2) as (left, right):
        every = {task: energies(found, task) for task in TASKS}
        n = len(every["nmnist"])
        for k, task in enumerate(TASKS):
            at = np.arange(n) + (k - 0.5) * 0.36
            value = np.array([one.value for one in every[task]])
            off = np.array([[one.value - one.p10, one.p90 - one.value] for one in every[task]]).T
            left.barh(at, 1e9 * value, 0.34, color=TONES[task], label=NAMES[task], alpha=0.8,
                      xerr=1e9 * off, error_kw={"ecolor": GREY, "lw": 1})  # fmt: skip
        left.set_yticks(range(n), [one.said for one in every["nmnist"]])
        left.invert_yaxis()
        left.set_xscale("log")
        left.set_xlabel("an inference of the encoder, nJ, with the constants' 80 % band")
        left.legend(frameon=False)
        bars = [(task, one) for task in TASKS for one in every[task][:2]]
        names: list[str] = []
        for i, (_, one) in enumerate(bars):
            start = 0.0
            for name, joules in one.parts.items():
                names += [] if name in names else [name]
                share = 100 * joules / one.value
                right.barh(i, share, left=start, color=tones[names.index(name) % len(tones)],
                           alpha=0.8, height=0.6)  # fmt: skip
                if share > 12:
                    right.text(start + share / 2, i, name, ha="center", va="center", fontsize=7.5,
                               color="white")  # fmt: skip
                start += share
        right.set_yticks(range(len(bars)), [f"{NAMES[t]}\n{one.said}" for t, one in bars],
                         fontsize=8)  # fmt: skip
        right.invert_yaxis()
        right.set_xlabel("share of the components, %")
        marks = [
            right.barh([0], [0], color=tones[k % len(tones)], alpha=0.8) for k in range(len(names))
        ]
        right.legend(marks, names, frameon=False, fontsize=7, ncol=5, loc="lower center",
                     bbox_to_anchor=(0.4, 1.0))  # fmt: skip


def _epochs(found: Found, path: Path) -> None:
    """The unseen accuracy over epochs: what choosing one on the test would find."""
    rows: list[Numbers] = of_seeds(found, "zero", *DRAWN)
    with drawn(path, 6.0, 3.4) as (axes,):
        for seed, row in zip(SEEDS, rows, strict=True):
            n = sum(name.startswith("unseen_") for name in row)
            values = [100 * float(row[f"unseen_{i + 1}"] or 0.0) for i in range(n)]
            axes.plot(range(1, n + 1), values, lw=1, alpha=0.8, label=f"seed {seed}")
            axes.plot(n, values[-1], "o", color=axes.lines[-1].get_color(), ms=5)
        axes.axhline(50, color=GREY, lw=0.8, ls=":")
        axes.axhline(88, color=GREY, lw=0.8, ls="--")
        axes.text(100, 90, "published", fontsize=8, color=GREY, ha="right")
        axes.set_ylim(0, 100)
        axes.set_xlabel("epoch")
        axes.set_ylabel("unseen digits 8 and 9: right, %")
        axes.legend(frameon=False, ncol=5, fontsize=7.5, loc="lower center")
