"""Readers of N-MNIST, IDX, WAV and Braille files, whole and damaged; downloads, without network."""

import gzip
import io
import struct
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import DatasetMissing, fetch, fetching, info, load, nmnist
from neuro.datasets.fsdd import read_wav
from neuro.datasets.images import read_idx
from neuro.datasets.nmnist import decode_bs2

from tests.datasets.idx_files import write_idx

event = st.tuples(st.integers(0, 33), st.integers(0, 33), st.integers(0, 2**23 - 1), st.booleans())


def encode_bs2(events):
    return b"".join(bytes([x, y]) + ((p << 23) | t).to_bytes(3, "big") for x, y, t, p in events)


@given(st.lists(event, max_size=50))
def test_a_recording_written_by_hand_reads_back_sorted_by_time(events):
    read = decode_bs2(encode_bs2(events), source="a.bs2")
    assert read.tolist() == sorted(events, key=lambda e: e[2])


@given(st.lists(event, min_size=1, max_size=5), st.integers(1, 4))
def test_a_cut_recording_is_an_error(events, n_lost):
    raw = encode_bs2(events)[:-n_lost]
    with pytest.raises(ValueError, match=rf"a\.bs2: {len(raw)} bytes, must be a multiple of 5"):
        decode_bs2(raw, source="a.bs2")


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("value", [34, 255])
def test_a_recording_with_an_event_outside_is_an_error(position, value):
    raw = bytearray(encode_bs2([(1, 2, 3, True), (4, 5, 6, False)]))
    raw[5 + position] = value
    with pytest.raises(ValueError, match=f"coordinate {value}, must be below 34"):
        decode_bs2(bytes(raw), source="a.bs2")


def test_the_slice_is_the_real_recordings_byte_by_byte(data):
    whole = data(nmnist.SMALL_ZIP) / nmnist.SMALL_ZIP
    with zipfile.ZipFile(whole) as small, zipfile.ZipFile(nmnist.SLICE_ZIP) as part:
        recordings = [name for name in part.namelist() if name.endswith(".bs2")]
        assert len(recordings) == 70
        assert all(part.read(name) == small.read(name) for name in recordings)


def test_the_slice_has_five_and_two_of_every_digit_and_its_licence():
    assert np.bincount(load("nmnist-slice").labels).tolist() == [5] * 10
    assert np.bincount(load("nmnist-slice", "test").labels).tolist() == [2] * 10
    licence = nmnist.SLICE_ZIP.with_name("LICENSE.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in licence
    assert "Orchard" in licence


def test_nmnist_in_full_is_read_from_the_folders_that_tonic_makes(tmp_path):
    rng = np.random.default_rng(0)
    for folder, n in (("Train", 20), ("Test", 2)):
        for digit in range(10):
            place = tmp_path / "NMNIST" / folder / str(digit)
            place.mkdir(parents=True)
            for i in range(n):
                record = [(digit, i, int(t), True) for t in rng.integers(0, 300_000, 3)]
                (place / f"{i:05}.bin").write_bytes(encode_bs2(record))
    train, test = load("nmnist", root=tmp_path), load("nmnist", "test", root=tmp_path)
    assert (len(train), len(test), len(load("nmnist", "hold", root=tmp_path))) == (200, 20, 30)
    events, label = train[45]
    assert (label, events["x"][0], events["y"][0]) == (2, 2, 5)


def test_a_zip_without_its_list_is_an_error(tmp_path):
    path = tmp_path / nmnist.SMALL_ZIP
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.bs2", b"")
    with pytest.raises(ValueError, match=r"cannot read train850\.txt .*: fetch the file again"):
        load("nmnist-small", root=tmp_path)


def test_a_cut_zip_is_an_error(tmp_path):
    path = tmp_path / nmnist.SMALL_ZIP
    path.parent.mkdir()
    path.write_bytes(nmnist.SLICE_ZIP.read_bytes()[:5000])
    with pytest.raises(ValueError, match="fetch the file again"):
        load("nmnist-small", root=tmp_path)


def flipped(raw, position):
    return raw[:position] + bytes([raw[position] ^ 255]) + raw[position + 1 :]


def test_a_zip_with_a_damaged_recording_is_an_error_when_it_is_read(tmp_path):
    raw = nmnist.SLICE_ZIP.read_bytes()
    with zipfile.ZipFile(nmnist.SLICE_ZIP) as archive:
        entry = archive.getinfo(load("nmnist-slice").keys[7])
    path = tmp_path / nmnist.SMALL_ZIP
    path.parent.mkdir()
    path.write_bytes(flipped(raw, entry.header_offset + entry.compress_size // 2))
    train = load("nmnist-small", root=tmp_path)
    assert len(train[6][0])
    with pytest.raises(ValueError, match=rf"cannot read {entry.filename} .*: fetch the file again"):
        train[7]


@pytest.mark.parametrize("row", ["5", "5 ten", "5 10", "5 1 2"])
def test_a_list_with_a_line_that_is_no_sample_and_digit_is_an_error(tmp_path, row):
    path = tmp_path / nmnist.SMALL_ZIP
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("train850.txt", f"#sample\t#class\n1\t5\n{row}\n")
    with pytest.raises(ValueError, match=rf"train850\.txt: a line has '{row}', must be a sample"):
        load("nmnist-small", root=tmp_path)


def test_nmnist_without_one_of_its_digits_is_missing(tmp_path):
    for digit in range(9):
        (tmp_path / "NMNIST" / "Train" / str(digit)).mkdir(parents=True)
    with pytest.raises(DatasetMissing, match=r"no .*9: run `neuro data fetch nmnist`"):
        load("nmnist", root=tmp_path)
    assert not info("nmnist").present(tmp_path)


@pytest.mark.parametrize("shape", [(5,), (3, 28, 28), (0, 28, 28)])
def test_an_idx_file_reads_back(tmp_path, shape):
    array = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    assert np.array_equal(read_idx(write_idx(tmp_path / "a.gz", array)), array)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "begins with nothing"),
        (b"\x00\x00\x08", "begins with 000008"),
        (b"\x00\x00\x0d\x01" + bytes(8), "begins with 00000d01"),
        (struct.pack(">II", 0x801, 5) + bytes(4), "4 bytes of data, its header says 5"),
        (struct.pack(">II", 0x801, 5) + bytes(6), "6 bytes of data, its header says 5"),
    ],
)
def test_a_damaged_idx_file_is_an_error(tmp_path, content, reason):
    path = tmp_path / "labels.gz"
    path.write_bytes(gzip.compress(content))
    with pytest.raises(ValueError, match=rf"labels\.gz: {reason}.*: fetch it again"):
        read_idx(path)


