"""The chip's bill beside the field's shortcut and the ANN of the same shape."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.energy import Band, Term, shortcut
from hwsim.report.data import ReportInput

Counted = Literal["everything priced", "arithmetic only"]


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to count the joules of an inference.

    Attributes:
        operations: synaptic operations, or multiply-accumulates. term: its product; None for the
            chip's bill, which has many. energy_j: None if it is not known.
        ratio: its joules over the chip's; None if either is not known.
    """

    key: str
    title: str
    counted: Counted
    operations: float
    term: Term | None
    energy_j: float | None
    band_j: Band | None
    ratio: float | None


def rivals(data: ReportInput) -> tuple[Rival, ...]:
    """The chip's bill first, then the same work by the price list of the shortcut."""
    sops = float(np.sum(data.counts.sops)) / data.counts.n_samples
    macs = sum(layer.macs for layer in data.layers)
    chip_j = data.bill.energy_j if data.energy_known else None
    known_band = data.bill.energy_band if data.energy_known else None
    chip = Rival(
        "chip",
        f"spiking network on {data.chip.title}",
        "everything priced",
        sops,
        None,
        chip_j,
        known_band,
        1.0 if chip_j else None,
    )
    titles = {
        "snn_fp32": "spiking network by the shortcut, additions fp32",
        "ann_fp32": "ANN of the same shape, one pass, MAC fp32",
        "ann_int8": "ANN of the same shape, one pass, MAC int8",
    }
    terms = shortcut(sops, macs, data.prices)
    return (chip, *(_by_shortcut(key, titles[key], terms[key], chip_j) for key in titles))


def _by_shortcut(key: str, title: str, term: Term, chip_j: float | None) -> Rival:
    value, r = term.value, term.price.rel_uncertainty
    band = Band(value, value / (1 + r), value * (1 + r)) if value is not None and r else None
    ratio = value / chip_j if value is not None and chip_j else None
    return Rival(key, title, "arithmetic only", term.amount, term, value, band, ratio)
