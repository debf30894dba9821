"""The fast engine against Intel's Lava: the same recorded networks, through `Network`.

And, by way of the slow reference that is held to Lava too, random networks at the corners: states
that wrap and saturate, delays up to the longest, payloads, constants at both ends of their words.
"""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.chips.files import load_chip
from hwsim.mapping.compiler import compile_network
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, SigmaDelta
from hwsim.simulation import simulate
from hwsim.synapses import Conv2d, Dense, Sparse
from tests.golden import (
    INPUT,
    GoldenCase,
    GoldenPopulation,
    GoldenProjection,
    GoldenSigmaDelta,
    GoldenVec,
    load_cases,
)
from tests.reference import simulate_reference, stored_weights

CASES = load_cases()
RUNNING = [case for case in CASES if case.populations[0].reset_interval is None]
CLEARED = [case for case in CASES if case.populations[0].reset_interval is not None]


def network(case, *, chip_step=1):
    """The case as a network whose projections carry the chip's step, or (0) leave it to a plan."""
    names = ["input", *(f"p{i}" for i in range(len(case.populations)))]
    populations = [Population("input", case.input.shape[1:])]
    for name, p in zip(names[1:], case.populations, strict=True):
        populations.append(Population(name, p.shape, _neuron(p)))
    projections = []
    for p in case.projections:
        synapses = _synapses(p)
        ends = names[p.source + 1], names[p.target + 1]
        delay = chip_step + _delay(p, synapses)
        projections.append(Projection.of(*ends, synapses, delay=delay, word=_word(p)))
    return Network(tuple(populations), tuple(projections))


def _word(p):
    if p.kind == "conv":  # Lava's convolutions know neither word nor exponent
        return WeightWord(message_bits=p.num_message_bits)
    mode = p.sign_mode
    if mode is None:
        mode = "excitatory" if p.weight.min() >= 0 else "mixed"
        mode = "inhibitory" if p.weight.max() <= 0 and p.weight.min() < 0 else mode
    return WeightWord(p.num_weight_bits, p.weight_exp, mode, p.num_message_bits)


def _neuron(p):
    def shaped(x):
        return x.reshape(p.shape) if isinstance(x, np.ndarray) and x.ndim else x

    kind = {GoldenSigmaDelta: SigmaDelta, GoldenVec: GradedVec}.get(type(p), FixedNeuron)
    return kind.of(
        **{f.name: shaped(getattr(p, f.name)) for f in fields(kind) if hasattr(p, f.name)}
    )


def _synapses(p):
    if p.kind == "conv":
        return Conv2d.of(
            p.weight, stride=p.stride, padding=p.padding, dilation=p.dilation, groups=p.groups
        )
    weight = stored_weights(p.weight, num_weight_bits=p.num_weight_bits, sign_mode=p.sign_mode)
    return Dense.of(weight) if "dense" in p.kind else Sparse.from_dense(weight)


def _delay(p, synapses):
    """From the next step on; of listed synapses those that are left of the matrix."""
    if p.delays is None:
        return 0
    if isinstance(synapses, Sparse):
        return p.delays[synapses.target, synapses.source]
    return p.delays


@pytest.mark.parametrize("case", RUNNING, ids=lambda case: case.name)
def test_the_engine_is_bit_exact_with_lava(case, monkeypatch):
    # Lava's convolution takes any integers as weights; ours would refuse to store some of them
    if any(p.kind == "conv" for p in case.projections):
        monkeypatch.setattr(Projection, "_check_word", lambda *_: None)
    run = simulate(network(case), case.input[None], record=("spikes", "u", "v"))
    for i, population in enumerate(case.populations):
        for name, trace in (("s", run.spikes), ("u", run.u), ("v", run.v)):
            if hasattr(population, name):  # Lava has no `u` of graded vectors
                assert np.array_equal(trace[f"p{i}"][0], getattr(population, name)), name


