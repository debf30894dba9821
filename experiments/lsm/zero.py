"""Zero-shot retrieval across modalities, its controls, and the same on chips."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from experiments.lsm.rows import Case, Numbers
from experiments.lsm.silicon import cells, crossbars, made
from experiments.lsm.tasks import spread_microsiemens
from hwsim.arrays import AnyArray
from hwsim.crossbar.engine import simulate_crossbar
from neuro.embeddings import draw_embeddings
from neuro.models.heads import Projections
from neuro.models.lsm import INPUT_STATISTICS, Reservoir
from neuro.retrieval import Direction, Pairs, ZeroShot, shuffled_pairs
from neuro.training.heads import FittedHead, fit_pairs, untrained_projections
from neuro.zero_shot import Side, ZeroShotRecipe, load_sides, load_zero_shot
from neuro.zero_shot_run import Bench

RECIPES = {"audio-vision": "lsm-audio-vision", "event-image": "lsm-event-image"}
SEEDS = range(5)
Counts = tuple[AnyArray, AnyArray]  # of training and test samples
# what of the recipe each arm changes
HEADS: dict[str, dict[str, object]] = {
    "rates": {},
    "cold": {"normalise": True, "temperature": 0.1},
    "supervised": {"loss": "supervised", "normalise": True, "temperature": 0.1},
    "d128": {"n_out": 128},
}
# and the data or the reservoirs: speakers of the test heard in training, the published split;
# weights of the scale that supervised tasks have
SIDES: dict[str, dict[str, dict[str, object]]] = {
    "same-speakers": {"a": {"train": "index-train", "test": "index-test"}},
    "weaker": {"a": {"scale": 0.08}, "b": {"scale": 0.07}},
    "no-recurrence": {"a": {"recurrent": False}, "b": {"recurrent": False}},
}
ARMS = {
    "audio-vision": (
        *HEADS, "counts", *SIDES, "raw", "untrained", "shuffled", "chip",
    ),
    "event-image": ("rates", "cold", "raw", "untrained", "shuffled"),
}  # fmt: skip
DRAWN = "audio-vision", "rates"  # whose epochs are all kept, for the figure
GALLERIES = ("seen", "unseen", "seen_of_all", "unseen_of_all")


def cases() -> list[Case]:
    """Everything of this file."""
    return [
        Case("zero", task, arm, seed=s) for task in RECIPES for arm in ARMS[task] for s in SEEDS
    ]


def measure(case: Case) -> Numbers:
    """Right answers of the last epoch, in all galleries, and how the unseen went over epochs."""
    bench = bench_of(case)
    counts = bench.read(counts_of(case, bench.sides))
    pairs = bench.pairs()
    if case.arm == "shuffled":
        pairs = shuffled_pairs(pairs, case.seed)
    if case.arm == "untrained":
        (a, b), (of_a, of_b) = counts, pairs
        head = untrained_projections(a[0][of_a], b[0][of_b], bench.recipe.head, case.seed)
        return numbers(bench.scores(head, counts))
    fitted = fit(bench, counts, pairs, case.seed)
    unseen = [row["unseen"] for row in fitted.history]
    found = numbers(bench.scores(fitted.head, counts)) | {
        "loss": fitted.history[-1]["loss"],
        "a_to_b_unseen_least": min(unseen),
        "a_to_b_unseen_most": max(unseen),
        "rate_a": rate(bench.sides[0], counts[0]),
        "rate_b": rate(bench.sides[1], counts[1]),
    }
    if (case.task, case.arm) == DRAWN:
        found |= {f"unseen_{i + 1}": value for i, value in enumerate(unseen)}
        found |= {f"recordings_{n}": len(s.train) for n, s in zip("ab", bench.sides, strict=True)}
    return found


def embeddings(seed: int, path: Path) -> None:
    """Draw the test's embeddings after the last epoch."""
    case = Case("zero", *DRAWN, seed=seed)
    bench = bench_of(case)
    counts = bench.read(counts_of(case, bench.sides))
    head = fit(bench, counts, bench.pairs(), seed).head
    draw_embeddings(bench.embeddings(head, counts), path)


def bench_of(case: Case) -> Bench:
    """The task's recipe as the arm has it, and its data."""
    recipe, sides = loaded(case.task, case.arm if case.arm in SIDES else "")
    head = recipe.head.model_dump() | HEADS.get(case.arm, {})
    changes: dict[str, object] = {"head": head, "seeds": (case.seed,)}
    if case.arm == "counts":
        changes["read"] = "counts"
    return Bench(ZeroShotRecipe.model_validate(recipe.model_dump() | changes), sides)


@lru_cache(maxsize=2)
def loaded(task: str, arm: str = "") -> tuple[ZeroShotRecipe, tuple[Side, Side]]:
    """A shipped recipe, with the sides of an arm, and its data."""
    recipe = load_zero_shot(RECIPES[task])
    plain = recipe.model_dump()
    for side, changes in SIDES.get(arm, {}).items():
        for name, value in changes.items():
            (plain[side] if name in plain[side] else plain[side]["reservoir"])[name] = value
    recipe = ZeroShotRecipe.model_validate(plain)
    return recipe, load_sides(recipe, None)


def counts_of(case: Case, sides: tuple[Side, Side]) -> tuple[Counts, Counts]:
    """Spikes of both sides' neurons, or of their inputs."""
    a, b = (
        _counts(case, side, np.random.default_rng((case.seed, i))) for i, side in enumerate(sides)
    )
    return a, b


def _counts(case: Case, side: Side, rng: np.random.Generator) -> Counts:
    if case.arm == "raw":
        return side.train.counts, side.test.counts
    if case.arm != "chip":
        return side.counts(rng)
    how, shape = side.spec.reservoir, side.train.frames.shape[2:]
    given = {"scale": how.scale, "decay_v": how.decay_v, "v_th": how.v_th}
    given["scale"] *= INPUT_STATISTICS[1] / spread_microsiemens(cells(), None)
    formed = Reservoir.formed(int(np.prod(shape)), how.neurons, rng, device=cells(), **given)
    chip = made(formed, side.train.frames, case.seed, chip=crossbars(), device=cells())
    train, test = (
        simulate_crossbar(chip, x.frames, seed=case.seed + i).output
        for i, x in enumerate((side.train, side.test))
    )
    return train, test


def rate(side: Side, counts: Counts) -> float:
    """Spikes a neuron and step; of raw counts, an input."""
    mean = float(counts[1].mean())
    return mean / side.n_steps if counts[1].dtype.kind == "i" else mean


def fit(
    bench: Bench, counts: tuple[Counts, Counts], pairs: Pairs, seed: int
) -> FittedHead[Projections]:
    """A head trained on the pairs; the unseen accuracy is watched, and chooses nothing."""
    (a, b), (of_a, of_b) = counts, pairs
    labels = bench.sides[0].train.labels[of_a]
    watch = {"unseen": lambda head: bench.scores(head, counts).a_to_b.unseen.accuracy}
    return fit_pairs(a[0][of_a], b[0][of_b], labels, bench.recipe.head, seed, watch=watch)


def numbers(scores: ZeroShot) -> Numbers:
    """Scores by name."""
    out: Numbers = {}
    for name, direction in (("a_to_b", scores.a_to_b), ("b_to_a", scores.b_to_a)):
        out |= _of(name, direction)
    return out


def _of(name: str, direction: Direction) -> Numbers:
    out: Numbers = {}
    for gallery in GALLERIES:
        score = getattr(direction, gallery)
        out[f"{name}_{gallery}_correct"] = score.n_correct
        out[f"{name}_{gallery}_queries"] = score.n_queries
    return out
