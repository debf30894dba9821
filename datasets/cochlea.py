"""Sound becomes spikes: a bank of gammatone filters, hair cells, and leaky neurons.

1. Gammatone filters of order 4 [Patterson1992], four second-order sections each [Slaney1993],
   spaced evenly on the ERB-rate scale [GlasbergMoore1990].
2. Hair cell: half-wave rectification, mean over 1 ms, power-law compression.
3. One leaky integrate-and-fire neuron per channel, which restarts from zero.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt

from .binning import EVENT_DTYPE, sorted_by_time

FloatArray = npt.NDArray[np.float64]

EAR_Q = 9.26449  # [GlasbergMoore1990]: ERB = 24.7 (4.37 f / 1000 + 1) Hz = f / EAR_Q + MIN_BW_HZ
MIN_BW_HZ = 24.7
BANDWIDTH_OVER_ERB = 1.019  # of a gammatone of order 4 [Patterson1992]


class CochleaSpec(BaseModel):
    """Filters, hair cells and neurons."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_channels: PositiveInt = 64
    sample_rate_hz: PositiveInt = 8000
    f_min_hz: PositiveFloat = 100.0
    f_max_hz: PositiveFloat = 3600.0  # below the Nyquist frequency, 4 kHz
    dt_s: PositiveFloat = 0.001  # of hair cells and neurons
    compression: PositiveFloat = 0.3  # exponent
    floor: NonNegativeFloat = 0.05  # of the compressed drive: what is below stays silent
    tau_s: PositiveFloat = 0.020  # of the neurons
    v_th: PositiveFloat = 0.13  # fitted: 1,000 to 2,000 spikes in most digits

    @property
    def samples_per_step(self) -> int:
        """Samples of sound in one step of the neurons."""
        return round(self.sample_rate_hz * self.dt_s)


def erb_hz(f_hz: FloatArray) -> FloatArray:
    """Equivalent rectangular bandwidth of the ear at a frequency."""
    return f_hz / EAR_Q + MIN_BW_HZ


def centre_frequencies_hz(spec: CochleaSpec) -> FloatArray:
    """Centres of the channels, low to high, evenly spaced in ERB rate.

    ERB rate is the integral of df / ERB(f), i.e., EAR_Q log(1 + f / (EAR_Q MIN_BW)).
    """
    corner_hz = EAR_Q * MIN_BW_HZ
    ends = np.log1p(np.array([spec.f_min_hz, spec.f_max_hz]) / corner_hz)
    return corner_hz * np.expm1(np.linspace(ends[0], ends[1], spec.n_channels))


def gammatone_sos(f_hz: float, sample_rate_hz: float) -> npt.NDArray[np.float64]:
    """A gammatone of order 4 as four second-order sections, gain 1 at its centre [Slaney1993].

    All sections share the poles exp(-b T +- i w T), with b = 2 pi 1.019 ERB; their zeros are
    exp(-b T) (cos w T +- sqrt(3 +- 2 sqrt 2) sin w T).
    """
    omega = 2 * np.pi * f_hz / sample_rate_hz
    decay = np.exp(-2 * np.pi * BANDWIDTH_OVER_ERB * float(erb_hz(np.array(f_hz))) / sample_rate_hz)
    poles = [1.0, -2 * decay * np.cos(omega), decay**2]
    roots = [sign * np.sqrt(3 + side * 2**1.5) for side in (1, -1) for sign in (1, -1)]
    zeros = [decay * (np.cos(omega) + root * np.sin(omega)) for root in roots]
    sos = np.array([[1.0, -zero, 0.0, *poles] for zero in zeros])
    at_centre = np.exp(-1j * omega)
    for section in sos:
        numerator = section[0] + section[1] * at_centre
        denominator = section[3] + section[4] * at_centre + section[5] * at_centre**2
        section[:3] /= abs(numerator / denominator)
    return sos


@lru_cache(maxsize=8)
def filterbank(spec: CochleaSpec) -> tuple[npt.NDArray[np.float64], ...]:
    """The sections of every channel, low to high."""
    centres = centre_frequencies_hz(spec)
    return tuple(gammatone_sos(float(f_hz), spec.sample_rate_hz) for f_hz in centres)


def hair_cells(sound: npt.NDArray[np.floating[Any]], spec: CochleaSpec) -> FloatArray:
    """Drive of the neurons, (steps, channels), of a sound scaled to a root mean square of 1."""
    from scipy.signal import sosfilt  # here: takes half a second to import

    loudness = np.sqrt(np.mean(np.square(sound, dtype=np.float64)))
    if not loudness > 0:
        return np.zeros((len(sound) // spec.samples_per_step, spec.n_channels))
    filtered = np.array([sosfilt(sos, sound / loudness) for sos in filterbank(spec)])
    n_steps = filtered.shape[1] // spec.samples_per_step
    rectified = np.maximum(filtered[:, : n_steps * spec.samples_per_step], 0)
    mean: FloatArray = rectified.reshape(spec.n_channels, n_steps, spec.samples_per_step).mean(
        axis=2
    )
    drive: FloatArray = np.maximum(mean.T**spec.compression - spec.floor, 0)
    return drive


def spikes_of(drive: FloatArray, spec: CochleaSpec) -> npt.NDArray[Any]:
    """Events of one leaky neuron per channel: x is the channel, y is 0, p is 1.

    v <- decay v + (1 - decay) drive, with decay = exp(-dt / tau); a spike where v reaches v_th,
    and there v <- 0. The time of a spike is interpolated within its step.
    """
    decay = np.exp(-spec.dt_s / spec.tau_s)
    before, after = np.zeros_like(drive), np.zeros_like(drive)
    v = np.zeros(drive.shape[1])
    for step, a in enumerate(drive):
        before[step] = v
        v = after[step] = decay * v + (1 - decay) * a
        v = np.where(v < spec.v_th, v, 0)
    at = np.nonzero(after >= spec.v_th)
    part = (spec.v_th - before[at]) / (after[at] - before[at])
    events = np.empty(len(part), EVENT_DTYPE)
    events["x"], events["y"], events["p"] = at[1], 0, True
    events["t"] = (at[0] + part) * (spec.dt_s * 1e6)
    return sorted_by_time(events)


def cochlea(sound: npt.NDArray[np.floating[Any]], spec: CochleaSpec) -> npt.NDArray[Any]:
    """Events of a sound; louder or softer recordings of the same sound give the same events."""
    return spikes_of(hair_cells(sound, spec), spec)
