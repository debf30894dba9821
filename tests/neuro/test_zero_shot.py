"""Zero-shot retrieval: scores by hand, pairs that are learnt, and controls that must fail."""

import json
import os
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from neuro.datasets import Binning, load, mnist_index

from neuro.embeddings import principal_components
from neuro.retrieval import (
    Score,
    evaluate,
    pair_by_index,
    pair_by_label,
    retrieve,
    shuffled_pairs,
    wilson_interval,
)
from neuro.training.heads import PairSpec, fit_pairs, untrained_projections
from neuro.zero_shot import drawn, load_sides, load_zero_shot
from neuro.zero_shot_run import Bench


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))


def test_an_answer_is_the_largest_dot_product_and_of_equal_ones_the_first():
    gallery = np.array([[1.0, 0], [0, 1], [1, 0], [0, 3]])
    found = retrieve(
        np.array([[1.0, 0], [0, 1], [2, 1]]), gallery, np.array([4, 4, 7]), np.array([4, 4, 7, 7])
    )
    assert found.answers.tolist() == [0, 3, 3]
    assert found.classes.tolist() == [4, 7]
    assert found.confusion.tolist() == [[1, 1], [0, 1]]
    assert found.score == Score(2, 3, chance=1 / 2, majority=2 / 3)


def test_each_score_has_its_own_gallery_and_its_chance():
    """In `a`, classes 2 and 3 are nearer to 0 and 1 than to themselves."""
    b = np.eye(4) * [5, 5, 1, 1]
    a = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
    y = np.arange(4)
    found = evaluate(a, y, b, y, seen=(0, 1), unseen=(2, 3))
    assert found.a_to_b.seen == found.a_to_b.unseen == Score(2, 2, 1 / 2, 1 / 2)
    assert found.a_to_b.seen_of_all == Score(2, 2, 1 / 4, 1 / 2)
    assert found.a_to_b.unseen_of_all == Score(0, 2, 1 / 4, 1 / 2)
    assert found.b_to_a.unseen == Score(2, 2, 1 / 2, 1 / 2)
    assert found.as_dict()["b_to_a"]["seen"] == {
        "n_correct": 2, "n_queries": 2, "chance": 0.5, "majority": 0.5,
    }  # fmt: skip


def test_both_directions_are_a_plain_loop_over_queries():
    rng = np.random.default_rng(3)
    sides = [(rng.normal(size=(n, 5)), rng.integers(0, 6, n)) for n in (60, 50)]
    seen, unseen = (1, 2, 3), (4, 5)
    found = evaluate(*sides[0], *sides[1], seen=seen, unseen=unseen)
    galleries = {
        "seen": (seen, seen),
        "unseen": (unseen, unseen),
        "seen_of_all": (seen, seen + unseen),
        "unseen_of_all": (unseen, seen + unseen),
    }
    for direction, ((q, q_labels), (g, g_labels)) in (
        (found.a_to_b, sides),
        (found.b_to_a, sides[::-1]),
    ):
        for name, (of, among) in galleries.items():
            there = [j for j in range(len(g)) if g_labels[j] in among]
            asked = [i for i in range(len(q)) if q_labels[i] in of]
            right = sum(
                g_labels[max(there, key=lambda j: q[i] @ g[j])] == q_labels[i] for i in asked
            )
            most = max(sum(q_labels[i] == c for i in asked) for c in of)
            wanted = (right, len(asked), 1 / len(among), most / len(asked))
            assert astuple(getattr(direction, name)) == wanted


def test_an_answer_of_a_class_that_nobody_asked_for_is_a_guess_too():
    one = np.ones((1, 1))
    score = retrieve(one, np.ones((3, 1)), np.array([0]), np.array([1, 2, 2])).score
    assert (score.n_correct, score.chance, score.majority) == (0, 1 / 2, 1.0)


def test_what_is_random_is_at_its_chance():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(9), 200)
    a, b = rng.normal(size=(2, len(y), 16))
    found = evaluate(a, y, b, y, seen=range(7), unseen=(7, 8))
    for score in (found.a_to_b.seen, found.a_to_b.unseen, found.b_to_a.unseen_of_all):
        error = (score.chance * (1 - score.chance) / score.n_queries) ** 0.5
        assert abs(score.accuracy - score.chance) < 4 * error


