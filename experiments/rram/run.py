"""Measure the networks on simulated chips: `NEURO_DATA=DIR python -m experiments.rram.run`.

Keeps every finished case as a row of results.csv beside this file; a rerun skips the rows it has,
and those of other networks, chips, cells or recordings are measured anew. Prints the summary that
README.md shows, and draws its figures.
"""

import argparse
import csv
import io
from collections.abc import Callable, Iterator
from importlib.metadata import version

from experiments.pool import bar, finished
from experiments.rram.cases import HERE, Case, all_cases, digest, sha
from experiments.rram.measure import COLUMNS, Tried, row_of, tried
from hwsim.atomic import write_text

RESULTS = HERE / "results.csv"
Row = dict[str, str]


def read_rows() -> list[Row]:
    """The rows that were kept."""
    if not RESULTS.exists():
        return []
    return list(csv.DictReader(io.StringIO(RESULTS.read_text(encoding="utf-8"))))


def keep(rows: list[Row]) -> None:
    """Write the results, whole."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(RESULTS, text.getvalue())


def measured(
    cases: list[Case], workers: int, on_chip: Callable[[], None]
) -> Iterator[tuple[Case, list[Tried]]]:
    """Cases as they are finished, their chips in the order of the seeds."""
    asked = [(case, seed) for case in cases for seed in range(case.n_chips)]
    found: dict[Case, dict[int, Tried]] = {case: {} for case in cases}
    for (case, seed), one in finished(tried, asked, workers):
        found[case][seed] = one
        on_chip()
        if len(found[case]) == case.n_chips:
            yield case, [found[case].pop(seed) for seed in range(case.n_chips)]


def main() -> None:
    """Measure what is missing, keep it, say what came out."""
    from experiments.rram.energy import ENERGY, read_energy, write_energy
    from experiments.rram.figures import draw_all
    from experiments.rram.summary import energy_table, summary

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--parts", nargs="*", help="e.g. spread adc; by default all")
    asked = parser.parse_args()
    cases, kept = all_cases(), {row["hash"]: row for row in read_rows()}
    hashes = {case: digest(case) for case in cases}
    wanted = [c for c in cases if hashes[c] not in kept]
    wanted = [c for c in wanted if not asked.parts or c.part.split(",")[0] in asked.parts]
    with bar() as shown:
        task = shown.add_task("chips", total=sum(case.n_chips for case in wanted))
        for case, found in measured(wanted, asked.workers, lambda: shown.advance(task)):
            known = {"network_sha": sha(case.network), "hash": hashes[case]}
            kept[hashes[case]] = row_of(case, found, known | {"version": version("neuro-hwsim")})
            keep([kept[hashes[c]] for c in cases if hashes[c] in kept])
    rows = [kept[hashes[c]] for c in cases if hashes[c] in kept]
    if wanted or not ENERGY.exists():
        write_energy()
    print(summary(rows), energy_table(read_energy()), sep="\n\n")
    draw_all(rows, read_energy())


if __name__ == "__main__":
    main()
