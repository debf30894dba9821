"""`neuro import`, `neuro inspect` and `neuro export --to nir`."""

import json

import nir
import numpy as np
import pytest

import hwsim


@pytest.fixture
def file(tmp_path):
    """A graph of one layer of two neurons, as snnTorch would write it."""
    node = nir.LIF(
        tau=np.full(2, 1e-3), r=np.full(2, 10.0), v_leak=np.zeros(2), v_threshold=np.ones(2)
    )
    path = tmp_path / "one.nir"
    nir.write(path, nir.NIRGraph.from_list(nir.Affine(np.eye(2), np.zeros(2)), node))
    return path


def test_a_graph_comes_in_is_listed_and_goes_out_the_same(neuro, file):
    code, said, _ = neuro("import", file, "--dt", 1e-4, "--out", "net.h5")
    assert code == 0
    assert [line.split()[:3] for line in said.splitlines()[1:5]] == [
        ["input", "Input", "exact"],
        ["affine", "Affine", "exact"],
        ["lif", "LIF", "exact"],
        ["output", "Output", "exact"],
    ]
    assert said.splitlines()[-1].split() == ["written", "net.h5"]
    code, listed, _ = neuro("inspect", "net.h5", "--json")
    content = json.loads(listed)
    assert (content["neurons"], content["weights"], content["synapses"]) == (2, 4, 4)
    assert content["layers"][1]["arriving"][0]["kind"] == "Dense"
    assert content["layers"][1]["parameters"]["decay_v"] == pytest.approx(0.9)
    assert content["layers"][1]["verdict"] is None
    assert "2 neurons, 4 weights, 4 synapses" in neuro("inspect", "net.h5")[1]
    code, said, _ = neuro("export", "net.h5", "--to", "nir", "--json")
    assert code == 0
    assert {v["grade"] for v in json.loads(said)["verdicts"]} == {"exact"}
    net = hwsim.load_network(file.parent / "net.h5")
    assert hwsim.read_nir(file.parent / "net.nir").network.digest == net.digest


def test_what_cannot_come_in_is_not_written(neuro, file):
    code, said, _ = neuro("import", file, "--dt", 1, "--out", "net.h5", "--json")
    content = json.loads(said)
    assert (code, content["network"], content["step_s"]) == (1, None, None)
    assert [v["grade"] for v in content["verdicts"] if v["kind"] == "LIF"] == ["unsupported"]
    assert not (file.parent / "net.h5").exists()


def test_a_framework_stands_for_all_options_and_one_beside_it_counts_more(neuro, file):
    def neuron(*words):
        assert neuro("import", file, *words, "--out", "net.h5")[0] == 0
        net = hwsim.load_network(file.parent / "net.h5")
        return net.dt_s, net["lif"].neuron.reset, net["lif"].neuron.reset_late

    assert neuron("--framework", "snntorch") == (1e-4, "subtract", True)
    assert neuron("--framework", "snntorch", "--reset", "zero") == (1e-4, "zero", True)
    assert neuron("--framework", "snntorch", "--reset-at-once") == (1e-4, "subtract", False)
    assert neuron("--framework", "norse", "--dt", 1e-5) == (1e-5, "zero", False)
    assert neuro("import", file, "--framework", "lava")[0] == 2
    with pytest.raises(ValueError, match="must be one of snntorch, norse, sinabs"):
        hwsim.read_nir(file, framework="lava")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("import", "one.nir"), "give `dt`"),
        (("import", "none.nir", "--dt", 1), "no NIR file none.nir"),
        (("import", "one.nir", "--dt", 1e-4, "--out", "net.bin"), "must end in .h5"),
        (("export", "net.h5", "--to", "nir", "--verify"), "leave it out"),
        (("export", "net.h5", "--out", "x.nir"), "is for `--to netx` or `--to nir` or"),
        (("export", "net.h5", "--to", "nir", "--samples", 3), "`--samples` is for `--to lava`"),
        (("export", "net.h5", "--to", "nir", "--chip", "loihi2"), "`--chip` is for `--to lava`"),
    ],
)
def test_errors_are_one_line(neuro, file, words, said):
    code, out, err = neuro(*words)
    assert (code, out) == (1, "")
    assert said in err
    assert err.count("\n") == 1
