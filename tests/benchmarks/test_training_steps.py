"""Who is compared at training takes the same step, and the place to train is one that there is."""

import json

import pytest
import torch

from benchmarks import training
from benchmarks.training import BARE, OURS, TWIN, Contestant, Place, first_step


@pytest.mark.parametrize("work", training.WORKS)
def test_ours_and_the_plain_loop_take_the_same_step(work):
    ours, twin = (first_step(Contestant(who, work, Place(batch=2))) for who in (OURS, TWIN))
    assert ours["counts"] == twin["counts"]
    assert all(ours["counts"])
    assert ours["loss"] == pytest.approx(twin["loss"], rel=1e-5)
    for one, other in zip(ours["gradients"], twin["gradients"], strict=True):
        assert (one - other).abs().max() <= 1e-5 * other.abs().max()


def test_a_run_says_where_it_was_and_with_how_many_samples(monkeypatch, tmp_path, capsys):
    makers = {who: training.MAKERS[who] for who in (OURS, BARE, TWIN)}
    monkeypatch.setattr(training, "MAKERS", makers)
    monkeypatch.setattr(training, "_memory", lambda *_: {"peak_bytes": 2e6, "tensor_bytes": 1e6})
    options = ["--works", "dense", "--batch", "2", "--rounds", "1", "--folder", str(tmp_path)]
    training.main(options)
    results = json.loads((tmp_path / "training.json").read_text(encoding="utf-8"))
    assert results["place"] == {"device": "cpu", "batch": 2}
    assert set(results["works"]["dense"]) == set(makers)
    results |= {"place": {"device": "cuda", "batch": 2}, "device": "a GPU"}
    found = results["works"]["dense"]
    for k, who in enumerate((BARE, OURS, TWIN)):  # by the clock: 1, 2 and 3 s
        found[who] |= {"seconds": 9.0 - k, "seconds_by_the_clock": 1.0 + k}
    text = training.table(results)
    assert text.startswith("a GPU;")
    assert f"| {OURS} | 8000 ms | 2000 ms | 1.00 | 50 % |" in text
    assert text.index(f"| {BARE}") < text.index(f"| {OURS}") < text.index(f"| {TWIN}")
    capsys.readouterr()


@pytest.mark.parametrize(
    ("options", "there", "triton", "said"),
    [
        ("--batch 0", False, True, "--batch 0: must be 1 sample or more"),
        ("--device cuda", False, True, "sees no GPU"),
        ("--device cuda", True, False, "need Triton, the extra `gpu`"),
    ],
)
def test_places_that_there_are_not_are_refused(options, there, triton, said, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: there)
    monkeypatch.setattr(training, "has_triton", lambda: triton)
    with pytest.raises(SystemExit):
        training.main(options.split())
    assert said in capsys.readouterr().err
