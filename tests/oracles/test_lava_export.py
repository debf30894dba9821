"""An exported folder answers in Intel's Lava with the simulator's spikes, wherever it is put."""

import json
import shutil
import stat
import subprocess

import numpy as np
import pytest

import hwsim
from hwsim.formats import lava
from hwsim.formats.lava import LavaVerdict, export_lava, find_python310, verify_lava
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse

READOUT = FixedNeuron.of(du=4095, dv=30, v_th=131071, reset="none", emits="nothing")


def small_network(rng, *, neuron=None):
    """All that Lava has a process for: images, delays, biases, a loop, a skip, a read-out.

    The loop and the delays let a sample's spikes arrive in the next one if nothing stops them.
    """

    def weights(*shape):
        return rng.integers(-30, 40, shape) * 2

    image = {"du": 3000, "dv": 300, "v_th": 150, "bias_mant": rng.integers(-50, 300, (3, 4, 3))}
    populations = (
        Population("input", (2, 7, 6)),
        Population("image", (3, 4, 3), neuron or FixedNeuron.of(**image, bias_exp=4)),
        Population("small", (4, 3, 2), FixedNeuron.of(du=1000, v_th=200)),
        Population("loop", (9,), FixedNeuron.of(du=2000, dv=100, v_th=200, bias_mant=900)),
        Population("out", (4,), READOUT),
    )
    halved, word = WeightWord(exp=-1), WeightWord()
    conv = Conv2d.of(weights(3, 2, 3, 3), stride=(2, 2), padding=(1, 1))
    late = Conv2d.of(weights(4, 3, 2, 2), dilation=(1, 1))
    projections = (
        Projection.of("input", "image", conv, word=WeightWord(exp=1)),
        Projection.of("image", "small", late, delay=3, word=word),
        Projection.of("small", "loop", Dense.of(weights(9, 24)), word=word),
        Projection.of(
            "image",
            "loop",
            Dense.of(weights(9, 36)),
            delay=rng.integers(0, 9, (9, 36)),
            word=halved,
        ),
        Projection.of("loop", "loop", Dense.of(weights(9, 9)), delay=1, word=word),
        Projection.of("loop", "image", Dense.of(weights(36, 9)), delay=4, word=word),
        Projection.of("loop", "out", Dense.of(weights(4, 9)), delay=2, word=word),
    )
    return Network(populations, projections)


def exported(folder, *, n_samples=3, n_steps=12):
    """A folder of the small network; its plan, samples and run."""
    rng = np.random.default_rng(5)
    plan = hwsim.compile(small_network(rng), hwsim.load_chip("loihi1"))
    samples = rng.integers(0, 3, (n_samples, n_steps, 2, 7, 6))  # counts: one spike where not 0
    run = hwsim.simulate(plan, samples, record=("spikes",))
    export_lava(plan, samples, run, folder)
    return plan, samples, run


@pytest.fixture(scope="module")
def needs_lava(tmp_path_factory):
    """Skip where Lava's environment cannot be built; says why."""
    uv = lava._find_uv()
    if uv is None:
        pytest.skip("uv is not installed: `pip install uv`")
    try:
        python = find_python310()
    except ValueError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp("environment")
    exported(folder)
    command = [uv, "sync", "--quiet", "--python", str(python), "--script", folder / lava.SCRIPT]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    if built.returncode != 0:
        pytest.skip(f"Lava's environment cannot be built: {built.stderr.strip()}")


@pytest.mark.usefixtures("needs_lava")
def test_a_moved_folder_gives_the_spikes_of_the_simulator(tmp_path):
    _, _, run = exported(tmp_path / "here")
    shutil.move(tmp_path / "here", tmp_path / "there, with spaces")
    verdict = verify_lava(tmp_path / "there, with spaces")
    assert verdict.n_different == 0
    assert [layer.name for layer in verdict.layers] == ["image", "small", "loop", "out"]
    assert [layer.n_spikes for layer in verdict.layers] == [
        int(run.spike_counts[layer.name].sum()) for layer in verdict.layers
    ]
    assert min(layer.n_spikes for layer in verdict.layers[:3]) > 20
    assert verdict.layers[-1].n_different_v == 0
    assert (verdict.n_samples, verdict.lava_version) == (3, "0.10.0")
    assert 0 < verdict.seconds_per_sample < 60


