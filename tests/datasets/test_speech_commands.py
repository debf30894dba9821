"""Google Speech Commands from files in the published format: decibels, spikes, splits, damage."""

import io
import tarfile
import warnings
import wave

import numpy as np
import pytest
from neuro.datasets import Binning, DatasetMissing, fetch, fetching, info, load
from neuro.datasets.spectrogram import filterbank, log_mel
from neuro.datasets.speech_commands import FOLDER, MEL, WORDS

STEPS = Binning(n_steps=101, window_s=1.01)


def wav(samples, rate=16_000):
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return target.getvalue()


def tone(f_hz, n=16_000):
    return (8000 * np.sin(2 * np.pi * f_hz * np.arange(n) / 16_000)).astype("<i2")


@pytest.fixture
def root(tmp_path):
    """Three recordings of every word, one a part; a word sounds at a frequency of its own."""
    folder = tmp_path / FOLDER
    for i, word in enumerate(WORDS):
        (folder / word).mkdir(parents=True)
        for k, n in enumerate((16_000, 12_000, 16_000)):
            (folder / word / f"{k}.wav").write_bytes(wav(tone(200 + 100 * i, n)))
    (folder / "_background_noise_").mkdir()
    (folder / "_background_noise_" / "hum.wav").write_bytes(wav(tone(50)))
    for k, file in ((1, "validation_list.txt"), (2, "testing_list.txt")):
        (folder / file).write_text("".join(f"{word}/{k}.wav\n" for word in WORDS))
    return tmp_path


def test_lists_make_the_parts_and_the_rest_is_for_training(root):
    for name in ("gsc", "gsc-spikes"):
        for split, k in (("train", 0), ("fit", 0), ("hold", 1), ("valid", 1), ("test", 2)):
            data = load(name, split, root=root)
            assert data.keys.tolist() == [f"{word}/{k}.wav" for word in WORDS]
            assert data.labels.tolist() == list(range(35))


def test_the_catalogue_says_what_samples_are(root):
    for name in ("gsc", "gsc-spikes"):
        about, data = info(name), load(name, root=root)
        assert (about.kind, about.sample_shape, about.n_classes, about.duration_s) == (
            *(data.kind, data.sample_shape, data.n_classes, data.duration_s),
        )
        assert about.present(root)


def test_decibels_are_loudest_in_the_band_of_the_tone(root):
    centres = filterbank(MEL).argmax(0) * 8000 / 256
    train = load("gsc", root=root)
    for i in (5, 20, 30):
        frames = train[i][0]
        assert frames.shape == (101, 140)
        assert frames.dtype == np.float32
        assert abs(centres[frames[50].argmax()] - (200 + 100 * i)) <= 8000 / 256
        assert (frames[:, 87:] == -100).all()  # above Nyquist: as the paper has it


def test_a_short_recording_ends_in_silence(root):
    frames = load("gsc", "valid", root=root)[3][0]
    assert (frames[80:] == -100).all()
    assert frames[:70].max(1).min() > 0


