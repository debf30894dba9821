"""Two threads against one, in a process that may use two: `python -m benchmarks.threads`."""

import json
import os
import sys

if __name__ == "__main__":
    os.environ["NUMBA_NUM_THREADS"] = "2"  # before numba is first imported

import numba

from benchmarks.ours import BATCH, Ours
from benchmarks.timing import in_turn
from benchmarks.workloads import WORKLOADS


def measure(names: list[str], n_rounds: int) -> dict[str, dict[str, float]]:
    """Seconds per sample of a batch with one and with two threads, by workload."""
    found = {}
    for name in names:
        ours = Ours.of(WORKLOADS[name]())

        def batch(n_threads: int, ours: Ours = ours) -> dict[str, float]:
            numba.set_num_threads(n_threads)
            seconds = ours.in_a_batch()[BATCH]
            numba.set_num_threads(1)
            return {str(n_threads): seconds}

        times = in_turn([lambda b=batch: b(1), lambda b=batch: b(2)], n_rounds)
        found[name] = {
            "one_s": times["1"].median_s,
            "two_s": times["2"].median_s,
            "ratio": times["1"].median_s / times["2"].median_s,
        }
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measure(sys.argv[2:], int(sys.argv[1]))) + "\n")
