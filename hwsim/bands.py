"""How far constants may be off, carried through to sums by Monte Carlo."""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hwsim.arrays import FloatArray, frozen
from hwsim.chips.spec import Constant

Z90 = 1.2815515594457831  # standard normal quantile of 90 %: where the bands lie
DRAWS = 4096


@dataclass(frozen=True, slots=True)
class Band:
    """Median and the 10th and 90th percentiles that the constants' bands propagate to."""

    median: float
    p10: float
    p90: float


def draw(constants: dict[str, Constant], *, seed: int) -> dict[str, FloatArray]:
    """Log-normal draws of every known constant: its value is the median, p10 and p90 its band.

    Each constant has its own stream: one more, or one less, leaves the draws of the others.
    """
    out = {}
    for name, constant in constants.items():
        if constant.value is not None and constant.rel_uncertainty is not None:
            sigma = np.log1p(constant.rel_uncertainty) / Z90
            out[name] = constant.value * np.exp(sigma * _normal(seed, name))
    return out


@lru_cache(maxsize=128)
def _normal(seed: int, name: str) -> FloatArray:
    rng = np.random.default_rng((seed, zlib.crc32(name.encode())))
    return frozen(rng.standard_normal(DRAWS), np.float64)


def band(value: float | None, draws: FloatArray) -> Band | None:
    """The band of a sum; None where the sum is not known."""
    if value is None:
        return None
    p10, median, p90 = np.percentile(draws, [10, 50, 90])
    return Band(float(median), float(p10), float(p90))
