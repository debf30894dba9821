"""The command line: the whole road end to end, and every error in one line."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pytest

import hwsim
from hwsim.neurobench import neurobench
from neuro.deploy import file_digest
from neuro.mapping import PROFILE_SAMPLES
from neuro.recipe import load_recipe
from neuro.training.samples import load_split
from tests import sanafe_twin
from tests.neuro.tiny import TINY

CHIP = "loihi1"


def recipe_file(folder, *changes):
    """The tiny recipe as a file, lines replaced."""
    text = TINY
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = folder / "tiny.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder to work in, with a cache of its own."""
    place = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURO_CACHE", str(place / "cache"))
        patch.setenv("COLUMNS", "200")
        patch.delenv("NEURO_DEBUG", raising=False)
        patch.delenv("NEURO_DATA", raising=False)
        patch.chdir(place)
        yield place


@pytest.fixture
def neuro(home, call):
    """Run `neuro ...` in this process: (exit code, stdout, stderr)."""
    return call


@pytest.fixture(scope="module")
def trained(home):
    """A run folder that every test may copy."""
    command = [sys.executable, "-m", "neuro", "train", recipe_file(home), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout)
    assert "Traceback" not in done.stderr
    return home / said["run"], said


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the trained run, to spoil."""
    without = shutil.ignore_patterns("deploy-*")
    return shutil.copytree(trained[0], tmp_path / trained[0].name, ignore=without)


def assert_one_line(answer, *words):
    """Exit code 1, nothing on stdout, one line on stderr that says what is wrong."""
    code, out, err = answer
    lines = [line for line in err.splitlines() if line.startswith("error:")]
    assert code == 1, err
    assert out == ""
    assert len(lines) == 1, err
    assert err.rstrip().splitlines()[-1] == lines[0]
    assert "Traceback" not in err
    for word in words:
        assert word in lines[0]


def parts_below(folder):
    return [path for path in folder.rglob("*") if path.suffix in (".part", ".tmp")]


def test_the_whole_road(trained, neuro):
    run, result = trained
    assert (run / "chip.h5").is_file()
    assert result["quantised"]["test"]["n_total"] == 20
    code, out, err = neuro("deploy", run, "--chip", CHIP, "--json")
    assert code == 0, err
    deployed = json.loads(out)
    assert deployed["n_correct"] == result["quantised"]["test"]["n_correct"]
    assert deployed["parity"]["n_different"] == deployed["parity"]["n_answers_different"] == 0
    assert deployed["parity"]["n_spikes"] > 0
    assert deployed["bill"]["energy_band_j"]["median"] > 0
    assert np.sum(deployed["confusion"]) == 20
    code, out, err = neuro("report", run, "--chip", CHIP, "--json")
    assert code == 0, err
    files = json.loads(out)
    page = (run.parent.parent / files["html"]).read_text(encoding="utf-8")
    assert run.name in page
    json.loads((run.parent.parent / files["json"]).read_text(encoding="utf-8"))
    assert not parts_below(run)


def test_a_reader_gets_lines(trained, neuro):
    code, out, err = neuro("train", recipe_file(trained[0].parent.parent))
    assert code == 0
    assert "has ended already" in err
    assert out.splitlines()[0].startswith("float      test")
    assert out.splitlines()[-1].startswith("next: neuro deploy")
    code, out, _ = neuro("deploy", trained[0])
    assert [line.split()[0] for line in out.splitlines()] == [
        "accuracy", "exactness", "energy", "latency", "delays", "not",
    ]  # fmt: skip


def test_a_run_is_found_by_the_start_of_its_name(trained, neuro):
    code, _, err = neuro("deploy", trained[0].name[:8], "--json")
    assert code == 0, err


def test_chips_and_versions_are_told(neuro):
    code, out, _ = neuro("chips", "--json")
    assert code == 0
    assert CHIP in [chip["name"] for chip in json.loads(out)["chips"]]
    code, out, _ = neuro("chips")
    assert code == 0
    assert "neuro chips copy template" in out
    code, out, _ = neuro("--version")
    assert code == 0
    assert out.strip()


@pytest.mark.parametrize("name", hwsim.chip_names())
def test_a_chip_is_shown_with_every_constant(neuro, name):
    code, out, _ = neuro("chips", "show", name)
    assert code == 0
    chip = hwsim.load_chip(name)
    words = " ".join(out.split())
    for constant, c in chip.constants().items():
        (line,) = [x for x in out.splitlines() if x.split()[:1] == [constant]]
        assert c.kind in line.split()
        assert ("not known" in line) == (c.value is None)
        for said in (c.source, c.note):
            assert not set(said.split()) - set(words.split())
    is_crossbar = isinstance(chip, hwsim.CrossbarChip)
    for limit in type(chip.array if is_crossbar else chip.limits).model_fields:
        assert limit in out
    for note in chip.notes:
        assert note in words
    in_sop = () if is_crossbar else chip.energy.in_sop
    assert all(f"{x} in energy.sop" in words for x in ("power.core",) if x in in_sop)
    code, out, _ = neuro("chips", "show", name, "--json")
    assert json.loads(out) == chip.model_dump(mode="json", by_alias=True)


def test_a_chip_that_cannot_be_shown_or_copied(neuro, tmp_path):
    assert_one_line(neuro("chips", "show", "loihi3"), "unknown chip 'loihi3'", "did you mean")
    assert_one_line(neuro("chips", "show", "template"), "neuro chips copy template my.toml")
    assert_one_line(neuro("chips", "show", tmp_path / "no.toml"), "no chip file")
    (tmp_path / "raw.toml").write_bytes(b"\xff\xfe")
    assert_one_line(neuro("chips", "show", tmp_path / "raw.toml"), "raw.toml is not valid TOML")
    (tmp_path / "bare.toml").write_text("")
    assert_one_line(neuro("chips", "show", tmp_path / "bare.toml"), "bare.toml is not valid: name")
    assert_one_line(neuro("chips", "copy", "templet", tmp_path / "x.toml"), "unknown chip")
    kept = tmp_path / "kept.toml"
    kept.write_text("mine", encoding="utf-8")
    assert_one_line(neuro("chips", "copy", "template", kept), "kept.toml exists and is kept")
    assert kept.read_text(encoding="utf-8") == "mine"
    assert not parts_below(tmp_path)


def test_a_chip_of_ones_own_in_the_report_without_code(trained, neuro, run, tmp_path):
    """Copy the template, halve the cores, change three energies: the bill follows."""
    mine = tmp_path / "half.toml"
    code, out, err = neuro("chips", "copy", "template", mine)
    assert code == 0, err
    assert str(mine) in out
    text = mine.read_text(encoding="utf-8")
    changes = (
        ("cores = 128", "cores = 64"),
        ("rows = 4 ", "rows = 2 "),
        ("value = 2.36e-11\nunit", "value = 4.72e-11\nunit"),  # twice a synaptic operation
        ("value = 8.1e-11", "value = 2.43e-10"),  # three times an active update
        ("value = 5.2e-11", "value = 5.2e-12"),  # a tenth of an idle one
        ("A chip of my own", "Half a chip"),
    )
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    mine.write_text(text, encoding="utf-8")
    code, out, err = neuro("chips", "show", mine)
    assert code == 0, err
    assert "47.2 pJ" in out
    bills = {}
    for chip in (CHIP, mine):
        code, out, err = neuro("deploy", run, "--chip", chip, "--json")
        assert code == 0, err
        lines = json.loads(out)["bill"]["energy_terms"]
        bills[chip] = {line["constant"]: line for line in lines}
    times = {"energy.sop": 2.0, "energy.update_active": 3.0, "energy.update_inactive": 0.1}
    for constant in (*times, "energy.packet"):
        ours, theirs = bills[CHIP][constant], bills[mine][constant]
        assert theirs["amount"] == ours["amount"] > 0
        assert theirs["value"] == pytest.approx(times.get(constant, 1.0) * ours["value"], rel=1e-9)
    code, out, err = neuro("report", run, "--chip", mine, "--json")
    assert code == 0, err
    place = trained[0].parent.parent
    content = json.loads((place / json.loads(out)["json"]).read_text(encoding="utf-8"))
    assert content["chip"]["name"] == "half"
    assert content["chip"]["n_cores"] == 64
    page = (place / json.loads(out)["html"]).read_text(encoding="utf-8")
    assert "Half a chip" in page
    assert "47.2" in page


def test_a_missing_run(neuro):
    assert_one_line(neuro("deploy", "nothing-here"), "no run nothing-here", "neuro train")
    assert_one_line(neuro("report", "nothing-here"), "no run nothing-here")
    assert_one_line(neuro("deploy", ""), "the name of the run is empty")


def test_a_network_file_where_a_run_is_taken(neuro, run):
    for command in ("deploy", "report"):
        answer = neuro(command, run / "chip.h5")
        assert_one_line(answer, "is a network file", f"`neuro map {run / 'chip.h5'}`")


def test_a_folder_that_is_no_run(neuro, tmp_path):
    assert_one_line(neuro("deploy", tmp_path), "no run folder")


def test_an_unknown_chip_with_the_nearest_name(neuro, run):
    for command in ("deploy", "report"):
        answer = neuro(command, run, "--chip", "loihi")
        assert_one_line(answer, "unknown chip 'loihi'", "did you mean 'loihi1'")


def test_an_unknown_recipe_with_the_nearest_name(neuro):
    assert_one_line(neuro("train", "digit"), "unknown recipe 'digit'", "did you mean 'digits'")
    assert_one_line(neuro("train", "no.toml"), "no recipe file no.toml")


def test_a_recipe_for_an_unknown_chip_or_data_set_leaves_no_run(neuro, tmp_path):
    runs = tmp_path / "runs"
    file = recipe_file(tmp_path, ("[qat]\n", '[qat]\nchip = "loihi9"\n'))
    assert_one_line(neuro("train", file, "--runs", runs), "unknown chip 'loihi9'")
    file = recipe_file(tmp_path, ("nmnist-slice", "nmnist-slize"))
    assert_one_line(neuro("train", file, "--runs", runs), "nmnist-slize")
    assert not runs.exists()


def test_a_report_before_its_deployment(neuro, run):
    assert_one_line(neuro("report", run), "was not deployed on 'loihi1'", "neuro deploy")
    own = run / "own.toml"
    assert neuro("chips", "copy", "loihi1", own)[0] == 0
    answer = neuro("report", run, "--chip", own)
    assert_one_line(answer, "was not deployed on 'own'", f"--chip {own}`")


def test_a_truncated_network(neuro, run):
    path = run / "chip.h5"
    path.write_bytes(path.read_bytes()[:-1000])
    assert_one_line(neuro("deploy", run), "chip.h5")
    assert not list(run.glob("deploy-*/*"))


def test_a_network_with_nan_weights(neuro, run):
    with h5py.File(run / "network.h5", "r+") as file:
        weight = file["projections/0000/synapses/weight"]
        values = weight[()]
        values.flat[0] = np.nan
        weight[()] = values
    with pytest.raises(ValueError, match=r"network\.h5"):
        hwsim.load_network(run / "network.h5")
    shutil.copy(run / "network.h5", run / "chip.h5")
    assert_one_line(neuro("deploy", run), "chip.h5")
    assert not list(run.glob("deploy-*/*"))


def test_a_damaged_json(neuro, run):
    (run / "result.json").write_text('{"name": ')
    assert_one_line(neuro("deploy", run), "result.json is damaged")
    (run / "result.json").write_bytes(b"\xff\xfe")
    assert_one_line(neuro("deploy", run), "result.json is damaged")


def test_a_recipe_json_of_another_kind(neuro, run):
    (run / "recipe.json").write_text('{"name": "tiny"}')
    assert_one_line(neuro("deploy", run), "recipe.json")


def test_a_result_without_its_numbers(neuro, run):
    (run / "result.json").write_text("{}")
    assert_one_line(neuro("deploy", run), "result.json")


def test_damaged_counts(neuro, run):
    assert neuro("deploy", run)[0] == 0
    counts = run / f"deploy-{CHIP}" / "counts.npz"
    whole = counts.read_bytes()
    other = json.loads((run / f"deploy-{CHIP}" / "deploy.json").read_text())
    for raw in (whole[: len(whole) // 2], b"", b"x" * 50):
        counts.write_bytes(raw)
        assert_one_line(neuro("report", run), "counts.npz", "deploy again")
    (run / f"deploy-{CHIP}" / "deploy.json").write_text(
        json.dumps(other | {"files": other["files"] | {"counts.npz": file_digest(counts)}})
    )
    assert_one_line(neuro("report", run), "counts.npz is damaged", "deploy again")
    assert not list(run.glob("deploy-*/report.*"))


def test_a_map_is_made_from_held_back_samples_and_report_and_map_show_it(
    neuro, run, monkeypatch, tmp_path
):
    profiled = []
    measure = hwsim.profile
    monkeypatch.setattr(
        hwsim, "profile", lambda net, samples: profiled.append(samples) or measure(net, samples)
    )
    assert neuro("deploy", run, "--mapper", "random", "--seed", 4)[0] == 0
    data = load_recipe(recipe_file(tmp_path)).data
    hold = load_split(data, data.hold).frames[:PROFILE_SAMPLES]
    assert [s.tolist() for s in profiled] == [hold.tolist()]

    deployed = json.loads((run / f"deploy-{CHIP}" / "deploy.json").read_text())
    assert (deployed["map"]["mapper"], deployed["map"]["seed"]) == ("random", 4)
    cores = {row["core"]: row["population"] for row in deployed["map"]["parts"] if row["neurons"]}
    files = json.loads(neuro("report", run, "--json")[1])
    shown = json.loads(Path(files["json"]).read_text(encoding="utf-8"))["cores"]
    assert {row["core"]: next(iter(row["layers"])) for row in shown} == cores
    mapped = json.loads(neuro("map", run, "--json")[1])["map"]
    assert mapped["mapper"] == "random, seed 4, as deployed"
    assert mapped["slowest_core"] in cores
    fresh = json.loads(neuro("map", run, "--mapper", "optimised", "--json")[1])["map"]
    assert fresh["mapper"] == "optimised, seed 0"
    assert neuro("fits", run)[0] == 0


def test_a_deployment_has_neurobenchs_numbers_and_the_report_shows_them(
    neuro, run, monkeypatch, tmp_path
):
    """However many samples are recorded at a time, they are those of one run off the chip."""
    monkeypatch.setattr("neuro.deploy.TRACE_BYTES", 20_000)
    found = json.loads(neuro("deploy", run, "--json")[1])["neurobench"]
    data = load_recipe(recipe_file(tmp_path)).data
    net = hwsim.load_network(run / "chip.h5")
    frames = load_split(data, data.test).frames
    sizes = sum(p.size for p in net.populations if p.neuron) * frames.shape[1] * 8
    assert sizes < 20_000 < sizes * len(frames) / 2
    ours = neurobench(net, hwsim.simulate(net, frames, record=("spikes", "v")))
    assert found == pytest.approx(asdict(ours), rel=1e-12)
    files = json.loads(neuro("report", run, "--json")[1])
    assert json.loads(Path(files["json"]).read_text(encoding="utf-8"))["neurobench"] == found
    assert "The network by NeuroBench 2.3.0" in Path(files["html"]).read_text(encoding="utf-8")


def test_arrays_of_another_deployment_are_refused(neuro, run):
    assert neuro("deploy", run)[0] == 0
    folder = run / f"deploy-{CHIP}"
    for name in ("counts.npz", "spikes.npz", "raster.npz"):
        whole = (folder / name).read_bytes()
        np.savez(folder / name, a=np.zeros(3))
        assert_one_line(neuro("report", run), f"{name} is damaged or of another deployment")
        (folder / name).write_bytes(whole)
    assert neuro("report", run)[0] == 0


def test_a_run_is_inspected_with_parameters_and_verdicts(neuro, run):
    layers = json.loads(neuro("inspect", run, "--json")[1])["layers"]
    assert layers[0]["verdict"] is None
    assert {layer["verdict"]["verdict"] for layer in layers[1:]} == {"exact"}
    du = hwsim.load_network(run / "chip.h5")[layers[1]["name"]].neuron.du
    found = layers[1]["parameters"]["du"]
    assert found == (du.min() if np.ptp(du) == 0 else [du.min(), du.max()])
    assert "exact in integers: trained in the chip's integers" in neuro("inspect", run)[1]


def test_a_lava_export_is_whole_and_keeps_a_verdict_on_the_same_files(neuro, run):
    folder = run / "lava"
    assert neuro("export", run, "--samples", 2)[0] == 0
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "verdict.json").write_text('{"sentence": "Lava agrees."}')
    assert neuro("export", run, "--samples", 2)[0] == 0
    assert (folder / "verdict.json").is_file()
    assert {name: (folder / name).read_bytes() for name in before} == before
    assert_one_line(neuro("export", run, "--samples", 1000), "1000 samples asked for")
    assert (folder / "verdict.json").is_file()  # nothing was touched
    assert neuro("export", run, "--samples", 3)[0] == 0
    assert not (folder / "verdict.json").exists()  # it was of other samples
    assert not [p for p in run.iterdir() if p.name.startswith(".lava")]


def test_a_run_goes_to_sanafe_with_the_map_of_its_deployment(neuro, run):
    assert neuro("deploy", run, "--chip", "loihi1-fitted")[0] == 0
    code, out, err = neuro("export", run, "--to", "sanafe", "--sample", 1, "--json")
    assert code == 0, err
    said, folder = json.loads(out), run / "sanafe"
    assert (said["folder"], said["chip"]) == (str(folder), "loihi1-fitted")
    assert said["map"].endswith("as deployed")
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    before = (folder / "network.net").read_bytes()
    assert_one_line(neuro("export", run, "--to", "sanafe", "--sample", 99), "test sample 99 asked")
    assert (folder / "network.net").read_bytes() == before
    found = sanafe_twin.run(folder, hwsim.load_network(run / "chip.h5"), expected["steps"])
    assert {name: int(sent.sum()) for name, sent in found.spikes.items()} == expected["spikes"]
    assert found.sops == expected["sops"] + expected["hold"]["sops"] > 0
    assert found.hops == expected["hops"]


def test_a_network_file_goes_to_sanafe_without_a_sample(neuro, run):
    file = run / "chip.h5"
    assert neuro("export", file, "--to", "sanafe")[0] == 0
    assert (run / "chip-sanafe" / "network.net").is_file()
    assert neuro("export", file, "--to", "sanafe", "-o", run / "x", "--chip", "loihi2")[0] == 0
    assert "name: loihi2" in (run / "x" / "architecture.yaml").read_text(encoding="utf-8")
    sanafe = ("export", file, "--to", "sanafe")
    assert_one_line(neuro(*sanafe, "--sample", 1), "`--sample` is of a run's test set", "leave it")
    assert_one_line(neuro(*sanafe, "-o", run), "is no earlier export: name a new folder")
    assert_one_line(neuro(*sanafe, "--samples", 3), "`--samples` is for `--to lava`")
    assert_one_line(neuro(*sanafe, "--chip", "truenorth"), "chip truenorth has a tick")
    real = ("export", run / "network.h5", "--to", "sanafe")
    assert_one_line(neuro(*real), "real")


def test_a_network_that_does_not_fit(neuro, home, tmp_path):
    big = (
        ("downsample = 2", "downsample = 1"),
        ("size = 4\nstride = 3", "size = 8"),
        ("epochs = 2", "epochs = 1"),
        ("[qat]\nepochs = 1", "[qat]\nepochs = 0"),
    )
    code, out, err = neuro("train", recipe_file(tmp_path, *big), "--json")
    assert code == 0, err
    run = home / json.loads(out)["run"]
    answer = neuro("deploy", run)
    assert_one_line(answer, "layer 'readout'", "axons_in_per_core 8192 of 4096")
    assert not list(run.glob("deploy-*"))


def test_a_damaged_data_file(neuro, tmp_path):
    place = tmp_path / "data" / "nmnist-small"
    place.mkdir(parents=True)
    (place / "nmnist_small.zip").write_bytes(b"PK\x03\x04" + b"x" * 500)
    file = recipe_file(tmp_path, ("nmnist-slice", "nmnist-small"))
    answer = neuro("train", file, "--root", tmp_path / "data", "--runs", tmp_path / "runs")
    assert_one_line(answer, "nmnist_small.zip")
    assert not list(tmp_path.glob("runs/*/result.json"))


def test_data_that_is_not_here(neuro, tmp_path):
    file = recipe_file(tmp_path, ("nmnist-slice", "nmnist-small"))
    assert_one_line(neuro("train", file, "--root", tmp_path), "'nmnist-small' is not here")


def test_a_runs_folder_that_cannot_be_written(neuro, tmp_path):
    (tmp_path / "file").write_text("no folder")
    answer = neuro("train", recipe_file(tmp_path), "--runs", tmp_path / "file" / "runs")
    assert_one_line(answer, str(tmp_path / "file"))


def test_a_damaged_checkpoint(neuro, tmp_path):
    file, runs = recipe_file(tmp_path), tmp_path / "runs"
    assert neuro("train", file, "--runs", runs)[0] == 0
    run = next(runs.iterdir())
    (run / "result.json").unlink()
    (run / "qat" / "last.ckpt").write_bytes(b"cut")
    assert_one_line(neuro("train", file, "--runs", runs), "last.ckpt is damaged: delete")
    assert not (run / "result.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send")
def test_ctrl_c_ends_training_and_the_same_command_resumes(home, tmp_path):
    file = recipe_file(tmp_path, ("epochs = 2", "epochs = 40"), ("epochs = 1", "epochs = 0"))
    command = [sys.executable, "-m", "neuro", "train", file, "--runs", str(tmp_path / "runs")]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("runs/*/float/last.ckpt")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1].startswith("interrupted: the same command resumes")
    assert "Traceback" not in err
    assert not list(tmp_path.glob("runs/*/result.json"))
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    rows = json.loads(again.stdout)["float"]["history"]
    assert [row["epoch"] for row in rows] == list(range(1, 41))
    assert "epoch 1/40" not in again.stderr  # it went on, it did not start over
    assert not parts_below(tmp_path)
