"""Chips of crossbars on the command line: deployed, aged, compared; every error in one line."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from rich.console import Console

import hwsim
from neuro.cli import crossbar
from neuro.crossbar import deploy
from neuro.durations import duration_words, parse_duration, parse_durations
from neuro.runs import open_run, run_for
from neuro.training.train import train
from tests.neuro.test_cli import assert_one_line, parts_below
from tests.neuro.tiny import TINY, tiny

CHIP = "rram-40nm"
FAST = {"epochs = 2": "epochs = 1", "[qat]\nepochs = 1": "[qat]\nepochs = 0"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run folder that every test copies."""
    folder = run_for(tiny(TINY, **FAST), tmp_path_factory.mktemp("runs"))
    train(folder, Console(quiet=True))
    return folder.path


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained run, not deployed."""
    without = shutil.ignore_patterns("deploy-*")
    return shutil.copytree(trained, tmp_path / trained.name, ignore=without)


@pytest.fixture(scope="module")
def once(trained):
    """The trained run deployed on two chips."""
    return deploy(open_run(trained), hwsim.load_chip(CHIP), n_chips=2)


@pytest.fixture
def deployed(trained, once, tmp_path):
    """A copy of the deployed run, and what was written."""
    return shutil.copytree(trained, tmp_path / trained.name), once


def test_a_recurrent_layer_may_hear_all_on_one_array(tmp_path, neuro):
    dense = {
        'kind = "conv"\nsize = 4\nstride = 3\nnorm = true\ndropout = 0.2': (
            'kind = "dense"\nsize = 12\nrecurrent = true\nreservoir = { scale = 0.05 }'
        )
    }
    folder = run_for(tiny(TINY, **FAST, **dense), tmp_path)
    train(folder, Console(quiet=True))

    def seen(*options):
        code, out, err = neuro("deploy", folder.path, "--chip", CHIP, "--chips", "1", "--json",
                               *options)  # fmt: skip
        assert code == 0, err
        found = json.loads(out)
        amounts = {t["constant"]: t["amount"] for t in found["bill"]["energy_terms"]}
        return found, amounts["energy.adc"]

    (apart, more), (joined, fewer) = seen(), seen("--join", "conv1")
    assert (apart["join"], joined["join"]) == ([], ["conv1"])
    assert [row["arrays"] for row in apart["layers"]] == [3, 1]
    assert [row["arrays"] for row in joined["layers"]] == [2, 1]
    assert fewer < more
    assert_one_line(neuro("deploy", folder.path, "--chip", CHIP, "--join", "readout"), "readout")


def test_a_deployment_on_chips_says_what_each_did(deployed):
    run, said = deployed
    stored = (run / f"deploy-{CHIP}" / "deploy.json").read_text(encoding="utf-8")
    assert json.loads(stored) == json.loads(json.dumps(said))
    assert (said["family"], said["chip"], said["device"]) == ("crossbar", CHIP, "taox-40nm")
    assert said["seeds"] == [0, 1]
    assert len(said["n_correct"]) == 2
    assert said["accuracy"]["mean"] == pytest.approx(np.mean(said["n_correct"]) / said["n_total"])
    assert said["accuracy"]["p5"] <= said["accuracy"]["mean"] <= said["accuracy"]["p95"]
    net = hwsim.load_network(run / "network.h5")
    assert [row["layer"] for row in said["layers"]] == ["conv1", "readout"]
    assert said["network_digest"] == net.digest
    assert sum(row["blocks"] for row in said["layers"]) == said["arrays"] == len(said["blocks"])
    assert sum(b["rows"] * b["columns"] for b in said["blocks"]) == said["cells"]
    differ = {row["layer"]: row["spikes_different"] for row in said["layers"]}
    assert len(differ["conv1"]) == 2
    assert all(differ["conv1"])  # cells of 3 % error cost some spikes
    assert differ["readout"] == [0, 0]  # it sends none
    assert all(0 <= b["clipped"] < b["conversions"] for b in said["blocks"])
    assert said["bill"]["n_samples"] == 2 * said["n_total"] == 40
    assert said["bill"]["energy_band_j"]["p10"] < said["bill"]["energy_band_j"]["p90"]
    assert said["area_m2"] > 0
    assert said["programming"]["energy_j"] > 0
    assert said["programming"]["times"] is None  # endurance was not published
    assert not parts_below(run)


def test_a_reader_gets_lines_and_the_same_bytes_twice(deployed, neuro):
    """Every number of the lines is one of the file; nothing in the files is new the second time."""
    run, said = deployed
    folder = run / f"deploy-{CHIP}"
    assert said["figures"] == ["conductances.svg", "energy.svg", "wires.svg"]
    before = {name: (folder / name).read_bytes() for name in [*said["figures"], "deploy.json"]}
    assert all(b"<svg" in before[name] for name in said["figures"])
    code, out, err = neuro("deploy", run, "--chip", CHIP, "--chips", 2)
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert code == 0, err
    lines = out.splitlines()
    words = ["accuracy", "network", "exactness", "energy", "latency", "arrays", "area", "clipped"]
    assert [line.split()[0] for line in lines] == [*words, "write", "not"]
    mean, p5, p95 = (100 * said["accuracy"][k] for k in ("mean", "p5", "p95"))
    low, high = (100 * min(max(x, 0), 1) for x in said["accuracy"]["interval95"])
    assert lines[0] == (
        f"accuracy   {mean:.1f} % [{p5:.1f}, {p95:.1f}] over 2 chips on rram-40nm, mean "
        f"[p5, p95]; 95 % interval of the mean [{low:.1f}, {high:.1f}]"
    )
    right = said["exact"]["n_correct"]
    assert lines[1] == (
        f"network    {right / 20:.1%} ({right} of 20) without errors, trained without noise, "
        "cells read at once"
    )
    band = said["bill"]["energy_band_j"]
    assert f"{1e9 * band['median']:.3g} nJ [{1e9 * band['p10']:.3g}, " in lines[3]
    assert lines[5].startswith(f"arrays     {said['arrays']} of 64 in use, ")
    assert "energy.input_spike" in lines[-1]
    assert "taox-40nm: faults" in lines[-1]


def test_one_chip_has_no_interval(run, neuro):
    code, out, err = neuro("deploy", run, "--chip", CHIP, "--chips", 1)
    assert code == 0, err
    assert out.splitlines()[0].endswith("over 1 chip on rram-40nm, mean [p5, p95]")


def test_seeds_are_chips(run, neuro):
    """Two chips from seed 3 are chip 3 and chip 4."""

    def right(seed, chips):
        words = ("deploy", run, "--chip", CHIP, "--seed", seed, "--chips", chips, "--json")
        return json.loads(neuro(*words)[1])["layers"][0]["spikes_different"]

    assert right(3, 2) == right(3, 1) + right(4, 1)


def test_age_calibration_and_host_change_what_the_chips_do(run, neuro):
    def seen(*words):
        code, out, err = neuro("deploy", run, "--chip", CHIP, "--chips", 1, *words, "--json")
        assert code == 0, err
        return json.loads(out)

    fresh, old = seen(), seen("--time", "1y")
    assert (fresh["time_s"], old["time_s"]) == (0.0, parse_duration("1y"))
    different = [c["layers"][0]["spikes_different"] for c in (fresh, old, seen("--calibrate"))]
    assert len({tuple(d) for d in different}) == 3
    hosted = seen("--host", "readout")
    assert hosted["host"] == ["readout"]
    assert [row["on"] for row in hosted["layers"]] == ["crossbars", "host"]
    assert hosted["arrays"] == fresh["arrays"] - fresh["layers"][1]["arrays"]
    left = {t["constant"]: t["amount"] for t in hosted["bill"]["energy_terms"]}
    assert left["energy.host_mac"] > 0
    assert "readout on the host" in "".join(crossbar.lines(hosted))


def test_what_was_not_published_of_writing_is_said_once():
    band = {"median": 2e-6, "p10": 1e-6, "p90": 3e-6}
    for energy, seconds, said in (
        (None, None, "not known"),
        (band, None, "2 µJ [1, 3]; its time is not known"),
        (band, 0.1, "2 µJ [1, 3], 100 ms one cell after the other"),
    ):
        assert crossbar.written({"energy_band": energy, "seconds": seconds}) == said


def test_a_comparison_says_which_network_ran_where(run, neuro):
    words = ("compare", run, "--chips", f"loihi2,{CHIP}", "--n-chips", 1, "--samples", 4)
    code, out, err = neuro(*words, "--json")
    assert code == 0, err
    said = json.loads(out)
    assert [row["name"] for row in said["chips"]] == ["loihi2", CHIP, "ann-int8-45nm"]
    assert (said["n_samples"], said["n_test"], said["seed"]) == (4, 20, 0)
    assert said["networks"] == {
        "neurocore": "integers of loihi1",
        "crossbar": "real numbers, trained without noise",
    }
    shutil.copy(run / "network.h5", run / "noise.h5")
    code, out, err = neuro(*words)
    assert code == 0, err
    assert "crossbars: real numbers, trained with noise" in out.splitlines()[-2]
    assert out.splitlines()[-1] == "samples    4 of 20 to test"
    assert neuro(*words, "--seed", -1)[0] == 2


def test_a_network_trained_with_noise_is_taken_if_there_is_one(run, neuro):
    words = ("deploy", run, "--chip", CHIP, "--chips", 1)
    assert_one_line(neuro(*words, "--network", "noise"), "no network trained with noise")
    shutil.copy(run / "network.h5", run / "noise.h5")
    assert json.loads(neuro(*words, "--json")[1])["network"] == "noise"
    assert json.loads(neuro(*words, "--network", "float", "--json")[1])["network"] == "float"
    assert "trained with noise" in neuro(*words)[1].splitlines()[1]


def test_a_report_is_one_page_that_needs_nothing_else(deployed, neuro):
    run, _ = deployed
    assert neuro("age", run, "--chips", 1, "--times", "0s")[0] == 0
    code, out, err = neuro("report", run, "--chip", CHIP, "--json")
    assert code == 0, err
    files = json.loads(out)
    page = Path(files["html"]).read_text(encoding="utf-8")
    assert Path(files["json"]).name == "deploy.json"
    assert page.count('<img src="data:image/svg+xml;base64,') == 4  # with that of ageing
    assert not re.search(r'(?:src|href)="(?!data:|#)', page)
    for words in (run.name, "conv1", "energy.adc", "power.host", "taox-40nm: faults"):
        assert words in page
    ElementTree.fromstring(re.sub(r"<(meta[^>]*|img[^>]*|!DOCTYPE html)>", "", page))
    before = page
    assert neuro("report", run, "--chip", CHIP)[0] == 0
    assert Path(files["html"]).read_text(encoding="utf-8") == before


def test_a_report_shows_ages_of_the_same_network_on_the_same_chips_only(deployed, neuro):
    run, _ = deployed
    folder = run / f"deploy-{CHIP}"

    def shown(*words):
        assert neuro("age", run, "--chips", 1, "--times", "0s", *words)[0] == 0
        assert neuro("report", run, "--chip", CHIP)[0] == 0
        return 'id="age"' in (folder / "report.html").read_text(encoding="utf-8")

    assert shown("--seed", 7)
    assert not shown("--calibrate")
    assert not shown("--host", "readout")
    assert shown()
    aged = json.loads((folder / "age.json").read_text(encoding="utf-8"))
    (folder / "age.json").write_text(json.dumps(aged | {"times": None}), encoding="utf-8")
    assert_one_line(neuro("report", run, "--chip", CHIP), "age.json is damaged", "`neuro age`")


def test_a_report_of_what_is_there_no_more_is_refused(deployed, neuro):
    run, _ = deployed
    folder = run / f"deploy-{CHIP}"
    report = ("report", run, "--chip", CHIP)
    net = hwsim.load_network(run / "network.h5")
    hwsim.save_network(replace(net, dt_s=2 * net.dt_s), run / "network.h5")
    assert_one_line(neuro(*report), "deployed with another network than it has: deploy again")
    hwsim.save_network(net, run / "network.h5")
    text = (folder / "wires.svg").read_text(encoding="utf-8")
    (folder / "wires.svg").write_text(text + " ", encoding="utf-8")
    assert_one_line(neuro(*report), "wires.svg is damaged or of another deployment")
    (folder / "wires.svg").write_text(text, encoding="utf-8")
    good = json.loads((folder / "deploy.json").read_text(encoding="utf-8"))
    other = good | {"device_digest": "0" * 16}
    (folder / "deploy.json").write_text(json.dumps(other), encoding="utf-8")
    assert_one_line(neuro(*report), "deployed with other cells than taox-40nm holds now")
    for key, value in (("versions", []), ("n_correct", [1]), ("n_total", 0), ("files", 3)):
        bad = json.dumps(good | {key: value})
        (folder / "deploy.json").write_text(bad, encoding="utf-8")
        assert_one_line(neuro(*report), "deploy.json is damaged or of another version")
    assert not (folder / "report.html").exists()


def test_a_report_of_another_chip_says_where_the_run_was_deployed(deployed, neuro):
    run, _ = deployed
    assert_one_line(neuro("report", run), "was not deployed on 'loihi1' but on rram-40nm")


def test_reports_that_cannot_be_written(deployed, neuro, tmp_path):
    run, _ = deployed
    folder = run / f"deploy-{CHIP}"
    own = tmp_path / f"{CHIP}.toml"
    assert neuro("chips", "copy", CHIP, own)[0] == 0
    own.write_text(own.read_text("utf-8").replace("count = 64", "count = 32"), encoding="utf-8")
    assert_one_line(neuro("report", run, "--chip", own), "was deployed on another 'rram-40nm'")
    (folder / "wires.svg").unlink()
    assert_one_line(neuro("report", run, "--chip", CHIP), "wires.svg is missing: deploy again")
    content = json.loads((folder / "deploy.json").read_text(encoding="utf-8"))
    del content["layers"]
    (folder / "deploy.json").write_text(json.dumps(content), encoding="utf-8")
    assert_one_line(neuro("report", run, "--chip", CHIP), "deploy.json is damaged")
    assert not (folder / "report.html").exists()
    shutil.rmtree(folder)
    answer = neuro("report", run, "--chip", CHIP)
    assert_one_line(answer, "was not deployed on 'rram-40nm'", "neuro deploy")


def test_the_same_chips_are_read_at_every_age(deployed, neuro):
    run, fresh = deployed
    words = ("age", run, "--chip", CHIP, "--chips", 2, "--times", "1y,0s,1h")
    code, out, err = neuro(*words, "--json")
    assert code == 0, err
    said, folder = json.loads(out), run / f"deploy-{CHIP}"
    assert json.loads((folder / "age.json").read_text(encoding="utf-8")) == said
    assert [(t["time"], t["time_s"]) for t in said["times"]] == [
        ("0s", 0.0), ("1h", 3600.0), ("1y", parse_duration("1y")),
    ]  # fmt: skip
    assert said["times"][0]["n_correct"] == fresh["n_correct"]
    assert said["times"][0]["mean"] == fresh["accuracy"]["mean"]
    drawn = (folder / "age.svg").read_bytes()
    code, out, err = neuro(*words)
    assert code == 0, err
    assert (folder / "age.svg").read_bytes() == drawn
    lines = out.splitlines()
    assert [line.split()[0] for line in lines] == [
        "accuracy", "network", "figure", "time", "0s", "1h", "1y",
    ]  # fmt: skip
    last = said["times"][-1]
    assert lines[-1].split() == ["1y", *(f"{last[k]:.1%}" for k in ("mean", "p5", "p95"))]
    assert not parts_below(run)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--times", "1s,soon"), "'soon' is no duration"),
        (("--times", "1h,60min"), "has a time twice"),
        (("--times", ""), "no times were given"),
        (("--times", "1s,0.1s"), "taox-40nm is not known 0.1 s after programming"),
        (("--chips", 0), "0 chips were asked for"),
        (("--chip", "loihi1"), "loihi1 is a chip of neurocores, this needs one of crossbars"),
    ],
)
def test_ages_that_cannot_be_asked_for_leave_nothing(run, neuro, words, said):
    assert_one_line(neuro("age", run, *words), said)
    assert not list(run.glob("deploy-*"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--chips", 0), "0 chips were asked for, must be 1 or more"),
        (("--chips", -3), "-3 chips were asked for"),
        (("--host", "conv9"), "'conv9' is no layer"),
        (("--host", "conv1", "--host", "readout"), "all layers are left to the host"),
        (("--time", "soon"), "'soon' is no duration: give a number and one of s, min, h, d, w, y"),
        (("--time", "0.5s"), "taox-40nm is not known 0.5 s after programming, only at 0 and 1 to"),
        (("--network", "qat"), "unknown network 'qat': there are noise, float"),
        (("--mapper", "greedy"), "`--mapper` means nothing on rram-40nm, a chip of crossbars"),
    ],
)
def test_what_cannot_be_deployed_leaves_nothing(run, neuro, words, said):
    assert_one_line(neuro("deploy", run, "--chip", CHIP, *words), said)
    assert not list(run.glob("deploy-*"))


def test_a_negative_seed_is_no_word_of_the_command(run, neuro):
    code, out, _ = neuro("deploy", run, "--chip", CHIP, "--seed", -1)
    assert (code, out) == (2, "")
    assert not list(run.glob("deploy-*"))


@pytest.mark.parametrize(
    "words",
    [
        ("--chips", 3),
        ("--chips", 0),
        ("--time", "1h"),
        ("--calibrate",),
        ("--host", "x"),
        ("--join", "x"),
        ("--network", "float"),
    ],
)
def test_options_of_crossbars_are_refused_on_neurocores(run, neuro, words):
    said = f"`{words[0]}` means nothing on loihi1, a chip of neurocores: leave it out"
    assert_one_line(neuro("deploy", run, *words), said)
    assert not list(run.glob("deploy-*"))


def test_a_missing_run(neuro):
    assert_one_line(neuro("deploy", "nothing", "--chip", CHIP), "no run nothing", "neuro train")


def test_a_damaged_network(run, neuro):
    path = run / "network.h5"
    path.write_bytes(path.read_bytes()[:-1000])
    assert_one_line(neuro("deploy", run, "--chip", CHIP), "network.h5")
    assert not list(run.glob("deploy-*"))


def test_a_chip_too_small_leaves_nothing(run, neuro, tmp_path):
    own = tmp_path / "small.toml"
    assert neuro("chips", "copy", CHIP, own)[0] == 0
    text = own.read_text(encoding="utf-8")
    assert text.count("count = 64") == 1
    own.write_text(text.replace("count = 64", "count = 1"), encoding="utf-8")
    assert_one_line(neuro("deploy", run, "--chip", own), "array.count", "2 of 1")
    assert not list(run.glob("deploy-*"))


def test_durations_are_numbers_with_units():
    assert [parse_duration(t) for t in ("0s", "90 s", "5min", "1h", "1e-3 S")] == [
        0, 90, 300, 3600, 1e-3,
    ]  # fmt: skip
    assert parse_duration("1w") == 7 * parse_duration("1d") == 7 * 24 * 3600
    assert parse_duration("1y") == 365.25 * parse_duration("1d")
    assert parse_durations("1d, 1s,1h") == {"1s": 1, "1h": 3600, "1d": 86400}


@pytest.mark.parametrize("words", ["1 y", "3 d", "1 w", "90 min", "0 s", "0.25 s"])
def test_durations_are_said_as_they_were_given(words):
    assert duration_words(parse_duration(words)) == words


@pytest.mark.parametrize(
    "text", ["", "1", "h", "-1s", "1 hour", "nan s", "inf s", "1e999 s", "1.2.3s"]
)
def test_other_words_are_no_durations(text):
    with pytest.raises(ValueError, match="is no duration"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "said"), [(" , ", "no times"), ("60s,1min", "a time twice")])
def test_lists_of_durations_have_each_once(text, said):
    with pytest.raises(ValueError, match=said):
        parse_durations(text)


def test_chips_are_compared_in_one_run_with_a_table_and_a_figure(trained, neuro, tmp_path):
    words = ("compare", trained, "--chips", "loihi1, rram-40nm", "--n-chips", 2, "--samples", 4)
    code, out, err = neuro(*words, "--json")
    assert code == 0, err
    loihi, rram, ann = json.loads(out)["chips"]
    assert (rram["n_chips"], len(rram["accuracy_p5_p95"])) == (2, 2)
    assert ann["accuracy"] is None
    for row in (loihi, rram, ann):
        parts = sum(v or 0.0 for v in row["components_j"].values())
        assert row["energy_j"] == pytest.approx(parts, rel=1e-9)
        assert row["energy_band_j"]["p10"] < row["energy_j"] < row["energy_band_j"]["p90"]
        assert row["latency_s"] > 0
        assert row["area_m2"] > 0
        assert row["unknown"]
    figure = tmp_path / "compared.svg"
    code, out, err = neuro(*words[:-2], "--samples", 2, "--accelerator", "none", "--figure", figure)
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines()[:3]] == ["chip", "loihi1", "rram-40nm"]
    assert figure.stat().st_size > 1000
    assert_one_line(neuro(*words, "--figure", "x.bmp"), "x.bmp: a figure is written as")
    assert_one_line(neuro("compare", trained, "--chips", "loihi9"), "unknown chip 'loihi9'")


def test_a_command_for_neurocores_refuses_a_chip_of_crossbars(trained, neuro):
    said = ("rram-40nm is a chip of crossbars, this needs one of neurocores",)
    assert_one_line(neuro("fits", trained, "--chip", "rram-40nm"), *said)
    assert_one_line(neuro("map", trained, "--chip", "rram-40nm"), *said)
    assert_one_line(neuro("export", trained, "--to", "sanafe", "--chip", "rram-40nm"), *said)
