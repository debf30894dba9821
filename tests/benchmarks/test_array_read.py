"""Who is compared at reading an array does the same work, and errs as much."""

import pytest

from benchmarks import crossbar_read
from benchmarks.crossbar_read import CHAIN, FAST, LIMIT, Work, chain, compare, ours, table
from benchmarks.timing import WALL, measured


def test_all_do_the_same_work():
    work = Work(64)
    errors = ours(work)[0] | chain(work)[0]
    assert errors.pop(LIMIT) < 1e-6
    each = errors.pop("hwsim, float32, another spread for each cell")
    assert each == pytest.approx(errors[FAST], rel=0.1)
    few = errors.pop("hwsim, noise drawn for each cell")  # of 8 vectors
    assert few == pytest.approx(errors[FAST], rel=0.2)
    assert len(errors) == 3
    assert all(e == pytest.approx(errors[FAST], rel=0.02) for e in errors.values())


def test_the_table_names_everybody_and_says_who_is_missing(monkeypatch):
    monkeypatch.setattr(crossbar_read, "BATCH", 32)
    result = compare(256, None, 1)
    text = table({"machine": crossbar_read.machine(), "sizes": {256: result}})
    assert all(name in text for name in (LIMIT, FAST, CHAIN))
    assert "aihwkit | not here: aihwkit 1.1.0 needs torch 2.10" in text
    assert "| 256 | aihwkit compiled tile, same work | 4 | not here |" in text


def test_a_measurement_has_the_processor_s_time_and_the_clock_s():
    found = measured("some", lambda: sum(range(20_000)), 2, n_calls=3)
    assert set(found) == {"some", "some" + WALL}
    assert found["some"] > 0
    assert found["some" + WALL] > 0
