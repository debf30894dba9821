"""The one interface of all data sets: a sequence of (events or frames, label)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from .binning import (
    EVENT_DTYPE,
    Binning,
    bin_events,
    bin_frames,
    place_frames,
)
from .cache import cached_frames
from .stills import frames_of_still

__all__ = [
    "EVENT_DTYPE",
    "Binning",
    "Dataset",
    "DatasetMissing",
    "bin_events",
    "data_root",
    "missing",
]

Kind = Literal["events", "frames", "analogue"]
Progress = Callable[[int, int], None]


class DatasetMissing(FileNotFoundError):  # noqa: N818  reads as a sentence
    """A data set is not on this machine; the message says in one line how to get it."""


def data_root(root: Path | str | None = None) -> Path:
    """The folder of the data sets: `root`, else `NEURO_DATA`, else the user's data folder."""
    if root is not None:
        return Path(root).expanduser()
    if place := os.environ.get("NEURO_DATA"):
        return Path(place).expanduser()
    from platformdirs import user_data_dir

    return Path(user_data_dir("neuro-hwsim", appauthor=False))


def missing(name: str, path: Path) -> DatasetMissing:
    """The one-line error for a data set whose file `path` is not there."""
    from .catalogue import INFO

    return DatasetMissing(
        f"data set {name!r} is not here, no {path}: {INFO[name].how_to_get}, "
        "or point `--root DIR` or NEURO_DATA to a folder that has it"
    )


@dataclass(frozen=True, eq=False)
class Dataset:
    """A split of a data set: `dataset[i]` is (events or frames, label), read when asked for.

    Events are a structured array (x, y, t, p), t in microseconds, sorted by time. Frames are
    (time, *sample_shape), or sample_shape alone for still images. Analogue frames are real numbers
    (float32), which no binning adds up.
    """

    name: str
    split: str
    kind: Kind
    sample_shape: tuple[int, ...]  # (C, H, W) or (channels,)
    class_names: tuple[str, ...]
    duration_s: float | None  # nominal length of a sample; None for still images
    labels: npt.NDArray[np.int64]
    keys: npt.NDArray[Any]  # what `read` takes: an index or a file name, one per sample
    read: Callable[[Any], npt.NDArray[Any]]
    fingerprint: str  # changes with the files, and with the code that makes samples

    def __post_init__(self) -> None:
        self.labels.setflags(write=False)
        self.keys.setflags(write=False)

    @property
    def n_classes(self) -> int:
        """How many classes there are."""
        return len(self.class_names)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> tuple[npt.NDArray[Any], int]:
        if not -len(self) <= i < len(self):
            raise IndexError(f"sample {i} of {self.name}/{self.split}, which has {len(self)}")
        return self.read(self.keys[i].item()), int(self.labels[i])

    def __iter__(self) -> Iterator[tuple[npt.NDArray[Any], int]]:
        return (self[i] for i in range(len(self)))

    def take(self, indices: Sequence[int] | npt.NDArray[np.integer[Any]]) -> Dataset:
        """The samples with these indices, in this order, as a data set."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(self, labels=self.labels[chosen], keys=self.keys[chosen])

    def frame_shape(self, binning: Binning) -> tuple[int, ...]:
        """Shape of one binned sample: (n_steps, *shape)."""
        return (binning.n_steps, *binning.frame_shape(self.sample_shape))

    @property
    def dtype(self) -> type[np.uint8 | np.float32]:
        """Of binned samples."""
        return np.float32 if self.kind == "analogue" else np.uint8

    def frames(self, i: int, binning: Binning) -> npt.NDArray[Any]:
        """Sample `i`, binned: (n_steps, *shape)."""
        sample = self[i][0]
        if self.duration_s is None:
            return frames_of_still(sample, binning)
        window = binning.with_window(self.duration_s)
        if self.kind == "events":
            return bin_events(sample, window, self.sample_shape)
        if self.kind == "analogue":
            return place_frames(sample, window, self.duration_s)
        return bin_frames(sample, window, self.duration_s)

    def binned(
        self, binning: Binning, *, cache: bool = True, progress: Progress | None = None
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
        """All samples, binned once and kept on disk.

        Still images are not cached: a read-only view that repeats each, or their spikes.

        Args:
            binning: the rule from events to frames.
            cache: read and write the cache (in `NEURO_CACHE`, else the user's cache folder).
            progress: called with (samples done, samples in all).

        Returns:
            Frames (samples, n_steps, *shape), and labels (samples,).

        Raises:
            ValueError: if a count does not fit in 8 bits, or the binning does not suit the data.
        """
        if self.duration_s is None:
            stills = np.stack([self.read(key) for key in self.keys.tolist()])
            return frames_of_still(stills, binning, time_axis=1), self.labels
        if not cache:
            return self._bin_all(binning, progress), self.labels
        key = {
            "name": self.name,
            "fingerprint": self.fingerprint,
            "keys": self.keys.tolist(),
            "duration_s": self.duration_s,
            "binning": binning.model_dump(),
        }
        shape = (len(self), *self.frame_shape(binning))
        frames = cached_frames(
            key, shape, lambda: self._bin_all(binning, progress), dtype=self.dtype
        )
        return frames, self.labels

    def _bin_all(self, binning: Binning, progress: Progress | None) -> npt.NDArray[Any]:
        x = np.empty((len(self), *self.frame_shape(binning)), self.dtype)
        for i in range(len(self)):
            x[i] = self.frames(i, binning)
            if progress is not None:
                progress(i + 1, len(self))
        return x
