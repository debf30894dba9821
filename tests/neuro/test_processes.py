"""Several processes train as one does, but for rounding; together they go on, and end."""

import io
import multiprocessing
import os
import time

import numba
import numpy as np
import pytest
import torch
from rich.console import Console
from torch import nn

from neuro.models.build import build_stack
from neuro.models.dropout import NeuronDropout
from neuro.recipe import NoiseSpec
from neuro.runs import run_for
from neuro.spiking import Delay
from neuro.training.classifier import Classifier
from neuro.training.fit import Compute, load_checkpoint
from neuro.training.noise import noisy
from neuro.training.processes import run_ranks
from neuro.training.sharing import Share, SharedDropout, SharedNorm, share_layers
from neuro.training.train import train
from tests.neuro.tiny import TINY, tiny

DELAYS = """[[model.layers]]
name = "delay1"
kind = "delay"
size = 12
taps = 5
norm = true
neuron = { learn = ["decay_v", "v_th"] }
[[model.layers]]
name = "readout"
"""
BOUND = 1e-5  # of a tensor's largest value, in float32
INTEGER_BOUND = 1e-2  # where one weight may round the other way


# 13 samples a batch leave 1 for the last, and none for one of two processes
MIXED = TINY.replace('[[model.layers]]\nname = "readout"\n', DELAYS).replace(
    "batch_size = 10", "batch_size = 13\ndelay_settle = 0.5"
)


def recipe():
    """Convolution, BatchNorm, dropout, delays that move in one epoch and stay in the next."""
    return tiny(MIXED)


@pytest.fixture(autouse=True, scope="module")
def _own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURO_CACHE", str(tmp_path_factory.getbasetemp() / "neuro-cache"))
        torch.set_num_threads(1)
        yield


def trained(root, processes, console=None, wanted=None):
    run = run_for(wanted or recipe(), root)
    console = console or Console(file=io.StringIO())
    return run, train(run, console, compute=Compute(processes))


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("one"), 1)


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("two"), 2)


def states(run, *phases):
    for phase in phases:
        for name in ("best", "last"):
            yield load_checkpoint(run.path / phase / f"{name}.ckpt")["state_dict"]


def test_two_processes_find_what_one_finds(one, two):
    (run, alone), (other, both) = one, two
    for key in ("best_epoch", "hold", "test"):
        assert alone["float"][key] == both["float"][key]
    for row, twin in zip(alone["float"]["history"], both["float"]["history"], strict=True):
        assert row == pytest.approx(twin, rel=BOUND)
    assert (alone["trained"]["processes"], both["trained"]["processes"]) == (1, 2)
    for phase, bound in (("float", BOUND), ("qat", INTEGER_BOUND)):
        for ours, theirs in zip(states(run, phase), states(other, phase), strict=True):
            assert ours.keys() == theirs.keys()
            for name, value in ours.items():
                limit = bound * float(value.abs().max())
                assert float((value - theirs[name]).abs().max()) <= limit, name
    assert alone["float"]["history"][0]["delay1_moved"] > 0.01


def test_two_killed_processes_go_on_to_the_same_bits(two, tmp_path):
    wanted, result = two
    floats = tiny(MIXED, **{"[qat]\nepochs = 1": "[qat]\nepochs = 0"})
    last = run_for(floats, tmp_path).path / "float" / "last.ckpt"

    class Interrupting(Console):
        def print(self, *words, **how):
            super().print(*words, **how)
            while "epoch 1/2" in words[0]:
                if last.exists():
                    raise KeyboardInterrupt
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, 2, Interrupting(file=io.StringIO()), floats)
    assert multiprocessing.active_children() == []
    assert load_checkpoint(last)["epoch"] == 0
    run, again = trained(tmp_path, 2, wanted=floats)
    assert again["float"] == result["float"]
    for ours, theirs in zip(states(run, "float"), states(wanted, "float"), strict=True):
        for name, value in ours.items():
            assert torch.equal(value, theirs[name]), name


def build(seed):
    torch.manual_seed(seed)
    return build_stack(recipe().model, (2, 17, 17), 10)


def gradients(share, say):
    """Of a batch of 7, in float64: a stack of every layer, and one of noisy cells."""
    plain = build_stack(tiny().model, (2, 17, 17), 10)
    cells = noisy(plain, NoiseSpec(spread=0.1, adc_bits=8, floor=True))
    found = []
    for stack in (build(0), cells):
        torch.manual_seed(1)
        frames = torch.randint(0, 2, (7, 5, 2, 17, 17), dtype=torch.uint8)
        module = Classifier(stack.double(), recipe().train, lr=0.1, seed=0)
        module.share = share
        module.log_dict = lambda *_, **__: None
        if share.n_ranks > 1:
            share_layers(module.stack, share)
        part = share.part(7)
        module.training_step((frames[part], torch.arange(7)[part]), 0).backward()
        for p in module.parameters():
            total = torch.zeros_like(p) if p.grad is None else share.total(p.grad)
            found.append((total / share.n_ranks).numpy())
        found += [b.numpy() for n, b in module.named_buffers() if "running" in n or "adc" in n]
    return found


