"""Braille letters read by an artificial fingertip: real tactile spikes [MullerCleve2022].

12 taxels slide over 7 characters (Space, A, E, I, O, U, Y: the subset of the NIR paper
[Pedersen2024]). A sample is 256 bins of 5 ms, 1 where a taxel had an ON or an OFF event.
"""

from __future__ import annotations

from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from .archive import UNREADABLE
from .cache import sha256_of
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold

SPLITS = ("train", "test", "fit", "hold")
CLASS_NAMES = ("Space", "A", "E", "I", "O", "U", "Y")
FILE = PurePosixPath("braille-spikes/braille7_train_val.npz")
BIN_S = 0.005
N_BINS = 256
N_TAXELS = 12


def load_braille(split: str, root: Path) -> Dataset:
    """`braille`: 980 training samples; the 280 published for validation are our test."""
    check_split("braille", split, SPLITS)
    path = root / FILE
    if not path.is_file():
        raise missing("braille", path)
    part = "val" if split == "test" else "train"
    labels = _read_npz(path)[f"y_{part}"].astype(np.int64)
    keys = np.arange(len(labels)) if part == "val" else fit_or_hold(labels, split, name="braille")
    return Dataset(
        name="braille",
        split=split,
        kind="frames",
        sample_shape=(N_TAXELS,),
        class_names=CLASS_NAMES,
        duration_s=N_BINS * BIN_S,
        labels=labels[keys],
        keys=keys,
        read=partial(_sample, path, f"x_{part}"),
        fingerprint=sha256_of(path, Path(__file__)),
    )


def _sample(path: Path, array: str, index: int) -> npt.NDArray[np.uint8]:
    sample: npt.NDArray[np.uint8] = _read_npz(path)[array][index]
    return sample


@lru_cache(maxsize=2)
def _read_npz(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The four arrays of the file."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in ("x_train", "y_train", "x_val", "y_val")}
    except UNREADABLE as error:
        raise ValueError(f"{path}: cannot be read ({error}): get the file again") from None
    for name in ("x_train", "x_val"):
        if arrays[name].shape[1:] != (N_BINS, N_TAXELS):
            raise ValueError(
                f"{path}: {name} has samples of {arrays[name].shape[1:]}, "
                f"must be {(N_BINS, N_TAXELS)} (bins, taxels): get the file again"
            )
    return arrays
