"""`neuro import FILE.net` and `neuro export --to netx`."""

import json

import numpy as np
import pytest

import hwsim
from tests.netx_cases import conv, delays, made


@pytest.fixture
def net(tmp_path):
    """A network in a chip's integers, as a file."""
    hwsim.save_network(made(conv)[0], tmp_path / "conv.h5")
    return made(conv)[0]


def test_a_network_goes_out_as_netx_and_comes_back_the_same(neuro, net, tmp_path):
    code, said, _ = neuro("export", "conv.h5", "--to", "netx", "--json")
    content = json.loads(said)
    assert (code, content["file"]) == (0, "conv.net")
    assert {v["grade"] for v in content["verdicts"]} == {"exact"}
    code, said, _ = neuro("import", "conv.net", "--out", "back.h5")
    assert code == 0
    assert [line.split()[:3] for line in said.splitlines()[1:5]] == [
        ["in", "input", "exact"],
        ["a", "conv", "exact"],
        ["b", "conv", "exact"],
        ["flatten3", "flatten", "exact"],
    ]
    assert hwsim.load_network(tmp_path / "back.h5").digest == net.digest
    assert neuro("import", "conv.net", "--layers", 2, "--out", "short.h5")[0] == 0
    assert hwsim.load_network(tmp_path / "short.h5").output == "a"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "none.net"), "no netx file none.net"),
        (("import", "conv.net", "--dt", 1e-3), "leaves nothing open"),
        (("import", "conv.h5", "--layers", 1), "`--layers` is for netx files"),
        (("export", "conv.h5", "--to", "netx", "--out", "x.h5"), "must end in .net"),
        (("export", "conv.h5", "--to", "netx", "--sample", 1), "`--sample` is for `--to sanafe`"),
    ],
)
def test_errors_are_one_line(neuro, net, words, said):
    neuro("export", "conv.h5", "--to", "netx")
    code, out, err = neuro(*words)
    assert (code != 0, out) == (True, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_network_file_goes_to_lava_with_random_spikes_or_given_ones(neuro, net, tmp_path):
    code, said, _ = neuro("export", "conv.h5", "--to", "lava", "--samples", 3, "--json")
    content = json.loads(said)
    assert (code, content["folder"]) == (0, "conv-lava")
    assert content["input"].startswith("3 samples of 20 steps of random spikes")
    np.save(tmp_path / "mine.npy", made(conv)[1][None])
    code, said, _ = neuro("export", "conv.h5", "--to", "lava", "--inputs", "mine.npy", "--json")
    assert (code, json.loads(said)["input"]) == (0, "1 samples of mine.npy")
    with np.load(tmp_path / "conv-lava" / "expected.npz") as expected:
        sent = expected["spikes/b"]
    run = hwsim.simulate(net, made(conv)[1][None], record=("spikes",))
    np.testing.assert_array_equal(sent, run.aligned("b") != 0)
    code, out, err = neuro("export", "conv.h5", "--to", "lava", "--inputs", "none.npy")
    assert (code != 0, out) == (True, "")
    assert "none.npy" in err


def test_what_netx_cannot_say_writes_no_file(neuro, tmp_path):
    net = made(delays)[0]
    slow = hwsim.Projection.of(
        "in", "a", net.projections[0].synapses, delay=64, word=net.projections[0].word
    )
    hwsim.save_network(
        hwsim.Network(net.populations, (slow, net.projections[1])), tmp_path / "slow.h5"
    )
    code, out, err = neuro("export", "slow.h5", "--to", "netx")
    assert (code != 0, out) == (True, "")
    assert "takes 64 steps, netx holds 63" in err
    assert not (tmp_path / "slow.net").exists()
