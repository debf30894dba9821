"""The tables of README.md, from the numbers of results.csv."""

from collections.abc import Sequence

import numpy as np

from experiments.lsm.costs import (
    PAPER_ENERGY,
    PAPER_TRAINING,
    Training,
    energies,
    known,
    mean_of,
    of_seeds,
    reservoir_training,
    trainings,
    trainings_zero,
)
from experiments.lsm.rows import Found, Numbers, mean_sd
from experiments.lsm.supervised import NOISES, SCALES, SHARES, SWEEPS
from experiments.lsm.tasks import HEARD, N_NEURONS, TASKS
from experiments.lsm.zero import ARMS, RECIPES

SAID = {
    "lsm": "reservoir, Gaussian weights",
    "formed": "reservoir, weights of formed cells",
    "no-recurrence": "reservoir without recurrence",
    "raw": "**counts of the raw input**",
    "lsm-chosen": "reservoir, head chosen on held-back recordings",
    "raw-chosen": "**counts, head chosen on held-back recordings**",
    "paper-head": "reservoir, head of the paper (Adam 1e-4, 100 epochs)",
    "loihi1": "reservoir in Loihi 1's integers",
    "loihi2": "reservoir in Loihi 2's integers",
    "srnn-ann": "trained SRNN, linear head on counts",
    "srnn-snn": "trained SRNN, spiking head",
    "rnn": "trained RNN",
}
PAPER = {  # of [Lin2025]: N-MNIST, N-TIDIGITS
    "lsm": (89.11, 70.79), "srnn-ann": (96.96, 82.62), "srnn-snn": (93.93, 63.75),
    "rnn": (96.23, 75.54),
}  # fmt: skip
ZERO = {
    "rates": "reservoirs, the recipe as it ships",
    "counts": "reservoirs, raw counts as the paper's code",
    "cold": "reservoirs, length one, temperature 0.1",
    "supervised": "reservoirs, supervised contrastive, 0.1",
    "d128": "reservoirs, 128 dimensions",
    "same-speakers": "reservoirs, speakers of the test heard in training",
    "weaker": "reservoirs, weights of the supervised tasks' scale",
    "no-recurrence": "reservoirs without recurrence",
    "chip": "reservoirs on chips of formed cells",
    "raw": "**counts of the raw inputs**",
    "untrained": "**untrained projections**",
    "shuffled": "**shuffled pairs**",
}
PUBLISHED = {
    "LSM, software": ("66.1", "88.0"), "LSM, chip": ("67.42", "87.5"),
    "SRNN, contrastive": ("82.28", "74.0"), "SRNN, prototypes": ("50 to 60", "76 to 83"),
}  # fmt: skip
GALLERIES = ("seen", "unseen", "seen_of_all", "unseen_of_all")


def percents(rows: Sequence[Numbers], right: str, total: str = "n_test") -> list[float]:
    """Right answers of a hundred, by seed."""
    return [100 * known(row[right]) / known(row[total]) for row in rows]


def said(values: Sequence[float], digits: int = 1) -> str:
    """Mean and standard deviation."""
    mean, sd = mean_sd(values)
    return f"{mean:.{digits}f} ± {sd:.{digits}f}" if len(values) > 1 else f"{mean:.{digits}f}"


def banded(values: Sequence[float]) -> str:
    """Mean, and between which nine of ten lie."""
    low, high = np.percentile(values, (5, 95))
    return f"{np.mean(values):.1f} [{low:.1f}, {high:.1f}]"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    rows = [head, ["-"] * len(head), *lines]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows).replace("| - ", "|-")


def supervised(found: Found) -> str:
    """Every arm on both tasks."""
    head = ["test accuracy, %"]
    for task in TASKS.values():
        head += [task.said, "rate", "paper"]
    lines = []
    for arm, name in SAID.items():
        part = "supervised" if of_seeds(found, "supervised", "nmnist", arm) else "baselines"
        cells = [name]
        for i, task in enumerate(TASKS):
            rows = of_seeds(found, part, task, arm)
            paper = f"{PAPER[arm][i]:.2f}" if arm in PAPER else ""
            if not rows:
                cells += ["", "", paper]
                continue
            rate = f"{mean_of(rows, 'rate'):.3f}" if "rate" in rows[0] else ""
            cells += [f"{said(percents(rows, 'test_correct'))} ({len(rows)})", rate, paper]
        lines.append(cells)
    return table(head, lines)


