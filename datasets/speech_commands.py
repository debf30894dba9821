"""Google Speech Commands v0.02, 35 words [Warden2018]: as decibels, or as spikes of our cochlea.

`gsc` is what the paper of learned delays hears [Hammouamri2024]: a second at 8 kHz, 140 mel bands
from 50 to 14,000 Hz. That is as written: bands above 4 kHz, the Nyquist frequency, are empty and
stay at -100 dB. `gsc-spikes` are the same recordings as events, for chips, which hear nothing else.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from . import cochlea, spectrogram
from .cache import sha256_of
from .cochlea import CochleaSpec
from .fsdd import read_wav
from .interface import Dataset, Kind, missing
from .spectrogram import MelSpec, log_mel
from .splits import check_split

FOLDER = PurePosixPath("SpeechCommands/speech_commands_v0.02")  # as torchaudio unpacks it
WORDS = (
    *("backward", "bed", "bird", "cat", "dog", "down", "eight", "five", "follow", "forward"),
    *("four", "go", "happy", "house", "learn", "left", "marvin", "nine", "no", "off", "on", "one"),
    *("right", "seven", "sheila", "six", "stop", "three", "tree", "two", "up", "visual", "wow"),
    *("yes", "zero"),
)
LISTS = {"valid": "validation_list.txt", "test": "testing_list.txt"}
PARTS = {"train": "train", "test": "test", "fit": "train", "hold": "valid", "valid": "valid"}
RATE_HZ = 16_000
N_SAMPLES = 16_000  # recordings are a second or less; what is missing is silence
MEL = MelSpec(sample_rate_hz=8000, n_fft=256, hop=80, n_mels=140, f_min_hz=50, f_max_hz=14_000)
COCHLEA = CochleaSpec()
FRAME_S = MEL.hop / MEL.sample_rate_hz
N_FRAMES = 1 + N_SAMPLES // 2 // MEL.hop


def load_gsc(split: str, root: Path) -> Dataset:
    """`gsc`: analogue frames of 10 ms, (101, 140) decibels."""
    return _load("gsc", split, root, "analogue", (MEL.n_mels,), N_FRAMES * FRAME_S, _decibels)


def load_gsc_spikes(split: str, root: Path) -> Dataset:
    """`gsc-spikes`: events of 64 channels."""
    return _load("gsc-spikes", split, root, "events", (COCHLEA.n_channels,), 1.0, _spikes)


def _load(
    name: str,
    split: str,
    root: Path,
    kind: Kind,
    sample_shape: tuple[int, ...],
    duration_s: float,
    read: Any,
) -> Dataset:
    check_split(name, split, PARTS)
    folder = root / FOLDER
    for path in (*(folder / file for file in LISTS.values()), *(folder / word for word in WORDS)):
        if not path.exists():
            raise missing(name, path)
    keys = _part(folder, PARTS[split])
    words = [key.split("/")[0] for key in keys]
    n_bytes = sum((folder / key).stat().st_size for key in keys)
    code = sha256_of(*(Path(str(module)) for module in (__file__, cochlea.__file__,
                                                        spectrogram.__file__)))  # fmt: skip
    return Dataset(
        name=name,
        split=split,
        kind=kind,
        sample_shape=sample_shape,
        class_names=WORDS,
        duration_s=duration_s,
        labels=np.array([WORDS.index(word) for word in words], dtype=np.int64),
        keys=np.array(keys),
        read=partial(read, folder),
        fingerprint=f"{len(keys)} files of {n_bytes} bytes, {code}",
    )


def _part(folder: Path, part: str) -> list[str]:
    """Recordings of a published part, "WORD/FILE", sorted: "train" is what no list has.

    Raises:
        ValueError: if a list names a recording that is not there, or the part is empty.
    """
    listed = {name: _listed(folder / file) for name, file in LISTS.items()}
    here = {
        f"{word}/{file.name}"
        for word in WORDS
        for file in os.scandir(folder / word)
        if file.name.endswith(".wav")
    }
    for name, keys in listed.items():
        lost = sorted(keys - here)
        if lost:
            raise ValueError(
                f"{folder / LISTS[name]}: {len(lost)} of {len(keys)} recordings are not there, "
                f"e.g., {lost[0]}: unpack the archive again"
            )
    chosen = here.difference(*listed.values()) if part == "train" else listed[part]
    if not chosen:
        raise ValueError(f"{folder} has no recordings for {part}: unpack the archive again")
    return sorted(chosen)


def _listed(path: Path) -> set[str]:
    return {line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()}


def _sound(folder: Path, key: str) -> npt.NDArray[np.float64]:
    """A second of sound at 8 kHz.

    Raises:
        ValueError: if the file is damaged, or longer than a second.
    """
    from scipy.signal import resample_poly  # here: takes half a second to import

    path = folder / key
    sound = read_wav(path.read_bytes(), source=str(path), rate_hz=RATE_HZ)
    if len(sound) > N_SAMPLES:
        raise ValueError(
            f"{path}: {len(sound)} samples, at most {N_SAMPLES} (a second): is it of this data set?"
        )
    halved: npt.NDArray[np.float64] = resample_poly(
        np.pad(sound, (0, N_SAMPLES - len(sound))), MEL.sample_rate_hz, RATE_HZ
    )
    return halved


def _decibels(folder: Path, key: str) -> npt.NDArray[np.float32]:
    return log_mel(_sound(folder, key), MEL)


def _spikes(folder: Path, key: str) -> npt.NDArray[Any]:
    return cochlea.cochlea(_sound(folder, key), COCHLEA)
