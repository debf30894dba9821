"""The experiment of the resistive liquid state machine: its numbers, tables and figures."""

import numpy as np
import pytest
import torch
from neuro.datasets import Binning, load

from experiments.lsm import rows, supervised, zero
from experiments.lsm.costs import Joules
from experiments.lsm.figures import draw_all, frontier
from experiments.lsm.rows import Case, mean_sd
from experiments.lsm.run import RESULTS, all_cases, digest
from experiments.lsm.silicon import OnChip, cells, crossbars, made, run, with_noise
from experiments.lsm.summary import summary
from experiments.lsm.tasks import FOLDER, Data, Task, spread_microsiemens
from neuro.training.heads import ProbeSpec, fit_probe
from neuro.zero_shot import ZeroShotRecipe, load_sides


@pytest.fixture(scope="module")
def data():
    """A few of the bundled recordings, as the task's."""
    binning = Binning(n_steps=12, polarity="off", clip=1, crop=8)
    (x, y), (xt, yt) = (load("nmnist-slice", part).binned(binning) for part in ("train", "test"))
    return Data(np.array(x), y, np.array(xt), yt)


TASK = Task("a few", "nmnist-slice", Binning(n_steps=12, polarity="off", clip=1, crop=8), 0.2, 0.9,
            5.0, 0.0, 0.0)  # fmt: skip


def test_numbers_come_back_as_they_were_written(tmp_path):
    cases = [Case("sweep", "fsdd", "formed", "volt", 3.432, 2), Case("chips", "nmnist", "formed")]
    found = {c.key: {"a": 1.5 + i, "unknown": None} for i, c in enumerate(cases)}
    made_of = {c.key: digest(c) for c in cases}
    rows.write(tmp_path / "r.csv", found, made_of, "0")
    assert rows.read(tmp_path / "r.csv") == found
    assert rows.hashes(tmp_path / "r.csv") == made_of
    assert len(set(made_of.values())) == 2
    assert rows.read(tmp_path / "none.csv") == {}


def test_the_committed_results_have_every_case_and_readme_has_their_tables():
    cases, found = all_cases(), rows.read(RESULTS)
    assert len({c.key for c in cases}) == len(cases)
    assert rows.hashes(RESULTS) == {c.key: digest(c) for c in cases}
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    lines = [line for line in summary(found).splitlines() if line.startswith("|")]
    assert len(lines) > 100
    assert [line for line in lines if line not in readme] == []


def test_figures_are_drawn_from_the_committed_results(tmp_path):
    (tmp_path / "embeddings.svg").touch()  # drawn from a head that takes a minute to train
    draw_all(rows.read(RESULTS), tmp_path)
    drawn = {p.name: p.read_text("utf-8") for p in tmp_path.glob("*.svg")}
    assert set(drawn) == {p.name for p in FOLDER.glob("*.svg")}
    assert drawn.pop("embeddings.svg") == ""
    assert (FOLDER / "embeddings.svg").stat().st_size > 10_000
    for name, svg in drawn.items():
        assert "spoken digits" in svg or "unseen digits" in svg, name


def test_the_law_of_forming_gives_the_spread_of_pairs():
    for volt in (None, 3.3, 3.55):
        pairs = TASK.formed(1, 300, volt).pairs
        measured = 1e6 * pairs[1].difference_siemens.std()
        assert measured == pytest.approx(spread_microsiemens(cells(), volt), rel=0.03)


def test_weights_of_formed_cells_have_the_spread_of_gaussian_ones():
    for volt in (3.3, 3.6):
        formed = TASK.formed(0, 200, volt)
        assert formed.w_rec.std() == pytest.approx(0.2 * 6.61, rel=0.05)


def test_chips_are_read_with_the_noise_that_is_asked_for(data):
    reservoir = TASK.formed(3, 30)
    chip = made(reservoir, data.frames, 3, chip=crossbars(), device=cells())
    noisy = with_noise(chip, 0.1)
    per_weight = np.sqrt(2) * 1e6 * noisy.cells[0].read_sd()
    assert per_weight == pytest.approx(0.1 * spread_microsiemens(cells(), None))
    assert np.array_equal(noisy.cells[0].at(), chip.cells[0].at())
    assert not with_noise(chip, 0.0).cells[0].read_sd().any()
    quiet, again = (run(with_noise(chip, 0.0), data) for _ in "12")
    assert np.array_equal(quiet.counts, again.counts)
    assert quiet.n_arrays == 1
    assert quiet.bill.n_samples == len(data.test_frames) == 20
    assert (quiet.counts.shape, quiet.test_counts.shape) == ((50, 30), (20, 30))
    assert not np.array_equal(run(noisy, data).counts, quiet.counts)


