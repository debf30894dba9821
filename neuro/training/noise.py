"""Training for resistive cells: what is trained survives errors of programming.

A weight w of a layer is a pair of cells, x = |w| / w_max of one cell's conductance range in one of
them and nothing in the other; w_max is the largest |w| of the layer. Every cell misses what it was
programmed to by a Gaussian error of its own, with standard deviation

    s(x) = spread (c0 + c1 x + c2 x^2 + ...)        as a fraction of one cell's range,

`spread` alone with the default law c = (1,). The errors of a pair add up, so the weight has

    sd(w) = w_max sqrt(s(|w| / w_max)^2 + s(0)^2),  which is sqrt(2) spread w_max for c = (1,).

With `floor` a cell whose error would take it below zero conductance stays at zero, as devices do:
idle cells then miss by less, and only upwards. Nothing else stops a cell, its window neither.
BatchNorm is folded first: the cells hold the folded weights. A convolution holds each weight once,
for all positions.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from hwsim.arrays import AnyArray
from hwsim.network import Network, Shape
from neuro.from_network import stack_of
from neuro.models.stack import Block, Stack
from neuro.recipe import NoiseSpec
from neuro.spiking.delay import Delay
from neuro.training.samples import Samples
from neuro.training.sharing import largest

KEEP_RANGE = 0.9  # of the ADC's running range, per batch
BATCH = 64  # samples evaluated together


class NoiseBlock(nn.Module):
    """A folded block whose weights are cells of a chip, another chip in every pass of training.

    Training: weights are clipped to `clip_sd` standard deviations of the layer and disturbed;
    sums are rounded to an ADC's levels if there is one. Gradients pass all three as if they were
    not there; w_max and the deviations count as constants. Evaluation: the clipped weights, clean
    and without ADC (what `neuro.export` exports), or those of one chip (`on_chip`).

    Args:
        block: without BatchNorm. spec: of the cells.
    """

    adc_range: Tensor

    def __init__(self, block: Block, spec: NoiseSpec) -> None:
        super().__init__()
        if block.norm is not None:
            raise ValueError("fold BatchNorm before training with noise (`Stack.folded`)")
        if isinstance(block.synapses, Delay):
            raise ValueError("an array of cells has no delays: train them without noise")
        if block.feedback is not None:
            raise ValueError("feedback is not trained with noise: let no layer be `recurrent`")
        self.synapses, self.neurons, self.dropout = block.synapses, block.neurons, block.dropout
        self.spec = spec
        self.draws: Tensor | None = None  # of the one chip that evaluation runs on
        self.register_buffer("adc_range", torch.zeros(()))

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes in, spikes out, (time, batch, *shape); or the potential of a read-out."""
        weight = self.weight()
        draws = self.draws
        if self.training:
            draws = torch.randn(2, *weight.shape, dtype=weight.dtype, device=weight.device)
        if draws is not None and self._spread():
            held = programmed(weight.detach(), draws, self._spread(), self.spec)
            weight = _straight(held, weight)
        flat = spikes.flatten(2) if isinstance(self.synapses, nn.Linear) else spikes
        a = functional_call(self.synapses, {"weight": weight}, (flat.flatten(0, 1),))
        if draws is not None and self.spec.adc_bits is not None:
            a = self._converted(a, self.spec.adc_bits)
        out = self.neurons(a.unflatten(0, spikes.shape[:2]))
        return out if self.dropout is None else self.dropout(out)

    def weight(self) -> Tensor:
        """The weights within the window, exactly; their gradient is the unclipped weights'."""
        master = self.synapses.weight
        if self.spec.clip_sd is None:
            return master
        limit = float(self.spec.clip_sd * master.detach().std())
        return _straight(master.clamp(-limit, limit), master)

    def target_shape(self, source: Shape) -> Shape:
        """Shape of the neurons for inputs of shape `source`."""
        return Block(self.synapses, self.neurons).target_shape(source)

    def folded(self) -> Block:
        """A plain block of the clipped weights: in evaluation the same function."""
        block = copy.deepcopy(Block(self.synapses, self.neurons, dropout=self.dropout or 0.0))
        with torch.no_grad():
            block.synapses.weight.copy_(self.weight())
        return block

    def _spread(self) -> float:
        trained = self.spec.train_spread if self.training else None
        return self.spec.spread if trained is None else trained

    def _converted(self, a: Tensor, bits: int) -> Tensor:
        """Sums rounded to 2^bits - 1 levels from -range to range, zero among them."""
        if self.training:
            highest = largest(a.detach().abs())
            kept = KEEP_RANGE * self.adc_range + (1 - KEEP_RANGE) * highest
            self.adc_range.copy_(torch.where(self.adc_range > 0, kept, highest))
        top = 2 ** (bits - 1) - 1
        step = self.adc_range / top
        if not step:  # no sum was ever seen
            return a
        return _straight((a / step).round().clamp(-top, top) * step, a)


