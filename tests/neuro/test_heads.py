"""Heads on counts: losses against plain formulas, training to the bit, errors in one line."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from neuro.models.contrastive import supervised_contrastive, symmetric_contrastive
from neuro.models.heads import LinearProbe, Projections, Standardised
from neuro.training.batches import one_of_each, shuffled
from neuro.training.heads import (
    PairSpec,
    ProbeSpec,
    fit_pairs,
    fit_probe,
    untrained_projections,
)


def classes_of_counts(n_classes=3, each=20, n_features=12, seed=0):
    """Poisson counts around a mean per class, (samples, features), and labels, in turns."""
    rng = np.random.default_rng(seed)
    labels = np.tile(np.arange(n_classes), each)
    return rng.poisson(rng.uniform(1, 20, (n_classes, n_features))[labels]), labels


def weights(head):
    return {name: value.clone() for name, value in head.state_dict().items()}


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def with_gradient(loss, logits, *args):
    x = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    value = loss(x, *args)
    value.backward()
    return value.item(), x.grad.numpy()


def softmax(x, axis):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


LOGITS = np.random.default_rng(1).normal(0, 3, (5, 5))


def test_the_symmetric_loss_and_its_gradient_are_the_plain_formula():
    """d/dL of the mean of -log p over rows and over columns: (p - I) / n, both halved."""
    value, gradient = with_gradient(symmetric_contrastive, LOGITS)
    rows, columns, one = softmax(LOGITS, 1), softmax(LOGITS, 0), np.eye(5)
    assert value == pytest.approx(-np.mean(np.log(np.diag(rows)) + np.log(np.diag(columns))) / 2)
    assert gradient == pytest.approx((rows + columns - 2 * one) / 10, abs=1e-12)


def test_the_supervised_loss_is_its_double_loop_and_so_is_its_gradient():
    logits, a, b = LOGITS[:, :4], [0, 1, 1, 2, 0], [1, 0, 2, 1]

    def loop(x, mine, others):
        total = 0.0
        for i, label in enumerate(mine):
            positives = [p for p, other in enumerate(others) if other == label]
            whole = sum(math.exp(x[i][k]) for k in range(len(others)))
            total -= sum(math.log(math.exp(x[i][p]) / whole) for p in positives) / len(positives)
        return total / len(mine)

    def both(x):
        return (loop(x, a, b) + loop(x.T, b, a)) / 2

    labels = torch.tensor(a), torch.tensor(b)
    value, gradient = with_gradient(supervised_contrastive, logits, *labels)
    assert value == pytest.approx(both(logits))
    for at in np.ndindex(logits.shape):
        step = np.zeros_like(logits)
        step[at] = 1e-5
        by_difference = (both(logits + step) - both(logits - step)) / 2e-5
        assert gradient[at] == pytest.approx(by_difference, abs=1e-8)


def test_with_one_pair_of_each_class_both_losses_are_the_same():
    x, labels = torch.tensor(LOGITS), torch.arange(5)
    ours = supervised_contrastive(x, labels, labels)
    assert ours.item() == pytest.approx(symmetric_contrastive(x).item())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_projection_is_its_layers_and_the_logits_are_dot_products(depth):
    head = Projections(6, 4, 8, depth=depth, hidden=5, activation="tanh", temperature=0.5)
    a, b = torch.rand(3, 6), torch.rand(2, 4)
    x = a
    for i, layer in enumerate(m for m in head.a if isinstance(m, torch.nn.Linear)):
        x = F.linear(torch.tanh(x) if i else x, layer.weight, layer.bias)
    assert i == depth - 1
    torch.testing.assert_close(head.embed_a(a), x)
    torch.testing.assert_close(head(a, b), x @ head.embed_b(b).T / 0.5)


def test_normalised_embeddings_have_length_one_and_the_temperature_learns():
    head = Projections(6, 4, normalise=True, temperature=0.01, learn_temperature=True)
    a, b = torch.rand(3, 6), torch.rand(3, 4)
    assert head.embed_a(a).norm(dim=1).tolist() == pytest.approx([1] * 3, rel=1e-5)
    assert head.temperature == pytest.approx(0.01)
    symmetric_contrastive(head(a, b)).backward()
    assert head.log_scale.grad != 0
    assert "log_scale" not in dict(Projections(6, 4).named_parameters())


def test_standardised_counts_have_mean_zero_and_deviation_one_and_silence_stays():
    counts = torch.tensor([[1.0, 0, 7], [3, 0, 2], [8, 0, 3]])
    x = Standardised(counts)(counts)
    assert x.mean(0).tolist() == pytest.approx([0] * 3, abs=1e-6)
    assert x.std(0, correction=0).tolist() == pytest.approx([1, 0, 1])


def test_a_probe_learns_and_the_same_seed_gives_the_same_bits():
    """Whatever ran before, and without a trace in torch's own random numbers."""
    counts, labels = classes_of_counts()
    spec = ProbeSpec(epochs=15, batch_size=16, lr=1e-2)
    x, y = torch.tensor(counts, dtype=torch.float32), torch.tensor(labels)

    def right(head: LinearProbe) -> float:
        return float((head(x).argmax(1) == y).float().mean())

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = fit_probe(counts, labels, 3, spec, 1, watch={"right": right})
    assert torch.equal(torch.rand(3), expected)
    assert [row["epoch"] for row in first.history] == list(range(1, 16))
    assert first.history[-1]["right"] > 0.95
    assert first.history[-1]["loss"] < first.history[0]["loss"] / 2
    assert same(weights(first.head), weights(fit_probe(counts, labels, 3, spec, 1).head))
    assert not same(weights(first.head), weights(fit_probe(counts, labels, 3, spec, 2).head))


