"""Zero-shot retrieval: which of one modality's samples answers a query of the other.

A query is answered by the largest dot product of embeddings over a gallery, and is right if the
answer's class is its own. What that means depends on the gallery: two classes are guessed half of
the time, so every result here carries the number of its queries and its chance level.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray

Pairs = tuple[IntArray, IntArray]  # of a, of b: equally long


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Answers to queries.

    Attributes:
        answers: of every query, the index of its answer in the gallery.
        classes: of queries or gallery, sorted.
        confusion: queries by their class (rows) and that of their answer (columns).
        n_gallery_classes: classes that an answer may have.
    """

    answers: IntArray
    classes: IntArray
    confusion: IntArray
    n_gallery_classes: int

    @property
    def score(self) -> "Score":
        """How many are right, of how many, beside the chance level."""
        right, total = int(np.trace(self.confusion)), int(self.confusion.sum())
        largest = int(self.confusion.sum(axis=1).max())
        return Score(right, total, 1 / self.n_gallery_classes, largest / total)


@dataclass(frozen=True, slots=True)
class Score:
    """Right answers, and what they are to be held against.

    Attributes:
        chance: what a guess among the classes of the gallery reaches.
        majority: what one answer to all reaches, the class of most queries: more than chance where
            classes are not equally frequent.
    """

    n_correct: int
    n_queries: int
    chance: float
    majority: float

    @property
    def accuracy(self) -> float:
        """The part of the queries that is right."""
        return self.n_correct / self.n_queries


@dataclass(frozen=True, slots=True)
class Direction:
    """Scores of one modality's queries in the other's gallery.

    Attributes:
        seen: queries of seen classes in the gallery of seen classes.
        unseen: queries of unseen classes in the gallery of unseen classes.
        seen_of_all: queries of seen classes in the gallery of all classes.
        unseen_of_all: generalised zero-shot: queries of unseen classes in the gallery of all.
    """

    seen: Score
    unseen: Score
    seen_of_all: Score
    unseen_of_all: Score


@dataclass(frozen=True, slots=True)
class ZeroShot:
    """Scores of both directions: queries of a in b's gallery, and of b in a's."""

    a_to_b: Direction
    b_to_a: Direction

    def as_dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def retrieve(
    queries: AnyArray, gallery: AnyArray, query_labels: AnyArray, gallery_labels: AnyArray
) -> Retrieval:
    """Answer every query by the largest dot product over the gallery; of equal ones by the first.

    Args:
        queries: (queries, dimensions). gallery: (samples, dimensions).
        query_labels: (queries,). gallery_labels: (samples,).

    Raises:
        ValueError: if shapes disagree, either is empty, or a value is not finite.
    """
    _check(queries, query_labels, "queries")
    _check(gallery, gallery_labels, "gallery")
    if queries.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"queries have {queries.shape[1]} dimensions, the gallery {gallery.shape[1]}: embed "
            "both in one space"
        )
    answers = np.argmax(np.asarray(queries, float) @ np.asarray(gallery, float).T, axis=1)
    classes = np.union1d(query_labels, gallery_labels)
    confusion = np.zeros((len(classes), len(classes)), np.int64)
    asked, said = (np.searchsorted(classes, y) for y in (query_labels, gallery_labels[answers]))
    np.add.at(confusion, (asked, said), 1)
    return Retrieval(answers, classes, confusion, len(np.unique(gallery_labels)))


def evaluate(
    emb_a: AnyArray,
    labels_a: AnyArray,
    emb_b: AnyArray,
    labels_b: AnyArray,
    *,
    seen: Sequence[int],
    unseen: Sequence[int],
) -> ZeroShot:
    """Score retrieval of seen and unseen classes, in their own galleries and in that of all.

    Samples of other classes are left out, of queries and of galleries.

    Args:
        emb_a: (samples of a, dimensions). labels_a: (samples of a,).
        emb_b: (samples of b, dimensions). labels_b: (samples of b,).

    Raises:
        ValueError: if a class is both seen and unseen, or has no sample on a side.
    """
    check_classes(seen, unseen)
    every = [*seen, *unseen]
    a = _checked_side(emb_a, labels_a, every, "a")
    b = _checked_side(emb_b, labels_b, every, "b")

    def direction(queries: "_Side", gallery: "_Side") -> Direction:
        def score(of: Sequence[int], among: Sequence[int]) -> Score:
            (q, q_labels), (g, g_labels) = _only(queries, of), _only(gallery, among)
            return retrieve(q, g, q_labels, g_labels).score

        return Direction(
            seen=score(seen, seen),
            unseen=score(unseen, unseen),
            seen_of_all=score(seen, every),
            unseen_of_all=score(unseen, every),
        )

    return ZeroShot(a_to_b=direction(a, b), b_to_a=direction(b, a))


