"""The last reductions of arrays are kept: one chip is often read again, and reducing takes long."""

from functools import lru_cache

import numpy as np

from hwsim.arrays import FloatArray, frozen
from hwsim.crossbar.wires import LinearArray, Wires, reduce_array

N_KEPT = 8  # of 512 x 512 cells, 8 MB each


def reduced(g_siemens: FloatArray, wires: Wires) -> LinearArray:
    """As `reduce_array`; the same cells and wires are reduced once. Its arrays are read-only."""
    return _reduced(np.asarray(g_siemens, dtype=np.float64).tobytes(), g_siemens.shape, wires)


@lru_cache(maxsize=N_KEPT)
def _reduced(raw: bytes, shape: tuple[int, int], wires: Wires) -> LinearArray:
    found = reduce_array(np.frombuffer(raw).reshape(shape), wires)
    return LinearArray(frozen(found.g_eff, np.float64), frozen(found.g_in, np.float64))
