"""The report as plain data, for `report.json`: SI units, and None for what is not known.

Keys of `report_json` (stable; `format` changes when they do):

format          "hwsim-report/2"
title           name of the run
chip            name, title, technology, area_m2, n_cores
accuracy        [{stage, n_correct, n_total, value, low, high}], low and high are Wilson's 95 %
chance          accuracy of guessing; confusion, classes: samples by (true class, answer)
headline        accuracy, energy_j and latency_s {median, p10, p90}, power_w, n_cores, n_tiles,
                n_chips
n_steps         time steps per inference
bill            every term: {component, what, amount, constant, price, unit, class, source,
                rel_uncertainty, note, value}; sums, bands and what is unknown
comparison      {name: {what, amount, constant, price, source, class, value}}, joules
layers          [{name, role, kind, shape, neurons, parameters, rate, sparsity, sops, sops_dense,
                sops_sparse, sops_conv, packets, packets_in, macs, cores}], events per inference
cores           [{core, chip, x, y, layers: {name: neurons}, sops, packets, packets_in, step_s,
                busy, fill}], events per inference
delay_memory    as in hwsim/report/delays.py
neurobench      {footprint_bytes, connection_sparsity, activation_sparsity, effective_macs,
                effective_acs, dense, membrane_updates} as in hwsim/neurobench.py, or null
verdicts        [{population, verdict, reason, rms_weight_error}]
raster          {label, answer, spikes by layer: [[step, neuron]], payloads of those layers whose
                spikes carry any, in the same order, output}
training        {epochs, columns}
exactness, not_modelled, unknown   sentences
provenance      versions, seed, hash, command, and the network's digest
"""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from hwsim.bill import Term
from hwsim.energy import shortcut
from hwsim.report.data import ReportInput
from hwsim.report.delays import delay_json
from hwsim.report.layers import build_cores

FORMAT = "hwsim-report/2"


def report_json(data: ReportInput) -> dict[str, Any]:
    """Everything the page shows, as dicts, lists, strings, numbers and None."""
    out = {
        "format": FORMAT,
        "title": data.title,
        "chip": _chip(data),
        "accuracy": _accuracies(data),
        "chance": data.chance,
        "confusion": data.confusion,
        "classes": list(data.classes),
        "headline": _headline(data),
        "n_steps": data.steps,
        "bill": data.bill.as_dict(),
        "comparison": {name: _line(term) for name, term in comparison(data).items()},
        "layers": [asdict(row) | {"sparsity": row.sparsity} for row in data.layers],
        "cores": [asdict(row) for row in build_cores(data.plan, data.counts)],
        "delay_memory": delay_json(data.plan),
        "neurobench": data.neurobench and asdict(data.neurobench),
        "verdicts": [asdict(v) for v in data.verdicts],
        "raster": _raster(data),
        "training": _training(data),
        "exactness": list(data.exactness),
        "not_modelled": list(data.not_modelled),
        "unknown": list(data.bill.unknown),
        "provenance": provenance(data),
    }
    plain: dict[str, Any] = _plain(out)
    return plain


def comparison(data: ReportInput) -> dict[str, Term]:
    """The shortcut's price of this network, and of the ANN of the same shape."""
    sops = sum(row.sops for row in data.layers)
    return shortcut(sops, sum(row.macs for row in data.layers), data.prices)


def provenance(data: ReportInput) -> dict[str, str]:
    """What was given, and the digest of the network that ran."""
    return {**data.provenance, "network (sha256)": data.plan.network.digest}


def _chip(data: ReportInput) -> dict[str, Any]:
    chip = data.chip
    return {
        "name": chip.name,
        "title": chip.title,
        "technology": chip.technology,
        "area_m2": chip.area_m2,
        "n_cores": chip.limits.cores,
    }


def _accuracies(data: ReportInput) -> list[dict[str, Any]]:
    out = []
    for a in data.accuracies:
        low, high = a.interval()
        out.append(asdict(a) | {"value": a.value, "low": low, "high": high})
    return out


def _headline(data: ReportInput) -> dict[str, Any]:
    on_chip, bill = data.accuracy("on chip"), data.bill
    return {
        "accuracy": None if on_chip is None else on_chip.value,
        "energy_j": bill.energy_band and asdict(bill.energy_band),
        "latency_s": bill.latency_band and asdict(bill.latency_band),
        "power_w": bill.power_w,
        "n_cores": data.counts.n_cores,
        "n_tiles": data.counts.n_tiles,
        "n_chips": data.counts.n_chips,
    }


def _line(term: Term) -> dict[str, Any]:
    price = term.price.model_dump(by_alias=True, exclude={"value"})
    names = {"what": term.what, "amount": term.amount, "constant": term.constant}
    return {**names, **price, "price": term.price.value, "value": term.value}


def _raster(data: ReportInput) -> dict[str, Any] | None:
    raster = data.raster
    if raster is None:
        return None
    sent = {name: np.asarray(s) for name, s in raster.spikes.items()}
    return {
        "label": raster.label,
        "answer": raster.answer,
        "spikes": {name: np.argwhere(s != 0) for name, s in sent.items()},
        "payloads": {n: s[s != 0] for n, s in sent.items() if not np.isin(s, (0, 1)).all()},
        "output": raster.output,
    }


def _training(data: ReportInput) -> dict[str, Any] | None:
    if data.curves is None:
        return None
    phases = [
        {"name": phase.name, "epochs": phase.n_epochs, "chosen": phase.chosen}
        for phase in data.curves.phases
    ]
    curves = data.curves
    return {"epochs": list(curves.epochs), "columns": dict(curves.columns), "phases": phases}


def _plain(value: Any) -> Any:
    """The same in JSON's types; a NaN or an infinity is None."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
