"""One page and one file that say what a run on a chip did, cost, and is known to leave out.

Importing it needs no matplotlib; writing a page does.
"""

from hwsim.report.data import Accuracy, Curves, Raster, ReportInput
from hwsim.report.layers import CoreRow, LayerRow, build_cores, build_layers
from hwsim.report.page import report_html
from hwsim.report.plain import report_json
from hwsim.report.write import write_report

__all__ = [
    "Accuracy",
    "CoreRow",
    "Curves",
    "LayerRow",
    "Raster",
    "ReportInput",
    "build_cores",
    "build_layers",
    "report_html",
    "report_json",
    "write_report",
]
