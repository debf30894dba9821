"""Several processes train on one batch and compute what one process would, but for rounding.

Every rank has the same weights, draws the same random numbers, and takes its part of every batch.
What a whole batch decides is decided together: sums over it go from rank to rank. Gradients are
averaged over the ranks (DDP) [Li2020]; a loss that a rank weighs by `n_ranks / n_whole` per sample
makes that average the gradient of the batch's mean, also where the parts are not equal.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F

from neuro.models.dropout import NeuronDropout


@dataclass(slots=True)
class Share:
    """One of `n_ranks` ranks. `n_whole`: samples of the present batch, on all ranks together."""

    rank: int = 0
    n_ranks: int = 1
    n_whole: int = 0
    group: Any = None  # of sums in layers: DDP's gradients may cross them on their way

    def part(self, n: int) -> slice:
        """Which of `n` samples are this rank's; none, where there are more ranks than samples."""
        return slice(n * self.rank // self.n_ranks, n * (self.rank + 1) // self.n_ranks)

    def begin(self, n: int) -> int:
        """Begin a batch of which `n` samples are here; how many it has."""
        self.n_whole = int(self.total(torch.tensor(n)))
        return self.n_whole

    def total(self, x: Tensor) -> Tensor:
        """The sum over all ranks; gradients flow through it."""
        return x if self.n_ranks == 1 else _Total.apply(x, self.group)


class _Total(torch.autograd.Function):
    """A sum over ranks: what is added here is in the losses of all, so gradients are added too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Any) -> Tensor:
        ctx.group = group
        total = x.detach().clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        grad = grads[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(grad, group=ctx.group)
        return grad, None


class SharedNorm(nn.modules.batchnorm._BatchNorm):
    """BatchNorm by the mean and variance of the whole batch, over (samples, channels, ...).

    Torch's own `SyncBatchNorm` is for GPUs. Parameters and statistics are those of `norm`.
    """

    def __init__(self, norm: nn.modules.batchnorm._BatchNorm, share: Share) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias, self.share = norm.weight, norm.bias, share
        for name, value in norm.named_buffers():
            setattr(self, name, value)

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.BatchNorm1d` and `nn.BatchNorm2d`."""
        if not self.training:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias,
                                eps=self.eps)  # fmt: skip
        kind, x = x.dtype, x.to(self.weight.dtype)
        others, shape = [d for d in range(x.ndim) if d != 1], (1, -1) + (1,) * (x.ndim - 2)
        here = x.new_tensor([x.numel() // x.shape[1]])
        sums = self.share.total(torch.cat((x.sum(others), here)))
        n, mean = sums[-1].detach(), sums[:-1] / sums[-1].detach()
        apart = x - mean.view(shape)
        var = self.share.total((apart**2).sum(others)) / n
        self._remember(mean.detach(), var.detach() * n / (n - 1))
        gain = self.weight / torch.sqrt(var + self.eps)
        return (apart * gain.view(shape) + self.bias.view(shape)).to(kind)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var, self.momentum)

    def _check_input_dim(self, _: Tensor) -> None:
        """Any number of axes will do."""


class SharedDropout(nn.Dropout):
    """Dropout over (time, batch, ...): a rank draws the whole batch's mask and takes its part."""

    def __init__(self, p: float, share: Share) -> None:
        super().__init__(p)
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """As `nn.Dropout`, with its draws."""
        if not self.training:
            return x
        whole = x.new_empty((x.shape[0], self.share.n_whole, *x.shape[2:]))
        mask = whole.bernoulli_(1 - self.p).div_(1 - self.p)
        return x * mask[:, self.share.part(self.share.n_whole)]


class SharedNeuronDropout(NeuronDropout):
    """As `SharedDropout`, of whole neurons."""

    def __init__(self, p: float, share: Share) -> None:
        super().__init__(p)
        self.share = share

    def forward(self, spikes: Tensor) -> Tensor:
        """As `NeuronDropout`, with its draws."""
        if not self.training:
            return spikes
        n_whole = self.share.n_whole
        mask = F.dropout(spikes.new_ones((1, n_whole, *spikes.shape[2:])), self.p)
        return spikes * mask[:, self.share.part(n_whole)]


def share_layers(module: nn.Module, share: Share) -> None:
    """Replace, in place, every BatchNorm and every dropout by its shared twin."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
            setattr(module, name, SharedNorm(child, share).train(child.training))
        elif isinstance(child, nn.Dropout):
            setattr(module, name, SharedDropout(child.p, share).train(child.training))
        elif isinstance(child, NeuronDropout):
            setattr(module, name, SharedNeuronDropout(child.p, share).train(child.training))
        else:
            share_layers(child, share)


def largest(x: Tensor) -> Tensor:
    """The largest value of `x`, 0 or more, over all ranks."""
    found = x.max() if x.numel() else x.new_zeros(())
    if dist.is_initialized():
        dist.all_reduce(found, dist.ReduceOp.MAX)
    return found
