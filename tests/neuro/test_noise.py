"""Training with noise: what the noise is, what gradients see, what evaluation and export are."""

import copy
import csv
import hashlib
import io
from importlib import metadata

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from torch import nn
from torch.nn import functional as F

import hwsim
from experiments import spread
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import compile_crossbar
from neuro.models.stack import Block, Stack
from neuro.recipe import NoiseSpec
from neuro.runs import run_for
from neuro.spiking import LIF
from neuro.to_network import export
from neuro.training.classifier import Classifier
from neuro.training.noise import (
    NoiseBlock,
    accuracy_under_spread,
    correct_under_spread,
    noisy,
    on_chip,
)
from neuro.training.samples import Samples
from neuro.training.train import load_splits, train
from tests.crossbar_chips import EXACT, IDEAL, chip_with
from tests.neuro.tiny import TINY, tiny


def small_stack():
    """A convolution with BatchNorm that has seen data, and a read-out."""
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(4)
    conv = Block(nn.Conv2d(2, 4, 3, 2, 1, bias=False), LIF(decay_v=0.8, v_th=0.7), norm=norm)
    dense = nn.Linear(4 * 3 * 3, 3, bias=False)
    readout = LIF(decay_v=1.0, emits="nothing", reset="none", bias_shape=(3,))
    stack = Stack({"conv": conv, "readout": Block(dense, readout)}, (2, 6, 6))
    for _ in range(20):
        stack(as_torch(frames()))
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
        norm.bias.normal_()
    return stack.eval()


def frames(n=16, steps=12):
    return (np.random.default_rng(0).random((n, steps, 2, 6, 6)) < 0.4).astype(np.uint8)


def as_torch(samples):
    return torch.from_numpy(samples).transpose(0, 1).float()


def identity(size, spec, weight=None):
    """A dense block whose read-out shows its weights: one input neuron at a time."""
    dense = nn.Linear(size, size, bias=False)
    if weight is not None:
        dense.weight = nn.Parameter(weight)
    return NoiseBlock(Block(dense, LIF(decay_v=0.0, emits="nothing", reset="none")), spec)


def held(block):
    """The weights that a pass of an `identity` block used."""
    size = block.synapses.weight.shape[1]
    with torch.no_grad():
        return block(torch.eye(size)[None])[0].T


@pytest.mark.parametrize("train", [True, False])
def test_without_spread_and_window_it_is_the_folded_stack_bit_for_bit(train):
    folded = small_stack().folded()
    ours = noisy(copy.deepcopy(folded), NoiseSpec(spread=0))
    losses = []
    for stack in (folded.train(train), ours.train(train)):
        loss = F.cross_entropy(stack(as_torch(frames())), torch.arange(16) % 3)
        loss.backward()
        losses.append(loss)
    assert torch.equal(*losses)
    for one, other in zip(folded.parameters(), ours.parameters(), strict=True):
        assert torch.equal(one, other)
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.equal(one.grad, other.grad)


@pytest.mark.parametrize("clip_sd", [None, 1.0])
def test_evaluation_fires_the_spikes_of_the_exported_network(clip_sd):
    stack = noisy(small_stack().double(), NoiseSpec(spread=0.3, clip_sd=clip_sd, adc_bits=3)).eval()
    with torch.no_grad():
        trace = stack.trace(as_torch(frames()).double())
    assert 0.05 < trace.spikes["conv"].mean() < 0.95
    net = export(stack)
    run = hwsim.simulate(net, frames(), record=("spikes",))
    ours = trace.spikes["conv"].flatten(2).transpose(0, 1).numpy()
    np.testing.assert_array_equal(run.aligned("conv"), ours)
    np.testing.assert_allclose(run.output, trace.output.numpy(), rtol=1e-9, atol=1e-12)
    assert export(stack.folded()).digest == net.digest


@given(st.floats(0.5, 4), st.integers(0, 2**31))
def test_the_window_ends_at_so_many_deviations(clip_sd, seed):
    torch.manual_seed(seed)
    block = identity(12, NoiseSpec(clip_sd=clip_sd), torch.randn(12, 12))
    master = block.synapses.weight.detach().numpy()
    limit = clip_sd * master.std(ddof=1)
    wanted = np.clip(master, -np.float32(limit), np.float32(limit))
    np.testing.assert_allclose(block.weight().detach().numpy(), wanted, rtol=1e-6)
    assert torch.equal(held(block.eval()), block.weight())
    assert torch.equal(block.folded().synapses.weight, block.weight())