def amounts(found: Found) -> str:
    """Accuracy against the number of training recordings, and with speakers that were heard."""
    head = ["test, %, of so many training recordings", *(f"1/{1 / v:g}" for v in SHARES), "all"]
    lines = []
    for task, spec in TASKS.items():
        for arm in ("lsm", "raw"):
            parts = [swept(found, "data", task, arm, "share", v) for v in SHARES]
            parts.append(of_seeds(found, "supervised", task, arm))
            lines.append([f"{spec.said}: {SAID[arm]}",
                          *(said(percents(r, "test_correct")) for r in parts)])  # fmt: skip
    for arm in ("lsm", "raw"):
        rows = of_seeds(found, "supervised", HEARD, arm)
        lines.append([f"spoken digits, every speaker in both parts: {SAID[arm]}", "", "", "",
                      said(percents(rows, "test_correct"))])  # fmt: skip
    return table(head, lines)


def chips(found: Found) -> str:
    """Software and silicon, of the same cells."""
    head = ["test accuracy, %, mean [5 %, 95 %] of 30 chips", *(t.said for t in TASKS.values())]
    rows = {task: of_seeds(found, "chips", task, "formed") for task in TASKS}
    some = {task: [r for r in rows[task] if "corrected_correct" in r] for task in TASKS}
    arms = {
        "software_correct": "the cells' weights in software",
        "chip_correct": "on the chip, a head of its own counts",
    }
    lines = [[name, *(banded(percents(rows[t], right)) for t in TASKS)]
             for right, name in arms.items()]  # fmt: skip
    lost = []
    for task in TASKS:
        a, b = (percents(rows[task], f"{n}_correct") for n in ("software", "chip"))
        gaps = [y - x for x, y in zip(a, b, strict=True)]
        mean, sd = mean_sd(gaps)
        lost.append(f"{mean:+.2f} ± {2 * sd / len(gaps) ** 0.5:.2f}")
    lines.append(["chip − software, points, ± twice its standard error", *lost])
    paper = [f"{t.paper_software:.2f} / {t.paper_chip:.2f}" for t in TASKS.values()]
    lines.append(["paper, software / chip", *paper])
    for name, label in (
        ("software_rate", "spikes per neuron and step, in software"),
        ("rate", "on the chip"),
        ("far_over_near", "current left of an input row, over a feedback row's"),
    ):
        lines.append([label, *(f"{mean_of(rows[t], name):.3f}" for t in TASKS)])  # fmt: skip
    for right, name in (
        ("software_correct", "5 of the chips: in software"),
        ("chip_correct", "as they are"),
        ("corrected_correct", "every sum corrected, a head of its own counts"),
        ("carried_correct", "every sum corrected, the head of the software"),
    ):
        lines.append([name, *(said(percents(some[t], right)) for t in TASKS)])
    return table(head, lines)


def noise(found: Found) -> str:
    """Accuracy against noise of reading."""
    head = ["noise of one read, of the spread of weights", *(f"{100 * v:g} %" for v in NOISES)]
    lines = []
    for name, task in TASKS.items():
        rows = of_seeds(found, "chips", name, "formed")
        cells = [banded(percents(rows, f"noise_{v:g}_correct")) for v in NOISES]
        lines.append([task.said, *cells])
    return table(head, lines)


def swept(found: Found, part: str, task: str, arm: str, name: str, value: float) -> list[Numbers]:
    """Numbers of all seeds at one value of a sweep."""
    wanted = (part, task, arm, name, f"{value:g}")
    rows = [(int(k[5]), n) for k, n in found.items() if k[:5] == wanted]
    return [numbers for _, numbers in sorted(rows, key=lambda row: row[0])]


