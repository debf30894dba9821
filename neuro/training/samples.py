"""Binned samples in memory, batched for training: shuffled by (seed, epoch), shifted at will."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Sampler,
    SequentialSampler,
    TensorDataset,
)

from hwsim.arrays import AnyArray
from neuro.datasets import load
from neuro.recipe import DataSpec
from neuro.training.sharing import Share


@dataclass(frozen=True, slots=True)
class Samples:
    """A split in memory: frames (samples, steps, *shape) uint8, labels (samples,)."""

    frames: AnyArray
    labels: AnyArray
    class_names: tuple[str, ...]
    name: str
    split: str

    def __len__(self) -> int:
        return len(self.labels)


def load_split(spec: DataSpec, split: str, root: str | None = None) -> Samples:
    """One split of a recipe's data, binned."""
    data = load(spec.name, split, root=root)
    frames, labels = data.binned(spec.binning)
    return Samples(np.asarray(frames), np.asarray(labels), data.class_names, spec.name, split)


class EpochShuffle(Sampler[int]):
    """A permutation per epoch that depends on seed and epoch alone, so a resumed run repeats it."""

    def __init__(self, n: int, seed: int) -> None:
        self.n, self.seed, self.epoch = n, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; the trainer calls it."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n

    def __iter__(self) -> Iterator[int]:
        return iter(np.random.default_rng((self.seed, self.epoch)).permutation(self.n).tolist())


class Parts(Sampler[list[int]]):
    """A rank's part of every batch: the batches are those of one process."""

    def __init__(self, order: Sampler[int], batch_size: int, share: Share) -> None:
        self.order, self.share = order, share
        self.batches = BatchSampler(order, batch_size, drop_last=False)

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; the trainer calls it."""
        if isinstance(self.order, EpochShuffle):
            self.order.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[list[int]]:
        for batch in self.batches:
            yield batch[self.share.part(len(batch))]


def loader(
    samples: Samples, batch_size: int, *, seed: int | None = None, share: Share | None = None
) -> DataLoader:
    """Batches (batch, steps, *shape) and labels, or shares of them; shuffled if a seed is given."""
    frames = np.require(samples.frames, requirements=["C", "W"])  # a copy of still images alone
    data = TensorDataset(torch.from_numpy(frames), torch.tensor(samples.labels))
    sampler = None if seed is None else EpochShuffle(len(samples), seed)
    if share is None or share.n_ranks == 1:
        return DataLoader(data, batch_size=batch_size, sampler=sampler)
    order: Sampler[int] = sampler or SequentialSampler(data)
    return DataLoader(data, batch_size=None, sampler=Parts(order, batch_size, share))


def shifted(x: Tensor, by: Tensor) -> Tensor:
    """Move every sample's image; what leaves is lost, what enters is zero.

    Args:
        x: (batch, ..., height, width). by: (batch, 2) pixels down and right.
    """
    out = torch.zeros_like(x)
    height, width = x.shape[-2:]
    for i, (down, right) in enumerate(by.tolist()):
        rows, cols = (
            slice(max(down, 0), height + min(down, 0)),
            slice(max(right, 0), width + min(right, 0)),
        )
        from_rows = slice(max(-down, 0), height + min(-down, 0))
        from_cols = slice(max(-right, 0), width + min(-right, 0))
        out[i, ..., rows, cols] = x[i, ..., from_rows, from_cols]
    return out
