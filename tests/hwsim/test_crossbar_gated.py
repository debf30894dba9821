"""Arrays whose idle rows are cut off, against all nodes without those cells."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.crossbar import gated, wires
from hwsim.crossbar.gated import GatedArray, solve_gated
from hwsim.crossbar.wires import Wires, reduce_array, solve_array
from tests.crossbar_arrays import ENDS, W5, all_wires, arrays, off, random_array
from tests.crossbar_nodal import nodal


@given(arrays(), all_wires(), st.sampled_from([0.0, 0.2, 0.8, 1.0]))
def test_a_gated_array_is_one_without_the_cells_of_idle_rows(array, w, activity):
    g, v = array
    v = v * (np.random.default_rng(len(v)).random(len(v)) < activity)
    found, twin = solve_gated(g, v, w), nodal(g, v, w, gated=True)
    assert off((found.i_word, found.i_bit), twin) < 1e-9
    assert np.allclose(found.v_word[v != 0], twin[2][v != 0], rtol=0, atol=1e-9)
    assert not found.i_word[v == 0].any()
    if v.any():
        assert np.allclose(found.v_bit, twin[3], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("driven", "sensed"), ENDS)
@pytest.mark.parametrize("four", [(2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 9, 9), (2, 3, 40, 50)])
def test_every_wire_and_end_with_few_rows_active(driven, sensed, four):
    g, v = random_array(9, 5)
    w = Wires(*four, driven=driven, sensed=sensed)
    for active in ([4], [0, 7], [1, 2, 8]):
        some = np.where(np.isin(np.arange(9), active), v, 0.0)
        found, twin = solve_gated(g, some, w), nodal(g, some, w, gated=True)
        assert off((found.i_word, found.i_bit), twin) < 1e-11
        assert np.abs(found.v_bit - twin[3]).max() < 1e-12


@given(arrays(), all_wires())
def test_with_all_rows_active_gates_change_nothing(array, w):
    g, v = array
    v = np.where(v == 0, 0.05, v)
    here, there = solve_gated(g, v, w), solve_array(g, v, w)
    assert off((here.i_word, here.i_bit), (there.i_word, there.i_bit)) < 1e-12


def test_rows_held_at_0_volt_take_current_that_gates_keep():
    g, v = random_array(30)
    v[::2] = 0.0
    w = Wires(5.0, 5.0)
    gates, held = solve_gated(g, v, w), v @ reduce_array(g, w).g_eff
    assert (gates.i_bit > held * 1.001).all()
    assert off((solve_array(g, v, w).i_bit,) * 2, (held, held)) < 1e-11


def test_a_batch_is_its_patterns_one_by_one():
    g, _ = random_array(20, 30)
    rng = np.random.default_rng(4)
    v = rng.choice([0.0, 0.1, 0.2], (12, 20))
    v[3:6] = v[2] * np.array([[1.0], [-2.0], [0.0]])  # the same rows, other volts; and none
    for voltages, n in itertools.product((True, False), range(len(v))):
        batch, one = solve_gated(g, v, W5, voltages=voltages), solve_gated(g, v[n], W5)
        assert np.allclose(batch.i_bit[n], one.i_bit, rtol=1e-12, atol=0)
        assert np.allclose(batch.i_word[n], one.i_word, rtol=1e-12, atol=0)
        if voltages:
            assert np.allclose(batch.v_bit[n], one.v_bit, rtol=1e-12, atol=1e-18)
            assert np.allclose(batch.v_word[n], one.v_word, rtol=1e-12, atol=0)


def test_patterns_that_come_again_are_not_solved_again(monkeypatch):
    g, v = random_array(16)
    solves = []
    solve = gated.Solver.solve
    monkeypatch.setattr(gated.Solver, "solve", lambda self, c: solves.append(1) or solve(self, c))
    monkeypatch.setattr(gated, "MAX_PATTERNS", 3)
    array = GatedArray(g, W5)
    spikes = np.where(np.arange(16) % 3 == 0, 0.2, 0.0)
    first = array.solve(np.array([spikes, v, spikes]))
    assert len(solves) == 2
    assert np.array_equal(first.i_bit[0], first.i_bit[2])
    assert np.array_equal(array.solve(spikes).i_bit, first.i_bit[0])
    assert len(solves) == 2
    array.solve(v * np.arange(1, 5)[:, None])  # four more push the oldest out
    assert len(solves) == 2 + 3
    array.solve(spikes)
    assert len(solves) == 6


def test_few_active_rows_cost_few():
    """The arrays that are solved have as many rows as are active."""
    g, v = random_array(64)
    shapes = []
    with pytest.MonkeyPatch.context() as patch:
        made = gated.Solver
        patch.setattr(gated, "Solver", lambda g, *lines: shapes.append(g.shape) or made(g, *lines))
        solve_gated(g, np.where(np.arange(64) < 3, v, 0.0), W5)
    assert shapes == [(3, 64)]


def test_bad_input_is_one_clear_line():
    g, v = random_array(4)
    with pytest.raises(ValueError, match=r"g_siemens\[1, 1\] is nan"):
        solve_gated(np.where(np.eye(4) * np.arange(4) == 1, np.nan, g), v, W5)
    with pytest.raises(ValueError, match=r"v has shape \(5,\), must be \(4,\)"):
        GatedArray(g, W5).solve(np.ones(5))
    assert wires.order(W5) == (slice(None), slice(None, None, -1))
