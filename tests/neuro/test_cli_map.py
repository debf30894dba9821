"""`neuro map`: what it says is what the simulator counted, and the figure shows it."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import hwsim
from hwsim import FixedNeuron, Network, Population
from hwsim.contention import Messages, latency
from hwsim.mapping.stored import as_rows, plan_of
from hwsim.noc import Grid
from neuro.cli.compiling import SAID
from neuro.mapping import make_map, random_samples, run_map
from tests.neuro.test_cli_fits import chain, chip_file, dense

WORDS = ("--samples", 5, "--steps", 8, "--rate", 0.3)


@pytest.fixture
def neuro(call, tmp_path, monkeypatch):
    """Run `neuro ...` in this process, in a folder with a network: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    hwsim.save_network(chain(), tmp_path / "net.h5")

    def run(*words):
        code, out, err = call(*words)
        return code, out, err.replace(f"{SAID}\n", "")  # on a machine that is new

    return run


def small_cores(folder):
    """Loihi 1 with four neurons a core."""
    return chip_file(folder, {"neurons_per_core": 4})


def test_the_numbers_are_those_of_a_simulation(neuro, tmp_path):
    chip = small_cores(tmp_path)
    code, out, err = neuro("map", "net.h5", "--chip", chip, *WORDS, "--json")
    assert (code, err) == (0, "")
    said, spec = json.loads(out), hwsim.load_chip(chip)
    given = random_samples(chain(), 5, rate=0.3, steps=8, seed=0)
    assert said["input"] == given.what
    plan = hwsim.compile(chain(), spec, profile=hwsim.profile(chain(), given.frames), seed=0)
    counts = hwsim.simulate(plan, given.frames).counts
    bill = hwsim.price(counts, spec)
    row = said["map"]
    assert row["cores"] == counts.n_cores == 5
    assert row["hops"] == pytest.approx((counts.hops_ew + counts.hops_ns).sum() / 5)
    assert row["packets"] == pytest.approx(counts.packets.sum() / 5)
    assert row["step_s"] == pytest.approx(bill.latency_s * 5 / counts.n_steps)
    assert row["energy_delay_js"] == pytest.approx(bill.energy_j * bill.latency_s)
    assert 0 < row["slowest_core_s"] < row["step_s"]
    assert said["compared"] == []


def test_the_lines_of_a_map(neuro, tmp_path):
    code, out, _ = neuro("map", "net.h5", *WORDS)
    assert code == 0
    given = json.loads(neuro("map", "net.h5", *WORDS, "--json")[1])["map"]
    step, energy = (
        hwsim.report.units.si(given[k], u) for k, u in (("step_s", "s"), ("energy_j", "J"))
    )
    core, packet, alone = (
        hwsim.report.units.si(given[key], "s")
        for key in ("slowest_core_s", "packet_latency_s", "packet_latency_alone_s")
    )
    (layer,) = given["slowest_core_layers"]
    packets = hwsim.report.units.number(given["packets"])
    assert out.splitlines() == [
        "map        net on loihi1: optimised, seed 0",
        "input      5 samples of 8 steps of random spikes, rate 0.3 per neuron and step",
        "cores      2 on 1 tile, 1 chip",
        f"network    0 hops, {packets} packets per inference; 0 on the busiest link",
        f"packet     {packet} on its way on average, {alone} unhindered",
        f"slowest    core {given['slowest_core']} ({layer}): {core} of an average step",
        f"step       {step} on average, 8 steps per inference",
        f"energy     {energy} per inference",
        "delays     none: every spike takes one step",
    ]


def test_the_latency_of_a_packet_is_that_of_the_contention_model(neuro, tmp_path):
    given = random_samples(chain(), 5, rate=0.3, steps=8, seed=0)
    plan = make_map(chain(), hwsim.load_chip(small_cores(tmp_path)), given, "random", 0)
    mapped = run_map(plan, given, "")
    row, per_sample = mapped.as_dict(), mapped.bill.latency_s
    messages = Messages.of(plan, mapped.spikes, per_sample)
    expected = latency(Grid.of(plan.chip, n_chips=row["chips"]), messages)
    assert row["packet_latency_s"] == expected.mean_s
    assert row["packet_latency_alone_s"] == expected.zero_load_s < expected.mean_s


