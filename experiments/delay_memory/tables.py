"""What both experiments share: tables as CSV, and means with their spread."""

import csv
import io
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from hwsim.atomic import write_text

HERE = Path(__file__).parent
Row = dict[str, str]


def keep(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> list[Row]:
    """Write rows, whole, and read them back as text."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
    return read(path)


def read(path: Path) -> list[Row]:
    """The rows that were kept."""
    if not path.exists():
        return []
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def said(values: Sequence[float], digits: int = 1) -> str:
    """Mean, and standard deviation where values differ."""
    spread = f" ± {statistics.stdev(values):.{digits}f}" if len(set(values)) > 1 else ""
    return f"{statistics.mean(values):.{digits}f}{spread}"
