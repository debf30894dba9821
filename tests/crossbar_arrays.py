"""Random arrays and wires for the laws of the crossbar's solvers."""

import itertools

import numpy as np
from hypothesis import strategies as st

from hwsim.crossbar.wires import Wires
from tests.strategies import rngs

ENDS = list(itertools.product(("left", "right", "both"), ("bottom", "top", "both")))
W5 = Wires(r_word_ohm=1.0, r_bit_ohm=1.0)


def ohms():
    return st.one_of(st.just(0.0), st.floats(1e-3, 1e3))


@st.composite
def all_wires(draw, resistances=None):
    driven, sensed = draw(st.sampled_from(ENDS))
    four = [draw(ohms() if resistances is None else resistances) for _ in range(4)]
    return Wires(*four, driven=driven, sensed=sensed)


@st.composite
def arrays(draw, largest=24):
    """Conductances, some of them 0, and voltages of both signs."""
    rng = draw(rngs())
    shape = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    g = rng.uniform(1e-6, 1e-4, shape) * (rng.random(shape) < draw(st.sampled_from([0.1, 0.7, 1])))
    return g, rng.uniform(-0.1, 0.2, shape[0]) * (rng.random(shape[0]) < 0.8)


def random_array(n, cols=None, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(1e-6, 1e-4, (n, cols or n)), rng.uniform(0.0, 0.2, n)


def full_scale(*currents):
    return max(1e-30, *(float(np.abs(i).max()) for i in currents))


def off(found, expected):
    """Largest error of currents, of the largest current."""
    scale = full_scale(*expected[:2])
    return max(float(np.abs(f - e).max()) for f, e in zip(found, expected, strict=False)) / scale
