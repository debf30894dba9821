"""Cases of experiments in processes of one thread each, faster than one of many; and their bar."""

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import as_completed as completed
from multiprocessing import get_context
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn

Given = TypeVar("Given", bound=tuple[Any, ...])
Found = TypeVar("Found")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def finished(
    function: Callable[..., Found], asked: Iterable[Given], jobs: int
) -> Iterator[tuple[Given, Found]]:
    """Arguments and what the function makes of them, as they are finished.

    After an error, or when it is no longer listened to, what has not begun is given up.

    Args:
        function: of a module, for new processes to find. asked: tuples of arguments.
        jobs: processes at a time.
    """
    os.environ |= dict.fromkeys(THREADS, "1")  # of the processes that are started here
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        given = {pool.submit(function, *arguments): arguments for arguments in asked}
        try:
            for future in completed(given):
                yield given[future], future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def bar() -> Progress:
    """How many of all are done, and since when, on the error output."""
    columns = (*Progress.get_default_columns(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True))
