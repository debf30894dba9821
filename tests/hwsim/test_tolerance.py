"""What the tests mean by "nearly equal"."""

import pytest


def test_nothing_is_no_picojoule():
    """pytest's own tolerance of 1e-12 would let any price of an event pass."""
    assert pytest.approx(1e-13) != 0
    assert pytest.approx(1e-13, rel=1e-3) != 1.01e-13
    assert pytest.approx(1e-13) == 1e-13 * (1 + 1e-7)
    assert pytest.approx(1e-13, abs=1e-12) == 0
