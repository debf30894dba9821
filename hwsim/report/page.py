"""One self-contained page, and its data beside it."""

import json
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from hwsim.atomic import write_text
from hwsim.report import accounts, activity, delays, overview, words
from hwsim.report.data import ReportInput
from hwsim.report.markup import Html, join, paragraph, safe
from hwsim.report.plain import report_json

SECTIONS = (
    overview.energy,
    overview.compared,
    overview.accuracy,
    overview.time,
    activity.chip_map,
    activity.raster,
    activity.rates,
    overview.neurobench,
    activity.layers,
    delays.delays,
    activity.confusion,
    activity.training,
    accounts.bill,
    accounts.left_out,
    activity.exactness,
    accounts.origin,
    accounts.cite,
)


def report_html(data: ReportInput) -> str:
    """The page: no script, nothing loaded from elsewhere, the same bytes for the same data."""
    parts = [overview.cards(data), paragraph(words.verdict(data), class_="verdict-text")]
    parts += [write(data) for write in SECTIONS]
    return Template(_file("page.html")).substitute(
        title=safe(data.title),
        chip=safe(f"{data.chip.title}, {data.chip.technology}"),
        description=safe(words.verdict(data)),
        style=Html(_file("page.css")),
        body=join(parts, "\n"),
    )


def write_report(data: ReportInput, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into `folder`, each whole or not at all.

    Returns:
        The paths of both.

    Raises:
        OSError: if the folder cannot be written.
    """
    page, plain = folder / "report.html", folder / "report.json"
    write_text(page, report_html(data))
    write_text(plain, _lines(report_json(data)))
    return page, plain


def _lines(plain: dict[str, Any]) -> str:
    """JSON with one line per key: short, and two reports can be compared line by line."""
    dump = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    return "{\n" + ",\n".join(f"{dump(key)}: {dump(plain[key])}" for key in plain) + "\n}\n"


def _file(name: str) -> str:
    return (resources.files("hwsim.report") / name).read_text(encoding="utf-8")
