"""What does not fit is named before anything runs: layer, limit, used, allowed, and a remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.mapping.violation import DoesNotFit, Violation
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse
from tests.strategies import chip_with

LOIHI = hwsim.load_chip("loihi1")


def pair(neuron=None, n_in=4, n_out=4, *, delay=0, **word):
    """An input joined to one layer."""
    populations = (
        Population("in", (n_in,)),
        Population("layer", (n_out,), neuron or FixedNeuron.of()),
    )
    weight = Dense.of(np.zeros((n_out, n_in), dtype=int))
    joined = Projection.of("in", "layer", weight, delay=delay, word=WeightWord(**word))
    return Network(populations, (joined,))


def loop():
    """A loop without a step for each of its projections."""
    weight, word = Dense.of(np.zeros((4, 4), dtype=int)), WeightWord()
    populations = (*pair().populations, Population("back", (4,), FixedNeuron.of()))
    joined = [("in", "layer", 0), ("layer", "back", 0), ("back", "layer", 1)]
    return Network(
        populations, tuple(Projection.of(a, b, weight, delay=d, word=word) for a, b, d in joined)
    )


def many_words(n):
    """One layer that hears `n` inputs, each by a word of its own."""
    weight = Dense.of(np.zeros((4, 4), dtype=int))
    words = [WeightWord(n_bits=1 + i % 8, exp=i // 8) for i in range(n)]
    joined = tuple(Projection.of("in", "layer", weight, word=w) for w in words)
    return Network(pair().populations, joined)


def listeners(n):
    """One neuron heard by `n` layers."""
    inner = [Population(f"out{i}", (1,), FixedNeuron.of()) for i in range(n)]
    weight, word = Dense.of(np.zeros((1, 1), dtype=int)), WeightWord()
    populations = (Population("in", (1,)), Population("layer", (1,), FixedNeuron.of()), *inner)
    joined = [("in", "layer"), *(("layer", p.name) for p in inner)]
    return Network(populations, tuple(Projection.of(a, b, weight, word=word) for a, b in joined))


def real():
    return Network((Population("in", (1,)), Population("layer", (1,), Neuron.of())), ())


def one_chip(**limits):
    return chip_with(**{"resets": ("zero", "none"), "chips": 1, **limits})


PLANTED = {
    "arithmetic": (real(), LOIHI, "layer", "quantise it"),
    "time": (loop(), LOIHI, "back -> layer", "raise a delay"),
    "weight_bits": (pair(), one_chip(weight_bits=4), "in -> layer", "8 of 4 .*4 bits"),
    "message_bits": (pair(message_bits=8), LOIHI, "in -> layer", "8 of 0 .*plain"),
    "max_delay": (pair(delay=64), LOIHI, "in -> layer", "63 of 62 .*shorten"),
    "v_th_max": (
        pair(FixedNeuron.of(v_th=[1, 2, 900, 3])),
        one_chip(v_th_max=512),
        "layer",
        "900 of 512 .*scale",
    ),
    "bias_mant_max": (
        pair(FixedNeuron.of(bias_mant=-300)),
        one_chip(bias_mant_max=255),
        "layer",
        "299 of 255 .*bias",
    ),
    "bias_exp_max": (
        pair(FixedNeuron.of(bias_exp=7)),
        one_chip(bias_exp_max=3),
        "layer",
        "7 of 3 .*scale",
    ),
    "refractory_max": (
        pair(FixedNeuron.of(refractory=9)),
        one_chip(refractory_max=7),
        "layer",
        "9 of 7 .*shorten",
    ),
    "resets": (pair(FixedNeuron.of(reset="subtract")), LOIHI, "layer", "subtract of zero, none"),
    "neurons": (pair(SigmaDelta.of()), LOIHI, "layer", "sigma_delta of spikes .*programmed"),
    "synapse_bits_per_core": (
        pair(n_in=99),
        one_chip(synapse_bits_per_core=6400 - 65),
        "layer",
        "6336 of 6335 .*fan-in",
    ),
    "axons_in_per_core": (pair(n_in=4097), LOIHI, "layer", "4097 of 4096 .*before it"),
    "axons_out_per_core": (
        listeners(9),
        one_chip(axons_out_per_core=8),
        "layer",
        "9 of 8 .*fewer cores listen",
    ),
    "synapse_configs": (many_words(17), LOIHI, "layer", "17 of 16 .*same word"),
    "cores": (
        pair(n_out=9),
        one_chip(cores=2, neurons_per_core=3),
        "layer",
        "3 of 2 .*3 of them .*neurons_per_core",
    ),
    "v_th_configs": (
        pair(FixedNeuron.of(v_th=range(9)), n_out=9),
        one_chip(cores=2, v_th_configs=3),
        "layer",
        "9 of 3 .*thresholds",
    ),
    "neuron_configs": (
        pair(FixedNeuron.of(du=range(9)), n_out=9),
        one_chip(cores=2, neuron_configs=3),
        "layer",
        "9 of 3 .*decays",
    ),
}


@pytest.mark.parametrize("limit", sorted(PLANTED))
def test_a_broken_limit_is_named_with_layer_use_and_remedy(limit):
    net, chip, layer, message = PLANTED[limit]
    found = {v.limit: v for v in hwsim.fits(net, chip)}
    assert limit in found, found
    assert found[limit].layer == layer
    with pytest.raises(DoesNotFit, match=rf"layer '{layer}': {limit}.*{message}") as caught:
        hwsim.compile(net, chip)
    assert "\n" not in str(caught.value)
    assert not set(found) - {limit, "cores"}  # and nothing else is


def test_every_planted_limit_is_a_field_of_the_chip_file():
    assert set(PLANTED) - {"arithmetic", "time"} <= set(type(LOIHI.limits).model_fields)


def test_all_broken_limits_are_named_at_once():
    neuron = FixedNeuron.of(reset="subtract", refractory=9, v_th=900)
    net = pair(neuron, n_in=5000, n_out=9, delay=64, message_bits=8)
    chip = one_chip(weight_bits=4, refractory_max=7, v_th_max=512, cores=2, neurons_per_core=3)
    assert {v.limit for v in hwsim.fits(net, chip)} == {
        "weight_bits", "message_bits", "max_delay", "v_th_max", "refractory_max", "resets",
        "axons_in_per_core", "cores",
    }  # fmt: skip


def test_graded_neurons_need_a_chip_that_has_them():
    net = pair(GradedVec.of(), message_bits=8)
    assert {v.limit for v in hwsim.fits(net, LOIHI)} == {"neurons", "message_bits"}
    assert not hwsim.fits(net, chip_with(neurons=("spikes", "graded"), message_bits=16))


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(2, 12), st.integers(1, 12))
def test_permuting_the_neurons_of_a_layer_leaves_the_violations(seed, n_v_th, neurons, cores):
    rng = np.random.default_rng(seed)
    v_th, order = rng.integers(0, n_v_th, 12), rng.permutation(12)
    chip = one_chip(neurons_per_core=neurons, cores=cores, v_th_configs=1)
    found = [
        hwsim.fits(pair(FixedNeuron.of(v_th=values), n_out=12), chip)
        for values in (v_th, v_th[order])
    ]
    assert found[0] == found[1]


def test_kernels_are_stored_once_per_core_where_the_chip_shares_them():
    conv = Conv2d.of(np.zeros((4, 2, 3, 3), dtype=int))
    populations = (
        Population("in", (2, 18, 18)),
        Population("layer", (4, 16, 16), FixedNeuron.of()),
    )
    net = Network(populations, (Projection.of("in", "layer", conv, word=WeightWord()),))
    own, shared = (
        chip_with(synapse_format=LOIHI.limits.synapse_format.model_dump() | {"shares_kernels": on})
        for on in (False, True)
    )
    bits = {
        chip is shared: {f.limit: f.used for f in hwsim.usage(net, chip)}["synapse_bits_per_core"]
        for chip in (own, shared)
    }
    taps = 4 * 3 * 3 * (8 + 10) + 10  # 8-bit weights, 10-bit targets, one header
    assert bits[True] == 2 * -(-taps // 64) * 64
    assert bits[False] > 50 * bits[True]


def test_sources_that_share_a_target_twice_are_one_axon():
    twice = Sparse.of(np.full(8, 2), indptr=[0, 2, 4, 6, 8], target=[0] * 8, n_targets=1)
    populations = (Population("in", (4,)), Population("layer", (1,), FixedNeuron.of()))
    net = Network(populations, (Projection.of("in", "layer", twice, word=WeightWord()),))
    assert not hwsim.fits(net, one_chip(axons_in_per_core=4))
    assert [v.used for v in hwsim.fits(net, one_chip(axons_in_per_core=3))] == [4]


def test_a_violation_is_one_line():
    text = str(Violation("a", "axons_in_per_core", 9, 8, "shrink it"))
    assert text == "layer 'a': axons_in_per_core 9 of 8 (shrink it)"


@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(1, 8), st.integers(1, 4))
def test_no_core_holds_more_settings_than_its_tables(seed, n_out, n_du, n_v_th):
    rng = np.random.default_rng(seed)
    du, v_th = rng.integers(0, 12, n_out), rng.integers(0, 6, n_out)
    chip = chip_with(neuron_configs=n_du, v_th_configs=n_v_th)
    plan = hwsim.compile(pair(FixedNeuron.of(du=du, v_th=v_th), n_out=n_out), chip)
    for part in plan.parts[1:]:
        assert len(set(du[part.neurons])) == part.use.neuron_configs <= n_du
        assert len(set(v_th[part.neurons])) == part.use.v_th_configs <= n_v_th


@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_listed_synapses_are_counted_one_by_one(seed, n_in, n_out, n_parts):
    rng = np.random.default_rng(seed)
    part_of = rng.integers(-1, n_parts, n_out)
    counts = rng.integers(0, 5, n_in)
    target = rng.integers(0, n_out, counts.sum())
    indptr = np.concatenate([[0], np.cumsum(counts)])
    listed = Sparse.of(np.ones(target.size), indptr=indptr, target=target, n_targets=n_out)
    expected = np.zeros((n_in, n_parts), dtype=int)
    for source, end in zip(listed.source, target, strict=True):
        if part_of[end] >= 0:
            expected[source, part_of[end]] += 1
    fan = listed.fan_out((n_in,), (n_out,), part_of, n_parts)
    assert np.array_equal(fan.toarray(), expected)
    assert fan.nnz == np.count_nonzero(expected)
