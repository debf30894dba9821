"""Would a matrix product pay? Rows of spikes against BLAS: `python -m benchmarks.dense_path`.

A layer of the engine adds the rows of the neurons that fired, in integers. A dense path would
instead multiply the spikes of all steps with all weights, in float32 (exact below 2^24), by BLAS:
spread the spikes, multiply, add the product to the sums. Both get the same spikes and leave the
same sums; one thread each.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable

if __name__ == "__main__":
    for name in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{name}_NUM_THREADS"] = "1"  # before numpy and numba are imported

import numpy as np

from hwsim._accelerate import njit
from hwsim.kernels.deliver import add_rows

SHAPES = ((700, 512), (1024, 1024), (512, 20))
ACTIVITY = (0.02, 0.1, 0.3, 0.5, 0.8, 1.0)
N_STEPS, N_ROUNDS = 100, 15


@njit()
def add_events(ids, ptr, weights, sums):
    """The engine's way: step by step the rows of the neurons that fired."""
    for t in range(sums.shape[0]):
        add_rows(ids[ptr[t] : ptr[t + 1]], weights, 0, sums.shape[1], sums[t])


@njit()
def spread(ids, ptr, out):
    """Spikes as a matrix of 0 and 1."""
    out[:, :] = 0
    for t in range(out.shape[0]):
        for e in range(ptr[t], ptr[t + 1]):
            out[t, ids[e]] = 1


@njit()
def add_product(product, sums):
    """Whole numbers in float32, added to integers."""
    for t in range(sums.shape[0]):
        for n in range(sums.shape[1]):
            sums[t, n] += np.int32(product[t, n])


def compare(n_in: int, n_out: int, activity: float) -> tuple[float, float]:
    """Seconds of both ways, medians.

    Raises:
        AssertionError: if their sums differ.
    """
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (n_in, n_out)).astype(np.int8)
    fired = rng.random((N_STEPS, n_in)) < activity
    ids = np.nonzero(fired)[1].astype(np.int32)
    ptr = np.concatenate([[0], np.cumsum(fired.sum(axis=1))])
    real, flat = weights.astype(np.float32), weights.ravel()
    spikes = np.zeros((N_STEPS, n_in), dtype=np.float32)
    product = np.zeros((N_STEPS, n_out), dtype=np.float32)
    by_events, by_product = (np.zeros((N_STEPS, n_out), dtype=np.int32) for _ in range(2))

    def multiply() -> None:
        spread(ids, ptr, spikes)
        np.dot(spikes, real, out=product)
        add_product(product, by_product)

    events_s = _median(lambda: add_events(ids, ptr, flat, by_events))
    product_s = _median(multiply)
    different = by_events != by_product
    if different.any():
        raise AssertionError(f"{np.count_nonzero(different)} sums differ")
    return events_s, product_s


def _median(work: Callable[[], object]) -> float:
    work()
    times: list[float] = []
    for _ in range(N_ROUNDS):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def table(found: dict[tuple[int, int, float], tuple[float, float]]) -> str:
    """Markdown: times slower or faster than the product, by layer and activity."""
    lines = [
        "| layer | neurons that fire in a step | rows of spikes | matrix product "
        "| product / rows |",
        "|-|-:|-:|-:|-:|",
    ]
    for (n_in, n_out, activity), (events_s, product_s) in found.items():
        lines.append(
            f"| {n_in} x {n_out} | {100 * activity:g} % | {events_s * 1e6:.0f} us "
            f"| {product_s * 1e6:.0f} us | {product_s / events_s:.2f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and print."""
    found: dict[tuple[int, int, float], tuple[float, float]] = {}
    for n_in, n_out in SHAPES:
        for activity in ACTIVITY:
            found[n_in, n_out, activity] = compare(n_in, n_out, activity)
    sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
