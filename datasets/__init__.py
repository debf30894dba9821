"""Data sets behind one small interface: events or frames, and a label."""

from __future__ import annotations

import difflib
from pathlib import Path

from . import digits, nmnist
from .binning import Binning, bin_events
from .interface import Dataset, DatasetMissing, data_root

__all__ = ["Binning", "Dataset", "DatasetMissing", "bin_events", "load", "names"]

_LOADERS = {
    "digits": digits.load_digits,
    "nmnist": nmnist.load_full,
    "nmnist-small": nmnist.load_small,
    "nmnist-slice": nmnist.load_slice,
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
    if name not in _LOADERS:
        near = difflib.get_close_matches(name, _LOADERS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(_LOADERS)}"
        raise ValueError(f"no data set {name!r}: {hint}")
    return _LOADERS[name](split, data_root(root))
