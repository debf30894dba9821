"""What every data set has in common: names, splits, laziness, errors, the cache."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import Binning, DatasetMissing, cache, load
from neuro.datasets.splits import fit_or_hold, stratified_part

from neuro import datasets

EMBEDDED = ("digits", "nmnist-slice")
ELSEWHERE = {
    "nmnist-small": "nmnist-small/nmnist_small.zip",
    "mnist": "mnist/train-images-idx3-ubyte.gz",
    "fashion-mnist": "fashion-mnist/train-images-idx3-ubyte.gz",
    "fsdd": "fsdd/fsdd_5speakers_wav.zip",
    "braille": "braille-spikes/braille7_train_val.npz",
}
COARSE = Binning(n_steps=3)


@pytest.fixture(params=[*EMBEDDED, *ELSEWHERE])
def name(request, data):
    if request.param in ELSEWHERE:
        data(ELSEWHERE[request.param])
    return request.param


def test_fit_and_hold_part_train_and_hold_has_the_same_share_of_every_class(name):
    train, fit, hold = (load(name, split) for split in ("train", "fit", "hold"))
    assert sorted([*fit.keys.tolist(), *hold.keys.tolist()]) == sorted(train.keys.tolist())
    in_train, in_hold = np.bincount(train.labels), np.bincount(hold.labels)
    assert len(in_train) == len(in_hold) == train.n_classes
    assert np.abs(in_hold - 0.15 * in_train).max() <= 0.5


def test_train_and_test_share_no_sample(name):
    train, test = load(name, "train"), load(name, "test")
    if name in ("mnist", "fashion-mnist", "braille"):  # numbered apart, in arrays of their own
        assert train.read.args != test.read.args
    else:
        assert not set(train.keys.tolist()) & set(test.keys.tolist())


def test_loading_twice_gives_the_same_samples(name):
    one, other = load(name), load(name)
    assert np.array_equal(one.keys, other.keys)
    assert np.array_equal(one.labels, other.labels)
    assert one.fingerprint == other.fingerprint
    assert np.array_equal(one[7][0], other[7][0])


def test_the_catalogue_says_what_the_files_hold(name):
    about, train = datasets.info(name), load(name)
    assert (about.n_train, about.n_test) == (len(train), len(load(name, "test")))
    assert about.kind == train.kind
    assert about.sample_shape == train.sample_shape
    assert about.n_classes == train.n_classes == len(np.unique(train.labels))
    assert about.duration_s == train.duration_s
    assert about.present()


@pytest.mark.parametrize("name", [*EMBEDDED, "nmnist-small", "fsdd"], indirect=True)
def test_events_are_sorted_inside_the_sensor_and_within_the_nominal_time(name):
    train = load(name)
    assert train.kind == "events"
    for i in range(0, len(train), len(train) // 10):
        events, label = train[i]
        assert label == train.labels[i]
        assert (np.diff(events["t"]) >= 0).all()
        assert 0 <= events["x"].min() <= events["x"].max() < train.sample_shape[-1]
        assert events["t"].min() >= 0
        if name != "fsdd":  # a slow speaker may take longer, the window cuts
            assert events["t"].max() < 1.001e6 * train.duration_s


def test_an_index_outside_is_an_error_and_a_negative_one_counts_from_the_end():
    test = load("nmnist-slice", "test")
    assert np.array_equal(test[-1][0], test[len(test) - 1][0])
    with pytest.raises(IndexError, match="sample 20 of nmnist-slice/test, which has 20"):
        test[20]


def test_labels_and_keys_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        load("nmnist-slice").labels[0] = 3


@given(st.lists(st.integers(0, 3), min_size=1, max_size=80), st.sampled_from([0.15, 0.2, 0.5]))
def test_a_stratified_part_takes_its_share_of_every_class(labels, fraction):
    labels = np.array(labels)
    part = stratified_part(labels, fraction, salt="a")
    for label in np.unique(labels):
        assert part[labels == label].sum() == round(fraction * (labels == label).sum())


def test_a_partition_never_changes():
    """Results of years ago were made with these samples."""
    labels = np.arange(40) % 2
    assert fit_or_hold(labels, "hold", name="digits").tolist() == [8, 13, 14, 29, 35, 36]
    assert load("digits", "test").keys[:8].tolist() == [2, 4, 5, 6, 21, 25, 39, 40]


@pytest.mark.parametrize("name", datasets.names())
def test_a_missing_data_set_says_in_one_line_how_to_get_it(name, no_data):
    if name in EMBEDDED:
        assert len(load(name, "test"))
        return
    with pytest.raises(DatasetMissing) as error:
        load(name)
    message = str(error.value)
    assert "\n" not in message
    assert str(no_data) in message
    assert "NEURO_DATA" in message
    assert datasets.info(name).how_to_get in message


@pytest.mark.parametrize(
    ("wrong", "hint"), [("nmist", "did you mean 'nmnist'"), ("imagenet-22k", "choose from digits")]
)
def test_an_unknown_name_suggests_the_nearest(wrong, hint):
    for ask in (load, datasets.info, datasets.fetch):
        with pytest.raises(ValueError, match=hint):
            ask(wrong)


def test_an_unknown_split_lists_the_choices():
    with pytest.raises(ValueError, match="digits has no split 'val': choose from train, test, fit"):
        load("digits", "val")


def test_the_root_argument_wins_over_the_environment(no_data, tmp_path):
    with pytest.raises(DatasetMissing, match="elsewhere"):
        load("mnist", root=tmp_path / "elsewhere")


def test_binning_all_is_binning_each():
    test = load("nmnist-slice", "test")
    x, labels = test.binned(COARSE, cache=False)
    assert x.shape == (20, 3, 2, 34, 34)
    assert all(np.array_equal(x[i], test.frames(i, COARSE)) for i in range(20))
    assert np.array_equal(labels, test.labels)


def test_taking_samples_takes_their_frames():
    test = load("nmnist-slice", "test")
    x, _ = test.binned(COARSE)
    some, labels = test.take([5, 2]).binned(COARSE)
    assert np.array_equal(some, x[[5, 2]])
    assert np.array_equal(labels, test.labels[[5, 2]])


def test_progress_counts_every_sample_once():
    seen = []
    load("nmnist-slice", "test").binned(COARSE, progress=lambda done, n: seen.append((done, n)))
    assert seen == [(i + 1, 20) for i in range(20)]


def files_in_cache():
    return list((cache.cache_root() / "frames").glob("*"))


def test_a_cache_hit_equals_recomputation_and_reads_no_sample():
    test = load("nmnist-slice", "test")
    first, _ = test.binned(COARSE)
    calls = []
    again, _ = test.binned(COARSE, progress=lambda *done: calls.append(done))
    assert not calls
    assert np.array_equal(first, again)
    assert np.array_equal(first, test.binned(COARSE, cache=False)[0])


def test_another_binning_split_or_order_is_another_entry():
    test = load("nmnist-slice", "test")
    for some in (test, test.take(range(19, -1, -1)), load("nmnist-slice", "hold")):
        some.binned(COARSE)
        some.binned(Binning(n_steps=3, clip=1))
    assert len(files_in_cache()) == 6


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "other shape", "not numpy"])
def test_a_corrupt_cache_is_ignored_and_mended(damage):
    test = load("nmnist-slice", "test")
    good, _ = test.binned(COARSE)
    [path] = files_in_cache()
    whole = path.read_bytes()
    if damage == "other shape":
        np.savez(path, frames=np.zeros((20, 3), np.uint8))
    else:
        middle = len(whole) // 2
        flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
        spoiled = {"cut": whole[:middle], "flip": flipped, "empty": b"", "not numpy": b"hello"}
        path.write_bytes(spoiled[damage])
    again, _ = test.binned(COARSE)
    assert np.array_equal(again, good)
    assert path.read_bytes() == whole or np.array_equal(np.load(path)["frames"], good)


def test_no_flipped_bit_and_no_cut_of_a_cached_file_gives_other_frames():
    """All of them: some bits ask for a password or a compression that does not exist."""
    frames = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    cache.cached_frames({"name": "small"}, frames.shape, lambda: frames)
    [path] = files_in_cache()
    whole = path.read_bytes()
    spoiled = [whole[:n] for n in range(len(whole))]
    for i in range(8 * len(whole)):
        raw = bytearray(whole)
        raw[i // 8] ^= 1 << (i % 8)
        spoiled.append(bytes(raw))
    n_ignored = 0
    for raw in spoiled:
        path.write_bytes(raw)
        read = cache._read(path, frames.shape)
        n_ignored += read is None
        assert read is None or np.array_equal(read, frames)
    assert n_ignored > len(spoiled) / 2  # the others: dates and the like


def test_without_cache_nothing_is_written():
    load("nmnist-slice", "test").binned(COARSE, cache=False)
    assert not files_in_cache()


def test_a_cache_that_cannot_be_written_warns_and_gives_the_frames(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path / "file"))
    with pytest.warns(UserWarning, match="set NEURO_CACHE"):
        x, _ = load("nmnist-slice", "test").binned(COARSE)
    assert x.shape == (20, 3, 2, 34, 34)


def test_nothing_is_left_beside_the_cached_frames():
    load("nmnist-slice", "test").binned(COARSE)
    assert [path.suffix for path in files_in_cache()] == [".npz"]


def test_fetching_what_is_here_or_embedded_downloads_nothing(data):
    assert datasets.fetch("digits") is None
    root = data(ELSEWHERE["mnist"])
    assert datasets.fetch("mnist", root) == root


def test_fetching_what_has_no_address_says_how_to_get_it(no_data):
    with pytest.raises(ValueError, match=r"braille-spikes/braille7_train_val\.npz"):
        datasets.fetch("braille")


def test_a_key_of_the_cache_is_plain_json():
    """Keys are hashed as JSON: what JSON cannot say must fail, not collide."""
    with pytest.raises(TypeError):
        cache.cached_frames({"a": object()}, (1,), lambda: np.zeros(1, np.uint8))
    json.dumps(load("nmnist-slice").keys.tolist())
