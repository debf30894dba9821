"""Figures of crossbars: what they show is what was computed, and the same bytes every time."""

import numpy as np
import pytest

from hwsim.bands import Band
from hwsim.bill import Bill
from hwsim.crossbar.figures import (
    cell_loss,
    draw_accuracy_against,
    draw_conductances,
    draw_energy,
    draw_ir_drop,
)
from hwsim.crossbar.wires import Wires
from hwsim.report.standalone import save_figure
from hwsim.report.svg import settings
from tests.crossbar_nodal import nodal

VOLT = 0.2


def cells(rows=6, columns=5, seed=0):
    return np.random.default_rng(seed).uniform(1e-6, 2e-5, (rows, columns))


def bill(**components):
    """A bill of which nothing but components is known."""
    whole = Band(1.0, 0.5, 2.0)
    return Bill("", 1, (), (), 1.0, 1.0, 1.0, whole, whole, components, ())


@pytest.mark.parametrize("ends", [{}, {"driven": "right", "sensed": "top"}, {"driven": "both"}])
def test_the_voltage_that_cells_miss_is_that_of_a_nodal_solve(ends):
    g = cells()
    wires = Wires(r_word_ohm=300, r_bit_ohm=500, r_driver_ohm=40, r_sense_ohm=70, **ends)
    v_word, v_bit = nodal(g, np.full(len(g), VOLT), wires)[2:4]
    np.testing.assert_allclose(cell_loss(g, wires, VOLT), 1 - (v_word - v_bit) / VOLT, atol=1e-7)


def test_ideal_wires_lose_nothing_and_more_resistance_loses_more():
    g, loss = cells(), []
    np.testing.assert_allclose(cell_loss(g, Wires(), VOLT), 0, atol=1e-12)
    for ohm in (1, 10, 100, 1000):
        loss.append(cell_loss(g, Wires(r_word_ohm=ohm, r_bit_ohm=ohm), VOLT))
    assert (np.diff(loss, axis=0) > 0).all()
    assert (loss[0] >= 0).all()
    assert (loss[-1] < 1).all()


def test_a_histogram_counts_every_cell_once():
    g = {"wanted": cells(), "programmed": cells(seed=1) * 1.01, "aged": cells(seed=2) * 0.9}
    with settings("x"):
        (axes,) = draw_conductances(g, 680.0).axes
        assert sum(bar.get_height() for bar in axes.containers[0]) == 30
        lines = [p for p in axes.patches if hasattr(p, "get_data")]
        assert [p.get_data().values.sum() for p in lines] == [30, 30]
        assert axes.get_yscale() == "log"
        assert axes.get_xlabel() == "conductance (µS)"


def test_a_map_has_the_loss_in_percent():
    g, wires = cells(), Wires(r_word_ohm=300, r_bit_ohm=500)
    with settings("x"):
        axes = draw_ir_drop(g, wires, VOLT, 680.0).axes[0]
        shown = axes.images[0].get_array()
    np.testing.assert_array_equal(shown, 100 * cell_loss(g, wires, VOLT))


def test_an_energy_of_which_nothing_is_known_has_no_bar():
    with settings("x"):
        (axes,) = draw_energy(bill(cells=Band(1e-9, 5e-10, 2e-9), host=None), 680.0).axes
        assert [bar.get_width() for bar in axes.patches] == [1e-9]
        assert "not known" in [text.get_text() for text in axes.texts]


def test_times_lie_by_their_logarithm_with_zero_at_the_left():
    mean, low, high = [0.9, 0.8, 0.6], [0.8, 0.7, 0.5], [0.95, 0.9, 0.7]
    with settings("x"):
        (axes,) = draw_accuracy_against(
            [0, 1, 100], mean, low, high, "s", 680.0, chance=0.1, exact=0.97, logarithmic=True
        ).axes
        line = axes.lines[0]
        assert line.get_xdata().tolist() == [-2, 0, 2]
        assert line.get_ydata().tolist() == mean
        assert {text.get_text() for text in axes.texts} == {"without errors", "guessing"}
        assert axes.get_ylim()[0] <= 0.1


def test_linear_axes_keep_their_values():
    with settings("x"):
        (axes,) = draw_accuracy_against(
            [0, 0.1, 0.2], [1, 0.9, 0.8], [1, 0.8, 0.7], [1, 1, 0.9], "spread", 680.0
        ).axes
        assert axes.lines[0].get_xdata().tolist() == [0, 0.1, 0.2]


@pytest.mark.parametrize("width", [344.0, 720.0])
def test_the_same_data_is_the_same_file(tmp_path, width):
    g, wires = cells(), Wires(r_word_ohm=300, r_bit_ohm=500)
    drawings = {
        "a.svg": lambda w: draw_conductances({"wanted": g, "aged": np.zeros_like(g)}, w),
        "b.svg": lambda w: draw_ir_drop(g, wires, VOLT, w),
        "c.svg": lambda w: draw_energy(bill(cells=Band(1e-9, 5e-10, 2e-9)), w),
        "d.svg": lambda w: draw_accuracy_against([0], [1], [1], [1], "s", w, logarithmic=True),
        "e.svg": lambda w: draw_conductances({"wanted": np.zeros((2, 2))}, w),
    }
    for name, draw in drawings.items():
        files = [tmp_path / folder / name for folder in ("first", "second")]
        for file in files:
            save_figure(draw, file, width=width)
        first, second = (file.read_bytes() for file in files)
        assert first == second
        assert b"<svg" in first
        assert b"<dc:date>" not in first
