"""An HDF5 file as plain dictionaries: sizes are checked before anything is loaded.

Only hard links, numbers and text are read; nothing in a file names code, and nothing is executed.
"""

import math
import mmap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

MAX_BYTES = 2**31  # of all numbers that a file declares
MAX_TEXT_BYTES = 2**24
MAX_OBJECTS = 100_000
MAX_DEPTH = 32
ROWS = 1024  # of text, read at once


def read_tree(path: Path, kind: str, root: str) -> dict[str, Any]:
    """A group of a file and those in it: groups as dictionaries, numbers as arrays, text as `str`.

    Args:
        path: the file. kind: what it should be, e.g. "NIR". root: the group it must have.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no whole file of that kind, or declares more than can be held.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no {kind} file {path}: give the path of one")
    if not _heaps_end(path):
        raise ValueError(f"{path} is damaged: a table of its text has no end; export it again")
    try:
        with h5py.File(path, "r") as file:
            tree = _Reader().group(file, "", lambda name: name == root)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except (OSError, KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is no readable {kind} file: it is truncated or of another kind; export it "
            "again"
        ) from error
    if not isinstance(tree.get(root), dict):
        raise ValueError(f"{path} has no group `{root}`: it is HDF5, but no {kind} file")
    return dict(tree[root])


def _heaps_end(path: Path) -> bool:
    """Whether every heap of text in a file ends: HDF5 reads one that does not for ever.

    A heap is `GCOL`, a version, its size, then objects: number, references, size, data; one of
    number 0 is free space, whose size counts its head [HDF5 file format 3.0, III.E].
    """
    if not path.stat().st_size:
        return True  # nothing to map, and no HDF5
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        start = held.find(b"GCOL\x01\x00\x00\x00")
        while start >= 0:
            end = start + int.from_bytes(held[start + 8 : start + 16], "little")
            at = start + 16
            while at + 16 <= end <= len(held):
                number = int.from_bytes(held[at : at + 2], "little")
                size = int.from_bytes(held[at + 8 : at + 16], "little")
                need = size if number == 0 else 16 + -(-size // 8) * 8
                if not 0 < need <= end - at:
                    return False
                at += need
            start = held.find(b"GCOL\x01\x00\x00\x00", start + 8)
    return True


def check_sizes(file: Any) -> None:
    """Refuse an HDF5 file that declares more than can be held, or that leads elsewhere.

    Raises:
        ValueError: if it does.
    """
    _Reader(loads=False).group(file, "")


class _Reader:
    """Walks a file and counts what it has been asked to hold; without `loads` nothing is read."""

    def __init__(self, *, loads: bool = True) -> None:
        self.loads = loads
        self.n_bytes = 0
        self.n_text = 0
        self.n_objects = 0

    def group(
        self, group: Any, where: str, wanted: Callable[[str], bool] = lambda _: True
    ) -> dict[str, Any]:
        if where.count("/") > MAX_DEPTH:
            raise ValueError(f"groups lie deeper than {MAX_DEPTH}: flatten the graph")
        self.n_objects += len(group)
        if self.n_objects > MAX_OBJECTS:
            raise ValueError(f"more than {MAX_OBJECTS} objects: split the graph")
        return {n: self._item(group, n, f"{where}/{n}") for n in group if wanted(n)}

    def _item(self, group: Any, name: str, where: str) -> Any:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"`{where}` is a link to elsewhere: store what it points to")
        item = group[name]
        if isinstance(item, h5py.Group):
            return self.group(item, where)
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            raise ValueError(f"`{where}` holds neither numbers nor text")
        if item.is_virtual or item.external:
            raise ValueError(f"`{where}` keeps its data in another file: store it in this one")
        if h5py.check_string_dtype(item.dtype) is not None:
            return self._text(item, where)
        if item.dtype.kind not in "fiub":
            raise ValueError(f"`{where}` is of type {item.dtype}, must be numbers or text")
        n = max(math.prod(item.shape), math.prod(item.chunks or (0,)))
        self.n_bytes += n * max(8, item.dtype.itemsize)  # numbers become float64
        if self.n_bytes > MAX_BYTES:
            raise ValueError(
                f"`{where}` of shape {item.shape} brings the file to {self.n_bytes:,} bytes, at "
                f"most {MAX_BYTES:,} are read: split the graph"
            )
        return np.asarray(item[()]) if self.loads else None

    def _text(self, item: Any, where: str) -> Any:
        n = math.prod(item.shape)
        chunk = math.prod(item.chunks or (0,))
        if max(n, chunk) * item.dtype.itemsize > MAX_TEXT_BYTES:
            raise ValueError(
                f"`{where}` of shape {item.shape} is more text than {MAX_TEXT_BYTES:,} bytes: "
                "split the graph"
            )
        if not self.loads:
            return None
        if not item.shape:
            return self._word(item[()], where)
        rows: list[Any] = []
        for start in range(0, item.shape[0], ROWS):
            block = item[start : start + ROWS]
            words = [self._word(word, where) for word in block.ravel().tolist()]
            rows += np.array(words, dtype=object).reshape(block.shape).tolist()
        return rows

    def _word(self, word: Any, where: str) -> str:
        self.n_text += len(word)
        if self.n_text > MAX_TEXT_BYTES:
            raise ValueError(f"`{where}`: more than {MAX_TEXT_BYTES:,} bytes of text in the file")
        try:
            return word.decode("utf-8") if isinstance(word, bytes) else str(word)
        except UnicodeDecodeError:
            raise ValueError(f"`{where}` is no UTF-8 text") from None
