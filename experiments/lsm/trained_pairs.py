"""Two trained encoders, of audio and vision, whose embeddings a contrastive loss matches.

The paper's fully trained baseline [Lin2025]: instead of a projection behind each of two reservoirs,
recurrent layers and projections are trained together. The last epoch is kept.
"""

from dataclasses import asdict
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from experiments.lsm.rows import Numbers
from experiments.lsm.tasks import N_NEURONS, TASKS, Data, data_of
from experiments.lsm.trained import start_of
from experiments.lsm.training_cost import Macs, training_macs
from hwsim.arrays import AnyArray
from hwsim.network import Shape
from hwsim.synapses import size_of
from neuro.models.contrastive import symmetric_contrastive
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
# Chosen with seed 0 by the seen digits of the parts "hold", before any test was run. Embeddings of
# length one, as in [Radford2021], heard 83 % of them right there after six epochs; raw ones, as the
# projections of reservoirs have them, 47 %: their dot products start at tens.
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

    def forward(self, a: Tensor, v: Tensor) -> Tensor:
        """Dot products (samples of a, samples of v) of frames (time, samples, *inputs)."""
        return self.projections(self.a(a), self.v(v))

    @torch.no_grad()
    def embed(self, a: AnyArray, v: AnyArray) -> tuple[AnyArray, AnyArray]:
        """Embeddings (samples, dimensions) of frames (samples, time, *inputs)."""
        of_a, of_v = (steps_first(torch.tensor(x)) for x in (a, v))
        embed_a, embed_v = self.projections.embed_a, self.projections.embed_b
        return embed_a(self.a(of_a)).numpy(), embed_v(self.v(of_v)).numpy()


def measure(seed: int) -> Numbers:
    """Train on pairs of seen digits; retrieval in the test after the last epoch.

    The unseen digits of the test are watched after every epoch, for their range, and move nothing.
    """
    a, v = data_of(AUDIO), data_of(VISION)
    net = untrained(seed, (a.frames.shape[2:], v.frames.shape[2:]))
    of_a, of_v = pair_by_label(a.labels, v.labels, SEEN)
    frames = tuple(torch.tensor(x) for x in (a.frames[of_a], v.frames[of_v]))

    def loss(a: Tensor, v: Tensor) -> Tensor:
        return symmetric_contrastive(net(steps_first(a), steps_first(v)))

    watch = {way: partial(unseen, a=a, v=v, way=way) for way in WAYS}
    order = shuffled(len(of_a), SPEC.batch_size)
    history = fit_last(net, loss, frames, order, SPEC, seed, watch).history
    macs = cost(AUDIO, a, len(of_a)) + cost(VISION, v, len(of_a))
    numbers: Numbers = scores(net, a, v)
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


def scores(net: Pair, a: Data, v: Data) -> Numbers:
    """Right answers and queries of the test, by direction, by classes of queries and gallery."""
    of_a, of_v = net.embed(a.test_frames, v.test_frames)
    found = evaluate(of_a, a.test_labels, of_v, v.test_labels, seen=SEEN, unseen=UNSEEN)
    numbers: Numbers = {}
    for way, direction in zip(WAYS, asdict(found).values(), strict=True):
        for classes, score in direction.items():
            numbers[f"{way}_{classes}_correct"] = score["n_correct"]
            numbers[f"{way}_{classes}_queries"] = score["n_queries"]
    return numbers


def unseen(net: Pair, a: Data, v: Data, way: str) -> float:
    """Accuracy of unseen digits among each other, in the test."""
    of_a, of_v = (np.isin(x.test_labels, UNSEEN) for x in (a, v))
    audio, vision = net.embed(a.test_frames[of_a], v.test_frames[of_v])
    heard, shown = a.test_labels[of_a], v.test_labels[of_v]
    if way == "a_to_v":
        return retrieve(audio, vision, heard, shown).score.accuracy
    return retrieve(vision, audio, shown, heard).score.accuracy


def cost(task: str, data: Data, n_pairs: int) -> Macs:
    """What training one side costs."""
    n_inputs, n_steps = size_of(data.frames.shape[2:]), TASKS[task].binning.n_steps
    return training_macs(
        n_inputs, N_NEURONS, N_OUT, n_steps=n_steps, n_samples=n_pairs, epochs=SPEC.epochs
    )
