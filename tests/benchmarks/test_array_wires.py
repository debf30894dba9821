"""Who is compared at solving wires solves the same equations; the page shows what was measured."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import crossbar_wires, table
from benchmarks.crossbar_wires import BATCH, DIRECT, IDEAL, OURS, READ, REDUCE, SIZES, Work

ROOT = Path(__file__).parents[2]
RESULTS = json.loads((ROOT / "benchmarks" / "crossbar_wires.json").read_text(encoding="utf-8"))


def test_all_find_the_same_currents():
    work = Work(24)
    reference = crossbar_wires.exact(work)
    calls = crossbar_wires.ours(work) | crossbar_wires.direct(work)
    for name in (OURS, REDUCE, *DIRECT, crossbar_wires.KEPT, crossbar_wires.ALIKE):
        assert calls[name]() == pytest.approx(reference, rel=1e-11), name
    assert calls[READ]().shape == calls[IDEAL]().shape == (BATCH, 24)
    assert not np.allclose(calls[IDEAL](), calls[READ](), rtol=1e-4)


def test_the_table_names_everybody_and_says_who_is_missing(monkeypatch):
    monkeypatch.setattr(crossbar_wires, "REDUCE_S", {16: 60.0})

    def absent(work):
        raise crossbar_wires.NotHere("`pip install badcrossbar==1.1.0`")

    monkeypatch.setattr(crossbar_wires, "badcrossbar", absent)
    result = crossbar_wires.compare(16, 1)
    text = crossbar_wires.table({"machine": crossbar_wires.machine(), "sizes": {"16": result}})
    assert all(name in text for name in (OURS, REDUCE, READ, *DIRECT))
    assert "| badcrossbar | not here: `pip install badcrossbar==1.1.0` | | | |" in text
    assert "| 16 | reduction, s | at most 60 | " in text


def test_the_page_shows_the_results_that_are_committed():
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    assert table.into_page(page, "crossbar wires", crossbar_wires.table(RESULTS)) == page


def test_what_was_asked_was_met_in_the_committed_run():
    assert list(RESULTS["sizes"]) == [str(n) for n in SIZES]
    for n, result in RESULTS["sizes"].items():
        assert all(met for *_, met in crossbar_wires.goals(int(n), result)), n
        assert not result["absent"]
