"""A stream of Gaussians for the fast read, seeded from a Generator."""

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.kernels import analog

AT_ONCE = 2048  # drawn at a time, to stay in the nearest cache


class Noise:
    """Gaussians in float32 by `kernels.analog`, from a seed of 256 bits.

    `size` is how many are drawn at once, at least.
    """

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        n_words = -(-max(size, AT_ONCE) // 2)
        self.state = rng.integers(1, 2**64, analog.N_WORDS, dtype=np.uint64)
        self.words = np.empty(n_words, dtype=np.uint64)
        self.bits = self.words.view(np.int32)
        self.drawn = np.empty(2 * n_words, dtype=np.float32)

    def draw(self) -> AnyArray:
        """All that are drawn at once; overwritten by the next call."""
        analog.gaussians(self.state, self.words, self.bits, self.drawn)
        return self.drawn
