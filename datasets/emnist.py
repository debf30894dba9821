"""E-MNIST letters: still images of handwritten letters, from the original IDX files [Cohen2017].

Upper and lower case are one class, as published: 26 classes. The files hold every image
transposed and number classes from 1; here images stand upright and classes count from 0.
"""

from __future__ import annotations

import string
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .cache import sha256_of
from .images import read_idx
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold

NAME = "emnist-letters"
FOLDER = "emnist"
SPLITS = ("train", "test", "fit", "hold")
LETTERS = tuple(string.ascii_lowercase)
FILES = {
    part: (
        f"emnist-letters-{part}-images-idx3-ubyte.gz",
        f"emnist-letters-{part}-labels-idx1-ubyte.gz",
    )
    for part in ("train", "test")
}
SIDE = 28


def load_letters(split: str, root: Path) -> Dataset:
    """`emnist-letters`: 124,800 training and 20,800 test images, a to z."""
    check_split(NAME, split, SPLITS)
    image_file, label_file = FILES["test" if split == "test" else "train"]
    paths = root / FOLDER / image_file, root / FOLDER / label_file
    for path in paths:
        if not path.is_file():
            raise missing(NAME, path)
    _, labels = _read(*paths)
    keys = np.arange(len(labels)) if split == "test" else fit_or_hold(labels, split, name=NAME)
    return Dataset(
        name=NAME,
        split=split,
        kind="frames",
        sample_shape=(1, SIDE, SIDE),
        class_names=LETTERS,
        duration_s=None,
        labels=labels[keys],
        keys=keys,
        read=partial(_image, *paths),
        fingerprint=sha256_of(*paths, Path(__file__)),
    )


def _image(images: Path, labels: Path, index: int) -> npt.NDArray[np.uint8]:
    image: npt.NDArray[np.uint8] = _read(images, labels)[0][index]
    return image.T[None]


@lru_cache(maxsize=2)
def _read(images: Path, labels: Path) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images as the file has them (samples, column, row), and labels from 0 (samples,)."""
    pixels, numbers = read_idx(images), read_idx(labels)
    if pixels.shape != (len(numbers), SIDE, SIDE) or numbers.ndim != 1:
        raise ValueError(
            f"{images}: images {pixels.shape} for labels {numbers.shape}, must be (samples, {SIDE},"
            f" {SIDE}) and (samples,): are both files E-MNIST letters? Fetch them again"
        )
    if len(numbers) and not 1 <= numbers.min() <= numbers.max() <= len(LETTERS):
        raise ValueError(
            f"{labels}: labels {numbers.min()} to {numbers.max()}, must be in 1 to {len(LETTERS)}: "
            "is it another part of E-MNIST? Take the files of its letters"
        )
    return pixels, numbers.astype(np.int64) - 1