@pytest.mark.parametrize("case", CLEARED, ids=lambda case: case.name)
def test_clearing_the_state_starts_a_sample(case, monkeypatch):
    """Lava runs on and clears every layer in the step in which a plan says it begins."""
    monkeypatch.setattr(Projection, "_check_word", lambda *_: None)
    interval = case.populations[0].reset_interval
    plan = compile_network(network(case, chip_step=0), load_chip("loihi1"))
    first = (case.populations[0].reset_offset - 2) % interval  # of the inputs, that come before
    n_samples = (case.n_steps - first - plan.latency_steps) // interval
    samples = case.input[first : first + n_samples * interval]
    samples = samples.reshape(n_samples, interval, *case.input.shape[1:])
    run = simulate(plan, samples, record=("spikes", "u", "v"))
    assert n_samples > 0
    for i, population in enumerate(case.populations):
        start = first + plan.shift[f"p{i}"]
        for name, trace in (("s", "spikes"), ("u", "u"), ("v", "v")):
            lava = getattr(population, name)[start : start + n_samples * interval]
            assert np.array_equal(
                run.aligned(f"p{i}", trace), lava.reshape((*samples.shape[:2], -1))
            ), name


def test_the_engine_runs_every_recorded_network():
    assert len(RUNNING) + len(CLEARED) == len(CASES) == 208


# --- random networks at the corners -----------------------------------------------------------


def ends(low, high):
    """Integers between two bounds, the bounds themselves often."""
    return st.one_of(st.sampled_from([low, high]), st.integers(low, high))


@st.composite
def corner_cases(draw):
    """One layer, perhaps with a loop: any word, any constants, delays 0 to 62, payloads."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_in, n, n_steps = draw(st.integers(1, 12)), draw(st.integers(1, 6)), draw(st.integers(1, 80))
    message_bits = draw(st.sampled_from([0, 0, 8, 16]))
    payload = 2 ** max(message_bits, 1) - 1
    neuron = {
        "du": ends(0, 4095),
        "dv": ends(0, 4095),
        "v_th": ends(0, 131071),
        "bias_mant": ends(-4096, 4095),
        "bias_exp": ends(-7, 7),
    }
    drawn = {name: np.array(draw(values)) for name, values in neuron.items()}
    population = GoldenPopulation((n,), **drawn, **NOT_RECORDED)
    spikes = rng.random((n_steps, n_in)) < draw(st.sampled_from([0.1, 0.5, 1.0]))
    inputs = spikes * rng.integers(-payload if message_bits else 0, payload + 1, spikes.shape)
    largest = 0 if message_bits == 16 else 7  # a sum stays below 2^25, so u below 2^31
    projections = [draw(corner_projections(rng, INPUT, (n, n_in), message_bits, largest))]
    if draw(st.booleans()):
        projections.append(draw(corner_projections(rng, 0, (n, n), 0, 7)))
    return GoldenCase("", inputs, (population,), tuple(projections))


NOT_RECORDED = {"reset_interval": None, "reset_offset": 0, "u": None, "v": None, "s": None}


@st.composite
def corner_projections(draw, rng, source, shape, message_bits, largest_exp):
    """Dense synapses of any sign mode, bits and exponent; half of them with delays."""
    delayed = draw(st.booleans())
    low, high = sorted(draw(st.tuples(ends(-256, 255), ends(-256, 255))))
    return GoldenProjection(
        kind="delay_dense" if delayed else "dense",
        source=source,
        target=0,
        weight=rng.integers(low, high + 1, shape),
        delays=rng.integers(0, draw(ends(0, 62)) + 1, shape) if delayed else None,
        num_weight_bits=draw(st.integers(1, 8)),
        weight_exp=draw(ends(-8, largest_exp)),
        sign_mode=draw(st.sampled_from(["mixed", "excitatory", "inhibitory", None])),
        num_message_bits=message_bits,
        stride=(1, 1),
        padding=(0, 0),
        dilation=(1, 1),
        groups=1,
    )


@settings(max_examples=100)  # corners are rare
@given(corner_cases())
def test_the_engine_is_bit_exact_with_the_reference_at_the_corners(case):
    run = simulate(network(case), case.input[None], record=("spikes", "u", "v"))
    wanted = simulate_reference(case.populations, case.projections, case.input)
    for trace, values in zip((run.u, run.v, run.spikes), wanted[0], strict=True):
        assert np.array_equal(trace["p0"][0], values)
