"""`python -m benchmarks`: ours against named peers; a table, and results.json."""

import argparse
import json
import os
import signal
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    for name in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{name}_NUM_THREADS"] = "1"  # before numpy, numba and torch are imported

from benchmarks.field import PEERS
from benchmarks.machine import machine
from benchmarks.run import goals, measure, two_threads
from benchmarks.table import into_page, tables
from benchmarks.workloads import WORKLOADS
from hwsim.atomic import write_text

START = time.perf_counter()


def main() -> None:
    """Parse, measure, write, print."""
    import torch

    signal.signal(signal.SIGTERM, lambda *_: sys.exit("error: ended"))  # and peers with it
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS))
    parser.add_argument("--rounds", type=int, default=7, help="counted calls of each (median)")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"))
    parser.add_argument("--page", type=Path, help="a page that takes the tables, BENCHMARKS.md")
    options = parser.parse_args()
    results = {"machine": machine(), "rounds": options.rounds}
    results["workloads"] = {
        name: measure(name, tuple(options.peers), options.rounds, _say)
        for name in options.workloads
    }
    _say("two threads against one")
    results["two_threads"] = two_threads(options.workloads, options.rounds)
    results["goals"] = goals(results["workloads"])
    write_text(options.out, json.dumps(results, indent=1) + "\n")
    text = tables(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, "make bench", text))
    sys.stdout.write(text)


def _say(line: str) -> None:
    sys.stderr.write(f"{time.perf_counter() - START:6.0f} s  {line}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    main()
