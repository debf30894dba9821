"""Arrays with resistive wires, solved exactly: `python -m benchmarks.crossbar_wires`.

N x N cells of 1 to 100 uS, 1 ohm a segment, drivers left, ground at the foot. Ours against direct
sparse solvers of scipy on the same equations, assembly included, and badcrossbar where it is
installed. All in turn, in one run, one thread each, seconds of the processor.
"""

import argparse
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{variable}_NUM_THREADS"] = "1"  # before numpy and numba are imported

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu, spsolve

from benchmarks.machine import machine
from benchmarks.table import into_page
from benchmarks.timing import WALL, NotHere, Once, in_turn, measured
from hwsim.arrays import FloatArray
from hwsim.atomic import write_text
from hwsim.crossbar.gated import solve_gated
from hwsim.crossbar.nonlinear import Sinh, solve_nonlinear
from hwsim.crossbar.wires import Wires, reduce_array, solve_array

SIZES = (64, 128, 256, 512)
OHM, BATCH, N_ALIKE, ACTIVE = 1.0, 1024, 8, 0.05
SLOW, COLAMD_UP_TO = 512, 256  # fewer rounds from there on; too slow beyond
OURS, ALIKE = "hwsim, one cold solve", f"hwsim, one of {N_ALIKE} in a call"
REDUCE, READ = "hwsim, reduction to one matrix", "1,024 vectors after the reduction"
IDEAL = "1,024 vectors with ideal wires"
GATED = "hwsim, 5 % of rows active, the others cut off"
BENT = "hwsim, nonlinear cells (sinh), Newton"
MMD, COLAMD = "scipy spsolve, MMD_AT_PLUS_A", "scipy spsolve, COLAMD (its default)"
SPLU, KEPT = "scipy splu, symmetric mode", "scipy splu, factors kept, one more vector"
BADCROSSBAR = "badcrossbar"
DIRECT = (MMD, COLAMD, SPLU)
MATRIX = (READ, IDEAL)
REDUCE_S = {64: None, 128: 0.3, 256: 2.0, 512: 10.0}
Result = dict[str, Any]
SYMMETRIC: dict[str, Any] = {
    "permc_spec": "MMD_AT_PLUS_A",
    "diag_pivot_thresh": 0.0,
    "options": {"SymmetricMode": True},
}


class Work:
    """One size: conductances and drivers."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        self.n, self.wires = n, Wires(OHM, OHM)
        self.g = rng.uniform(1e-6, 1e-4, (n, n))
        self.v = rng.uniform(0.05, 0.2, n)
        self.batch = rng.uniform(0.05, 0.2, (BATCH, n))
        self.few = np.where(rng.random(n) < ACTIVE, self.v, 0.0)

    def equations(self) -> tuple[sp.csc_matrix, FloatArray]:
        """Kirchhoff's law at every node, word lines first, assembled by whole arrays."""
        n, g = self.n, self.g.ravel()
        word = np.arange(n * n).reshape(n, n)
        bit = word + n * n
        pairs = [
            (word[:, :-1], word[:, 1:], np.full(n * (n - 1), 1 / OHM)),
            (bit[:-1], bit[1:], np.full(n * (n - 1), 1 / OHM)),
            (word, bit, g),
        ]
        a, b = (np.concatenate([p[k].ravel() for p in pairs]) for k in (0, 1))
        s = np.concatenate([p[2] for p in pairs])
        diagonal = np.bincount(np.concatenate([a, b]), np.concatenate([s, s]), 2 * n * n)
        diagonal[word[:, 0]] += 1 / OHM
        diagonal[bit[-1]] += 1 / OHM
        own = np.arange(2 * n * n)
        entries = np.concatenate([diagonal, -s, -s])
        where = np.concatenate([own, a, b]), np.concatenate([own, b, a])
        known = np.zeros(2 * n * n)
        known[word[:, 0]] = self.v / OHM
        return sp.csc_matrix((entries, where)), known

    def i_bit(self, volts: FloatArray) -> FloatArray:
        """Currents of the bit lines, from the voltages of all nodes."""
        return np.asarray(volts[-self.n :] / OHM)


def direct(work: Work) -> dict[str, Callable[[], FloatArray]]:
    """The same equations by sparse elimination."""

    def by_spsolve(order: str) -> FloatArray:
        matrix, known = work.equations()
        return work.i_bit(spsolve(matrix, known, permc_spec=order))

    def by_splu() -> FloatArray:
        matrix, known = work.equations()
        return work.i_bit(splu(matrix, **SYMMETRIC).solve(known))

    matrix, known = work.equations()
    factors = splu(matrix, **SYMMETRIC)
    found = {MMD: lambda: by_spsolve("MMD_AT_PLUS_A"), SPLU: by_splu}
    if work.n <= COLAMD_UP_TO:
        found[COLAMD] = lambda: by_spsolve("COLAMD")
    return found | {KEPT: lambda: work.i_bit(factors.solve(known))}


def exact(work: Work) -> FloatArray:
    """By sparse elimination, and twice refined."""
    matrix, known = work.equations()
    factors = splu(matrix, **SYMMETRIC)
    volts = factors.solve(known)
    for _ in range(2):
        volts += factors.solve(known - matrix @ volts)
    return work.i_bit(volts)


def ours(work: Work) -> dict[str, Callable[[], FloatArray]]:
    """What this program does with one array, as currents of bit lines where they are comparable."""
    reduced = reduce_array(work.g, work.wires).g_eff
    alike = np.repeat(work.v[None], N_ALIKE, axis=0)
    curve = Sinh(0.25)
    return {
        OURS: lambda: solve_array(work.g, work.v, work.wires).i_bit,
        ALIKE: lambda: solve_array(work.g, alike, work.wires, voltages=False).i_bit[0],
        REDUCE: lambda: work.v @ reduce_array(work.g, work.wires).g_eff,
        READ: lambda: work.batch @ reduced,
        IDEAL: lambda: work.batch @ work.g,
        GATED: lambda: solve_gated(work.g, work.few, work.wires, voltages=False).i_bit,
        BENT: lambda: solve_nonlinear(work.g, work.v, work.wires, curve, voltages=False).i_bit,
    }