def scale(found: Found) -> str:
    """Firing rates and accuracies of the sweep of the weights' scale."""
    lines = []
    for name, task in TASKS.items():
        every = [swept(found, "scale", name, "lsm", "scale", v) for v in SCALES]
        lines.append([f"{task.said}: weight per µS", *(f"{task.scale * v:.3g}" for v in SCALES)])
        lines.append(["spikes per neuron and step", *(f"{mean_of(r, 'rate'):.4f}" for r in every)])
        lines.append(["test, %", *(said(percents(r, "test_correct")) for r in every)])
    return table(["scale, times the paper's", *(f"{v:g}" for v in SCALES)], lines)


def as_is(found: Found, task: str) -> list[Numbers]:
    """The chip as it is: the 30 chips' first seeds, as many as sweeps have."""
    return of_seeds(found, "chips", task, "formed")[:3]


AS_IS = {"volt": 3.432, "spread": 1.0, "size": 200.0, "array": 512.0}
LABELS = {
    "volt": "forming voltage, V", "spread": "spread of formed cells, times the measured",
    "size": "neurons", "array": "side of an array, cells",
}  # fmt: skip


def points(found: Found, task: str, name: str) -> list[tuple[float, list[Numbers]]]:
    """A sweep in order, the chip as it is among it."""
    out = [(v, swept(found, "sweep", task, "formed", name, v)) for v in SWEEPS[name]]
    return sorted([*out, (AS_IS[name], as_is(found, task))], key=lambda pair: pair[0])


def sweeps(found: Found) -> str:
    """Accuracy, rate, energy and area of every sweep on the chip."""
    head = ["", "value", "pristine cells", "test, %", "spikes per neuron and step",
            "nJ an inference", "arrays", "mm²", "MACs of training"]  # fmt: skip
    texts = []
    for task, spec in TASKS.items():
        lines = []
        for name in SWEEPS:
            for value, rows in points(found, task, name):
                if not rows:
                    continue
                there = "pristine" in rows[0]
                size = int(value) if name == "size" else N_NEURONS
                lines.append([
                    LABELS[name], f"{value:g}",
                    f"{100 * mean_of(rows, 'pristine'):.0f} %" if there else "50 %",
                    said(percents(rows, "chip_correct")), f"{mean_of(rows, 'rate'):.3f}",
                    f"{1e9 * mean_of(rows, 'energy_j'):.0f}", f"{mean_of(rows, 'arrays'):.0f}",
                    f"{1e6 * mean_of(rows, 'area_m2'):.2f}",
                    f"{reservoir_training(found, task, size).head:.3g}",
                ])  # fmt: skip
        texts.append(f"{spec.said}, 3 chips each:\n\n{table(head, lines)}")
    return "\n\n".join(texts)


def zero(found: Found, task: str) -> str:
    """Retrieval after the last epoch, in all galleries; the range over epochs as a warning."""
    head = ["right answers, %", "seen (14 %)", "unseen (50 %)", "seen of all (11 %)",
            "unseen of all (11 %)", "back: seen", "back: unseen",
            "unseen over epochs, least and most"]  # fmt: skip
    lines = []
    for arm, name in ZERO.items():
        rows = of_seeds(found, "zero", task, arm) if arm in ARMS[task] else []
        if rows:
            lines.append([name, *_scores(rows, "a_to_b", "b_to_a"),
                          _range(rows, "a_to_b_unseen_least", "a_to_b_unseen_most")])  # fmt: skip
    trained = {"srnn": "contrastive", "prototypes": "prototypes"} if task == "audio-vision" else {}
    for arm, name in trained.items():
        rows = of_seeds(found, "baselines-zero", "atv", arm)
        lines.append([f"trained SRNNs, {name} ({len(rows)} seeds)",
                      *_scores(rows, "a_to_v", "v_to_a"),
                      _range(rows, "a_to_v_unseen_min", "a_to_v_unseen_max")])  # fmt: skip
    if task == "audio-vision":
        lines += [[f"paper, best checkpoint: {n}", *two, *[""] * 5] for n, two in PUBLISHED.items()]
    return table(head, lines)


