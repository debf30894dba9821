"""Small files in the format of the Heidelberg sets."""

import h5py
import numpy as np

N_CLASSES = {"shd": 20, "ssc": 35}
PARTS = {"shd": ("train", "test"), "ssc": ("train", "valid", "test")}


def samples(rng, n_classes, n, spikes=40):
    """Labels, speakers, times and units of `n` samples: a class sounds in channels of its own."""
    labels = np.arange(n) % n_classes
    times = [np.sort(rng.uniform(0.05, 0.95, spikes)).astype(np.float16) for _ in labels]
    units = [(rng.integers(0, 20, spikes) + 17 * label).astype(np.uint16) for label in labels]
    return labels, 10 * (np.arange(n) // n_classes % 2) + 1, times, units


def write(path, n_classes, labels, speakers, times, units):
    """One part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        n = len(labels)
        for name, rows, kind in (("times", times, np.float16), ("units", units, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (n,), h5py.vlen_dtype(np.dtype(kind)))
            for i, row in enumerate(rows):
                data[i] = row
        file["labels"] = np.asarray(labels, np.uint16)
        file["extra/speaker"] = np.asarray(speakers, np.uint16)
        file["extra/keys"] = np.array([f"word{i}".encode() for i in range(n_classes)])


def write_set(root, name, n=None, **how):
    """All parts of `shd` or `ssc` under a root; two samples of every class in each."""
    rng = np.random.default_rng(0)
    for part in PARTS[name]:
        found = samples(rng, N_CLASSES[name], n or 2 * N_CLASSES[name], **how)
        write(root / name.upper() / f"{name}_{part}.h5", N_CLASSES[name], *found)
    return root