def test_bands_are_librosas_and_those_above_nyquist_are_empty():
    librosa = pytest.importorskip("librosa", reason="compares with librosa where it is installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # empty bands
        bank = librosa.filters.mel(
            sr=8000, n_fft=256, n_mels=140, fmin=50, fmax=14_000, htk=True, norm=None
        )
    np.testing.assert_allclose(filterbank(MEL), bank.T, atol=1e-7)
    assert np.flatnonzero(filterbank(MEL).sum(0) == 0).tolist() == list(range(87, 140))


def test_power_is_that_of_torchs_transform():
    import torch

    sound = np.random.default_rng(0).normal(size=8000)
    window = torch.hann_window(256, dtype=torch.float64)
    found = torch.stft(torch.tensor(sound), 256, 80, window=window, return_complex=True)
    power = found.abs().numpy() ** 2
    decibels = 10 * np.log10(np.maximum(power.T @ filterbank(MEL), 1e-10))
    np.testing.assert_allclose(log_mel(sound, MEL), decibels, atol=1e-5)


def test_analogue_frames_are_kept_as_they_are_in_the_cache_too(root):
    valid = load("gsc", "valid", root=root).take([0, 4])
    padded = Binning(n_steps=161, window_s=1.61)
    for binning in (STEPS, padded):
        fresh, again = valid.binned(binning)[0], valid.binned(binning)[0]
        assert fresh.dtype == again.dtype == np.float32
        assert np.array_equal(fresh, again)
        for i in range(2):
            assert np.array_equal(fresh[i, :101], valid[i][0])
        assert not fresh[:, 101:].any()


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"n_steps": 100}, "101 analogue frames in 100 steps cannot be added up"),
        ({"n_steps": 101, "clip": 1}, "no field but `n_steps` and `window_s`"),
        ({"n_steps": 101, "downsample": 5}, "no field but `n_steps` and `window_s`"),
    ],
)
def test_analogue_frames_are_never_added_up(root, fields, reason):
    with pytest.raises(ValueError, match=reason):
        load("gsc", root=root).frames(0, Binning(**fields))


def test_spikes_come_in_the_channels_of_the_tone(root):
    train = load("gsc-spikes", root=root)
    low, high = (np.bincount(train[i][0]["x"], minlength=64).argmax() for i in (2, 25))
    assert 0 < low < high < 63
    x, _ = train.take([2]).binned(Binning(n_steps=100))
    assert x.shape == (1, 100, 64)
    assert x.sum() == (train[2][0]["t"] < 1_000_000).sum()


def change_first(root, raw):
    (root / FOLDER / "backward" / "0.wav").write_bytes(raw)
    return load("gsc", root=root)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (wav(tone(300))[:20_000], r"19956 bytes of sound, its header says 32000"),
        (wav(tone(300))[:20], "not a WAV file"),
        (wav(tone(300), rate=8000), "at 8000 Hz, must be 1 of 16 at 16000"),
        (wav(tone(300, 16_001)), "16001 samples, at most 16000"),
    ],
)
def test_a_damaged_recording_is_an_error_of_one_line(root, raw, reason):
    train = change_first(root, raw)
    assert len(train[1][0]) == 101
    with pytest.raises(ValueError, match=rf"0\.wav: .*{reason}") as error:
        train[0]
    assert "\n" not in str(error.value)


def test_a_list_of_recordings_that_are_not_there_is_an_error(root):
    path = root / FOLDER / "testing_list.txt"
    path.write_text(path.read_text() + "yes/9.wav\n")
    with pytest.raises(ValueError, match=r"1 of 36 recordings are not there, e\.g\., yes/9\.wav"):
        load("gsc", root=root)
    path.write_text("")
    with pytest.raises(ValueError, match="has no recordings for test: unpack"):
        load("gsc", "test", root=root)
    path.unlink()
    with pytest.raises(DatasetMissing, match="run `neuro data fetch gsc`"):
        load("gsc", root=root)


def test_what_is_fetched_can_be_loaded(root, tmp_path, monkeypatch):
    archive = tmp_path / "a.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted((root / FOLDER).iterdir()):
            tar.add(path, path.name)

    def download_url(url, place, filename, md5=None):
        with open(f"{place}/{filename}", "wb") as file:  # noqa: PTH123  as tonic does
            file.write(archive.read_bytes())

    monkeypatch.setattr("tonic.download_utils.download_url", download_url)
    new = tmp_path / "new"
    with pytest.raises(ValueError, match=r"must be af14739ee7dc\.\.\."):
        fetch("gsc", new)
    assert not list(new.iterdir())
    with archive.open("rb") as file:
        digest = fetching.hashlib.file_digest(file, "sha256").hexdigest()
    monkeypatch.setattr(fetching, "GSC_SHA256", digest)
    assert fetch("gsc-spikes", new) == new / FOLDER
    assert len(load("gsc", root=new)) == 35
    assert [path.name for path in new.iterdir()] == ["SpeechCommands"]
