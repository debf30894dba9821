"""`neuro fits`: every planted violation named at once, and the whole table of what fits."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest

import hwsim
from hwsim import Dense, FixedNeuron, Network, Neuron, Population, Projection, WeightWord
from tests.neuro.tiny import TINY

WORD = WeightWord()


def dense(source, target, *ends, word=WORD, delay=1):
    weight = np.random.default_rng(0).integers(-3, 4, (target, source)) * word.step
    return Projection.of(*ends, Dense.of(weight), word=word, delay=delay)


def chain(neuron=None, *, word=WORD, out_word=WORD, delay=1, more=()):
    """Six inputs, sixteen neurons, four that answer."""
    populations = (
        Population("in", (6,)),
        Population("hidden", (16,), FixedNeuron.of(v_th=2) if neuron is None else neuron),
        Population("out", (4,), FixedNeuron.of(v_th=2)),
    )
    joined = (
        dense(6, 16, "in", "hidden", word=word, delay=delay),
        dense(16, 4, "hidden", "out", word=out_word),
        *more,
    )
    return Network(populations, joined, output="out")


def real():
    populations = (Population("in", (6,)), Population("hidden", (16,), Neuron.of(v_th=1.0)))
    weight = np.ones((16, 6))
    return Network(populations, (Projection.of("in", "hidden", Dense.of(weight)),))


def two_words():
    return chain(more=(dense(6, 16, "in", "hidden", word=WeightWord(exp=2)),))


def quick_loop():
    return chain(more=(dense(16, 16, "hidden", "hidden", delay=0),))


def two(**values):
    """Neurons of two kinds, by turns."""
    return FixedNeuron.of(**{"v_th": 100} | {k: np.tile(v, 8) for k, v in values.items()})


PLANTED = {
    "real network": (
        real,
        {},
        "layer 'hidden': arithmetic real numbers of integers (quantise it: "
        "hwsim.quantize(net, chip, samples))",
    ),
    "synapse memory": (
        chain,
        {"synapse_bits_per_core": 640},
        "layer 'out': synapse_bits_per_core 1024 of 640 (lower the fan-in, the kernel size or the "
        "weight bits)",
    ),
    "axons in": (
        chain,
        {"axons_in_per_core": 10},
        "layer 'out': axons_in_per_core 16 of 10 (shrink the layer before it, or use a stride or "
        "pooling there)",
    ),
    "axons out": (
        chain,
        {"axons_out_per_core": 1, "neurons_per_core": 2},
        "layer 'hidden': axons_out_per_core 2 of 1 (shrink the layer after it, so that fewer cores "
        "listen)",
    ),
    "delay": (
        lambda: chain(delay=70),
        {},
        "layer 'in -> hidden': max_delay 69 of 62 (shorten the delay "
        "(`neuro deploy --max-delay`, hwsim.quantize_delays), or relay it through a layer)",
    ),
    "weight bits": (
        lambda: chain(out_word=WeightWord(n_bits=6)),
        {"weight_bits": 6},
        "layer 'in -> hidden': weight_bits 8 of 6 (train or quantise it to 6 bits)",
    ),
    "message bits": (
        lambda: chain(word=WeightWord(message_bits=8)),
        {},
        "layer 'in -> hidden': message_bits 8 of 0 (bin graded spikes to plain ones)",
    ),
    "threshold range": (
        lambda: chain(FixedNeuron.of(v_th=5000)),
        {"v_th_max": 1000},
        "layer 'hidden': v_th_max 5000 of 1000 (scale the layer's weights, threshold and bias down "
        "together)",
    ),
    "bias range": (
        lambda: chain(FixedNeuron.of(v_th=100, bias_mant=-3000)),
        {"bias_mant_max": 255},
        "layer 'hidden': bias_mant_max 2999 of 255 (raise the bias exponent, or scale the layer's "
        "weights, threshold and bias down together)",
    ),
    "bias exponent": (
        lambda: chain(FixedNeuron.of(v_th=100, bias_mant=1, bias_exp=5)),
        {"bias_exp_max": 3},
        "layer 'hidden': bias_exp_max 5 of 3 (scale the layer's weights, threshold and bias down "
        "together)",
    ),
    "refractory time": (
        lambda: chain(FixedNeuron.of(v_th=100, refractory=20)),
        {"refractory_max": 15},
        "layer 'hidden': refractory_max 20 of 15 (shorten the refractory time)",
    ),
    "reset": (
        lambda: chain(FixedNeuron.of(v_th=100, reset="subtract")),
        {},
        "layer 'hidden': resets subtract of zero, none (train with a reset that the chip has)",
    ),
    "kind of neuron": (
        lambda: chain(FixedNeuron.of(v_th=100, emits="ternary", v_th_low=-100)),
        {},
        "layer 'hidden': neurons ternary of spikes (use a chip whose neurons can be programmed)",
    ),
    "synapse words": (
        two_words,
        {"synapse_configs": 1},
        "layer 'hidden': synapse_configs 2 of 1 (give projections into it the same word: weight "
        "bits, exponent, sign mode)",
    ),
    "cores": (
        chain,
        {"cores": 2, "chips": 1, "neurons_per_core": 4},
        "layer 'hidden': cores 5 of 2 (4 of them for this layer, for its neurons_per_core: shrink "
        "the layer, or use a chip with larger cores)",
    ),
}


def chip_file(folder, limits):
    """Loihi 1 with other limits, as a file of one's own."""
    path = folder / "own.toml"
    hwsim.copy_chip("loihi1", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    for name, value in limits.items():
        at = next(i for i, line in enumerate(lines) if line.startswith(f"{name} ="))
        lines[at] = f"{name} = {value}"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("plant", PLANTED)
def test_every_planted_violation_is_named_in_two_seconds(neuro, tmp_path, plant):
    network, limits, expected = PLANTED[plant]
    hwsim.save_network(network(), tmp_path / "net.h5")
    start = time.process_time()
    code, out, err = neuro("fits", "net.h5", "--chip", chip_file(tmp_path, limits))
    assert time.process_time() - start < 2.0
    assert code == 1
    assert err == ""
    assert [line for line in out.splitlines() if line.startswith("broken:")] == [
        f"broken: {expected}"
    ]
    assert "does not fit, 1 limit broken" in out.splitlines()[-1]


@pytest.mark.parametrize(
    ("table", "neuron"),
    [("neuron_configs", two(dv=(100, 200))), ("v_th_configs", two(v_th=(100, 200)))],
)
def test_full_tables_of_settings_are_named_where_they_cost_the_cores(
    neuro, tmp_path, table, neuron
):
    hwsim.save_network(chain(neuron), tmp_path / "net.h5")
    chip = chip_file(tmp_path, {table: 1, "cores": 2, "chips": 1})
    code, out, _ = neuro("fits", "net.h5", "--chip", chip)
    broken = [line for line in out.splitlines() if line.startswith("broken:")]
    assert code == 1
    assert len(broken) == 2
    assert broken[0].startswith("broken: layer 'hidden': cores 3 of 2 (2 of them for this layer")
    assert broken[1].startswith(f"broken: layer 'hidden': {table} 2 of 1 (")


def test_a_loop_without_delay_is_named(neuro, tmp_path):
    with pytest.raises(ValueError, match="cycle"):
        hwsim.save_network(quick_loop(), tmp_path / "net.h5")


def test_several_violations_are_all_named(neuro, tmp_path):
    neuron = FixedNeuron.of(v_th=5000, reset="subtract", refractory=20)
    hwsim.save_network(chain(neuron, delay=70), tmp_path / "net.h5")
    chip = chip_file(tmp_path, {"v_th_max": 1000, "refractory_max": 2})
    code, out, _ = neuro("fits", "net.h5", "--chip", chip, "--json")
    said = json.loads(out)
    assert code == 1
    assert not said["fits"]
    assert [v["limit"] for v in said["violations"]] == [
        "max_delay", "v_th_max", "refractory_max", "resets",
    ]  # fmt: skip
    assert all({"layer", "used", "allowed", "remedy"} < v.keys() for v in said["violations"])


def test_the_whole_table_of_a_network_that_fits(neuro, tmp_path):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    code, out, err = neuro("fits", "net.h5")
    assert (code, err) == (0, "")
    assert [line.rstrip() for line in out.splitlines()] == [
        "                                  memory axons axons       weight   config",
        "layer   size parts  cores neurons    KiB    in   out delay   bits    slots",
        "hidden    16     1      1      16 0.1875     6    16     0      8    1/1/1",
        "out        4     1      1       4   0.25    16     0     0      8    1/1/1",
        "allowed            98,304   1,024    128 4,096 4,096    62      8 32/16/16",
        "used by a layer's fullest part, in the fewest parts that fit; parts may share a core; "
        "config slots are neuron settings / thresholds / synapse words",
        "net on loihi1: fits; 2 of 98,304 cores",
    ]


def test_parts_that_share_a_core_are_one_core(neuro, tmp_path):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    chip = chip_file(tmp_path, {"cores": 1, "chips": 1})
    said = json.loads(neuro("fits", "net.h5", "--chip", chip, "--json")[1])
    assert (said["fits"], said["cores"], said["allowed"]["cores"]) == (True, 1, 1)
    assert [(row["parts"], row["cores"]) for row in said["layers"]] == [(1, 1), (1, 1)]
    full = {f.limit: f.used for f in hwsim.usage(chain(), hwsim.load_chip(chip))}
    assert full["cores"] == 1
    assert neuro("fits", "net.h5", "--chip", chip)[1].splitlines()[-1].endswith("1 of 1 cores")


def test_no_number_of_cores_is_told_for_what_fits_none(neuro, tmp_path):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    chip = chip_file(tmp_path, {"axons_in_per_core": 10})
    code, out, _ = neuro("fits", "net.h5", "--chip", chip, "--json")
    said = json.loads(out)
    assert (code, said["cores"]) == (1, None)
    assert [(row["parts"], row["cores"]) for row in said["layers"]] == [(1, 1), (None, None)]
    assert said["layers"][1]["used"]["axons_in_per_core"] == 16


def test_no_cell_is_cut_on_a_narrow_terminal(neuro, tmp_path, monkeypatch):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    whole = neuro("fits", "net.h5")[1]
    shown = neuro("chips", "show", "loihi1")[1]
    monkeypatch.setenv("COLUMNS", "40")
    assert neuro("fits", "net.h5")[1] == whole
    assert neuro("chips", "show", "loihi1")[1] == shown
    (line,) = [x for x in shown.splitlines() if x.split()[:1] == ["energy.sop"]]
    assert "Davies et al., IEEE Micro" in line


def test_the_json_of_a_network_that_fits(neuro, tmp_path):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    code, out, _ = neuro("fits", "net.h5", "--json")
    said = json.loads(out)
    assert code == 0
    assert said.keys() == {
        "network", "chip", "fits", "layers", "violations", "cores", "allowed",
    }  # fmt: skip
    assert (said["fits"], said["cores"], said["violations"]) == (True, 2, [])
    assert said["layers"][0]["used"]["axons_in_per_core"] == 6
    assert said["allowed"]["axons_in_per_core"] == 4096
    assert said["layers"][0]["used"].keys() < said["allowed"].keys()


def test_no_torch_is_loaded_for_a_network_file(tmp_path):
    hwsim.save_network(chain(), tmp_path / "net.h5")
    code = (
        "import sys, neuro.cli as c; sys.argv = ['neuro', 'fits', sys.argv[1]]; c.app("
        "standalone_mode=False); sys.exit('torch' in sys.modules or 'numba' not in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "net.h5"], capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_a_network_without_neurons_is_refused_for_what_it_is():
    with pytest.raises(ValueError, match="a network needs neurons: all its populations are inputs"):
        Network((Population("in", (6,)),), ())


def test_what_is_no_network_is_said_in_one_line(neuro, tmp_path):
    code, _, err = neuro("fits", "nothing.h5")
    assert code == 1
    assert err.startswith("error: no network file nothing.h5")
    (tmp_path / "text.h5").write_text(TINY)
    code, _, err = neuro("fits", "text.h5")
    assert code == 1
    assert err.startswith("error: text.h5 is no readable network file")
    code, _, err = neuro("fits", "nothing")
    assert (code, err) == (1, "error: no run nothing: `neuro train RECIPE` makes one\n")