def test_a_probe_takes_the_steps_of_a_plain_loop():
    """AdamW in a loop of plain torch, over the batches of the same generator."""
    counts, labels = classes_of_counts(each=7)
    how = {"lr": 1e-2, "weight_decay": 0.1}
    ours = fit_probe(
        counts, labels, 3, ProbeSpec(epochs=3, batch_size=8, optimiser="adamw", **how), 4
    )
    torch.manual_seed(4)
    plain = torch.nn.Linear(12, 3)
    optimiser = torch.optim.AdamW(plain.parameters(), foreach=False, **how)
    generator = torch.Generator().manual_seed(4)
    x, y = torch.tensor(counts, dtype=torch.float32), torch.tensor(labels)
    for _ in range(3):
        for i in torch.randperm(21, generator=generator).split(8):
            optimiser.zero_grad()
            F.cross_entropy(plain(x[i]), y[i]).backward()
            optimiser.step()
    torch.testing.assert_close(ours.head.linear.state_dict(), plain.state_dict())


def test_standardised_counts_train_as_counts_standardised_before():
    counts, labels = classes_of_counts()
    spec = ProbeSpec(epochs=3, batch_size=16, lr=1e-2)
    own = fit_probe(counts, labels, 3, spec.model_copy(update={"scale": "standard"}), 0)
    before = (counts - counts.mean(0)) / counts.std(0)
    given = fit_probe(before, labels, 3, spec, 0)
    torch.testing.assert_close(own.head.linear.state_dict(), given.head.linear.state_dict())


@pytest.mark.parametrize(
    "how", [{}, {"loss": "supervised", "batches": "one-per-class", "batch_size": 3}]
)
def test_pairs_are_learnt_from_what_is_untrained_and_to_the_bit(how):
    a, labels = classes_of_counts(seed=1)
    b, _ = classes_of_counts(n_features=9, seed=2)
    spec = PairSpec(epochs=10, **how)
    first, again = (fit_pairs(a, b, labels, spec, 0) for _ in range(2))
    assert same(weights(first.head), weights(again.head))
    one_step = fit_pairs(a, b, labels, spec.model_copy(update={"epochs": 1, "lr": 1e-12}), 0)
    start = untrained_projections(a, b, spec, 0).state_dict()
    torch.testing.assert_close(one_step.head.state_dict(), start)
    assert first.history[-1]["loss"] < first.history[0]["loss"]


def test_batches_take_every_sample_once_or_one_of_every_class():
    generator = torch.Generator().manual_seed(0)
    whole = shuffled(10, 4)(generator)
    assert [len(batch) for batch in whole] == [4, 4, 2]
    assert sorted(torch.cat(whole).tolist()) == list(range(10))
    labels = torch.tensor([0, 1, 1, 2, 2, 2, 0, 1])
    batches = one_of_each(labels)(generator)
    assert [labels[batch].tolist() for batch in batches] == [[0, 1, 2]] * 2
    assert len(torch.cat(batches).unique()) == 6


COUNTS, LABELS = classes_of_counts(each=4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: fit_probe(COUNTS, LABELS, 2, ProbeSpec(batch_size=4), 0),
         "label 2 of 2 classes: labels are 0 to 1"),
        (lambda: fit_probe(COUNTS, LABELS - 1, 3, ProbeSpec(batch_size=4), 0),
         "`labels` has -1: labels are 0 or more"),
        (lambda: fit_probe(COUNTS, LABELS * 0, 3, ProbeSpec(batch_size=4), 0),
         "`labels` are all 0: nothing is learnt from one class, give more"),
        (lambda: fit_probe(COUNTS, LABELS[1:], 3, ProbeSpec(batch_size=4), 0),
         "`labels` are int64 of shape (11,), must be 12 whole numbers, one for every sample"),
        (lambda: fit_probe(COUNTS, LABELS, 3, ProbeSpec(), 0),
         "`batch_size` is 100 for 12 samples: take 1 to 12"),
        (lambda: fit_probe(COUNTS[0], LABELS, 3, ProbeSpec(), 0),
         "`counts` has shape (12,), must be (samples, neurons), 1 or more"),
        (lambda: fit_probe(COUNTS / 0.0, LABELS, 3, ProbeSpec(), 0),
         "`counts` has a value that is not finite: count again"),
        (lambda: fit_pairs(COUNTS, COUNTS[1:], LABELS, PairSpec(), 0),
         "12 samples of a and 11 of b are no pairs: give as many"),
        (lambda: fit_pairs(COUNTS, COUNTS, LABELS, PairSpec(batches="one-per-class"), 0),
         "`batch_size` is 8 for one pair of each of 3 classes: take 3, or "
         '`batches = "shuffled"`'),
        (lambda: fit_pairs(COUNTS, COUNTS, LABELS, PairSpec(lr=1e30), 0),
         "in epoch 1 the loss is nan: lower `lr`, 1e+30 here"),
        (lambda: symmetric_contrastive(torch.zeros(2, 3)),
         "logits of (2, 3) have no diagonal of pairs: give as many of a as of b"),
        (lambda: supervised_contrastive(torch.zeros(2, 2), torch.arange(2), torch.zeros(2)),
         "class 1 is on one side only and has no positive: batches are of pairs"),
        (lambda: supervised_contrastive(torch.zeros(2, 2), torch.arange(2), torch.arange(3)),
         "logits of (2, 2) for 2 and 3 labels: give a label for each row and each column"),
        (lambda: Projections(2, 2, depth=4), "`depth` is 4: a projection has 1 to 3 layers"),
        (lambda: Projections(2, 2, temperature=0.0),
         "`temperature` is 0: give a number above 0"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_what_cannot_be_learnt_is_said_in_one_line(call, said):
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the whole line is compared)
        call()
    assert str(error.value) == said
