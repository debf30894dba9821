"""Reservoirs under a linear head, in software and on chips; controls; sweeps."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from experiments.lsm.rows import Case, Numbers
from experiments.lsm.silicon import (
    OnChip,
    cells,
    corrected,
    cost,
    crossbars,
    far_over_near,
    made,
    on_cores,
    run,
    with_noise,
)
from experiments.lsm.tasks import (
    EVERY,
    HEARD,
    N_CLASSES,
    N_NEURONS,
    PAPER_PROBE,
    PROBE,
    TASKS,
    Data,
    Task,
    data_of,
    in_fit,
)
from hwsim.arrays import BoolArray, IntArray
from neuro.models.heads import LinearProbe
from neuro.models.lsm import LSM, Reservoir
from neuro.training.heads import ProbeSpec, fit_probe

SEEDS, SWEEP_SEEDS, N_CHIPS = range(5), range(3), 30
ARMS = (
    "lsm", "formed", "no-recurrence", "raw", "paper-head", "lsm-chosen", "raw-chosen", "loihi1",
    "loihi2",
)  # fmt: skip
CHOICES = tuple(  # of heads, each arm by itself, on recordings held back from training
    PROBE.model_copy(update={"lr": lr, "scale": scale})
    for scale in ("raw", "standard")
    for lr in (1e-3, 5e-3, 2e-2)
)
# the chip as it is, 3.432 V, spread 1, 200 neurons, arrays of 512 x 512, is among the 30 chips
SWEEPS: dict[str, tuple[float, ...]] = {
    "volt": (3.25, 3.3, 3.35, 3.5, 3.55, 3.6),
    "spread": (0.01, 2.0, 4.0),  # times the measured
    "size": (50, 100, 400),
    "array": (64, 128, 256),
}
SHARES = (0.125, 0.25, 0.5)  # of the training recordings
SCALES = (0.1, 0.4, 0.7, 1.0, 1.4, 2.0, 4.0)  # times the paper's
NOISES = (0.0, 0.02, 0.05, 0.1)  # of one read of a weight, of the spread of weights


def cases() -> list[Case]:
    """Everything of this file."""
    out = [Case("supervised", t, arm, seed=s) for t in TASKS for arm in ARMS for s in SEEDS]
    out += [Case("supervised", HEARD, arm, seed=s) for arm in ("lsm", "raw") for s in SEEDS]
    out += [
        Case("data", t, arm, "share", v, s)
        for t in TASKS
        for arm in ("lsm", "raw")
        for v in SHARES
        for s in SEEDS
    ]
    out += [
        Case("scale", t, "lsm", "scale", v, s) for t in TASKS for v in SCALES for s in SWEEP_SEEDS
    ]
    out += [Case("chips", t, "formed", seed=s) for t in TASKS for s in range(N_CHIPS)]
    for name, values in SWEEPS.items():
        out += [
            Case("sweep", t, "formed", name, float(v), s)
            for t in TASKS
            for v in values
            for s in SWEEP_SEEDS
        ]
    return out


def measure(case: Case) -> Numbers:
    """The numbers of a case."""
    task, data = EVERY[case.task], data_of(case.task)
    how: dict[str, Callable[[Case, Task, Data], Numbers]] = {
        "supervised": _supervised, "data": _supervised, "chips": _chip, "scale": _scale,
        "sweep": _sweep,
    }  # fmt: skip
    return how[case.part](case, task, data)


def _supervised(case: Case, task: Task, data: Data) -> Numbers:
    if case.part == "data":
        data = data.part(case.value)
    if case.arm.startswith("raw"):
        counts, test = raw_counts(data)
        spec = PROBE if case.arm == "raw" else chosen(counts, data, in_fit(case.task), case.seed)
        return learned(counts, test, data, task, spec, case.seed)
    reservoir = task.formed(case.seed) if case.arm == "formed" else task.reservoir(case.seed)
    if case.arm.startswith("loihi"):
        found = on_cores(reservoir, data, case.arm)
        return learned(found.counts, found.test_counts, data, task, PROBE, case.seed) | cost(found)
    if case.arm == "no-recurrence":
        reservoir = reservoir.without_recurrence()
    counts, test = in_software(reservoir, data)
    spec = PAPER_PROBE if case.arm == "paper-head" else PROBE
    if case.arm == "lsm-chosen":
        spec = chosen(counts, data, in_fit(case.task), case.seed)
    return learned(counts, test, data, task, spec, case.seed)


def _scale(case: Case, task: Task, data: Data) -> Numbers:
    counts, test = in_software(task.reservoir(case.seed).scaled(case.value), data)
    return learned(counts, test, data, task, PROBE, case.seed)


def _chip(case: Case, task: Task, data: Data) -> Numbers:
    """One chip: its weights in software and on silicon, heads of both, noise, and its bill."""
    reservoir = task.formed(case.seed)
    counts, test = in_software(reservoir, data)
    head = probe(counts, data, PROBE, case.seed)
    chip = made(reservoir, data.frames, case.seed, chip=crossbars(), device=cells())
    found = run(chip, data)
    numbers: Numbers = {
        "software_correct": n_correct(head, test, data.test_labels),
        "chip_correct": judged(found, data, case.seed),
        "n_test": len(test),
        "software_rate": float(test.mean() / task.binning.n_steps),
        "rate": float(found.test_counts.mean() / task.binning.n_steps),
    }
    for noise in NOISES:
        noisy = run(with_noise(chip, noise), data)
        numbers[f"noise_{noise:g}_correct"] = judged(noisy, data, case.seed)
    if case.seed in SEEDS:
        raised = run(corrected(chip, data.frames), data)
        numbers |= {
            "corrected_correct": judged(raised, data, case.seed),
            "corrected_rate": float(raised.test_counts.mean() / task.binning.n_steps),
            "carried_correct": n_correct(head, raised.test_counts, data.test_labels),
        }
    return numbers | {"far_over_near": far_over_near(chip)} | cost(found, crossbars())


def _sweep(case: Case, task: Task, data: Data) -> Numbers:
    volt = case.value if case.parameter == "volt" else None
    size = int(case.value) if case.parameter == "size" else N_NEURONS
    device = cells(spread=case.value) if case.parameter == "spread" else cells()
    side = int(case.value) if case.parameter == "array" else 512
    chip = crossbars(side, side)
    reservoir = task.formed(case.seed, size, volt, device)
    assert reservoir.pairs is not None
    found = run(made(reservoir, data.frames, case.seed, chip=chip, device=device), data)
    numbers: Numbers = {
        "chip_correct": judged(found, data, case.seed),
        "n_test": len(data.test_labels),
        "rate": float(found.test_counts.mean() / task.binning.n_steps),
        "pristine": float(np.mean([pairs.pristine for pairs in reservoir.pairs])),
    }
    return numbers | cost(found, chip)


def judged(found: OnChip, data: Data, seed: int) -> int:
    """Right answers of a head trained on a chip's own counts."""
    return n_correct(probe(found.counts, data, PROBE, seed), found.test_counts, data.test_labels)