def _scores(rows: Sequence[Numbers], there: str, back: str) -> list[str]:
    wanted = [(there, g) for g in GALLERIES] + [(back, g) for g in ("seen", "unseen")]
    return [said(percents(rows, f"{way}_{g}_correct", f"{way}_{g}_queries")) for way, g in wanted]


def _range(rows: Sequence[Numbers], least: str, most: str) -> str:
    if least not in rows[0]:
        return ""
    low, high = (100 * f(known(r[n]) for r in rows) for f, n in ((min, least), (max, most)))
    return f"{low:.0f} to {high:.0f}"


def training(found: Found) -> str:
    """Multiply-accumulates of training, and their ratio."""
    head = ["training", "epochs", "encoder, once or in every epoch", "head",
            "all, of the reservoir's head", "an epoch, of an epoch of it",
            "all, the reservoir's one pass counted"]  # fmt: skip
    lines = []
    for task, spec in TASKS.items():
        every = trainings(found, task)
        lines += [_training(f"{spec.said}: {SAID[arm]}", one, every["lsm"])
                  for arm, one in every.items()]  # fmt: skip
    names = {"lsm": "projections on two reservoirs", "srnn": "two SRNNs, contrastive",
             "prototypes": "two SRNNs, prototypes"}  # fmt: skip
    pair = trainings_zero(found)
    lines += [_training(f"audio and vision: {names[arm]}", one, pair["lsm"])
              for arm, one in pair.items()]  # fmt: skip
    lines.append([f"paper, by a definition of its own: {PAPER_TRAINING}", *[""] * 6])
    return table(head, lines)


def _training(name: str, one: Training, lsm: Training) -> list[str]:
    total, head = one.macs.total, lsm.macs.head
    an_epoch = total / one.epochs / (head / lsm.epochs)
    first = one is lsm
    return [name, f"{one.epochs}", f"{one.macs.encoder:.3g}", f"{one.macs.head:.3g}",
            "1" if first else f"{total / head:,.0f}", "1" if first else f"{an_epoch:,.0f}",
            f"{total / lsm.macs.total:,.1f}"]  # fmt: skip


def energy(found: Found) -> str:
    """An inference of the reservoir on the crossbar and on digital hardware, by component."""
    head = ["an inference of the encoder", "nJ [10 %, 90 %]", "times the RRAM's [10 %, 90 %]",
            "by component, nJ"]  # fmt: skip
    texts = []
    for task, spec in TASKS.items():
        every = energies(found, task)
        lines = []
        for one in every:
            ratio, low, high = one.ratio(every[0])
            parts = ", ".join(f"{name} {1e9 * j:.3g}" for name, j in one.parts.items())
            times = f"{ratio:,.1f} [{low:,.1f}, {high:,.1f}]" if one is not every[0] else "1"
            lines.append([one.said, f"{1e9 * one.value:,.0f} [{1e9 * one.p10:,.0f}, "
                          f"{1e9 * one.p90:,.0f}]", times, parts])  # fmt: skip
        lines.append(
            [f"paper, beside hardware that its abstract does not name: {PAPER_ENERGY}", "", "", ""]
        )
        texts.append(f"{spec.said}:\n\n{table(head, lines)}")
    return "\n\n".join(texts)


def tables(found: Found) -> dict[str, str]:
    """All tables by name."""
    parts = {
        "Supervised": supervised, "Recordings": amounts, "Chips": chips, "Noise": noise,
        "Scale": scale, "Sweeps": sweeps, "Training": training, "Energy": energy,
    }  # fmt: skip
    out = {f"Zero-shot, {task}": zero(found, task) for task in RECIPES}
    return out | {name: text(found) for name, text in parts.items()}


def summary(found: Found) -> str:
    """All tables, under their names."""
    return "\n\n".join(f"## {name}\n\n{text}" for name, text in tables(found).items())
