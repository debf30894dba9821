"""Cells with a curve: against careless Newton on all nodes, a root found by bisection, and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from hwsim.crossbar import nonlinear
from hwsim.crossbar.nonlinear import Measured, Sinh, solve_nonlinear
from hwsim.crossbar.wires import Wires, solve_array
from tests.crossbar_arrays import W5, all_wires, arrays, full_scale, off, random_array
from tests.crossbar_nodal import nodal_nonlinear

V0 = 0.15
BENT = Sinh(V0)
VOLTS = np.array([-1.0, -0.4, -0.1, 0.0, 0.1, 0.2, 0.5, 1.0])


def measured(v_read=0.2):
    """Points of a curve that bends one way above 0 V and another below."""
    return Measured(VOLTS, 3e-5 * (VOLTS + 2 * VOLTS**3 + VOLTS**2 * (VOLTS > 0)), v_read)


@given(arrays(16), all_wires())
def test_currents_are_those_of_all_nodes(array, w):
    g, v = array
    twin = nodal_nonlinear(
        g, v, w, lambda x: V0 * np.sinh(x / V0), lambda x: np.cosh(x / V0), n_steps=20
    )
    found = solve_nonlinear(g, v, w, BENT)
    assert off((found.i_word, found.i_bit), twin) < 1e-9
    assert np.allclose(found.v_word, twin[2], rtol=0, atol=1e-9)


def test_measured_points_too():
    g, v = random_array(12, 9)
    curve, w = measured(), Wires(20.0, 30.0, 5.0, 2.0)
    twin = nodal_nonlinear(g, v, w, lambda x: curve(x)[0], lambda x: curve(x)[1])
    found = solve_nonlinear(g, v, w, curve)
    assert off((found.i_word, found.i_bit), twin) < 1e-9


@given(arrays(12), all_wires())
def test_gates_cut_bent_cells_off_too(array, w):
    g, v = array
    v[::3] = 0.0
    twin = nodal_nonlinear(
        g, v, w, lambda x: V0 * np.sinh(x / V0), lambda x: np.cosh(x / V0), 20, gated=True
    )
    found = solve_nonlinear(g, v, w, BENT, gated=True)
    assert off((found.i_word, found.i_bit), twin) < 1e-9
    assert np.allclose(found.v_word[v != 0], twin[2][v != 0], rtol=0, atol=1e-9)
    if v.any():
        assert np.allclose(found.v_bit, twin[3], rtol=0, atol=1e-9)
    assert not found.i_word[v == 0].any()


@given(st.floats(0.01, 2.5), st.floats(1.0, 1e6))
def test_one_cell_behind_resistors_is_the_root_of_one_equation(volt, ohm):
    g, w = 1e-4, Wires(ohm, ohm)

    def missing(x):
        return (volt - x) / (2 * ohm) - g * V0 * np.sinh(x / V0)

    x = brentq(missing, 0.0, volt, xtol=1e-15, rtol=1e-14)
    found = solve_nonlinear(np.full((1, 1), g), np.array([volt]), w, BENT)
    assert found.i_bit[0] == pytest.approx((volt - x) / (2 * ohm), rel=1e-8)


@given(arrays(12), all_wires())
def test_all_cells_carry_their_curve_and_no_current_is_lost(array, w):
    g, v = array
    at = solve_nonlinear(g, v, w, BENT)
    cell = g * BENT(at.v_word - at.v_bit)[0]
    scale = full_scale(at.i_word, at.i_bit)
    assert np.abs(cell.sum(axis=1) - at.i_word).max() <= 2e-9 * scale
    assert np.abs(cell.sum(axis=0) - at.i_bit).max() <= 2e-9 * scale


def test_a_straight_curve_is_the_linear_array():
    g, v = random_array(20)
    line = Measured([-1.0, 1.0], [-1e-6, 1e-6], 0.3)
    bent, straight = solve_nonlinear(g, v, W5, line), solve_array(g, v, W5)
    assert off((bent.i_word, bent.i_bit), (straight.i_word, straight.i_bit)) < 1e-12
    nearly = solve_nonlinear(g, v, W5, Sinh(1e6))
    assert off((nearly.i_word, nearly.i_bit), (straight.i_word, straight.i_bit)) < 1e-9


def test_an_odd_curve_gives_the_other_sign_at_the_other_sign():
    g, v = random_array(10, 7)
    batch = solve_nonlinear(g, np.array([v, -v]), W5, BENT)
    assert np.allclose(batch.i_bit[0], -batch.i_bit[1], rtol=1e-10, atol=0)
    assert solve_nonlinear(g, v, W5, BENT, voltages=False).v_bit is None


X = np.linspace(-3.0, 3.0, 301)
HARD = [
    ("a step at 1.2 V", np.tanh(40 * (X - 1.2)) + np.tanh(40 * (X + 1.2)), 1.3, True),
    ("saturation", np.tanh(8 * X), 1.3, True),
    ("a threshold", np.sign(X) * np.maximum(np.abs(X) - 0.5, 0.0) ** 3 + 1e-6 * X, 0.6, True),
    ("far up a sinh", 0.15 * np.sinh(X / 0.15), 0.15, False),
]


@pytest.mark.parametrize(("_", "i", "v_read", "halves"), HARD, ids=[h[0] for h in HARD])
def test_curves_on_which_plain_newton_runs_away_end_too(_, i, v_read, halves, monkeypatch):
    g, v = random_array(6)
    curve, w, steps, step = Measured(X, i, v_read), Wires(1e4, 1e4), [], nonlinear.Newton._step
    monkeypatch.setattr(
        nonlinear.Newton, "_step", lambda *given: steps.append(step(*given)) or steps[-1]
    )
    at = solve_nonlinear(g, 2 + 2 * v, w, curve)
    cell = g * curve(at.v_word - at.v_bit)[0]
    assert np.abs(cell.sum(axis=0) - at.i_bit).max() <= 1e-8 * at.i_bit.max()
    assert np.abs(cell.sum(axis=1) - at.i_word).max() <= 1e-8 * at.i_word.max()
    assert (min(steps) < 1.0) == halves


def test_volts_that_make_cells_wires_are_one_clear_line():
    g, v = random_array(6)
    for volt in (40.0, 1000.0):
        with pytest.raises(ValueError, match=r"volt over a cell make it .* times as conductive"):
            solve_nonlinear(g, volt * (0.5 + v), Wires(10.0, 10.0), BENT)


def test_conductance_is_the_slope_at_0_or_the_chord_where_it_was_read():
    assert BENT(np.zeros(1))[1] == pytest.approx(1.0)
    assert Sinh(V0, v_read_volt=0.3)(np.array(0.3))[0] == pytest.approx(0.3)
    assert measured(0.2)(np.array(0.2))[0] == pytest.approx(0.2)
    assert measured(-0.4)(np.array(-0.4))[0] == pytest.approx(-0.4)


@given(st.floats(-3.0, 3.0))
def test_slopes_are_the_derivatives_of_curves_that_never_fall(v):
    for curve in (BENT, Sinh(0.3, 0.2), measured()):
        f, slope = curve(np.array([v - 1e-6, v, v + 1e-6]))
        assert (np.diff(f) >= 0).all()
        assert (f[2] - f[0]) / 2e-6 == pytest.approx(slope[1], rel=1e-4, abs=1e-5)


def test_measured_points_are_on_the_curve():
    curve = measured()
    f = curve(VOLTS)[0]
    amperes = 3e-5 * (VOLTS + 2 * VOLTS**3 + VOLTS**2 * (VOLTS > 0))
    assert f == pytest.approx(amperes * f[-1] / amperes[-1])


def test_a_current_at_0_volt_is_taken_off():
    shifted = Measured(VOLTS, 1e-6 + 1e-5 * VOLTS, 0.2)
    assert shifted(np.zeros(1))[0] == 0.0
    assert shifted(VOLTS)[0] == pytest.approx(VOLTS)


BAD_POINTS = [
    ([0.0, 1.0], [0.0], 1.0, r"v and i have shapes \(2,\) and \(1,\), must be two or more points"),
    ([0.0, 1.0, 2.0], [0.0, 2.0, 1.0], 1.0, r"the curve falls between points 1 and 2, \(1 V, 2 A"),
    ([0.0, 1.0, 1.0], [0.0, 2.0, 3.0], 1.0, "the curve falls between points 1 and 2"),
    ([0.5, 1.0], [0.0, 2.0], 1.0, "v runs from 0.5 to 1: 0 volt must be inside"),
    ([0.0, np.nan], [0.0, 2.0], 1.0, "v and i must be finite"),
    ([0.0, 1.0], [0.0, 2.0], 3.0, "the points give no current at v_read_volt = 3"),
    ([-1.0, 0.0, 1.0], [0.0, 0.0, 2.0], -1.0, "the points give no current at v_read_volt = -1"),
]


@pytest.mark.parametrize(("v", "i", "v_read", "message"), BAD_POINTS)
def test_bad_points_are_one_clear_line(v, i, v_read, message):
    with pytest.raises(ValueError, match=message):
        Measured(v, i, v_read)


def test_other_bad_input_is_one_clear_line(monkeypatch):
    with pytest.raises(ValueError, match="v0_volt is 0, must be above 0 volt and finite"):
        Sinh(0.0)
    with pytest.raises(ValueError, match="v_read_volt is nan, must be above 0 volt"):
        Sinh(0.2, float("nan"))
    with pytest.raises(ValueError, match="a measured curve has no formula in SPICE"):
        measured().spice("v(a,b)")
    g, v = random_array(4)
    monkeypatch.setattr(nonlinear, "MAX_STEPS", 1)
    with pytest.raises(ValueError, match="Newton's method did not end in 1 steps: currents are kn"):
        solve_nonlinear(g, 10 * v, W5, BENT)
