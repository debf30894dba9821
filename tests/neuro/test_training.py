"""Training: whole runs, resumed to the bit, and damage said in one line."""

import io
import json

import pytest
import torch
from rich.console import Console

import hwsim
from neuro.runs import open_run, run_for
from neuro.training.classifier import Classifier
from neuro.training.fit import load_checkpoint
from neuro.training.progress import History
from neuro.training.samples import EpochShuffle, shifted
from neuro.training.train import load_splits, load_stacks, train
from tests.neuro.tiny import TINY, tiny


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))


def quiet():
    return Console(file=io.StringIO())


def trained(recipe, root):
    run = run_for(recipe, root)
    return run, train(run, quiet())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run trained without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))
        torch.set_num_threads(1)
        return trained(tiny(), tmp_path_factory.mktemp("whole"))


def state_of(run, phase, name="best"):
    path = run.path / phase / f"{name}.ckpt"
    return torch.load(path, weights_only=False)["state_dict"]


def assert_same_weights(a, b):
    for phase in ("float", "qat"):
        ours, theirs = state_of(a, phase), state_of(b, phase)
        assert ours.keys() == theirs.keys()
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), (phase, name)
    nets = [hwsim.load_network(run.chip_network) for run in (a, b)]
    assert nets[0].digest == nets[1].digest


def test_a_result_is_complete(whole):
    run, result = whole
    assert json.loads((run.path / "result.json").read_text()) == result
    assert result["n_classes"] == len(result["class_names"]) == 10
    assert result["samples"] == {"fit": 40, "hold": 10, "test": 20}
    assert (result["seed"], result["data"], result["chip"]) == (3, "nmnist-slice", "loihi1")
    assert result["hash"] == run.recipe.digest()
    for phase, epochs in (("float", 2), ("quantised", 1)):
        rows = result[phase]["history"]
        assert [row["epoch"] for row in rows] == list(range(1, epochs + 1))
        assert 1 <= result[phase]["best_epoch"] <= epochs
        best = min(rows, key=lambda row: row["hold_loss"])
        assert result[phase]["best_epoch"] == best["epoch"]
        for part, n in (("hold", 10), ("test", 20)):
            assert 0 <= result[phase][part]["n_correct"] <= result[phase][part]["n_total"] == n
    assert open_run(run.path).recipe == run.recipe


def test_no_half_written_file_stays(whole):
    run, _ = whole
    assert not [path for path in run.path.rglob("*") if path.suffix in (".part", ".tmp")]
    assert {path.name for path in run.path.iterdir()} == {
        "recipe.json", "result.json", "network.h5", "chip.h5", "float", "qat", "curves.svg",
    }  # fmt: skip


def test_the_networks_are_those_of_the_chosen_checkpoints(whole):
    run, result = whole
    stack, qstack = load_stacks(run, splits := load_splits(run, None))
    real, chip = hwsim.load_network(run.real_network), hwsim.load_network(run.chip_network)
    from neuro import export

    assert (export(stack).digest, export(qstack).digest) == (real.digest, chip.digest)
    done = hwsim.simulate(chip, splits.test.frames)
    right = int((done.output.argmax(1) == splits.test.labels).sum())
    assert right == result["quantised"]["test"]["n_correct"]


def test_a_second_call_returns_at_once(whole, monkeypatch):
    run, result = whole
    monkeypatch.setattr("neuro.training.train.load_splits", None)  # nothing is loaded again
    assert train(run, quiet()) == result


def test_a_loss_that_is_no_number_ends_training(neuro, tmp_path):
    wild = TINY.replace("lr = 1e-2", "lr = 1e30")
    (tmp_path / "wild.toml").write_text(wild, encoding="utf-8")
    for _ in range(2):  # nothing is kept of that epoch to go on from
        code, _, err = neuro("train", "wild.toml")
        assert code == 1
        assert "error: after epoch 1 the loss is nan" in err
        assert err.rstrip().endswith("lower `lr`, 1e+30 here")
    assert not list(tmp_path.rglob("result.json"))
    assert not list(tmp_path.rglob("*.ckpt"))


@pytest.mark.parametrize("phase", ["float", "qat"])
def test_an_interrupted_run_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch, phase):
    wanted, result = whole
    run = run_for(wanted.recipe, tmp_path)
    seen = []
    step = Classifier.training_step

    def interrupted(self, batch, at):
        quantised = hasattr(next(iter(self.stack.blocks.values())), "scale")
        if quantised == (phase == "qat"):
            seen.append(at)
            if len(seen) == (
                6 if phase == "float" else 3
            ):  # in float: the second epoch's 2nd batch
                raise KeyboardInterrupt
        return step(self, batch, at)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(run, quiet())
    assert run.result() is None
    with pytest.raises(FileNotFoundError, match="has not ended: `neuro train` again resumes it"):
        open_run(run.path)
    assert train(run, quiet()) == result
    assert_same_weights(run, wanted)