def network_of_kinds(rng):
    """Every other kind of neuron and synapse that Lava has, joined in a loop, and a read-out."""

    def weights(*shape):
        return rng.integers(-30, 40, shape) * 2

    def sparse(targets, sources):
        return Sparse.from_dense(weights(targets, sources) * (rng.random((targets, sources)) < 0.4))

    bias = rng.integers(-50, 300, (2, 3, 4))
    ternary = FixedNeuron.of(
        du=3000, dv=300, v_th=300, v_th_low=-250, bias_mant=bias, bias_exp=3, emits="ternary"
    )
    populations = (
        Population("input", (2, 7, 6)),
        Population("ternary", (2, 3, 4), ternary),
        Population("loop", (9,), FixedNeuron.of(du=2000, dv=100, v_th=200, bias_mant=900)),
        Population("encoder", (9,), SigmaDelta.of(v_th=3, integrates=False, activation="unit")),
        Population("sigma", (7,), SigmaDelta.of(v_th=50, bias=9, cum_error=True, state_exp=2)),
        Population("vector", (5,), GradedVec.of(v_th=900)),
        Population("relu", (5,), GradedVec.of(v_th=90, activation="relu")),
        Population("out", (4,), SigmaDelta.of(activation="unit", emits="nothing", bias=5)),
    )
    second = sparse(9, 24)
    delays = rng.integers(1, 9, second.weight.size)

    def joined(source, target, synapses, delay=0, exp=0, message_bits=24):
        word = WeightWord(exp=exp, message_bits=message_bits)
        return Projection.of(source, target, synapses, delay=delay, word=word)

    projections = (
        joined("input", "ternary", sparse(24, 84), exp=1, message_bits=0),
        joined("ternary", "loop", second, delay=delays, exp=-1, message_bits=2),
        joined("loop", "loop", Dense.of(weights(9, 9)), delay=1, message_bits=0),
        joined("ternary", "encoder", sparse(9, 24)),
        joined("encoder", "sigma", Dense.of(weights(7, 9)), delay=2, exp=2),
        joined("sigma", "sigma", Dense.of(weights(7, 7)), delay=3, exp=-7),
        joined("sigma", "vector", Dense.of(weights(5, 7))),
        joined("vector", "relu", sparse(5, 5), delay=1, exp=-5),
        joined("relu", "vector", sparse(5, 5), delay=3, exp=-7),
        joined("relu", "out", Dense.of(weights(4, 5))),
        joined("loop", "out", Dense.of(weights(4, 9)), message_bits=0),
    )
    return Network(populations, projections)


@pytest.mark.usefixtures("needs_lava")
def test_every_kind_gives_the_messages_of_the_simulator(tmp_path):
    rng = np.random.default_rng(3)
    net = network_of_kinds(rng)
    samples = rng.integers(0, 3, (3, 14, 2, 7, 6))
    export_lava(net, samples, hwsim.simulate(net, samples, record=("spikes",)), tmp_path)
    verdict = verify_lava(tmp_path)
    assert verdict.n_different == 0
    assert [layer.name for layer in verdict.layers] == [p.name for p in net.populations[1:]]
    assert min(layer.n_spikes for layer in verdict.layers[:-1]) > 20
    assert verdict.layers[-1].n_different_v == 0


@pytest.mark.usefixtures("needs_lava")
def test_an_edited_weight_is_found(tmp_path):
    exported(tmp_path)
    with np.load(tmp_path / "network.npz") as file:
        arrays = dict(file)
    arrays["projection2/weight"] = -arrays["projection2/weight"]  # into the loop
    np.savez_compressed(tmp_path / "network.npz", **arrays)
    verdict = verify_lava(tmp_path, n_samples=1)
    different = {layer.name: layer.n_different for layer in verdict.layers}
    assert verdict.n_different > 0
    assert different["loop"] > 0