def test_no_latency_is_told_where_there_is_no_packet_or_no_time_of_a_hop(neuro):
    words = ("map", "net.h5", "--samples", 2, "--json")
    quiet = json.loads(neuro(*words, "--rate", 0)[1])["map"]
    assert quiet["packets"] == 0
    assert quiet["packet_latency_s"] is quiet["packet_latency_alone_s"] is None
    for chip in hwsim.chip_names("neurocore"):
        row = json.loads(neuro(*words, "--chip", chip)[1])["map"]
        time = hwsim.load_chip(chip).time
        timed = [c.value for c in (time.hop_ew, time.hop_ns, time.packet) if c is not None]
        assert (row["packet_latency_s"] is not None) == (any(timed) and None not in timed)


def two_inputs():
    """A neuron population that hears two inputs, one of them a picture."""
    populations = (
        Population("left", (6,)),
        Population("right", (2, 3)),
        Population("out", (4,), FixedNeuron.of(v_th=2)),
    )
    return Network(populations, (dense(6, 4, "left", "out"), dense(6, 4, "right", "out")))


def test_several_inputs_have_random_spikes_or_arrays_by_name(neuro, tmp_path):
    hwsim.save_network(two_inputs(), tmp_path / "two.h5")
    code, out, err = neuro("map", "two.h5", *WORDS, "--json")
    assert (code, err) == (0, "")
    both = json.loads(out)["map"]["packets"]
    rng = np.random.default_rng(0)
    frames = {
        name: rng.random((5, 8, *shape)) < 0.3
        for name, shape in (("left", (6,)), ("right", (2, 3)))
    }
    np.savez(tmp_path / "both.npz", **frames, labels=np.zeros(5))
    code, out, err = neuro("map", "two.h5", "--inputs", "both.npz", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["input"] == "5 samples of both.npz"
    assert json.loads(out)["map"]["packets"] == sum(x.sum() for x in frames.values()) / 5
    assert both > 1.5 * frames["left"].sum() / 5


def test_a_network_without_input_is_told_to_get_one(neuro, tmp_path):
    driven = FixedNeuron.of(v_th=2, bias_mant=100)
    alone = Network((Population("out", (4,), driven),), ())
    hwsim.save_network(alone, tmp_path / "alone.h5")
    code, out, err = neuro("map", "alone.h5")
    assert (code, out) == (1, "")
    assert err.startswith("error: the network has no input, so nothing says for how many steps")
    with pytest.raises(ValueError, match="the network has no input"):
        hwsim.simulate(alone, {})
    silent = Network((Population("silent", (1,)), Population("out", (4,), driven)), ())
    hwsim.save_network(silent, tmp_path / "silent.h5")
    assert neuro("map", "silent.h5", "--samples", 2)[0] == 0
    run = hwsim.simulate(silent, np.zeros((1, 20, 1), dtype=np.uint8))
    assert run.spike_counts["out"].min() > 0


def test_baselines_stand_beside_the_optimised_map(neuro, tmp_path):
    chip = small_cores(tmp_path)
    said = json.loads(neuro("map", "net.h5", "--chip", chip, *WORDS, "--compare", "--json")[1])
    assert [row["mapper"] for row in said["compared"]] == [
        f"{name}, seed 0" for name in ("row-major", "random", "greedy", "halve")
    ]
    assert all(said["map"]["hops"] <= row["hops"] for row in said["compared"])
    code, out, _ = neuro("map", "net.h5", "--chip", chip, *WORDS, "--compare")
    assert code == 0
    table = out.splitlines()[-7:]
    assert table[1].split() == [
        "mapper",
        "cores",
        "tiles",
        "hops",
        "link",
        "step",
        "energy",
        "delay",
    ]
    assert [line.split()[0] for line in table[2:]] == [
        "optimised", "row-major", "random", "greedy", "halve",
    ]  # fmt: skip
    assert "x 1.00" in table[2]


def test_the_same_seed_gives_the_same_map_and_another_mapper_another(neuro, tmp_path):
    chip = small_cores(tmp_path)
    words = ("map", "net.h5", "--chip", chip, *WORDS, "--mapper", "random", "--json")
    first, again, other = (json.loads(neuro(*words, "--seed", s)[1]) for s in (1, 1, 2))
    assert first["map"] == again["map"]
    assert first["map"]["hops"] != other["map"]["hops"]


def test_inputs_come_from_a_file(neuro, tmp_path):
    rng = np.random.default_rng(0)
    frames = (rng.random((7, 8, 6)) < 0.5).astype(np.uint8)
    np.savez(tmp_path / "inputs.npz", frames=frames)
    np.save(tmp_path / "inputs.npy", frames)
    answers = [
        json.loads(neuro("map", "net.h5", "--inputs", f"inputs.{end}", "--json")[1])
        for end in ("npz", "npy")
    ]
    assert [a["input"] for a in answers] == [f"7 samples of inputs.{end}" for end in ("npz", "npy")]
    assert answers[0]["map"] == answers[1]["map"]
    assert answers[0]["map"]["packets"] > frames.sum() / 7  # each input is one packet


@pytest.mark.parametrize("kind", ["svg", "png", "pdf"])
def test_the_figure_is_a_whole_file_and_the_same_every_time(neuro, tmp_path, kind):
    starts = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
    words = ("map", "net.h5", "--chip", small_cores(tmp_path), *WORDS)
    assert neuro(*words, "--figure", f"a.{kind}")[0] == 0
    assert neuro(*words, "--figure", f"b.{kind}")[0] == 0
    one, other = ((tmp_path / f"{name}.{kind}").read_bytes() for name in "ab")
    assert one.startswith(starts[kind])
    assert one == other
    assert not list(tmp_path.glob(".*.part"))


def test_a_figure_of_another_kind_is_refused_before_anything_runs(neuro, tmp_path):
    code, out, err = neuro("map", "net.h5", "--figure", "a.gif")
    assert (code, out) == (1, "")
    assert err == "error: a.gif: a figure is written as .svg, .png, .pdf, not '.gif'\n"


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(neuro, tmp_path):
    (tmp_path / "taken.svg").mkdir()
    code, out, err = neuro("map", "net.h5", *WORDS, "--figure", "taken.svg")
    assert (code, out, err) == (1, "", "error: taken.svg: is a directory\n")
    assert not list(tmp_path.glob(".*"))


def test_errors_are_one_line(neuro, tmp_path):
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    np.savez(tmp_path / "names.npz", a=np.zeros(3), b=np.zeros(3))
    np.save(tmp_path / "number.npy", np.zeros(()))
    np.save(tmp_path / "shape.npy", np.zeros((2, 3, 4), dtype=np.uint8))
    chip = chip_file(tmp_path, {"axons_in_per_core": 10})
    for words, start in (
        (("--mapper", "best"), "unknown mapper 'best': there are optimised,"),
        (("--inputs", "none.npz"), "no file of inputs none.npz"),
        (("--inputs", "bad.npz"), "bad.npz holds no samples"),
        (("--inputs", "names.npz"), "names.npz has no array 'in' (it has a, b)"),
        (("--inputs", "number.npy"), "samples have shape (1,)"),
        (("--inputs", "shape.npy"), "samples have shape (2, 3, 4)"),
        (("--chip", chip), "the network does not fit own: layer 'out': axons_in_per_core 16 of 10"),
    ):
        code, out, err = neuro("map", "net.h5", *words)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {start}")
        assert err.count("\n") == 1


def test_a_stored_map_is_the_map(tmp_path):
    net, chip = chain(), hwsim.load_chip(small_cores(tmp_path))
    given = random_samples(net, 3, rate=0.3, steps=8, seed=1)
    plan = make_map(net, chip, given, "random", 3)
    rows = json.loads(json.dumps(as_rows(plan)))
    again = plan_of(net, chip, rows)
    assert as_rows(again) == as_rows(plan)
    first, second = (run_map(p, given, "").as_dict() for p in (plan, again))
    assert first == second


def test_a_map_of_another_network_is_refused(tmp_path):
    net, chip = chain(), hwsim.load_chip("loihi1")
    rows = as_rows(hwsim.compile(net, chip))
    with pytest.raises(ValueError, match="places 0 neurons of 'out', which has 4"):
        plan_of(net, chip, rows[:-1])
    with pytest.raises(ValueError, match="on core 98304 of 98304"):
        plan_of(net, chip, [*rows[:-1], rows[-1] | {"core": chip.n_cores}])
    with pytest.raises(ValueError, match="every neuron on one core, this one is damaged"):
        plan_of(net, chip, [{"population": "out"}])
    twice = replace(net)
    with pytest.raises(ValueError, match="places 8 neurons of 'out', which has 4"):
        plan_of(twice, chip, [*rows, rows[-1]])


def documented(heading):
    """Keys in the tables of a section of docs/cli.md."""
    text = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    section = text.split(f"## `neuro {heading}")[1].split("\n## ")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return {key for row in rows for key in re.findall(r"`(\w+)`", row)}


def test_every_key_of_the_json_is_documented_and_no_other(neuro, tmp_path):
    said = json.loads(neuro("map", "net.h5", *WORDS, "--json")[1])
    assert documented("map") == said.keys() | said["map"].keys()
    assert documented("fits") == json.loads(neuro("fits", "net.h5", "--json")[1]).keys()


def test_the_help_names_every_mapper(neuro):
    code, out, _ = neuro("map", "--help")
    assert code == 0
    assert all(name in out for name in hwsim.MAPPERS)
