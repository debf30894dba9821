"""The one place with Numba options: compiled code is cached and exact (no fastmath)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import numba

prange = numba.prange


def njit(*, parallel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel: cached on disk, without the GIL, IEEE arithmetic as written."""
    compiler = numba.njit(
        cache=True, nogil=True, fastmath=False, error_model="numpy", parallel=parallel
    )
    return cast("Callable[[Callable[..., Any]], Any]", compiler)


@contextmanager
def threads(at_most: int) -> Iterator[None]:
    """Run parallel kernels on no more threads than there is work: idle ones only cost waiting."""
    before = numba.get_num_threads()
    numba.set_num_threads(max(1, min(before, at_most)))
    try:
        yield
    finally:
        numba.set_num_threads(before)
