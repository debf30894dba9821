"""The kernels of sigma-delta neurons and graded vectors are their slow twins, bit for bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwsim.kernels.graded import step_graded_vec, step_sigma_delta
from tests.golden import GoldenSigmaDelta, GoldenVec
from tests.reference import STATES, graded_vec_step, sigma_delta_step, wrap32
from tests.strategies import rngs

MAX = 2**31 - 1


@st.composite
def arrivals(draw):
    """Sums of some steps, (steps, neurons), from all small to the ends of 32 bits."""
    rng = draw(rngs())
    top = draw(st.sampled_from([3, 500, 2**20, MAX]))
    shape = (draw(st.integers(1, 12)), draw(st.integers(1, 9)))
    a = rng.integers(-top - 1, top + 1, shape, endpoint=True)
    return wrap32(np.where(rng.random(shape) < draw(st.sampled_from([0.2, 1.0])), a, 0))


def cleared(n):
    return {name: np.zeros(n, dtype=np.int64) for name in STATES}


@given(st.data(), arrivals())
def test_a_sigma_delta_neuron_is_its_twin(data, a):
    integrates = data.draw(st.booleans())
    spike_exp, state_exp = data.draw(st.tuples(st.integers(0, 7), st.integers(0, 7)))
    exp, rng, n = spike_exp + state_exp, data.draw(rngs()), a.shape[1]
    largest = 2 ** data.draw(st.integers(0, 23 - exp)) - 1
    p = GoldenSigmaDelta(
        shape=(n,),
        v_th=rng.integers(0, largest, n, endpoint=True),
        bias=rng.integers(-largest, largest, n, endpoint=True) * integrates,
        activation=data.draw(st.sampled_from(["relu", "unit"])) if integrates else "unit",
        cum_error=data.draw(st.booleans()),
        spike_exp=spike_exp,
        state_exp=state_exp,
        integrates=integrates,
        **dict.fromkeys(("reset_interval", "reset_offset", "u", "v", "s", "residue", "error")),
    )
    fires = data.draw(st.booleans())
    wanted = cleared(n)
    u, v, residue, error, sent = (np.zeros(n, dtype=np.int32) for _ in range(5))
    now = np.zeros(n, dtype=np.bool_)
    for a_t in a:
        before = {name: values.copy() for name, values in wanted.items()}
        s = sigma_delta_step(p, a_t, wanted)
        step_sigma_delta(
            a_t, p.bias << exp, p.v_th << exp, p.activation == "relu", integrates, p.cum_error,
            spike_exp, state_exp, fires, u, v, residue, error, sent, now,
        )  # fmt: skip
        assert np.array_equal(sent, s if fires else np.zeros(n))
        for name, ours in (("u", u), ("v", v), ("residue", residue), ("error", error)):
            assert np.array_equal(ours, wanted[name]), name
            changed = wanted[name] != before[name]
            assert not (changed & ~now).any(), name  # an idle update changes nothing


@given(arrivals(), rngs(), st.booleans(), st.booleans())
def test_a_graded_vector_is_its_twin(a, rng, relu, fires):
    n = a.shape[1]
    v_th = rng.integers(0, 2 ** rng.integers(1, 24), n)
    activation = "relu" if relu else "unit"
    p = GoldenVec((n,), v_th, activation, None, 0, None, None)
    wanted = cleared(n)
    u, v, sent = (np.ones(n, dtype=np.int32) for _ in range(3))
    now = np.ones(n, dtype=np.bool_)
    for a_t in a:
        s = graded_vec_step(p, a_t, wanted)
        step_graded_vec(a_t, v_th, relu, fires, u, v, sent, now)
        assert np.array_equal(sent, s if fires else np.zeros(n))
        assert np.array_equal(u, a_t)
        assert not v.any()
        assert np.array_equal(now, a_t != 0)
