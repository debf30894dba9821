"""`neuro data`: data on stdout, talk on stderr."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from neuro import datasets
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


def test_fetching_an_embedded_set_says_so_and_talks_on_stderr(no_data):
    result = run("fetch", "digits", "--json")
    expected = {"name": "digits", "place": "in the program, nothing to fetch"}
    assert json.loads(result.stdout) == expected
    assert "fetching digits" in result.stderr


def test_an_unknown_name_is_one_line():
    with pytest.raises(ValueError, match="did you mean 'digits'"):
        run("info", "digit")


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