def twin(weight, draws, spread, law=(1.0,), floor=False):
    """What two cells for every weight hold, each with its own error; one cell after the other."""
    held, w_max = np.zeros(draws.shape[1:]), np.abs(weight).max()
    for sign, draw in zip((1, -1), draws, strict=True):
        x = np.where(sign * weight > 0, np.abs(weight) / w_max, 0.0)
        g = x + spread * sum(c * x**i for i, c in enumerate(law)) * draw
        held += sign * w_max * (np.where(g < 0, 0, g) if floor else g)
    return held


@pytest.mark.parametrize("floor", [False, True])
@pytest.mark.parametrize("law", [(1.0,), (0.2, 2.0, -1.5)])
def test_the_noise_is_that_of_two_cells(law, floor):
    """Mean and sd of each weight, within 5 sigma of sampling (7, of the floor's long tail)."""
    weight = torch.tensor([[-2.0, -0.5, 0.0], [0.1, 1.0, 2.0], [1.5, -1.0, 0.7]])
    block = identity(3, NoiseSpec(spread=0.1, law=law, floor=floor), weight).train()
    passes = np.stack([held(block).numpy() for _ in range(4000)])
    wanted, many = weight.numpy().astype(float), 40_000
    slow = twin(wanted, np.random.default_rng(1).standard_normal((2, many, 3, 3)), 0.1, law, floor)
    sd, mean = slow.std(0), slow.mean(0)
    np.testing.assert_allclose(passes.std(0), sd, rtol=(7 if floor else 5) / np.sqrt(2 * 4000))
    assert (np.abs(passes.mean(0) - mean) < 5.5 * sd / np.sqrt(4000)).all()
    if floor:
        up = 0.1 * 2 * law[0] / np.sqrt(2 * np.pi)  # the idle cell of -2 misses only upwards
        assert mean[0, 0] == pytest.approx(-2 + up, abs=5 * sd[0, 0] / np.sqrt(many))
        return
    assert (np.abs(mean - wanted) < 5 * sd / np.sqrt(many)).all()
    by_hand = {
        (1.0,): (np.sqrt(2), np.sqrt(2)),
        (0.2, 2.0, -1.5): (np.hypot(0.7, 0.2), 0.2 * 2**0.5),
    }
    full, idle = by_hand[law]  # of |w| = w_max = 2, and of w = 0
    np.testing.assert_allclose(sd[1, 2], 0.1 * 2 * full, rtol=5 / np.sqrt(2 * many))
    np.testing.assert_allclose(sd[0, 2], 0.1 * 2 * idle, rtol=5 / np.sqrt(2 * many))


def test_every_pass_is_another_chip_but_all_samples_of_one_share_it():
    block = identity(4, NoiseSpec(spread=0.1)).train()
    x = torch.ones(3, 5, 4)
    one, other = block(x), block(x)
    assert not torch.equal(one, other)
    assert torch.equal(one, one[:1, :1].expand_as(one))


@pytest.mark.parametrize("spec", [
    NoiseSpec(spread=0.2), NoiseSpec(spread=0, clip_sd=0.5), NoiseSpec(spread=0, adc_bits=2),
    NoiseSpec(spread=0.2, clip_sd=0.5, adc_bits=3, law=(0.5, 1.0)),
    NoiseSpec(spread=0.2, floor=True),
])  # fmt: skip
def test_noise_window_and_converter_are_invisible_to_the_gradient(spec):
    """Of a read-out, a linear function of its weights, the gradient is that without them."""
    dense = nn.Linear(5, 3, bias=False)
    stack = Stack({"a": Block(dense, LIF(decay_v=0.5, emits="nothing"))}, (5,))
    x, factor, gradients, answers = (torch.rand(6, 4, 5) < 0.5).float(), torch.randn(4, 3), [], []
    for one in (stack, noisy(stack, spec)):
        dense.weight.grad = None
        answers.append(one.train()(x))
        (answers[-1] * factor).sum().backward()
        gradients.append(dense.weight.grad.clone())
    torch.testing.assert_close(*gradients)
    assert not torch.allclose(*answers)  # the answers themselves are disturbed


def test_gradients_reach_every_parameter():
    stack = noisy(small_stack(), NoiseSpec(spread=0.1, clip_sd=2, adc_bits=4)).train()
    F.cross_entropy(stack(as_torch(frames())), torch.arange(16) % 3).backward()
    for name, parameter in stack.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert (parameter.grad != 0).any(), name


