"""Integers are the nearest the chip can hold, and what it cannot hold is refused by name."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.network import Network, Population, Projection
from hwsim.neuron import BIAS_EXP_MAX, BIAS_MANT_MAX, DECAY_MAX, V_TH_MAX, Neuron
from hwsim.quantization import (
    bias_to_words,
    choose_scales,
    decay_u_to_du,
    decay_v_to_dv,
    quantize_weights,
    with_weight,
)
from hwsim.synapses import Dense
from tests.strategies import (
    chip_with,
    inputs_of,
    integer_networks,
    real_networks,
    rngs,
    storable,
    words,
)

LOIHI = hwsim.load_chip("loihi1")
HALF_STEP = 1 / 8192


@given(st.floats(0, 4095 / 4096))
def test_a_current_keeps_what_was_wanted_to_half_a_word(decay):
    du = decay_u_to_du(decay)
    assert 0 <= du <= DECAY_MAX
    assert abs((4095 - du) / 4096 - decay) <= HALF_STEP


@given(st.floats(1 / 4096, 1))
def test_a_potential_keeps_what_was_wanted_to_half_a_word(decay):
    dv = decay_v_to_dv(decay)
    assert 0 <= dv <= DECAY_MAX
    assert abs((4096 - dv) / 4096 - decay) <= HALF_STEP


@given(st.floats(0, 1, exclude_max=True))
def test_decays_beyond_the_words_take_the_nearest_one(decay):
    assert abs((4095 - decay_u_to_du(decay)) / 4096 - decay) <= 2 * HALF_STEP
    assert abs((4096 - decay_v_to_dv(decay)) / 4096 - decay) <= 2 * HALF_STEP


@given(st.floats(-(BIAS_MANT_MAX << BIAS_EXP_MAX), BIAS_MANT_MAX << BIAS_EXP_MAX))
def test_a_bias_is_within_half_a_step_of_the_smallest_exponent(bias):
    mant, exp = bias_to_words(np.asarray(bias))
    assert abs(mant) <= BIAS_MANT_MAX
    assert 0 <= exp <= BIAS_EXP_MAX
    assert abs(mant * 2.0**exp - bias) <= 2.0**exp / 2
    if exp > 0:
        assert np.rint(abs(np.rint(bias)) / 2.0 ** (exp - 1)) > BIAS_MANT_MAX


@given(words(), rngs(), st.floats(0.1, 100))
def test_weights_are_the_nearest_that_the_word_holds(word, rng, scale):
    wanted = rng.normal(scale=3 / scale, size=20) * word.range[1] / 2
    got = quantize_weights(wanted, scale, word)
    low, high = word.range
    stored = np.arange(low, high + 1, word.step)
    assert set(got.tolist()) <= set(stored.tolist())
    nearest = np.abs(stored - (wanted * scale)[:, None]).min(axis=1)
    np.testing.assert_allclose(np.abs(got - wanted * scale), nearest, atol=1e-9)


@given(words(), rngs(), st.integers(-6, 6))
def test_quantising_what_was_quantised_changes_nothing(word, rng, exponent):
    stored, scale = storable(rng, word, (4, 5)), 2.0**exponent
    assert np.array_equal(quantize_weights(stored / scale, scale, word), stored)


@given(st.data())
def test_every_word_of_a_quantised_network_is_in_range(data):
    net = data.draw(real_networks(per_step=False))
    samples = data.draw(inputs_of(net))
    qnet, verdicts = hwsim.quantize(net, LOIHI, samples)
    assert [v.population for v in verdicts] == [p.name for p in net.populations if p.neuron]
    for population in qnet.populations:
        neuron = population.neuron
        if neuron is None:
            continue
        real = net[population.name].neuron
        for name, top in (("du", DECAY_MAX), ("dv", DECAY_MAX), ("v_th", V_TH_MAX)):
            assert 0 <= getattr(neuron, name).min() <= getattr(neuron, name).max() <= top
        assert np.abs((4095 - neuron.du) / 4096 - real.decay_u).max() <= HALF_STEP
        assert np.abs((4096 - neuron.dv) / 4096 - real.decay_v).max() <= HALF_STEP
        assert np.abs(neuron.bias_mant).max() <= BIAS_MANT_MAX
    for p in qnet.projections:
        assert p.synapses.weight.min() >= p.word.range[0]
        assert p.synapses.weight.max() <= p.word.range[1]
    hwsim.simulate(hwsim.compile(qnet, LOIHI), samples)  # and the chip takes it


@given(st.data())
def test_an_integer_network_written_in_real_numbers_comes_back_exactly(data):
    """Thresholds, biases and decays that the words hold survive the way there and back."""
    net = data.draw(integer_networks(conv_exps=(0, 0), resets=("zero",)))
    samples = data.draw(inputs_of(net))
    scale = 2.0 ** data.draw(st.integers(-3, 3))
    word = hwsim.WeightWord()
    populations, projections = [], []
    for p in net.populations:
        neuron = p.neuron and Neuron.of(
            decay_u=(4095 - p.neuron.du) / 4096,
            decay_v=(4096 - p.neuron.dv) / 4096,
            v_th=p.neuron.v_th / scale,
            bias=np.rint(p.neuron.bias / 16) * 16 / 64 / scale,
        )
        populations.append(Population(p.name, p.shape, neuron))
    for p in net.projections:
        weight = quantize_weights(p.synapses.weight, 1.0, word)
        synapses = with_weight(p.synapses, weight / scale)
        projections.append(Projection.of(p.source, p.target, synapses, delay=p.delay))
    real = Network(tuple(populations), tuple(projections))
    scales = {p.name: scale for p in net.populations}
    qnet, _ = hwsim.quantize(real, LOIHI, samples, scales=scales)
    for p, q in zip(net.populations, qnet.populations, strict=True):
        if p.neuron is None:
            continue
        for name in ("du", "dv", "v_th"):
            assert np.array_equal(getattr(p.neuron, name), getattr(q.neuron, name)), name
        assert np.abs(np.rint(p.neuron.bias / 16) * 16 - q.neuron.bias).max() <= 16
    for p, q in zip(net.projections, qnet.projections, strict=True):
        assert np.array_equal(q.synapses.weight, quantize_weights(p.synapses.weight, 1.0, word))
        assert np.array_equal(p.delay, q.delay)


def one_layer(neuron, gain=1.0):
    ends = Population("in", (2,)), Population("hidden", (2,), neuron)
    return Network(ends, (Projection.of("in", "hidden", Dense.of(np.eye(2)), gain=gain),))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (one_layer(Neuron.of(v_th=np.ones((5, 2)))), "a threshold per step"),
        (one_layer(Neuron.of(refractory=64)), r"a refractory time of 64 steps \(of 63\)"),
        (one_layer(Neuron.of(emits="graded")), "graded spikes of 17 bits"),
        (one_layer(Neuron.of(v_th=-1.0)), "a threshold below 0, so it sends in every step"),
        (one_layer(Neuron.of(v_init=0.5)), "an initial potential"),
        (
            one_layer(Neuron.of(refractory=99, v_init=1.0)),
            r"a refractory time of 99 steps \(of 63\) and an initial",
        ),
        (one_layer(Neuron.of(), gain=np.ones(5)), "a gain per step"),
    ],
)
def test_what_the_chip_cannot_compute_is_refused_with_its_layer(net, message):
    with pytest.raises(ValueError, match=message) as caught:
        hwsim.quantize(net, LOIHI, np.ones((1, 5, 2)))
    assert "hidden" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_late_subtracting_reset_is_taken_early_and_said_to_be():
    """As in snnTorch by default; with no leak both are the same but for the potential on record."""
    rng = np.random.default_rng(2)
    spikes = rng.random((8, 60, 20)) < 0.3
    weight = rng.normal(0.1, 0.3, (30, 20))
    counts = {}
    for decay in (0.9, 1.0):
        late = Neuron.of(decay_v=decay, reset="subtract", reset_late=True)
        net = Network(
            (Population("in", (20,)), Population("a", (30,), late)),
            (Projection.of("in", "a", Dense.of(weight)),),
        )
        qnet, verdicts = hwsim.quantize(net, hwsim.load_chip("loihi2"), spikes)
        assert verdicts[0].verdict == "approximate"
        assert "in the step of a spike, here after a leak" in verdicts[0].reason
        runs = [hwsim.simulate(n, spikes, record=("spikes",)).aligned("a") for n in (net, qnet)]
        counts[decay] = [int(run.sum()) for run in runs]
    assert counts[0.9][0] > 500
    assert 0 < counts[0.9][1] / counts[0.9][0] - 1 < 0.1  # less is taken off, so more is fired
    assert abs(counts[1.0][1] / counts[1.0][0] - 1) < 0.01


def test_an_integer_network_is_not_quantised_again():
    qnet, _ = hwsim.quantize(one_layer(Neuron.of()), LOIHI, np.ones((1, 5, 2)))
    with pytest.raises(ValueError, match="in integers already"):
        hwsim.quantize(qnet, LOIHI, np.ones((1, 5, 2)))


def test_only_what_is_exact_is_called_exact():
    def verdict(neuron):
        qnet = hwsim.quantize(
            one_layer(neuron), LOIHI, np.ones((1, 5, 2)), scales={"hidden": 128.0}
        )
        return qnet[1][0]

    assert verdict(Neuron.of(decay_v=0.5)).verdict == "exact"
    for neuron, what in (
        (Neuron.of(decay_v=0.3), "decays"),
        (Neuron.of(decay_u=0.3), "decays"),
        (Neuron.of(v_th=0.3), "threshold"),
        (Neuron.of(bias=0.3), "bias"),
        (Neuron.of(fires="reached"), "threshold"),
    ):
        rounded = verdict(neuron)
        assert rounded.verdict == "approximate"
        assert what in rounded.reason


@given(st.data())
def test_a_refractory_time_is_carried_over_exactly(data):
    """Numbers that the words hold: the integers are the floats, and so are the spikes."""
    rest = data.draw(st.integers(1, 63))
    rng = data.draw(rngs())
    neuron = Neuron.of(decay_v=0.5, v_th=data.draw(st.integers(1, 4)) / 4, refractory=rest)
    weight = rng.integers(-8, 16, (3, 4)) / 8
    net = Network(
        (Population("in", (4,)), Population("hidden", (3,), neuron)),
        (Projection.of("in", "hidden", Dense.of(weight)),),
    )
    samples = data.draw(inputs_of(net, max_steps=20))
    qnet, (verdict,) = hwsim.quantize(net, LOIHI, samples, scales={"hidden": 64.0})
    assert qnet["hidden"].neuron.refractory == rest
    assert verdict.verdict == "exact"
    one, other = (hwsim.simulate(n, samples, record=("spikes",)) for n in (net, qnet))
    assert np.array_equal(one.spikes["hidden"], other.spikes["hidden"])


GRADED = chip_with(neurons=("spikes", "graded"), message_bits=32)


@given(rngs())
def test_a_payload_is_the_potential_that_fired_in_units_of_its_scale(rng):
    """Behind a graded spike of scale S' a weight is w S / S', as fine as its word allows.

    The sender keeps nothing and fires at any input: so potentials alone are compared.
    """
    net = Network(
        (
            Population("in", (4,)),
            Population("sends", (3,), Neuron.of(decay_v=0, v_th=0.01, emits="graded")),
            Population("hears", (2,), Neuron.of(decay_v=0.5, emits="nothing")),
        ),
        (
            Projection.of("in", "sends", Dense.of(rng.uniform(0.1, 1, (3, 4)))),
            Projection.of("sends", "hears", Dense.of(rng.uniform(-1, 1, (2, 3)))),
        ),
    )
    samples = (rng.random((4, 20, 4)) < 0.6).astype(float)
    scales = choose_scales(net, GRADED, samples)
    qnet, verdicts = hwsim.quantize(net, GRADED, samples, scales=scales)
    assert [v.verdict for v in verdicts] == ["approximate", "approximate"]
    assert "payloads cut to whole numbers" in verdicts[0].reason
    assert verdicts[1].rms_weight_error < 6**0.5 / 127  # half a step of 6, the largest >= 127
    word = qnet.projections[1].word
    assert word.message_bits == 17
    one, other = (hwsim.simulate(n, samples, record=("spikes",)) for n in (net, qnet))
    assert np.array_equal(one.spikes["sends"] > 0, other.spikes["sends"] > 0)
    error = np.abs(other.spikes["sends"] / scales["sends"] - one.spikes["sends"]).max()
    sent = (4 * word.step / 2 + 1) / scales["sends"]  # four weights rounded, and the payload
    assert error <= sent
    answer = np.abs(other.output / 64 / scales["hears"] - one.output).max()
    heard = word.step / 2 * 2.0**word.exp * scales["sends"] / scales["hears"]  # rounded weights
    assert answer <= 2 * 3 * (sent + heard * one.spikes["sends"].max()) + 0.01
