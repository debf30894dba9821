"""Contestants in turn, several times: a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Once = Callable[[], dict[str, float]]


class NotHere(Exception):  # noqa: N818 (a fact, not a failure)
    """A peer is not installed, or does not run: the message says which and why."""


@dataclass
class Times:
    """Seconds a sample took, one entry per round."""

    seconds: list[float] = field(default_factory=list)

    @property
    def median_s(self) -> float:
        """The figure to quote."""
        return statistics.median(self.seconds)


def timed(work: Callable[[], object], n_samples: int) -> float:
    """Seconds per sample of one call."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / n_samples


def in_turn(contestants: list[Once], n_rounds: int) -> dict[str, Times]:
    """Run each once uncounted, then all in turn `n_rounds` times; times by name."""
    times: dict[str, Times] = {}
    for once in contestants:
        once()
    for _ in range(n_rounds):
        for once in contestants:
            for name, seconds in once().items():
                times.setdefault(name, Times()).seconds.append(seconds)
    return times
