"""Array types of the contract, and the one way an array becomes frozen and hashed."""

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
AnyArray = npt.NDArray[Any]


def frozen(values: object, dtype: npt.DTypeLike) -> AnyArray:
    """A read-only, contiguous copy of `values`."""
    out = np.array(values, dtype=dtype, order="C", copy=True)
    out.setflags(write=False)
    return out


def digest(*parts: object) -> str:
    """SHA-256 over arrays (dtype, shape, bytes) and the `repr` of everything else."""
    sha = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            sha.update(f"{part.dtype.str}{part.shape}".encode())
            sha.update(np.ascontiguousarray(part).tobytes())
        else:
            sha.update(repr(part).encode())
    return sha.hexdigest()
