"""Maps of a network on a chip: from what its inputs look like to cores, and what a map costs."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel

import hwsim
from hwsim.arrays import AnyArray, FloatArray
from hwsim.contention import Latency, Messages, latency
from hwsim.inputs import Samples as Frames
from hwsim.mapping.retime import retime
from hwsim.mapping.stored import as_rows, plan_of
from hwsim.noc import Grid, link_traffic
from hwsim.report.delays import delay_json
from hwsim.report.layers import CoreRow, build_cores
from neuro.datasets import load
from neuro.runs import RunFolder, read_json

PROFILE_SAMPLES = 64


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs that a map is made for, and what they are.

    Attributes:
        n: how many. frames: as `hwsim.simulate` takes them: (samples, steps, *input shape), by
            name where there are several inputs.
    """

    n: int
    frames: Frames
    what: str


@dataclass(frozen=True, eq=False)
class Mapped:
    """A map at work.

    Attributes:
        how: the mapper and its seed, in words.
        spikes: mean spikes per inference of every neuron, by population.
    """

    how: str
    plan: hwsim.Plan
    counts: hwsim.Counts
    bill: hwsim.Bill
    spikes: dict[str, FloatArray]

    def as_dict(self) -> dict[str, Any]:
        """The map in numbers, all per inference; SI units, None for what is not known."""
        n, steps = self.counts.n_samples, self.counts.n_steps / self.counts.n_samples
        core, inference_s = slowest(build_cores(self.plan, self.counts)), self.bill.latency_s
        energy, packet = self.bill.energy_j, self.packet_latency()
        links = link_traffic(self.plan, self.spikes).packets
        return {
            "mapper": self.how,
            "cores": self.counts.n_cores,
            "tiles": self.counts.n_tiles,
            "chips": self.counts.n_chips,
            "packets": float(self.counts.packets.sum() / n),
            "hops": float((self.counts.hops_ew + self.counts.hops_ns).sum() / n),
            "hops_chip": float(self.counts.hops_chip.sum() / n),
            "busiest_link": float(links.max(initial=0.0)),
            "slowest_core": core.core,
            "slowest_core_layers": list(core.layers),
            "slowest_core_s": core.step_s,
            "steps": steps,
            "packet_latency_s": None if packet is None else packet.mean_s,
            "packet_latency_alone_s": None if packet is None else packet.zero_load_s,
            "delay_memory": delay_json(self.plan),
            "step_s": None if inference_s is None else inference_s / steps,
            "energy_j": energy,
            "energy_delay_js": None
            if energy is None or inference_s is None
            else energy * inference_s,
        }

    def packet_latency(self) -> Latency | None:
        """How long packets travel if the measured spikes come evenly over an inference.

        None where nothing is sent, the chip's mesh has no times (not published, or part of a tick
        of fixed length), or a link cannot pass what it is offered.
        """
        seconds = self.bill.latency_s
        if not seconds or not self.counts.packets.any():
            return None
        try:
            grid = Grid.of(self.plan.chip, n_chips=self.counts.n_chips)
        except ValueError:  # a time of the mesh was not published
            return None
        found = latency(grid, Messages.of(self.plan, self.spikes, seconds))
        return found if found.zero_load_s > 0 and np.isfinite(found.mean_s) else None


def slowest(rows: tuple[CoreRow, ...]) -> CoreRow:
    """The core with most to do."""
    return max(rows, key=lambda row: row.busy)


def profile_samples(run: RunFolder, n: int = PROFILE_SAMPLES, root: str | None = None) -> Samples:
    """Samples that a run's map is made for: from those held back to choose the epoch.

    The test set is not looked at.
    """
    data = run.recipe.data
    frames = np.asarray(load(data.name, data.hold, root=root).binned(data.binning)[0][:n])
    return Samples(
        len(frames), frames, f"{len(frames)} samples of {data.name}, split {data.hold!r}"
    )


def samples_from(path: Path, net: hwsim.Network, n: int) -> Samples:
    """The first samples of a file: an `.npy`, or an `.npz` with an array by the name of each input.

    The array of a network's only input may have any name if there is no other.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no arrays, or not those of the inputs.
    """
    names = [p.name for p in net.inputs]
    arrays = _arrays_in(path, names)
    if len(names) == 1 and len(arrays) == 1:
        arrays = dict.fromkeys(names, *arrays.values())
    lost = [name for name in names if name not in arrays]
    if lost:
        raise ValueError(
            f"{path} has no array {lost[0]!r} (it has {', '.join(arrays) or 'none'}): give "
            f"an `.npz` with an array by the name of each input, {', '.join(names)}"
        )
    frames = {name: arrays[name][:n] for name in names}
    found = min(map(len, frames.values()), default=0)
    return Samples(found, frames, f"{found} samples of {path.name}")


