"""The report as plain data: what `report.json` holds. Joules, seconds and watts; None is unknown.

Keys:
    schema: version of this layout. title, chip, provenance, exactness, not_modelled: as given.
    accuracy: by stage (`float`, `quantised`, `on chip`) counts, value and Wilson's 95 % interval.
    inference: energy_j, latency_s, power_w of one inference with median, p10 and p90; steps,
        cores and tiles.
    components_j: joules by component with their band.
    energy_terms, time_terms: the bill, line by line; known values sum to the totals.
    unknown: lines without a price, in words. constants: every constant of chip and shortcut.
    comparison: the bill beside the shortcut and the ANN of the same shape.
    layers, cores, verdicts, confusion, classes, curves: as on the page.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from hwsim.chips.spec import Constant
from hwsim.energy import Band
from hwsim.report.comparison import Rival, rivals
from hwsim.report.data import Accuracy, ReportInput
from hwsim.report.layers import LayerRow, build_cores

SCHEMA = 1


def report_json(data: ReportInput) -> dict[str, Any]:
    """Everything the page shows but the raster, as plain data; see the keys above."""
    bill = data.bill.as_dict()
    plain = {
        "schema": SCHEMA,
        "title": data.title,
        "chip": _chip(data),
        "accuracy": _accuracies(data),
        "inference": _inference(data),
        "components_j": components(data),
        "energy_terms": bill["energy_terms"],
        "time_terms": bill["time_terms"],
        "unknown": bill["unknown"],
        "constants": {
            data.chip.name: _constants(data.chip.constants()),
            data.prices.name: _constants(data.prices.constants()),
        },
        "comparison": [_rival(r) for r in rivals(data)],
        "layers": [_layer(row) for row in data.layers],
        "cores": [asdict(row) for row in build_cores(data.plan, data.counts)],
        "verdicts": [asdict(v) for v in data.verdicts],
        "confusion": None if data.confusion is None else data.confusion.tolist(),
        "classes": list(data.classes),
        "curves": _curves(data),
        "exactness": list(data.exactness),
        "not_modelled": list(data.not_modelled),
        "provenance": dict(data.provenance),
    }
    cleaned: dict[str, Any] = _clean(plain)
    return cleaned


def components(data: ReportInput) -> dict[str, dict[str, Any]]:
    """Joules by component; a component of which nothing is known has None, and its lines say so."""
    out = {}
    for name, value in data.bill.component_j().items():
        band = None if value is None else data.bill.components.get(name)
        lines = [t for t in data.bill.energy_terms if t.component == name]
        out[name] = {
            "value": value,
            "band": band and asdict(band),
            "not_known": [t.what for t in lines if t.value is None],
        }
    return out


def _chip(data: ReportInput) -> dict[str, Any]:
    fields = ("name", "title", "arithmetic", "technology", "area_m2")
    return {name: getattr(data.chip, name) for name in fields}


def _accuracies(data: ReportInput) -> dict[str, Any]:
    stages: dict[str, Any] = {a.stage: _accuracy(a) for a in data.accuracies}
    return stages | {"chance": data.chance}


def _accuracy(accuracy: Accuracy) -> dict[str, Any]:
    low, high = accuracy.interval()
    counts = {"n_correct": accuracy.n_correct, "n_total": accuracy.n_total}
    return {**counts, "value": accuracy.value, "wilson95": [low, high]}


def _inference(data: ReportInput) -> dict[str, Any]:
    bill, known = data.bill, data.energy_known
    return {
        "n_samples": bill.n_samples,
        "steps": data.steps,
        "energy_j": bill.energy_j if known else None,
        "energy_band_j": _band(bill.energy_band) if known else None,
        "latency_s": bill.latency_s if data.latency_known else None,
        "latency_band_s": _band(bill.latency_band) if data.latency_known else None,
        "power_w": bill.power_w if known and data.latency_known else None,
        "n_cores": data.counts.n_cores,
        "n_tiles": data.counts.n_tiles,
    }


def _band(band: Band | None) -> dict[str, float] | None:
    return None if band is None else asdict(band)


def _constants(constants: Mapping[str, Constant]) -> dict[str, Any]:
    return {name: c.model_dump(by_alias=True) for name, c in constants.items()}


def _rival(rival: Rival) -> dict[str, Any]:
    return {
        "key": rival.key,
        "title": rival.title,
        "counted": rival.counted,
        "operations": rival.operations,
        "constant": rival.term and rival.term.constant,
        "energy_j": rival.energy_j,
        "band_j": _band(rival.band_j),
        "over_chip": rival.ratio,
    }


def _layer(row: LayerRow) -> dict[str, Any]:
    return {**asdict(row), "shape": list(row.shape), "sparsity": row.sparsity}


def _curves(data: ReportInput) -> dict[str, Any] | None:
    if data.curves is None:
        return None
    columns = {name: list(values) for name, values in data.curves.columns.items()}
    return {"epochs": list(data.curves.epochs), "columns": columns}


def _clean(value: Any) -> Any:
    """The same with NaN and infinity, which JSON has not, as None."""
    if isinstance(value, dict):
        return {key: _clean(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