def test_gradients_of_a_batch_are_those_of_its_parts_in_double_precision():
    torch.manual_seed(0)
    alone = gradients(Share(), None)
    shared = run_ranks(seeded_gradients, 3, None)
    assert sum(np.abs(g).max() > 1e-6 for g in alone) > 8
    for ours, theirs in zip(alone, shared, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=0, atol=1e-12 * max(1, np.abs(ours).max()))


def seeded_gradients(share, say):
    torch.manual_seed(0)
    return gradients(share, say)


def test_shared_layers_of_one_rank_are_torchs():
    share, x = Share(), torch.randn(4, 6, 3, 5)
    share.begin(6)
    for norm, a in ((nn.BatchNorm1d(90), x.reshape(4, 90)), (nn.BatchNorm2d(6), x)):
        twin = SharedNorm(type(norm)(norm.num_features), share)
        for _ in range(2):
            torch.testing.assert_close(twin(a), norm(a))
        torch.testing.assert_close(twin.state_dict(), norm.state_dict())
        torch.testing.assert_close(twin.eval()(a), norm.eval()(a))
    found = []
    for dropout in (nn.Dropout(0.3), SharedDropout(0.3, share)):
        torch.manual_seed(2)
        found.append(dropout(x))
    assert torch.equal(*found)


@pytest.mark.parametrize("kind", [nn.Dropout, NeuronDropout])
def test_ranks_drop_what_one_process_drops(kind):
    x, found = torch.randn(4, 7, 3, 5), []
    for rank in range(2):
        share, layers = Share(rank, 2, n_whole=7), nn.Sequential(kind(0.4))
        share_layers(layers, share)
        torch.manual_seed(2)
        found.append(layers(x[:, share.part(7)]))
        assert torch.equal(layers.eval()(x), x)
    torch.manual_seed(2)
    assert torch.equal(torch.cat(found, 1), kind(0.4)(x))


def threads_of(share, say):
    Delay(9, 9, n_taps=3).eval()(torch.ones(4, 2, 9))  # starts Numba's
    return torch.get_num_threads(), numba.get_num_threads()


def test_every_process_has_the_threads_it_was_given(neuro, monkeypatch):
    assert run_ranks(threads_of, 2, None) == (1, 1)
    seen = []

    def fake(*_, **__):
        seen.append(threads_of(None, None))
        raise KeyboardInterrupt

    monkeypatch.setattr("neuro.training.train.train", fake)
    torch.set_num_threads(2)
    assert neuro("train", "digits")[0] == 130
    assert seen == [(1, 1)]


def test_every_sample_is_in_one_part():
    for n in range(9):
        for n_ranks in range(1, 6):
            parts = [list(range(n))[Share(r, n_ranks).part(n)] for r in range(n_ranks)]
            assert [i for part in parts for i in part] == list(range(n))
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def refuses(share, say):
    if share.rank == 1:
        raise ValueError("too much\nof it")
    share.total(torch.ones(1))


def dies(share, say):
    if share.rank == 1:
        os.kill(os.getpid(), 9)
    share.total(torch.ones(1))


def breaks(share, say):
    if share.rank == 1:
        raise ZeroDivisionError("by nothing")
    share.total(torch.ones(1))


@pytest.mark.parametrize(
    ("work", "kind", "said"),
    [
        (refuses, ValueError, "^too much of it$"),
        (dies, ChildProcessError, "^training process 2 of 2 was ended by SIGKILL; the same"),
        (breaks, ChildProcessError, r"^training process 2 of 2 failed \(ZeroDivisionError: by not"),
    ],
)
def test_one_that_fails_ends_all_in_one_line(work, kind, said):
    start = time.monotonic()
    with pytest.raises(kind, match=said) as error:
        run_ranks(work, 2, None)
    assert "\n" not in str(error.value)
    assert multiprocessing.active_children() == []
    assert time.monotonic() - start < 30


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--processes", "33"), "33 processes cannot share a batch of 32 samples: take 1 to 32"),
        (("--processes", "65"), "65 processes would wait for each other on 64 cores: take 1 to 64"),
        (("--device", "cuda"), "finds no CUDA GPU here: take the device cpu, or auto"),
        (("--device", "cuda", "--processes", "2"), "2 processes share the CPU, not a GPU"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_written(
    neuro, tmp_path, monkeypatch, options, said
):
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    code, out, err = neuro("train", "digits", *options)
    assert (code, out) == (1, "")
    assert said in err
    assert err.splitlines()[-1].startswith("error: ")
    assert not list(tmp_path.iterdir())
