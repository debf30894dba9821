"""A stream of Gaussians for the fast read, seeded from a Generator."""

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.kernels import analog


class Noise:
    """Gaussians in float32 by `kernels.analog`, up to `size` at a time, from a seed of 256 bits."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        n_words = -(-size // 2)
        self._state = rng.integers(1, 2**64, analog.N_WORDS, dtype=np.uint64)
        self._words = np.empty(n_words, dtype=np.uint64)
        self._drawn = np.empty((2, n_words), dtype=np.float32)

    def draw(self, n: int) -> AnyArray:
        """The next n; they are overwritten by the next call."""
        half = -(-n // 2)
        words = self._words[:half]
        analog.fill_words(self._state, words)
        bits = words.view(np.int32).reshape(2, half)
        drawn = self._drawn.reshape(-1)[: 2 * half].reshape(2, half)
        analog.gaussians_of(bits[0], bits[1], drawn[0], drawn[1])
        return np.asarray(drawn.reshape(-1)[:n])

    def add(self, values: AnyArray, spread: FloatArray) -> None:
        """Add spread (rows, columns or 1) times Gaussians to values (rows, columns), float32."""
        analog.add_spread(values, spread, self.draw(values.size))
