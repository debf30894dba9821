"""A stack: each block is synapses, an optional BatchNorm, and neurons, with feedback or without."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from hwsim.arrays import AnyArray
from hwsim.network import Shape
from neuro.recipe import Score
from neuro.spiking.delay import Delay
from neuro.spiking.lif import LIF
from neuro.spiking.recurrent import RecurrentLIF

NO_CHIP_SCORES = (
    "`score = softmax` is made of the potentials of every step, which a chip does not send: take "
    '`score = "last"` and, in the last layer, `decay_v = 1.0`'
)
SynapseModule = nn.Linear | nn.Conv2d | Delay


class Block(nn.Module):
    """Synapses -> BatchNorm -> neurons -> dropout of spikes, over (time, batch, *shape).

    The bias of a layer lives in its neurons (`LIF.bias`, added to `v`), never in the synapses:
    that is where a chip has it.

    Args:
        dropout: of spikes, at this rate; or a module, over (time, batch, *neurons).
        feedback: from the neurons to themselves, one step later; see `RecurrentLIF`. BatchNorm
            acts on what comes from the layer before alone.

    Raises:
        ValueError: if BatchNorm stands before neurons with a current memory: its shift would
            have to enter `u`, where a chip has no bias, so it could not be folded. If feedback
            does not suit the neurons, or they stand behind a convolution.
    """

    def __init__(
        self,
        synapses: SynapseModule,
        neurons: LIF,
        *,
        norm: nn.BatchNorm1d | nn.BatchNorm2d | None = None,
        dropout: nn.Module | float = 0.0,
        feedback: nn.Linear | None = None,
    ) -> None:
        super().__init__()
        if synapses.bias is not None:
            raise ValueError("synapses carry no bias: give the neurons one (`bias_shape`)")
        if isinstance(synapses, nn.Conv2d) and synapses.padding_mode != "zeros":
            raise ValueError(f"padding is {synapses.padding_mode!r}: a chip pads with zeros only")
        if norm is not None and neurons.has_current:
            raise ValueError(
                "BatchNorm before neurons with `decay_u > 0` cannot be folded: set decay_u = 0 or "
                "norm = false"
            )
        if feedback is not None:
            _check_feedback(feedback, synapses, neurons)
        self.synapses, self.norm, self.neurons = synapses, norm, neurons
        self.feedback = feedback
        is_rate = isinstance(dropout, float | int)
        self.dropout = (nn.Dropout(dropout) if dropout else None) if is_rate else dropout

    def current(self, spikes: Tensor) -> Tensor:
        """What arrives at the neurons, (time, batch, *neurons)."""
        if isinstance(self.synapses, Delay):
            delayed = self.synapses(spikes)
            if self.norm is None:
                return delayed
            return self.norm(delayed.flatten(0, 1)).unflatten(0, delayed.shape[:2])
        if isinstance(self.synapses, nn.Linear):
            spikes = spikes.flatten(2)
        a = self.synapses(spikes.flatten(0, 1))
        if self.norm is not None:
            a = self.norm(a)
        return a.unflatten(0, spikes.shape[:2])

    def forward(self, spikes: Tensor) -> Tensor:
        """Spikes in, spikes out (or the potential, if the neurons emit nothing)."""
        neurons: LIF | RecurrentLIF = self.neurons
        if self.feedback is not None:
            neurons = RecurrentLIF(self.neurons, self.feedback)
        out = neurons(self.current(spikes))
        return out if self.dropout is None else self.dropout(out)

    def weights_of(self, synapses: SynapseModule) -> AnyArray:
        """Weights of the block's synapses, or of its feedback, times the input gain, float64."""
        weight: AnyArray = synapses.weight.detach().double().cpu().numpy()
        return weight * self.neurons.input_gain

    def target_shape(self, source: Shape) -> Shape:
        """Shape of the neurons for inputs of shape `source`."""
        if isinstance(self.synapses, Delay):
            return (self.synapses.out_features,)
        with torch.no_grad():
            probe = torch.zeros(1, *source, device=self.synapses.weight.device)
            probe = probe.to(self.synapses.weight.dtype)
            flat = probe.flatten(1) if isinstance(self.synapses, nn.Linear) else probe
            return tuple(self.synapses(flat).shape[1:])

    def folded(self) -> "Block":
        """The same block without BatchNorm, by its running statistics.

        `W' = g W` and `bias' = g (bias - mean) + beta` with `g = gamma / sqrt(var + eps)`.
        """
        if self.norm is None:
            return self
        norm, old = self.norm, self.neurons
        gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        shift = norm.bias - gain * norm.running_mean
        shape = (-1,) + (1,) * (2 if isinstance(self.synapses, nn.Conv2d) else 0)
        with torch.no_grad():
            synapses = copy.deepcopy(self.synapses)
            synapses.weight.mul_(gain.reshape(-1, *(1,) * (synapses.weight.ndim - 1)))
            neurons = copy.deepcopy(old)
            bias = shift.reshape(shape) * old.input_gain
            neurons.bias = nn.Parameter(bias if old.bias is None else bias + old.bias)
        return Block(
            synapses, neurons, dropout=self.dropout or 0.0, feedback=copy.deepcopy(self.feedback)
        )


