"""The binning rule, in one place: from events, or finer frames, to frames of 8-bit counts.

An event at time t falls into step floor(t * n_steps / window), in whole microseconds. Events
before 0 or at or after the window's end are dropped. Time 0 is the recording's start, or, with
`from_first`, the first event. Polarity 0 (OFF) is channel 0, polarity 1
(ON) is channel 1. A crop comes first: pixels outside it are as if they had never been seen.
Clipping comes last, after polarities and pixels have been added up. A count that does not fit in
8 bits is an error, never a silent saturation.
"""

from __future__ import annotations

from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

EVENT_DTYPE = np.dtype([("x", np.int16), ("y", np.int16), ("t", np.int64), ("p", np.bool_)])
MAX_COUNT = 255


class Binning(BaseModel):
    """How events become frames: time bins, polarity, clipping. The rule is in the module's text.

    `crop` keeps the centre, so many pixels a side, and `downsample` works on what is left. Of n
    rows or columns those from (n - crop) // 2 on are kept: where the margin n - crop is odd, one
    more goes at the bottom or on the right. `spikes` is for still images alone: a rate code, see
    `stills.rate_code`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    n_steps: PositiveInt
    window_s: PositiveFloat | None = None  # None: the data set's nominal duration
    polarity: Literal["both", "merge", "on", "off"] = "both"
    clip: int | None = Field(default=None, ge=1, le=MAX_COUNT)  # 1: binary; None: counts
    crop: PositiveInt | None = None  # pixels per side of (C, H, W); None: all
    downsample: PositiveInt = 1  # neighbours summed: pixels per side of (C, H, W), or channels
    from_first: bool = False  # whether time counts from the first event
    spikes: PositiveInt | None = None  # of a white pixel of a still image; None: grey values

    @model_validator(mode="after")
    def _spikes_have_steps(self) -> Self:
        if self.spikes is not None and self.spikes > self.n_steps:
            raise ValueError(
                f"`spikes = {self.spikes}` in {self.n_steps} steps, at most one a step: lower "
                "`spikes` or raise `n_steps`"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Later fields only where they are set: runs and caches from before keep their names."""
        found: dict[str, Any] = plain(self)
        for name, usual in (("from_first", False), ("crop", None), ("spikes", None)):
            if found[name] == usual:
                found.pop(name)
        return found

    def with_window(self, duration_s: float) -> Binning:
        """This rule, with `window_s` filled in where it was left to the data set."""
        if self.window_s is not None:
            return self
        return Binning.model_validate(self.model_dump() | {"window_s": duration_s})

    def frame_shape(self, sample_shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of one time step of a sample of shape (C, H, W) or (channels,)."""
        n_channels = 2 if self.polarity == "both" else 1
        if sample_shape[0] != 2 or len(sample_shape) != 3:
            if self.polarity in ("on", "off"):
                raise ValueError(
                    f"`polarity = {self.polarity}` needs data with two polarities, "
                    f"this has shape {sample_shape}: use `both`"
                )
            n_channels = sample_shape[0]
        kept = self.kept_pixels(sample_shape)
        if len(sample_shape) == 3:
            height, width = (axis.stop - axis.start for axis in kept)
            return n_channels, -(-height // self.downsample), -(-width // self.downsample)
        return (-(-n_channels // self.downsample),)

    def kept_pixels(self, sample_shape: tuple[int, ...]) -> tuple[slice, ...]:
        """Rows and columns of (C, H, W) that `crop` leaves: all without it; channels have none.

        Raises:
            ValueError: if the crop is larger than the sensor, or the data has no pixels.
        """
        sides = sample_shape[1:]
        if self.crop is None:
            return tuple(slice(0, n) for n in sides)
        if len(sample_shape) != 3 or self.crop > min(sides):
            raise ValueError(
                f"`crop = {self.crop}` needs data of shape (C, H, W) and {self.crop} pixels a side "
                f"or more, this has shape {sample_shape}: lower `crop` or leave it out"
            )
        starts = ((n - self.crop) // 2 for n in sides)
        return tuple(slice(start, start + self.crop) for start in starts)

    @property
    def window_us(self) -> int:
        """The window in whole microseconds, at least one per step; only what has time has one."""
        if self.window_s is None:
            raise ValueError("`window_s` must be set where no data set gives it")
        if self.spikes is not None:
            raise ValueError("`spikes` is a code of still images, this data has time: leave it out")
        window_us = round(self.window_s * 1e6)
        if window_us < self.n_steps:
            raise ValueError(
                f"{self.n_steps} steps in {window_us} microseconds, at most one per "
                "microsecond: lower `n_steps` or raise `window_s`"
            )
        return window_us


def bin_events(
    events: npt.NDArray[Any], binning: Binning, sample_shape: tuple[int, ...]
) -> npt.NDArray[np.uint8]:
    """Count events per time step, channel and pixel.

    Args:
        events: structured array with x, y, t (microseconds), p, in any order.
        binning: the rule; `window_s` must be set.
        sample_shape: (C, H, W), or (channels,) where x is the channel.

    Returns:
        Counts (n_steps, *binning.frame_shape(sample_shape)).

    Raises:
        ValueError: if an event lies outside `sample_shape`, or a count exceeds 255.
    """
    shape = (binning.n_steps, *binning.frame_shape(sample_shape))
    t = events["t"].astype(np.int64)
    if binning.from_first and len(t):
        t = t - t.min()
    inside = (t >= 0) & (t < binning.window_us)
    kept, t = events[inside], t[inside]
    if binning.polarity in ("on", "off"):
        chosen = kept["p"].astype(bool) == (binning.polarity == "on")
        kept, t = kept[chosen], t[chosen]
    _check_inside(kept, sample_shape)
    x, y = (kept[axis].astype(np.int64) for axis in "xy")
    if binning.crop is not None:
        rows, columns = binning.kept_pixels(sample_shape)
        x, y = x - columns.start, y - rows.start
        inside = (np.minimum(x, y) >= 0) & (np.maximum(x, y) < binning.crop)
        kept, t, x, y = kept[inside], t[inside], x[inside], y[inside]
    step = t * binning.n_steps // binning.window_us
    x, y = x // binning.downsample, y // binning.downsample
    if len(shape) == 2:
        where: tuple[npt.NDArray[np.int64], ...] = (step, x)
    else:
        channel = kept["p"].astype(np.int64) if shape[1] == 2 else np.zeros_like(step)
        where = (step, channel, y, x)
    flat = np.ravel_multi_index(where, shape)
    return _to_counts(np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape), binning)


def sorted_by_time(events: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The events in order of time; those of one time stay in the order they have."""
    in_order: npt.NDArray[Any] = events[np.argsort(events["t"], kind="stable")]
    return in_order


def bin_frames(
    frames: npt.NDArray[Any], binning: Binning, duration_s: float
) -> npt.NDArray[np.uint8]:
    """Sum fine frames (time, *shape), spread evenly over `duration_s`, into `n_steps`.

    Frame k begins at k * duration / frames, and goes where an event at that time would go.

    Raises:
        ValueError: if a count exceeds 255, or the rule asks for what frames do not have.
    """
    if binning.from_first:
        raise ValueError("`from_first` needs events, this data has frames: leave it out")
    inside, step = _steps_of_frames(len(frames), binning, duration_s)
    counts = np.zeros((binning.n_steps, *binning.frame_shape(frames.shape[1:])), np.int64)
    kept = binning.kept_pixels(frames.shape[1:])
    summed = cropped(frames[inside], kept).astype(np.int64)
    for axis in (2, 3) if kept else (1,):
        starts = np.arange(0, summed.shape[axis], binning.downsample)
        summed = np.add.reduceat(summed, starts, axis=axis)
    np.add.at(counts, step, summed)
    return _to_counts(counts, binning)


def place_frames(
    frames: npt.NDArray[Any], binning: Binning, duration_s: float
) -> npt.NDArray[np.float32]:
    """Analogue frames (time, *shape), each in the step in which it begins; other steps are 0.

    They are kept as they are: what is on a scale of decibels cannot be added up.

    Raises:
        ValueError: if two frames would share a step, or the rule asks for more than `n_steps` and
            `window_s`.
    """
    if binning != Binning(n_steps=binning.n_steps, window_s=binning.window_s):
        raise ValueError(
            "analogue frames are kept as they are: no field but `n_steps` and `window_s` may be set"
        )
    inside, step = _steps_of_frames(len(frames), binning, duration_s)
    if len(np.unique(step)) < len(step):
        raise ValueError(
            f"{len(step)} analogue frames in {binning.n_steps} steps cannot be added up: "
            "raise `n_steps` or lower `window_s`"
        )
    placed = np.zeros((binning.n_steps, *frames.shape[1:]), np.float32)
    placed[step] = frames[inside]
    return placed


def _steps_of_frames(
    n_frames: int, binning: Binning, duration_s: float
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """Which frames begin within the window, and the steps that they fall into."""
    start_us = np.arange(n_frames, dtype=np.int64) * round(duration_s * 1e6) // n_frames
    inside = start_us < binning.window_us
    return inside, start_us[inside] * binning.n_steps // binning.window_us


def cropped(frames: npt.NDArray[Any], kept: tuple[slice, ...]) -> npt.NDArray[Any]:
    """The kept pixels of frames (..., H, W), or all of frames without pixels."""
    where: Any = (..., *kept)
    cropped: npt.NDArray[Any] = frames[where]
    return cropped


def _check_inside(events: npt.NDArray[Any], sample_shape: tuple[int, ...]) -> None:
    """Raise unless every event has a place in `sample_shape`."""
    limits = {"x": sample_shape[-1], "y": sample_shape[-2] if len(sample_shape) == 3 else 1}
    for axis, limit in limits.items():
        if len(events) and not 0 <= events[axis].min() <= events[axis].max() < limit:
            worst = max(events[axis], key=lambda value: abs(int(value) - limit // 2))
            raise ValueError(
                f"an event has {axis} = {worst}, must be in 0 to {limit - 1}: "
                "are events and sample shape of the same data set?"
            )


def _to_counts(counts: npt.NDArray[np.int64], binning: Binning) -> npt.NDArray[np.uint8]:
    """Clip if asked to, and refuse what does not fit in 8 bits."""
    if binning.clip is not None:
        counts = np.minimum(counts, binning.clip)
    if counts.size and counts.max() > MAX_COUNT:
        raise ValueError(
            f"{counts.max()} events in one bin, at most {MAX_COUNT} fit: "
            f"set `clip = {MAX_COUNT}` or raise `n_steps`"
        )
    return counts.astype(np.uint8)
