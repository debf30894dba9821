"""The page: one HTML file that needs nothing else."""

from hwsim.report.data import ReportInput
from hwsim.report.markup import element


def report_html(data: ReportInput) -> str:
    """The report as one self-contained HTML page."""
    return f"<!DOCTYPE html>\n{element('title', data.title)}\n{element('h1', data.title)}\n"
