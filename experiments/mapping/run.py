"""Map five networks by every mapper, simulate and price them: `python -m experiments.mapping.run`.

Writes results.csv beside this file, a row per map, and prints the summary that README.md shows.
Networks and seeds may be named: `... run dense conv --seeds 0`; their rows replace the old ones.
"""

import argparse
import csv
import io
import time
from pathlib import Path

import numpy as np

import hwsim
from experiments.mapping.networks import CASES, draw
from hwsim.arrays import AnyArray
from hwsim.atomic import write_text

RESULTS = Path(__file__).parent / "results.csv"
COLUMNS = (
    "network", "net_seed", "map", "map_seed", "neurons", "synapses", "cores", "tiles", "chips",
    "hops", "slowest_core_us", "energy_uj", "latency_us", "edp_nj_us", "map_wall_s", "map_cpu_s",
)  # fmt: skip
N_RANDOM = 20
BASELINES = ("row-major", "random", "greedy", "halve")
FEWEST = "row-major, fewest cores"
MAPS = ("optimised", "fastest", "hilbert", "row-major", "greedy", "halve", FEWEST)
SAMPLES = {"sheets": 2}
SEEDS = {"sheets": (0,)}
OTHERS, DEFAULT_SEEDS = 8, (0, 1, 2)


def judge(
    net: hwsim.Network,
    name: str,
    seed: int,
    profile: hwsim.Profile,
    unseen: AnyArray,
) -> dict[str, object]:
    """One map: how long it took, and what `unseen` samples then cost on it."""
    chip = hwsim.load_chip("loihi1")
    mapper = hwsim.MAPPERS["row-major" if name == FEWEST else name]
    given = None if name == FEWEST else profile
    wall, cpu = time.perf_counter(), time.process_time()
    plan = hwsim.compile(net, chip, mapper=mapper, profile=given, seed=seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    check(plan)
    counts = hwsim.simulate(plan, unseen).counts
    assert counts is not None
    bill, cost = hwsim.price(counts, chip), hwsim.map_cost(plan, profile)
    energy_uj, latency_us = bill.energy_j * 1e6, bill.latency_s * 1e6
    return {
        "map": name,
        "map_seed": seed,
        "cores": cost.cores,
        "tiles": cost.tiles,
        "chips": cost.chips,
        "hops": round(float((counts.hops_ew + counts.hops_ns).sum()) / len(unseen)),
        "slowest_core_us": f"{cost.slowest_core_s * 1e6:.3f}",
        "energy_uj": f"{energy_uj:.3f}",
        "latency_us": f"{latency_us:.2f}",
        "edp_nj_us": f"{energy_uj * latency_us / 1e3:.4f}",
        "map_wall_s": f"{wall:.2f}",
        "map_cpu_s": f"{cpu:.2f}",
    }


def check(plan: hwsim.Plan) -> None:
    """Raise if a core of a plan holds more than it can."""
    from hwsim.mapping.use import Use, broken

    by_core: dict[int, Use] = {}
    for part in plan.parts:
        if part.core is not None and part.use is not None:
            by_core[part.core] = by_core.get(part.core, Use()) + part.use
    over = {core: broken(use, plan.chip.limits) for core, use in by_core.items()}
    if any(over.values()):
        raise ValueError(f"limits broken: {over}")


def rows_of(name: str, seed: int) -> list[dict[str, object]]:
    """Every map of one network."""
    case = draw(name, seed)
    n = SAMPLES.get(name, OTHERS)
    profile = hwsim.profile(case.net, case.draw(np.random.default_rng([seed, 1]), n))
    unseen = case.draw(np.random.default_rng([seed, 2]), n)
    maps = [(m, 0) for m in MAPS] + [("random", i) for i in range(N_RANDOM)]
    neurons = sum(p.size for p in case.net.populations if p.neuron is not None)
    synapses = sum(int(_synapses(case.net, p)) for p in case.net.projections)
    known = {"network": name, "net_seed": seed, "neurons": neurons, "synapses": synapses}
    rows = []
    for mapper, map_seed in maps:
        rows.append(known | judge(case.net, mapper, map_seed, profile, unseen))
        print(*rows[-1].values(), flush=True)
    return rows


def _synapses(net: hwsim.Network, p: hwsim.Projection) -> int:
    from hwsim.synapses import n_synapses

    return int(n_synapses(p.synapses, net[p.source].shape, net[p.target].shape).sum())


def summary(rows: list[dict[str, str]]) -> str:
    """What the claim is about, a line per network and seed, as a table."""
    head = (
        "| network | seed | hops, of random | of row-major | of row-major, fewest cores "
        "| EDP, of the best baseline | (which) | EDP of `fastest` | cores | mapped in |"
    )
    lines = [head, "|-" * 10 + "|"]
    for key in dict.fromkeys((r["network"], r["net_seed"]) for r in rows):
        own = [r for r in rows if (r["network"], r["net_seed"]) == key]

        def mean(column: str, of: str, own: list[dict[str, str]] = own) -> float:
            return float(np.mean([float(r[column]) for r in own if r["map"] == of]))

        products = {m: mean("edp_nj_us", m) for m in BASELINES}
        best = min(products, key=lambda m: products[m])
        hops, ours = mean("hops", "optimised"), next(r for r in own if r["map"] == "optimised")
        lower = [f"{hops / mean('hops', m) - 1:+.1%}" for m in ("random", "row-major", FEWEST)]
        cost = [f"{mean('edp_nj_us', m) / products[best] - 1:+.2%}" for m in MAPS[:2]]
        cells = (*key, *lower, cost[0], best, cost[1], ours["cores"], f"{ours['map_wall_s']} s")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Run, keep, summarise."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", nargs="*", type=int)
    asked = parser.parse_args()
    kept: list[dict[str, str]] = []
    if RESULTS.exists():
        kept = list(csv.DictReader(io.StringIO(RESULTS.read_text(encoding="utf-8"))))
    for name in asked.networks:
        seeds = asked.seeds if asked.seeds is not None else SEEDS.get(name, DEFAULT_SEEDS)
        for seed in seeds:
            rows = rows_of(name, seed)
            kept = [r for r in kept if (r["network"], r["net_seed"]) != (name, str(seed))]
            kept += [{k: str(v) for k, v in row.items()} for row in rows]
            kept.sort(key=lambda r: (list(CASES).index(r["network"]), int(r["net_seed"])))
            text = io.StringIO()
            writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(kept)
            write_text(RESULTS, text.getvalue())
    print(summary(kept))


if __name__ == "__main__":
    main()
