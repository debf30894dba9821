"""The two files of a report."""

import json
from pathlib import Path

from hwsim.atomic import write_text
from hwsim.report.data import ReportInput
from hwsim.report.page import report_html
from hwsim.report.plain import report_json


def write_report(data: ReportInput, folder: Path) -> tuple[Path, Path]:
    """Write `report.html` and `report.json` into a folder; each appears whole or not at all.

    Equal input gives equal bytes.

    Raises:
        OSError: if the folder cannot be written.
    """
    page, plain = folder / "report.html", folder / "report.json"
    html = report_html(data)
    text = json.dumps(report_json(data), indent=2, allow_nan=False, ensure_ascii=False)
    write_text(plain, text + "\n")
    write_text(page, html)
    return page, plain
