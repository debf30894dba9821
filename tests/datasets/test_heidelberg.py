"""SHD and SSC, from files in the published format: exact bins, splits, damage, download."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import Binning, DatasetMissing, fetch, load
from neuro.datasets.heidelberg import microseconds

from tests.datasets.heidelberg_files import PARTS, samples, write, write_set

PAPER = Binning(n_steps=140, window_s=1.4, downsample=5, from_first=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    place = tmp_path_factory.mktemp("heidelberg")
    return write_set(write_set(place, "shd"), "ssc")


def slowly(times, units, *, from_first):
    """The paper's preprocessing, spike by spike, in whole numbers: float16 is k / 2**24 s."""
    counts = np.zeros((140, 140), int)
    ticks = [round(float(t) * 2**24) for t in times]
    first = min(ticks) if from_first else 0
    for tick, unit in zip(ticks, units, strict=True):
        counts[(tick - first) * 100 // 2**24, int(unit) // 5] += 1
    return counts


@pytest.mark.parametrize("from_first", [True, False])
def test_bins_are_those_of_exact_arithmetic(root, from_first):
    rule = Binning.model_validate(PAPER.model_dump() | {"from_first": from_first})
    x, labels = load("shd", root=root).binned(rule)
    assert x.dtype == np.uint8
    with h5py.File(root / "SHD" / "shd_train.h5") as file:
        for i in range(len(x)):
            times, units = file["spikes/times"][i], file["spikes/units"][i]
            assert np.array_equal(x[i], slowly(times, units, from_first=from_first))
            assert x[i].sum() == len(times)
        assert np.array_equal(labels, file["labels"])


@given(st.lists(st.integers(0, 1433), min_size=1, max_size=8))
def test_a_time_on_the_edge_of_a_bin_begins_it(thousandths):
    """float16 has 0.25 exactly, and 0.01 only nearly: what counts is the number in the file."""
    times = np.array([0.25, *(k / 1024 for k in thousandths)], np.float16)
    exact = [round(float(t) * 2**24) * 100 // 2**24 for t in times]
    assert (microseconds(times) // 10_000).tolist() == exact
    assert exact[0] == 25


def test_samples_are_sorted_events_read_when_asked_for(root):
    train = load("shd", root=root)
    events, label = train[21]
    assert label == 1
    assert (np.diff(events["t"]) >= 0).all()
    assert (events["y"] == 0).all()
    assert events["p"].all()
    assert train.sample_shape == (700,)
    assert train.class_names[3] == "word3"


def test_the_held_back_part_of_shd_is_two_speakers(root):
    train, fit, hold, test = (load("shd", split, root=root) for split in
                              ("train", "fit", "hold", "test"))  # fmt: skip
    assert fit.keys.tolist() == list(range(20))
    assert hold.keys.tolist() == list(range(20, 40))
    assert len(train) == len(fit) + len(hold)
    assert test.read.args != train.read.args


def test_ssc_has_a_part_of_its_own_for_validation(root):
    fit, hold, valid = (load("ssc", split, root=root) for split in ("fit", "hold", "valid"))
    assert len(fit) == len(load("ssc", root=root)) == 70
    assert hold.read.args == valid.read.args != fit.read.args


def test_shd_without_the_held_back_speakers_is_an_error(tmp_path):
    labels, _, times, units = samples(np.random.default_rng(0), 20, 20)
    write(tmp_path / "SHD" / "shd_train.h5", 20, labels, np.ones(20), times, units)
    with pytest.raises(ValueError, match="no samples for split 'hold', only speakers 1: fetch"):
        load("shd", "hold", root=tmp_path)


def spoiled(tmp_path, change):
    path = write_set(tmp_path, "shd", n=3) / "SHD" / "shd_train.h5"
    with h5py.File(path, "r+") as file:
        change(file)
    return tmp_path


def set_label(file):
    file["labels"][1] = 20


def set_unit(file):
    file["spikes/units"][1] = np.full(40, 700, np.uint16)


def set_time(file):
    file["spikes/times"][1] = np.full(40, np.inf, np.float16)


def drop(part):
    def change(file):
        del file[part]

    return change


def shorten(part, value):
    def change(file):
        del file[part]
        file[part] = value

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_label, "a label is 20, must be 0 to 19"),
        (drop("labels"), "cannot be read .*labels"),
        (drop("spikes/units"), "cannot be read .*units"),
        (drop("extra/speaker"), "cannot be read .*speaker"),
        (drop("extra/keys"), "cannot be read .*keys"),
        (shorten("labels", [0, 1]), "3 spikes/times, 3 spikes/units, 2 labels, 3 extra/speaker"),
        (shorten("extra/keys", [b"one"]), "1 names of classes, must be 20"),
    ],
)
def test_a_file_that_lacks_something_is_an_error_of_one_line(tmp_path, change, reason):
    with pytest.raises(ValueError, match=rf"shd_train\.h5: {reason}") as error:
        load("shd", root=spoiled(tmp_path, change))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_unit, "sample 1 has a unit above 699"),
        (set_time, "sample 1 has a time below 0 or not finite"),
        (lambda f: f["spikes/units"].__setitem__(1, np.zeros(3, np.uint16)), "40 times for 3"),
    ],
)
def test_a_damaged_sample_is_an_error_when_it_is_read(tmp_path, change, reason):
    train = load("shd", root=spoiled(tmp_path, change))
    assert len(train[0][0]) == 40
    with pytest.raises(ValueError, match=rf"{reason}.*fetch the file again"):
        train[1]


@pytest.mark.parametrize("n_kept", [0, 100, 5000])
def test_a_cut_file_is_an_error_of_one_line(tmp_path, n_kept):
    path = write_set(tmp_path, "ssc", n=35) / "SSC" / "ssc_train.h5"
    path.write_bytes(path.read_bytes()[:n_kept])
    with pytest.raises(ValueError, match=r"ssc_train\.h5: cannot be read") as error:
        load("ssc", root=tmp_path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["shd", "ssc"])
def test_what_tonic_downloads_can_be_loaded(root, name, tmp_path, monkeypatch):
    def set_of_tonic(save_to, **which):
        value = which.get("split") or ("train" if which["train"] else "test")
        place = Path(save_to) / name.upper()
        place.mkdir(exist_ok=True)
        shutil.copy(root / name.upper() / f"{name}_{value}.h5", place)
        (place / f"{name}_{value}.h5.zip").touch()

    monkeypatch.setattr(f"tonic.datasets.{name.upper()}", set_of_tonic)
    with pytest.raises(DatasetMissing, match=f"run `neuro data fetch {name}`"):
        load(name, root=tmp_path)
    assert fetch(name, tmp_path) == tmp_path / name.upper()
    assert fetch(name, tmp_path) == tmp_path  # it is here
    here = sorted(path.name for path in (tmp_path / name.upper()).iterdir())
    assert here == sorted(f"{name}_{part}.h5" for part in PARTS[name])
    assert np.array_equal(load(name, root=tmp_path)[3][0], load(name, root=root)[3][0])
    assert [path.name for path in tmp_path.iterdir()] == [name.upper()]