def badcrossbar(work: Work) -> tuple[str, Callable[[], FloatArray]]:
    """The peer's name with its version, and its call.

    Raises:
        NotHere: if it is not installed.
    """
    from importlib.metadata import version

    logging.disable(logging.INFO)  # it reports on stdout
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its figures need cairo, its solver does not
            import badcrossbar as peer

            compute = peer.compute
    except (ImportError, AttributeError):
        raise NotHere("`pip install badcrossbar==1.1.0`") from None
    few = {"node_voltages": False, "all_currents": False}
    volts, ohms = work.v[:, None], 1 / work.g

    def call() -> FloatArray:
        return np.asarray(compute(volts, ohms, OHM, **few).currents.output).ravel()

    return f"{BADCROSSBAR} {version('badcrossbar')}", call


def compare(n: int, n_rounds: int) -> Result:
    """Seconds, and errors against the largest current, of one size."""
    work = Work(n)
    result: Result = {"absent": {}, "rounds": n_rounds if n < SLOW else min(n_rounds, 3)}
    calls = ours(work) | direct(work)
    try:
        name, call = badcrossbar(work)
        calls[name] = call
    except NotHere as error:
        result["absent"][BADCROSSBAR] = str(error)
    reference = exact(work)
    result["errors"] = {
        name: float(np.abs(call() - reference).max() / reference.max())
        for name, call in calls.items()
        if name not in (*MATRIX, GATED, BENT)
    }
    times = in_turn([_once(name, call, n) for name, call in calls.items()], result["rounds"])
    result["seconds"] = {name: t.median_s for name, t in times.items()}
    return result


def _once(name: str, call: Callable[[], object], n: int) -> Once:
    is_long = name in (*DIRECT, REDUCE) or name.startswith(BADCROSSBAR)
    calls = 1 if is_long and n >= SLOW // 2 else 5
    return lambda: measured(name, call, N_ALIKE if name == ALIKE else 1, calls)


def table(results: Result) -> str:
    """Markdown: a table a size, then what was asked."""
    facts = results["machine"]
    versions = ", ".join(
        f"{name} {facts['versions'][name]}" for name in ("numpy", "numba", "scipy")
    )
    lines = [f"{facts['processor']}; Python {facts['python']}, {versions}.", ""]
    for n, result in results["sizes"].items():
        seconds = result["seconds"]
        lines += [
            f"### {n} x {n}",
            "",
            f"| who ({result['rounds']} turns) | time | by the clock | times our solve | error |",
            "|-|-:|-:|-:|-:|",
        ]
        for name in sorted((s for s in seconds if not s.endswith(WALL)), key=seconds.__getitem__):
            error = result["errors"].get(name)
            ratio = "" if name in MATRIX else f"{seconds[name] / seconds[OURS]:.3g}"
            told = "" if error is None else f"{error:.0e}"
            times = f"{_time(seconds[name])} | {_time(seconds[name + WALL])}"
            lines.append(f"| {name} | {times} | {ratio} | {told} |")
        lines += [f"| {name} | not here: {why} | | | |" for name, why in result["absent"].items()]
        lines.append("")
    lines += ["| size | what | asked | found |", "|-:|-|-:|-:|"]
    for n, result in results["sizes"].items():
        lines += [_goal(n, *goal) for goal in goals(int(n), result)]
    return "\n".join(lines) + "\n"


def goals(n: int, result: Result) -> list[tuple[str, str, str, bool]]:
    """What was asked of a size, what was found, and whether that meets it."""
    seconds = result["seconds"]
    faster = min(seconds[name] for name in DIRECT if name in seconds) / seconds[OURS]
    slower = seconds[READ] / seconds[IDEAL]
    worst = max(error for name, error in result["errors"].items() if name.startswith("hwsim"))
    found = [
        (
            "one cold solve, times as fast as the best direct solver",
            "2",
            f"{faster:.3g}",
            faster >= 2,
        ),
        (
            "1,024 vectors, times the time with ideal wires",
            "at most 1.5",
            f"{slower:.2f}",
            slower <= 1.5,
        ),
        ("largest error of ours, of full scale", "1e-09", f"{worst:.0e}", worst <= 1e-9),
    ]
    asked = REDUCE_S[n]
    if asked is not None:
        took = seconds[REDUCE]
        found.append(("reduction, s", f"at most {asked:g}", f"{took:.3g}", took <= asked))
    return found


def _goal(n: Any, what: str, asked: str, found: str, met: bool) -> str:
    return f"| {n} | {what} | {asked} | {found}{'' if met else ' (missed)'} |"


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def main() -> None:
    """Measure, write crossbar_wires.json, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crossbar_wires")
    parser.add_argument("--sizes", nargs="+", type=int, choices=SIZES, default=SIZES)
    parser.add_argument("--rounds", type=int, default=7, help="turns (median); 3 at 512 x 512")
    parser.add_argument("--page", type=Path, help="a page that takes the tables, BENCHMARKS.md")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/crossbar_wires.json"))
    options = parser.parse_args()
    sizes = {str(n): compare(n, options.rounds) for n in options.sizes}
    results: Result = {"machine": machine(), "sizes": sizes}
    write_text(options.out, json.dumps(results, indent=1) + "\n")
    text = table(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, "crossbar wires", text))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
