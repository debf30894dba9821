"""Runs a zero-shot recipe: every seed with its controls, and a summary that chooses nothing.

`runs/<name>-<hash>/` gets `seed-N.json` as each seed ends, so that a stopped run goes on, then
`zero_shot.json` and `embeddings.svg`, the principal components of the first seed's embeddings.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hwsim.arrays import AnyArray
from neuro.embeddings import draw_embeddings, principal_components
from neuro.models.heads import Projections
from neuro.retrieval import (
    Pairs,
    ZeroShot,
    evaluate,
    pair_by_index,
    pair_by_label,
    retrieve,
    shuffled_pairs,
)
from neuro.runs import read_json, versions, write_json
from neuro.training.heads import Rows, fit_pairs, untrained_projections
from neuro.zero_shot import Side, ZeroShotRecipe, load_sides

Counts = tuple[AnyArray, AnyArray]  # of the training samples, of the test's
Say = Callable[[str], None]
ARMS = {
    "reservoir": "reservoirs, trained head",
    "untrained": "reservoirs, head untrained",
    "shuffled": "reservoirs, pairs shuffled",
    "raw": "counts of the raw input, trained head",
}
PARTS = {"seed", "pairs", "samples", "spikes_per_neuron_and_step", "scores", "epochs", "embeddings"}
DIRECTIONS = ("a_to_b", "b_to_a")
GALLERIES = ("seen", "unseen", "seen_of_all", "unseen_of_all")


def folder_of(recipe: ZeroShotRecipe, runs: Path) -> Path:
    """Where a recipe's run lives, whatever its seeds."""
    return runs / f"{recipe.name}-{recipe.digest()}"


def run_zero_shot(
    recipe: ZeroShotRecipe, folder: Path, *, root: str | None = None, say: Say | None = None
) -> dict[str, Any]:
    """Run all seeds that the folder has not yet, then write and return `zero_shot.json`.

    Args:
        root: folder of the data sets. say: told what is being done.

    Raises:
        FileNotFoundError: if a data set is not here.
        ValueError: if data, pairs or training do not fit the recipe.
    """
    rows: dict[int, dict[str, Any]] = {}
    bench: Bench | None = None
    for seed in recipe.seeds:
        path = folder / f"seed-{seed}.json"
        row = _finished(path, seed)
        if row is None:
            bench = bench or Bench(recipe, load_sides(recipe, root))
            row = bench.run(seed, say or (lambda _: None))
            write_json(path, row)
        rows[seed] = row
    result = {
        "name": recipe.name,
        "hash": recipe.digest(),
        "recipe": recipe.model_dump(),
        "seeds": list(recipe.seeds),
        **_summary(list(rows.values())),
        "versions": versions(),
    }
    write_json(folder / "zero_shot.json", result)
    draw_embeddings(rows[recipe.seeds[0]]["embeddings"], folder / "embeddings.svg")
    return result


def _finished(path: Path, seed: int) -> dict[str, Any] | None:
    """What a seed that has ended left; None if it has not.

    Raises:
        ValueError: if a part of it is missing, not what it should be, or of another seed.
    """
    row = read_json(path)
    if row is None:
        return None
    missing = sorted(PARTS - set(row))
    if missing:
        raise ValueError(f"{path} is damaged, it has no `{missing[0]}`: delete it to run it again")
    if row["seed"] != seed:
        raise ValueError(f"{path} is of seed {row['seed']!r:.20}: delete it to run it again")
    try:
        _summary([row])
    except (ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error!r:.60}): delete it to run it again") from error
    return row


