"""Take a network to Lava, and keep what Lava said of it."""

import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

import hwsim
from hwsim._accelerate import threads
from hwsim.arrays import AnyArray
from hwsim.atomic import atomic_folder
from hwsim.formats.lava import export_lava, verify_lava
from neuro.runs import RunFolder, write_json
from neuro.training.samples import load_split

VERDICT = "verdict.json"


def export_run(
    run: RunFolder, chip: hwsim.ChipSpec, *, n_samples: int, root: str | None = None
) -> Path:
    """Write the Lava folder of a run with its first test samples; returns the folder.

    Raises:
        ValueError: if there are fewer test samples.
    """
    data = run.recipe.data
    test = load_split(data, data.test, root)
    if n_samples > len(test):
        raise ValueError(f"{n_samples} samples asked for, the test split has {len(test)}")
    samples = np.minimum(test.frames[:n_samples], 1)
    return export_network(hwsim.load_network(run.chip_network), chip, samples, run.path / "lava")


def export_network(
    net: hwsim.Network, chip: hwsim.ChipSpec, samples: AnyArray, folder: Path
) -> Path:
    """Write the Lava folder of a network in a chip's integers; returns the folder.

    A verdict of Lava on the very same files is kept; on others it is not.

    Args:
        net: the network. chip: that it must fit. samples: (samples, steps, *input shape).
        folder: is replaced as a whole.

    Raises:
        ValueError: if Lava has no process for a part of it, or it does not fit the chip.
    """
    plan = hwsim.compile(net, chip, mapper=hwsim.MAPPERS["row-major"])  # Lava has no map
    done = hwsim.simulate(plan, samples, record=("spikes",))
    with atomic_folder(folder) as new:
        export_lava(net, samples, done, new)
        verdict = folder / VERDICT
        if verdict.is_file() and _same(folder, new):
            shutil.copy(verdict, new / VERDICT)
    return folder


def _same(old: Path, new: Path) -> bool:
    """Whether both hold the same export, byte for byte."""
    names = sorted(path.name for path in new.iterdir())
    return all(
        (old / name).is_file() and (old / name).read_bytes() == (new / name).read_bytes()
        for name in names
    )


def verify(net: hwsim.Network, chip: hwsim.ChipSpec, folder: Path) -> dict[str, Any]:
    """Run the folder in Lava, compare every spike, time the simulator beside it.

    Raises:
        FileNotFoundError: if there is no Python 3.10 or no uv; says how to get one.
    """
    verdict = verify_lava(folder)
    seconds = seconds_per_sample(net, chip, folder)
    ratio = verdict.seconds_per_sample / seconds
    content = asdict(verdict) | {
        "n_spikes_compared": verdict.n_spikes_compared,
        "n_different": verdict.n_different,
        "hwsim_seconds_per_sample": seconds,
        "ratio": ratio,
        "sentence": f"Simulator = Lava {verdict.lava_version}: {verdict.n_different} of "
        f"{verdict.n_spikes_compared} spikes differ, {verdict.n_samples} samples; "
        f"the simulator is {ratio:.0f} times faster ({seconds * 1e3:.2f} ms a sample, Lava "
        f"{verdict.seconds_per_sample * 1e3:.0f} ms).",
    }
    write_json(folder / VERDICT, content)
    return content


def seconds_per_sample(
    net: hwsim.Network, chip: hwsim.ChipSpec, folder: Path, *, repeats: int = 5
) -> float:
    """Median time of a sample in the simulator, one thread, the samples in one call."""
    plan = hwsim.compile(net, chip, mapper=hwsim.MAPPERS["row-major"])
    with np.load(folder / "inputs.npz") as file:
        samples = file[file.files[0]]
    shape = plan.network.inputs[0].shape
    samples = samples.reshape(len(samples), -1, *shape)
    hwsim.simulate(plan, samples)  # compile outside the clock
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        with threads(1):
            hwsim.simulate(plan, samples)
        times.append((time.perf_counter() - start) / len(samples))
    return float(np.median(times))
