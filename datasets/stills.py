"""Still images given time: the same grey values at every step, or spikes at a rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .binning import Binning, cropped

WHITE = 255


def frames_of_still(
    still: npt.NDArray[Any], binning: Binning, *, time_axis: int = 0
) -> npt.NDArray[Any]:
    """The image at every step (direct input), or, with `spikes`, its rate code.

    Args:
        still: (..., C, H, W) uint8, one image or many.
        binning: the rule; only `n_steps`, `crop` and `spikes` apply to still images.
        time_axis: where the steps go.

    Returns:
        Grey values as a read-only view that takes no memory, or spikes, 0 or 1, uint8.

    Raises:
        ValueError: if another field is set, or the crop is larger than the image.
    """
    n_steps, crop, spikes = binning.n_steps, binning.crop, binning.spikes
    if binning != Binning(n_steps=n_steps, crop=crop, spikes=spikes):
        raise ValueError(
            "a still image has no time and no polarity: no fields but `n_steps`, `crop` and "
            "`spikes` may be set"
        )
    kept = cropped(still, binning.kept_pixels(still.shape[-3:]))
    shape = (*kept.shape[:time_axis], n_steps, *kept.shape[time_axis:])
    if spikes is None:
        return np.broadcast_to(np.expand_dims(kept, time_axis), shape)
    trains = rate_code(n_steps, spikes)
    coded = np.empty(shape, np.uint8)
    for step, of_step in enumerate(np.moveaxis(coded, time_axis, 0)):
        of_step[...] = trains[kept, step]
    return coded


def rate_code(n_steps: int, spikes: int) -> npt.NDArray[np.uint8]:
    """The spike train of every grey value, evenly spaced, without chance: (256, n_steps), 0 or 1.

    Grey value p has k = round(spikes * p / 255) spikes, the i-th of them in the middle of the
    i-th of k equal parts of the time: at step floor((2 i + 1) n_steps / (2 k)), i = 0 to k - 1.
    No two share a step, as k is at most `n_steps`; a rounding of a half never comes up.
    """
    trains = np.zeros((WHITE + 1, n_steps), np.uint8)
    for grey in range(WHITE + 1):
        k = round(spikes * grey / WHITE)
        middles = 2 * np.arange(k) + 1
        trains[grey, middles * n_steps // (2 * k or 1)] = 1
    return trains