@dataclass(frozen=True, slots=True)
class Bench:
    """A recipe and its data, on which seeds are run."""

    recipe: ZeroShotRecipe
    sides: tuple[Side, Side]

    def run(self, seed: int, say: Say) -> dict[str, Any]:
        """All arms of a seed, from new reservoirs on: scores of the last epoch."""
        say(f"seed {seed}: counting spikes")
        spikes = [
            side.counts(np.random.default_rng((seed, i))) for i, side in enumerate(self.sides)
        ]
        counts = self.read(spikes)
        raw = self.read([(side.train.counts, side.test.counts) for side in self.sides])
        pairs = self.pairs()
        head, history = self._train(counts, pairs, seed, say, "reservoir", watched=True)
        heads = {
            "untrained": (counts, self._untrained(counts, pairs, seed)),
            "shuffled": (counts, self._train(counts, shuffled_pairs(pairs, seed), seed, say,
                                             "shuffled")[0]),
            "raw": (raw, self._train(raw, pairs, seed, say, "raw")[0]),
        }  # fmt: skip
        scores = {"reservoir": self.scores(head, counts).as_dict()}
        scores |= {arm: self.scores(h, c).as_dict() for arm, (c, h) in heads.items()}
        return {
            "seed": seed,
            "pairs": len(pairs[0]),
            "samples": {
                name: {"train": len(side.train), "test": len(side.test)}
                for name, side in zip("ab", self.sides, strict=True)
            },
            "spikes_per_neuron_and_step": {
                name: float(c[0].mean() / side.n_steps)
                for name, c, side in zip("ab", spikes, self.sides, strict=True)
            },
            "scores": scores,
            "epochs": history,
            "embeddings": self.embeddings(head, counts),
        }

    def read(self, counts: Sequence[Counts]) -> tuple[Counts, Counts]:
        """Counts of both sides as heads take them."""
        if self.recipe.read == "rates":
            steps = [side.n_steps for side in self.sides]
            counts = [(c / n, of_test / n) for (c, of_test), n in zip(counts, steps, strict=True)]
        a, b = counts
        return a, b

    def pairs(self) -> Pairs:
        """Indices of paired training samples."""
        pair = pair_by_label if self.recipe.pairing == "label" else pair_by_index
        a, b = self.sides
        return pair(a.train.labels, b.train.labels, self.recipe.seen)

    def scores(self, head: Projections, counts: tuple[Counts, Counts]) -> ZeroShot:
        """Of the test samples."""
        a, b = self.sides
        of_a, of_b = _embedded(head, counts)
        how = {"seen": self.recipe.seen, "unseen": self.recipe.unseen}
        return evaluate(of_a, a.test.labels, of_b, b.test.labels, **how)

    def _train(
        self,
        counts: tuple[Counts, Counts],
        pairs: Pairs,
        seed: int,
        say: Say,
        arm: str,
        *,
        watched: bool = False,
    ) -> tuple[Projections, Rows]:
        say(f"seed {seed}: {ARMS[arm]}, {len(pairs[0])} pairs, {self.recipe.head.epochs} epochs")
        (a, b), (of_a, of_b) = counts, pairs
        labels = self.sides[0].train.labels[of_a]
        watch = self._watch(counts) if watched else None
        fitted = fit_pairs(a[0][of_a], b[0][of_b], labels, self.recipe.head, seed, watch=watch)
        return fitted.head, fitted.history

    def _untrained(self, counts: tuple[Counts, Counts], pairs: Pairs, seed: int) -> Projections:
        (a, b), (of_a, of_b) = counts, pairs
        return untrained_projections(a[0][of_a], b[0][of_b], self.recipe.head, seed)

    def _watch(self, counts: tuple[Counts, Counts]) -> dict[str, Callable[[Projections], float]]:
        """Accuracies after every epoch, of both directions, in galleries of their own."""
        groups = {"seen": self.recipe.seen, "unseen": self.recipe.unseen}
        labels = [side.test.labels for side in self.sides]

        def accuracy(group: tuple[int, ...], asks: int) -> Callable[[Projections], float]:
            def of(head: Projections) -> float:
                embedded = _embedded(head, counts)
                sides = [(e[m], y[m]) for e, y in zip(embedded, labels, strict=True)
                         for m in [np.isin(y, group)]]  # fmt: skip
                (q, q_labels), (g, g_labels) = sides[asks], sides[1 - asks]
                return retrieve(q, g, q_labels, g_labels).score.accuracy

            return of

        return {
            f"{direction}_{name}": accuracy(group, asks)
            for asks, direction in enumerate(DIRECTIONS)
            for name, group in groups.items()
        }

    def embeddings(self, head: Projections, counts: tuple[Counts, Counts]) -> dict[str, Any]:
        """What the figure shows: both sides' test samples in two dimensions."""
        sides = {
            name: {"data": side.spec.data, "points": points.round(4).tolist(),
                   "classes": [side.class_names[c] for c in side.test.labels]}
            for name, side, points in zip(
                "ab", self.sides, principal_components(*_embedded(head, counts)), strict=True
            )
        }  # fmt: skip
        return {**sides, "unseen": [self.sides[0].class_names[c] for c in self.recipe.unseen]}


@torch.no_grad()
def _embedded(head: Projections, counts: tuple[Counts, Counts]) -> tuple[Any, Any]:
    """Embeddings of both sides' test samples, (samples, dimensions)."""
    (_, a), (_, b) = counts
    of_a, of_b = head.embed_a(torch.tensor(a).float()), head.embed_b(torch.tensor(b).float())
    return of_a.numpy(), of_b.numpy()


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """All figures over the seeds."""
    arms = {
        arm: {
            direction: {
                gallery: _over_seeds([row["scores"][arm][direction][gallery] for row in rows])
                for gallery in GALLERIES
            }
            for direction in DIRECTIONS
        }
        for arm in ARMS
    }
    epochs = {
        name: [[epoch[name] for epoch in row["epochs"]] for row in rows]
        for name in rows[0]["epochs"][0]
        if name != "epoch"
    }
    return {
        "samples": rows[0]["samples"],
        "pairs": rows[0]["pairs"],
        "spikes_per_neuron_and_step": [row["spikes_per_neuron_and_step"] for row in rows],
        "arms": arms,
        "epochs": epochs,
    }


def _over_seeds(scores: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean and standard deviation of one accuracy, beside its chance level."""
    n = scores[0]["n_queries"]
    accuracy = np.array([score["n_correct"] for score in scores]) / n
    return {
        "n_correct": [score["n_correct"] for score in scores],
        "n_queries": n,
        "chance": scores[0]["chance"],
        "majority": scores[0]["majority"],
        "mean": float(accuracy.mean()),
        "sd": float(accuracy.std(ddof=1)) if len(scores) > 1 else None,
    }
