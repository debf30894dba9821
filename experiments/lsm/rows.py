"""What was measured, as numbers by name: one file, written whole, that a rerun goes on from."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from hwsim.atomic import write_text

KEYS = ("part", "task", "arm", "parameter", "value", "seed")
COLUMNS = (*KEYS, "what", "number", "hash", "version")


@dataclass(frozen=True, slots=True, order=True)
class Case:
    """One thing to measure: a part of the experiment, and an arm of it from a seed.

    Attributes:
        parameter, value: what is swept, if anything.
    """

    part: str
    task: str
    arm: str
    parameter: str = ""
    value: float = 0.0
    seed: int = 0

    @property
    def key(self) -> tuple[str, ...]:
        """How rows name it."""
        return tuple(f"{x:g}" if isinstance(x, float) else str(x) for x in astuple(self))


Numbers = dict[str, float | None]
Found = dict[tuple[str, ...], Numbers]  # by the key of the case


def read(path: Path) -> Found:
    """All numbers that were kept; a number that is not known is None."""
    found: Found = {}
    if path.exists():
        for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))):
            number = float(row["number"]) if row["number"] else None
            found.setdefault(tuple(row[k] for k in KEYS), {})[row["what"]] = number
    return found


def hashes(path: Path) -> dict[tuple[str, ...], str]:
    """What every case was measured of, by its key."""
    if not path.exists():
        return {}
    rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
    return {tuple(row[k] for k in KEYS): row["hash"] for row in rows}


def write(path: Path, found: Found, made_of: Mapping[tuple[str, ...], str], version: str) -> None:
    """Write the numbers of these cases, whole, in this order.

    Args:
        made_of: hash of what a case was measured of, by its key.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for key, digest in made_of.items():
        for what, number in found.get(key, {}).items():
            written = "" if number is None else f"{number:.8g}"
            writer.writerow((*key, what, written, digest, version))
    write_text(path, text.getvalue())


def mean_sd(values: Sequence[float]) -> tuple[float, float]:
    """Mean, and standard deviation of the sample; 0 of one."""
    n = len(values)
    mean = sum(values) / n
    if n < 2:
        return mean, 0.0
    return mean, (sum((v - mean) ** 2 for v in values) / (n - 1)) ** 0.5
