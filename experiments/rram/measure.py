"""One chip of a case, made and tried."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

import hwsim
from experiments.rram.cases import Case, chip, device, network, splits
from hwsim.crossbar.chips import Spread
from hwsim.crossbar.correction import calibrate_chip
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import CrossbarPlan, compile_crossbar

CORES = ("cells", "lines", "drivers", "converters", "digital", "neurons", "control", "static")
COLUMNS = (
    "part", "network", "device", "parameter", "value", "n_chips", "n_samples",
    "mean", "p5", "p95", "ci_low", "ci_high", "right", "spikes_different",
    "energy_j", "energy_p10_j", "energy_p90_j", *(f"{c}_j" for c in CORES), "adc_conversion_j",
    "latency_s", "seed", "data", "version", "network_sha", "hash",
)  # fmt: skip


@dataclass(frozen=True)
class Tried:
    """A chip's right answers, events, and, without errors, spikes that are not the network's."""

    right: int
    counts: CrossbarCounts
    different: int | None


@lru_cache(maxsize=2)
def plan(case: Case) -> CrossbarPlan:
    """The network on the chip: ranges of converters from training samples."""
    known, _, _ = splits(case.data)
    return compile_crossbar(network(case.network), chip(case), known, device=device(case))


def tried(case: Case, seed: int) -> Tried:
    """Make the chip of a seed, correct it if asked for, and run the test split."""
    known, frames, labels = splits(case.data)
    made, net = fabricate(plan(case), seed=seed), network(case.network)
    if case.corrected:
        made = calibrate_chip(made, known, time_s=case.time_s, seed=seed)
    exact = case.device == "ideal"
    record = plan(case).layers if exact else ()
    run = simulate_crossbar(made, frames, time_s=case.time_s, seed=seed, record=record)
    different = None
    if exact:
        wanted = hwsim.simulate(net, frames, record="spikes").spikes
        different = sum(int((run.spikes[n] != wanted[n]).sum()) for n in record)
    return Tried(int((run.output.argmax(1) == labels).sum()), run.counts, different)


def row_of(case: Case, found: list[Tried], facts: dict[str, str]) -> dict[str, str]:
    """A row of the results from all chips of a case; facts: version and hashes."""
    n = found[0].counts.n_samples
    right = [one.right for one in found]
    spread = Spread(np.array(right) / n)
    total = found[0].counts
    for one in found[1:]:
        total += one.counts
    bill = hwsim.price(total, chip(case))
    parts, band = bill.component_j(), bill.energy_band
    known = bill.energy_j is not None and chip(case).energy.adc.value is not None
    values: dict[str, object] = {
        "part": case.part,
        "network": case.network,
        "device": case.device,
        "parameter": case.parameter,
        "value": f"{case.value:g}",
        "n_chips": len(found),
        "n_samples": n,
        "right": " ".join(map(str, right)),
        "spikes_different": found[0].different,
        "latency_s": bill.latency_s,
        "seed": "0" if len(found) == 1 else f"0-{len(found) - 1}",
        "data": case.data,
    }
    low, high = spread.p5_p95
    ends = spread.interval()
    values |= {"mean": spread.mean, "p5": low, "p95": high, "ci_low": ends[0], "ci_high": ends[1]}
    if known and band is not None:
        values |= {f"{name}_j": parts[name] for name in CORES}
        values |= {"energy_j": bill.energy_j, "energy_p10_j": band.p10, "energy_p90_j": band.p90}
        values["adc_conversion_j"] = chip(case).energy.adc.value
    return {name: _cell(values.get(name)) for name in COLUMNS} | facts


def _cell(value: object) -> str:
    """A number as it is written; nothing where it is not known."""
    if value is None:
        return ""
    return f"{value:.5g}" if isinstance(value, float) else str(value)
