"""Letters, of paper and of thought: E-MNIST's files and those of a brain, whole and damaged."""

import gzip
import zipfile

import numpy as np
import pytest
from neuro.datasets import Binning, emnist, fetch, fetching, handwriting, info, load
from scipy.io import savemat

from tests.datasets.idx_files import write_idx

N_TRIALS = 27


@pytest.fixture
def letters(tmp_path):
    """Ten training and two test images of every letter: a bar below the letter's place."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 10), ("test", 2)):
        labels = rng.permutation(np.repeat(np.arange(26), n))
        upright = np.zeros((len(labels), 28, 28), np.uint8)
        upright[np.arange(len(labels)), 27, labels] = 200  # the last row
        images, numbers = (tmp_path / emnist.FOLDER / file for file in emnist.FILES[part])
        write_idx(images, upright.transpose(0, 2, 1))
        write_idx(numbers, (labels + 1).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize(("split", "n"), [("train", 260), ("test", 52), ("fit", 208)])
def test_letters_stand_upright_and_count_from_0(letters, split, n):
    data = load("emnist-letters", split, root=letters)
    assert len(data) == n
    assert data.class_names[:2] == ("a", "b")
    for image, label in data:
        assert image.shape == data.sample_shape
        assert np.argwhere(image).tolist() == [[0, 27, label]]
        assert image.max() == 200
    coded, labels = data.binned(Binning(n_steps=50, spikes=20))
    assert np.bincount(labels).tolist() == [n // 26] * 26
    assert coded.sum() == n * round(20 * 200 / 255)


def test_files_of_another_part_are_refused(letters):
    images, numbers = (letters / emnist.FOLDER / file for file in emnist.FILES["test"])
    write_idx(numbers, np.arange(52, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"labels 0 to 51, must be in 1 to 26: is it another part"):
        load("emnist-letters", "test", root=letters)
    write_idx(numbers, np.ones(51, np.uint8))
    with pytest.raises(ValueError, match=r"images \(52, 28, 28\) for labels \(51,\), must be"):
        load("emnist-letters", "test", root=letters)
    images.write_bytes(images.read_bytes()[:-9])
    with pytest.raises(ValueError, match="not a whole gzip file"):
        load("emnist-letters", "test", root=letters)


def serve(monkeypatch, path):
    """Stand in for the network: whatever is asked for is this file."""

    def download_url(url, root, filename, md5):
        assert (url, md5) == (fetching.EMNIST_URL, fetching.EMNIST_MD5)
        with open(f"{root}/{filename}", "wb") as file:  # noqa: PTH123  as tonic does
            file.write(path.read_bytes())

    monkeypatch.setattr("tonic.download_utils.download_url", download_url)


def test_letters_are_fetched_out_of_the_archive_of_all_parts(letters, tmp_path, monkeypatch):
    archive, root = tmp_path / "any.zip", tmp_path / "new"
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("gzip/emnist-digits-test-labels-idx1-ubyte.gz", gzip.compress(b"other"))
        for path in (letters / emnist.FOLDER).iterdir():
            parts.write(path, f"gzip/{path.name}")
    serve(monkeypatch, archive)
    assert fetch("emnist-letters", root) == root / "emnist"
    assert len(load("emnist-letters", root=root)) == 260
    assert [path.name for path in root.iterdir()] == ["emnist"]
    assert info("emnist-letters").present(root)


def test_an_archive_without_the_letters_leaves_nothing_behind(tmp_path, monkeypatch):
    archive, root = tmp_path / "any.zip", tmp_path / "new"
    with zipfile.ZipFile(archive, "w") as parts:
        parts.writestr("gzip/emnist-digits-test-labels-idx1-ubyte.gz", b"other")
    serve(monkeypatch, archive)
    with pytest.raises(ValueError, match=r"not the archive it was .*: try again"):
        fetch("emnist-letters", root)
    assert not list(root.iterdir())


def write_cubes(root, **changed):
    """Every letter in a bin of its own, by as many crossings as it has tries."""
    cubes = {}
    for label, letter in enumerate(handwriting.LETTERS):
        cube = np.zeros((N_TRIALS, 201, 192), np.uint8)
        cube[:, 51 + label, label] = np.arange(N_TRIALS)
        cubes[f"neuralActivityCube_{letter}"] = cube
    more = {"neuralActivityCube_doNothing": np.ones((27, 201, 192), np.uint8)}
    path = root / handwriting.FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = {name: cube for name, cube in (cubes | more | changed).items() if cube is not None}
    savemat(path, {**kept, "meansPerBlock": np.zeros((9, 192))}, do_compression=True)
    return path


@pytest.fixture(scope="module")
def thoughts(tmp_path_factory):
    root = tmp_path_factory.mktemp("thoughts")
    write_cubes(root)
    return root


def test_tries_of_a_letter_are_split_alike_and_no_try_is_lost(thoughts):
    parts = {split: load("handwriting", split, root=thoughts) for split in handwriting.SPLITS}
    assert {split: len(part) for split, part in parts.items()} == {
        "train": 572,
        "test": 130,
        "fit": 26 * 19,
        "hold": 26 * 3,
    }
    assert (len(parts["train"]), len(parts["test"])) == (
        info("handwriting").n_train,
        info("handwriting").n_test,
    )
    for part in parts.values():
        assert len(set(np.bincount(part.labels).tolist())) == 1
    keys = {split: set(part.keys.tolist()) for split, part in parts.items()}
    assert keys["train"] == keys["fit"] | keys["hold"]
    assert keys["train"] | keys["test"] == set(range(26 * N_TRIALS))
    assert not keys["train"] & keys["test"]
    assert not keys["fit"] & keys["hold"]
    assert parts["test"].keys[:5].tolist() == [1, 6, 19, 24, 25]  # for good


def test_a_try_keeps_its_counts_and_other_symbols_are_left_out(thoughts):
    train = load("handwriting", root=thoughts)
    assert (train.kind, train.sample_shape, train.duration_s) == ("frames", (192,), 2.01)
    for i in range(0, len(train), 41):
        counts, label = train[i]
        assert counts.shape == (201, 192)
        assert counts.dtype == np.uint8
        assert counts[51 + label, label] == counts.sum() == train.keys[i] % N_TRIALS
    frames, _ = train.take(range(30)).binned(Binning(n_steps=201), cache=False)
    assert np.array_equal(frames[29], train[29][0])


@pytest.mark.parametrize(
    ("cube", "reason"),
    [
        (None, "neuralActivityCube_c is not in the file: get singleLetters.mat"),
        (np.zeros((27, 200, 192)), r"has shape \(27, 200, 192\), must be \(trials, 201, 192\)"),
        (np.zeros((201, 192)), r"has shape \(201, 192\), must be"),
        (np.full((1, 201, 192), 0.5), "neuralActivityCube_c holds other values than whole counts"),
        (np.full((1, 201, 192), -1), "holds other values than whole counts of 0 to 255"),
        (np.full((1, 201, 192), np.nan), "holds other values"),
    ],
)
def test_a_file_with_another_cube_is_an_error(tmp_path, cube, reason):
    write_cubes(tmp_path, neuralActivityCube_c=cube)
    with pytest.raises(ValueError, match=reason):
        load("handwriting", root=tmp_path)


@pytest.mark.parametrize("damage", ["cut", "empty", "other", "flip"])
def test_a_damaged_file_is_one_line(tmp_path, thoughts, damage):
    whole = (thoughts / handwriting.FILE).read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    spoiled = {"cut": whole[:middle], "empty": b"", "other": b"hello" * 99, "flip": flipped}
    path = tmp_path / handwriting.FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(spoiled[damage])
    with pytest.raises(ValueError, match=r"singleLetters\.mat: ") as error:
        load("handwriting", root=tmp_path)
    assert "\n" not in str(error.value)