def test_a_run_that_died_before_its_result_repeats_nothing(whole, tmp_path, monkeypatch):
    wanted, result = whole
    run = run_for(wanted.recipe, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("neuro.training.train.write_json", None)  # dies when it writes the scales
        with pytest.raises(TypeError):
            train(run, quiet())
    calls = []
    with monkeypatch.context() as patch:
        step = Classifier.training_step
        patch.setattr(
            Classifier,
            "training_step",
            lambda self, batch, at: calls.append(self) or step(self, batch, at),
        )
        assert train(run, quiet()) == result
    assert len(calls) == 4  # one epoch in integers
    assert_same_weights(run, wanted)


DAMAGE = {
    "cut": lambda raw: raw[: len(raw) // 2],
    "empty": lambda raw: b"",
    "other": lambda raw: b"x" * 99,
}


@pytest.mark.parametrize("damage", sorted(DAMAGE))
def test_a_damaged_checkpoint_is_one_clear_error(tmp_path, monkeypatch, damage):
    recipe = tiny()
    run = run_for(recipe, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("neuro.training.train._fit_integers", None)  # ends after the float phase
        with pytest.raises(TypeError):
            train(run, quiet())
    last = run.path / "float" / "last.ckpt"
    last.write_bytes(DAMAGE[damage](last.read_bytes()))
    with pytest.raises(ValueError, match=r"is damaged: delete .* to start over") as error:
        train(run, quiet())
    assert "\n" not in str(error.value)
    assert str(last) in str(error.value)
    assert run.result() is None


def test_without_fine_tuning_the_rounded_network_is_kept(tmp_path):
    run, result = trained(tiny(**{"[qat]\nepochs = 1": "[qat]\nepochs = 0"}), tmp_path)
    assert result["quantised"]["history"] == []
    assert hwsim.load_network(run.chip_network).is_integer
    _, qstack = load_stacks(run, load_splits(run, None))
    from neuro import export

    assert export(qstack).digest == hwsim.load_network(run.chip_network).digest


def test_same_seed_same_weights_another_seed_others(whole, tmp_path):
    wanted, result = whole
    again, repeated = trained(wanted.recipe, tmp_path)
    assert repeated == result
    assert_same_weights(again, wanted)
    other, _ = trained(wanted.recipe.with_seed(4), tmp_path)
    assert other.path != again.path
    ours, theirs = state_of(other, "float"), state_of(wanted, "float")
    assert not torch.equal(ours["stack.blocks.conv1.synapses.weight"],
                           theirs["stack.blocks.conv1.synapses.weight"])  # fmt: skip


def test_what_the_chip_has_not_is_said_before_training(tmp_path, monkeypatch):
    recipe = tiny(**{"dropout = 0.2": "neuron = { refractory = 64 }"})
    monkeypatch.setattr("neuro.training.train._fit_float", None)  # never reached
    with pytest.raises(ValueError, match="layer 'conv1' has a refractory time"):
        train(run_for(recipe, tmp_path), quiet())


def test_every_epoch_has_its_own_order_whatever_came_before():
    sampler, resumed = EpochShuffle(50, seed=1), EpochShuffle(50, seed=1)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        orders.append(list(sampler))
        assert sorted(orders[-1]) == list(range(50))
    assert orders[0] != orders[1]
    resumed.set_epoch(2)
    assert list(resumed) == orders[2]


@pytest.mark.parametrize("by", [(0, 0), (1, 0), (-2, 3), (4, -4), (9, 0), (-9, 9)])
def test_a_shift_moves_and_drops(by):
    x = torch.rand(1, 2, 4, 5)
    out = shifted(x, torch.tensor([by]))
    for row in range(4):
        for col in range(5):
            at = (row - by[0], col - by[1])
            inside = 0 <= at[0] < 4 and 0 <= at[1] < 5
            wanted = x[0, :, at[0], at[1]] if inside else torch.zeros(2)
            assert torch.equal(out[0, :, row, col], wanted)


def test_a_history_travels_in_the_checkpoint():
    one, other = History(), History()
    one.rows.append({"epoch": 1, "hold_loss": 0.5})
    other.load_state_dict(one.state_dict())
    assert other.rows == one.rows


def test_the_last_epoch_is_kept_where_an_earlier_one_was_the_best(tmp_path):
    recipe = tiny(**{"epochs = 2": "epochs = 4", "lr = 1e-2": "lr = 1.0"})
    run, result = trained(recipe, tmp_path)
    assert result["float"]["best_epoch"] < 4
    kept = {
        name: load_checkpoint(run.path / "float" / f"{name}.ckpt")["epoch"] + 1
        for name in ("best", "last")
    }
    assert kept == {"best": result["float"]["best_epoch"], "last": 4}
