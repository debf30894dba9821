"""One row per finished run: `python experiments/collect.py NAME CHIP > results.csv`."""

import csv
import sys

from neuro.deploy import load_deployment
from neuro.runs import RUNS, open_run, read_json

COLUMNS = (
    "seed", "hash", "float_test", "quantised_test", "chip_test", "n_test", "float_hold",
    "spikes_different_from_torch", "spikes_different_from_lava", "energy_uj", "energy_p10_uj",
    "energy_p90_uj", "latency_us", "cores", "sops", "version",
)  # fmt: skip


def row(path: str, chip: str) -> dict[str, object]:
    """What a run reached, and what it costs on the chip."""
    run = open_run(path)
    result, deployed = run.result() or {}, load_deployment(run, chip)
    lava = read_json(run.path / "lava" / "verdict.json") or {}
    bill = deployed["bill"]
    sops = next(t["amount"] for t in bill["energy_terms"] if t["constant"] == "energy.sop")
    return {
        "seed": result["seed"],
        "hash": result["hash"],
        "float_test": result["float"]["test"]["n_correct"],
        "quantised_test": result["quantised"]["test"]["n_correct"],
        "chip_test": deployed["n_correct"],
        "n_test": deployed["n_total"],
        "float_hold": "{n_correct}/{n_total}".format(**result["float"]["hold"]),
        "spikes_different_from_torch": deployed["parity"]["n_different"],
        "spikes_different_from_lava": lava.get("n_different", ""),
        "energy_uj": f"{bill['energy_band_j']['median'] * 1e6:.1f}",
        "energy_p10_uj": f"{bill['energy_band_j']['p10'] * 1e6:.1f}",
        "energy_p90_uj": f"{bill['energy_band_j']['p90'] * 1e6:.1f}",
        "latency_us": f"{bill['latency_band_s']['median'] * 1e6:.0f}",
        "cores": deployed["cores"],
        "sops": f"{sops:.0f}",
        "version": result["versions"]["neuro-hwsim"],
    }


def main(name: str, chip: str) -> None:
    """Write the rows of every run of a recipe, by seed."""
    found = [row(str(p), chip) for p in RUNS.glob(f"{name}-*") if (p / "result.json").exists()]
    writer = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(sorted(found, key=lambda r: str(r["seed"])))


if __name__ == "__main__":
    main(*sys.argv[1:3])