def programmed(weight: Tensor, draws: Tensor, spread: float, spec: NoiseSpec) -> Tensor:
    """What a chip holds of a layer's weights.

    Args:
        weight: wanted, any shape. draws: standard normal, (2, *shape): the cell of positive weights
            and that of negative ones.
        spread: of a cell. spec: its law and floor.
    """
    w_max = weight.abs().max()
    if not w_max:
        return weight
    x = torch.stack((weight, -weight)).clamp(min=0) / w_max
    x = x + spread * _law(x, spec.law) * draws
    if spec.floor:
        x = x.clamp(min=0)
    return w_max * (x[0] - x[1])


def noisy(stack: Stack, spec: NoiseSpec) -> Stack:
    """A stack of noise blocks, ready for fine-tuning; BatchNorm is folded, weights are shared.

    Args:
        stack: trained, in floats. spec: of the cells.
    """
    stack.check_score()
    blocks: dict[str, nn.Module] = {
        name: NoiseBlock(block, spec) for name, block in stack.folded().blocks.items()
    }
    return Stack(blocks, stack.input_shape)


@contextmanager
def on_chip(stack: Stack, rng: np.random.Generator) -> Iterator[None]:
    """Within, evaluation of a stack of noise blocks runs on one chip drawn from `rng`."""
    blocks = [block for block in stack.blocks.values() if isinstance(block, NoiseBlock)]
    try:
        for block in blocks:
            weight = block.synapses.weight
            block.draws = torch.from_numpy(rng.standard_normal((2, *weight.shape))).to(weight)
        yield
    finally:
        for block in blocks:
            block.draws = None


@torch.no_grad()
def correct_under_spread(
    model: Stack | Network, samples: Samples, cells: NoiseSpec, n_chips: int, seed: int
) -> AnyArray:
    """Right answers of every chip, (n_chips,) int64.

    Chip i depends on `seed` and i alone: two models of one shape meet the same draws, and so do
    two spreads.

    Args:
        model: a trained stack, in floats, or a network that is a chain of layers.
        cells: their spread, law and floor. Weights are taken as they are: no clipping, no ADC.
    """
    stack = stack_of(model) if isinstance(model, Network) else model
    errors = NoiseSpec(spread=cells.spread, law=cells.law, floor=cells.floor)
    chip = noisy(stack, errors).eval()
    dtype = next(chip.parameters()).dtype
    x = torch.from_numpy(np.array(samples.frames)).transpose(0, 1).to(dtype)
    right = np.zeros(n_chips, dtype=np.int64)
    for i in range(n_chips):
        with on_chip(chip, np.random.default_rng((seed, i))):
            guess = torch.cat([chip(part).argmax(1) for part in x.split(BATCH, dim=1)])
        right[i] = (guess.numpy() == samples.labels).sum()
    return right


def accuracy_under_spread(
    model: Stack | Network,
    samples: Samples,
    spread: float,
    n_chips: int,
    seed: int,
    *,
    floor: bool = False,
) -> AnyArray:
    """Accuracy of every chip, (n_chips,), from 0 to 1; see `correct_under_spread`."""
    cells = NoiseSpec(spread=spread, floor=floor)
    return correct_under_spread(model, samples, cells, n_chips, seed) / len(samples)


def _law(x: Tensor, law: tuple[float, ...]) -> Tensor:
    """`c0 + c1 x + c2 x^2 + ...` by Horner's rule."""
    total = torch.zeros_like(x)
    for factor in reversed(law):
        total = total * x + factor
    return total


def _straight(value: Tensor, through: Tensor) -> Tensor:
    """`value` to the bit, with the gradient of `through`."""
    return value.detach() + (through - through.detach())
