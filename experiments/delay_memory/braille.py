"""Delays against a loop: `NEURO_DATA=DIR python -m experiments.delay_memory.braille`.

Trains the arms on Braille letters, three seeds each, carries them onto Loihi 2, and writes
energy.csv and energy.svg beside this file; prints the tables of README.md. A rerun takes up what
is unfinished from the run folders.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

import hwsim
from experiments.delay_memory.figures import draw_energy
from experiments.delay_memory.tables import HERE, Row, keep, said
from neuro.deploy import deploy
from neuro.recipe import Recipe, load_recipe
from neuro.runs import RUNS, RunFolder, run_for
from neuro.training.train import train

SEEDS = (0, 1, 2)
CHIP = "loihi2"
STEPS = 64  # of 20 ms, in every arm: a step's energy does not depend on what it computes alone
TABLE = HERE / "energy.csv"
COMPONENTS = ("synapses", "neurons", "network", "static")
COLUMNS = (
    "arm", "seed", "hash", "hidden", "synapses", "parameters", "hold", "n_hold", "float_test",
    "chip_test", "n_test", "different", "energy_j", "energy_p10_j", "energy_p90_j",
    *(f"{name}_j" for name in COMPONENTS), "latency_s", "latency_p10_s", "latency_p90_s", "steps",
    "spikes", "packets", "sops", "cores", "synapse_bits", "field_bits", "pending_bits", "area_m2",
    "unknown", "neuro-hwsim", "torch",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arm:
    """A shipped recipe with other fields of its hidden layer, and of its training."""

    said: str
    recipe: str
    hidden: dict[str, Any]
    train: dict[str, Any]


ARMS = {
    "learned": Arm("learned delays", "braille-delays", {}, {}),
    "fixed": Arm("fixed delays", "braille-delays", {"delays": "fixed"}, {}),
    "none": Arm("no delays, as many parameters", "braille-delays", {"taps": 1, "size": 102}, {}),
    "small": Arm("learned delays, fewer neurons", "braille-delays", {"size": 32}, {}),
    "recurrent": Arm(
        "recurrent",
        "braille-recurrent",
        # its decays over 10 ms, squared
        {"size": 24, "neuron": {"decay_u": 0.5625, "decay_v": 0.87890625}},
        {},
    ),
}


def recipe_of(arm: str, seed: int) -> Recipe:
    """An arm's recipe, with the steps that all have."""
    given = ARMS[arm]
    base = load_recipe(HERE.parent / given.recipe / "recipe.toml").model_dump()
    base["data"]["binning"]["n_steps"] = STEPS
    base["model"]["layers"][0].update(given.hidden)
    base["train"] |= given.train
    named = {"name": f"braille-{arm}", "seed": seed, "dt_s": 1.28 / STEPS}
    return Recipe.model_validate(base | named)


def row_of(arm: str, seed: int, runs: Path) -> dict[str, object]:
    """An arm from a seed: the epoch is chosen on the held-back part, the test split read here."""
    recipe = recipe_of(arm, seed)
    run = run_for(recipe, runs)
    result = train(run, Console(quiet=True))
    chip = hwsim.load_chip(CHIP)
    assert isinstance(chip, hwsim.ChipSpec)
    found = deploy(run, chip)
    bill, memory = found["bill"], found["delay_memory"]
    energy, latency = bill["energy_band_j"], bill["latency_band_s"]
    return {
        "arm": arm, "seed": seed, "hash": recipe.digest(), "hidden": recipe.model.layers[0].size,
        "synapses": sum(row["macs"] for row in found["layers"]), "parameters": n_parameters(run),
        "hold": result["quantised"]["hold"]["n_correct"],
        "n_hold": result["quantised"]["hold"]["n_total"],
        "float_test": result["float"]["test"]["n_correct"],
        "chip_test": found["n_correct"], "n_test": found["n_total"],
        "different": found["parity"]["n_different"],
        "energy_j": energy["median"], "energy_p10_j": energy["p10"], "energy_p90_j": energy["p90"],
        **{f"{name}_j": bill["components_j"][name] for name in COMPONENTS},
        "latency_s": latency["median"], "latency_p10_s": latency["p10"],
        "latency_p90_s": latency["p90"], "steps": found["steps"] + found["latency_steps"],
"spikes": sum(_spikes(row, found) for row in found["layers"]),
        "packets": sum(row["packets"] for row in found["layers"]),
        "sops": sum(row["sops"] for row in found["layers"]), "cores": found["cores"],
        "synapse_bits": sum(part["use"]["synapse_bits"] for part in found["map"]["parts"]),
        "field_bits": memory["total"]["fields"], "pending_bits": memory["total"]["pending"],
        "area_m2": memory["area_m2"], "unknown": "; ".join(bill["unknown"]),
        "neuro-hwsim": result["versions"]["neuro-hwsim"], "torch": result["versions"]["torch"],
    }  # fmt: skip


