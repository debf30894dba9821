"""Measure, keep, draw: `NEURO_DATA=DIR python -m experiments.lsm.run`.

Keeps the numbers of every finished case in ../resistive-lsm/results.csv; a rerun skips the cases it
has, unless task, recipe, chip, cells, head or version have changed since. Prints the tables that
README.md shows and draws its figures.
"""

import argparse
import hashlib
import time
from functools import lru_cache
from importlib.metadata import version

import hwsim
from experiments.lsm import rows
from experiments.lsm.rows import Case, Numbers
from experiments.lsm.silicon import CHIP, DEVICE
from experiments.lsm.tasks import FOLDER
from experiments.pool import bar, finished
from hwsim.crossbar.device_files import load_device
from neuro.zero_shot import load_zero_shot

RESULTS = FOLDER / "results.csv"


def all_cases() -> list[Case]:
    """In the order of the table."""
    from experiments.lsm import baselines, supervised, zero

    return [*supervised.cases(), *zero.cases(), *baselines.cases()]


def digest(case: Case) -> str:
    """Short hash of what a case is measured of."""
    from experiments.lsm import trained, trained_pairs, zero
    from experiments.lsm.tasks import EVERY, PAPER_PROBE, PROBE

    parts: list[object] = [version("neuro-hwsim"), case.key]
    if case.part == "zero":
        parts += [load_zero_shot(zero.RECIPES[case.task]).model_dump_json()]
        parts += [zero.HEADS.get(case.arm), zero.SIDES.get(case.arm)]
    elif case.part == "baselines":
        parts += [EVERY[case.task], trained.SPECS[case.task, case.arm], trained.THRESHOLDS]
    elif case.part == "baselines-zero":
        sides = (EVERY[trained_pairs.AUDIO], EVERY[trained_pairs.VISION])
        parts += [sides, trained_pairs.SPEC, trained_pairs.TEMPERATURE, trained.THRESHOLDS]
    else:
        parts += [EVERY[case.task], PROBE, PAPER_PROBE]
    if case.part in ("chips", "sweep") or case.arm in ("chip", "loihi1", "loihi2"):
        parts += [_text(case.arm if case.arm.startswith("loihi") else CHIP), load_device(DEVICE)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:10]


@lru_cache
def _text(chip: str) -> str:
    return hwsim.load_chip(chip).model_dump_json(by_alias=True)


def measure(case: Case) -> Numbers:
    """The numbers of any case, and the processor time that it took."""
    from experiments.lsm import baselines, supervised, zero

    started = time.process_time()
    if case.part == "zero":
        found = zero.measure(case)
    elif case.part.startswith("baselines"):
        found = dict(baselines.measure(case))
    else:
        found = supervised.measure(case)
    return found | {"cpu_s": round(time.process_time() - started, 1)}


def main() -> None:
    """Measure what is missing, keep it, say what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--parts", nargs="*", help="e.g. supervised chips; by default all")
    asked = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    cases, found, kept = all_cases(), rows.read(RESULTS), rows.hashes(RESULTS)
    made_of = {c.key: digest(c) for c in cases}
    found = {key: n for key, n in found.items() if kept[key] == made_of.get(key)}
    missing = [
        c for c in cases if c.key not in found and (not asked.parts or c.part in asked.parts)
    ]
    with bar() as shown:
        task = shown.add_task("cases", total=len(missing))
        for (case,), numbers in finished(measure, [(case,) for case in missing], asked.jobs):
            found[case.key] = numbers
            rows.write(RESULTS, found, made_of, version("neuro-hwsim"))
            shown.advance(task)
    from experiments.lsm.figures import draw_all
    from experiments.lsm.summary import summary

    print(summary(found))
    draw_all(found)


if __name__ == "__main__":
    main()
