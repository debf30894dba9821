"""A recurrent network from snnTorch reads Braille here as it does there, and on a chip."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

import hwsim
from experiments.braille import network
from experiments.braille.run import COLUMNS, GRAPH, N_CALIBRATION, RECORD, RESULTS
from hwsim.quantization import choose_scales

FILE = "braille-spikes/braille7_train_val.npz"
POINTS = 0.02  # what a chip's integers may cost


@pytest.fixture(scope="module")
def test_set():
    """The 280 samples for testing: frames and labels."""
    if "NEURO_DATA" not in os.environ or not (Path(os.environ["NEURO_DATA"]) / FILE).exists():
        pytest.skip(f"set NEURO_DATA to a folder with {FILE}")
    return network.data("test")


@pytest.fixture(scope="module")
def rows():
    with RESULTS.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def record():
    """What snnTorch fired: hidden spikes by sample, output spikes by sample and class."""
    with np.load(RECORD) as file:
        return file["hidden"], file["output"]


def counts(net, frames):
    done = hwsim.simulate(net, network.samples(frames))
    hidden, _ = network.layers(net)
    return done.spike_counts[hidden].sum(1), done.output


def test_every_seed_keeps_what_it_claims(rows):
    assert len(rows) >= 3
    assert tuple(rows[0]) == COLUMNS
    for row in rows:
        n = {k: int(v) for k, v in row.items() if k.endswith(("test", "different", "spikes"))}
        assert n["snntorch_test"] == n["float_test"]
        assert n["hidden_different"] == n["output_different"] == 0
        assert n["chip_test"] >= n["float_test"] - POINTS * n["n_test"]
        controls = ("untrained_test", "without_recurrence_test", "counts_test")
        assert n["float_test"] > max(n[c] for c in controls)


def test_the_file_answers_as_snntorch_did(test_set, rows):
    frames, labels = test_set
    hidden, output = record()
    ours, answer = counts(network.read(GRAPH), frames)
    assert np.array_equal(answer.argmax(1), output.argmax(1))
    assert np.array_equal(answer, output)
    assert np.array_equal(ours, hidden)
    assert (answer.argmax(1) == labels.numpy()).sum() == int(rows[0]["snntorch_test"])


def test_without_the_step_of_rest_it_fires_otherwise(test_set):
    """Else equal counts would say nothing of how snnTorch resets to zero."""
    frames, _ = test_set
    net = network.read(GRAPH)
    populations = tuple(
        replace(p, neuron=replace(p.neuron, refractory=0)) if p.neuron else p
        for p in net.populations
    )
    ours, _ = counts(replace(net, populations=populations), frames)
    assert not np.array_equal(ours, record()[0])


def test_the_record_is_what_snntorch_fires(test_set):
    """Run again, from the weights of the file; on other machines float32 sums may differ."""
    graph = nir.read(GRAPH)
    net = network.build(1)
    weights = {
        "0.weight": graph.nodes["0"].weight,
        "1.recurrent.weight": graph.nodes["1.w_rec"].weight,
        "2.weight": graph.nodes["2"].weight,
    }
    assert set(weights) == set(network.weights(net))
    net.load_state_dict({k: torch.tensor(w) for k, w in weights.items()}, strict=False)
    hidden, output = network.spikes_of(net, test_set[0])
    for found, known in ((hidden.sum((1, 2)), record()[0]), (output.sum(1), record()[1])):
        assert np.abs(found - known).sum() <= 1e-3 * known.sum()


def calibration():
    return network.samples(network.data("fit")[0][:N_CALIBRATION])


def test_in_integers_it_loses_two_points_at_most(test_set, rows):
    frames, labels = test_set
    plan = network.on_chip(network.read(GRAPH), calibration())
    answer = hwsim.simulate(plan, network.samples(frames)).output
    right = (answer.argmax(1) == labels.numpy()).sum()
    assert right == int(rows[0]["chip_test"])
    assert right >= int(rows[0]["float_test"]) - POINTS * len(labels)


def test_the_scale_that_is_chosen_keeps_most(test_set):
    """Smaller ones round more, larger ones cut large weights off."""
    net, chip = network.read(GRAPH), hwsim.load_chip("loihi2")
    frames = network.samples(network.data("hold")[0])
    real = hwsim.simulate(net, frames).output
    chosen = choose_scales(net, chip, calibration())

    def off(factor):
        scales = {name: factor * scale for name, scale in chosen.items()}
        qnet, _ = hwsim.quantize(net, chip, frames, scales=scales)
        return np.abs(hwsim.simulate(qnet, frames).output - real).mean()

    assert off(1.0) < min(off(0.25), off(2.0))
