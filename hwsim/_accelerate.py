"""The one place with Numba options: compiled code is cached and exact (no fastmath)."""

from collections.abc import Callable
from typing import Any

import numba


def njit(*, parallel: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a kernel: cached on disk, without the GIL, IEEE arithmetic as written."""
    options = {"cache": True, "nogil": True, "fastmath": False, "error_model": "numpy"}
    return numba.njit(parallel=parallel, **options)


prange = numba.prange