def test_a_converter_rounds_to_its_levels_over_the_running_range():
    block = identity(2, NoiseSpec(spread=0, adc_bits=3), torch.tensor([[1.0, 0.4], [-0.6, 0.1]]))
    block.train()
    np.testing.assert_allclose(held(block), [[1, 1 / 3], [-2 / 3, 0]], rtol=1e-6)
    with torch.no_grad():
        block(2 * torch.eye(2)[None])
    assert block.adc_range.item() == pytest.approx(0.9 * 1 + 0.1 * 2)
    with on_chip(Stack({"a": block}, (2,)), np.random.default_rng(0)):
        np.testing.assert_allclose(held(block.eval())[0, 0], 1.1 / 3 * 3, rtol=1e-6)
    assert block.adc_range.item() == pytest.approx(1.1)  # evaluation moves nothing


def test_training_may_have_a_spread_of_its_own():
    block = identity(40, NoiseSpec(spread=0.0, train_spread=0.1), torch.ones(40, 40))
    assert held(block.train()).std().item() == pytest.approx(0.1 * np.sqrt(2), rel=0.1)
    with on_chip(Stack({"a": block}, (40,)), np.random.default_rng(0)):
        assert torch.equal(held(block.eval()), torch.ones(40, 40))


def test_one_chip_is_the_same_in_every_batch_and_gone_afterwards():
    stack = noisy(small_stack(), NoiseSpec(spread=0.1)).eval()
    x, answers = as_torch(frames()), []
    with torch.no_grad():
        for seed in (0, 0, 1):
            with on_chip(stack, np.random.default_rng(seed)):
                answers.append(stack(x))
                assert torch.equal(answers[-1], stack(x))
        clean = stack(x)
    assert torch.equal(answers[0], answers[1])
    assert not torch.equal(answers[0], answers[2])
    assert torch.equal(clean, stack.folded()(x))


def test_a_layer_of_zeros_has_no_noise():
    block = identity(3, NoiseSpec(spread=0.5, clip_sd=2), torch.zeros(3, 3)).train()
    assert torch.equal(held(block), torch.zeros(3, 3))


def test_batchnorm_is_to_be_folded_first():
    block = Block(nn.Linear(4, 3, bias=False), LIF(), norm=nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="fold BatchNorm before training with noise"):
        NoiseBlock(block, NoiseSpec())


@pytest.mark.parametrize(("wrong", "says"), [
    ({"spread": -0.1}, "spread"), ({"spread": float("nan")}, "spread"), ({"clip_sd": 0}, "clip_sd"),
    ({"adc_bits": 1}, "adc_bits"), ({"law": ()}, "law"), ({"law": (1.0, -2.0)}, "falls to -1"),
])  # fmt: skip
def test_a_wrong_specification_is_refused(wrong, says):
    with pytest.raises(ValueError, match=says):
        NoiseSpec(**wrong)


# A chip is what it is, however its weights arrive


def labelled(n=40):
    """Samples that a small stack answers, as its own answers have it."""
    some = frames(n)
    with torch.no_grad():
        labels = small_stack()(as_torch(some)).argmax(1).numpy()
    return Samples(some, labels, ("a", "b", "c"), "made", "test")


@pytest.mark.parametrize("floor", [False, True])
def test_chips_of_an_evaluation_are_perturbed_networks(floor):
    """Slow twin: the simulator on networks whose weights carry the same draws."""
    stack, samples = small_stack().double(), labelled()
    found = correct_under_spread(stack, samples, NoiseSpec(spread=0.2, floor=floor), 3, seed=5)
    net = export(stack)
    for chip in range(3):
        rng, projections = np.random.default_rng((5, chip)), []
        for p in net.projections:
            w = p.synapses.weight
            moved = twin(w, rng.standard_normal((2, *w.shape)), 0.2, floor=floor)
            synapses = type(p.synapses)(**{**_fields(p.synapses), "weight": moved})
            projections.append(hwsim.Projection.of(p.source, p.target, synapses))
        moved_net = hwsim.Network(net.populations, tuple(projections), net.dt_s)
        answers = hwsim.simulate(moved_net, samples.frames).output
        assert found[chip] == (answers.argmax(1) == samples.labels).sum()


def _fields(synapses):
    return {name: getattr(synapses, name) for name in synapses.__dataclass_fields__}


