"""Learning curves: the table of a phase, what is chosen, and a figure that shows it."""

import io
import xml.etree.ElementTree as ET

import pytest
import torch
from rich.console import Console

from hwsim.report.curves_figure import draw_curves
from hwsim.report.data import Curves, Phase
from hwsim.report.svg import colour, marked
from neuro.curves import curves_of, draw_run, read_metrics, write_metrics
from neuro.reporting import HISTORIES
from neuro.runs import run_for
from neuro.training.train import train
from tests.neuro.test_processes import MIXED
from tests.neuro.tiny import tiny


def rows_of(*losses, **more):
    return [
        {"epoch": i + 1, "hold_loss": v, "fit_loss": 2 * v, **more} for i, v in enumerate(losses)
    ]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))
        torch.set_num_threads(1)
        run = run_for(tiny(MIXED), tmp_path_factory.mktemp("curves"))
        return run, train(run, Console(file=io.StringIO()))


def test_a_run_keeps_the_metrics_that_its_result_has(trained):
    run, result = trained
    for folder, part in (("float", "float"), ("qat", "quantised")):
        assert read_metrics(run.path / folder) == result[part]["history"]
    ET.parse(run.path / "curves.svg")
    curves = curves_of({n: result[p]["history"] for p, n in HISTORIES.items() if p in result})
    assert [(phase.name, phase.n_epochs, phase.chosen) for phase in curves.phases] == [
        ("floats", 2, result["float"]["best_epoch"]),
        ("integers", 1, result["quantised"]["best_epoch"]),
    ]


def test_delays_and_rates_are_told_where_they_are_trained(trained):
    _, result = trained
    moves, stays = result["float"]["history"]
    assert moves["delay1_moved"] > 0 == stays["delay1_moved"]  # they settle for the last half
    assert moves["delay1_width"] == 2.0
    assert stays["learning_rate"] < moves["learning_rate"]
    assert not [name for name in result["quantised"]["history"][0] if "delay1" in name]


def test_a_table_comes_back_whole_and_damage_is_one_line(tmp_path):
    rows = [*rows_of(0.1 + 0.2), {"epoch": 2, "hold_loss": 1e-30, "width": 5.0}]
    write_metrics(tmp_path, rows)
    assert read_metrics(tmp_path) == rows
    assert read_metrics(tmp_path / "none") == []
    for damage in (b"epoch,a\n1,x\n", b"epoch,a\n1,2,3\n", b"\xff\xfe", b"epoch,a\n1\n"):
        (tmp_path / "metrics.csv").write_bytes(damage)
        with pytest.raises(ValueError, match=r"metrics.csv is damaged: delete it") as error:
            read_metrics(tmp_path)
        assert "\n" not in str(error.value)


def test_the_first_of_the_best_epochs_is_ringed_and_phases_do_not_touch():
    curves = curves_of({"floats": rows_of(3, 1, 1, 2), "integers": [], "noise": rows_of(5, 4)})
    assert curves.phases == (Phase("floats", 4, 2), Phase("noise", 2, 2))
    (axes,) = draw_curves(curves, 600).axes
    rings = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert [(*line.get_xdata(), *line.get_ydata()) for line in rings] == [(2, 1), (6, 4)]
    assert {marked(line.get_color()) for line in rings} == {"series-1"}
    fit = [line for line in axes.lines if line.get_color() == colour("series-0")]
    assert [tuple(line.get_xdata()) for line in fit] == [(1, 2, 3, 4), (5, 6)]
    assert [text.get_text() for text in axes.texts if text.get_ha() == "center"] == [
        "floats", "noise",
    ]  # fmt: skip


def test_before_the_first_epoch_there_is_nothing_to_draw(tmp_path):
    draw_run(tmp_path)
    assert not list(tmp_path.iterdir())
    assert curves_of({"floats": []}) is None
    with pytest.raises(ValueError, match="phases of training have 1 epochs, there are 2"):
        Curves((1, 2), {}, (Phase("floats", 1, 1),))