@pytest.mark.parametrize("name", ["run_lava.py", "network.npz", "inputs.npz", "expected.npz"])
def test_a_missing_file_is_one_line(tmp_path, name):
    exported(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=f"holds no {name}: export the network there") as caught:
        verify_lava(tmp_path)
    assert "\n" not in str(caught.value)


def test_plan_and_network_export_the_same(tmp_path):
    plan, samples, run = exported(tmp_path / "plan")
    net = small_network(np.random.default_rng(5))
    export_lava(net, samples, hwsim.simulate(net, samples, record=("spikes",)), tmp_path / "net")
    for name in ("network.npz", "inputs.npz", "expected.npz"):
        with np.load(tmp_path / "plan" / name) as one, np.load(tmp_path / "net" / name) as other:
            assert one.files == other.files
            assert all(np.array_equal(one[key], other[key]) for key in one.files)
    with np.load(tmp_path / "plan" / "network.npz") as file:
        starts = {
            p["name"]: p["start"] for p in json.loads(str(file["description"]))["populations"]
        }
    assert starts == {name: shift for name, shift in plan.shift.items() if name != "input"}
    assert run.n_steps == samples.shape[1]


def test_what_lava_has_not_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    samples = np.zeros((1, 4, 2, 7, 6), dtype=int)
    subtract = small_network(rng, neuron=FixedNeuron.of(reset="subtract"))
    run = hwsim.simulate(subtract, samples, record=("spikes",))
    with pytest.raises(ValueError, match="'image' resets by 'subtract', Lava's LIF only to zero"):
        export_lava(subtract, samples, run, tmp_path / "new")
    real = Network(
        (Population("input", (3,)), Population("out", (2,), Neuron.of())),
        (Projection.of("input", "out", Dense.of(np.ones((2, 3)))),),
    )
    run = hwsim.simulate(real, np.ones((1, 4, 3)), record=("spikes",))
    with pytest.raises(ValueError, match="is real, Lava's fixed point is integer: quantise it"):
        export_lava(real, np.ones((1, 4, 3)), run, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def one_layer(neuron, synapses=None):
    synapses = synapses or Dense.of([[2, 4], [6, -2]])
    populations = Population("input", (2,)), Population("layer", (2,), neuron)
    return Network(populations, (Projection.of("input", "layer", synapses, word=WeightWord()),))


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (
            one_layer(FixedNeuron.of(refractory=3)),
            "population 'layer' has a refractory time of 3 steps, Lava's LIF has none in fixed",
        ),
        (one_layer(FixedNeuron.of(emits="graded")), "'layer' emits the potential it fired with"),
        (
            one_layer(FixedNeuron.of(emits="ternary", v_th_low=[-1, -2])),
            "'layer' has a threshold for each neuron, Lava's ternary neurons have one for all",
        ),
        (
            one_layer(SigmaDelta.of(v_th=[1, 2])),
            "'layer' has a threshold for each neuron, Lava's sigma_delta neurons have one",
        ),
        (
            one_layer(GradedVec.of(v_th=[1, 2], activation="relu")),
            "'layer' has a threshold for each neuron, Lava's graded_relu neurons have one",
        ),
        (
            one_layer(
                FixedNeuron.of(),
                Sparse.of([2, 4, 6], indptr=[0, 2, 3], target=[1, 1, 0], n_targets=2),
            ),
            "input -> layer: 1 synapses join neurons that another one joins",
        ),
    ],
)
def test_each_kind_that_lava_has_not_is_refused_with_its_layer(net, message, tmp_path):
    samples = np.zeros((1, 4, 2), dtype=int)
    run = hwsim.simulate(net, samples, record=("spikes",))
    with pytest.raises(ValueError, match=message) as caught:
        export_lava(net, samples, run, tmp_path / "new")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_threshold_that_is_the_same_for_all_is_one(tmp_path):
    net = one_layer(SigmaDelta.of(v_th=[3, 3], bias=[1, 2]))
    samples = np.zeros((1, 4, 2), dtype=int)
    run = hwsim.simulate(net, samples, record=("spikes",))
    export_lava(net, samples, run, tmp_path)
    with np.load(tmp_path / "network.npz") as file:
        (population,) = json.loads(str(file["description"]))["populations"]
        assert file["population0/bias"].tolist() == [1, 2]
    assert (population["v_th"], population["bias"]) == (3, None)


