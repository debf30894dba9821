"""Small files in the format of MNIST."""

import gzip
import struct


def write_idx(path, array):
    """Bytes of any shape, as gzipped IDX."""
    header = struct.pack(f">I{array.ndim}I", 0x0800 | array.ndim, *array.shape)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(header + array.tobytes(), mtime=0))
    return path