@pytest.mark.parametrize("n_kept", [0, 5, 30, -4])
def test_a_cut_gzip_file_is_an_error(tmp_path, n_kept):
    path = write_idx(tmp_path / "labels.gz", np.arange(200, dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:n_kept])
    with pytest.raises(ValueError, match=r"labels\.gz"):
        read_idx(path)


def test_a_still_image_keeps_its_grey_values(tmp_path):
    images = np.arange(20 * 28 * 28).astype(np.uint8).reshape(20, 28, 28)
    write_idx(tmp_path / "mnist/t10k-images-idx3-ubyte.gz", images)
    write_idx(tmp_path / "mnist/t10k-labels-idx1-ubyte.gz", np.arange(20, dtype=np.uint8) % 10)
    image, label = load("mnist", "test", root=tmp_path)[13]
    assert label == 3
    assert np.array_equal(image[0], images[13])


def wav(samples, *, rate=8000, n_channels=1):
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(n_channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return target.getvalue()


def test_a_wav_file_reads_back_in_units_of_full_scale():
    assert read_wav(wav([0, 16384, -32768]), source="a.wav").tolist() == [0, 0.5, -1]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"RIFF", "not a WAV file"),
        (wav([0, 0], rate=16000), "1 channels of 16 bits at 16000 Hz, must be 1 of 16 at 8000"),
        (wav([0, 0], n_channels=2), "2 channels of 16 bits"),
    ],
)
def test_a_wav_file_of_another_form_is_an_error(raw, reason):
    with pytest.raises(ValueError, match=rf"a\.wav: {reason}"):
        read_wav(raw, source="a.wav")


@pytest.fixture
def spoken(tmp_path):
    """Two speakers, ten digits, ten recordings of each."""
    (tmp_path / "fsdd").mkdir()
    tone = wav(10_000 * np.sin(np.arange(800)))
    with zipfile.ZipFile(tmp_path / "fsdd" / "any.zip", "w") as archive:
        for digit in range(10):
            for speaker in ("lucas", "theo"):
                for i in range(10):
                    archive.writestr(f"a-master/recordings/{digit}_{speaker}_{i}.wav", tone)
    return tmp_path


def test_spoken_digits_are_split_by_speaker_or_by_index(spoken):
    def names(split):
        return set(load("fsdd", split, root=spoken).keys.tolist())

    everything = names("train") | names("test")
    assert len(everything) == 200
    assert all("theo" in name for name in names("test"))
    assert not any("theo" in name for name in names("train"))
    assert names("only-lucas") == names("train-without-theo") == names("train")
    assert names("index-train") | names("index-test") == everything
    assert not names("index-train") & names("index-test")
    assert all(int(name[-5]) < 5 for name in names("index-test"))
    assert names("index-hold") == names("index-train")  # no recordings 10 to 49 here


