"""One case, from its first epoch to the chip. The test split is looked at here, at the end."""

import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

import hwsim
from experiments.delays.cases import SPLITS, Case, n_parameters
from hwsim.arrays import AnyArray, IntArray
from neuro.deploy import parity
from neuro.models.stack import Stack
from neuro.recipe import DataSpec
from neuro.runs import RunFolder, run_for
from neuro.spiking import Delay
from neuro.spiking.delay import SIGMA_END
from neuro.training.samples import Samples, load_split
from neuro.training.train import answers, fresh_stack, load_splits, load_stacks, train

PACKAGES = ("neuro-hwsim", "torch", "numpy", "numba", "lightning")
COLUMNS = (
    "split", "arm", "seed", "hash", "hidden1", "hidden2", "parameters", "synapses", "epoch",
    "qat_epoch", "hold", "n_hold", "soft_test", "float_test", "hwsim_float_test", "qat_test",
    "chip_test", "n_test", "float_spikes", "float_different", "chip_spikes", "chip_different",
    "moved_steps", "chip_wrong", "cpu_s", *PACKAGES,
)  # fmt: skip
Moves = list[dict[str, object]]


def row_of(case: Case, runs: Path) -> tuple[dict[str, object], Moves]:
    """A row of the results, and how many synapses have which delay.

    Accuracies are numbers of right answers: `float_test` of torch at whole delays, `soft_test` with
    the bumps of the end of training, `hwsim_float_test` of the exported network, `qat_test` of
    torch's integers, `chip_test` of the compiled network. `*_different` are spikes that differ
    between torch and the simulator, over all test samples. `chip_wrong`: places in the test split.

    Args:
        case: what. runs: folder of run folders; an unfinished run is taken up again.
    """
    started = time.process_time()
    recipe = case.recipe()
    run = run_for(recipe, runs)
    result = train(run, Console(quiet=True))
    splits = load_splits(run, None)
    test = splits.test
    fresh = fresh_stack(run, splits)
    stack, qstack = load_stacks(run, splits)
    exact = hwsim.simulate(hwsim.load_network(run.real_network), test.frames, record="spikes")
    plan = hwsim.compile(hwsim.load_network(run.chip_network), hwsim.load_chip(recipe.qat.chip))
    chip = hwsim.simulate(plan, test.frames, record="spikes")
    in_integers = parity(qstack, test.frames, chip)
    soft = right(with_bumps(stack), test) if has_learned(case) else ""
    in_floats = parity(load_stacks(run, splits)[0].double(), test.frames, exact)
    first, second = (layer.size for layer in recipe.model.layers[:2])
    wrong = np.flatnonzero(chip.output.argmax(1) != test.labels)
    moves = moved(case, fresh, stack) if has_learned(case) else []
    return {
        "split": case.split, "arm": case.arm, "seed": case.seed, "hash": recipe.digest(),
        "hidden1": first, "hidden2": second, "parameters": n_parameters(recipe),
        "synapses": sum(block.synapses.weight.numel() for block in stack.blocks.values()),
        "epoch": result["float"]["best_epoch"], "qat_epoch": result["quantised"]["best_epoch"],
        "hold": result["float"]["hold"]["n_correct"], "n_hold": len(splits.hold),
        "soft_test": soft, "float_test": result["float"]["test"]["n_correct"],
        "hwsim_float_test": int((exact.output.argmax(1) == test.labels).sum()),
        "qat_test": result["quantised"]["test"]["n_correct"],
        "chip_test": len(test) - len(wrong), "n_test": len(test),
        "float_spikes": in_floats.n_spikes, "float_different": in_floats.n_different,
        "chip_spikes": in_integers.n_spikes, "chip_different": in_integers.n_different,
        "moved_steps": f"{mean_move(fresh, stack):.2f}" if has_learned(case) else "",
        "chip_wrong": " ".join(map(str, wrong)), "cpu_s": f"{time.process_time() - started:.0f}",
    } | {name: version(name) for name in PACKAGES}, moves  # fmt: skip


def has_learned(case: Case) -> bool:
    """Whether delays were learned."""
    return case.arm == "learned"


def delays_of(stack: Stack) -> dict[str, Delay]:
    """The layers of delays, by name."""
    every = {name: block.synapses for name, block in stack.blocks.items()}
    return {name: layer for name, layer in every.items() if isinstance(layer, Delay)}


def with_bumps(stack: Stack) -> Stack:
    """The same stack, evaluated with bumps of the width at which training ends. Changes it."""
    for layer in delays_of(stack).values():
        layer.round_in_eval = False
        layer.sigma.data.fill_(SIGMA_END)
    return stack


def right(stack: Stack, samples: Samples) -> int:
    """Right answers."""
    return int((answers(stack, samples.frames).argmax(1) == samples.labels).sum())


def mean_move(before: Stack, after: Stack) -> float:
    """Steps that a delay moved in training, on average."""
    pairs = zip(delays_of(before).values(), delays_of(after).values(), strict=True)
    by = [(a.position - b.position).detach().abs().flatten() for a, b in pairs]
    return float(torch.cat(by).mean())


def moved(case: Case, before: Stack, after: Stack) -> Moves:
    """Synapses of every layer by delay, before training and after."""
    rows: Moves = []
    for name, old in delays_of(before).items():
        new = delays_of(after)[name]
        counts: list[IntArray] = [
            np.bincount(layer.delays().ravel(), minlength=layer.n_taps) for layer in (old, new)
        ]
        for delay, (n_before, n_after) in enumerate(zip(*counts, strict=True)):
            rows.append({"split": case.split, "seed": case.seed, "layer": name, "delay": delay,
                         "before": n_before, "after": n_after})  # fmt: skip
    return rows


def of_counts(split: str) -> dict[str, object]:
    """A row of the control without time: logistic regression on the spikes of each channel."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    data: DataSpec = Case(split, "learned", 0).recipe().data
    fit, hold, test = (load_split(data, SPLITS[split][part]) for part in ("fit", "hold", "test"))

    def counts(samples: Samples) -> AnyArray:
        return samples.frames.sum(1, dtype=np.int64)

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    model.fit(counts(fit), fit.labels)
    found = {s: int((model.predict(counts(x)) == x.labels).sum())
             for s, x in (("hold", hold), ("float_test", test))}  # fmt: skip
    given = {"split": split, "arm": "counts", "seed": "", "n_hold": len(hold), "n_test": len(test)}
    return dict.fromkeys(COLUMNS, "") | given | found | {n: version(n) for n in PACKAGES}


def save_networks(run: RunFolder, folder: Path) -> None:
    """Keep a run's networks, in floats and in the chip's integers."""
    hwsim.save_network(hwsim.load_network(run.real_network), folder / "float.h5")
    hwsim.save_network(hwsim.load_network(run.chip_network), folder / "chip.h5")
