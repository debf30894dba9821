"""Recipes of the paper of learned delays: its sizes, its answer, and a run on small files."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from neuro.datasets.speech_commands import FOLDER, WORDS
from rich.console import Console
from torch import nn

from hwsim.chips.files import load_neurocores
from neuro.models.build import build_stack
from neuro.models.dropout import NeuronDropout
from neuro.models.stack import Block, Stack
from neuro.recipe import load_recipe, parse_recipe
from neuro.runs import open_run, run_for
from neuro.spiking import LIF
from neuro.to_network import export
from neuro.training.classifier import Classifier
from neuro.training.noise import noisy
from neuro.training.qat import with_scales
from neuro.training.train import train
from tests.datasets.heidelberg_files import write_set
from tests.datasets.test_speech_commands import tone, wav
from tests.neuro.tiny import tiny

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
SMALL = {r"epochs = \d\d+": "epochs = 1", r"batch_size = \d+": "batch_size = 35",
         r"size = (256|512)": "size = 6", r"n_steps = \d+, window_s": "n_steps = 102, window_s",
         r"window_s = [\d.]+": "window_s = 1.02"}  # fmt: skip


def small(name, **changes):
    """A shipped recipe with few neurons, one epoch, short samples; all else as it is."""
    text = (EXPERIMENTS / name / "recipe.toml").read_text(encoding="utf-8")
    for old, new in (SMALL | changes).items():
        text, n = re.subn(old, new, text)
        assert n, old
    return parse_recipe(text, name)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """SHD, SSC and GSC, a few samples each."""
    place = write_set(write_set(tmp_path_factory.mktemp("speech"), "shd"), "ssc", n=35)
    for i, word in enumerate(WORDS):
        (place / FOLDER / word).mkdir(parents=True)
        for k in range(3):
            (place / FOLDER / word / f"{k}.wav").write_bytes(wav(tone(200 + 100 * i)))
    for k, file in ((1, "validation_list.txt"), (2, "testing_list.txt")):
        (place / FOLDER / file).write_text("".join(f"{word}/{k}.wav\n" for word in WORDS))
    return place


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize(
    ("name", "n_inputs", "n_classes", "n_parameters"),
    [
        ("shd-delays", 140, 20, 214_016),
        ("ssc-delays", 140, 35, 1_230_848),
        ("gsc-delays", 140, 35, 1_230_848),
        ("gsc-spikes-delays", 64, 35, 1_153_024),
    ],
)
def test_parameters_are_as_many_as_in_the_paper(name, n_inputs, n_classes, n_parameters):
    """A weight and a position a synapse, two a neuron with BatchNorm: 0.2 M and 1.2 M."""
    stack = build_stack(load_recipe(name).model, (n_inputs,), n_classes)
    assert sum(p.numel() for p in stack.parameters()) == n_parameters


@pytest.mark.parametrize("name", ["shd-delays", "ssc-delays", "gsc-delays"])
def test_neurons_and_rates_are_those_of_the_paper(name):
    recipe = load_recipe(name)
    tau = 1.005 if name == "shd-delays" else 1.5
    for layer in recipe.model.layers:
        assert layer.neuron.decay_v == pytest.approx(1 - 1 / tau, abs=1e-15)
        assert layer.taps == (25 if name == "shd-delays" else 31)
        assert (layer.bumps, layer.bump, layer.delays) == (1, "gauss", "learned")
        assert layer.right_pad == layer.taps // 2
        assert layer.dropout_of == "neurons" or not layer.dropout
    assert (recipe.train.lr, recipe.train.delay_lr, recipe.dt_s) == (5e-3, 0.1, 0.01)
    n_steps = recipe.data.binning.n_steps
    assert n_steps == {"shd-delays": 140, "ssc-delays": 100, "gsc-delays": 101}[name]
    assert recipe.data.binning.window_us == n_steps * 10_000


@pytest.mark.parametrize(("name", "n"), [("shd", 20), ("ssc", 35), ("gsc", 35)])
def test_a_recipe_trains_and_says_that_no_chip_runs_it(name, n, root, tmp_path):
    run = run_for(small(f"{name}-delays"), tmp_path)
    result = train(run, Console(quiet=True), root=str(root))
    assert result["samples"] == {"fit": n, "hold": n, "test": 40 if name == "shd" else 35}
    assert result["float"]["best_epoch"] == 1
    assert np.isfinite(result["float"]["history"][0]["hold_loss"])
    assert result["quantised"] is None
    assert train(run, Console(quiet=True), root=str(root)) == result
    with pytest.raises(ValueError, match=r"was trained in floats alone: .*take `") as error:
        open_run(run.path)
    assert ("gsc-spikes" in str(error.value)) == (name == "gsc")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "reason"),
    [("shd", 'softmax.* take `score = "last"`'), ("gsc", "gsc has analogue .*take `gsc-spikes`")],
)
def test_integers_are_refused_before_anything_is_trained(name, reason, root, tmp_path):
    asked = small(f"{name}-delays", **{"epochs = 0": "epochs = 2"})
    run = run_for(asked, tmp_path)
    with pytest.raises(ValueError, match=rf"{reason}.*in floats alone: `epochs = 0` in \[qat\]"):
        train(run, Console(quiet=True), root=str(root))
    assert not run.path.exists()


def test_every_layer_runs_longer_than_the_one_before_it():
    stack = build_stack(small("shd-delays").model, (140,), 20).eval()
    x = torch.zeros(102, 2, 140)
    lengths = [spikes.shape[0] for spikes in stack.trace(x).spikes.values()]
    assert lengths == [114, 126]
    assert stack(x).sum(1).tolist() == pytest.approx([138, 138])  # a softmax adds up to 1 a step


def test_layers_that_run_longer_are_refused_for_a_chip(root, tmp_path):
    asked = small("shd-delays", **{'score = "softmax"\n': "", "epochs = 0": "epochs = 1"})
    with pytest.raises(ValueError, match=r"`right_pad` makes a layer run longer.*`n_steps`"):
        train(run_for(asked, tmp_path), Console(quiet=True), root=str(root))


def test_a_neuron_is_dropped_for_a_whole_sample():
    torch.manual_seed(0)
    drop = NeuronDropout(0.25)
    kept = drop(torch.ones(5, 40, 50))
    assert (kept == kept[0]).all()
    assert kept.unique().tolist() == [0, pytest.approx(4 / 3)]
    assert (kept[0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)  # 2000 draws: 3 sd
    assert not (kept[0] == kept[0, 0]).all()
    assert (drop.eval()(kept) == kept).all()
    stack = build_stack(load_recipe("gsc-spikes-delays").model, (64,), 35)
    assert isinstance(stack.folded().blocks["hidden1"].dropout, NeuronDropout)


def summing_stack():
    torch.manual_seed(0)
    read = LIF(decay_v=0.5, emits="nothing", reset="none")
    return Stack({"a": Block(nn.Linear(4, 3, bias=False), read)}, (4,), score="softmax")


def test_the_score_adds_up_the_softmax_of_every_step():
    stack, x = summing_stack(), torch.rand(6, 2, 4)
    potentials = stack.blocks["a"](x)
    wanted = sum(torch.exp(v) / torch.exp(v).sum(1, keepdim=True) for v in potentials)
    torch.testing.assert_close(stack(x), wanted)
    torch.testing.assert_close(stack.folded()(x), wanted)
    module = Classifier(stack, load_recipe("shd-delays").train, lr=1e-3, seed=0)
    torch.testing.assert_close(module.logits(x.transpose(0, 1)), wanted)


def test_no_chip_is_given_a_score_that_it_cannot_send():
    stack = summing_stack()
    for carry in (
        export,
        lambda s: with_scales(s, load_neurocores("loihi1"), {"a": 10.0}),
        lambda s: noisy(s, tiny().noise),
    ):
        with pytest.raises(ValueError, match="potentials of every step, which a chip does not"):
            carry(stack)


def test_recipes_without_what_is_new_keep_the_names_of_their_runs():
    text = tiny().model_dump_json()
    assert not [name for name in ("score", "right_pad", "dropout_of") if f'"{name}"' in text]
    assert '"score":"softmax"' in load_recipe("shd-delays").model_dump_json()
    with pytest.raises(ValueError, match="give the last layer"):
        tiny(**{"[[model.layers]]": '[model]\nscore = "softmax"\n[[model.layers]]',
                'emits = "nothing", ': ""})  # fmt: skip
