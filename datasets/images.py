"""MNIST [LeCun1998] and Fashion-MNIST [Xiao2017]: still images from the original IDX files."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .cache import sha256_of
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold

SPLITS = ("train", "test", "fit", "hold")
FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
IDX_UBYTE = 0x0800  # upper three bytes of the magic number; the lowest is the number of axes


def load_mnist(split: str, root: Path) -> Dataset:
    """`mnist`: 60,000 training and 10,000 test digits."""
    return _load("mnist", split, root, DIGITS)


def load_fashion(split: str, root: Path) -> Dataset:
    """`fashion-mnist`: 60,000 training and 10,000 test images of clothes."""
    return _load("fashion-mnist", split, root, CLOTHES)


def _load(name: str, split: str, root: Path, class_names: tuple[str, ...]) -> Dataset:
    check_split(name, split, SPLITS)
    files = [root / name / file for file in FILES["test" if split == "test" else "train"]]
    for path in files:
        if not path.is_file():
            raise missing(name, path)
    labels = _cached_idx(files[1]).astype(np.int64)
    keys = np.arange(len(labels)) if split == "test" else fit_or_hold(labels, split, name=name)
    return Dataset(
        name=name,
        split=split,
        kind="frames",
        sample_shape=(1, 28, 28),
        class_names=class_names,
        duration_s=None,
        labels=labels[keys],
        keys=keys,
        read=partial(_image, files[0]),
        fingerprint=sha256_of(*files),
    )


def _image(path: Path, index: int) -> npt.NDArray[np.uint8]:
    image: npt.NDArray[np.uint8] = _cached_idx(path)[index]
    return image[None]


@lru_cache(maxsize=4)
def _cached_idx(path: Path) -> npt.NDArray[np.uint8]:
    return read_idx(path)


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """The array in a gzipped IDX file of unsigned bytes.

    Big endian: 0, 0, 8 (unsigned byte), number of axes; the length of each axis in 4 bytes; data.

    Raises:
        ValueError: if the file is not gzip, not IDX of bytes, or shorter or longer than it says.
    """
    try:
        raw = gzip.decompress(path.read_bytes())
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path}: not a whole gzip file ({error}): fetch it again") from None
    magic = struct.unpack_from(">I", raw)[0] if len(raw) >= 4 else 0
    n_axes = magic & 0xFF
    if magic & ~0xFF != IDX_UBYTE or not 1 <= n_axes <= 3 or len(raw) < 4 + 4 * n_axes:
        raise ValueError(
            f"{path}: begins with {raw[:4].hex() or 'nothing'}, must be 00000801 or 00000803 "
            "(IDX of bytes): fetch it again"
        )
    shape: tuple[int, ...] = struct.unpack_from(f">{n_axes}I", raw, 4)
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes)
    if len(data) != math.prod(shape):
        raise ValueError(
            f"{path}: {len(data)} bytes of data, its header says {math.prod(shape)}: fetch it again"
        )
    whole: npt.NDArray[Any] = data.reshape(shape)
    return whole
