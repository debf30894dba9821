"""Carry a trained run onto a chip: compile, simulate its test set, check exactness, price."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hwsim
from hwsim.arrays import AnyArray
from hwsim.atomic import atomic_path
from hwsim.counts import Counts, Critical
from hwsim.delay_classes import Merged
from hwsim.neurobench import NeuroBench, membrane_updates, neurobench
from hwsim.quantization import Verdict
from neuro.mapping import chip_digest, make_map, mean_spikes, profile_samples, stored_map
from neuro.models.stack import Stack
from neuro.runs import RunFolder, read_json, versions, write_json
from neuro.training.delay_classes import set_delays
from neuro.training.train import load_splits, load_stacks

TRACE_BYTES = 128 * 2**20  # of recorded membrane potentials at a time
FILES = ("counts.npz", "spikes.npz", "raster.npz")


@dataclass(frozen=True, slots=True)
class Parity:
    """Spikes of the torch integer model against the simulator's."""

    n_samples: int
    n_spikes: int
    n_different: int
    n_answers_different: int


def deploy(
    run: RunFolder,
    chip: hwsim.ChipSpec,
    *,
    mapper: str = "optimised",
    seed: int = 0,
    given: str | None = None,
    max_delay: int | None = None,
    delay_classes: int | None = None,
    root: str | None = None,
    on_samples: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Simulate a run's test set on a chip; writes and returns `deploy.json`.

    The map is made from samples held back in training, never from the test set.

    Args:
        mapper: see `hwsim.MAPPERS`. seed: of its random numbers.
        max_delay, delay_classes: a range and classes that delays are brought into first; see
            `hwsim.quantize_delays`.
        given: how the chip was named, if not by its own name: the path of its file.

    Raises:
        DoesNotFit: if the network exceeds the chip.
    """
    from hwsim.report.delays import delay_json
    from hwsim.report.layers import build_layers

    limits = {"max_delay": max_delay, "n_classes": delay_classes}
    net, merged = _within(run, limits)
    profiled = profile_samples(run, root=root)
    plan = make_map(net, chip, profiled, mapper, seed)
    splits = load_splits(run, root)
    test = splits.test
    done = hwsim.simulate(plan, test.frames, record=("spikes",), on_samples=on_samples)
    assert done.counts is not None
    bill = hwsim.price(done.counts, chip)
    guess = done.output.argmax(1)
    _, qstack = load_stacks(run, splits)
    set_delays(qstack, net)
    folder = run.deployment(chip.name)
    save_arrays(folder / "counts.npz", counts_as_arrays(done.counts))
    save_arrays(folder / "spikes.npz", mean_spikes(done))
    shown, spikes = _raster(net, done, test.labels)
    save_arrays(folder / "raster.npz", spikes)
    content = {
        "run": run.path.name,
        "chip": chip.name,
        "chip_given": given or chip.name,
        "chip_digest": chip_digest(chip),
        "map": stored_map(plan, profiled, mapper, seed),
        "files": {name: file_digest(folder / name) for name in FILES},
        "n_correct": int((guess == test.labels).sum()),
        "n_total": len(test),
        "confusion": _confusion(test.labels, guess, len(test.class_names)),
        "raster": shown,
        "parity": asdict(parity(qstack, test.frames, done)),
        "verdicts": [asdict(v) for v in verdicts(run, net)],
        "neurobench": asdict(measured(net, plan, done, test.frames)),
        "layers": [asdict(row) for row in build_layers(plan, done)],
        "cores": len(plan.cores),
        "delays": limits | {"merged": [asdict(m) for m in merged]},
        "delay_memory": delay_json(plan),
        "steps": test.frames.shape[1],
        "latency_steps": plan.latency_steps,
        "bill": bill.as_dict(),
        "versions": versions(),
    }
    write_json(folder / "deploy.json", content)
    return content


def _within(
    run: RunFolder, limits: dict[str, int | None]
) -> tuple[hwsim.Network, tuple[Merged, ...]]:
    """A run's integers with delays in a range and of few classes, and what that moved."""
    net, merged = hwsim.quantize_delays(hwsim.load_network(run.chip_network), **limits)
    if not merged and any(n is not None for n in limits.values()):
        raise ValueError(f"{run.path} has no delays to clip or merge: leave these options out")
    return net, merged


def _raster(
    net: hwsim.Network, done: hwsim.Run, labels: AnyArray
) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """A sample to look at, the first that was right if one was; and its spikes by layer."""
    guess = done.output.argmax(1)
    sample = int(np.argmax(guess == labels))
    shown = {
        "label": int(labels[sample]),
        "answer": int(guess[sample]),
        "output": done.output[sample].tolist(),
    }
    fired = [p.name for p in net.populations if p.name in done.spikes]
    return shown, {name: done.aligned(name)[sample] for name in fired}


def _confusion(labels: AnyArray, guess: AnyArray, n_classes: int) -> list[list[int]]:
    """How many samples of each class (rows) were taken for each (columns)."""
    found = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(found, (labels, guess), 1)
    rows: list[list[int]] = found.tolist()
    return rows


def measured(net: hwsim.Network, plan: hwsim.Plan, run: hwsim.Run, frames: AnyArray) -> NeuroBench:
    """NeuroBench's metrics of a run on a chip.

    Membrane potentials are recorded in a run of their own, off chip, some samples at a time: those
    of a whole test set would not fit memory.
    """
    neurons = sum(p.size for p in net.populations if p.neuron is not None)
    size = max(1, TRACE_BYTES // (8 * frames.shape[1] * neurons))
    updates = 0.0
    for at in range(0, len(frames), size):
        some = frames[at : at + size]
        found = membrane_updates(net, hwsim.simulate(net, some, record="v"))
        assert found is not None
        updates += found * len(some)
    return replace(neurobench(plan, run), membrane_updates=updates / len(frames))


def verdicts(run: RunFolder, net: hwsim.Network) -> tuple[Verdict, ...]:
    """How each layer reached the chip: trained in its integers, it is exact by construction."""
    if not run.recipe.qat.epochs:
        reason = "rounded after training, no fine-tuning in integers"
        return tuple(
            Verdict(p.name, "approximate", reason, None) for p in net.populations if p.neuron
        )
    reason = "trained in the chip's integers: what was evaluated is what runs"
    return tuple(Verdict(p.name, "exact", reason, 0.0) for p in net.populations if p.neuron)


@torch.no_grad()
def parity(qstack: Stack, frames: AnyArray, run: hwsim.Run, *, batch_size: int = 32) -> Parity:
    """Compare every spike and every answer of the torch integers with the simulator's."""
    n_spikes = n_different = n_answers = 0
    dtype = next(qstack.parameters()).dtype
    for start in range(0, len(frames), batch_size):
        some = slice(start, start + batch_size)
        x = torch.from_numpy(np.array(frames[some] > 0)).transpose(0, 1).to(dtype)
        trace = qstack.trace(x)
        n_answers += int((trace.output.numpy() != run.output[some]).any(axis=1).sum())
        for name, spikes in trace.spikes.items():
            ours = run.aligned(name)[some]
            theirs = spikes.flatten(2).transpose(0, 1).numpy()
            n_spikes += int((ours != 0).sum())
            n_different += int(((theirs != 0) != (ours != 0)).sum())
    return Parity(len(frames), n_spikes, n_different, n_answers)


def save_arrays(path: Path, arrays: dict[str, AnyArray]) -> None:
    """Write an `.npz`, atomically."""
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def counts_as_arrays(counts: Counts) -> dict[str, AnyArray]:
    """Counts as named arrays."""
    plain = {f.name: np.asarray(getattr(counts, f.name)) for f in fields(Counts)}
    plain.pop("critical")
    critical = {f"critical_{k}": np.asarray(v) for k, v in asdict(counts.critical).items()}
    return plain | critical


def counts_from_arrays(arrays: dict[str, AnyArray]) -> Counts:
    """Counts written by `counts_as_arrays`."""

    def word(value: AnyArray) -> Any:
        return value if value.ndim else int(value)

    critical = Critical(**{f.name: int(arrays[f"critical_{f.name}"]) for f in fields(Critical)})
    rest = {f.name: word(arrays[f.name]) for f in fields(Counts) if f.name != "critical"}
    return Counts(**rest, critical=critical)


def file_digest(path: Path) -> str:
    """Hash of a file: what `deploy.json` says is of these arrays and no others."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def load_deployment(run: RunFolder, chip: str, given: str | None = None) -> dict[str, Any]:
    """What `deploy` wrote.

    Args:
        chip: its name. given: how it was named on the command line, for the message.

    Raises:
        FileNotFoundError: if the run was not deployed there.
    """
    content = read_json(run.deployment(chip) / "deploy.json")
    if content is None:
        there = sorted(p.parent.name[7:] for p in run.path.glob("deploy-*/deploy.json"))
        but = f" but on {', '.join(there)}" if there else ""
        raise FileNotFoundError(
            f"{run.path} was not deployed on {chip!r}{but}: "
            f"`neuro deploy {run.path} --chip {given or chip}`"
        )
    return content
