"""Frames kept on disk, so that a data set is binned once."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .archive import UNREADABLE


def cache_root() -> Path:
    """The cache folder: `NEURO_CACHE`, else the user's cache folder."""
    if place := os.environ.get("NEURO_CACHE"):
        return Path(place).expanduser()
    from platformdirs import user_cache_dir

    return Path(user_cache_dir("neuro-hwsim", appauthor=False))


def sha256_of(*paths: Path) -> str:
    """SHA-256 over the contents of files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        stat = path.stat()
        digest.update(_sha256_of_file(path, stat.st_size, stat.st_mtime_ns).encode())
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _sha256_of_file(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def cached_frames(
    key: Mapping[str, object],
    shape: tuple[int, ...],
    compute: Callable[[], npt.NDArray[Any]],
    *,
    dtype: type[np.uint8 | np.float32] = np.uint8,
) -> npt.NDArray[Any]:
    """Frames under `key` from the cache, else computed and stored.

    A file that cannot be read, fails its checksum, or has another shape or type is computed again.
    The key holds the source of the binning rule, so a changed rule never meets old frames.
    """
    code = sha256_of(Path(__file__).with_name("binning.py"))
    name = hashlib.sha256(json.dumps([code, key], sort_keys=True).encode()).hexdigest()
    path = cache_root() / "frames" / f"{name}.npz"
    frames = _read(path, shape, dtype)
    if frames is None:
        frames = compute()
        _write(path, frames)
    return frames


def _read(
    path: Path, shape: tuple[int, ...], dtype: type[np.uint8 | np.float32] = np.uint8
) -> npt.NDArray[Any] | None:
    """The frames in `path`, or None if they are not there or not whole."""
    try:
        # opened here: np.load leaves a file that is no zip open
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            frames: npt.NDArray[Any] = archive["frames"]
    except UNREADABLE:
        return None
    return frames if frames.shape == shape and frames.dtype == dtype else None


def _write(path: Path, frames: npt.NDArray[Any]) -> None:
    """Write all or nothing: a reader never sees half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".write-") as folder:
            whole = Path(folder) / path.name
            np.savez_compressed(whole, frames=frames)
            whole.replace(path)
    except OSError as error:
        warnings.warn(
            f"frames are not cached in {path.parent} ({error}): set NEURO_CACHE to a folder "
            "that can be written",
            stacklevel=3,
        )
