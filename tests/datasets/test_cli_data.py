"""`neuro data`: data on stdout, talk on stderr."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from neuro import datasets
from neuro.cli import main
from neuro.cli.data import app


def run(*args):
    return CliRunner().invoke(app, list(args), catch_exceptions=False)


def test_list_names_every_data_set_and_says_which_are_here(no_data):
    listed = json.loads(run("list", "--json").stdout)
    assert [row["name"] for row in listed] == list(datasets.names())
    assert {row["name"] for row in listed if row["present"]} == {"digits", "nmnist-slice"}
    assert all(row["how_to_get"] for row in listed if not row["present"])


def test_the_table_has_a_row_for_every_data_set(no_data):
    lines = run("list").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:] if line.strip()] == list(datasets.names())


def test_info_measures_what_is_here():
    facts = json.loads(run("info", "nmnist-slice", "--json").stdout)
    assert facts["n_train"] == 50
    assert facts["licence"].startswith("CC BY-SA 4.0")
    assert facts["statistics"]["samples"] == 20
    assert 2500 < facts["statistics"]["events"] < 6000
    assert facts["statistics"]["on fraction"] == pytest.approx(0.5, abs=0.02)


def test_info_says_how_to_get_what_is_not_here(no_data):
    text = run("info", "mnist").stdout
    assert "neuro data fetch mnist" in text
    assert "statistics" not in text


def test_fetching_an_embedded_set_says_so(no_data):
    where = "in the program, nothing to fetch"
    as_json, in_words = run("fetch", "digits", "--json"), run("fetch", "digits")
    assert json.loads(as_json.stdout) == {"name": "digits", "place": where}
    assert in_words.stdout == f"digits: {where}\n"
    assert as_json.stderr == in_words.stderr == ""


def test_fetching_what_is_here_says_where(tmp_path):
    (tmp_path / "fsdd").mkdir()
    (tmp_path / "fsdd" / "any.zip").touch()
    place = json.loads(run("fetch", "fsdd", "--root", str(tmp_path), "--json").stdout)["place"]
    assert Path(place) == tmp_path


def test_info_says_the_same_to_readers_and_to_programs(no_data):
    facts = json.loads(run("info", "nmnist", "--json").stdout)
    lines = run("info", "nmnist").stdout.splitlines()
    words = {line[:14].strip().replace(" ", "_"): line[15:] for line in lines}
    assert list(words) == list(facts)
    for key in ("name", "title", "licence", "source", "citation", "how_to_get"):
        assert words[key] == facts[key]
    assert (words["sample_shape"], words["present"]) == ("2 x 34 x 34", "no")


@pytest.mark.parametrize("command", ["info", "fetch"])
def test_an_unknown_name_fails_with_the_nearest_one(command):
    result = CliRunner().invoke(app, [command, "digit"])
    assert result.exit_code == 1
    assert str(result.exception) == "no data set 'digit': did you mean 'digits'?"
    assert result.output == ""


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["info", "nmist"], "error: no data set 'nmist': did you mean 'nmnist'?"),
        (["fetch", "digit", "--json"], "error: no data set 'digit': did you mean 'digits'?"),
        (["fetch", "braille"], f"how to: {datasets.info('braille').how_to_get}"),
    ],
)
def test_what_goes_wrong_is_one_line_on_stderr(args, line, no_data, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["neuro", "data", *args])
    with pytest.raises(SystemExit) as stop:
        main()
    said = capsys.readouterr()
    assert stop.value.code == 1
    assert said.out == ""
    [told] = said.err.splitlines()
    assert told == line or line.removeprefix("how to: ") in told


def test_importing_the_command_imports_nothing_heavy():
    code = (
        "import sys, neuro.cli.data; "
        "print([name for name in ('numpy', 'torch', 'tonic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_data_sets_need_no_torch():
    """Simulated events are to be had on a machine without PyTorch."""
    code = (
        "import sys; from neuro.datasets import load; "
        "load('digits', 'test')[0]; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
