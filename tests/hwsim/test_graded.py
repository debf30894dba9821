"""The kernels of sigma-delta neurons and graded vectors are their slow twins, bit for bit."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwsim.kernels.graded import (
    mark_graded_vec,
    mark_sigma_delta,
    step_graded_vec,
    step_sigma_delta,
)
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
    wanted = cleared(n)
    u, v, residue, error = (np.zeros(n, dtype=np.int32) for _ in range(4))
    idle = np.zeros(n, dtype=np.int32)
    constants = (p.activation == "relu", integrates)
    for a_t in a:
        before = {name: values.copy() for name, values in wanted.items()}
        s = sigma_delta_step(p, a_t, wanted)
        sent = a_t.astype(np.int32)  # the messages take the place of what arrived
        mark_sigma_delta(sent, p.bias << exp, *constants, spike_exp, state_exp, u, v, residue, idle)
        step_sigma_delta(
            sent, p.bias << exp, p.v_th << exp, *constants, p.cum_error, spike_exp, state_exp,
            u, v, residue, error, sent,
        )  # fmt: skip
        assert np.array_equal(sent, s)
        for name, ours in (("u", u), ("v", v), ("residue", residue), ("error", error)):
            assert np.array_equal(ours, wanted[name]), name
            changed = wanted[name] != before[name]
            assert not changed[idle == 1].any(), name  # an idle update changes nothing
        assert not s[idle == 1].any()


@given(arrivals(), rngs(), st.booleans())
def test_a_graded_vector_is_its_twin(a, rng, relu):
    n = a.shape[1]
    v_th = rng.integers(0, 2 ** rng.integers(1, 24), n)
    p = GoldenVec((n,), v_th, "relu" if relu else "unit", None, 0, None, None)
    wanted = cleared(n)
    u, v = np.ones(n, dtype=np.int32), np.ones(n, dtype=np.int32)
    idle = np.ones(n, dtype=np.int32)
    for a_t in a:
        s = graded_vec_step(p, a_t, wanted)
        sent = a_t.astype(np.int32)
        mark_graded_vec(sent, idle)
        step_graded_vec(sent, v_th, relu, u, v, sent)
        assert np.array_equal(sent, s)
        assert np.array_equal(u, a_t)
        assert not v.any()
        assert np.array_equal(idle, a_t == 0)
