"""A peer in a process of its own: the loop on its side. Needs the standard library only.

The peer prepares a folder's network, prints one line of JSON, then runs once for every line it
reads and prints the seconds; what else it prints goes to stderr.
"""

import json
import os
import sys
from collections.abc import Callable

Once = Callable[[], dict[str, float]]


def serve(prepare: Callable[[str], tuple[dict[str, object], Once]]) -> None:
    """Prepare the folder named on the command line, then run at every line of stdin.

    prepare(folder) returns facts of the peer (its version, spikes it counted, ...) and a function
    that runs all samples once and returns the seconds a sample took, by what was timed.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # libraries print to stdout as they please

    def answer(line: object) -> None:
        answers.write(json.dumps(line) + "\n")
        answers.flush()

    facts, once = prepare(sys.argv[1])
    answer(facts)
    for _ in sys.stdin:
        answer(once())
