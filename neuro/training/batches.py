"""Which samples make a batch: drawn from a generator, as index tensors."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

Order = Callable[[torch.Generator], list[Tensor]]


def shuffled(n: int, batch_size: int) -> Order:
    """All of `n` samples once an epoch, shuffled; what is left over is a smaller, last batch.

    Raises:
        ValueError: if a batch is larger than all samples.
    """
    if batch_size > n:
        raise ValueError(f"`batch_size` is {batch_size} for {n} samples: take 1 to {n}")
    return lambda generator: list(torch.randperm(n, generator=generator).split(batch_size))


def one_of_each(labels: Tensor) -> Order:
    """Batches of one sample of every class, as many as the smallest class has samples.

    Every class is shuffled, so that of the larger ones another part is left out in every epoch.
    """
    members = [torch.nonzero(labels == c).flatten() for c in labels.unique()]
    n_batches = min(map(len, members))

    def order(generator: torch.Generator) -> list[Tensor]:
        drawn = [m[torch.randperm(len(m), generator=generator)[:n_batches]] for m in members]
        return list(torch.stack(drawn, dim=1))

    return order


class Batches(IterableDataset[tuple[Tensor, ...]]):
    """Whole batches, indexed from tensors in memory; every epoch takes a new order.

    Without a `DataLoader` nothing is collated, and nothing drawn from the global generator.
    """

    def __init__(self, tensors: tuple[Tensor, ...], order: Order, seed: int) -> None:
        self.tensors, self.order = tensors, order
        self.generator = torch.Generator().manual_seed(seed)

    def __iter__(self) -> Iterator[tuple[Tensor, ...]]:
        for chosen in self.order(self.generator):
            yield tuple(tensor[chosen] for tensor in self.tensors)
