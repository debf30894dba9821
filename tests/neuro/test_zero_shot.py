"""Zero-shot retrieval: scores by hand, pairs that are learnt, and controls that must fail."""

import numpy as np
import pytest
import torch

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


def test_an_answer_is_the_largest_dot_product_and_of_equal_ones_the_first():
    gallery = np.array([[1.0, 0], [0, 1], [1, 0], [0, 3]])
    found = retrieve(
        np.array([[1.0, 0], [0, 1], [2, 1]]), gallery, np.array([4, 4, 7]), np.array([4, 4, 7, 7])
    )
    assert found.answers.tolist() == [0, 3, 3]
    assert found.classes.tolist() == [4, 7]
    assert found.confusion.tolist() == [[1, 1], [0, 1]]
    assert found.score == Score(n_correct=2, n_queries=3, chance=0.5)


def test_each_score_has_its_own_gallery_and_its_chance():
    """In `a`, classes 2 and 3 are nearer to 0 and 1 than to themselves."""
    b = np.eye(4) * [5, 5, 1, 1]
    a = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])
    y = np.arange(4)
    found = evaluate(a, y, b, y, seen=(0, 1), unseen=(2, 3))
    assert found.a_to_b.seen == found.a_to_b.unseen == Score(2, 2, 1 / 2)
    assert found.a_to_b.seen_of_all == Score(2, 2, 1 / 4)
    assert found.a_to_b.unseen_of_all == Score(0, 2, 1 / 4)
    assert found.b_to_a.unseen == Score(2, 2, 1 / 2)
    assert found.as_dict()["b_to_a"]["seen"] == {"n_correct": 2, "n_queries": 2, "chance": 0.5}


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
        assert wilson_interval(Score(right, n, 0.5)) == pytest.approx(expected, abs=5e-5)


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
