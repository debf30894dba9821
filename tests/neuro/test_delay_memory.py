"""What delays cost a chip is what the README says, and what the tables hold belongs together."""

from itertools import product

import pytest

from experiments.delay_memory import braille, sweep
from experiments.delay_memory.tables import HERE, read

README = (HERE / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def swept():
    return read(sweep.TABLE)


@pytest.fixture(scope="module")
def arms():
    return read(braille.TABLE)


def test_the_readme_shows_what_the_tables_hold(swept, arms):
    assert sweep.table(swept) in README
    assert braille.table(arms) in README


def test_every_run_was_measured_under_every_limit(swept):
    wanted = [(limit, "all" if n is None else str(n)) for limit, n in sweep.limits()]
    wanted += [("tuned", str(k)) for k in sweep.TUNED]
    seeds = list(dict.fromkeys(row["seed"] for row in swept))
    assert len(seeds) >= 3
    assert [(r["seed"], r["limit"], r["value"]) for r in swept] == [
        (seed, *one) for seed, one in product(seeds, wanted)
    ]


def test_fewer_steps_take_less_memory_and_few_classes_move_more(swept):
    for seed in {row["seed"] for row in swept}:
        own = [row for row in swept if row["seed"] == seed]
        ranges = [row for row in own if row["limit"] == "longest"]
        bits = [int(row["field_bits"]) + int(row["pending_bits"]) for row in ranges]
        assert bits == sorted(bits)
        assert bits[0] == 0
        classes = [float(row["error_steps"]) for row in own if row["limit"] == "classes"]
        assert classes == sorted(classes, reverse=True)
        assert classes[-1] == 0


def test_arms_are_compared_where_they_answer_alike(arms):
    assert {(r["arm"], int(r["seed"])) for r in arms} == set(product(braille.ARMS, braille.SEEDS))
    held = {}
    for row in arms:
        held.setdefault(row["arm"], []).append(100 * int(row["hold"]) / int(row["n_hold"]))
        assert row["different"] == "0"
        parts = sum(float(row[f"{name}_j"]) for name in braille.COMPONENTS)
        assert parts == pytest.approx(float(row["energy_j"]), rel=0.1)
        delays = int(row["field_bits"]) + int(row["pending_bits"])
        assert (delays > 0) == (row["arm"] in ("learned", "fixed", "small"))
    mean = {arm: sum(each) / len(each) for arm, each in held.items()}
    assert abs(mean["small"] - mean["recurrent"]) <= 1
