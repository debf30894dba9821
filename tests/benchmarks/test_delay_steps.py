"""Who is compared at delays does the same work; the page shows what was measured."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks import delays, table
from benchmarks.delays import CONV, GEMM, KINDS, OURS, OURS_V1, V1, Work

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "delays.json").read_text(encoding="utf-8"))


@pytest.fixture
def small(monkeypatch):
    """A layer that is measured in no time, and no peer."""
    for name, size in {"SOURCES": 6, "TARGETS": 5, "BATCH": 3, "STEPS": 12, "TAPS": 4}.items():
        monkeypatch.setattr(delays, name, size)
    monkeypatch.setattr(delays, "RATE", 0.5)

    def absent(work, kind, sigma):
        raise delays.NotHere("`pip install DCLS==0.1.1`")

    monkeypatch.setattr(Work, "dcls", absent)


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("place", delays.PLACES)
def test_a_step_gives_the_output_and_every_gradient_that_is_asked_for(place):
    work = Work(place)
    for how in OURS.values():
        shapes = [tuple(tensor.shape) for tensor in work.ours(*how)()]
        inputs = [(12, 3, 6)] if place == "hidden" else []
        assert shapes == [(15, 3, 5), (5, 6, 1), (5, 6, 1), *inputs]
    assert len(work.conv()()) == len(work.product()()) == (3 if place == "hidden" else 2)


@pytest.mark.usefixtures("small")
def test_the_table_names_everybody_and_says_who_is_missing():
    threads = torch.get_num_threads()
    places = {place: delays.compare(place, 1) for place in delays.PLACES}
    assert torch.get_num_threads() == threads
    results = {"machine": delays.machine(), "dcls": None, "rounds": 1, "places": places}
    text = delays.table(results)
    assert all(name in text for name in (*OURS, CONV, GEMM))
    for name in KINDS:
        assert text.count(f"| {name} | not here: `pip install DCLS==0.1.1` | | | |") == 2


def test_the_page_shows_the_results_that_are_committed():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert table.into_page(page, "delays", delays.table(RESULTS)) == page


@pytest.mark.parametrize("place", delays.PLACES)
def test_the_layer_is_as_much_faster_as_was_asked(place):
    goals = delays.goals(place, RESULTS["places"][place])
    assert any(OURS_V1 in what and V1 in what for what, *_ in goals)
    missed = [what for what, _, _, met in goals if not met and "sigma 12" not in what]
    assert not missed
