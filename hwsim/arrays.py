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


def whole(what: str, values: object, dtype: npt.DTypeLike = np.int64) -> AnyArray:
    """A frozen array of whole numbers, or a clear error: none is rounded, cut or wrapped.

    Whole numbers of a floating type are taken, 2.0 for 2.
    """
    array, limits = numbers_of(what, values), np.iinfo(np.dtype(dtype))
    bad = np.zeros(0)
    if array.dtype.kind == "f":
        bad = array[~np.isfinite(array) | (array != np.rint(array))]
    for worst in bad[:1]:
        raise ValueError(f"{what} is {worst}, must be a whole number: round it as you mean it")
    if array.size:
        for worst in (array.min(), array.max()):
            if not limits.min <= int(worst) <= limits.max:
                raise ValueError(f"{what} is {worst}, outside {limits.min}..{limits.max}")
    return frozen(array, dtype)


def whole_number(what: str, value: object) -> int:
    """One whole number, or a clear error: none is rounded or cut."""
    array = whole(what, value)
    if array.ndim:
        raise ValueError(f"{what} is {value}, must be one whole number")
    return int(array)


def real(what: str, values: object) -> AnyArray:
    """A frozen array of float64, or a clear error: complex numbers and words are refused."""
    return frozen(numbers_of(what, values), np.float64)


def numbers_of(what: str, values: object) -> AnyArray:
    """An array of real numbers of any type, or a clear error."""
    try:
        array = np.asarray(values)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{what} is no array: its rows differ in length") from None
    if array.dtype.kind not in "buif":
        is_short = isinstance(values, str | int | complex) or values is None
        got = repr(values) if is_short else f"of type {array.dtype}"
        raise ValueError(f"{what} is {got}, must be real numbers that fit 64 bits")
    return array


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
