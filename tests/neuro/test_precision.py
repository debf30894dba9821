"""bfloat16 in training: products alone, floats alone, under a name of its own."""

import io

import torch
from rich.console import Console

from neuro.models.build import build_stack
from neuro.models.stack import Block
from neuro.runs import run_for
from neuro.training.classifier import Classifier
from neuro.training.fit import load_checkpoint
from neuro.training.qat import QuantBlock
from neuro.training.train import train
from tests.neuro.tiny import tiny


def test_a_run_in_bfloat16_has_its_own_name_and_the_usual_one_keeps_its():
    plain = tiny()
    assert plain.with_precision("32").digest() == plain.digest()
    assert '"precision"' not in plain.model_dump_json()
    half = plain.with_precision("bf16")
    assert half.digest() != plain.digest()
    assert type(half).model_validate_json(half.model_dump_json()) == half


def test_products_are_bfloat16_while_floats_are_trained_and_at_no_other_time(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path / "cache"))
    kinds, steps = set(), []
    current, integers = Block.current, QuantBlock._float_steps

    def watched(self, spikes):
        out = current(self, spikes)
        kinds.add((self.training, out.dtype))
        return out

    def exact(self, spikes):
        out = integers(self, spikes)
        steps.append(out.dtype)
        return out

    monkeypatch.setattr(Block, "current", watched)
    monkeypatch.setattr(QuantBlock, "_float_steps", exact)
    run = run_for(tiny().with_precision("bf16"), tmp_path)
    result = train(run, Console(file=io.StringIO()))
    assert kinds == {(True, torch.bfloat16), (False, torch.float32)}
    assert set(steps) == {torch.float32}
    assert result["trained"] == {"precision": "bf16", "device": "cpu", "processes": 1}
    for phase in ("float", "qat"):
        state = load_checkpoint(run.path / phase / "last.ckpt")["state_dict"]
        assert {value.dtype for value in state.values() if value.ndim} == {torch.float32}


def test_gradients_of_bfloat16_point_where_those_of_float32_do():
    found = []
    for recipe in (tiny(), tiny().with_precision("bf16")):
        torch.manual_seed(0)
        module = Classifier(build_stack(recipe.model, (2, 17, 17), 10), recipe.train, lr=1, seed=0)
        module.log_dict = lambda *_, **__: None
        frames = torch.randint(0, 2, (16, 5, 2, 17, 17), dtype=torch.uint8)
        module.training_step((frames, torch.arange(16) % 10), 0).backward()
        found.append(module.stack.blocks["readout"].synapses.weight.grad.flatten())
    assert 0.99 < torch.nn.functional.cosine_similarity(*found, dim=0) < 1  # few spikes differ
