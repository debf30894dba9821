"""A still image becomes events: the saccades of N-MNIST [Orchard2015] before a model of the sensor.

The image moves along a triangle in three saccades. Each pixel of the sensor follows the logarithm
of its light, L = log(I + dark). It fires ON where L has risen by its threshold since its last
event, OFF where it has fallen by it. After an event a pixel is blind for the refractory time and
then starts from the light it finds.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, NonNegativeFloat, PositiveFloat, PositiveInt
from scipy.special import ndtr

from .binning import EVENT_DTYPE, sorted_by_time

FloatArray = npt.NDArray[np.float32]


class SaccadeSpec(BaseModel):
    """Sensor, optics and motion. Fitted values come from `fit_saccades.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_pixels: PositiveInt = 34  # per side [Orchard2015]
    digit_px: PositiveFloat = 20.0  # side of the digit on the sensor: MNIST's box of 20 x 20
    travel_px: PositiveFloat = 7.0  # base and height of the triangle, as tonic's `stabilize`
    saccade_s: PositiveFloat = 0.105  # three per recording, measured on N-MNIST
    motion_s: PositiveFloat = 0.080  # of each saccade, at speed ~ sin^2; then the image rests
    dt_s: PositiveFloat = 0.001
    refractory_s: PositiveFloat = 0.002  # N-MNIST: 1 % of intervals at a pixel are below 1.7 ms
    blur_px: PositiveFloat = 1.0  # sigma of the optics
    dark: PositiveFloat = 0.1  # light of the background; the brightest stroke adds 1
    threshold: PositiveFloat = 0.5  # of log light, mean over pixels
    mismatch: NonNegativeFloat = 0.1  # standard deviation of thresholds over their mean
    noise_hz: NonNegativeFloat = 0.3  # spontaneous events of a pixel, measured at the border

    @property
    def n_steps(self) -> int:
        """Steps of the simulation in one recording."""
        return round(3 * self.saccade_s / self.dt_s)

    @property
    def n_blind(self) -> int:
        """Steps during which a pixel is blind after an event."""
        return max(1, round(self.refractory_s / self.dt_s))


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


def log_light(images: npt.NDArray[Any], spec: SaccadeSpec) -> Iterator[FloatArray]:
    """Logarithm of the light on every pixel at every step, one (images, H, W) after another.

    A cell of the image is a square of constant light, blurred by a Gaussian: the light is
    a product of two matrices per step, rows times image times columns.
    """
    shift_x, shift_y = saccade_path(spec)
    light = images.astype(np.float32)
    for dx, dy in zip(shift_x, shift_y, strict=True):
        rows = _spread(images.shape[1], dy, spec)
        columns = _spread(images.shape[2], dx, spec)
        yield np.log(rows @ light @ columns.T + np.float32(spec.dark))


def _spread(n_cells: int, shift_px: float, spec: SaccadeSpec) -> FloatArray:
    """Light of each cell on each pixel along one axis, (pixels, cells)."""
    cell_px = spec.digit_px / n_cells
    edges = (np.arange(n_cells + 1) - n_cells / 2) * cell_px + spec.n_pixels / 2 + shift_px
    centres = np.arange(spec.n_pixels) + 0.5
    below = ndtr((edges[None, :] - centres[:, None]) / spec.blur_px)
    return np.diff(below, axis=1).astype(np.float32)


def thresholds(spec: SaccadeSpec, *, seed: int) -> tuple[FloatArray, FloatArray]:
    """ON and OFF threshold of each pixel, (H, W): one sensor per seed."""
    rng = np.random.default_rng(seed)
    spread = rng.standard_normal((2, spec.n_pixels, spec.n_pixels))
    on, off = spec.threshold * np.maximum(1 + spec.mismatch * spread, 0.2).astype(np.float32)
    return on, off


def saccade_events(
    images: npt.NDArray[Any], indices: npt.NDArray[np.int64], *, spec: SaccadeSpec, seed: int
) -> list[npt.NDArray[Any]]:
    """Events of images shown under three saccades.

    A recording depends on its image, its index and the seed only, not on the others in the call.

    Args:
        images: light of the cells, (images, rows, columns), 0 to 1.
        indices: number of each image in its data set; makes its noise its own.
        spec: sensor and motion.
        seed: chooses the sensor, i.e., the thresholds, and the noise.

    Returns:
        Structured arrays x, y, t, p, sorted by time.
    """
    image, record = _crossings(images, spec, *thresholds(spec, seed=seed))
    order = np.argsort(image, kind="stable")
    parts = np.split(record[order], np.searchsorted(image[order], np.arange(1, len(images))))
    return [
        _with_noise(part, spec, np.random.default_rng([seed, int(index)]))
        for part, index in zip(parts, indices, strict=True)
    ]


def _crossings(
    images: npt.NDArray[Any], spec: SaccadeSpec, theta_on: FloatArray, theta_off: FloatArray
) -> tuple[npt.NDArray[np.intp], npt.NDArray[Any]]:
    """Every threshold crossing: number of its image, and its event."""
    levels = log_light(images, spec)
    previous = next(levels)
    reference = previous.copy()
    blind = np.zeros(previous.shape, dtype=np.int8)
    numbers, records = [], []
    for step, level in enumerate(levels):
        np.copyto(reference, level, where=blind > 0)
        np.subtract(blind, 1, out=blind, where=blind > 0)
        change = level - reference
        image, y, x = np.nonzero((change >= theta_on) | (change <= -theta_off))
        at = (image, y, x)
        up = change[at] > 0
        goal = np.where(up, theta_on[y, x], -theta_off[y, x])
        part = (goal - (previous[at] - reference[at])) / (level[at] - previous[at])
        event = np.empty(len(x), EVENT_DTYPE)
        event["x"], event["y"], event["p"] = x, y, up
        event["t"] = ((step + np.clip(part, 0, 1)) * spec.dt_s * 1e6).astype(np.int64)
        numbers.append(image)
        records.append(event)
        reference[at] = level[at]
        blind[at] = spec.n_blind
        previous = level
    return np.concatenate(numbers), np.concatenate(records)


def _with_noise(
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
    seen = both[~(same & (gap_us < spec.n_blind * spec.dt_s * 1e6))]
    return sorted_by_time(seen)
