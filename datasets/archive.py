"""Files out of a zip that may be damaged."""

from __future__ import annotations

import lzma
import os
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

# What zipfile and np.load raise for damaged files. RuntimeError: a flipped bit may ask for a
# password, or, as NotImplementedError, for a compression that does not exist.
UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, ValueError, KeyError, EOFError, RuntimeError),
)


def member(path: Path, name: str) -> bytes:
    """Bytes of one file in a zip.

    Raises:
        ValueError: if the zip or the file in it is damaged, or there is no such file.
    """
    try:
        return _open(path, os.getpid()).read(name)
    except UNREADABLE as error:
        raise ValueError(f"{path}: cannot read {name} ({error}): fetch the file again") from None


def member_names(path: Path) -> list[str]:
    """Names of the files in a zip.

    Raises:
        ValueError: if the zip is damaged.
    """
    try:
        return _open(path, os.getpid()).namelist()
    except UNREADABLE as error:
        raise ValueError(f"{path}: not a whole zip ({error}): fetch it again") from None


@lru_cache(maxsize=4)
def _open(path: Path, pid: int) -> zipfile.ZipFile:  # pid: a fork opens its own
    return zipfile.ZipFile(path)
