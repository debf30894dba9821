"""Every kind of neuron and synapse in one network: the engine is the slow twin, bit for bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from tests.reference import network_reference
from tests.strategies import chip_with, inputs_of, networks_of_all_kinds, rngs

TRACES = ("spikes", "u", "v")
ANY_CHIP = chip_with(
    neurons=("spikes", "ternary", "graded", "sigma_delta"),
    message_bits=32,
    max_delay=62,
    bias_exp_max=7,
)


def assert_twins(run, net, samples):
    for b, sample in enumerate(samples):
        for name, wanted in network_reference(net, sample).items():
            found = {"s": run.aligned(name)[b]}
            if net[name].neuron is not None:
                found |= {x: run.aligned(name, x)[b] for x in "uv"}
            for trace, values in found.items():
                assert np.array_equal(values, wanted[trace]), (name, trace)


@given(st.data(), networks_of_all_kinds())
def test_a_network_of_any_kinds_is_its_twin(data, net):
    top = data.draw(st.sampled_from([1, 300, 2**22]))
    samples = data.draw(inputs_of(net, low=-top, high=top))
    assert_twins(hwsim.simulate(net, samples, record=TRACES), net, samples)


@given(st.data(), networks_of_all_kinds(min_delay=1))
def test_a_chip_changes_no_bit_of_any_kind(data, net):
    samples = data.draw(inputs_of(net, low=-300, high=300))
    plan = hwsim.compile(net, ANY_CHIP)
    assert_twins(hwsim.simulate(plan, samples, record=TRACES), net, samples)


@given(rngs(), st.integers(1, 63))
def test_a_resting_neuron_is_silent_for_its_steps_and_its_current_goes_on(rng, rest):
    def net(refractory):
        neuron = hwsim.FixedNeuron.of(du=400, v_th=50, refractory=refractory)
        ends = hwsim.Population("input", (3,)), hwsim.Population("out", (4,), neuron)
        weight = hwsim.Dense.of(weights)
        joined = hwsim.Projection.of("input", "out", weight, word=hwsim.WeightWord())
        return hwsim.Network(ends, (joined,))

    weights = rng.integers(-20, 100, (4, 3)) * 2
    samples = rng.random((1, 120, 3)) < 0.6
    resting, awake = (hwsim.simulate(net(r), samples, record=TRACES) for r in (rest, 0))
    assert np.array_equal(resting.u["out"], awake.u["out"])
    for spikes, v in zip(resting.spikes["out"][0].T, resting.v["out"][0].T, strict=True):
        at = np.flatnonzero(spikes)
        assert (np.diff(at) > rest).all()
        for t in at:
            assert not v[t : t + rest + 1].any()
