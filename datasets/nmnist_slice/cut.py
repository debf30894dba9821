"""Cut the slice of N-MNIST in this folder out of the 950 recordings of `nmnist-small`.

python datasets/nmnist_slice/cut.py path/to/nmnist_small.zip

Takes the first 5 training and the first 2 test recordings of every digit, in the order of the
lists. The recordings stay as they are, byte by byte; the zip is the same at every run.
"""

import sys
import zipfile
from collections import Counter
from pathlib import Path

N_PER_DIGIT = {"train850.txt": 5, "test100.txt": 2}
FIXED_DATE = (1980, 1, 1, 0, 0, 0)


def first_of_each_digit(listing: str, n: int) -> list[str]:
    """Lines of the list that name the first `n` samples of each class; the header stays."""
    header, *rows = listing.splitlines()
    taken: Counter[str] = Counter()
    lines = [header]
    for row in filter(str.strip, rows):
        digit = row.split()[1]
        if taken[digit] < n:
            taken[digit] += 1
            lines.append(row)
    return lines


def cut(source: Path, target: Path) -> None:
    """Write the slice of `source` to `target`."""
    with (
        zipfile.ZipFile(source) as whole,
        zipfile.ZipFile(target, "w", compression=zipfile.ZIP_LZMA) as part,
    ):
        for name, n in N_PER_DIGIT.items():
            lines = first_of_each_digit(whole.read(name).decode("ascii"), n)
            part.writestr(_entry(name), "\n".join(lines) + "\n")
            for line in lines[1:]:
                recording = f"{line.split()[0]}.bs2"
                part.writestr(_entry(recording), whole.read(recording))


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIXED_DATE)
    entry.compress_type = zipfile.ZIP_LZMA
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    return entry


if __name__ == "__main__":
    cut(Path(sys.argv[1]), Path(__file__).with_name("nmnist_slice.zip"))
