"""Noisy products of a resistive array against aihwkit: `python -m benchmarks.crossbar_read`.

1,024 vectors of 8-bit numbers through 256 x 256 and 512 x 512 cells whose conductances are as they
were written (their error is in the matrix), with noise of 1 % of full scale at every read, into
8-bit converters. All in turn, in one run, one thread each, seconds of the processor. aihwkit 1.1.0
works with torch 2.10 alone, so it runs in a Python of its own: `--aihwkit PYTHON`.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{variable}_NUM_THREADS"] = "1"  # before numpy and numba are imported

import numpy as np

from benchmarks.machine import machine
from benchmarks.served import ROOT, served
from benchmarks.table import into_page
from benchmarks.timing import WALL, NotHere, Once, Row, in_turn, measured
from hwsim.arrays import AnyArray
from hwsim.atomic import write_text
from hwsim.crossbar.converters import Adc, Inputs
from hwsim.crossbar.read import Reader

SIZES = (256, 512)
BATCH, BITS, SPREAD = 1024, 8, 0.01  # noise of a read, of full scale
G_MAX_SIEMENS, V_READ_VOLT, PER_DEVICE_BATCH = 1e-4, 0.2, 8
LIMIT, FAST = "float32 product alone (limit)", "hwsim, float32"
CHAIN = "torch, the same steps one after the other"
COMPILED, NATIVE = "aihwkit compiled tile, same work", "aihwkit torch tile, same work"
GOALS = {
    256: {COMPILED: 4.0, NATIVE: 1.3, LIMIT: 0.3},
    512: {COMPILED: 3.5, NATIVE: 1.3, LIMIT: 0.3},
}
Result = dict[str, Any]


class Work:
    """One size: a matrix in [-1, 1], vectors in [-1, 1], and the converters' range."""

    def __init__(self, n: int) -> None:
        rng = np.random.default_rng(n)
        wanted = rng.uniform(-1, 1, (n, n))
        self.weight = np.clip(wanted + 0.02 * rng.standard_normal((n, n)), -1, 1)
        self.x = rng.uniform(-1, 1, (BATCH, n)).astype(np.float32)
        self.exact = self.x @ self.weight
        self.bound = float(np.percentile(np.abs(self.exact), 99.99))

    def reader(self, *, spread: float | AnyArray = SPREAD, **way: Any) -> Reader:
        """Ours."""
        unit = G_MAX_SIEMENS * V_READ_VOLT * self.bound
        return Reader(
            self.weight * G_MAX_SIEMENS,
            V_READ_VOLT,
            inputs=Inputs("dac", BITS),
            sd_siemens=spread * G_MAX_SIEMENS,
            adc=Adc(bits=BITS, low=-unit, high=unit),
            **way,
        )

    def nrmse(self, found: AnyArray) -> float:
        """Error against the product without noise and converters, over its standard deviation."""
        exact = self.exact[: len(found)]
        return float(np.sqrt(np.mean((found - exact) ** 2)) / exact.std())


def ours(work: Work) -> tuple[dict[str, float], list[Once]]:
    """Errors and contestants of this process."""
    rng, unit = np.random.default_rng(0), G_MAX_SIEMENS * V_READ_VOLT
    each = SPREAD * np.random.default_rng(1).uniform(0.5, 1.5, work.weight.shape)
    readers = {
        FAST: work.reader(dtype=np.float32),
        "hwsim, float32, another spread for each cell": work.reader(spread=each, dtype=np.float32),
        "hwsim, float64": work.reader(),
        "hwsim, noise drawn for each cell": work.reader(per_device=True),
    }
    errors, contestants = {}, []
    for name, reader in readers.items():
        x = work.x[:PER_DEVICE_BATCH] if reader.per_device else work.x
        errors[name] = work.nrmse(reader.read(x, rng) / unit)
        contestants.append(_once(name, lambda r=reader, x=x: r.read(x, rng), len(x)))
    weight = work.weight.astype(np.float32)
    out = np.empty_like(work.x)
    errors[LIMIT] = work.nrmse(work.x @ weight)
    contestants.append(_once(LIMIT, lambda: np.dot(work.x, weight, out=out), BATCH))
    return errors, contestants


def chain(work: Work) -> tuple[dict[str, float], Once]:
    """torch, as one would write it."""
    import torch

    torch.set_num_threads(1)
    weight, x = torch.from_numpy(work.weight.astype(np.float32)), torch.from_numpy(work.x)
    n_in, step = 2 ** (BITS - 1) - 1, 2 * work.bound / (2**BITS - 2)
    last = 2 ** (BITS - 1) - 1

    def read() -> Any:
        driven = torch.round(x.clamp(-1, 1) * n_in) / n_in
        sums = driven @ weight
        sums += SPREAD * driven.square().sum(dim=1, keepdim=True).sqrt() * torch.randn_like(sums)
        return torch.round(sums / step).clamp(-last, last) * step

    with torch.inference_mode():
        error = work.nrmse(read().numpy())

    def once() -> Row:
        with torch.inference_mode():
            return measured(CHAIN, read, BATCH)

    return {CHAIN: error}, once


