"""Heidelberg spiking data sets: words heard by a model of the inner ear, 700 channels [Cramer2022].

The files are the published HDF5, in the folders that tonic makes (`SHD`, `SSC`): spikes/times in
seconds (float16), spikes/units, labels, extra/keys and extra/speaker. Nothing is read but the
samples asked for. Times are cut to whole microseconds, which moves no spike to another bin of
whole microseconds.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from .archive import UNREADABLE
from .binning import EVENT_DTYPE
from .cache import sha256_of
from .interface import Dataset, missing
from .splits import check_split

N_CHANNELS = 700
PER_SAMPLE = ("spikes/times", "spikes/units", "labels", "extra/speaker")
HELD_OUT = (10, 11)  # speakers of SHD's training part who are "hold"; the test part has 4 and 5 too


@dataclass(frozen=True, slots=True)
class Heidelberg:
    """One of the two sets: which file has which split."""

    name: str
    folder: str
    n_classes: int
    duration_s: float
    parts: dict[str, str]

    def path(self, split: str, root: Path) -> Path:
        """The file of a split."""
        return root / self.folder / f"{self.name}_{self.parts[split]}.h5"


SHD = Heidelberg(
    "shd",
    "SHD",
    20,
    1.4,  # what papers about it take; `neuro data info` says what comes later
    {"train": "train", "test": "test", "fit": "train", "hold": "train"},
)
SSC = Heidelberg(
    "ssc",
    "SSC",
    35,
    1.0,  # recordings of a second
    {"train": "train", "test": "test", "fit": "train", "hold": "valid", "valid": "valid"},
)


def load_shd(split: str, root: Path) -> Dataset:
    """`shd`: spoken digits, English and German; "hold" are two speakers of the training part."""
    return _load(SHD, split, root)


def load_ssc(split: str, root: Path) -> Dataset:
    """`ssc`: spoken commands; "hold" is the published part for validation."""
    return _load(SSC, split, root)


def _load(about: Heidelberg, split: str, root: Path) -> Dataset:
    check_split(about.name, split, about.parts)
    path = about.path(split, root)
    if not path.is_file():
        raise missing(about.name, path)
    labels, speakers, class_names = _read_heads(path, about.n_classes)
    keys = np.arange(len(labels))
    if about is SHD and split in ("fit", "hold"):
        is_held = np.isin(speakers, HELD_OUT)
        keys = np.flatnonzero(is_held if split == "hold" else ~is_held)
    if not len(keys):
        raise ValueError(
            f"{path} has no samples for split {split!r}, only speakers "
            f"{', '.join(map(str, np.unique(speakers)))}: fetch the file again"
        )
    return Dataset(
        name=about.name,
        split=split,
        kind="events",
        sample_shape=(N_CHANNELS,),
        class_names=class_names,
        duration_s=about.duration_s,
        labels=labels[keys],
        keys=keys,
        read=partial(_events, path),
        fingerprint=sha256_of(path, Path(__file__)),
    )


def _read_heads(
    path: Path, n_classes: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], tuple[str, ...]]:
    """Labels, speakers and names of classes.

    Raises:
        ValueError: if the file is cut, lacks a part, or has parts that do not belong together.
    """
    try:
        with h5py.File(path, "r") as file:
            n_each = {part: len(file[part]) for part in PER_SAMPLE}
            labels, speakers = (file[part][:].astype(np.int64) for part in PER_SAMPLE[2:])
            names = tuple(key.decode() for key in file["extra/keys"][:].tolist())
    except (*UNREADABLE, AttributeError, TypeError) as error:
        raise ValueError(f"{path}: cannot be read ({_told(error)}): fetch the file again") from None
    if len(set(n_each.values())) > 1:
        told = ", ".join(f"{n} {part}" for part, n in n_each.items())
        raise ValueError(f"{path}: {told} must be as many of each: fetch the file again")
    if len(names) != n_classes:
        raise ValueError(
            f"{path}: {len(names)} names of classes, must be {n_classes}: is it another set's file?"
        )
    outside = labels[(labels < 0) | (labels >= n_classes)]
    if len(outside):
        raise ValueError(
            f"{path}: a label is {outside[0]}, must be 0 to {n_classes - 1}: fetch the file again"
        )
    return labels, speakers, names


def microseconds(times_s: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
    """Whole microseconds of times in seconds, float16, cut: exact, their product has 25 bits."""
    whole: npt.NDArray[np.float64] = np.floor(times_s.astype(np.float64) * 1e6)
    return whole


def _events(path: Path, index: int) -> npt.NDArray[Any]:
    """Spikes of one sample, sorted by time: x is the channel, y is 0, p is 1.

    Raises:
        ValueError: if the sample is damaged.
    """
    try:
        times_s, units = (part[index] for part in _spikes(path))
    except (*UNREADABLE, AttributeError, TypeError) as error:
        raise ValueError(
            f"{path}: cannot read sample {index} ({_told(error)}): fetch the file again"
        ) from None
    times_us = microseconds(times_s)
    for wrong, what in (
        (len(times_us) != len(units), f"{len(times_us)} times for {len(units)} units"),
        (not (np.isfinite(times_us) & (times_us >= 0)).all(), "a time below 0 or not finite"),
        (units.max(initial=0) >= N_CHANNELS, f"a unit above {N_CHANNELS - 1}"),
    ):
        if wrong:
            raise ValueError(f"{path}: sample {index} has {what}: fetch the file again")
    order = np.argsort(times_us, kind="stable")
    events = np.empty(len(units), EVENT_DTYPE)
    events["x"], events["y"], events["t"], events["p"] = units[order], 0, times_us[order], True
    return events


def _told(error: Exception) -> str:
    """An error of h5py in one line."""
    return " ".join(str(error).split())


def _spikes(path: Path) -> tuple[h5py.Dataset, h5py.Dataset]:
    """Times and units, kept open: opening takes longer than reading a sample."""
    return _opened(path, path.stat().st_mtime_ns, os.getpid())


@lru_cache(maxsize=4)
def _opened(path: Path, mtime_ns: int, pid: int) -> tuple[h5py.Dataset, h5py.Dataset]:
    file = h5py.File(path, "r")  # a process that was forked (`pid`) opens its own
    return file["spikes/times"], file["spikes/units"]
