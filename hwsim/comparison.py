"""The same network on several chips, and without spikes on an accelerator: answers and bills."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from hwsim.ann import ann_area, ann_bill
from hwsim.arrays import AnyArray
from hwsim.bands import Band
from hwsim.bill import Bill
from hwsim.chips.accelerator import Accelerator
from hwsim.chips.files import Chip
from hwsim.chips.spec import ChipSpec
from hwsim.crossbar.area import area
from hwsim.crossbar.chips import over_chips
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.engine import components, simulate_crossbar
from hwsim.crossbar.made import MadeChip
from hwsim.crossbar.plan import compile_crossbar
from hwsim.crossbar.spec import CrossbarChip
from hwsim.energy import price
from hwsim.mapping.compiler import compile_network
from hwsim.network import Network
from hwsim.profiling import profile
from hwsim.quantization import quantize
from hwsim.simulation import simulate


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of a comparison.

    Attributes:
        name, title: of the chip. accuracy: right answers, a fraction; None if it has none.
        p5_p95: of the accuracy over chips, where several were made. n_chips: how many.
        bill: of one inference. area_m2, area_band: of what is in use; None if not known.
        area_says: what the area is of.
    """

    name: str
    title: str
    accuracy: float | None
    p5_p95: tuple[float, float] | None
    n_chips: int
    bill: Bill
    area_m2: float | None
    area_band: Band | None
    area_says: str

    def as_dict(self) -> dict[str, Any]:
        """The row as plain data, for JSON."""

        def plain(b: Band | None) -> dict[str, float] | None:
            return None if b is None else asdict(b)

        return {
            "name": self.name,
            "title": self.title,
            "accuracy": self.accuracy,
            "accuracy_p5_p95": None if self.p5_p95 is None else list(self.p5_p95),
            "n_chips": self.n_chips,
            "energy_j": self.bill.energy_j,
            "energy_band_j": plain(self.bill.energy_band),
            "latency_s": self.bill.latency_s,
            "latency_band_s": plain(self.bill.latency_band),
            "components_j": self.bill.component_j(),
            "area_m2": self.area_m2,
            "area_band_m2": plain(self.area_band),
            "area_of": self.area_says,
            "unknown": list(self.bill.unknown),
        }


def compare(
    net: Network,
    samples: AnyArray,
    labels: AnyArray,
    calibration: AnyArray,
    *,
    chips: Sequence[Chip],
    integers: Network | None = None,
    accelerator: Accelerator | None = None,
    n_chips: int = 1,
    seed: int = 0,
    on_row: Callable[[str], None] | None = None,
) -> tuple[Compared, ...]:
    """Run one trained network on every chip, with the same samples.

    Args:
        net: in real numbers, as crossbars take it. samples, labels: what is answered and priced.
        calibration: other samples: ranges of converters, scales of integers and maps are made for
            these.
        integers: the network in a chip's integers, if it was trained in them; else `net` is
            quantised for every chip of neurocores.
        accelerator: prices of the network without spikes, of the same shape; it has no accuracy.
        n_chips: of crossbars, with fresh devices each. seed: of devices and of maps.
        on_row: called with a chip's name before it runs.

    Raises:
        DoesNotFit: naming every broken limit of a chip.
        ValueError: if labels and samples differ in number.
    """
    if len(labels) != len(samples):
        raise ValueError(f"{len(labels)} labels for {len(samples)} samples: give one for each")
    rows = []
    for chip in chips:
        if on_row:
            on_row(chip.name)
        if isinstance(chip, CrossbarChip):
            rows.append(_on_crossbars(net, samples, labels, calibration, chip, n_chips, seed))
        else:
            whole = integers or quantize(net, chip, calibration)[0]
            rows.append(_on_neurocores(whole, samples, labels, calibration, chip, seed))
    if accelerator is not None:
        rows.append(_without_spikes(net, samples.shape[1], accelerator))
    return tuple(rows)


def _on_neurocores(
    net: Network,
    samples: AnyArray,
    labels: AnyArray,
    calibration: AnyArray,
    chip: ChipSpec,
    seed: int,
) -> Compared:
    plan = compile_network(net, chip, profile=profile(net, calibration), seed=seed)
    run = simulate(plan, samples)
    counts = run.counts
    assert counts is not None
    share = counts.n_cores / chip.limits.cores
    return Compared(
        name=chip.name,
        title=chip.title,
        accuracy=_right(run.output, labels),
        p5_p95=None,
        n_chips=1,
        bill=price(counts, chip),
        area_m2=None if chip.area_m2 is None else chip.area_m2 * share,
        area_band=None,
        area_says=f"{counts.n_cores} of {chip.limits.cores} cores, as a share of the whole chip",
    )


def _on_crossbars(
    net: Network,
    samples: AnyArray,
    labels: AnyArray,
    calibration: AnyArray,
    chip: CrossbarChip,
    n_chips: int,
    seed: int,
) -> Compared:
    plan = compile_crossbar(net, chip, calibration, seed=seed)
    seen: list[CrossbarCounts] = []

    def measured(made: MadeChip) -> float:
        run = simulate_crossbar(made, samples, seed=made.seed)
        seen.append(run.counts)
        return _right(run.output, labels)

    spread = over_chips(plan, n_chips, measured, seed=seed)
    counts = reduce(add, seen)
    found = area(chip, counts.n_arrays)
    return Compared(
        name=chip.name,
        title=chip.title,
        accuracy=spread.mean,
        p5_p95=spread.p5_p95 if n_chips > 1 else None,
        n_chips=n_chips,
        bill=price(counts, chip),
        area_m2=found.m2,
        area_band=found.band,
        area_says=f"{counts.n_arrays} arrays in use with what stands around each",
    )


def _without_spikes(net: Network, n_steps: int, prices: Accelerator) -> Compared:
    loops = len(net.populations) > len(components(net))
    recurrent = loops or any(p.source == p.target for p in net.projections)
    found = ann_area(prices)
    return Compared(
        name=prices.name,
        title=f"{prices.title}, no spikes",
        accuracy=None,
        p5_p95=None,
        n_chips=1,
        bill=ann_bill(net, prices, n_passes=n_steps if recurrent else 1),
        area_m2=found.m2,
        area_band=found.band,
        area_says="multipliers and SRAM",
    )


def _right(output: AnyArray, labels: AnyArray) -> float:
    return float((np.asarray(output).argmax(axis=1) == np.asarray(labels)).mean())