def check_classes(seen: Sequence[int], unseen: Sequence[int]) -> None:
    """Whether seen and unseen classes can be told apart.

    Raises:
        ValueError: if a class is named twice, or one of both has fewer than two classes.
    """
    every = [*seen, *unseen]
    twice = {c for c in every if every.count(c) > 1}
    if twice:
        raise ValueError(f"class {min(twice)} is named twice: a class is seen or unseen, once")
    for name, classes in (("seen", seen), ("unseen", unseen)):
        if len(classes) < 2:
            raise ValueError(
                f"{len(classes)} {name} classes: among fewer than two every answer is right"
            )


def pair_by_label(labels_a: AnyArray, labels_b: AnyArray, classes: Sequence[int]) -> Pairs:
    """Pair samples of one class by their order inside the class, class after class.

    A class with m samples of a and n of b gives max(m, n) pairs: the longer side has every sample
    once, the shorter starts over from its first as often as it takes. Pair k of a class is its
    sample k mod m of a with its sample k mod n of b.

    Args:
        labels_a: (samples of a,). labels_b: (samples of b,). classes: that are paired.

    Returns:
        Indices into a and into b, (pairs,) each.

    Raises:
        ValueError: if a class has no sample on a side.
    """
    found_a, found_b = [], []
    for c in classes:
        of_a, of_b = (_members(y, c, side) for y, side in ((labels_a, "a"), (labels_b, "b")))
        k = np.arange(max(len(of_a), len(of_b)))
        found_a.append(of_a[k % len(of_a)])
        found_b.append(of_b[k % len(of_b)])
    return np.concatenate(found_a), np.concatenate(found_b)


def pair_by_index(labels_a: AnyArray, labels_b: AnyArray, classes: Sequence[int]) -> Pairs:
    """Pair sample i of a with sample i of b, of these classes: two recordings of one thing.

    Raises:
        ValueError: if there are not as many of both, the labels of a pair differ, or a class has
            no sample.
    """
    if len(labels_a) != len(labels_b):
        raise ValueError(
            f"{len(labels_a)} samples of a and {len(labels_b)} of b cannot be paired by index: "
            "pair them by label"
        )
    differ = np.flatnonzero(labels_a != labels_b)
    if len(differ):
        i = differ[0]
        raise ValueError(
            f"sample {i} is of class {labels_a[i]} in a and {labels_b[i]} in b: their order is not "
            "the same, pair them by label"
        )
    chosen = np.sort(np.concatenate([_members(labels_a, c, "a") for c in classes]))
    return chosen, chosen


def shuffled_pairs(pairs: Pairs, seed: int) -> Pairs:
    """A control: the partners of b dealt out anew among all pairs, whatever their class.

    By chance about one in as many as there are classes is still right.
    """
    of_a, of_b = pairs
    return of_a, np.random.default_rng(seed).permutation(of_b)


def wilson_interval(score: Score) -> tuple[float, float]:
    """95 % interval of an accuracy, by the number of its queries alone [Wilson1927]."""
    z, n, p = 1.959964, score.n_queries, score.accuracy
    middle, width = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = ((middle + sign * width) / (1 + z**2 / n) for sign in (-1, 1))
    return max(0.0, float(low)), min(1.0, float(high))


_Side = tuple[FloatArray, IntArray]


def _checked_side(
    embedding: AnyArray, labels: AnyArray, classes: Sequence[int], side: str
) -> _Side:
    _check(embedding, labels, f"embeddings of {side}")
    for c in classes:
        _members(labels, c, side)
    return np.asarray(embedding, float), np.asarray(labels)


def _only(side: _Side, classes: Sequence[int]) -> _Side:
    chosen = np.isin(side[1], classes)
    return side[0][chosen], side[1][chosen]


def _members(labels: AnyArray, c: int, side: str) -> IntArray:
    found = np.flatnonzero(labels == c)
    if not len(found):
        raise ValueError(f"class {c} has no sample of {side}: leave it out, or give samples of it")
    return found


def _check(values: AnyArray, labels: AnyArray, what: str) -> None:
    if values.ndim != 2 or not values.size or labels.shape != values.shape[:1]:
        raise ValueError(
            f"{what} of shape {values.shape} with labels of shape {labels.shape}: give (samples, "
            "dimensions), 1 or more, and a label for each sample"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"{what} have a value that is not finite: train with a lower `lr`")
