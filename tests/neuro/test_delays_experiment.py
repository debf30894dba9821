"""The experiment of learned delays: complete, told as it is, and able to run."""

import csv
import io
import itertools
import os
from pathlib import Path

import numpy as np
import pytest

from experiments.delays import measure
from experiments.delays.cases import ARMS, FOLDER, SEEDS, SPLITS, Case, n_parameters
from experiments.delays.run import DELAYS, read_rows
from experiments.delays.summary import sign_flip, summary
from hwsim import load_network
from neuro.recipe import Recipe
from neuro.runs import run_for
from neuro.training import train as training
from neuro.training.samples import Samples

MAIN = ("learned", "fixed", "none")


@pytest.fixture(scope="module")
def rows():
    return read_rows()


def test_all_seeds_of_all_arms_are_there(rows):
    found = {(r["split"], r["arm"], r["seed"]) for r in rows}
    assert found >= {Case(*each).key for each in itertools.product(SPLITS, MAIN, SEEDS)}
    assert {(split, "counts", "") for split in SPLITS} < found
    assert len(found) == len(rows)
    assert {r["n_test"] for r in rows if r["split"] == "index"} == {"250"}
    assert {r["n_test"] for r in rows if r["split"] == "speaker"} == {"500"}


def test_the_rows_are_of_this_recipe(rows):
    for split, arm in itertools.product(SPLITS, ARMS):
        row = next((r for r in rows if (r["split"], r["arm"]) == (split, arm)), None)
        if row is not None:
            recipe = Case(split, arm, int(row["seed"])).recipe()
            assert int(row["parameters"]) == n_parameters(recipe)
            assert [int(row["hidden1"]), int(row["hidden2"])] == [
                layer.size for layer in recipe.model.layers[:2]
            ]


def test_arms_have_as_many_trained_numbers():
    learned, *others = (n_parameters(Case("index", arm, 0).recipe()) for arm in MAIN)
    assert np.allclose(others, learned, rtol=0.01)


def test_no_spike_differs_between_torch_and_the_chip(rows):
    trained = [r for r in rows if r["arm"] != "counts"]
    assert all(int(r["chip_spikes"]) > 10_000 for r in trained)
    assert {r["chip_different"] for r in trained} == {"0"}
    assert {r["float_different"] for r in trained} == {"0"}
    for row in trained:
        assert int(row["n_test"]) - int(row["chip_test"]) == len(row["chip_wrong"].split())


def test_the_readme_shows_these_rows(rows):
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    tables = summary(rows).split("\n\n")
    assert len(tables) == 3
    for table in tables:
        assert f"\n\n{table}\n\n" in readme


def test_the_delays_that_were_counted_are_all_synapses(rows):
    for row in (r for r in rows if r["arm"] == "learned"):
        counted = [r for r in read_rows(DELAYS)
                   if (r["split"], r["seed"]) == (row["split"], row["seed"])]  # fmt: skip
        for column in ("before", "after"):
            first = sum(int(r[column]) for r in counted if r["layer"] == "hidden1")
            assert first == 64 * int(row["hidden1"])


@pytest.mark.parametrize("differences", [[3, 1, 4, 1, 5], [2, -1, 0, 3], [-7, 2, -3]])
def test_the_sign_flip_test_counts_all_flips(differences):
    signs = itertools.product((1, -1), repeat=len(differences))
    sums = np.array([np.dot(sign, differences) for sign in signs])
    expected = (abs(sums) >= abs(sum(differences))).mean()
    assert sign_flip(differences) == pytest.approx(expected)


def few(spec, split, root=None):
    """Some recordings of a split, read without binning all of it."""
    from neuro import datasets

    data = datasets.load(spec.name, split, root=root)
    places = np.arange(0, len(data), len(data) // 12)[:12]
    frames = np.stack([data.frames(int(i), spec.binning) for i in places])
    return Samples(frames, data.labels[places], data.class_names, spec.name, split)


def test_an_arm_goes_from_sounds_to_the_chip(monkeypatch, tmp_path):
    if not list(Path(os.environ.get("NEURO_DATA", "nowhere")).glob("fsdd/*.zip")):
        pytest.skip("set NEURO_DATA to a folder with fsdd/*.zip")
    monkeypatch.setattr(training, "load_split", few)
    asked = Case("index", "learned", 1)
    short = asked.recipe().model_dump()
    short["train"] |= {"epochs": 2}
    short["qat"] |= {"epochs": 1, "calibration": 8}
    for layer in short["model"]["layers"][:2]:
        layer["size"] = 4
    monkeypatch.setattr(Case, "recipe", lambda _: Recipe.model_validate(short))
    row, moves = measure.row_of(asked, tmp_path)
    assert set(row) == set(measure.COLUMNS)
    assert row["n_test"] == 12
    assert row["chip_different"] == row["float_different"] == 0
    assert row["qat_test"] == row["chip_test"]
    assert row["float_test"] == row["hwsim_float_test"]
    assert sum(int(move["after"]) for move in moves) == 64 * 4 + 4 * 4
    assert float(row["moved_steps"]) > 0
    measure.save_networks(run_for(asked.recipe(), tmp_path), tmp_path)
    assert [p.name for p in load_network(tmp_path / "chip.h5").populations][-1] == "readout"


def test_a_row_replaces_the_one_of_its_name(monkeypatch, tmp_path):
    from experiments.delays import run

    monkeypatch.setattr(run, "RESULTS", tmp_path / "results.csv")
    monkeypatch.setattr(run, "DELAYS", tmp_path / "delays.csv")
    monkeypatch.setattr(run, "read_rows", lambda path=tmp_path / "results.csv": rows_in(path))
    for seed, hold in (("1", "5"), ("0", "6"), ("1", "7")):
        row = dict.fromkeys(measure.COLUMNS, "") | {"split": "index", "arm": "none"}
        run.keep_one(row | {"seed": seed, "hold": hold}, [])
    kept = rows_in(tmp_path / "results.csv")
    assert [(r["seed"], r["hold"]) for r in kept] == [("0", "6"), ("1", "7")]


def rows_in(path: Path):
    return list(csv.DictReader(io.StringIO(path.read_text()))) if path.exists() else []
