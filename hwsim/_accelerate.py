"""The one place with Numba options: compiled code is cached and exact (no fastmath)."""

from collections.abc import Callable
from typing import Any, cast

import numba

prange = numba.prange


def njit(*, parallel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel: cached on disk, without the GIL, IEEE arithmetic as written."""
    compiler = numba.njit(
        cache=True, nogil=True, fastmath=False, error_model="numpy", parallel=parallel
    )
    return cast("Callable[[Callable[..., Any]], Any]", compiler)
