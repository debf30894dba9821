"""Wires of an array: both exact ways against every node of it solved at once, and laws."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.crossbar import elimination, solution, wires
from hwsim.crossbar.wires import Wires, reduce_array, solve_array
from tests.crossbar_arrays import ENDS, W5, all_wires, arrays, full_scale, off, random_array
from tests.crossbar_nodal import nodal


@given(arrays(), all_wires())
def test_both_exact_ways_are_the_solution_of_all_nodes(array, w):
    g, v = array
    twin = nodal(g, v, w)
    solved, reduced = solve_array(g, v, w), reduce_array(g, w)
    assert off((solved.i_word, solved.i_bit), twin) < 1e-9
    assert off((v @ reduced.g_in, v @ reduced.g_eff), twin) < 1e-9
    assert np.allclose(solved.v_word, twin[2], rtol=0, atol=1e-9)
    touched = (g > 0).any(axis=0)  # an untouched bit line without ends may float
    assert np.allclose(solved.v_bit[:, touched], twin[3][:, touched], rtol=0, atol=1e-9)


@pytest.mark.parametrize(("driven", "sensed"), ENDS)
@pytest.mark.parametrize(
    "four", [(2, 0, 0, 0), (0, 2, 0, 0), (0, 0, 9, 0), (0, 0, 0, 9), (0, 0, 0, 0), (2, 3, 40, 50)]
)
def test_every_wire_alone_and_all_at_every_end(driven, sensed, four):
    g, v = random_array(7, 19)
    w = Wires(*four, driven=driven, sensed=sensed)
    twin = nodal(g, v, w)
    solved, reduced = solve_array(g, v, w), reduce_array(g, w)
    assert off((solved.i_word, solved.i_bit), twin) < 1e-11
    assert off((v @ reduced.g_in, v @ reduced.g_eff), twin) < 1e-11


@pytest.mark.parametrize("n", [64, 120])
def test_large_arrays_too(n):
    g, v = random_array(n)
    twin = nodal(g, v, W5)
    solved, reduced = solve_array(g, v, W5), reduce_array(g, W5)
    assert off((solved.i_word, solved.i_bit), twin) < 1e-11
    assert off((v @ reduced.g_in, v @ reduced.g_eff), twin) < 1e-11


@pytest.mark.parametrize(("driven", "sensed"), ENDS)
@pytest.mark.parametrize(
    "four", [(2, 0, 0, 0), (2, 0, 0, 9), (2, 3, 40, 50), (300, 300, 0, 0), (1e-3, 1e-3, 0, 0)]
)
def test_an_array_of_few_columns_is_the_same_passed_row_by_row(monkeypatch, driven, sensed, four):
    g, v = random_array(150, 20)
    w = Wires(*four, driven=driven, sensed=sensed)
    by_rows = reduce_array(g, w)
    twin = nodal(g, v, w)
    assert off((v @ by_rows.g_in, v @ by_rows.g_eff), twin) < 1e-10
    monkeypatch.setattr(elimination, "KEPT", 0)
    by_columns = reduce_array(g, w)
    for a, b in ((by_rows.g_in, by_columns.g_in), (by_rows.g_eff, by_columns.g_eff)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-11 * np.abs(b).max())


def test_wires_that_take_nearly_all_voltage():
    g, v = random_array(40)
    w = Wires(300.0, 300.0)
    assert nodal(g, v, w)[1].sum() < 0.1 * (v @ g).sum()
    twin = nodal(g, v, w)
    solved, reduced = solve_array(g, v, w), reduce_array(g, w)
    assert off((solved.i_word, solved.i_bit), twin) < 1e-9
    assert off((v @ reduced.g_in, v @ reduced.g_eff), twin) < 1e-9


@given(arrays(), all_wires())
def test_what_enters_leaves_and_no_node_keeps_current(array, w):
    g, v = array
    at = solve_array(g, v, w)
    reduced = reduce_array(g, w)
    scale = full_scale(at.i_word, at.i_bit)
    assert abs(at.i_word.sum() - at.i_bit.sum()) <= 1e-9 * scale * sum(g.shape)
    sums = reduced.g_in.sum(axis=1) - reduced.g_eff.sum(axis=1)
    assert np.abs(sums).max() <= 1e-9 * full_scale(reduced.g_in, 1e-30)
    cell = g * (at.v_word - at.v_bit)
    assert np.abs(cell.sum(axis=1) - at.i_word).max() <= 2e-9 * scale
    assert np.abs(cell.sum(axis=0) - at.i_bit).max() <= 2e-9 * scale
    if w.r_word_ohm:  # along a word line: what a segment brings is what cell and next segment take
        assert np.abs(_kept(at.v_word, w.r_word_ohm, cell)).max() <= 2e-9 * scale + noise(v, w)
    if w.r_bit_ohm:
        kept = _kept(at.v_bit.T, w.r_bit_ohm, -cell.T)
        assert np.abs(kept).max(initial=0.0) <= 2e-9 * scale + noise(v, w)


def noise(v, w):
    """Rounding of a difference of two voltages, as a current through a segment."""
    return 1e-14 * np.abs(v).max() / min(r for r in (w.r_word_ohm, w.r_bit_ohm) if r)


def _kept(volts, ohm, leaves):
    """Current that inner nodes of lines keep."""
    segments = np.diff(volts, axis=1) / ohm
    return np.diff(segments, axis=1) - leaves[:, 1:-1] if volts.shape[1] > 2 else np.zeros((1, 1))


@given(arrays())
def test_ideal_wires_give_ohms_law_exactly(array):
    g, v = array
    at, reduced = solve_array(g, v, Wires()), reduce_array(g, Wires())
    assert np.allclose(at.i_bit, v @ g, rtol=1e-13, atol=1e-20)
    assert np.array_equal(reduced.g_eff, g)
    assert np.array_equal(reduced.g_in, np.diag(g.sum(axis=1)))


@given(arrays(), st.sampled_from(ENDS))
def test_as_resistance_vanishes_the_loss_vanishes_with_it(array, ends):
    """First order: a tenth of the resistance leaves a tenth of the loss; down to 1e-9 ohm."""
    g, _ = array
    losses = []
    for ohm in (1e-3, 1e-4, 1e-9):
        reduced = reduce_array(g, Wires(ohm, ohm, ohm, ohm, *ends))
        losses.append(np.abs(reduced.g_eff - g).max())
        most = ohm * (sum(g.shape) + 2) * g.sum() ** 2 + 1e-11 * g.max()
        assert np.abs(reduced.g_in - np.diag(g.sum(axis=1))).max() <= most
    assert losses[1] == pytest.approx(losses[0] / 10, rel=1e-3, abs=1e-17)
    assert losses[2] <= 1.01e-6 * losses[0] + 1e-11 * g.max()


@given(arrays(), all_wires())
def test_input_conductances_are_symmetric_and_deliver_no_negative_power(array, w):
    g, v = array
    reduced = reduce_array(g, w)
    assert np.allclose(reduced.g_in, reduced.g_in.T, rtol=0, atol=1e-15 * g.sum())
    assert reduced.power_w(v) >= -1e-12 * g.sum() * (v @ v)
    assert (reduced.g_eff >= -1e-15 * g.sum()).all()


@given(arrays(), all_wires(), st.sampled_from(["r_word_ohm", "r_bit_ohm", "r_driver_ohm"]))
def test_more_resistance_never_raises_what_drivers_deliver(array, w, name):
    """Rayleigh's monotonicity law: for the power at fixed voltages, not for each current."""
    g, v = array
    more = dataclasses.replace(w, **{name: getattr(w, name) + 5.0})
    before, after = (reduce_array(g, x).power_w(v) for x in (w, more))
    assert after <= before * (1 + 1e-9) + 1e-18