def _arrays_in(path: Path, names: list[str]) -> dict[str, AnyArray]:
    """Arrays of a file by name; that of an `.npy` by the name of the network's only input."""
    if not path.is_file():
        raise FileNotFoundError(f"no file of inputs {path}")
    try:
        with path.open("rb") as raw:
            found = np.load(raw)
            if isinstance(found, np.ndarray):
                arrays = {names[0] if len(names) == 1 else "one without a name": found}
            else:
                arrays = {name: found[name] for name in found.files}
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(
            f"{path} holds no samples: give an `.npz` or `.npy` of shape (samples, steps, *input "
            "shape)"
        ) from error
    return {name: np.atleast_1d(array) for name, array in arrays.items()}


def random_samples(net: hwsim.Network, n: int, *, rate: float, steps: int, seed: int) -> Samples:
    """Spikes drawn at a rate for every input, for a network of which nothing else is known."""
    rng = np.random.default_rng(seed)
    frames = {
        p.name: (rng.random((n, steps, *p.shape)) < rate).astype(np.uint8) for p in net.inputs
    }
    what = f"{n} samples of {steps} steps of random spikes, rate {rate:g} per neuron and step"
    return Samples(n, frames, what)


def make_map(
    net: hwsim.Network, chip: hwsim.ChipSpec, samples: Samples, mapper: str, seed: int
) -> hwsim.Plan:
    """Profile the network on the samples and compile it with a mapper by name.

    Raises:
        ValueError: for an unknown mapper. DoesNotFit: naming every broken limit.
    """
    if mapper not in hwsim.MAPPERS:
        raise ValueError(f"unknown mapper {mapper!r}: there are {', '.join(hwsim.MAPPERS)}")
    profile = hwsim.profile(net, samples.frames)
    return hwsim.compile(net, chip, mapper=hwsim.MAPPERS[mapper], profile=profile, seed=seed)


def run_map(
    plan: hwsim.Plan,
    samples: Samples,
    how: str,
    on_samples: Callable[[int], None] | None = None,
) -> Mapped:
    """Simulate the samples on a map, count and price."""
    done = hwsim.simulate(plan, samples.frames, record=("spikes",), on_samples=on_samples)
    assert done.counts is not None
    bill = hwsim.price(done.counts, plan.chip)
    return Mapped(how, plan, done.counts, bill, mean_spikes(done))


def mean_spikes(run: hwsim.Run) -> dict[str, FloatArray]:
    """Mean spikes per sample of every neuron, those of the steps of lateness included."""
    return {name: np.count_nonzero(s, axis=1).mean(axis=0) for name, s in run.spikes.items()}


def stored_map(plan: hwsim.Plan, samples: Samples, mapper: str, seed: int) -> dict[str, Any]:
    """What `deploy.json` keeps of a map."""
    return {
        "mapper": mapper,
        "seed": seed,
        "profile": samples.what,
        "network": plan.network.digest,
        "parts": as_rows(plan),
    }


def chip_digest(chip: BaseModel) -> str:
    """Hash of everything in a file of a chip or device: a bill is of this, not of its name."""
    return hashlib.sha256(chip.model_dump_json().encode()).hexdigest()[:16]


def deployed_plan(
    run: RunFolder, net: hwsim.Network, chip: hwsim.ChipSpec, content: dict[str, Any]
) -> hwsim.Plan:
    """The map of a deployment.

    Raises:
        ValueError: if the chip or the network is another one than was deployed.
    """
    if content["chip_digest"] != chip_digest(chip):
        raise ValueError(
            f"{run.path} was deployed on another {chip.name!r} than this one: deploy again"
        )
    plan = plan_of(net, chip, content["map"]["parts"])
    if content["map"]["network"] != plan.network.digest:
        raise ValueError(f"{run.path} was deployed with another network than it has: deploy again")
    return plan


def deployed_map(
    run: RunFolder, net: hwsim.Network, chip: hwsim.ChipSpec
) -> tuple[hwsim.Plan, str] | None:
    """The map of a deployment and how it was made; None if there is none of this chip and network.

    Raises:
        ValueError: if `deploy.json` is damaged.
    """
    content = read_json(run.deployment(chip.name) / "deploy.json")
    if content is None or content.get("chip_digest") != chip_digest(chip):
        return None
    stored = content.get("map", {})
    if stored.get("network") != retime(net)[0].digest:
        return None
    how = f"{stored['mapper']}, seed {stored['seed']}, as deployed"
    return plan_of(net, chip, stored["parts"]), how
