"""The model of the mesh against the flit-level reference, as two tables; about two minutes.

python -m tests.noc_table        # writes experiments/noc/latency.csv and bursts.csv
"""

import csv
from pathlib import Path

import numpy as np

from hwsim.contention import latency
from hwsim.noc import Grid
from tests.bursts import burst_plan, last_arrival
from tests.flit_simulator import drain
from tests.traffic_patterns import (
    MULTICASTS,
    PATTERNS,
    each_alone,
    holding,
    offered,
    poisson,
    poisson_messages,
    to_load,
)
from tests.travel import travel

FOLDER = Path(__file__).parents[1] / "experiments" / "noc"
LOADS = (0.1, 0.3, 0.5, 0.65, 0.8, 0.9)
N_PACKETS = 400_000
FIRED = (0.002, 0.01, 0.03, 0.1, 0.3, 1.0)  # share of the neurons


def latency_rows():
    """One row per pattern and load; `md1` leaves out what upstream links have spaced."""
    for name, (pattern, (columns, rows), times) in PATTERNS.items():
        hold = holding(columns, rows, **times)
        matrix = pattern(columns, rows)
        for load in LOADS:
            rates = offered(columns, rows, matrix, hold, load)
            model = each_alone(Grid(hold), rates)
            queue = model.held * hold / (2 * (1 - model.held))
            plain = model.zero_load_s + (queue * model.rates_hz).sum() / rates.sum()
            packets = poisson(columns, rates, N_PACKETS, seed=int(100 * load))
            reference = mean_latency(hold, packets)
            yield {
                **row_of(name, columns, rows, load, model, reference),
                "md1_error_percent": f"{100 * (plain / reference - 1):+.2f}",
            }


def multicast_rows():
    """One row per multicast and load: the packets of one spike are handed over at once."""
    for name, of in MULTICASTS.items():
        (columns, rows), times, messages = of()
        grid = Grid(holding(columns, rows, **times))
        for load in LOADS:
            offer = to_load(grid, messages, load)
            packets = poisson_messages(columns, offer, N_PACKETS, seed=int(100 * load))
            reference = mean_latency(grid.hold_s, packets)
            n_each = offer.rate_hz @ offer.sends.sum(axis=1) / offer.rate_hz.sum()
            yield {
                **row_of(name, columns, rows, load, latency(grid, offer), reference),
                "packets_per_spike": f"{n_each:.1f}",
            }


def mean_latency(hold, packets):
    """Seconds in the flit-level mesh, without the first tenth, which found empty queues."""
    source, target, born = packets
    arrived, _ = drain(hold, source, target, born)
    return (arrived - born)[born.size // 10 :].mean()


def row_of(name, columns, rows, load, model, reference):
    return {
        "pattern": name,
        "mesh": f"{columns}x{rows}",
        "load": load,
        "alone_ns": f"{model.zero_load_s * 1e9:.2f}",
        "model_ns": f"{model.mean_s * 1e9:.2f}",
        "reference_ns": f"{reference * 1e9:.2f}",
        "error_percent": f"{100 * (model.mean_s / reference - 1):+.2f}",
    }


def burst_rows():
    """One row per pattern and size of burst."""
    rng = np.random.default_rng(17)
    for name in PATTERNS:
        plan = burst_plan(name)
        fired = np.stack([rng.random(plan.network["all"].size) < share for share in FIRED])
        spikes = {
            "input": np.zeros((1, len(FIRED), 1), np.uint8),
            "all": fired[None].view(np.uint8),
        }
        found = travel(plan, spikes)
        for t, step in enumerate(fired):
            needed, bound = last_arrival(plan, {"all": step}), found.seconds[0, t]
            yield {
                "pattern": name,
                "spikes": np.count_nonzero(step),
                "waits": int(found.waits[0, t].sum()),
                "bound_ns": f"{bound * 1e9:.1f}",
                "reference_ns": f"{needed * 1e9:.1f}",
                "ratio": f"{needed / bound:.3f}" if bound else "",
            }


def write(name, rows):
    rows = list(rows)
    with (FOLDER / name).open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    write("latency.csv", latency_rows())
    write("multicast.csv", multicast_rows())
    write("bursts.csv", burst_rows())
