"""Trained networks of a reservoir's sizes: its spikes before training, gradients, cost by hand."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from neuro.datasets.interface import Binning
from torch.nn.functional import cross_entropy

from experiments.lsm import baselines, tasks, trained, trained_pairs
from experiments.lsm.training_cost import Macs, training_macs
from neuro.models.contrastive import prototypical
from neuro.models.lsm import LSM, Reservoir
from neuro.models.srnn import RNN, SRNN, at_threshold, steps_first
from neuro.training.heads import HeadSpec, fit_last

START = Reservoir.gaussian(12, 30, np.random.default_rng(0), scale=0.3, decay_v=0.9, v_th=5.0)
FRAMES = (np.random.default_rng(1).random((6, 20, 3, 4)) < 0.3).astype(np.uint8)
X = steps_first(torch.from_numpy(FRAMES))


def networks():
    torch.manual_seed(0)
    spiking = {head: SRNN(at_threshold(START, 0.3), (3, 4), 5, head) for head in ("ann", "snn")}
    return spiking | {"rnn": RNN((3, 4), 30, 5)}


@pytest.mark.parametrize("v_th", [5.0, 1.25])
def test_before_training_the_spikes_are_those_of_the_reservoir(v_th):
    """A quarter of the weights at a quarter of the threshold: the same potentials but for 2**-2."""
    net = SRNN(at_threshold(START, v_th), (3, 4), 5)
    counts = LSM(START, (3, 4), dtype=torch.float32).counts(FRAMES)
    assert counts.any()
    np.testing.assert_array_equal(net.spikes(X).sum(0).detach().numpy(), counts)
    torch.testing.assert_close(net(X), net.head(torch.from_numpy(counts).float()))


@pytest.mark.parametrize("arm", ["ann", "snn", "rnn"])
def test_all_weights_get_a_gradient(arm):
    net = networks()[arm]
    logits = net(X)
    assert logits.shape == (6, 5)
    cross_entropy(logits, torch.arange(6) % 5).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_a_spiking_head_answers_its_own_counts():
    net = networks()["snn"]
    logits = net(X)
    assert logits.any()
    assert torch.equal(logits, logits.round())
    assert torch.equal(logits, net.stack.blocks["readout"](net.spikes(X)).sum(0))


def test_a_spiking_head_is_the_published_cell_that_keeps_nine_tenths():
    """By the equation, a step at a time."""
    net = networks()["snn"]
    weight = net.stack.blocks["readout"].synapses.weight
    u = s = total = torch.zeros(6, 5)
    for heard in net.spikes(X):
        u = 0.9 * u * (1 - s) + heard @ weight.T
        s = (u > 0.3).float()
        total = total + s
    torch.testing.assert_close(net(X), total)


def test_gradients_reach_a_threshold_from_the_threshold():
    spike = networks()["ann"].stack.blocks["recurrent"].neurons.spike
    away = torch.tensor([-0.31, -0.15, 0.0, 0.15, 0.31], requires_grad=True)
    spike(away).sum().backward()
    assert away.grad.tolist() == pytest.approx([0, 0.15, 0.3, 0.15, 0])


def test_the_plain_network_reads_the_mean_of_its_states():
    """By the equation, a step at a time."""
    net = networks()["rnn"]
    r, h, states = net.recurrent, torch.zeros(6, 30), []
    for x in X.flatten(2):
        h = torch.tanh(x @ r.weight_ih_l0.T + r.bias_ih_l0 + h @ r.weight_hh_l0.T + r.bias_hh_l0)
        states.append(h)
    torch.testing.assert_close(net(X), net.head(torch.stack(states).mean(0)))


def test_a_long_gradient_is_shortened_as_torch_does():
    net = networks()["rnn"]
    plain, y = copy.deepcopy(net), torch.arange(6) % 5
    spec = HeadSpec(epochs=3, batch_size=6, lr=1e-2)
    fit_last(
        net, lambda i: cross_entropy(net(X[:, i]), y[i]), (torch.arange(6),),
        lambda _: [torch.arange(6)], spec, 0, clip_norm=1e-3,
    )  # fmt: skip
    optimiser = torch.optim.Adam(plain.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        cross_entropy(plain(X), y).backward()
        assert torch.nn.utils.clip_grad_norm_(plain.parameters(), 1e-3) > 0.1
        optimiser.step()
    torch.testing.assert_close(net.state_dict(), plain.state_dict())


def test_the_cost_of_training_is_counted_by_hand():
    """4 inputs, 3 neurons, 2 classes, 5 steps: 3 (4 + 3) 5 = 105 forward, and 3 x 2 of the head."""
    sizes = (4, 3, 2)
    how = {"n_steps": 5, "n_samples": 10, "epochs": 7}
    assert training_macs(*sizes, **how) == Macs(105 * 3 * 70, 6 * 3 * 70)
    assert training_macs(*sizes, **how, head_steps=5) == Macs(105 * 3 * 70, 6 * 5 * 3 * 70)
    frozen = training_macs(*sizes, **how, n_recordings=10)
    assert frozen == Macs(105 * 10, 6 * 3 * 70)
    assert (frozen + Macs(1, 2)).total == 1050 + 1260 + 3


@pytest.fixture
def tiny(monkeypatch):
    """Ten bundled recordings of each part on both sides, ten steps, two epochs."""
    task = replace(
        tasks.TASKS["nmnist"], data="nmnist-slice",
        binning=Binning(n_steps=10, polarity="off", clip=1, crop=16),
    )  # fmt: skip
    for name in ("nmnist", "fsdd"):
        monkeypatch.setitem(tasks.TASKS, name, task)
        monkeypatch.setitem(tasks.EVERY, name, task)
    spec = HeadSpec(epochs=2, batch_size=16, lr=1e-3)
    for key in trained.SPECS:
        monkeypatch.setitem(trained.SPECS, key, spec)
    monkeypatch.setattr(trained_pairs, "SPEC", spec)
    tasks.data_of.cache_clear()
    yield
    tasks.data_of.cache_clear()


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("arm", trained.ARMS)
def test_a_classifier_is_measured_the_same_twice(arm):
    case = next(c for c in baselines.cases([1]) if (c.task, c.arm) == ("fsdd", arm))
    found = baselines.measure(case)
    assert found == baselines.measure(case)
    assert found != baselines.measure(replace(case, seed=2))
    assert (found["n_test"], found["n_train"], found["steps"]) == (20, 50, 8)
    assert 0 <= found["test_correct"] <= 20
    head = 200 * 10 * 3 * 100 * (10 if arm == "srnn-snn" else 1)
    assert found["train_macs"] == (256 + 200) * 200 * 10 * 3 * 100 + head
    assert ("rate" in found) == (arm != "rnn")


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize("arm", ["srnn", "prototypes"])
def test_trained_pairs_are_measured_the_same_twice(arm):
    """Two recordings of each digit in the test: 14 queries of seen digits and 4 of unseen ones."""
    case = next(c for c in baselines.cases([0]) if c.arm == arm)
    found = baselines.measure(case)
    assert found == baselines.measure(case)
    for way in ("a_to_v", "v_to_a"):
        assert found[f"{way}_seen_queries"] == found[f"{way}_seen_of_all_queries"] == 14
        assert found[f"{way}_unseen_queries"] == found[f"{way}_unseen_of_all_queries"] == 4
        last = found[f"{way}_unseen_correct"] / 4
        assert found[f"{way}_unseen_min"] <= last <= found[f"{way}_unseen_max"]
    assert found["pairs"] == 35
    assert found["train_macs_head"] == 2 * 3 * 200 * 64 * 35 * 2


def test_prototypes_are_the_nearest_means():
    """Distances by hand, in the loss and in the answers."""
    q, s = np.random.default_rng(0).normal(size=(2, 6, 3))
    labels = np.array([7, 4, 4, 7, 9, 9])
    means = np.stack([s[labels == c].mean(0) for c in (4, 7, 9)])
    apart = ((q[:, None] - means) ** 2).sum(2)
    exp, own = np.exp(-apart / 0.5), np.array([1, 0, 0, 1, 2, 2])
    loss = prototypical(*(torch.tensor(x) for x in (q, s, labels)), 0.5)
    assert loss.item() == pytest.approx(-np.log(exp[range(6), own] / exp.sum(1)).mean())
    asked = trained_pairs.nearest_mean(q, labels, s, labels)
    answers = (asked.queries @ asked.gallery.T).argmax(1)
    np.testing.assert_array_equal(answers, apart.argmin(1))
    assert asked.gallery_labels.tolist() == [4, 7, 9]
