"""A still image becomes events: the saccades of N-MNIST [Orchard2015] before a model of the sensor.

The image moves along a triangle in three saccades. Each pixel of the sensor follows the logarithm
of its light, L = log(I + dark). It fires ON where L has risen by its threshold since its last
event, OFF where it has fallen by it. After an event a pixel is blind for the refractory time and
then starts from the light it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.special import ndtr

from .binning import EVENT_DTYPE, sorted_by_time

FloatArray = npt.NDArray[np.float32]


class SaccadeSpec(BaseModel):
    """Sensor, optics, motion and handwriting. `fit_saccades.py` made the values marked fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_pixels: PositiveInt = 34  # per side [Orchard2015]
    travel_px: PositiveFloat = 7.0  # base and height of the triangle, as tonic's `stabilize`
    saccade_s: PositiveFloat = 0.105  # three per recording, measured on N-MNIST
    motion_s: PositiveFloat = 0.080  # of each saccade, at speed ~ sin^2; then the image rests
    dt_s: PositiveFloat = 0.00175
    refractory_s: PositiveFloat = 0.00175  # N-MNIST: 1 % of a pixel's intervals are shorter
    noise_hz: NonNegativeFloat = 0.3  # spontaneous events of a pixel, measured at the border
    mismatch: NonNegativeFloat = 0.1  # standard deviation of thresholds over their mean: assumed
    threshold_off: PositiveFloat = 0.0829  # of log light, mean over pixels: fitted
    threshold_on: PositiveFloat = 0.0863  # fitted
    dark: PositiveFloat = 0.355  # light of the background; a full stroke adds 1: fitted
    blur_px: PositiveFloat = 0.509  # sigma of the optics: fitted
    digit_px: PositiveFloat = 14.22  # side of the digit on the sensor: fitted
    width_spread: NonNegativeFloat = 0.368  # of log width; the 8 x 8 images all fill it: fitted
    light_spread: NonNegativeFloat = 0.364  # of log light of the strokes: fitted

    @property
    def n_steps(self) -> int:
        """Steps of the simulation in one recording."""
        return round(3 * self.saccade_s / self.dt_s)

    @property
    def n_blind(self) -> int:
        """Steps during which a pixel is blind after an event."""
        return max(1, round(self.refractory_s / self.dt_s))


@dataclass(frozen=True, slots=True)
class Writing:
    """What differs from one recording to the next: (images,) each."""

    width: FloatArray  # factor on `digit_px` along x
    light: FloatArray  # factor on the light of the strokes


def saccade_path(spec: SaccadeSpec) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Shift of the image in pixels, (n_steps + 1,) along x and y: a triangle.

    Down right, up right, back left. In each, with r = elapsed / motion_s in 0 to 1, the path
    done is r - sin(2 pi r) / (2 pi).
    """
    elapsed_s = np.arange(spec.n_steps + 1) * spec.dt_s
    saccade = np.minimum(elapsed_s // spec.saccade_s, 2).astype(int)
    r = np.clip((elapsed_s - saccade * spec.saccade_s) / spec.motion_s, 0, 1)
    done = r - np.sin(2 * np.pi * r) / (2 * np.pi)
    corner_x, corner_y = np.array([0.0, 0.5, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 0.0])
    x = corner_x[saccade] + done * (corner_x[saccade + 1] - corner_x[saccade])
    y = corner_y[saccade] + done * (corner_y[saccade + 1] - corner_y[saccade])
    return (x - 0.5) * spec.travel_px, (y - 0.5) * spec.travel_px


def log_light(
    images: npt.NDArray[Any], writing: Writing, spec: SaccadeSpec
) -> Iterator[FloatArray]:
    """Logarithm of the light on every pixel at every step, one (images, H, W) after another.

    A cell of the image is a rectangle of constant light, blurred by a Gaussian: the light is
    a product of two matrices per step, rows times image times columns.
    """
    strokes = images.astype(np.float32) * writing.light[:, None, None]
    one = np.ones(1, np.float32)
    for dx, dy in zip(*saccade_path(spec), strict=True):
        rows = _spread(images.shape[1], dy, one, spec)
        columns = _spread(images.shape[2], dx, writing.width, spec)
        light = rows @ strokes @ columns.transpose(0, 2, 1)
        yield np.log(light + np.float32(spec.dark))


def _spread(n_cells: int, shift_px: float, stretch: FloatArray, spec: SaccadeSpec) -> FloatArray:
    """Light of each cell on each pixel along one axis, (stretches, pixels, cells)."""
    edges = (np.arange(n_cells + 1, dtype=np.float32) / n_cells - 0.5) * spec.digit_px
    centres = np.arange(spec.n_pixels, dtype=np.float32) + np.float32(
        0.5 - spec.n_pixels / 2 - shift_px
    )
    distance = edges * stretch[:, None, None] - centres[:, None]
    blurred: FloatArray = np.diff(ndtr(distance / np.float32(spec.blur_px)), axis=-1)
    return blurred


def thresholds(spec: SaccadeSpec, *, seed: int) -> tuple[FloatArray, FloatArray]:
    """ON and OFF threshold of each pixel, (H, W): one sensor per seed."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((2, spec.n_pixels, spec.n_pixels), dtype=np.float32)
    on, off = np.maximum(1 + np.float32(spec.mismatch) * spread, np.float32(0.2))
    return on * np.float32(spec.threshold_on), off * np.float32(spec.threshold_off)