@contextmanager
def aihwkit(work: Work, python: str | None) -> Iterator[tuple[Result, Once]]:
    """The peer, in a process of its own.

    Raises:
        NotHere: if no Python has it.
    """
    if python is None:
        raise NotHere("aihwkit 1.1.0 needs torch 2.10: give `--aihwkit PYTHON` that has both")
    script = ROOT / "benchmarks" / "peers" / "aihwkit_peer.py"
    with tempfile.TemporaryDirectory() as name:
        arrays = {"weight": work.weight.astype(np.float32), "x": work.x}
        folder = Path(name)
        np.savez(folder / "analog.npz", bits=BITS, sd=SPREAD, bound=work.bound, **arrays)
        with served([python, str(script)], folder) as (facts, once):
            facts["nrmse"] = {f"aihwkit {k}": v for k, v in facts["nrmse"].items()}
            yield facts, lambda: {f"aihwkit {k}": v for k, v in once().items()}


def compare(n: int, python: str | None, n_rounds: int) -> Result:
    """Seconds a vector and errors of one size."""
    work = Work(n)
    errors, contestants = ours(work)
    more, once = chain(work)
    result: Result = {"nrmse": errors | more, "absent": {}, "peers": {}}
    contestants.append(once)
    try:
        with aihwkit(work, python) as (facts, peer):
            result["nrmse"] |= facts["nrmse"]
            result["peers"]["aihwkit"] = facts["version"]
            times = in_turn([*contestants, peer], n_rounds)
    except NotHere as error:
        result["absent"]["aihwkit"] = str(error)
        times = in_turn(contestants, n_rounds)
    result["seconds_per_vector"] = {k: t.median_s for k, t in times.items()}
    return result


def _once(name: str, read: Callable[[], object], batch: int) -> Once:
    return lambda: measured(name, read, batch)


def table(results: Result) -> str:
    """Markdown: a table a size, then the goals."""
    lines = [_machine(results["machine"], results["sizes"])]
    for n, result in results["sizes"].items():
        seconds = result["seconds_per_vector"]
        lines += [
            f"### {n} x {n}",
            "",
            "| who | a vector | by the clock | times ours | error |",
            "|-|-:|-:|-:|-:|",
        ]
        rows = [name for name in seconds if not name.endswith(WALL)]
        for name in sorted(rows, key=seconds.__getitem__):
            lines.append(
                f"| {name} | {seconds[name] * 1e6:.3g} us | {seconds[name + WALL] * 1e6:.3g} us "
                f"| {seconds[name] / seconds[FAST]:.3g} | {result['nrmse'][name]:.4f} |"
            )
        lines += [f"| {name} | not here: {why} | | | |" for name, why in result["absent"].items()]
        lines.append("")
    lines += ["| size | ours is so many times as fast as | asked | found |", "|-:|-|-:|-:|"]
    for n, result in results["sizes"].items():
        seconds = result["seconds_per_vector"]
        for name, asked in GOALS[int(n)].items():
            found = seconds[name] / seconds[FAST] if name in seconds else None
            told = "not here" if found is None else f"{found:.2f}"
            missed = found is not None and found < asked
            lines.append(f"| {n} | {name} | {asked:g} | {told}{' (missed)' if missed else ''} |")
    return "\n".join(lines) + "\n"


def _machine(facts: Result, sizes: dict[Any, Result]) -> str:
    names = ("numpy", "numba", "torch")
    versions = ", ".join(f"{name} {facts['versions'][name]}" for name in names)
    peers = {peer for result in sizes.values() for peer in result["peers"].values()}
    told = "".join(f"; aihwkit {peer}" for peer in sorted(peers))
    return f"{facts['processor']}; Python {facts['python']}, {versions}{told}.\n"


def main() -> None:
    """Measure, write crossbar_read.json, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.crossbar_read")
    parser.add_argument("--aihwkit", metavar="PYTHON", help="one with aihwkit and torch 2.10")
    parser.add_argument("--rounds", type=int, default=15, help="turns of 5 calls each (median)")
    parser.add_argument("--page", type=Path, help="a page that takes the tables, BENCHMARKS.md")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    options = parser.parse_args()
    sizes = {n: compare(n, options.aihwkit, options.rounds) for n in SIZES}
    results: Result = {"machine": machine(), "sizes": sizes}
    write_text(options.folder / "crossbar_read.json", json.dumps(results, indent=1) + "\n")
    text = table(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, "crossbar read", text))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
