"""Carry a trained run onto chips of crossbars: compile, make chips, run the test set, price."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

import hwsim
from hwsim.arrays import IntArray
from hwsim.bands import Band
from hwsim.crossbar.area import area
from hwsim.crossbar.chips import Spread, over_chips
from hwsim.crossbar.correction import calibrate_chip
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.energy import programming
from hwsim.crossbar.engine import CrossbarRun, simulate_crossbar
from hwsim.crossbar.figures import (
    draw_accuracy_against,
    draw_conductances,
    draw_energy,
    draw_ir_drop,
)
from hwsim.crossbar.made import MadeChip, fabricate
from hwsim.crossbar.plan import CrossbarPlan, compile_crossbar
from hwsim.report.standalone import save_figure
from hwsim.report.svg import Drawing
from neuro.deploy import file_digest
from neuro.mapping import Samples, chip_digest, profile_samples
from neuro.runs import RunFolder, versions, write_json
from neuro.training.samples import Samples as Labelled
from neuro.training.train import load_splits

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N_CHIPS = 10

Which = Literal["noise", "float"]


@dataclass(frozen=True, eq=False)
class Carried:
    """A run's network on a chip of crossbars, before any is made.

    Attributes:
        which: of the run's networks in real numbers. held: samples held back in training, for the
            ranges of converters and for calibration. test: what the chips are judged on.
        exact: the same network without errors, on the test set.
    """

    run: RunFolder
    which: Which
    plan: CrossbarPlan
    held: Samples
    test: Labelled
    exact: hwsim.Run

    @property
    def exact_correct(self) -> int:
        """Right answers without errors."""
        return n_correct(self.exact.output, self.test)


@dataclass
class Seen:
    """What the test set showed on the chips so far, one entry per chip.

    Attributes:
        differ: spikes other than the exact network's, by layer.
    """

    correct: list[int] = field(default_factory=list)
    differ: list[dict[str, int]] = field(default_factory=list)
    counts: list[CrossbarCounts] = field(default_factory=list)

    def add(self, carried: Carried, run: CrossbarRun) -> float:
        """Take in a chip's run; its accuracy."""
        self.correct.append(n_correct(run.output, carried.test))
        self.differ.append(
            {
                name: int(((run.spikes[name] != 0) != (carried.exact.spikes[name] != 0)).sum())
                for name in carried.plan.layers
            }
        )
        self.counts.append(run.counts)
        return self.correct[-1] / len(carried.test)


def n_correct(output: IntArray, test: Labelled) -> int:
    """Right answers."""
    return int((output.argmax(1) == test.labels).sum())


def real_network(run: RunFolder, which: Which | None) -> tuple[hwsim.Network, Which]:
    """A run's network in real numbers; by default the one trained with noise, if there is one.

    Raises:
        FileNotFoundError: if it has none trained with noise, and that is asked for.
    """
    there = run.noise_network.is_file()
    which = which or ("noise" if there else "float")
    if which == "noise" and not there:
        raise FileNotFoundError(
            f"{run.path} has no network trained with noise: take the float one, or train a recipe "
            "with `noise.epochs`"
        )
    return hwsim.load_network(run.noise_network if which == "noise" else run.real_network), which


def carry(
    run: RunFolder,
    chip: hwsim.CrossbarChip,
    *,
    network: Which | None = None,
    host: tuple[str, ...] = (),
    join: tuple[str, ...] = (),
    times_s: tuple[float, ...] = (0.0,),
    n_chips: int = N_CHIPS,
    seed: int = 0,
    root: str | None = None,
) -> Carried:
    """Compile a run's network onto a chip of crossbars, and run it without errors.

    The ranges of converters come from samples held back in training, never from the test set.

    Args:
        network: which of the run's. host: layers left to the host. join: layers that hear several
            others, or themselves, on the same arrays.
        times_s, n_chips: what will be asked for: checked before anything runs.

    Raises:
        DoesNotFit: if the network exceeds the chip.
        ValueError: for no chips, a negative seed, unknown layers, ages at which nothing is known
            of the device.
    """
    if n_chips < 1:
        raise ValueError(f"{n_chips} chips were asked for, must be 1 or more")
    if seed < 0:
        raise ValueError(f"the seed is {seed}, must be 0 or more")
    device = load_device(chip.device)
    for time_s in times_s:
        device.age(time_s)
    net, which = real_network(run, network)
    layers = [p.name for p in net.populations if p.neuron is not None]
    if unknown := [name for name in host if name not in layers]:
        raise ValueError(f"{unknown[0]!r} is no layer of {run.path}: it has {', '.join(layers)}")
    if set(host) >= set(layers):
        raise ValueError("all layers are left to the host: leave one to the crossbars")
    held = profile_samples(run, root=root)
    plan = compile_crossbar(
        net, chip, np.asarray(held.frames), host=host, join=join, device=device, seed=seed
    )
    test = load_splits(run, root).test
    exact = hwsim.simulate(net, test.frames, record=("spikes",))
    return Carried(run, which, plan, held, test, exact)


