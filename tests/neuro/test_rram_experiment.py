"""Results of networks on resistive chips are what their README says, and come out again."""

import csv
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwsim
from experiments.rram import cases, measure
from experiments.rram.energy import read_energy
from experiments.rram.run import RESULTS, read_rows
from experiments.rram.summary import energy_table, find, recovery, summary

README = RESULTS.with_name("README.md")
CHIPS = 2  # tried again
NOISE = 4  # recordings of 100 that noise of reading decides


@pytest.fixture(scope="module")
def rows():
    return read_rows()


def test_the_readme_shows_what_the_tables_hold(rows):
    text = README.read_text(encoding="utf-8")
    for part in (*summary(rows).split("\n\n"), *energy_table(read_energy()).split("\n\n")):
        assert part in text


def test_every_case_was_measured_with_the_networks_that_lie_here(rows):
    wanted = cases.all_cases()
    assert len(rows) == len({row["hash"] for row in rows}) == len(wanted)
    with RESULTS.open(encoding="utf-8") as file:
        assert tuple(csv.DictReader(file).fieldnames) == measure.COLUMNS
    for case, row in zip(wanted, rows, strict=True):
        assert (row["part"], row["network"], row["device"]) == (
            case.part, case.network, case.device,
        )  # fmt: skip
        assert int(row["n_chips"]) == case.n_chips
        if case.network != "untrained":
            assert row["network_sha"] == cases.sha(case.network)


def test_means_and_percentiles_are_those_of_the_chips(rows):
    for row in rows:
        right = np.array([int(n) for n in row["right"].split()]) / int(row["n_samples"])
        assert len(right) == int(row["n_chips"])
        found = [float(row[name]) for name in ("mean", "p5", "p95")]
        wanted = right.mean(), *np.percentile(right, [5, 95])
        np.testing.assert_allclose(found, wanted, rtol=1e-4)
        assert float(row["ci_low"]) <= right.mean() + 1e-4
        assert float(row["ci_high"]) >= right.mean() - 1e-4


def test_training_with_noise_recovers_at_least_half_of_what_is_lost(rows):
    lost, noise, _, both = recovery(rows)
    assert lost > 10
    assert noise >= lost / 2
    assert both >= lost / 2
    worst = float(find(rows, "spread", "noise", value="0.1")["ci_low"])
    best = float(find(rows, "spread", "float", value="0.1")["ci_high"])
    clean = float(find(rows, "spread", "float", value="0")["ci_high"])
    assert worst - best >= (clean - best) / 2  # at the ends of all intervals too


def test_controls_are_where_they_should_be(rows):
    for network in cases.NETWORKS:
        assert find(rows, "ideal", network)["spikes_different"] == "0"
    assert float(find(rows, "as-is", "untrained")["mean"]) < 0.25
    assert float(find(rows, "as-is", "float")["mean"]) > 0.85


def test_the_parts_of_an_inference_are_its_energy(rows):
    for row in rows:
        if row["energy_j"]:
            parts = [float(row[f"{name}_j"]) for name in measure.CORES]
            assert sum(parts) == pytest.approx(float(row["energy_j"]), rel=1e-3)


def test_more_bits_cost_more_and_the_network_is_the_float_one_without_errors(rows):
    bits = [find(rows, "adc", "noise", value=str(n)) for n in range(3, 8)]
    bits.append(find(rows, "as-is", "noise"))
    spent = [float(row["converters_j"]) for row in bits]
    assert spent == sorted(spent)
    _, frames, labels = cases.splits("nmnist-slice")
    for name in cases.NETWORKS:
        exact = replace(cases.Case("ideal", name, "ideal"), bits=None, wires=0.0)
        one = measure.tried(replace(exact, data="nmnist-slice"), 0)
        answers = hwsim.simulate(cases.network(name), frames).output.argmax(1)
        assert one.different == 0
        assert one.right == int((answers == labels).sum())


@pytest.mark.parametrize("network", cases.NETWORKS)
def test_the_first_chips_of_a_row_come_out_again(rows, network):
    """On recordings that ship, read without noise; one of 20 may fall as sums are rounded."""
    row = find(rows, "slice", network)
    case = next(c for c in cases.all_cases() if (c.part, c.network) == ("slice", network))
    again = [measure.tried(case, seed).right for seed in range(CHIPS)]
    kept = [int(n) for n in row["right"].split()][:CHIPS]
    assert np.abs(np.array(again) - kept).max() <= 1


def test_a_chip_of_the_whole_test_split_comes_out_again(rows):
    file = Path(os.environ.get("NEURO_DATA", "")) / "nmnist-small/nmnist_small.zip"
    if "NEURO_DATA" not in os.environ or not file.exists():
        pytest.skip("set NEURO_DATA to a folder with nmnist-small/nmnist_small.zip")
    row = find(rows, "as-is", "noise")
    case = next(c for c in cases.all_cases() if (c.part, c.network) == ("as-is", "noise"))
    right = measure.tried(case, 0).right
    assert abs(right - int(row["right"].split()[0])) <= NOISE
