"""Accuracy against the spread of cells: `python experiments/spread.py RUN > spread.csv`.

Both networks of a run with a `[noise]` section, on its test split, over 30 chips: mean and the 5th
and 95th percentile of the chips; for cells that may go below zero conductance, and for cells that
stop there (`floor`).
"""

import csv
import itertools
import sys

import numpy as np

from hwsim import load_network
from neuro.runs import open_run
from neuro.training.noise import accuracy_under_spread
from neuro.training.train import N_CHIPS, load_splits

SPREADS = (0.0, 0.05, 0.1, 0.15, 0.2)
COLUMNS = ("seed", "hash", "trained", "floor", "spread", "n_chips", "n_test", "mean", "p5", "p95")


def main(path: str) -> None:
    """Write a row per network, floor and spread."""
    run = open_run(path)
    if not run.noise_network.is_file():
        raise SystemExit(f"{run.path} was not trained with noise: give a run of `rram-nmnist`")
    test, seed = load_splits(run, None).test, run.recipe.seed
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    files = (("plain", run.real_network), ("with noise", run.noise_network))
    for (trained, file), floor, spread in itertools.product(files, (False, True), SPREADS):
        n_chips = N_CHIPS if spread else 1  # without spread all chips are one
        net = load_network(file)
        found = accuracy_under_spread(net, test, spread, n_chips, seed, floor=floor)
        ends = (found.mean(), *np.quantile(found, (0.05, 0.95)))
        fixed = (seed, run.recipe.digest(), trained, int(floor), spread, n_chips, len(test))
        writer.writerow((*fixed, *(f"{value:.4f}" for value in ends)))


if __name__ == "__main__":
    main(*sys.argv[1:2])