def test_a_run_of_other_samples_is_refused(tmp_path):
    plan, samples, run = exported(tmp_path)
    with pytest.raises(ValueError, match="the run is of 3 samples of 12 steps, the samples are 2"):
        export_lava(plan, samples[:2], run, tmp_path)
    unrecorded = hwsim.simulate(plan, samples)
    with pytest.raises(ValueError, match="'image' was not recorded"):
        export_lava(plan, samples, unrecorded, tmp_path)


def test_a_convolution_too_large_as_a_matrix_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(lava, "UNROLL_LIMIT", 100)
    with pytest.raises(ValueError, match="as a matrix it has 864 weights, at most 100"):
        exported(tmp_path)


def test_without_python_310_one_line_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv(lava.PYTHON_ENV, raising=False)
    monkeypatch.setattr(lava, "_candidates", lambda: iter(()))
    with pytest.raises(
        ValueError, match=r"no Python 3\.10 found.*uv python install 3\.10"
    ) as caught:
        find_python310()
    assert "\n" not in str(caught.value)


def test_a_named_python_must_be_310(monkeypatch, tmp_path):
    for name in (tmp_path / "none", tmp_path / "other"):
        (tmp_path / "other").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "other").chmod(stat.S_IRWXU)
        monkeypatch.setenv(lava.PYTHON_ENV, str(name))
        with pytest.raises(ValueError, match=r"which is no running Python 3\.10"):
            find_python310()


def test_without_uv_one_line_says_so(monkeypatch, tmp_path):
    exported(tmp_path)
    monkeypatch.setattr(lava, "_find_uv", lambda: None)
    with pytest.raises(ValueError, match="uv builds Lava's environment and is not installed"):
        verify_lava(tmp_path)


def fake_uv(tmp_path, monkeypatch, body):
    """A `uv` that does this instead, with any Python."""
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(stat.S_IRWXU)
    monkeypatch.setattr(lava, "_find_uv", lambda: str(program))
    monkeypatch.setattr(lava, "find_python310", lambda: program)


def test_lava_that_takes_too_long_is_ended_with_its_children(tmp_path, monkeypatch):
    exported(tmp_path / "folder")
    fake_uv(tmp_path, monkeypatch, f"(sleep 2; touch {tmp_path}/alive) & wait")
    with pytest.raises(ValueError, match=r"Lava took more than 0\.5 s: verify fewer samples"):
        verify_lava(tmp_path / "folder", timeout_s=0.5)
    subprocess.run(["sleep", "2"], check=True)
    assert not (tmp_path / "alive").exists()


def test_the_last_words_of_lava_are_the_error(tmp_path, monkeypatch):
    exported(tmp_path / "folder")
    fake_uv(tmp_path, monkeypatch, "echo Traceback >&2; echo 'no such thing' >&2; exit 1")
    with pytest.raises(ValueError, match=r"Lava failed on .*: no such thing") as caught:
        verify_lava(tmp_path / "folder")
    assert "\n" not in str(caught.value)


def test_a_verdict_adds_its_layers():
    layers = (lava.LayerVerdict("a", 5, 40, 2, None), lava.LayerVerdict("out", 0, 8, 0, 3))
    verdict = LavaVerdict(1, 4, layers, 0.1, 0.2, "0.10.0")
    assert (verdict.n_spikes_compared, verdict.n_different) == (5, 5)
