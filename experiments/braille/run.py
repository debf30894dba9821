"""Train in snnTorch, export to NIR, read here, run on a chip: `python -m experiments.braille.run`.

Writes a row per seed to results.csv beside this file, of seed 0 also what snnTorch exported
(seed0.nir) and answered (seed0.npz), and prints the table that README.md shows. `--seeds 0 1`
names seeds; their rows replace the old ones.
"""

import argparse
import csv
import io
import statistics
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

import hwsim
from experiments.braille.network import (
    EPOCHS,
    build,
    correct,
    data,
    export,
    layers,
    on_chip,
    read,
    samples,
    spikes_of,
    train,
)
from hwsim.atomic import atomic_path, write_text

HERE = Path(__file__).parent
RESULTS, GRAPH, RECORD = HERE / "results.csv", HERE / "seed0.nir", HERE / "seed0.npz"
COLUMNS = (
    "seed", "epoch", "hold", "n_hold", "snntorch_test", "float_test", "chip_test", "n_test",
    "hidden_spikes", "hidden_different", "output_spikes", "output_different",
    "untrained_test", "without_recurrence_test", "counts_test",
    "neuro-hwsim", "snntorch", "nir", "nirtorch", "torch",
)  # fmt: skip
N_CALIBRATION = 100  # training samples


def trained(seed: int, bar: Progress, *, recurrent: bool) -> tuple[torch.nn.Sequential, int]:
    """A network and the epoch that was kept."""
    net = build(seed, recurrent=recurrent)
    name = f"seed {seed}, {'recurrent' if recurrent else 'without recurrence'}"
    task = bar.add_task(name, total=EPOCHS)

    def advance(epoch: int, found: int) -> None:
        bar.update(task, completed=epoch + 1, description=f"{name}, held back: {found} right")

    return net, train(net, seed, advance)


def row_of(seed: int, bar: Progress) -> dict[str, object]:
    """One seed from its first epoch to the chip. The test samples are looked at here alone."""
    net, epoch = trained(seed, bar, recurrent=True)
    control, _ = trained(seed, bar, recurrent=False)
    hold, test = data("hold"), data("test")
    with tempfile.TemporaryDirectory() as folder:
        graph = GRAPH if seed == 0 else Path(folder) / "net.nir"
        export(net, seed, graph)
        ours = read(graph)
    hidden, out = spikes_of(net, test[0])
    if seed == 0:
        with atomic_path(RECORD) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, hidden=hidden.sum((1, 2)), output=out.sum(1))
    run = hwsim.simulate(ours, samples(test[0]), record="spikes")
    found = [run.spikes[name] > 0 for name in layers(ours)]
    plan = on_chip(ours, samples(data("fit")[0][:N_CALIBRATION]))
    chip = hwsim.simulate(plan, samples(test[0]))
    labels = test[1].numpy()
    return {
        "seed": seed,
        "epoch": epoch,
        "hold": correct(net, *hold),
        "n_hold": len(hold[1]),
        "snntorch_test": correct(net, *test),
        "float_test": int((run.output.argmax(1) == labels).sum()),
        "chip_test": int((chip.output.argmax(1) == labels).sum()),
        "n_test": len(labels),
        "hidden_spikes": int(hidden.sum()),
        "hidden_different": int((found[0] != hidden).sum()),
        "output_spikes": int(out.sum()),
        "output_different": int((found[1] != out).sum()),
        "untrained_test": correct(build(seed), *test),
        "without_recurrence_test": correct(control, *test),
        "counts_test": of_counts(),
    } | {name: version(name) for name in COLUMNS[-5:]}


def of_counts() -> int:
    """Right answers of logistic regression on each taxel's events, the control without time."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (x, y), (x_test, y_test) = data("train"), data("test")
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(x.sum(1).numpy(), y.numpy())
    return int((model.predict(x_test.sum(1).numpy()) == y_test.numpy()).sum())


def summary(rows: list[dict[str, str]]) -> str:
    """Accuracy by seed, and mean and standard deviation, as a table."""
    said = {
        "snnTorch, test": "snntorch_test",
        "the file, read here, test": "float_test",
        "on chip (Loihi 2 integers), test": "chip_test",
        "control: untrained": "untrained_test",
        "control: without recurrence": "without_recurrence_test",
        "control: logistic regression on counts": "counts_test",
    }
    lines = ["| |" + "".join(f" seed {r['seed']} |" for r in rows) + " mean ± sd |"]
    lines.append("|-" * (len(rows) + 2) + "|")
    for name, column in said.items():
        each = [100 * int(r[column]) / int(r["n_test"]) for r in rows]
        spread = statistics.stdev(each) if len(each) > 1 else 0.0
        cells = [f"{a:.1f} %" for a in each] + [f"{statistics.mean(each):.1f} ± {spread:.1f} %"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for layer in ("hidden", "output"):
        cells = [f"{r[layer + '_different']} of {int(r[layer + '_spikes']):,}" for r in rows]
        lines.append(f"| {layer} spikes that differ from snnTorch's | {' | '.join(cells)} | |")
    return "\n".join(lines)


def main() -> None:
    """Run, keep, summarise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    torch.set_num_threads(1)
    kept: list[dict[str, str]] = []
    if RESULTS.exists():
        kept = list(csv.DictReader(io.StringIO(RESULTS.read_text(encoding="utf-8"))))
    with Progress(console=Console(stderr=True)) as bar:
        for seed in parser.parse_args().seeds:
            row = {k: str(v) for k, v in row_of(seed, bar).items()}
            kept = sorted([r for r in kept if r["seed"] != row["seed"]] + [row],
                          key=lambda r: int(r["seed"]))  # fmt: skip
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
            write_text(RESULTS, text.getvalue())
    print(summary(kept))


if __name__ == "__main__":
    main()