@given(arrays(), all_wires())
def test_driving_the_bit_lines_instead_gives_the_same_matrix_turned(array, w):
    """Reciprocity: the other way through, with drivers and sense amplifiers exchanged."""
    g, _ = array
    ends = {"left": "top", "right": "bottom", "both": "both"}
    starts = {"top": "left", "bottom": "right", "both": "both"}
    turned = Wires(
        w.r_bit_ohm, w.r_word_ohm, w.r_sense_ohm, w.r_driver_ohm, starts[w.sensed], ends[w.driven]
    )
    there, back = reduce_array(g, w), reduce_array(g.T, turned)
    assert np.abs(there.g_eff - back.g_eff.T).max() <= 1e-9 * g.max()


@given(arrays(), all_wires())
def test_a_mirrored_array_read_from_its_mirrored_ends_is_the_same(array, w):
    g, v = array
    other = {"left": "right", "right": "left", "bottom": "top", "top": "bottom", "both": "both"}
    mirrored = dataclasses.replace(w, driven=other[w.driven], sensed=other[w.sensed])
    here, there = reduce_array(g, w), reduce_array(g[::-1, ::-1], mirrored)
    scale = 1e-12 * max(1e-30, g.sum())
    assert np.abs(here.g_eff - there.g_eff[::-1, ::-1]).max() <= scale
    solved, as_well = solve_array(g, v, w), solve_array(g[::-1, ::-1], v[::-1], mirrored)
    assert np.abs(solved.i_bit - as_well.i_bit[::-1]).max() <= scale
    assert np.allclose(solved.v_word, as_well.v_word[::-1, ::-1], rtol=0, atol=1e-12)


