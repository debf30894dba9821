"""N-MNIST: real event-camera recordings of MNIST digits under three saccades [Orchard2015].

Three sizes: `nmnist` in full (tonic downloads it), `nmnist-small` (850 + 100 recordings, one
zip under the data folder), `nmnist-slice` (50 + 20 of those, in this repository).
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from .archive import member
from .binning import EVENT_DTYPE, sorted_by_time
from .cache import sha256_of
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold

SENSOR_SHAPE = (2, 34, 34)
DURATION_S = 0.315  # three saccades of 105 ms; single events come up to 0.2 ms later
SPLITS = ("train", "test", "fit", "hold")
CLASS_NAMES = tuple(str(digit) for digit in range(10))
BYTES_PER_EVENT = 5
N_TRAIN, N_TEST = 60_000, 10_000  # images of MNIST
LISTS = {"train": "train850.txt", "test": "test100.txt"}

SMALL_ZIP = PurePosixPath("nmnist-small/nmnist_small.zip")
SLICE_ZIP = Path(__file__).parent / "nmnist_slice" / "nmnist_slice.zip"


def decode_bs2(raw: bytes, *, source: str) -> npt.NDArray[Any]:
    """Events of one N-MNIST recording, from its 40-bit records, sorted by time.

    Byte 0 is x, byte 1 is y, then 1 bit of polarity (1 = ON) and 23 bits of microseconds.

    Args:
        raw: the file's bytes.
        source: the file's name, for errors.

    Raises:
        ValueError: if the file is cut, or has an event outside the 34 x 34 pixels.
    """
    if len(raw) % BYTES_PER_EVENT:
        raise ValueError(
            f"{source}: {len(raw)} bytes, must be a multiple of {BYTES_PER_EVENT} "
            "(one event): the file is cut, fetch it again"
        )
    from tonic.io import read_mnist_file  # here: tonic takes seconds to import

    events: npt.NDArray[Any] = read_mnist_file(io.BytesIO(raw), dtype=EVENT_DTYPE, is_stream=True)
    largest = max((int(events[axis].max(initial=0)) for axis in "xy"), default=0)
    if largest >= SENSOR_SHAPE[-1]:
        raise ValueError(
            f"{source}: an event has coordinate {largest}, must be below {SENSOR_SHAPE[-1]}: "
            "the file is not N-MNIST or is damaged, fetch it again"
        )
    return sorted_by_time(events)


def load_small(split: str, root: Path) -> Dataset:
    """`nmnist-small`: 850 training and 100 test recordings, read from the zip."""
    path = root / SMALL_ZIP
    if not path.is_file():
        raise missing("nmnist-small", path)
    return _from_zip("nmnist-small", split, path)


def load_slice(split: str, root: Path) -> Dataset:
    """`nmnist-slice`: 50 training and 20 test recordings that come with the program."""
    return _from_zip("nmnist-slice", split, SLICE_ZIP)


def load_full(split: str, root: Path) -> Dataset:
    """`nmnist`: 60,000 training and 10,000 test recordings, as tonic unpacks them."""
    check_split("nmnist", split, SPLITS)
    folder = root / "NMNIST" / ("Test" if split == "test" else "Train")
    for digit_folder in (folder / name for name in CLASS_NAMES):
        if not digit_folder.is_dir():
            raise missing("nmnist", digit_folder)
    entries = [
        (digit, file)
        for digit in range(10)
        for file in sorted(os.scandir(folder / str(digit)), key=lambda file: file.name)
        if file.name.endswith(".bin")
    ]
    labels = np.array([digit for digit, _ in entries], dtype=np.int64)
    keys = np.array([f"{digit}/{file.name}" for digit, file in entries])
    if split != "test":
        chosen = fit_or_hold(labels, split, name="nmnist")
        labels, keys = labels[chosen], keys[chosen]
    sizes = sum(file.stat().st_size for _, file in entries)
    fingerprint = f"{len(entries)} files of {sizes} bytes"
    return _dataset("nmnist", split, labels, keys, partial(_read_file, folder), fingerprint)


def _from_zip(name: str, split: str, path: Path) -> Dataset:
    check_split(name, split, SPLITS)
    list_name = LISTS["test" if split == "test" else "train"]
    listing = member(path, list_name).decode("ascii", errors="replace")
    keys, labels = parse_list(listing.splitlines(), source=f"{path}:{list_name}")
    if split != "test":
        chosen = fit_or_hold(labels, split, name=name)
        labels, keys = labels[chosen], keys[chosen]
    fingerprint = sha256_of(path, Path(__file__))
    return _dataset(name, split, labels, keys, partial(_read_member, path), fingerprint)


def parse_list(
    lines: Iterable[str], *, source: str
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """File names and labels from a list: a header, then `sample<TAB>class` per line.

    Raises:
        ValueError: if a line is not a sample and a digit; it names the `source`.
    """
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    for row in rows:
        if len(row) != 2 or row[1] not in CLASS_NAMES:
            raise ValueError(
                f"{source}: a line has {' '.join(row)!r}, must be a sample and its digit, "
                "0 to 9: mend the list or fetch the file again"
            )
    names = np.array([f"{sample}.bs2" for sample, _ in rows])
    return names, np.array([int(label) for _, label in rows], dtype=np.int64)


def mnist_index(
    dataset: Dataset,
) -> tuple[npt.NDArray[np.str_], npt.NDArray[np.int64]]:
    """The MNIST images that recordings were made of: pairs of events and pixels.

    Files are numbered from 1: `nmnist` numbers its two parts apart, as MNIST does; the others go
    on from 60,000, so that 60,001 is the first test image.

    Args:
        dataset: a split of `nmnist`, `nmnist-small` or `nmnist-slice`, or some of it (`take`).

    Returns:
        For every sample (samples,): the part of MNIST, "train" or "test", and the index in it.
        Where all are of "train", `load("mnist").take(index)` has the images.

    Raises:
        ValueError: for another data set, or a file without such a number.
    """
    if dataset.name not in ("nmnist", "nmnist-small", "nmnist-slice"):
        raise ValueError(f"{dataset.name} was not made of MNIST images: take a set of N-MNIST")
    numbers = np.array([_number(key, dataset.name) for key in dataset.keys.tolist()], np.int64)
    if dataset.name == "nmnist" and dataset.split == "test":
        numbers += N_TRAIN
    in_test = numbers > N_TRAIN
    return np.where(in_test, "test", "train"), numbers - 1 - N_TRAIN * in_test


def _number(key: str, name: str) -> int:
    """The number in the name of a recording's file."""
    stem = PurePosixPath(key).stem
    last = N_TRAIN if name == "nmnist" else N_TRAIN + N_TEST
    if not (stem.isascii() and stem.isdigit() and 1 <= int(stem) <= last):
        raise ValueError(
            f"{name}: a recording is called {key}, must be a number of 1 to {last}: "
            "rename it as it was published"
        )
    return int(stem)


def _dataset(
    name: str,
    split: str,
    labels: npt.NDArray[np.int64],
    keys: npt.NDArray[Any],
    read: Any,
    fingerprint: str,
) -> Dataset:
    return Dataset(
        name=name,
        split=split,
        kind="events",
        sample_shape=SENSOR_SHAPE,
        class_names=CLASS_NAMES,
        duration_s=DURATION_S,
        labels=labels,
        keys=keys,
        read=read,
        fingerprint=fingerprint,
    )


def _read_file(folder: Path, name: str) -> npt.NDArray[Any]:
    return decode_bs2((folder / name).read_bytes(), source=str(folder / name))


def _read_member(path: Path, name: str) -> npt.NDArray[Any]:
    return decode_bs2(member(path, name), source=f"{path}:{name}")
