"""Spoken digits as spikes: the Free Spoken Digit Dataset [Jackson2018] heard by `cochlea.py`."""

from __future__ import annotations

import io
import re
import wave
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from . import cochlea
from .archive import member, member_names
from .cache import sha256_of
from .cochlea import CochleaSpec
from .interface import Dataset, missing
from .splits import check_split, fit_or_hold

SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
HELD_OUT = "theo"  # "test" is this speaker, "train" all others
# recordings of each digit by each speaker: 0 to 4 are the published split's test
INDEX_PARTS = {"train": range(5, 50), "test": range(5), "fit": range(10, 50), "hold": range(5, 10)}
SPLITS = (
    *("train", "test", "fit", "hold"),
    *(f"index-{part}" for part in INDEX_PARTS),
    *(f"train-without-{speaker}" for speaker in SPEAKERS),
    *(f"only-{speaker}" for speaker in SPEAKERS),
)
RECORDING = re.compile(r"(?:.*/)?(?P<digit>\d)_(?P<speaker>[a-z]+)_(?P<index>\d+)\.wav")
SPEC = CochleaSpec()
DURATION_S = 1.0  # 99 % of the recordings are shorter


def load_fsdd(split: str, root: Path) -> Dataset:
    """`fsdd`: 50 recordings of each digit by each speaker, split by speaker.

    "train-without-NAME" and "only-NAME" leave one speaker out; "index-train" and "index-test"
    are the published split, in which every speaker is in both, and "index-fit" and "index-hold"
    two parts of its training recordings, the second as large as the test.
    """
    check_split("fsdd", split, SPLITS)
    path = _find_zip(root)
    rows = _recordings(path)
    digit, speaker, index, name = (np.array(column) for column in zip(*rows, strict=True))
    chosen = np.flatnonzero(_mask(split, speaker, index))
    if not len(chosen):
        raise ValueError(
            f"{path} has no recordings for split {split!r}, only speakers "
            f"{', '.join(sorted(set(speaker.tolist())))}: choose one of those or fetch the newest"
        )
    if split in ("fit", "hold"):
        chosen = chosen[fit_or_hold(digit[chosen], split, name="fsdd")]
    return Dataset(
        name="fsdd",
        split=split,
        kind="events",
        sample_shape=(SPEC.n_channels,),
        class_names=tuple(str(label) for label in range(10)),
        duration_s=DURATION_S,
        labels=digit[chosen].astype(np.int64),
        keys=name[chosen],
        read=partial(_spikes, path),
        fingerprint=sha256_of(path, Path(__file__), Path(cochlea.__file__)),
    )


def _mask(
    split: str, speaker: npt.NDArray[Any], index: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which recordings are in a split; "fit" and "hold" are parts of "train"."""
    if split.startswith("index-"):
        return np.isin(index, INDEX_PARTS[split.removeprefix("index-")])
    if split.startswith("only-"):
        return np.asarray(speaker == split.removeprefix("only-"))
    if split.startswith("train-without-"):
        return np.asarray(speaker != split.removeprefix("train-without-"))
    is_held_out = np.asarray(speaker == HELD_OUT)
    return is_held_out if split == "test" else ~is_held_out


def read_wav(
    raw: bytes, *, source: str, rate_hz: int = SPEC.sample_rate_hz
) -> npt.NDArray[np.float64]:
    """Samples of a mono 16-bit WAV file, -1 to 1.

    Raises:
        ValueError: if it is not such a file, or not at this rate.
    """
    try:
        with wave.open(io.BytesIO(raw)) as sound:
            form = (sound.getnchannels(), sound.getsampwidth(), sound.getframerate())
            n_frames = sound.getnframes()
            data = sound.readframes(n_frames)
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{source}: not a WAV file ({error}): fetch it again") from None
    if form != (1, 2, rate_hz):
        raise ValueError(
            f"{source}: {form[0]} channels of {8 * form[1]} bits at {form[2]} Hz, must be "
            f"1 of 16 at {rate_hz}: convert it"
        )
    if len(data) != 2 * n_frames:
        raise ValueError(
            f"{source}: {len(data)} bytes of sound, its header says {2 * n_frames}: fetch it again"
        )
    return np.frombuffer(data, "<i2") / 2.0**15


def _spikes(path: Path, name: str) -> npt.NDArray[Any]:
    return cochlea.cochlea(read_wav(member(path, name), source=f"{path}:{name}"), SPEC)


def _find_zip(root: Path) -> Path:
    """The one zip in the folder `fsdd`, whatever its name."""
    found = sorted((root / "fsdd").glob("*.zip"))
    if not found:
        raise missing("fsdd", root / "fsdd" / "fsdd.zip")
    return found[0]


@lru_cache(maxsize=2)
def _recordings(path: Path) -> list[tuple[int, str, int, str]]:
    """Digit, speaker, index and name of every recording in the zip, in this order."""
    rows = []
    for name in member_names(path):
        if match := RECORDING.fullmatch(name):
            rows.append((int(match["digit"]), match["speaker"], int(match["index"]), name))
    if not rows:
        raise ValueError(f"{path}: no recordings like 7_theo_0.wav inside: fetch it again")
    return sorted(rows)