def test_chips_are_those_of_the_crossbar_engine():
    """Another program, another path from weight to cell, other draws: the same mean and spread."""
    stack, samples, n_chips, spread = small_stack().double(), labelled(10), 200, 0.1
    device, x = IDEAL.spread(spread), as_torch(samples.frames).double()
    plan = compile_crossbar(export(stack), chip_with(EXACT), samples.frames, device=device)
    runs = [simulate_crossbar(fabricate(plan, seed=i), samples.frames) for i in range(n_chips)]
    theirs, ours = np.array([run.output for run in runs]), {}
    for floor in (True, False):
        chip, found = noisy(stack, NoiseSpec(spread=spread, floor=floor)).eval(), []
        for i in range(n_chips):
            with torch.no_grad(), on_chip(chip, np.random.default_rng(i)):
                found.append(chip(x).numpy())
        ours[floor] = np.array(found)
    z = (ours[True].mean(0) - theirs.mean(0)) / np.sqrt(
        (ours[True].var(0) + theirs.var(0)) / n_chips
    )
    assert np.abs(z).max() < 5
    ratio = {floor: np.sqrt(a.var(0).mean() / theirs.var(0).mean()) for floor, a in ours.items()}
    assert ratio[True] == pytest.approx(1, abs=0.08)
    assert ratio[False] > 1.08  # the engine's cells stop at zero: without that it would show


def test_a_network_and_its_stack_have_the_same_accuracies():
    stack, samples = small_stack().double(), labelled()
    ours = accuracy_under_spread(stack, samples, 0.15, 5, seed=1)
    assert ours.shape == (5,)
    assert len(set(ours)) > 1
    np.testing.assert_array_equal(accuracy_under_spread(export(stack), samples, 0.15, 5, 1), ours)
    np.testing.assert_array_equal(accuracy_under_spread(stack, samples, 0.15, 2, 1), ours[:2])
    assert accuracy_under_spread(stack, samples, 0.0, 1, seed=1) == 1
    assert accuracy_under_spread(stack, samples, 1.0, 20, seed=1).mean() < ours.mean()


# What it is for


def task(n, seed):
    """Ten noisy patterns of 24 inputs over 6 steps, (n, steps, inputs), and their labels."""
    patterns = 0.4 * (np.random.default_rng(0).random((10, 24)) < 0.4)
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, n)
    some = rng.random((n, 6, 24)) < 0.1 + patterns[labels][:, None]
    return Samples(some.astype(np.uint8), labels, tuple("0123456789"), "patterns", "test")


def narrow_stack():
    """Three layers of twelve neurons: few enough that none can stand in for another."""
    torch.manual_seed(3)
    blocks, n_inputs = {}, 24
    for i in range(3):
        dense, norm = nn.Linear(n_inputs, 12, bias=False), nn.BatchNorm1d(12)
        blocks[f"hidden{i}"] = Block(dense, LIF(decay_v=0.8), norm=norm)
        n_inputs = 12
    readout = LIF(decay_v=1.0, emits="nothing", reset="none")
    return Stack({**blocks, "readout": Block(nn.Linear(12, 10, bias=False), readout)}, (24,))


def taught(stack, samples, *, steps, lr):
    """A plain loop: AdamW, batches of 64."""
    torch.manual_seed(1)
    optimizer = torch.optim.AdamW(stack.train().parameters(), lr=lr)
    x, labels = as_torch(samples.frames), torch.from_numpy(samples.labels)
    for _ in range(steps):
        some = torch.randint(len(labels), (64,))
        optimizer.zero_grad()
        F.cross_entropy(stack(x[:, some]), labels[some]).backward()
        optimizer.step()
    return stack.eval()


def test_training_with_noise_recovers_half_of_what_a_spread_of_a_tenth_costs():
    """Against as many more steps without noise, mean over twenty chips."""
    fit, test = task(800, 1), task(300, 2)
    stack = taught(narrow_stack(), fit, steps=200, lr=1e-2).folded()
    aware = noisy(copy.deepcopy(stack), NoiseSpec(spread=0.1, clip_sd=1.5))
    plain, aware = (taught(one, fit, steps=300, lr=5e-3) for one in (stack, aware))
    clean, before, after = (
        accuracy_under_spread(one, test, spread, 20, seed=4).mean()
        for one, spread in ((plain, 0.0), (plain, 0.1), (aware, 0.1))
    )
    assert clean > 0.9
    assert clean - before > 0.1
    assert after - before > (clean - before) / 2


# As a stage of a run

NOISE = "[noise]\nepochs = 2\nspread = 0.05\nclip_sd = 2.0\nadc_bits = 6\ndraws = 2\n[[model"


def quiet():
    return Console(file=io.StringIO())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with noise, trained without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))
        torch.set_num_threads(1)
        run = run_for(tiny(**{"[[model": NOISE}), tmp_path_factory.mktemp("whole"))
        return run, train(run, quiet())