def _check_feedback(feedback: nn.Linear, synapses: SynapseModule, neurons: LIF) -> None:
    if isinstance(synapses, nn.Conv2d):
        raise ValueError("a convolution has no feedback: only dense layers and delays have")
    RecurrentLIF(neurons, feedback)  # or it raises
    if feedback.in_features != synapses.out_features:
        raise ValueError(
            f"feedback joins {feedback.in_features} neurons, the layer has {synapses.out_features}"
        )


@dataclass(frozen=True, slots=True)
class Trace:
    """What a stack did: `spikes` of each layer (time, batch, *neurons), and the `output`."""

    spikes: dict[str, Tensor]
    output: Tensor


class Stack(nn.Module):
    """Blocks in a row; the last one answers.

    The answer is (batch, classes): the potential after the last step if the last neurons emit
    nothing, else their spike counts. With `score` "softmax" it is the sum over all steps of the
    softmax of the potentials.
    """

    def __init__(
        self, blocks: dict[str, nn.Module], input_shape: Shape, *, score: Score = "last"
    ) -> None:
        super().__init__()
        if not blocks:
            raise ValueError("a stack needs at least one block")
        self.blocks = nn.ModuleDict(blocks)
        self.input_shape, self.score = input_shape, score

    def forward(self, x: Tensor) -> Tensor:
        """Answers (batch, classes) for input spikes (time, batch, *input shape)."""
        return self.trace(x).output

    def trace(self, x: Tensor) -> Trace:
        """Answers, and the spikes of every layer."""
        if tuple(x.shape[2:]) != tuple(self.input_shape):
            raise ValueError(
                f"input has shape {tuple(x.shape)}, the model takes (time, batch, "
                f"{', '.join(map(str, self.input_shape))})"
            )
        spikes: dict[str, Tensor] = {}
        out = x
        for name, block in self.blocks.items():
            out = block(out)
            if block.neurons.emits != "nothing":
                spikes[name] = out
        if self.score == "softmax":
            answer = out.flatten(2).softmax(2).sum(0)
        else:
            answer = out[-1] if block.neurons.emits == "nothing" else out.sum(0)
        return Trace(spikes, answer.flatten(1))

    def shapes(self) -> Iterator[tuple[str, nn.Module, Shape]]:
        """Name, block and neuron shape of every layer."""
        shape = self.input_shape
        for name, block in self.blocks.items():
            shape = block.target_shape(shape)
            yield name, block, shape

    def folded(self) -> "Stack":
        """The same stack with every BatchNorm folded; in evaluation the same function."""
        blocks: dict[str, nn.Module] = {n: b.folded() for n, b in self.blocks.items()}
        return Stack(blocks, self.input_shape, score=self.score).train(self.training)

    def check_score(self) -> None:
        """Raise unless a chip can give the answer.

        Raises:
            ValueError: if it is made of the potentials of every step.
        """
        if self.score != "last":
            raise ValueError(NO_CHIP_SCORES)