def test_parts_of_the_real_recordings_share_no_recording_and_no_speaker(data):
    root = data("fsdd/fsdd_5speakers_wav.zip")

    def speakers(split):
        return {name.split("_")[1] for name in load("fsdd", split, root=root).keys.tolist()}

    parts = [set(load("fsdd", f"index-{p}", root=root).keys.tolist()) for p in ("fit", "hold")]
    assert [len(part) for part in parts] == [2000, 250]
    assert not parts[0] & parts[1]
    assert parts[0] | parts[1] == set(load("fsdd", "index-train", root=root).keys.tolist())
    assert speakers("test") == {"theo"}
    assert speakers("train") == speakers("fit") == {"george", "jackson", "lucas", "nicolas"}
    for speaker in speakers("train"):
        assert speakers(f"only-{speaker}") == {speaker}
        assert speakers(f"train-without-{speaker}").isdisjoint({speaker})


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_zip_of_sounds_is_an_error(spoken, damage):
    path = spoken / "fsdd" / "any.zip"
    raw = path.read_bytes()
    path.write_bytes(raw[: len(raw) // 2] if damage == "cut" else flipped(raw, 500))
    with pytest.raises(ValueError, match=r"any\.zip: .* \(.+\): fetch"):
        load("fsdd", "only-lucas", root=spoken)[0]


def test_a_speaker_who_is_not_there_is_an_error(spoken):
    with pytest.raises(ValueError, match=r"no recordings for split 'only-jackson', only .* lucas"):
        load("fsdd", "only-jackson", root=spoken)


def test_a_braille_file_of_another_shape_is_an_error(tmp_path):
    path = tmp_path / "braille-spikes" / "braille7_train_val.npz"
    path.parent.mkdir()
    arrays = {name: np.zeros((2, 256, 12)) for name in ("x_train", "y_train", "y_val")}
    np.savez(path, **arrays, x_val=np.zeros((2, 256, 24)))
    with pytest.raises(ValueError, match=r"x_val has samples of \(256, 24\), must be \(256, 12\)"):
        load("braille", root=tmp_path)
    path.write_bytes(b"PK")
    with pytest.raises(ValueError, match="cannot be read"):
        load("braille", root=tmp_path / "." / "")


def serve(monkeypatch, files):
    """Stand in for the network: each download writes a file from `files`."""

    def download_url(url, root, filename, md5=None):
        if filename not in files:
            raise OSError(f"no route to {url}")
        with open(f"{root}/{filename}", "wb") as file:  # noqa: PTH123  as tonic does
            file.write(files[filename])

    monkeypatch.setattr("tonic.download_utils.download_url", download_url)


def test_a_fetched_data_set_can_be_loaded(spoken, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching, "FSDD_LEAST", 200)
    serve(monkeypatch, {"fsdd.zip": (spoken / "fsdd" / "any.zip").read_bytes()})
    root = tmp_path / "new"
    assert fetch("fsdd", root) == root / "fsdd"
    assert len(load("fsdd", root=root)) == 100
    assert [path.name for path in root.iterdir()] == ["fsdd"]


def test_fetching_nmnist_mends_half_a_data_set(tmp_path, monkeypatch):
    def nmnist_of_tonic(save_to, train):
        for digit in range(10):
            place = Path(save_to) / "NMNIST" / ("Train" if train else "Test") / str(digit)
            place.mkdir(parents=True)
            (place / "00001.bin").write_bytes(encode_bs2([(digit, 0, 0, True)]))

    monkeypatch.setattr("tonic.datasets.NMNIST", nmnist_of_tonic)
    (tmp_path / "NMNIST" / "Train" / "3").mkdir(parents=True)
    assert fetch("nmnist", tmp_path) == tmp_path / "NMNIST"
    assert len(load("nmnist", root=tmp_path)) == len(load("nmnist", "test", root=tmp_path)) == 10
    assert [path.name for path in tmp_path.iterdir()] == ["NMNIST"]


@pytest.mark.parametrize("name", ["mnist", "fsdd"])
def test_a_download_that_fails_leaves_nothing_behind(name, tmp_path, monkeypatch):
    serve(monkeypatch, {"train-images-idx3-ubyte.gz": gzip.compress(b"other")})
    with pytest.raises((OSError, ValueError), match="try again"):
        fetch(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_download_of_the_right_size_but_wrong_content_is_refused(tmp_path, monkeypatch):
    names = [download.file for download in fetching.IDX_DOWNLOADS["mnist"]]
    serve(monkeypatch, dict.fromkeys(names, gzip.compress(b"wrong")))
    with pytest.raises(ValueError, match=r"sha256 .*, must be ba891046"):
        fetch("mnist", tmp_path)


def test_the_real_idx_files_pass_the_check_of_downloads(data):
    for name, downloads in fetching.IDX_DOWNLOADS.items():
        root = data(f"{name}/{downloads[3].file}")
        fetching.check_content(root / name / downloads[3].file, downloads[3].sha256)
        fetching.check_content(root / name / downloads[2].file, downloads[2].sha256)


def test_a_zip_with_too_few_recordings_is_refused(spoken):
    with pytest.raises(ValueError, match=r"200 recordings, .* must be at least 2500"):
        fetching.check_recordings(spoken / "fsdd" / "any.zip")