def test_heads_learn_on_the_training_part_and_are_judged_on_the_test(data, monkeypatch):
    spec = ProbeSpec(batch_size=10, lr=1e-2)
    monkeypatch.setattr(supervised, "PROBE", spec)
    counts, test = supervised.raw_counts(data)
    for found, frames in ((counts, data.frames), (test, data.test_frames)):
        assert np.array_equal(found, frames.sum(1).reshape(len(frames), -1))
    head = fit_probe(counts, data.labels, 10, spec, 3).head
    said = [head(torch.tensor(x).float()).argmax(1).numpy() for x in (counts, test)]
    found = supervised.learned(counts, test, data, TASK, spec, 3)
    assert found["train_correct"] == (said[0] == data.labels).sum() > 40
    assert found["test_correct"] == (said[1] == data.test_labels).sum()
    assert (found["n_train"], found["n_test"]) == (50, 20)
    on_chip = OnChip(counts, test, None, 0.0, 1)
    assert supervised.judged(on_chip, data, 3) == found["test_correct"]


def test_a_part_of_the_recordings_has_every_class_and_the_whole_test(data):
    part = data.part(0.5)
    assert np.bincount(part.labels).tolist() == [-(-n // 2) for n in np.bincount(data.labels)]
    first = np.flatnonzero(data.labels == 3)[::2]
    assert np.array_equal(part.frames[part.labels == 3], data.frames[first])
    assert part.test_frames is data.test_frames


def test_a_head_is_chosen_by_recordings_held_back_from_it(data, monkeypatch):
    few = {"batch_size": 10, "epochs": 10}
    choices = tuple(one.model_copy(update=few) for one in supervised.CHOICES)
    monkeypatch.setattr(supervised, "CHOICES", choices)
    counts, _ = supervised.raw_counts(data)
    fit = np.arange(len(counts)) % 2 == 0
    spec = supervised.chosen(counts, data, fit, 1)
    right = []
    for one in supervised.CHOICES:
        head = fit_probe(counts[fit], data.labels[fit], 10, one, 1).head
        answers = head(torch.tensor(counts[~fit]).float()).argmax(1).numpy()
        right.append(int((answers == data.labels[~fit]).sum()))
    assert len(set(right)) > 1
    assert spec == supervised.CHOICES[int(np.argmax(right))]


def test_arms_of_retrieval_differ_by_what_they_are_named_for(monkeypatch):
    recipe = {
        "name": "tiny", "seen": (0, 1, 2), "unseen": (3, 4),
        "head": {"epochs": 3, "batch_size": 8},
    } | {
        side: {"data": "nmnist-slice", "train": "train", "test": "test",
               "binning": {"n_steps": 8, "polarity": polarity, "clip": 1, "crop": 16},
               "reservoir": {"neurons": 20, "scale": 0.2, "decay_v": 0.9, "v_th": 5.0}}
        for side, polarity in (("a", "on"), ("b", "off"))
    }  # fmt: skip
    tiny = ZeroShotRecipe.model_validate(recipe)
    monkeypatch.setattr(zero, "load_zero_shot", lambda name: tiny)
    monkeypatch.setattr(zero, "loaded", zero.loaded.__wrapped__)  # what others loaded stays kept
    fitted = []

    def watched(bench, counts, pairs, seed):
        fitted.append((counts, pairs))
        return fit(bench, counts, pairs, seed)

    fit = zero.fit
    monkeypatch.setattr(zero, "fit", watched)
    for arm in ("rates", "shuffled", "raw", "no-recurrence"):
        zero.measure(Case("zero", "event-image", arm, seed=1))
    (plain, pairs), (same, mixed), (raw, _), (alone, _) = fitted
    assert np.array_equal(plain[0][0], same[0][0])
    labels = load_sides(tiny, None)[0].train.labels
    assert np.array_equal(labels[pairs[0]], labels[pairs[1]])
    assert (labels[mixed[0]] != labels[mixed[1]]).mean() > 0.4
    assert raw[0][0].shape[1] == 256
    assert alone[0][0].shape == plain[0][0].shape
    assert not np.array_equal(alone[0][0], plain[0][0])


def test_bands_of_ratios_and_frontiers_by_hand():
    a, b = Joules("a", 10.0, 5.0, 20.0, {}), Joules("b", 2.0, 1.0, 4.0, {})
    ratio, low, high = a.ratio(b)
    half = np.exp(np.sqrt(2) * np.log(2))
    assert (ratio, low, high) == pytest.approx((5.0, 5.0 / half, 5.0 * half))
    assert frontier([(3, 80), (1, 50), (2, 40), (4, 70), (2, 60)]) == [(1, 50), (2, 60), (3, 80)]
    assert mean_sd([1.0, 3.0]) == pytest.approx((2.0, 2**0.5))
    assert mean_sd([4.0]) == (4.0, 0.0)
