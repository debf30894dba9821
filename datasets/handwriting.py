"""Letters that a paralysed person tried to write, heard in his motor cortex [Willett2021].

Session t5.2019.05.08: every letter was tried 27 times. A sample counts threshold crossings of 192
electrodes in 201 bins of 10 ms around the go cue. The file has more symbols (greater than, comma,
apostrophe, tilde, question mark, doing nothing): they are left out.
"""

from __future__ import annotations

import string
from functools import lru_cache, partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from .archive import UNREADABLE
from .binning import MAX_COUNT
from .cache import sha256_of
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold, stratified_part

NAME = "handwriting"
SPLITS = ("train", "test", "fit", "hold")
LETTERS = tuple(string.ascii_lowercase)
FILE = PurePosixPath("handwritingBCIData/Datasets/t5.2019.05.08/singleLetters.mat")
TEST_FRACTION = 0.2  # our own: no split is published
N_BINS = 201
DURATION_S = 2.01  # bins of 10 ms
N_CHANNELS = 192


def load_handwriting(split: str, root: Path) -> Dataset:
    """`handwriting`: 572 training and 130 test samples, 22 and 5 of each letter."""
    check_split(NAME, split, SPLITS)
    path = root / FILE
    if not path.is_file():
        raise missing(NAME, path)
    _, labels = _read(path)
    in_test = stratified_part(labels, TEST_FRACTION, salt=f"{NAME}/test")
    if split == "test":
        keys = np.flatnonzero(in_test)
    else:
        training = np.flatnonzero(~in_test)
        keys = training[fit_or_hold(labels[training], split, name=NAME)]
    return Dataset(
        name=NAME,
        split=split,
        kind="frames",
        sample_shape=(N_CHANNELS,),
        class_names=LETTERS,
        duration_s=DURATION_S,
        labels=labels[keys],
        keys=keys,
        read=partial(_sample, path),
        fingerprint=sha256_of(path, Path(__file__)),
    )


def _sample(path: Path, index: int) -> npt.NDArray[np.uint8]:
    sample: npt.NDArray[np.uint8] = _read(path)[0][index]
    return sample


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """All counts (samples, bins, channels), letter by letter, and labels (samples,)."""
    from scipy.io import loadmat  # here: it takes a while to import
    from scipy.io.matlab import MatReadError

    names = [f"neuralActivityCube_{letter}" for letter in LETTERS]
    try:
        cubes = loadmat(path, variable_names=names)
    except (*UNREADABLE, MatReadError, TypeError, IndexError) as error:
        raise ValueError(f"{path}: cannot be read ({error}): get the file again") from None
    counts = [_checked(cubes.get(name), f"{path}: {name}") for name in names]
    labels = np.repeat(np.arange(len(LETTERS)), [len(cube) for cube in counts])
    return np.concatenate(counts), labels


def _checked(cube: Any, source: str) -> npt.NDArray[np.uint8]:
    """The counts of one letter, if they are what they must be."""
    if cube is None:
        raise ValueError(f"{source} is not in the file: get singleLetters.mat of t5.2019.05.08")
    if cube.ndim != 3 or cube.shape[1:] != (N_BINS, N_CHANNELS):
        raise ValueError(
            f"{source} has shape {cube.shape}, must be (trials, {N_BINS}, {N_CHANNELS}): get "
            "singleLetters.mat of t5.2019.05.08"
        )
    counts: npt.NDArray[np.uint8] = np.zeros(cube.shape, np.uint8)
    if cube.dtype.kind in "uif" and np.all((cube >= 0) & (cube <= MAX_COUNT)):
        counts = cube.astype(np.uint8)
    if not np.array_equal(counts, cube):
        raise ValueError(
            f"{source} holds other values than whole counts of 0 to {MAX_COUNT}: get the file "
            "again, as it was published"
        )
    return counts