def chosen(counts: IntArray, data: Data, fit: BoolArray, seed: int) -> ProbeSpec:
    """The head that is best on training recordings held back from it; of equal ones the first."""
    part = replace(data, labels=data.labels[fit])
    held, labels = counts[~fit], data.labels[~fit]
    right = [n_correct(probe(counts[fit], part, spec, seed), held, labels) for spec in CHOICES]
    return CHOICES[int(np.argmax(right))]


def raw_counts(data: Data) -> tuple[IntArray, IntArray]:
    """The control: spikes of every input."""
    parts = (data.frames, data.test_frames)
    train, test = (x.sum(1, dtype=np.int64).reshape(len(x), -1) for x in parts)
    return train, test


def in_software(reservoir: Reservoir, data: Data) -> tuple[IntArray, IntArray]:
    """Counts of the training and the test part, in float64."""
    lsm = LSM(reservoir, tuple(data.frames.shape[2:]))
    return lsm.counts(data.frames), lsm.counts(data.test_frames)


def probe(counts: IntArray, data: Data, spec: ProbeSpec, seed: int) -> LinearProbe:
    """A head trained on counts."""
    return fit_probe(counts, data.labels, N_CLASSES, spec, seed).head


def n_correct(head: LinearProbe, counts: IntArray, labels: IntArray) -> int:
    """Right answers."""
    with torch.no_grad():
        answers = head(torch.from_numpy(counts).float()).argmax(1).numpy()
    return int((answers == labels).sum())


def learned(
    counts: IntArray, test: IntArray, data: Data, task: Task, spec: ProbeSpec, seed: int
) -> Numbers:
    """Right answers of a head trained on counts, on both parts."""
    head = probe(counts, data, spec, seed)
    return {
        "train_correct": n_correct(head, counts, data.labels),
        "n_train": len(counts),
        "test_correct": n_correct(head, test, data.test_labels),
        "n_test": len(test),
        "rate": float(test.mean() / task.binning.n_steps),
    }
