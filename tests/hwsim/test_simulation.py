"""The engine computes what the equations say, on a chip or off it, however the work is cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim import simulation
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Conv2d, Dense
from tests.golden import INPUT, GoldenPopulation, GoldenProjection
from tests.reference import simulate_real_reference, simulate_reference, unrolled
from tests.strategies import (
    chip_with,
    convolutions,
    inputs_of,
    integer_networks,
    real_networks,
    rngs,
    storable,
    words,
)

TRACES = ("spikes", "u", "v")


def as_golden(net):
    """A network whose delays are 1 or more, in the words of the slow reference."""
    names = [p.name for p in net.populations if p.neuron is not None]
    empty = np.zeros(0)
    populations = [
        GoldenPopulation(
            net[name].shape,
            *(
                np.broadcast_to(getattr(net[name].neuron, field), net[name].shape).ravel()
                for field in ("du", "dv", "v_th", "bias_mant", "bias_exp")
            ),
            None,
            0,
            empty,
            empty,
            empty,
        )
        for name in names
    ]
    projections = []
    for p in net.projections:
        conv = isinstance(p.synapses, Conv2d)
        geometry = {
            key: getattr(p.synapses, key) if conv else None
            for key in ("stride", "padding", "dilation", "groups")
        }
        projections.append(
            GoldenProjection(
                kind="conv" if conv else "delay_dense",
                source=INPUT if p.source == "input" else names.index(p.source),
                target=names.index(p.target),
                weight=p.synapses.weight,
                delays=None if conv else np.broadcast_to(p.delay - 1, p.synapses.weight.shape),
                num_weight_bits=p.word.n_bits,
                weight_exp=p.word.exp,
                sign_mode=p.word.sign_mode,
                num_message_bits=p.word.message_bits,
                **geometry,
            )
        )
    return names, populations, projections


@pytest.mark.parametrize("message_bits", [0, 16])
@given(data=st.data())
def test_the_integer_engine_is_bit_exact_with_the_slow_reference(data, message_bits):
    net = data.draw(
        integer_networks(
            min_delay=1,
            conv_delays=(1, 1),
            conv_exps=(0, 0),
            resets=("zero",),
            message_bits=message_bits,
        )
    )
    samples = data.draw(inputs_of(net, low=-300 if message_bits else 0, high=300))
    run = hwsim.simulate(net, samples, record=TRACES)
    names, populations, projections = as_golden(net)
    for b, sample in enumerate(samples):
        wanted = simulate_reference(populations, projections, sample)
        for name, (u, v, s) in zip(names, wanted, strict=True):
            assert np.array_equal(run.u[name][b], u)
            assert np.array_equal(run.v[name][b], v)
            assert np.array_equal(run.spikes[name][b] != 0, s)


@given(st.data())
def test_an_integer_convolution_delivers_what_its_unrolled_matrix_does(data):
    word = data.draw(words(exps=(-2, 2)))
    conv, source = data.draw(convolutions(word))
    target = conv.target_shape(source)
    neuron = FixedNeuron.of(v_th=300)
    delay = data.draw(st.integers(0, 3))
    ends = (Population("input", source), Population("out", target, neuron))
    dense = Dense.of(unrolled(conv, source, target))
    slid, full = (
        Network(ends, (Projection.of("input", "out", s, delay=delay, word=word),))
        for s in (conv, dense)
    )
    samples = data.draw(inputs_of(slid))
    one, two = (hwsim.simulate(n, samples, record=("v",)) for n in (slid, full))
    assert np.array_equal(one.v["out"], two.v["out"])


@given(st.data())
def test_a_real_convolution_delivers_what_its_unrolled_matrix_does(data):
    conv, source = data.draw(convolutions())
    target = conv.target_shape(source)
    matrix = unrolled(conv, source, target)
    ends = (Population("input", source), Population("out", target, Neuron.of(emits="nothing")))
    net = Network(ends, (Projection.of("input", "out", conv),))
    samples = data.draw(inputs_of(net, low=-2, high=2))
    got = hwsim.simulate(net, samples).output
    total = samples.sum(axis=1).reshape(len(samples), -1)
    np.testing.assert_allclose(got, total @ matrix.T, rtol=1e-12, atol=1e-10)


@given(
    st.integers(1, 3), st.tuples(st.integers(1, 3), st.integers(1, 3)), st.integers(0, 1), rngs()
)
def test_pooling_sums_the_spikes_of_each_window(channels, size, padding, rng):
    pool = Conv2d.pool(channels, size, padding=(padding, padding), weight=2)
    source = (channels, 7, 8)
    target = pool.target_shape(source)
    readout = FixedNeuron.of(du=4095, reset="none", emits="nothing")
    ends = (Population("input", source), Population("out", target, readout))
    net = Network(ends, (Projection.of("input", "out", pool, word=WeightWord()),))
    spikes = (rng.random((1, 1, *source)) < 0.5).astype(np.uint8)
    padded = np.pad(spikes[0, 0], ((0, 0), (padding,) * 2, (padding,) * 2))
    wanted = np.zeros(target, dtype=np.int64)
    for c, y, x in np.ndindex(*target):
        top, left = y * size[0], x * size[1]
        wanted[c, y, x] = padded[c, top : top + size[0], left : left + size[1]].sum()
    assert np.array_equal(hwsim.simulate(net, spikes).output[0], 64 * 2 * wanted.ravel())


def test_a_gain_per_step_multiplies_plain_spikes_of_inputs_and_neurons():
    relay, readout = Neuron.of(v_th=0.5), Neuron.of(emits="nothing")
    ends = (
        Population("in", (1,)),
        Population("mid", (1,), relay),
        Population("out", (1,), readout),
    )
    one = Dense.of([[1.0]])
    plain, gained = {"gain": 1.0}, {"gain": [1.0, 2.0, 3.0]}
    for first, second in ((plain, gained), (gained, plain), (gained, gained)):
        chain = (
            Projection.of("in", "mid", one, **first),
            Projection.of("mid", "out", one, **second),
        )
        run = hwsim.simulate(Network(ends, chain), np.ones((2, 3, 1)))
        assert run.output.tolist() == [[6.0 if second is gained else 3.0]] * 2


def assert_same_after_alignment(plan, net, samples):
    on, off = (hwsim.simulate(what, samples, record=TRACES) for what in (plan, net))
    for population in net.populations:
        for trace in TRACES if population.neuron else ("spikes",):
            ours, theirs = (run.aligned(population.name, trace) for run in (on, off))
            assert np.array_equal(ours, theirs), (population.name, trace)
    assert np.array_equal(on.output, off.output)
    for name, spikes in on.spike_counts.items():
        assert np.array_equal(spikes, off.spike_counts[name])


@given(st.data())
def test_a_compiled_network_equals_the_network_after_alignment(data):
    net = data.draw(integer_networks(resets=("zero", "none")))
    samples = data.draw(inputs_of(net))
    assert_same_after_alignment(hwsim.compile(net, hwsim.load_chip("loihi1")), net, samples)


@given(st.data(), st.integers(1, 4))
def test_splitting_over_cores_changes_no_spike(data, neurons_per_core):
    net = data.draw(integer_networks())
    samples = data.draw(inputs_of(net))
    tiny = chip_with(neurons_per_core=neurons_per_core, cores=128)
    large = [p.size for p in net.populations if p.neuron]
    if sum(-(-size // neurons_per_core) for size in large) > 128:
        return
    assert_same_after_alignment(hwsim.compile(net, tiny), net, samples)


def test_a_readout_gives_the_same_potential_on_the_chip():
    word = WeightWord()
    net = Network(
        (
            Population("input", (3,)),
            Population("hidden", (4,), FixedNeuron.of(v_th=50, bias_mant=800)),
            Population("out", (2,), FixedNeuron.of(reset="none", emits="nothing", dv=100)),
        ),
        tuple(
            Projection.of(a, b, Dense.of(storable(np.random.default_rng(1), word, s)), word=word)
            for a, b, s in (("input", "hidden", (4, 3)), ("hidden", "out", (2, 4)))
        ),
    )
    samples = np.random.default_rng(2).integers(0, 2, (5, 9, 3))
    off = hwsim.simulate(net, samples)
    on = hwsim.simulate(hwsim.compile(net, hwsim.load_chip("loihi1")), samples)
    assert np.array_equal(on.output, off.output)
    assert (off.output != 0).any()


def assert_same_run(one, two):
    assert np.array_equal(one.output, two.output)
    assert np.array_equal(one.sops, two.sops)
    for trace in TRACES:
        for name, values in getattr(one, trace).items():
            assert np.array_equal(values, getattr(two, trace)[name]), (name, trace)


@pytest.mark.parametrize("kind", [integer_networks(), real_networks()], ids=["integer", "real"])
@given(data=st.data())
def test_blocks_of_samples_change_nothing(kind, data):
    net = data.draw(kind)
    samples = data.draw(inputs_of(net, max_samples=5))
    whole = hwsim.simulate(net, samples, record=TRACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "BLOCK_BYTES", 1)
        seen = []
        cut = hwsim.simulate(net, samples, record=TRACES, on_samples=seen.append)
    assert seen == [1] * len(samples)
    assert_same_run(whole, cut)


@pytest.mark.parametrize("kind", [integer_networks(), real_networks()], ids=["integer", "real"])
@given(data=st.data())
def test_permuting_samples_permutes_the_output(kind, data):
    net = data.draw(kind)
    samples = data.draw(inputs_of(net, max_samples=4))
    order = data.draw(st.permutations(range(len(samples))))
    run = hwsim.simulate(net, samples, record=("spikes",))
    permuted = hwsim.simulate(net, samples[list(order)], record=("spikes",))
    assert np.array_equal(permuted.output, run.output[list(order)])
    for name, spikes in run.spikes.items():
        assert np.array_equal(permuted.spikes[name], spikes[list(order)])


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("fires", ["above", "reached"])
@given(data=st.data())
def test_the_real_engine_follows_every_convention_of_its_slow_twin(reset, late, fires, data):
    n_steps, n = data.draw(st.integers(1, 10)), data.draw(st.integers(1, 5))
    rng = data.draw(rngs())
    # quarters: sums are exact, so `reached` is met and results are equal to the last bit
    quarters = {"shape": (n,), "low": -6, "high": 7}

    def some(**bounds):
        drawn = quarters | bounds
        return rng.integers(drawn["low"], drawn["high"], drawn["shape"]) / 4

    table = data.draw(st.booleans())
    neuron = Neuron.of(
        decay_u=rng.choice([0.0, 0.5], n),
        decay_v=rng.choice([0.0, 0.5, 1.0], n),
        v_th=some(low=1, shape=(n_steps, n) if table else ()),
        bias=some(low=-1, high=2),
        v_init=some() if data.draw(st.booleans()) else 0.0,
        reset=reset,
        reset_late=late,
        fires=fires,
        refractory=data.draw(st.integers(0, 3)),
        emits=data.draw(st.sampled_from(["spikes", "graded", "nothing"])),
    )
    gain = some(shape=(n_steps,)) if data.draw(st.booleans()) else 0.5
    delay = data.draw(st.integers(0, 2))
    weight = some(shape=(n, 3))
    net = Network(
        (Population("input", (3,)), Population("out", (n,), neuron)),
        (Projection.of("input", "out", Dense.of(weight), delay=delay, gain=gain),),
    )
    samples = some(shape=(2, n_steps, 3))
    run = hwsim.simulate(net, samples, record=TRACES)
    for b, sample in enumerate(samples):
        a = np.zeros((n_steps, n))
        a[delay:] = (sample @ weight.T)[: max(0, n_steps - delay)]
        u, v, s = simulate_real_reference(neuron, a * np.reshape(gain, (-1, 1)))
        assert np.array_equal(run.u["out"][b], u)
        assert np.array_equal(run.v["out"][b], v)
        assert np.array_equal(run.spikes["out"][b], s)


def test_a_delay_longer_than_the_run_delivers_nothing():
    delay = [[40_000, 1], [70_000, 2**40]]
    net = Network(
        (Population("input", (2,)), Population("out", (2,), Neuron.of(v_th=9.0))),
        (Projection.of("input", "out", Dense.of(np.ones((2, 2))), delay=delay),),
    )
    run = hwsim.simulate(net, np.ones((1, 5, 2)), record=("v",))
    assert run.v["out"][0].tolist() == [[0, 0], [1, 0], [2, 0], [3, 0], [4, 0]]


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 5, 4)), r"shape \(2, 5, 4\), the network takes \(samples, steps, 3\)"),
        (np.zeros((5, 3)), r"shape \(5, 3\)"),
        (np.zeros((0, 5, 3)), "nothing to run"),
        (np.zeros((2, 0, 3)), "nothing to run"),
        (np.full((1, 2, 3), np.nan), "NaN or infinite"),
        (np.full((1, 2, 3), np.inf), "NaN or infinite"),
        (np.full((1, 2, 3), 0.5), "takes whole numbers"),
        (np.full((1, 2, 3), "spike"), "numbers"),
        (np.full((1, 2, 3), 1e300), "whole numbers"),
        (np.full((1, 2, 3), None), "numbers"),
        (np.full((1, 2, 3), 1j), "numbers"),
    ],
)
def test_input_that_cannot_be_sent_gives_one_clear_line(samples, message):
    net = Network(
        (Population("input", (3,)), Population("out", (1,), FixedNeuron.of())),
        (Projection.of("input", "out", Dense.of([[2, 2, 2]]), word=WeightWord()),),
    )
    with pytest.raises(ValueError, match=message) as caught:
        hwsim.simulate(net, samples)
    assert "\n" not in str(caught.value)


def test_an_unknown_trace_is_named():
    net = Network((Population("input", (1,)), Population("out", (1,), Neuron.of())), ())
    with pytest.raises(ValueError, match="cannot record w"):
        hwsim.simulate(net, np.zeros((1, 1, 1)), record=("w",))


def test_tables_shorter_than_the_input_are_refused():
    ends = Population("input", (1,)), Population("out", (1,), Neuron.of(v_th=np.ones((2, 1))))
    with pytest.raises(ValueError, match="thresholds for 2 steps, the input has 3"):
        hwsim.simulate(Network(ends, ()), np.zeros((1, 3, 1)))
    ends = Population("input", (1,)), Population("out", (1,), Neuron.of())
    short = Projection.of("input", "out", Dense.of([[1.0]]), gain=[1.0, 2.0])
    with pytest.raises(ValueError, match="gain per step needs 3 values"):
        hwsim.simulate(Network(ends, (short,)), np.zeros((1, 3, 1)))
