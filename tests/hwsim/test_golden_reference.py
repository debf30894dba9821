"""The slow reference against Intel's Lava: every state of every neuron in every step."""

import numpy as np
import pytest

from tests.golden import load_cases
from tests.reference import simulate_reference

CASES = load_cases()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reference_is_bit_exact_with_lava(case):
    found = simulate_reference(case.populations, case.projections, case.input)
    for population, states in zip(case.populations, found, strict=True):
        for name, state in zip("uvs", states, strict=True):
            assert np.array_equal(state, getattr(population, name)), name


def test_the_vectors_reach_the_corners():
    """A vector that never wraps or saturates would prove nothing about it."""
    states = [p for case in CASES for p in case.populations]
    assert max(abs(p.v).max() for p in states) == 2**23 - 1
    assert max(abs(p.u).max() for p in states) > 2**23  # folded back once, still outside
    assert min(p.v.min() for p in states) == -(2**23 - 1)
    assert {du for p in states for du in p.du.flat} >= {0, 4095}
    assert {p.num_weight_bits for case in CASES for p in case.projections} == set(range(1, 9))
    assert {p.weight_exp for case in CASES for p in case.projections} >= set(range(-3, 7))
    delays = [p.delays for case in CASES for p in case.projections if p.delays is not None]
    assert max(d.max() for d in delays) == 63
    assert len(CASES) >= 60
    silent = sum(not any(p.s.any() for p in case.populations) for case in CASES)
    assert silent < len(CASES) // 10
