"""Fit the saccade simulator to real N-MNIST, and print what it then gives beside the target.

python -m neuro.datasets.fit_saccades            # print the comparison (10 s)
python -m neuro.datasets.fit_saccades --fit      # fit again on 256 images (3 min)

The targets were measured on the 850 recordings of `nmnist-small`; a test measures them again.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .digits import SEED, SPEC, digit_images
from .saccades import SaccadeSpec, saccade_events

N_BUSY = 3  # a pixel with at least so many events has seen the digit
SACCADE_US = 105_000

# What a recording shows, over the 850: mean, standard deviation or fraction.
TARGETS = {
    "events": 4119.4,
    "events_std": 1157.5,
    "on_fraction": 0.500,
    "saccade_1": 1498.2,
    "saccade_2": 1355.3,
    "saccade_3": 1265.9,
    "busy_pixels": 329.9,
    "busy_pixels_std": 69.8,
    "events_per_busy_pixel_std": 1.36,
    "height_px": 20.6,  # of the busy pixels, 5th to 95th percentile
    "width_px": 16.1,
}
FITTED = (
    "threshold_off",
    "threshold_on",
    "dark",
    "blur_px",
    "digit_px",
    "width_spread",
    "light_spread",
)
# A deviation of this fraction of the target weighs 1 in the fit. The six published ones come first.
WEIGHTS = {name: 0.01 if i < 6 else 0.10 for i, name in enumerate(TARGETS)}


def statistics(recordings: Iterable[npt.NDArray[Any]]) -> dict[str, float]:
    """The numbers of `TARGETS`, of any recordings of 34 x 34 pixels."""
    rows = np.array([_describe(events) for events in recordings])
    n, on, first, second, third, busy, per_busy, height, width = rows.T
    values = (
        *(n.mean(), n.std(), on.mean(), first.mean(), second.mean(), third.mean()),
        *(busy.mean(), busy.std(), per_busy.std(), height.mean(), width.mean()),
    )
    return dict(zip(TARGETS, map(float, values), strict=True))


def _describe(events: npt.NDArray[Any]) -> tuple[float, ...]:
    pixel = events["y"].astype(np.int64) * 34 + events["x"]
    y, x = np.divmod(np.flatnonzero(np.bincount(pixel, minlength=34 * 34) >= N_BUSY), 34)
    saccade = np.bincount(np.minimum(events["t"] // SACCADE_US, 2), minlength=3)
    size = [np.subtract(*np.percentile(axis, [95, 5])) if len(axis) else 0 for axis in (y, x)]
    n_busy = max(len(x), 1)
    return (len(events), events["p"].mean(), *saccade, len(x), len(events) / n_busy, *size)


def simulate(spec: SaccadeSpec, *, every: int = 1) -> list[npt.NDArray[Any]]:
    """Recordings of every `every`-th digit."""
    images = digit_images()[0][::every]
    indices = np.arange(len(images)) * every
    blocks = [slice(k, k + 32) for k in range(0, len(images), 32)]
    return [
        events
        for block in blocks
        for events in saccade_events(images[block], indices[block], spec=spec, seed=SEED)
    ]


def fit(start: SaccadeSpec) -> SaccadeSpec:
    """The spec nearest to the targets: least squares over the logarithms of `FITTED`."""
    from scipy.optimize import least_squares

    def with_values(logs: npt.NDArray[np.float64]) -> SaccadeSpec:
        values = dict(zip(FITTED, np.exp(logs).tolist(), strict=True))
        return SaccadeSpec.model_validate(start.model_dump() | values)

    def errors(logs: npt.NDArray[np.float64]) -> list[float]:
        got = statistics(simulate(with_values(logs), every=7))
        return [(got[name] / TARGETS[name] - 1) / WEIGHTS[name] for name in TARGETS]

    first = np.log([getattr(start, name) for name in FITTED])
    return with_values(least_squares(errors, first, diff_step=0.02, max_nfev=12).x)


def main() -> None:
    """Print target and simulation side by side; with `--fit`, after a new fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit again before comparing")
    spec = fit(SPEC) if parser.parse_args().fit else SPEC
    got = statistics(simulate(spec))
    print("\n".join(f"{name} = {getattr(spec, name):.4g}" for name in FITTED))
    print("\n".join(f"{name:26} {TARGETS[name]:9.4g} {got[name]:9.4g}" for name in TARGETS))


if __name__ == "__main__":
    main()
