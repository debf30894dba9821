"""Contestants in turn, several times: a machine that slows down slows all of them."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Row = dict[str, float]
Once = Callable[[], Row]


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


WALL = ", wall"


def measured(name: str, work: Callable[[], object], n_samples: int, n_calls: int = 5) -> Row:
    """Seconds of the processor, and by the clock, per sample: medians of some calls in a row.

    Where others use the machine too, a short call is seldom interrupted and a long one often: the
    clock favours the short, the processor's time does not.
    """
    processor, clock = [], []
    for _ in range(n_calls):
        begin, began = time.process_time(), time.perf_counter()
        work()
        processor.append(time.process_time() - begin)
        clock.append(time.perf_counter() - began)
    found = {name: processor, name + WALL: clock}
    return {key: statistics.median(seconds) / n_samples for key, seconds in found.items()}
