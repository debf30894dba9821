"""Streams of random numbers: each use has one of its own, so that none repeats another's."""

import numpy as np

from hwsim.arrays import whole_number

CELLS, CONVERTERS, READS, CORRECTION, RANGES = range(5)  # what a stream is for


def stream_of(seed: int, part: int, use: int) -> np.random.Generator:
    """The random numbers of one use of one part.

    The use comes last: NumPy takes (3, 1) and (3, 1, 0) for the same seed.

    Raises:
        ValueError: if the seed is no whole number, or below 0.
    """
    seed = whole_number("`seed`", seed)
    if seed < 0:
        raise ValueError(f"`seed` is {seed}, must be 0 or more")
    return np.random.default_rng((seed, part, use))
