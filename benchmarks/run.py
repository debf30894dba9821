"""One workload: everyone in turn, the same samples, the same run."""

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import hwsim
from benchmarks import limits
from benchmarks.field import FIELD, GOALS
from benchmarks.ours import ALONE, BATCH, UNCOUNTED, Ours
from benchmarks.served import ROOT
from benchmarks.timing import NotHere, Once, in_turn, timed
from benchmarks.workloads import WORKLOADS

LIMIT = "additions alone"
Result = dict[str, Any]


def measure(name: str, peers: tuple[str, ...], n_rounds: int, say: Callable[[str], None]) -> Result:
    """Rows of times and spikes of one workload, its limit, and who was not here."""
    ours = Ours.of(WORKLOADS[name]())
    contestants: list[Once] = [*ours.contestants(), _limit(ours)]
    who: dict[str, str] = {}
    facts: dict[str, dict[str, Any]] = {}
    absent: dict[str, str] = {}
    with ExitStack() as stack:
        for peer in FIELD[name]:
            if peer.name not in peers:
                continue
            say(f"{name}: starting {peer.name}")
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            try:
                told, once = stack.enter_context(peer.start(ours, Path(folder)))
            except NotHere as reason:
                absent[peer.name] = str(reason)
                say(f"{name}: {peer.name} takes no part: {reason}")
                continue
            facts[peer.name] = told | {"unfair": peer.unfair}
            contestants.append(_noted(once, peer.name, who))
        say(f"{name}: {n_rounds} rounds")
        times = in_turn(contestants, n_rounds)
    best = ours.sops_per_sample / times[BATCH if BATCH in times else ALONE].median_s
    limit = ours.sops_per_sample / times.pop(LIMIT).median_s
    result: Result = {
        "title": ours.workload.title,
        "n_alone": len(ours.alone),
        "n_batch": len(ours.batch),
        "sops_per_sample": ours.sops_per_sample,
        "spikes": ours.spikes,
        "seconds_per_sample": {row: t.median_s for row, t in times.items()},
        "rounds": {row: t.seconds for row, t in times.items()},
        "peers": facts,
        "who": who,
        "absent": absent,
        "sops_per_s": best,
        "limit_sops_per_s": limit,
        "of_limit": best / limit,
    }
    if UNCOUNTED in times:
        result["counting"] = counting(ours)
    return result


def _noted(once: Once, peer: str, who: dict[str, str]) -> Once:
    """The same, with the peer noted beside each of its rows."""

    def noted() -> dict[str, float]:
        rows = once()
        who.update(dict.fromkeys(rows, peer))
        return rows

    return noted


def counting(ours: Ours, n_pairs: int = 21) -> float:
    """What counting adds to the time of a batch: the median over pairs of calls, in turn."""
    pairs = in_turn([ours.in_a_batch, ours.nothing_counted], n_pairs)
    both = zip(pairs[BATCH].seconds, pairs[UNCOUNTED].seconds, strict=True)
    return statistics.median(counted / bare for counted, bare in both) - 1


def _limit(ours: Ours) -> Once:
    """The additions of the samples that run alone, once each."""
    run = hwsim.simulate(ours.workload.network, ours.alone, record=("spikes",))
    replay = limits.replay(ours.workload.network, run.spikes)
    return lambda: {LIMIT: timed(replay, len(ours.alone))}


def goals(results: dict[str, Result]) -> list[dict[str, Any]]:
    """Every goal of the workloads that ran: the ratio asked for and found; None if not found."""
    found = []
    for goal in GOALS:
        if goal.workload not in results:
            continue
        rows = results[goal.workload]["seconds_per_sample"]
        ratio = rows[goal.theirs] / rows[goal.ours] if goal.theirs in rows else None
        found.append(
            {
                "workload": goal.workload,
                "theirs": goal.theirs,
                "ours": goal.ours,
                "asked": goal.ratio,
                "found": ratio,
            }
        )
    return found


def two_threads(names: list[str], n_rounds: int) -> Result:
    """`benchmarks.threads` in a process of its own: numba fixes its threads when it starts."""
    batched = [name for name in names if WORKLOADS[name]().n_batch]
    if not batched:
        return {}
    command = [sys.executable, "-m", "benchmarks.threads", str(n_rounds), *batched]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: Result = json.loads(done.stdout)
    return found
