"""The approximate array says its error, and says it truly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.crossbar.approximate import approximate_array
from hwsim.crossbar.wires import Wires, reduce_array
from tests.crossbar_arrays import W5, all_wires, arrays, random_array


def test_stated_errors_are_those_against_the_reduction():
    """The checks drawn once more, and read through the exact matrix instead of solved."""
    g, _ = random_array(48, 32)
    found = approximate_array(g, W5, np.random.default_rng(5), activity=0.25, n_checks=6)
    rng, checks = np.random.default_rng(5), np.zeros((6, 48))
    for row in checks:
        row[rng.permutation(48)[:12]] = 1.0
    exact = checks @ reduce_array(g, W5).g_eff
    off = (checks @ found.g_eff - exact) / exact.max(axis=1, keepdims=True)
    assert found.error == pytest.approx(np.abs(off).max(), rel=1e-6)
    assert found.rms_error == pytest.approx(np.sqrt((off**2).mean()), rel=1e-6)
    ideal = (checks @ g - exact) / exact.max(axis=1, keepdims=True)
    assert found.ideal_error == pytest.approx(np.abs(ideal).max(), rel=1e-6)


@pytest.mark.parametrize("n", [64, 128])
def test_it_misses_far_less_than_ideal_wires(n):
    g, _ = random_array(n)
    found = approximate_array(g, W5, np.random.default_rng(0))
    assert found.error < 0.1 * found.ideal_error


@given(arrays(), all_wires())
def test_it_is_exact_where_all_rows_are_driven_alike(array, w):
    g, _ = array
    found = approximate_array(g, w, np.random.default_rng(0), activity=1.0, n_checks=1)
    assert found.error < 2e-9


@given(arrays(), st.floats(0.01, 1.0))
def test_without_resistance_it_is_the_array_itself(array, activity):
    g, _ = array
    found = approximate_array(g, Wires(), np.random.default_rng(0), activity=activity)
    assert np.array_equal(found.g_eff, g)
    assert found.error < 1e-12  # sums may be added up in another order


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"activity": 0.0}, "activity is 0, must be above 0 and at most 1"),
        ({"activity": float("nan")}, "activity is nan, must be above 0"),
        ({"n_checks": 0}, "n_checks is 0, must be 1 to 10000: nothing unmeasured"),
    ],
)
def test_bad_input_is_one_clear_line(wrong, message):
    with pytest.raises(ValueError, match=message):
        approximate_array(np.ones((2, 2)), W5, np.random.default_rng(0), **wrong)
