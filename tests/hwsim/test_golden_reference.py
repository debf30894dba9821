"""The slow reference against Intel's Lava: every state of every neuron in every step."""

from collections import Counter

import numpy as np
import pytest

from hwsim.network import Network, Population, Projection
from hwsim.neuron import Neuron
from hwsim.simulation import simulate
from hwsim.synapses import Dense
from tests.golden import INPUT, GoldenPopulation, GoldenSigmaDelta, load_cases
from tests.reference import record_reference, simulate_real_reference

CASES = load_cases()
REAL = load_cases(arithmetic="floating_pt")
TRACES = ("u", "v", "s", "residue", "error")


def family(case):
    return case.name.split("/")[0]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_reference_is_bit_exact_with_lava(case):
    found = record_reference(case.populations, case.projections, case.input)
    for population, states in zip(case.populations, found, strict=True):
        for name in TRACES:
            if hasattr(population, name):
                assert np.array_equal(states[name], getattr(population, name)), name


@pytest.mark.parametrize("case", REAL, ids=lambda case: case.name)
def test_a_real_refractory_neuron_is_lavas_to_the_last_bit(case):
    """Lava has a refractory time in floats only; ours of the integers is held to its own twin."""
    run = simulate(real_network(case), case.input[None], record=("spikes", "u", "v"))
    for i, population in enumerate(case.populations):
        for name, trace in (("s", run.spikes), ("u", run.u), ("v", run.v)):
            assert np.array_equal(trace[f"p{i}"][0], getattr(population, name)), name


@pytest.mark.parametrize(
    "case", [c for c in REAL if len(c.projections) == 1], ids=lambda case: case.name
)
def test_the_real_reference_is_lavas_to_the_last_bit(case):
    (population,) = case.populations
    a = np.zeros((case.n_steps, population.shape[0]))
    a[1:] = case.input[:-1] @ case.projections[0].weight.T
    found = simulate_real_reference(real_neuron(population), a)
    for name, trace in zip("uvs", found, strict=True):
        assert np.array_equal(trace, getattr(population, name)), name


def real_neuron(p):
    return Neuron.of(
        decay_u=1 - p.du, decay_v=1 - p.dv, v_th=p.v_th, bias=p.bias, refractory=p.refractory
    )


def real_network(case):
    names = {INPUT: "input"} | {i: f"p{i}" for i in range(len(case.populations))}
    populations = [Population("input", case.input.shape[1:])]
    populations += [
        Population(names[i], p.shape, real_neuron(p)) for i, p in enumerate(case.populations)
    ]
    projections = [
        Projection.of(
            names[p.source],
            names[p.target],
            Dense.of(p.weight.astype(float)),
            delay=1 + (0 if p.delays is None else p.delays),
        )
        for p in case.projections
    ]
    return Network(tuple(populations), tuple(projections))


def test_two_hundred_networks_are_recorded_over_every_family():
    """Networks by family; a family with a single one would be luck."""
    assert len(CASES) + len(REAL) >= 200
    found = Counter(family(case) for case in CASES + REAL)
    wanted = {
        "bias", "wrap", "saturation", "decay", "threshold", "delay", "graded", "conv", "stack",
        "loop", "reset", "sparse", "sparse delay", "ternary", "sigma delta", "delta",
        "graded vec", "graded relu vec", "wide", "refractory",
    }  # fmt: skip
    assert set(found) >= wanted
    assert min(found[name] for name in wanted) >= 2
    kinds = Counter(p.kind for case in CASES for p in case.projections)
    assert set(kinds) == {"dense", "delay_dense", "sparse", "delay_sparse", "conv"}
    assert min(kinds.values()) >= 10
    loops = {
        (type(case.populations[p.target]).__name__, p.kind)
        for case in CASES
        for p in case.projections
        if p.source == p.target
    }
    assert {kind for _, kind in loops} == set(kinds)
    assert {name for name, _ in loops} == {"GoldenPopulation", "GoldenSigmaDelta", "GoldenVec"}


def test_the_vectors_reach_the_corners():
    """A vector that never wraps or saturates would prove nothing about it."""
    everything = [p for case in CASES for p in case.populations]
    states = [p for p in everything if isinstance(p, GoldenPopulation)]
    assert max(abs(p.v).max() for p in states) == 2**23 - 1
    assert max(abs(p.u).max() for p in states) > 2**23  # folded back once, still outside
    assert min(p.v.min() for p in states) == -(2**23 - 1)
    assert {du for p in states for du in p.du.flat} >= {0, 4095}
    assert {p.num_weight_bits for case in CASES for p in case.projections} == set(range(1, 9))
    assert {p.weight_exp for case in CASES for p in case.projections} >= set(range(-8, 8))
    delays = [p.delays for case in CASES for p in case.projections if p.delays is not None]
    assert max(d.max() for d in delays) == 63
    bits = {p.num_message_bits for case in CASES for p in case.projections}
    assert bits >= {0, 2, 8, 16, 24, 31, 32}
    silent = sum(not any(p.s.any() for p in case.populations) for case in CASES)
    assert silent < len(CASES) // 10
    changes = [p for p in everything if isinstance(p, GoldenSigmaDelta)]
    assert {(p.spike_exp, p.state_exp) for p in changes} >= {(0, 0), (7, 0), (0, 7)}
    assert {(p.activation, p.cum_error, p.integrates) for p in changes} == {
        ("relu", False, True), ("relu", True, True), ("unit", False, True), ("unit", True, True),
        ("unit", False, False), ("unit", True, False),
    }  # fmt: skip
    assert max(abs(p.u).max() for p in changes) > 2**30  # the sum has run through 32 bits
    assert any(p.error.any() for p in changes)
    assert any(p.residue.any() for p in changes)
    ternary = [p for p in states if p.v_th_low is not None]
    assert {s for p in ternary for s in np.unique(p.s)} == {-1, 0, 1}
    rests = {p.refractory for case in REAL for p in case.populations}
    assert {1, 63} <= rests
