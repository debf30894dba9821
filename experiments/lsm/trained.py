"""Trained classifiers of the reservoir's sizes. The last epoch is kept; a test chooses nothing."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from experiments.lsm.rows import Numbers
from experiments.lsm.tasks import N_CLASSES, N_NEURONS, TASKS, data_of
from experiments.lsm.training_cost import training_macs
from hwsim.arrays import AnyArray
from hwsim.network import Shape
from hwsim.synapses import size_of
from neuro.models.lsm import Reservoir
from neuro.models.srnn import RNN, SRNN, Head, at_threshold, steps_first
from neuro.training.batches import shuffled
from neuro.training.heads import HeadSpec, fit_last

HEADS: dict[str, Head] = {"srnn-ann": "ann", "srnn-snn": "snn"}
ARMS = (*HEADS, "rnn")
THRESHOLDS = {"nmnist": 0.3, "fsdd": 0.6}  # [Lin2025]
# Chosen with seed 0, trained on the part "fit" and judged on "hold", before any test was run
SPECS = {
    ("nmnist", "srnn-ann"): HeadSpec(epochs=20, batch_size=25, lr=1e-3),
    ("nmnist", "srnn-snn"): HeadSpec(epochs=20, batch_size=25, lr=1e-3),
    ("nmnist", "rnn"): HeadSpec(epochs=40, batch_size=50, lr=2e-3),
    ("fsdd", "srnn-ann"): HeadSpec(epochs=15, batch_size=25, lr=3e-4),
    ("fsdd", "srnn-snn"): HeadSpec(epochs=15, batch_size=25, lr=1e-3),
    ("fsdd", "rnn"): HeadSpec(epochs=25, batch_size=50, lr=2e-3),
}
CLIP_NORM = {"rnn": 0.5}  # without it the loss jumps: in 129 steps gradients explode


def measure(task: str, arm: str, seed: int) -> Numbers:
    """Train a network on the whole training part, a fixed number of epochs, and test the last."""
    data, spec = data_of(task), SPECS[task, arm]
    shape, n_steps = data.frames.shape[2:], TASKS[task].binning.n_steps
    net = network(task, arm, shape, seed)
    x, y = torch.tensor(data.frames), torch.tensor(data.labels, dtype=torch.int64)

    def loss(frames: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(net(steps_first(frames)), labels)

    order = shuffled(len(x), spec.batch_size)
    clip = CLIP_NORM.get(arm)
    history = fit_last(net, loss, (x, y), order, spec, seed, clip_norm=clip).history
    macs = training_macs(
        size_of(shape), N_NEURONS, N_CLASSES, n_steps=n_steps, n_samples=len(x),
        epochs=spec.epochs, head_steps=n_steps if arm == "srnn-snn" else 1,
    )  # fmt: skip
    found: Numbers = {
        "test_correct": n_correct(net, data.test_frames, data.test_labels),
        "n_test": len(data.test_labels),
        "train_correct": n_correct(net, data.frames, data.labels),
        "n_train": len(x),
        "loss": history[-1]["loss"],
        "epochs": spec.epochs,
        "steps": spec.epochs * -(-len(x) // spec.batch_size),
        "parameters": sum(p.numel() for p in net.parameters()),
        "train_macs": macs.total,
        "train_macs_head": macs.head,
    }
    return found | ({"rate": rate(net, data.test_frames)} if isinstance(net, SRNN) else {})


def start_of(task: str, seed: int) -> Reservoir:
    """What training starts from: the task's reservoir of this seed, at the trained threshold."""
    return at_threshold(TASKS[task].reservoir(seed), THRESHOLDS[task])


def network(task: str, arm: str, shape: Shape, seed: int) -> SRNN | RNN:
    """A network before training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if arm == "rnn":
            return RNN(shape, N_NEURONS, N_CLASSES)
        return SRNN(start_of(task, seed), shape, N_CLASSES, HEADS[arm])


@torch.no_grad()
def n_correct(net: nn.Module, frames: AnyArray, labels: AnyArray, batch_size: int = 250) -> int:
    """Recordings whose largest logit is that of their class."""
    parts = torch.tensor(frames).split(batch_size)
    said = torch.cat([net(steps_first(part)).argmax(1) for part in parts])
    return int(np.sum(said.numpy() == labels))


@torch.no_grad()
def rate(net: SRNN, frames: AnyArray) -> float:
    """Spikes of a neuron of the recurrent layer in a step, mean of all."""
    return float(net.spikes(steps_first(torch.tensor(frames))).mean())
