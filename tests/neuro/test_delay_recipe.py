"""Layers of delays from a recipe: trained, kept within their kernels, carried onto a chip."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

import hwsim
from neuro.deploy import deploy
from neuro.models.build import build_stack
from neuro.recipe import LayerSpec
from neuro.reporting import write
from neuro.runs import run_for
from neuro.spiking import Delay
from neuro.training.classifier import Classifier, half_cosine, one_cycle
from neuro.training.train import fresh_stack, load_splits, load_stacks, train
from tests.neuro.tiny import TINY, tiny

CONV = """name = "conv1"
kind = "conv"
size = 4
stride = 3
norm = true
dropout = 0.2
"""
DELAY = """name = "delay1"
kind = "delay"
size = 12
taps = 5
delays = "learned"
norm = true
"""
DENSE = 'kind = "dense"\n'
READ = 'kind = "delay"\ntaps = 3\n'


def recipe(**changes):
    return tiny(TINY.replace(CONV, DELAY).replace(DENSE, READ), **changes)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    run = run_for(recipe(), tmp_path_factory.mktemp("delays"))
    result = train(run, Console(quiet=True))
    return run, result, load_splits(run, None)


def delays_of(stack):
    return [block.synapses for block in stack.blocks.values()]


def test_positions_move_within_their_kernels(trained):
    run, _, splits = trained
    before, (after, _) = fresh_stack(run, splits), load_stacks(run, splits)
    for fresh, learned in zip(delays_of(before), delays_of(after), strict=True):
        low, high = fresh.limits
        assert (fresh.position != learned.position).float().mean() > 0.5
        assert learned.position.min() >= low
        assert learned.position.max() <= high


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            "taps = 5",
            "taps = 64\nbumps = 2",
            "'input -> delay1': max_delay 63 of 62 (lower its `taps` to 63)",
        ),
        (
            "taps = 5",
            'taps = 63\nneuron = { reset = "subtract" }',
            "'delay1': resets subtract of zero, none (train with a reset that the chip has)",
        ),
    ],
)
def test_what_the_chip_has_not_is_said_before_training(tmp_path, old, new, says):
    run = run_for(recipe(**{old: new}), tmp_path)
    with pytest.raises(hwsim.DoesNotFit) as error:
        train(run, Console(quiet=True))
    assert str(error.value) == f"the network does not fit loihi1: layer {says}"
    assert not run.path.exists()


def test_bumps_narrow_from_epoch_to_epoch(monkeypatch):
    module = Classifier(build_stack(recipe().model, (8,), 3), recipe().train, lr=1e-2, seed=0)
    monkeypatch.setattr(Classifier, "trainer", SimpleNamespace(max_epochs=8))
    widths = []
    for epoch in (0, 1, 2, 7):
        monkeypatch.setattr(Classifier, "current_epoch", epoch)
        module.on_train_epoch_start()
        widths.append([float(delay.sigma) for delay in delays_of(module.stack)])
    first = [taps // 2 for taps in (5, 3)]
    middle = [(0.23 * width) ** 0.5 for width in first]
    np.testing.assert_allclose(widths, [first, middle, [0.23] * 2, [0.23] * 2], rtol=1e-6)


def test_delays_settle_before_the_weights(monkeypatch):
    spec = recipe(**{"shift = 1": "shift = 1\ndelay_settle = 0.25"}).train
    module = Classifier(build_stack(recipe().model, (8,), 3), spec, lr=1e-2, seed=0)
    monkeypatch.setattr(Classifier, "trainer", SimpleNamespace(max_epochs=8))
    first = delays_of(module.stack)[0]
    for epoch, whole in ((0, False), (5, False), (6, True), (7, True)):
        monkeypatch.setattr(Classifier, "current_epoch", epoch)
        module.on_train_epoch_start()
        assert first.is_rounded == whole == (not first.position.requires_grad)


def test_fixed_delays_stay_where_they_were_drawn():
    stack = build_stack(recipe(**{'"learned"': '"fixed"'}).model, (8,), 3)
    first, last = delays_of(stack)
    assert not first.position.requires_grad
    assert last.position.requires_grad
    x = torch.randint(0, 2, (6, 2, 8)).float()
    trained = first(x)
    assert torch.equal(trained, first.eval()(x))  # at whole delays in training too
    one_tap = LayerSpec(name="a", kind="delay", size=3, taps=1)
    plain = recipe().model.model_copy(update={"layers": (one_tap,)})
    assert not delays_of(build_stack(plain, (8,), 3))[0].position.requires_grad


def test_draws_follow_the_seed():
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(delays_of(build_stack(recipe().model, (8,), 3))[0].position)
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_the_chip_has_the_delays_that_were_learned(trained):
    run, _, splits = trained
    stack, qstack = load_stacks(run, splits)
    net = hwsim.load_network(run.chip_network)
    for layer, projection in zip(delays_of(stack), net.projections, strict=True):
        assert isinstance(layer, Delay)
        wanted = layer.delays()[:, :, 0]
        dense = np.zeros(wanted.shape, dtype=np.int64)
        synapses = projection.synapses
        if projection.delay.shape == wanted.shape:
            dense = projection.delay
        else:
            dense[synapses.target, synapses.source] = projection.delay
            wanted = np.where(dense == 0, dense, wanted)
        np.testing.assert_array_equal(dense, wanted)
    frames = splits.test.frames[:4]
    chip = hwsim.load_chip("loihi1")
    found = hwsim.simulate(hwsim.compile(net, chip), frames).output
    with torch.no_grad():
        x = torch.from_numpy(np.array(frames > 0)).transpose(0, 1)
        wanted = qstack.trace(x.to(next(qstack.parameters()).dtype)).output.numpy()
    np.testing.assert_array_equal(found, wanted)


def test_delays_are_merged_alike_in_torch_and_on_the_chip(trained):
    run, _, _ = trained
    chip = hwsim.load_chip("loihi1")
    found = deploy(run, chip, max_delay=3, delay_classes=2)
    assert found["parity"]["n_spikes"] > 0
    assert found["parity"]["n_different"] == found["parity"]["n_answers_different"] == 0
    first, last = found["delays"]["merged"]
    assert (first["delays"], first["classes"], last["classes"]) == (5, 2, 2)
    assert first["clipped"] > 0
    assert first["longest"] <= 3
    page, plain = write(run, chip)
    assert "Delays, and the memory that they take" in page.read_text("utf-8")
    memory = json.loads(plain.read_text("utf-8"))["delay_memory"]
    assert memory == found["delay_memory"]
    assert [row["values"] for row in memory["layers"]] == [2, 2]
    assert "--max-delay 3 --delay-classes 2" in page.read_text("utf-8")


def test_integers_are_trained_with_the_classes_that_the_chip_has(tmp_path):
    asked = {"[qat]": "[qat]\ndelay_classes = 2", "epochs = 2": "epochs = 1"}
    run = run_for(recipe(**asked), tmp_path)
    train(run, Console(quiet=True))
    net = hwsim.load_network(run.chip_network)
    assert [np.unique(p.delay).size for p in net.projections] == [2, 2]
    real, _ = hwsim.quantize_delays(hwsim.load_network(run.real_network), n_classes=2)
    _, qstack = load_stacks(run, load_splits(run, None))
    for p, q, delay in zip(net.projections, real.projections, delays_of(qstack), strict=True):
        np.testing.assert_array_equal(delay.delays()[..., 0], p.delay)
        assert set(np.unique(p.delay)) == set(np.unique(q.delay))


def test_recipes_without_delays_keep_the_names_of_their_runs():
    text = tiny().model_dump_json()
    for name in ("taps", "bump", "delays", "delay_lr", "delay_settle"):
        assert f'"{name}"' not in text
    assert '"taps":5' in recipe().model_dump_json()
    other = recipe(**{"shift = 1": "shift = 1\ndelay_lr = 0.05"})
    assert '"delay_lr":0.05' in other.model_dump_json()


def test_the_factor_of_one_cycle_is_torchs():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=100)
    for step in range(100):
        assert schedule.get_last_lr()[0] == pytest.approx(one_cycle(step / 99), abs=0.03)
        optimizer.step()
        schedule.step()
    assert [half_cosine(x) for x in (0.0, 1.0, 2.0)] == [1.0, 0.0, 0.0]
