"""Networks that snnTorch, sinabs and Norse trained and exported count the same spikes here."""

import functools
from pathlib import Path

import numpy as np
import pytest
import torch

import hwsim
from neuro import datasets
from tests.nir_trained import FRAMEWORKS, N_STEPS, layer_counts, net_of

HERE = Path(__file__).parents[1] / "data" / "nir"
N_SAMPLES = 20


@functools.cache
def frames():
    """The 20 test recordings that come with the program, (samples, steps, 2, 34, 34)."""
    binning = datasets.Binning(n_steps=N_STEPS, clip=1)
    found = datasets.load("nmnist-slice", "test").binned(binning, cache=False)[0]
    assert len(found) == N_SAMPLES
    return found.astype(np.float64)


def record(framework):
    with np.load(HERE / f"{framework}.npz") as file:
        return dict(file)


def imported(framework, **other):
    found = hwsim.read_nir(HERE / f"{framework}.nir", framework=framework, **other)
    assert {v.grade for v in found.verdicts} == {"exact"}
    return found.network


def our_counts(net):
    """Spikes of every layer, (samples, layers)."""
    layers = [p.name for p in net.populations if p.neuron is not None]
    spikes = [
        hwsim.simulate(net, frames(), record=("spikes",), probe=name).spikes[name]
        for name in layers
    ]
    return np.stack([s.reshape(N_SAMPLES, -1).sum(1) for s in spikes], axis=1).astype(int)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_trained_network_counts_the_same_in_every_layer(framework):
    known = record(framework)
    assert known["counts"].shape == (N_SAMPLES, 3)
    assert known["counts"].min(axis=1).min() >= 0
    assert known["accuracy"] > 0.8  # of ten classes
    assert np.array_equal(our_counts(imported(framework)), known["counts"])


@pytest.mark.parametrize(
    ("framework", "other"),
    [
        ("snntorch", {"reset": "zero"}),
        ("snntorch", {"reset_late": False}),
        ("sinabs", {"discretise": "euler"}),
        ("sinabs", {"reset": "zero"}),
        ("norse", {"reset": "subtract"}),
        ("norse", {"dt": 2e-6}),
    ],
)
def test_another_convention_counts_others(framework, other):
    """Else equal counts would say nothing of the convention."""
    counts = our_counts(imported(framework, **other))
    assert not np.array_equal(counts, record(framework)["counts"])


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_record_is_what_the_framework_counts(framework):
    pytest.importorskip(framework, reason=f"install {framework} as `make .venv` does")
    known = record(framework)
    net = net_of(framework)
    state = {n[6:]: torch.tensor(v) for n, v in known.items() if n.startswith("state/")}
    assert set(net.load_state_dict(state, strict=False).missing_keys).isdisjoint(state)
    assert np.array_equal(layer_counts(framework, net, frames()), known["counts"])