def saccade_events(
    images: npt.NDArray[Any], indices: npt.NDArray[np.int64], *, spec: SaccadeSpec, seed: int
) -> list[npt.NDArray[Any]]:
    """Events of images shown under three saccades.

    A recording depends on its image, its index and the seed only, not on the others in the call.

    Args:
        images: light of the cells, (images, rows, columns), 0 to 1.
        indices: number of each image in its data set: it fixes width, light and noise.
        spec: sensor, optics, motion and handwriting.
        seed: chooses the sensor, i.e., the thresholds, and with the index all the rest.

    Returns:
        Structured arrays x, y, t, p, sorted by time.
    """
    rngs = [np.random.default_rng([seed, int(index)]) for index in indices]
    draws = np.array([rng.standard_normal(2, dtype=np.float32) for rng in rngs])
    width, light = np.exp(draws.T * np.array([[spec.width_spread], [spec.light_spread]], "f4"))
    levels = log_light(images, Writing(width, light), spec)
    image, record = threshold_crossings(levels, spec, *thresholds(spec, seed=seed))
    order = np.argsort(image, kind="stable")
    parts = np.split(record[order], np.searchsorted(image[order], np.arange(1, len(images))))
    return [add_noise(part, spec, rng) for part, rng in zip(parts, rngs, strict=True)]


def threshold_crossings(
    levels: Iterator[FloatArray], spec: SaccadeSpec, theta_on: FloatArray, theta_off: FloatArray
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Every event: the number of its image, and its record.

    The time of a crossing is interpolated within the step. A blind pixel's reference follows
    its light, so it cannot fire.
    """
    previous = next(levels)
    reference = previous.copy()
    blind = np.zeros(previous.shape, dtype=np.int8)
    numbers, records = [], []
    for step, level in enumerate(levels):
        np.copyto(reference, level, where=blind > 0)
        np.maximum(blind - 1, 0, out=blind)
        change = level - reference
        at = np.nonzero((change >= theta_on) | (change <= -theta_off))
        image, y, x = at
        up = change[at] > 0
        goal = reference[at] + np.where(up, theta_on[y, x], -theta_off[y, x])
        part = np.clip((goal - previous[at]) / (level[at] - previous[at]), 0, 1)
        event = np.empty(len(x), EVENT_DTYPE)
        event["x"], event["y"], event["p"] = x, y, up
        event["t"] = (step + part) * (spec.dt_s * 1e6)
        numbers.append(image)
        records.append(event)
        reference[at] = level[at]
        blind[at] = spec.n_blind
        previous = level
    return np.concatenate(numbers), np.concatenate(records)


def add_noise(
    events: npt.NDArray[Any], spec: SaccadeSpec, rng: np.random.Generator
) -> npt.NDArray[Any]:
    """Add spontaneous events, except where the pixel is blind; sort by time."""
    length_us = round(spec.n_steps * spec.dt_s * 1e6)
    mean = spec.noise_hz * spec.n_pixels**2 * length_us * 1e-6
    noise = np.empty(rng.poisson(mean), EVENT_DTYPE)
    for field, end in (("x", spec.n_pixels), ("y", spec.n_pixels), ("t", length_us), ("p", 2)):
        noise[field] = rng.integers(end, size=len(noise))
    both = np.concatenate([events, noise])
    both = both[np.lexsort((both["t"], both["x"], both["y"]))]
    gap_us = np.diff(both["t"], prepend=both["t"][:1])
    same = (np.diff(both["x"], prepend=-1) == 0) & (np.diff(both["y"], prepend=-1) == 0)
    blind = same & (gap_us < spec.n_blind * spec.dt_s * 1e6)
    return sorted_by_time(both[~blind])
