"""Two trained encoders, of audio and vision, whose embeddings are matched.

The paper's baselines [Lin2025]: instead of a projection behind each of two reservoirs, recurrent
layers and projections are trained together, by the contrastive loss or as prototypical networks
[Snell2017], where the nearest mean of a class answers. The last epoch is kept.
"""

from dataclasses import asdict, dataclass, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from experiments.lsm.rows import Numbers
from experiments.lsm.tasks import N_NEURONS, TASKS, Data, data_of
from experiments.lsm.trained import start_of
from experiments.lsm.training_cost import Macs, training_macs
from hwsim.arrays import AnyArray, IntArray
from hwsim.network import Shape
from hwsim.synapses import size_of
from neuro.models.contrastive import prototypical, symmetric_contrastive
from neuro.models.heads import Projections
from neuro.models.lsm import Reservoir
from neuro.models.srnn import RECURRENT, recurrent_block, steps_first
from neuro.models.stack import Stack
from neuro.retrieval import evaluate, pair_by_label, retrieve
from neuro.training.batches import shuffled
from neuro.training.heads import HeadSpec, fit_last

AUDIO, VISION = "fsdd", "nmnist"
SEEN, UNSEEN = (1, 2, 3, 4, 5, 6, 7), (8, 9)  # [Lin2025]
WAYS = ("a_to_v", "v_to_a")
N_OUT = 64
# Chosen for the contrastive loss, with seed 0, by the seen digits of the parts "hold", before any
# test was run; prototypes take the same. Embeddings of length one, as in [Radford2021], heard 83 %
# of those digits right after six epochs; raw ones, as the projections of reservoirs have them,
# 47 %: their dot products start at tens.
TEMPERATURE = 0.1
SPEC = HeadSpec(epochs=20, batch_size=32, lr=1e-3)


