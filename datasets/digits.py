"""The embedded data set: scikit-learn's 1,797 handwritten digits, seen by a moving event camera.

Nothing to download: the images come with scikit-learn (8 x 8 pixels, from UCI's Optical
Recognition of Handwritten Digits [Alpaydin1998]), the events from `saccades.py`, fitted to N-MNIST.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import binning, saccades
from .cache import sha256_of
from .interface import Dataset
from .saccades import SaccadeSpec, saccade_events
from .splits import check_split, fit_or_hold, stratified_part

SPLITS = ("train", "test", "fit", "hold")
TEST_FRACTION = 0.2
SEED = 0  # of the sensor
SPEC = SaccadeSpec()
N_BLOCK = 32  # images simulated together: what fits in the cache of a core


def load_digits(split: str, root: Path) -> Dataset:
    """`digits`: 1,438 training and 359 test samples of 34 x 34 pixels and two polarities."""
    check_split("digits", split, SPLITS)
    _, labels = digit_images()
    in_test = stratified_part(labels, TEST_FRACTION, salt="digits/test")
    if split == "test":
        keys = np.flatnonzero(in_test)
    else:
        training = np.flatnonzero(~in_test)
        keys = training[fit_or_hold(labels[training], split, name="digits")]
    sources = (Path(__file__), Path(saccades.__file__), Path(binning.__file__))
    return Dataset(
        name="digits",
        split=split,
        kind="events",
        sample_shape=(2, SPEC.n_pixels, SPEC.n_pixels),
        class_names=tuple(str(digit) for digit in range(10)),
        duration_s=3 * SPEC.saccade_s,
        labels=labels[keys],
        keys=keys,
        read=digit_events,
        fingerprint=sha256_of(*sources),
    )


@lru_cache(maxsize=1)
def digit_images() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Images (1797, 8, 8), 0 to 1, and labels (1797,)."""
    from sklearn.datasets import load_digits as sklearn_digits  # here: takes a second to import

    bunch = sklearn_digits()
    return (bunch.images / 16).astype(np.float32), bunch.target.astype(np.int64)


def digit_events(index: int) -> npt.NDArray[Any]:
    """Events of one image. Neighbours are simulated along: they are asked for next."""
    first = index - index % N_BLOCK
    return _block(first)[index - first]


@lru_cache(maxsize=64)
def _block(first: int) -> list[npt.NDArray[Any]]:
    images, _ = digit_images()
    indices = np.arange(first, min(first + N_BLOCK, len(images)))
    events = saccade_events(images[indices], indices, spec=SPEC, seed=SEED)
    for record in events:
        record.setflags(write=False)
    return events