def test_a_batch_is_its_vectors_one_by_one_and_voltages_are_optional():
    g, _ = random_array(20, 30)
    v = np.random.default_rng(3).uniform(-0.2, 0.2, (4, 20))
    v[2] = 0.0
    batch, lean = solve_array(g, v, W5), solve_array(g, v, W5, voltages=False)
    assert batch.v_word.shape == (4, 20, 30)
    assert lean.v_word is None
    assert lean.v_bit is None
    for n, row in enumerate(v):
        one = solve_array(g, row, W5)
        assert np.array_equal(batch.i_word[n], one.i_word)
        assert np.array_equal(batch.v_bit[n], one.v_bit)
        assert np.array_equal(lean.i_bit[n], one.i_bit)
    assert not batch.i_bit[2].any()


@given(arrays(), all_wires())
def test_the_proven_bound_holds_and_is_kept(array, w):
    g, v = array
    i, j = wires.order(w)
    solver = solution.Solver(np.array(g[i, j]), *wires.ladders(g.shape, w))
    found = solver.solve(solver.g * v[i, None])
    exact = v @ reduce_array(g, w).g_eff
    scale = full_scale(exact, v @ reduce_array(g, w).g_in)
    assert found.bound_ampere <= 1e-9 * scale
    assert np.abs(found.i_bit - exact[j]).max() <= found.bound_ampere + 1e-11 * scale


def test_a_loose_first_aim_is_made_good(monkeypatch):
    g, v = random_array(60)
    monkeypatch.setattr(solution, "AIM", 1e-3)
    found = solve_array(g, v, Wires(20.0, 20.0))
    assert off((found.i_word, found.i_bit), nodal(g, v, Wires(20.0, 20.0))) < 1e-9


def test_a_bound_that_cannot_be_met_is_said(monkeypatch):
    g, v = random_array(30)
    monkeypatch.setattr(solution, "PROVEN", -1.0)
    with pytest.raises(ValueError, match=r"known to .* of the largest only: resistances times"):
        solve_array(g, v, W5)


BAD_WIRES = [
    ({"r_word_ohm": -1.0}, "r_word_ohm is -1, must be a finite resistance of at least 0 ohm"),
    ({"r_bit_ohm": float("nan")}, "r_bit_ohm is nan, must be a finite resistance"),
    ({"r_driver_ohm": float("inf")}, "r_driver_ohm is inf, must be a finite resistance"),
    ({"r_sense_ohm": 1e-40}, "r_sense_ohm is 1e-40, the smallest is 1e-30 ohm: make it 0"),
    ({"r_sense_ohm": 1e40}, r"r_sense_ohm is 1e\+40, the largest is 1e\+30 ohm: cut the wire"),
    ({"r_word_ohm": "1"}, "r_word_ohm is '1', must be a number of ohms"),
    ({"driven": "top"}, "driven is 'top', must be one of left, right, both"),
    ({"sensed": "left"}, "sensed is 'left', must be one of bottom, top, both"),
]


@pytest.mark.parametrize(("wrong", "message"), BAD_WIRES)
def test_bad_wires_are_one_clear_line(wrong, message):
    with pytest.raises(ValueError, match=message):
        Wires(**wrong)


BAD_CELLS = [
    ([[1e-6, -1e-6]], r"g_siemens\[0, 1\] is -1e-06, must be from 0 to 1e\+30 siemens \(1 su"),
    ([[1e-6], [float("nan")]], r"g_siemens\[1, 0\] is nan, must be from 0"),
    ([1e-6, 1e-6], r"g_siemens has shape \(2,\), must be \(rows, cols\)"),
    (np.zeros((0, 3)), r"g_siemens has shape \(0, 3\), must be \(rows, cols\), neither of them 0"),
    ([["a"]], "g_siemens"),
]


@pytest.mark.parametrize(("g", "message"), BAD_CELLS)
def test_bad_cells_are_one_clear_line(g, message):
    for call in (lambda: reduce_array(g, W5), lambda: solve_array(g, np.ones(1), W5)):
        with pytest.raises(ValueError, match=message):
            call()


def test_bad_voltages_and_arrays_beyond_memory_are_one_clear_line():
    g, v = random_array(4)
    with pytest.raises(ValueError, match=r"v has shape \(3,\), must be \(4,\) or \(batch, 4\)"):
        solve_array(g, v[:3], W5)
    with pytest.raises(ValueError, match=r"v has 1 values like inf, must be within 1e\+30 volt"):
        solve_array(g, v * [1, np.inf, 1, 1], W5)
    with pytest.raises(ValueError, match=r"an array of 9000000 x 1 needs .* GB here, there are"):
        reduce_array(np.broadcast_to(1e-6, (9_000_000, 1)), W5)
    with pytest.raises(ValueError, match=r"an array of 4 x 4 needs .* fewer voltages at once"):
        wires.fits_memory(10**15, (4, 4))


def test_numbers_beyond_double_precision_are_one_clear_line():
    g = np.full((40, 3), 1e25)
    with pytest.raises(ValueError, match="the array is singular in double precision: its resist"):
        reduce_array(g, Wires(1e25, 1e25))
