"""Deterministic partitions, the same on every machine and with every library version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

HOLD_FRACTION = 0.15  # of the training samples, kept out of the fit to choose the epoch


def stratified_part(
    labels: npt.NDArray[np.int64], fraction: float, *, salt: str
) -> npt.NDArray[np.bool_]:
    """Mark `fraction` of the samples of every class.

    Within a class, samples stand in the order of the SHA-256 of "salt:index", and the first
    round(fraction * n) are marked: no seed, no random number generator.
    """
    order = np.array(
        [hashlib.sha256(f"{salt}:{i}".encode()).hexdigest() for i in range(len(labels))]
    )
    part = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        ranked = members[np.argsort(order[members])]
        part[ranked[: round(fraction * len(members))]] = True
    return part


def fit_or_hold(labels: npt.NDArray[np.int64], split: str, *, name: str) -> npt.NDArray[np.int64]:
    """Indices into the training samples that make the split "train", "fit" or "hold"."""
    held = stratified_part(labels, HOLD_FRACTION, salt=f"{name}/hold")
    if split == "train":
        return np.arange(len(labels))
    return np.flatnonzero(held if split == "hold" else ~held)


def check_split(name: str, split: str, choices: Iterable[str]) -> None:
    """Raise unless the data set has this split."""
    choices = tuple(choices)
    if split not in choices:
        raise ValueError(f"{name} has no split {split!r}: choose from {', '.join(choices)}")