def test_a_run_has_the_network_and_its_accuracies(whole):
    run, result = whole
    found, net = result["noise"], hwsim.load_network(run.noise_network)
    best = min(found["history"], key=lambda row: row["hold_loss"])
    assert (len(found["history"]), found["best_epoch"]) == (2, best["epoch"])
    assert found["spread"] == 0.05
    splits = load_splits(run, None)
    for part in ("hold", "test"):
        samples = getattr(splits, part)
        answers = hwsim.simulate(net, samples.frames).output.argmax(1)
        assert found[part]["n_correct"] == (answers == samples.labels).sum()
        assert found[part]["n_total"] == len(samples)
    chips = found["test_of_chips"]
    for name, path in (("before", run.real_network), ("after", run.noise_network)):
        cells, net = NoiseSpec(spread=0.05), hwsim.load_network(path)
        again = correct_under_spread(net, splits.test, cells, 30, seed=3)
        np.testing.assert_array_equal(chips[name], again)


def test_the_table_of_spreads_is_that_of_both_networks(whole, capsys):
    run, result = whole
    spread.main(str(run.path))
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [float(row["spread"]) for row in rows] == 4 * list(spread.SPREADS)
    found = {
        (row["trained"], float(row["spread"])): float(row["mean"])
        for row in rows
        if row["floor"] == "0"
    }
    for key, trained in (("before", "plain"), ("after", "with noise")):
        chips = result["noise"]["test_of_chips"][key]
        assert found[trained, 0.05] == pytest.approx(np.mean(chips) / 20, abs=1e-4)
    assert found["with noise", 0.0] * 20 == result["noise"]["test"]["n_correct"]
    for row in rows:
        assert 0 <= float(row["p5"]) <= float(row["mean"]) <= float(row["p95"]) <= 1


def test_the_weights_of_the_network_are_within_the_window(whole):
    run, _ = whole
    state = torch.load(run.path / "noise" / "best.ckpt", weights_only=False)["state_dict"]
    for p in hwsim.load_network(run.noise_network).projections:
        master = state[f"stack.blocks.{p.target}.synapses.weight"].double().numpy()
        assert np.abs(p.synapses.weight).max() <= 2 * master.std(ddof=1) * (1 + 1e-6)
        assert state[f"stack.blocks.{p.target}.adc_range"] > 0


def test_an_interrupted_stage_goes_on_to_the_same_bits(whole, tmp_path, monkeypatch):
    wanted, result = whole
    run, seen, step = run_for(wanted.recipe, tmp_path), [], Classifier.training_step

    def interrupted(self, batch, at):
        if self.chips:
            seen.append(at)
            if len(seen) == 6:  # the second epoch's second batch
                raise KeyboardInterrupt
        return step(self, batch, at)

    with monkeypatch.context() as patch:
        patch.setattr(Classifier, "training_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(run, quiet())
    assert run.result() is None
    assert train(run, quiet()) == result
    digests = [hwsim.load_network(r.noise_network).digest for r in (run, wanted)]
    assert digests[0] == digests[1]


def test_noise_changes_nothing_of_the_other_stages(whole, tmp_path):
    run, result = whole
    plain = run_for(tiny(), tmp_path)
    without = train(plain, quiet())
    assert "noise" not in without
    assert not plain.noise_network.exists()
    for key in ("float", "quantised"):
        assert result[key] == without[key]
    for name in ("real_network", "chip_network"):
        one, other = (hwsim.load_network(getattr(r, name)).digest for r in (run, plain))
        assert one == other


def test_a_recipe_without_noise_keeps_the_digest_it_had_before_there_was_noise():
    recipe = tiny()
    before = recipe.model_dump_json().replace(f',"noise":{recipe.noise.model_dump_json()}', "")
    assert '"noise"' not in before
    text = before + metadata.version("neuro-hwsim")
    assert recipe.digest() == hashlib.sha256(text.encode()).hexdigest()[:10]
    assert recipe.digest() == tiny(TINY, **{"[[model": "[noise]\nepochs = 0\n[[model"}).digest()


def test_the_command_says_what_noise_training_reached(whole, neuro, tmp_path, monkeypatch):
    run, result = whole
    (tmp_path / "tiny.toml").write_text(TINY.replace("[[model", NOISE, 1), encoding="utf-8")
    code, out, _ = neuro("train", "tiny.toml", "--runs", run.path.parent)
    assert code == 0
    chips = result["noise"]["test_of_chips"]
    means = [sum(chips[name]) / 30 / 20 for name in ("after", "before")]
    line = next(line for line in out.splitlines() if line.startswith("with noise"))
    assert "at a spread of 5% of a cell's range {:.1%}, before {:.1%}".format(*means) in line