def deploy(
    run: RunFolder,
    chip: hwsim.CrossbarChip,
    *,
    n_chips: int = N_CHIPS,
    time_s: float = 0.0,
    calibrate: bool = False,
    host: tuple[str, ...] = (),
    join: tuple[str, ...] = (),
    network: Which | None = None,
    seed: int = 0,
    given: str | None = None,
    root: str | None = None,
    on_samples: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Simulate a run's test set on chips with fresh devices; writes and returns `deploy.json`.

    Args:
        n_chips: how many; the seed of each is one more than that of the one before.
        time_s: age of the cells when they are read.
        calibrate: channels are corrected once, right after programming, by held-back samples.
        host, join, network: see `carry`. given: how the chip was named, if not by its own name.
        on_samples: called with the number of samples just finished.
    """
    carried = carry(run, chip, network=network, host=host, join=join, times_s=(time_s,),
                    n_chips=n_chips, seed=seed, root=root)  # fmt: skip
    seen = Seen()

    def measure(made: MadeChip) -> float:
        if calibrate:
            made = calibrated(made, carried.held)
        return seen.add(carried, on_chip(carried, made, time_s, on_samples))

    spread = over_chips(carried.plan, n_chips, measure, seed=seed)
    counts = reduce(add, seen.counts)
    bill = hwsim.price(counts, chip)
    drawings = figures(carried, fabricate(carried.plan, seed=seed), time_s, bill)
    content = {
        **head(carried, n_chips=n_chips, calibrate=calibrate, seed=seed, given=given),
        "time_s": time_s,
        "n_correct": seen.correct,
        "accuracy": as_dict(spread),
        **found(carried, seen, counts),
        "bill": bill.as_dict(),
        "figures": sorted(drawings),
        "versions": versions(),
    }
    folder = run.deployment(chip.name)
    content["files"] = drawn(folder, drawings)
    write_json(folder / "deploy.json", content)
    return content


def age(
    run: RunFolder,
    chip: hwsim.CrossbarChip,
    times_s: dict[str, float],
    *,
    n_chips: int = N_CHIPS,
    calibrate: bool = False,
    host: tuple[str, ...] = (),
    join: tuple[str, ...] = (),
    network: Which | None = None,
    seed: int = 0,
    given: str | None = None,
    root: str | None = None,
    on_samples: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Accuracy of the same chips at several ages; writes and returns `age.json`, and a figure.

    Args:
        times_s: since programming, by how they are said, from short to long. Others: see `deploy`.

    Raises:
        ValueError: for an age at which nothing is known of the device.
    """
    carried = carry(run, chip, network=network, host=host, join=join,
                    times_s=tuple(times_s.values()), n_chips=n_chips, seed=seed,
                    root=root)  # fmt: skip
    right: dict[str, list[int]] = {name: [] for name in times_s}

    def measure(made: MadeChip) -> float:
        if calibrate:
            made = calibrated(made, carried.held)
        for name, time_s in times_s.items():
            one = on_chip(carried, made, time_s, on_samples)
            right[name].append(n_correct(one.output, carried.test))
        return 0.0

    over_chips(carried.plan, n_chips, measure, seed=seed)
    n = len(carried.test)
    spreads = {name: Spread(np.array(counts) / n) for name, counts in right.items()}
    content = {
        **head(carried, n_chips=n_chips, calibrate=calibrate, seed=seed, given=given),
        "times": [
            {"time": name, "time_s": s, "n_correct": right[name], **as_dict(spreads[name])}
            for name, s in times_s.items()
        ],
        "figure": "age.svg",
        "versions": versions(),
    }
    folder = run.deployment(chip.name)
    content["files"] = drawn(folder, {"age.svg": partial(_aged, content)})
    write_json(folder / "age.json", content)
    return content


def _aged(content: dict[str, Any], width: float) -> "Figure":
    rows, exact = content["times"], content["exact"]
    mean, p5, p95 = ([row[key] for row in rows] for key in ("mean", "p5", "p95"))
    return draw_accuracy_against(
        [row["time_s"] for row in rows],
        mean,
        p5,
        p95,
        "time since programming",
        width,
        chance=1 / content["n_classes"],
        exact=exact["n_correct"] / exact["n_total"],
        ticks=[row["time"] for row in rows],
        logarithmic=True,
    )


def calibrated(made: MadeChip, held: Samples) -> MadeChip:
    """A chip after its channels were corrected, right after programming."""
    return calibrate_chip(made, np.asarray(held.frames), seed=made.seed)


def on_chip(
    carried: Carried, made: MadeChip, time_s: float, on_samples: Callable[[int], None] | None
) -> CrossbarRun:
    """The test set on one chip."""
    return simulate_crossbar(
        made,
        carried.test.frames,
        time_s=time_s,
        seed=made.seed,
        record=carried.plan.layers,
        on_samples=on_samples,
    )


def head(
    carried: Carried, *, n_chips: int, calibrate: bool, seed: int, given: str | None
) -> dict[str, Any]:
    """What was run, in plain data."""
    plan, chip = carried.plan, carried.plan.chip
    return {
        "family": "crossbar",
        "run": carried.run.path.name,
        "chip": chip.name,
        "chip_given": given or chip.name,
        "chip_digest": chip_digest(chip),
        "device": plan.device.name,
        "device_digest": chip_digest(plan.device),
        "device_unknown": list(plan.device.unknown),
        "device_assumed": list(plan.device.assumed),
        "network": carried.which,
        "network_digest": plan.network.digest,
        "ranges": carried.held.what,
        "host": [name for name in plan.layers if name in plan.host],
        "join": [name for name in plan.layers if name in plan.join],
        "calibrated": calibrate,
        "seeds": list(range(seed, seed + n_chips)),
        "n_total": len(carried.test),
        "n_classes": len(carried.test.class_names),
        "exact": {"n_correct": carried.exact_correct, "n_total": len(carried.test)},
    }


def found(carried: Carried, seen: Seen, counts: CrossbarCounts) -> dict[str, Any]:
    """What the chips are made of and what happened on them, in plain data."""
    plan = carried.plan
    silicon, written = area(plan.chip, len(plan.blocks)), programming(plan.chip, plan.n_cells)
    return {
        "layers": [_layer(carried, seen, counts, k) for k in range(len(plan.layers))],
        "blocks": [_block(plan, counts, i) for i in range(len(plan.blocks))],
        "arrays": len(plan.blocks),
        "arrays_on_chip": plan.chip.array.count,
        "cells": plan.n_cells,
        "steps": carried.test.frames.shape[1],
        "area_m2": silicon.m2,
        "area_band_m2": plain(silicon.band),
        "area_unknown": list(silicon.unknown),
        "programming": {
            **asdict(written),
            "unknown": list(written.unknown),
        },
    }


def _layer(carried: Carried, seen: Seen, counts: CrossbarCounts, k: int) -> dict[str, Any]:
    name = carried.plan.layers[k]
    own = np.flatnonzero(counts.layer == k)
    return {
        "layer": name,
        "neurons": carried.plan.network[name].size,
        "on": "host" if name in carried.plan.host else "crossbars",
        "blocks": len(own),
        "arrays": len(own),
        "cells": sum(carried.plan.blocks[i].wanted.size for i in own),
        "spikes_exact": int((carried.exact.spikes[name] != 0).sum()),
        "spikes_different": [differ[name] for differ in seen.differ],
    }


def _block(plan: CrossbarPlan, counts: CrossbarCounts, i: int) -> dict[str, Any]:
    block = plan.blocks[i]
    rows, columns = block.wanted.shape
    return {
        "layer": plan.layers[counts.layer[i]],
        "rows": rows,
        "columns": columns,
        "low_ampere": block.low,
        "high_ampere": block.high,
        "conversions": int(counts.conversions[i]),
        "clipped": int(counts.clipped[i]),
    }


def figures(
    carried: Carried, made: MadeChip, time_s: float, bill: hwsim.Bill
) -> dict[str, Drawing]:
    """Drawings of a deployment by the names of their files; cells and wires are of one chip."""
    plan = carried.plan
    aged = "when read" if time_s == 0 else "aged"
    cells = {
        "wanted": np.concatenate([b.wanted.ravel() for b in plan.blocks]),
        "programmed": np.concatenate([c.programmed().ravel() for c in made.cells]),
        aged: np.concatenate([c.at(time_s).ravel() for c in made.cells]),
    }
    out: dict[str, Drawing] = {
        "conductances.svg": partial(draw_conductances, cells),
        "energy.svg": partial(draw_energy, bill),
    }
    if plan.chip.array.wires_resist:
        largest = max(range(len(plan.blocks)), key=lambda i: plan.blocks[i].wanted.size)
        g, volt = made.cells[largest].at(time_s), plan.chip.array.v_read_volt
        out["wires.svg"] = partial(draw_ir_drop, g, plan.wires, volt)
    return out


def drawn(folder: Path, drawings: dict[str, Drawing]) -> dict[str, str]:
    """Write figures; their digests, so that what says it is theirs is known to be."""
    for name, draw in drawings.items():
        save_figure(draw, folder / name)
    return {name: file_digest(folder / name) for name in drawings}


def as_dict(spread: Spread) -> dict[str, Any]:
    """A spread over chips as plain data."""
    p5, p95 = spread.p5_p95
    return {"mean": spread.mean, "p5": p5, "p95": p95, "interval95": list(spread.interval())}


def plain(band: Band | None) -> dict[str, float] | None:
    """A band as plain data."""
    return None if band is None else asdict(band)
