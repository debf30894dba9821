"""Sound becomes frames: power of short windows, in bands of the mel scale, in decibels.

What torchaudio's `Spectrogram`, `MelScale` and `AmplitudeToDB` compute with their defaults: a
periodic Hann window, centred frames of a sound reflected at its ends, triangles evenly spaced on
the HTK mel scale, not normalised.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt

FloatArray = npt.NDArray[np.float64]

POWER_MIN = 1e-10  # what is quieter counts as this: -100 dB


class MelSpec(BaseModel):
    """Windows and bands."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    sample_rate_hz: PositiveInt
    n_fft: PositiveInt
    hop: PositiveInt
    n_mels: PositiveInt
    f_min_hz: NonNegativeFloat
    f_max_hz: PositiveFloat


def mel(f_hz: npt.ArrayLike) -> FloatArray:
    """A frequency on the HTK mel scale, 2595 log10(1 + f / 700)."""
    scaled: FloatArray = 2595 * np.log10(1 + np.asarray(f_hz, np.float64) / 700)
    return scaled


@lru_cache(maxsize=4)
def filterbank(spec: MelSpec) -> FloatArray:
    """Triangles over the frequencies of the transform, (n_fft // 2 + 1, n_mels).

    A band that lies above the Nyquist frequency, or between two frequencies of the transform, is
    empty: it hears nothing.
    """
    f_hz = np.linspace(0, spec.sample_rate_hz // 2, spec.n_fft // 2 + 1)
    low, high = mel([spec.f_min_hz, spec.f_max_hz]).tolist()
    corners_hz = 700 * (10 ** (np.linspace(low, high, spec.n_mels + 2) / 2595) - 1)
    widths = np.diff(corners_hz)
    slopes = corners_hz - f_hz[:, None]
    rising, falling = -slopes[:, :-2] / widths[:-1], slopes[:, 2:] / widths[1:]
    bank: FloatArray = np.maximum(0, np.minimum(rising, falling))
    return bank


def log_mel(sound: FloatArray, spec: MelSpec) -> npt.NDArray[np.float32]:
    """Decibels of a sound, (1 + samples // hop, n_mels); frame k is centred on sample k * hop."""
    half = spec.n_fft // 2
    padded = np.pad(sound, half, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, spec.n_fft)[:: spec.hop]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(spec.n_fft) / spec.n_fft)
    power = np.abs(np.fft.rfft(windows * hann)) ** 2
    decibels: FloatArray = 10 * np.log10(np.maximum(power @ filterbank(spec), POWER_MIN))
    return decibels.astype(np.float32)