def test_pairs_follow_the_order_in_the_class_and_the_shorter_side_starts_over():
    a, b = np.array([2, 1, 2, 2, 0]), np.array([1, 2, 1, 2, 1])
    of_a, of_b = pair_by_label(a, b, (1, 2))
    assert of_a.tolist() == [1, 1, 1, 0, 2, 3]
    assert of_b.tolist() == [0, 2, 4, 1, 3, 1]
    assert [x.tolist() for x in pair_by_index(a, a, (0, 2))] == [[0, 2, 3, 4]] * 2


def test_a_wilson_interval_is_the_published_one():
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20."""
    for right, n, expected in (
        (81, 263, (0.2553, 0.3662)),
        (15, 148, (0.0624, 0.1605)),
        (0, 20, (0.0, 0.1611)),
    ):
        assert wilson_interval(Score(right, n, 0.5, 0.5)) == pytest.approx(expected, abs=5e-5)


def tokens(n_classes, each, n_features, draw):
    """Counts of two modalities whose classes have means of their own, and labels."""
    y = np.repeat(np.arange(n_classes), each)
    means = np.random.default_rng(7).uniform(0, 20, (n_classes, n_features))
    return np.random.default_rng(draw).poisson(means[y]), y


def scores_of(head, draws=(11, 12)):
    a, y = tokens(8, 10, 20, draws[0])
    b, _ = tokens(8, 10, 30, draws[1])
    with torch.no_grad():
        a, b = head.embed_a(torch.tensor(a).float()), head.embed_b(torch.tensor(b).float())
    return evaluate(a.numpy(), y, b.numpy(), y, seen=range(6), unseen=(6, 7)).a_to_b


def test_true_pairs_are_learnt_and_shuffled_ones_or_no_steps_are_not():
    (a, y), (b, _) = tokens(8, 16, 20, 1), tokens(8, 16, 30, 2)
    pairs = pair_by_label(y, y, range(6))
    spec = PairSpec(epochs=12, batch_size=8, n_out=8, scale="standard")

    def fitted(of_a, of_b):
        return fit_pairs(a[of_a], b[of_b], y[of_a], spec, 0).head

    assert scores_of(fitted(*pairs)).seen.accuracy > 0.9
    shuffled = shuffled_pairs(pairs, 0)
    assert np.array_equal(np.sort(shuffled[1]), np.sort(pairs[1]))
    assert np.mean(y[shuffled[0]] == y[shuffled[1]]) < 0.35
    assert scores_of(fitted(*shuffled)).seen.accuracy < 0.6
    untrained = untrained_projections(a[pairs[0]], b[pairs[1]], spec, 0)
    assert scores_of(untrained).seen.accuracy < 0.6


Y = np.arange(4)
E4 = np.eye(4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: evaluate(E4, Y, E4, Y, seen=(0, 1), unseen=(1, 2)),
         "class 1 is named twice: a class is seen or unseen, once"),
        (lambda: evaluate(E4, Y, E4, Y, seen=(0, 1), unseen=(2,)),
         "1 unseen classes: among fewer than two every answer is right"),
        (lambda: evaluate(E4, Y, E4[:3], Y[:3], seen=(0, 1), unseen=(2, 3)),
         "class 3 has no sample of b: leave it out, or give samples of it"),
        (lambda: retrieve(E4, np.eye(3), Y, Y[:3]),
         "queries have 4 dimensions, the gallery 3: embed both in one space"),
        (lambda: retrieve(E4, E4, Y, Y[:3]),
         "gallery of shape (4, 4) with labels of shape (3,): give (samples, dimensions), 1 or "
         "more, and a label for each sample"),
        (lambda: retrieve(E4 * np.inf, E4, Y, Y),
         "queries have a value that is not finite: train with a lower `lr`"),
        (lambda: pair_by_label(Y, Y, (5,)),
         "class 5 has no sample of a: leave it out, or give samples of it"),
        (lambda: pair_by_index(Y, Y[:3], (0,)),
         "4 samples of a and 3 of b cannot be paired by index: pair them by label"),
        (lambda: pair_by_index(Y, Y[::-1], (0,)),
         "sample 0 is of class 0 in a and 3 in b: their order is not the same, pair them by label"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_cannot_be_scored_is_said_in_one_line(call, said):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole line is compared)
        call()
    assert str(error.value) == said


RECIPE = """
name = "tiny"
seeds = [0, 1]
seen = [0, 1, 2, 3, 4, 5]
unseen = [6, 7, 8]
[a]
data = "digits"
binning = { n_steps = 8, window_s = 0.31, clip = 1 }
train_per_class = 8
test_per_class = 6
reservoir = { neurons = 40, scale = 0.05, decay_v = 0.9, v_th = 5.0 }
[b]
data = "nmnist-slice"
binning = { n_steps = 8, polarity = "off", clip = 1, crop = 16 }
reservoir = { neurons = 30, scale = 0.1, decay_v = 0.9, v_th = 5.0, seed = 3 }
[head]
epochs = 3
n_out = 8
"""


@pytest.fixture
def recipe(tmp_path):
    """A recipe on data that comes with the program, as a file: `recipe(old=new)` changes lines."""

    def write(changes=()):
        text = RECIPE
        for old, new in changes:
            assert old in text, old
            text = text.replace(old, new, 1)
        (tmp_path / "tiny.toml").write_text(text, encoding="utf-8")
        return tmp_path / "tiny.toml"

    return write


def test_a_run_has_all_arms_of_all_seeds_and_goes_on_where_it_stopped(neuro, recipe, tmp_path):
    code, out, err = neuro("zero-shot", recipe(), "--json")
    assert code == 0, err
    found = json.loads(out)
    folder = tmp_path / found.pop("run")
    assert json.loads((folder / "zero_shot.json").read_text()) == found
    assert found["seeds"] == [0, 1]
    assert found["pairs"] == 48
    assert found["samples"] == {"a": {"train": 48, "test": 54}, "b": {"train": 30, "test": 18}}
    assert set(found["arms"]) == {"reservoir", "untrained", "shuffled", "raw"}
    unseen = found["arms"]["reservoir"]["a_to_b"]["unseen"]
    assert (unseen["n_queries"], unseen["chance"]) == (18, pytest.approx(1 / 3))
    assert unseen["mean"] == pytest.approx(np.mean(unseen["n_correct"]) / 18)
    assert unseen["sd"] == pytest.approx(np.std(unseen["n_correct"], ddof=1) / 18)
    last = [of_seed[-1] for of_seed in found["epochs"]["a_to_b_unseen"]]
    assert last == pytest.approx([n / 18 for n in unseen["n_correct"]])
    rates = found["spikes_per_neuron_and_step"]
    assert rates[0]["a"] != rates[1]["a"]  # a new reservoir for every seed
    assert rates[0]["b"] == rates[1]["b"]  # but where the recipe fixes it
    figure = (folder / "embeddings.svg").read_bytes()
    kept = (folder / "seed-0.json").read_bytes()
    (folder / "seed-1.json").unlink()
    (folder / "zero_shot.json").unlink()
    assert neuro("zero-shot", recipe(), "--json")[1] == out
    assert (folder / "seed-0.json").read_bytes() == kept
    assert (folder / "embeddings.svg").read_bytes() == figure
    code, table, err = neuro("zero-shot", recipe(), "--seed", "1")
    assert "chance                                         16.7 %" in table
    assert "always the most frequent class" in table
    assert "one seed, each with reservoirs of its own; after epoch 3, the last" in table
    assert "±" not in table.split("one seed")[0]
    one = json.loads((folder / "seed-1.json").read_text())["spikes_per_neuron_and_step"]
    assert f" {one['a']:.4f}, " in table
    assert f" {one['b']:.4f}; neurons that never fire" in table
    damaged = json.loads(kept)
    del damaged["scores"]
    (folder / "seed-0.json").write_text(json.dumps(damaged))
    code, _, err = neuro("zero-shot", recipe())
    assert code == 1
    assert "is damaged, it has no `scores`: delete it" in err.replace("\n", " ")
    whole = json.loads(kept)
    for changes, said in (
        ({"scores": {}}, "is damaged (KeyError('reservoir')): delete it"),
        ({"epochs": []}, "is damaged (IndexError('list index out of range')): delete it"),
        ({"seed": 1}, "is of seed 1: delete it"),
    ):
        (folder / "seed-0.json").write_text(json.dumps(whole | changes))
        code, _, err = neuro("zero-shot", recipe())
        assert code == 1
        assert said in err.replace("\n", " ")


def test_by_index_recordings_meet_the_images_that_they_were_made_of(recipe):
    root = os.environ.get("NEURO_DATA", "")
    if not (Path(root) / "mnist/train-images-idx3-ubyte.gz").is_file():
        pytest.skip("set NEURO_DATA to a folder with mnist/train-images-idx3-ubyte.gz")
    images = recipe(
        [
            ("seeds", 'pairing = "index"\nseeds'),
            ('data = "digits"', 'data = "nmnist-slice"'),
            ("train_per_class = 8\ntest_per_class = 6\n", ""),
            ('[b]\ndata = "nmnist-slice"', '[b]\ndata = "mnist"'),
            ('polarity = "off", clip = 1, crop = 16', "spikes = 4"),
        ]
    )
    a, b = load_sides(load_zero_shot(images), root)
    assert np.array_equal(a.train.labels, b.train.labels)
    assert np.array_equal(a.test.labels, b.test.labels)
    recordings = load("nmnist-slice", "test")
    chosen = recordings.take(np.flatnonzero(recordings.labels <= 8))
    whose = load("mnist", "test", root=root).take(mnist_index(chosen)[1])
    assert np.array_equal(b.test.frames, whose.binned(Binning(n_steps=8, spikes=4))[0])


def test_formed_reservoirs_and_rates_run_too(neuro, recipe):
    formed = recipe(
        [
            ("seeds = [0, 1]", 'seeds = [0]\nread = "rates"'),
            ("scale = 0.05", 'source = "formed", scale = 0.05'),
            ("v_th = 5.0, seed = 3", "v_th = 5.0, recurrent = false"),
        ]
    )
    code, out, err = neuro("zero-shot", formed, "--json")
    assert code == 0, err
    assert json.loads(out)["spikes_per_neuron_and_step"][0]["a"] > 0


def test_arms_are_what_they_are_called(recipe):
    """Every arm once more, from its parts."""
    changes = [("seeds", 'read = "rates"\nseeds'), ("n_out = 8", "n_out = 8\nlr = 0.05")]
    loaded = load_zero_shot(recipe(changes))
    bench = Bench(loaded, load_sides(loaded, None))
    spikes = [side.counts(np.random.default_rng((4, i))) for i, side in enumerate(bench.sides)]
    inputs = [(side.train.counts, side.test.counts) for side in bench.sides]
    of_a, of_b = pair_by_label(*(side.train.labels for side in bench.sides), loaded.seen)
    dealt = np.random.default_rng(4).permutation(of_b)
    labels = bench.sides[0].train.labels[of_a]
    arms = {
        "reservoir": (spikes, of_b, fit_pairs),
        "untrained": (spikes, of_b, None),
        "shuffled": (spikes, dealt, fit_pairs),
        "raw": (inputs, of_b, fit_pairs),
    }
    wanted = {}
    for name, (counts, partner, fit) in arms.items():
        (a, test_a), (b, test_b) = ([x / 8 for x in side] for side in counts)
        if fit is None:
            head = untrained_projections(a[of_a], b[partner], loaded.head, 4)
        else:
            head = fit(a[of_a], b[partner], labels, loaded.head, 4).head
        with torch.no_grad():
            embedded = [
                head.embed_a(torch.tensor(test_a).float()).numpy(),
                head.embed_b(torch.tensor(test_b).float()).numpy(),
            ]
        y = [side.test.labels for side in bench.sides]
        scores = evaluate(
            embedded[0], y[0], embedded[1], y[1], seen=loaded.seen, unseen=loaded.unseen
        )
        wanted[name] = scores.as_dict()
    assert len({json.dumps(scores) for scores in wanted.values()}) == 4
    assert bench.run(4, lambda _: None)["scores"] == wanted


def test_sides_must_number_the_same_classes(recipe, monkeypatch):
    def renamed(name, split, *, root):
        found = load(name, split, root=root)
        return replace(found, class_names=found.class_names[::-1]) if name == "digits" else found

    monkeypatch.setattr("neuro.zero_shot.load", renamed)
    with pytest.raises(ValueError, match="class 0 is '9' in digits and '0' in nmnist-slice"):
        load_sides(load_zero_shot(recipe()), None)


def test_a_reservoir_without_recurrence_hears_nothing_of_itself(recipe):
    how = load_zero_shot(recipe([("seed = 3", "recurrent = false")])).b.reservoir
    alone = drawn(how, 4, np.random.default_rng(0))
    assert not alone.w_rec.any()
    assert alone.w_in.all()


def test_a_seed_named_twice_is_said_in_one_line(neuro, recipe):
    code, _, err = neuro("zero-shot", recipe(), "--seed", "1", "--seed", "1")
    assert (code, err) == (1, "error: `seeds` [1, 1] name one twice: take each once\n")


def test_components_are_those_of_both_sides_and_their_signs_are_fixed():
    a, b = np.random.default_rng(0).normal(size=(2, 20, 6)) * [[[3]], [[50]]]
    of_a, of_b = principal_components(a, b)
    assert of_a.mean(0) == pytest.approx([0, 0], abs=1e-12)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b)]
    values = np.linalg.eigvalsh(np.cov(unit[0].T) + np.cov(unit[1].T))[::-1][:2]
    assert np.cov(of_a.T) + np.cov(of_b.T) == pytest.approx(np.diag(values), abs=1e-12)
    assert principal_components(-a, -b)[0] == pytest.approx(-of_a)


def test_shipped_recipes_are_read_and_say_what_data_they_lack(neuro, tmp_path):
    lacks = {"audio-vision": "fsdd", "brain-vision": "handwriting", "event-image": "nmnist-small"}
    for name, data in lacks.items():
        code, _, err = neuro("zero-shot", f"lsm-{name}", "--root", tmp_path)
        assert code == 1
        assert f"error: data set '{data}' is not here" in err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([("unseen = [6, 7, 8]", "unseen = [5, 6]")],
         "the whole: Value error, class 5 is named twice: a class is seen or unseen, once"),
        ([("unseen = [6, 7, 8]", "unseen = [8, 12]")],
         "class 12 of digits, which has 0 to 9: name others in `seen` and `unseen`"),
        ([("seeds = [0, 1]", "seeds = [1, 1]")], "`seeds` [1, 1] name one twice: take each once"),
        ([('data = "nmnist-slice"', 'data = "nmnist-slice"\ntest = "train"')],
         "nmnist-slice is trained and tested on 'train': name another part as `test`"),
        ([("n_out = 8", "batch_size = 1")],
         "head.batch_size: Input should be greater than or equal to 2, got 1"),
        ([("n_out = 8", "n_out = 0")], "head.n_out: Input should be greater than 0, got 0"),
        ([("neurons = 40, ", "")], "a.reservoir.neurons: Field required"),
        ([("n_out = 8", "batch_size = 100")],
         "`batch_size` is 100 for 48 samples: take 1 to 48"),
        ([("seeds = [0, 1]", 'pairing = "index"')],
         "48 samples of a and 30 of b cannot be paired by index: pair them by label"),
    ],
)  # fmt: skip
def test_what_cannot_be_run_is_said_in_one_line(neuro, recipe, changes, said):
    code, out, err = neuro("zero-shot", recipe(changes))
    assert (code, out) == (1, "")
    assert said in err
    assert err.splitlines()[-1].startswith("error: ")
