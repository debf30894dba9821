"""One page and one JSON file about a network on a chip.

layers = build_layers(plan, run)
data = ReportInput("my run", plan, run.counts, hwsim.price(run.counts, plan.chip), layers)
write_report(data, Path("runs/my-run"))
"""

from hwsim.report.data import Accuracy, Curves, Raster, ReportInput
from hwsim.report.layers import CoreRow, LayerRow, build_cores, build_layers
from hwsim.report.page import report_html, write_report
from hwsim.report.plain import report_json

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
