"""The wires against ngspice: recorded results always, a run of it where it is installed."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from hwsim.crossbar import netlist
from hwsim.crossbar.netlist import ngspice_currents, ngspice_version, read_raw, run_ngspice
from hwsim.crossbar.nonlinear import Measured, Sinh, solve_nonlinear
from hwsim.crossbar.wires import Wires, reduce_array, solve_array
from tests.crossbar_arrays import W5, random_array

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "ngspice"
LINEAR, BENT = (sorted(GOLDEN.glob(f"{kind}-*.npz")) for kind in ("linear", "sinh"))
needs_ngspice = pytest.mark.skipif(ngspice_version() is None, reason="ngspice is not on PATH")


def recorded(path):
    data = np.load(path)
    *ohms, driven, sensed = data["wires"].tolist()
    v0, v_read = data["curve"].tolist()
    curve = None if np.isnan(v0) else Sinh(v0, None if np.isnan(v_read) else v_read)
    return data, Wires(*map(float, ohms), driven, sensed), curve


def relative(found, expected):
    return float(np.abs(found / expected - 1).max())


def test_all_sizes_are_recorded_linear_and_bent():
    for kind in (LINEAR, BENT):
        shapes = {np.load(path)["g"].shape for path in kind}
        assert {(8, 8), (16, 16), (32, 32), (64, 64), (16, 24)} == shapes
    assert {str(np.load(path)["version"]) for path in LINEAR + BENT} == {"ngspice-39"}


@pytest.mark.parametrize("path", LINEAR, ids=lambda path: path.stem)
def test_linear_arrays_are_those_of_ngspice(path):
    """Largest relative error of any current: 1e-6 is asked."""
    data, wires, _ = recorded(path)
    solved, reduced = solve_array(data["g"], data["v"], wires), reduce_array(data["g"], wires)
    assert relative(solved.i_bit, data["i_bit"]) < 1e-10
    assert relative(solved.i_word, data["i_word"]) < 1e-10
    assert relative(data["v"] @ reduced.g_eff, data["i_bit"]) < 1e-10
    assert relative(data["v"] @ reduced.g_in, data["i_word"]) < 1e-10


@pytest.mark.parametrize("path", BENT, ids=lambda path: path.stem)
def test_nonlinear_arrays_are_those_of_ngspice(path):
    data, wires, curve = recorded(path)
    found = solve_nonlinear(data["g"], data["v"], wires, curve)
    assert relative(found.i_bit, data["i_bit"]) < 1e-9
    assert relative(found.i_word, data["i_word"]) < 1e-9
    linear = solve_array(data["g"], data["v"], wires)
    assert relative(linear.i_bit, data["i_bit"]) > 1e-2  # the curve matters


ENDS = [("left", "bottom"), ("right", "top"), ("both", "both")]
FOUR = [(1.0, 2.0, 3.0, 4.0), (0.0, 2.0, 0.0, 4.0), (1.0, 0.0, 3.0, 0.0), (0.0, 0.0, 9.0, 9.0)]


@needs_ngspice
@pytest.mark.parametrize(("four", "ends"), list(itertools.product(FOUR, ENDS)))
def test_a_run_of_ngspice_agrees_in_every_node(four, ends):
    g, v = random_array(5, 7)
    g[1, 2] = 0.0
    wires = Wires(*four, *ends)
    spice, ours = ngspice_currents(g, v, wires), solve_array(g, v, wires)
    assert relative(ours.i_bit, spice.i_bit) < 1e-9
    assert relative(ours.i_word, spice.i_word) < 1e-9
    assert np.abs(ours.v_word - spice.v_word).max() < 1e-12
    assert np.abs(ours.v_bit - spice.v_bit).max() < 1e-12


@needs_ngspice
def test_a_run_of_ngspice_agrees_on_a_curve():
    g, v = random_array(6, 4)
    curve = Sinh(0.1, v_read_volt=0.2)
    spice, ours = ngspice_currents(g, v, W5, curve), solve_nonlinear(g, v, W5, curve)
    assert relative(ours.i_bit, spice.i_bit) < 1e-8
    assert np.abs(ours.v_word - spice.v_word).max() < 1e-10


def test_a_deck_has_every_part_once_and_no_resistor_of_0_ohm():
    deck = netlist.netlist(*random_array(3, 2), Wires(r_bit_ohm=2.0, driven="both"), Sinh(0.25))
    lines = deck.splitlines()
    names = [line.split()[0] for line in lines if line[0] in "rbv"]
    assert len(names) == len(set(names)) == 3 + 2 + 2 * 2 + 2 + 6
    assert not [line for line in lines if line.startswith("r") and float(line.split()[-1]) == 0]
    assert "bc0_1 d0 b0_1 i=" in deck
    assert lines[0] == "* crossbar of 3 x 2 cells"
    assert lines[-1] == ".end"


def test_bad_files_and_runs_are_one_clear_line(monkeypatch):
    g, v = random_array(2)
    with pytest.raises(ValueError, match="no ngspice file in text form: 0 variables, 0 values"):
        read_raw("nothing")
    with pytest.raises(ValueError, match="text form: 2 variables, 1 values"):
        read_raw("Title: x\n\t0\tv(1)\tvoltage\n\t1\tv(2)\tvoltage\nValues:\n 0\t1.5\n")
    with pytest.raises(ValueError, match="has no formula in SPICE"):
        netlist.netlist(g, v, W5, Measured([-1, 1], [-1, 1], 1.0))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="ngspice is not on PATH: install it"):
        run_ngspice("* nothing\n.end\n")
    assert ngspice_version() is None


@needs_ngspice
def test_a_deck_without_an_operating_point_is_one_clear_line():
    with pytest.raises(ValueError, match="ngspice found no operating point: "):
        run_ngspice("* nothing\n.end\n")