def _spikes(row: dict[str, Any], found: dict[str, Any]) -> float:
    """Spikes that a layer's neurons fire in an inference; the input's are not theirs."""
    if row["role"] == "input":
        return 0.0
    steps: int = found["steps"] + found["latency_steps"]
    return float((row["rate"] or 0.0) * row["neurons"] * steps)


def n_parameters(run: RunFolder) -> int:
    """Numbers that a chip stores of a network: weights, delays, biases."""
    net = hwsim.load_network(run.chip_network)
    weights = sum(p.synapses.weight.size for p in net.projections)
    delays = sum(p.delay.size for p in net.projections if p.delay.max() > 1)
    return weights + delays + sum(p.size for p in net.populations if _has_bias(p))


def _has_bias(population: hwsim.Population) -> bool:
    bias = getattr(population.neuron, "bias", None)
    return bias is not None and bool((bias != 0).any())


def table(rows: Sequence[Row]) -> str:
    """Means over the seeds, an arm a column."""
    arms = list(dict.fromkeys(r["arm"] for r in rows))
    own = {arm: [r for r in rows if r["arm"] == arm] for arm in arms}
    lines = ["| |" + "".join(f" {ARMS[arm].said} |" for arm in arms), "|-" * (len(arms) + 1) + "|"]

    def line(name: str, column: str, scale: float = 1.0, digits: int = 1) -> None:
        cells = [said([scale * float(r[column]) for r in own[arm]], digits) for arm in arms]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    def share(name: str, right: str, of: str) -> None:
        cells = [said([100 * int(r[right]) / int(r[of]) for r in own[arm]]) for arm in arms]
        lines.append(f"| {name} | {' | '.join(cells)} |")

    line("hidden neurons", "hidden", digits=0)
    line("stored numbers", "parameters", digits=0)
    share("held back, integers, %", "hold", "n_hold")
    share("test, float, %", "float_test", "n_test")
    share("test, on chip, %", "chip_test", "n_test")
    line("energy per inference, nJ, median", "energy_j", 1e9)
    cells = [
        f"{statistics.mean(float(r['energy_p10_j']) for r in own[a]) * 1e9:.1f} to "
        f"{statistics.mean(float(r['energy_p90_j']) for r in own[a]) * 1e9:.1f}"
        for a in arms
    ]
    lines.append(f"| p10 to p90, nJ | {' | '.join(cells)} |")
    for name in COMPONENTS:
        line(f"of it {name}, nJ", f"{name}_j", 1e9)
    line("latency, µs", "latency_s", 1e6)
    line("spikes fired", "spikes", digits=0)
    line("packets, input's too", "packets", digits=0)
    line("synaptic operations", "sops", digits=0)
    line("synapse memory, KiB", "synapse_bits", 1 / 8192, 2)
    line("of it delays, KiB", "field_bits", 1 / 8192, 2)
    line("input on its way, KiB", "pending_bits", 1 / 8192, 2)
    line("area of delay memory, µm²", "area_m2", 1e12, 0)
    line("cores", "cores", digits=0)
    line("spikes unlike torch's", "different", digits=0)
    return "\n".join(lines)


def main() -> None:
    """Train, deploy, keep, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", nargs="*", type=int, default=list(SEEDS))
    parser.add_argument("--arms", nargs="*", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of run folders")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cases = [(arm, seed) for arm in asked.arms for seed in asked.seeds]
    rows = []
    with Progress(console=Console(stderr=True)) as bar:
        for arm, seed in bar.track(cases, description="training and deploying"):
            rows.append(row_of(arm, seed, asked.runs))
    kept = keep(TABLE, COLUMNS, rows)
    draw_energy(kept, HERE / "energy.svg")
    print(table(kept))


if __name__ == "__main__":
    main()
