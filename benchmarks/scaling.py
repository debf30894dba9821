"""Cost against work: recurrent networks of 100 to 1,000,000 neurons, 100 synapses each.

`python -m benchmarks.scaling [--neurons 100 ... 1000000]` writes scaling.json and scaling.svg. The
largest has 100,000,000 synapses, each with a weight, a target and a delay of its own. Targets are
among the 1,000 nearest neurons on a ring (`near`), or any (`anywhere`): then a network that
outgrows the processor's caches waits for memory, and an operation costs more.
"""

import argparse
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for name in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{name}_NUM_THREADS"] = "1"  # before numpy and numba are imported

import numpy as np

import hwsim
from benchmarks.machine import machine
from benchmarks.table import into_page
from benchmarks.timing import in_turn, timed
from benchmarks.workloads import recurrent
from hwsim.atomic import atomic_path, write_text

FAN_OUT, N_STEPS = 100, 200
REACH = {"near": 500, "anywhere": None}
SIZES = (100, 316, 1_000, 3_162, 10_000, 31_623, 100_000, 316_228, 1_000_000)
Point = dict[str, Any]


def measure(n_neurons: int, targets: str, n_rounds: int) -> Point:
    """Synaptic operations, spikes and seconds of one run of one network."""
    workload = recurrent(n_neurons, FAN_OUT, N_STEPS, REACH[targets])
    samples = workload.draw(1)
    runs: list[hwsim.Run] = []

    def once() -> dict[str, float]:
        runs.clear()
        seconds = timed(lambda: runs.append(hwsim.simulate(workload.network, samples)), 1)
        return {"run": seconds}

    times = in_turn([once], n_rounds)
    return {
        "targets": targets,
        "neurons": n_neurons,
        "synapses": n_neurons * FAN_OUT,
        "sops": int(runs[0].sops.sum()),
        "spikes": int(runs[0].spike_counts["neurons"].sum()),
        "seconds": times["run"].median_s,
        "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def slope(points: list[Point]) -> float:
    """Of log time against log synaptic operations: 1 where cost grows as work."""
    x, y = (np.log10([p[name] for p in points]) for name in ("sops", "seconds"))
    return float(np.polyfit(x, y, 1)[0])


def series(points: list[Point]) -> dict[str, list[Point]]:
    """Points by where their targets are; a series of one point has no slope and is left out."""
    found = {name: [p for p in points if p["targets"] == name] for name in REACH}
    return {name: some for name, some in found.items() if len(some) > 1}


def draw(points: list[Point], path: Path) -> None:
    """The figure."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "scaling"  # the same points give the same file
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5.4, 4.0))
    colours = {"near": "#0b5fa5", "anywhere": "#c65f00"}
    for name, some in series(points).items():
        x, y = (np.array([p[field] for p in some]) for field in ("sops", "seconds"))
        power = slope(some)
        fitted = np.exp(np.mean(np.log(y)) + power * (np.log(x) - np.mean(np.log(x))))
        axes.loglog(x, fitted, color=colours[name], linewidth=0.8)
        label = f"targets {name}: slope {power:.2f}"
        axes.loglog(x, y, "o", color=colours[name], markersize=5, label=label)
    axes.set_xlabel("synaptic operations of a run")
    axes.set_ylabel("seconds, one thread")
    axes.legend(frameon=False)
    axes.grid(color="0.92")
    axes.spines[["top", "right"]].set_visible(False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="svg", bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    """Measure from small to large, fit, draw, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--neurons", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--targets", nargs="+", choices=REACH, default=list(REACH))
    parser.add_argument("--rounds", type=int, default=5, help="counted runs of each (median)")
    parser.add_argument("--page", type=Path, help="a page that takes the table, BENCHMARKS.md")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    options = parser.parse_args()
    points = []
    for n_neurons in sorted(options.neurons):
        for targets in options.targets:
            points.append(measure(n_neurons, targets, options.rounds))
            sys.stderr.write(line(points[-1]) + "\n")
    results: dict[str, Any] = {"machine": machine(), "points": points}
    results["slope"] = {name: slope(some) for name, some in series(points).items()}
    if results["slope"]:
        draw(points, options.folder / "scaling.svg")
    write_text(options.folder / "scaling.json", json.dumps(results, indent=1) + "\n")
    text = table(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, "make bench-large", text))
    sys.stdout.write(text)


def table(results: dict[str, Any]) -> str:
    """Markdown: a row a network, then the slopes."""
    lines = [
        "| neurons | synapses | targets | synaptic operations | seconds | a second | peak memory |",
        "|-:|-:|-|-:|-:|-:|-:|",
    ]
    for p in results["points"]:
        lines.append(
            f"| {p['neurons']:,} | {p['synapses']:,} | {p['targets']} | {p['sops']:,} "
            f"| {p['seconds']:.3g} | {p['sops'] / p['seconds'] / 1e6:.3g} M "
            f"| {p['peak_bytes'] / 2**30:.2f} GiB |"
        )
    lines.append("")
    for name, some in series(results["points"]).items():
        decades = np.log10(some[-1]["sops"] / some[0]["sops"])
        power = results["slope"][name]
        lines.append(f"Slope with targets {name}: {power:.2f} over {decades:.1f} decades.")
    return "\n".join(lines) + "\n"


def line(point: Point) -> str:
    """One point, to be read."""
    return (
        f"{point['targets']:>8} {point['neurons']:>9,} neurons {point['synapses']:>11,} synapses "
        f"{point['sops']:>13,} operations {point['seconds']:>9.4f} s "
        f"{point['sops'] / point['seconds'] / 1e6:>7.1f} M a second, "
        f"peak {point['peak_bytes'] / 2**30:.2f} GiB"
    )


if __name__ == "__main__":
    main()
