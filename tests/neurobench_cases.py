"""Small networks that snnTorch and hwsim both run: data only, no torch and no hwsim.

Weights, biases and thresholds are multiples of 1/8 and decays 1/2, so float32 and float64 agree to
the last bit. Some weights are zero.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True, eq=False)
class Layer:
    """Synapses and the neurons behind them; `geometry` is a convolution's (None: dense)."""

    weight: np.ndarray
    v_th: float = 1.0
    reset: str = "subtract"
    bias: np.ndarray | None = None
    has_current: bool = False
    recurrent: np.ndarray | None = None
    geometry: dict | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """Layers in a row, their input (samples, steps, *shape), and the batches of a data loader."""

    layers: tuple[Layer, ...]
    samples: np.ndarray
    batch_sizes: tuple[int, ...] = field(default=(1, 3))


def some(seed, *shape, zeros=0.3):
    """Multiples of 1/8 from -1/2 to 1, some of them zero."""
    rng = np.random.default_rng(seed)
    return rng.integers(-4, 9, shape) / 8 * (rng.random(shape) >= zeros)


def drawn(seed, *shape, values=(0, 0, 1)):
    """Input drawn from some values."""
    return np.random.default_rng(seed).choice(values, shape).astype(np.float64)


def mixed(seed, *shape):
    """Zeros and ones, and in every other step of the first sample numbers besides."""
    x = drawn(seed, *shape)
    x[0, ::2] *= 2.5
    return x


DENSE = (Layer(some(1, 12, 10), bias=some(2, 12)), Layer(some(3, 5, 12, zeros=0.0)))
CASES = {
    "dense": Case(DENSE, drawn(10, 6, 9, 10)),
    "conv": Case(
        (
            Layer(
                some(21, 4, 2, 3, 3),
                bias=some(22, 4),
                geometry={"stride": (2, 1), "padding": (1, 2)},
            ),
            Layer(some(23, 4, 2, 2, 2), reset="zero", geometry={"dilation": (1, 2), "groups": 2}),
            Layer(some(24, 3, 40)),
        ),
        drawn(20, 4, 7, 2, 6, 5),
    ),
    "recurrent": Case(
        (Layer(some(31, 8, 6), recurrent=some(32, 8, 8)), Layer(some(33, 4, 8))),
        drawn(30, 6, 10, 6),
    ),
    "values": Case(DENSE, drawn(40, 6, 9, 10, values=(0, 0, 0.5, 1.25, -2)), (1, 4)),
    "values in some steps": Case(DENSE, mixed(50, 6, 9, 10), (1, 2, 6)),
    "ternary": Case(DENSE, drawn(60, 6, 9, 10, values=(-1, 0, 0, 1))),
    "current, silent read-out": Case(
        (Layer(some(71, 9, 7), has_current=True), Layer(some(72, 3, 9), v_th=4096.0, reset="none")),
        drawn(70, 6, 11, 7),
    ),
    "all zero": Case((Layer(some(81, 6, 5)),), np.zeros((3, 4, 5))),
}
