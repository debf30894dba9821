"""Data sets behind one small interface: events or frames, and a label."""

from __future__ import annotations

import difflib
from pathlib import Path

from . import (
    braille,
    digits,
    emnist,
    fsdd,
    handwriting,
    heidelberg,
    images,
    nmnist,
    speech_commands,
)
from .binning import Binning, bin_events
from .catalogue import INFO, Info
from .interface import Dataset, DatasetMissing, data_root
from .nmnist import mnist_index

__all__ = [
    "Binning",
    "Dataset",
    "DatasetMissing",
    "Info",
    "bin_events",
    "data_root",
    "fetch",
    "info",
    "load",
    "mnist_index",
    "names",
]

_LOADERS = {
    "digits": digits.load_digits,
    "nmnist": nmnist.load_full,
    "nmnist-small": nmnist.load_small,
    "nmnist-slice": nmnist.load_slice,
    "mnist": images.load_mnist,
    "fashion-mnist": images.load_fashion,
    "emnist-letters": emnist.load_letters,
    "fsdd": fsdd.load_fsdd,
    "braille": braille.load_braille,
    "handwriting": handwriting.load_handwriting,
    "shd": heidelberg.load_shd,
    "ssc": heidelberg.load_ssc,
    "gsc": speech_commands.load_gsc,
    "gsc-spikes": speech_commands.load_gsc_spikes,
}


def names() -> tuple[str, ...]:
    """Names of all data sets."""
    return tuple(_LOADERS)


def load(name: str, split: str = "train", *, root: Path | str | None = None) -> Dataset:
    """A split of a data set.

    Args:
        name: one of `names()`.
        split: "train", "test", or "fit" and "hold", which part "train"; some sets have more.
        root: folder with the data sets; else `NEURO_DATA`, else the user's data folder.

    Raises:
        ValueError: if there is no such data set or split, or a file is damaged.
        DatasetMissing: if the files are not there; says how to get them.
    """
    return _LOADERS[_known(name)](split, data_root(root))


def info(name: str) -> Info:
    """What is known of a data set without opening it."""
    return INFO[_known(name)]


def fetch(name: str, root: Path | str | None = None) -> Path | None:
    """Download a data set into `root`, unless it is there.

    Returns:
        Where it is; None for one that comes with the program.

    Raises:
        ValueError: if it cannot be downloaded by program; says how to get it.
        OSError: if the download fails.
    """
    from . import fetching

    about, folder = info(name), data_root(root)
    if not about.files:
        return None
    if about.present(folder):
        return folder
    if name in fetching.IDX_DOWNLOADS:
        return fetching.fetch_idx(name, folder)
    if name == "emnist-letters":
        return fetching.fetch_emnist(folder)
    if name == "fsdd":
        return fetching.fetch_fsdd(folder)
    if name == "nmnist":
        return fetching.fetch_nmnist(folder)
    if name in ("shd", "ssc"):
        return fetching.fetch_heidelberg(name, folder)
    if name in ("gsc", "gsc-spikes"):
        return fetching.fetch_speech_commands(folder)
    raise ValueError(f"{name} has no address to download from: {about.how_to_get} in {folder}")


def _known(name: str) -> str:
    """The name, if there is such a data set; else an error with the nearest one."""
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(_LOADERS)}"
        raise ValueError(f"no data set {name!r}: {hint}")
    return name
