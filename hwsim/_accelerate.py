"""The one place with Numba options: compiled code is cached and exact (no fastmath)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numba

prange = numba.prange


def njit(
    *, parallel: bool = False, inline: bool = False, allocates: bool = True
) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel: cached on disk, without the GIL, IEEE arithmetic as written.

    inline: always compiled into its caller, and never called from Python. allocates: whether it
    makes arrays; if not, none are reference counted, which costs more than a short loop.
    """
    options: dict[str, Any] = {
        "cache": True,
        "nogil": True,
        "fastmath": False,
        "error_model": "numpy",
        "parallel": parallel,
        "forceinline": inline,
        "no_cpython_wrapper": inline,
        "no_cfunc_wrapper": inline,
        "_nrt": allocates,
    }
    compiler = numba.njit(**options)
    return cast("Callable[[Callable[..., Any]], Any]", compiler)


def n_threads() -> int:
    """Threads that work may use: NUMBA_NUM_THREADS, or what Numba was told since."""
    return int(numba.get_num_threads())


@contextmanager
def threads(at_most: int) -> Iterator[None]:
    """Let work use no more threads than that."""
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(before, at_most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
