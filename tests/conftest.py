"""For all tests: one Hypothesis profile, and, of prices, no tolerance that they vanish in."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# no deadline, since the first call of a kernel compiles; the same examples on every run, so that a
# change is what turns a test red: with EXPLORE set, new ones
settings.register_profile(
    "laws",
    deadline=None,
    max_examples=15,
    derandomize="EXPLORE" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("laws")

_approx = pytest.approx


def _relative(expected: Any, rel: Any = None, abs: Any = None, nan_ok: bool = False) -> Any:
    """`pytest.approx` whose absolute tolerance is 0 unless it is given, not 1e-12.

    An event costs picojoules, a cell microsiemens: within 1e-12 of them lies 0.
    """
    if abs is None and expected is not None:
        return _approx(expected, rel=1e-6 if rel is None else rel, abs=0, nan_ok=nan_ok)
    return _approx(expected, rel=rel, abs=abs, nan_ok=nan_ok)


OF_PRICES = ("ann", "comparison", "crossbar_bill", "crossbar_scaling", "energy", "tolerance")


@pytest.fixture(autouse=True)
def prices_are_compared_by_ratio(request, monkeypatch):
    """In tests of prices `pytest.approx` is `_relative`."""
    if request.module.__name__.rpartition("test_")[2] in OF_PRICES:
        monkeypatch.setattr(pytest, "approx", _relative)