class Pair(nn.Module):
    """Encoders of audio (a) and vision (v), and their projections."""

    def __init__(self, starts: tuple[Reservoir, Reservoir], shapes: tuple[Shape, Shape]) -> None:
        super().__init__()
        self.a, self.v = (
            Stack({RECURRENT: recurrent_block(start)}, shape)
            for start, shape in zip(starts, shapes, strict=True)
        )
        n_a, n_v = (start.n_neurons for start in starts)
        self.projections = Projections(n_a, n_v, N_OUT, normalise=True, temperature=TEMPERATURE)

    def forward(self, a: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings of frames (samples, time, *inputs), of length one: (samples, dimensions)."""
        of_a, of_v = self.a(steps_first(a)), self.v(steps_first(v))
        return self.projections.embed_a(of_a), self.projections.embed_b(of_v)


def measure(arm: str, seed: int) -> Numbers:
    """Train on pairs of seen digits; retrieval in the test after the last epoch.

    The unseen digits of the test are watched after every epoch, for their range, and move nothing.
    """
    a, v = data_of(AUDIO), data_of(VISION)
    net = untrained(seed, (a.frames.shape[2:], v.frames.shape[2:]))
    of_a, of_v = pair_by_label(a.labels, v.labels, SEEN)
    pairs = tuple(torch.tensor(x) for x in (a.frames[of_a], v.frames[of_v], a.labels[of_a]))
    watch = {way: partial(unseen, a=a, v=v, arm=arm, way=way) for way in WAYS}
    order = shuffled(len(of_a), SPEC.batch_size)
    history = fit_last(net, partial(LOSSES[arm], net), pairs, order, SPEC, seed, watch).history
    macs = cost(AUDIO, a, len(of_a)) + cost(VISION, v, len(of_a))
    numbers = scores(net, a, v, arm)
    for way in WAYS:
        reached = [row[way] for row in history]
        numbers |= {f"{way}_unseen_min": min(reached), f"{way}_unseen_max": max(reached)}
    return numbers | {
        "loss": history[-1]["loss"],
        "pairs": len(of_a),
        "epochs": SPEC.epochs,
        "steps": SPEC.epochs * -(-len(of_a) // SPEC.batch_size),
        "parameters": sum(p.numel() for p in net.parameters()),
        "train_macs": macs.total,
        "train_macs_head": macs.head,
    }


def untrained(seed: int, shapes: tuple[Shape, Shape]) -> Pair:
    """Both networks before training: reservoirs of one seed, and projections."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Pair((start_of(AUDIO, seed), start_of(VISION, seed)), shapes)


def contrastive(net: Pair, a: Tensor, v: Tensor, _: Tensor) -> Tensor:
    """Loss of a batch of pairs: each one's partner among the others."""
    of_a, of_v = net(a, v)
    return symmetric_contrastive(of_a @ of_v.T / TEMPERATURE)


def prototypes(net: Pair, a: Tensor, v: Tensor, labels: Tensor) -> Tensor:
    """Loss of a batch of pairs: each one's class by the means of the other side's classes."""
    of_a, of_v = net(a, v)
    sides = (of_a, of_v), (of_v, of_a)
    return sum(prototypical(*side, labels, TEMPERATURE) for side in sides) / 2


LOSSES = {"srnn": contrastive, "prototypes": prototypes}


def scores(net: Pair, a: Data, v: Data, arm: str) -> Numbers:
    """Right answers and queries of the test, by direction, by classes of queries and gallery."""
    numbers: Numbers = {}
    for way, asked in questions(net, a, v, arm).items():
        found = evaluate(
            asked.queries, asked.labels, asked.gallery, asked.gallery_labels,
            seen=SEEN, unseen=UNSEEN,
        )  # fmt: skip
        for classes, score in asdict(found.a_to_b).items():
            numbers[f"{way}_{classes}_correct"] = score["n_correct"]
            numbers[f"{way}_{classes}_queries"] = score["n_queries"]
    return numbers


def unseen(net: Pair, a: Data, v: Data, arm: str, way: str) -> float:
    """Accuracy of unseen digits among each other, in the test."""
    asked = questions(net, rare(a), rare(v), arm)[way]
    found = retrieve(asked.queries, asked.gallery, asked.labels, asked.gallery_labels)
    return found.score.accuracy


def rare(data: Data) -> Data:
    """The same, with the unseen digits of the test alone."""
    chosen = np.isin(data.test_labels, UNSEEN)
    test = {"test_frames": data.test_frames[chosen], "test_labels": data.test_labels[chosen]}
    return replace(data, **test)


@dataclass(frozen=True, slots=True, eq=False)
class Questions:
    """Queries of one side and what may answer them, (samples, dimensions), and their labels."""

    queries: AnyArray
    labels: IntArray
    gallery: AnyArray
    gallery_labels: IntArray


@torch.no_grad()
def questions(net: Pair, a: Data, v: Data, arm: str) -> dict[str, Questions]:
    """The test in both directions: the gallery is every sample, or the mean of every class."""
    embedded = net(torch.tensor(a.test_frames), torch.tensor(v.test_frames))
    sides = [(e.numpy(), x.test_labels) for e, x in zip(embedded, (a, v), strict=True)]
    both = dict(zip(WAYS, (sides, sides[::-1]), strict=True))
    make = nearest_mean if arm == "prototypes" else Questions
    return {way: make(*queries, *gallery) for way, (queries, gallery) in both.items()}


def nearest_mean(
    queries: AnyArray, labels: IntArray, gallery: AnyArray, gallery_labels: IntArray
) -> Questions:
    """Questions whose largest dot product is the nearest mean of a class.

    |q - p|^2 is least where q p - |p|^2 / 2 is largest: a one more, and that half, do it.
    """
    classes = np.unique(gallery_labels)
    means = np.stack([gallery[gallery_labels == c].mean(0) for c in classes])
    half = (means**2).sum(1, keepdims=True) / 2
    one = np.ones((len(queries), 1))
    return Questions(np.hstack([queries, one]), labels, np.hstack([means, -half]), classes)


def cost(task: str, data: Data, n_pairs: int) -> Macs:
    """What training one side costs."""
    n_inputs, n_steps = size_of(data.frames.shape[2:]), TASKS[task].binning.n_steps
    return training_macs(
        n_inputs, N_NEURONS, N_OUT, n_steps=n_steps, n_samples=n_pairs, epochs=SPEC.epochs
    )
