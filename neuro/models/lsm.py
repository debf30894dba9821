"""Liquid state machines: a random recurrent reservoir that is never trained, read by counters.

The encoder of [Lin2025]: in step t, `u <- decay u (1 - s[t-1]) + W_in x[t] + W_rec s[t-1]`,
`s[t] = u > v_th`, and what is read is `c = sum_t s[t]`, one whole number per neuron. The weights
are `scale` times random conductances, of Gaussian statistics or of cells formed by chance.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import torch
from torch import nn

from hwsim.arrays import AnyArray, FloatArray, IntArray, real
from hwsim.crossbar.device import Device
from hwsim.crossbar.formed import FormedPairs, form_pairs
from hwsim.network import Shape
from hwsim.synapses import size_of
from neuro.models.stack import Block, Stack
from neuro.spiking import LIF
from neuro.to_network import INPUT

RESERVOIR = "reservoir"
MICROSIEMENS = 1e-6
# Mean and standard deviation of the differences of two conductances, microsiemens, as a sister
# repository of [Lin2025] has them for its input and its recurrent array.
INPUT_STATISTICS = (0.00156, 6.6133)
RECURRENT_STATISTICS = (0.00606, 6.6727)


@dataclass(frozen=True, slots=True, eq=False)
class Reservoir:
    """A random recurrent layer as plain arrays.

    Attributes:
        w_in: from inputs, (neurons, inputs). w_rec: from each other, (neurons, neurons).
        decay_v: of the potential, in [0, 1]. v_th: threshold.
        pairs: the cells that both were read off, or None.
    """

    w_in: FloatArray
    w_rec: FloatArray
    decay_v: float
    v_th: float
    pairs: tuple[FormedPairs, FormedPairs] | None = None

    def __post_init__(self) -> None:
        for name in ("w_in", "w_rec"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"`{name}` holds a NaN or an infinity")
        n = len(self.w_rec)
        if self.w_rec.shape != (n, n) or self.w_in.ndim != 2 or len(self.w_in) != n or not n:
            raise ValueError(
                f"weights have shapes {self.w_in.shape} and {self.w_rec.shape}, must be (neurons, "
                "inputs) and (neurons, neurons)"
            )
        if not 0 <= self.decay_v <= 1:
            raise ValueError(f"`decay_v` is {self.decay_v}, must be in 0 to 1")
        if not 0 < self.v_th < np.inf:
            raise ValueError(f"`v_th` is {self.v_th}, must be above 0")

    @classmethod
    def gaussian(
        cls,
        n_inputs: int,
        n_neurons: int,
        rng: np.random.Generator,
        *,
        scale: float,
        decay_v: float,
        v_th: float,
    ) -> Self:
        """Normal weights with the statistics of the published arrays.

        Args:
            scale: `const` of [Lin2025], weight per microsiemens.
        """
        _check_sizes(n_inputs, n_neurons)
        _check_scale(scale)
        w_in = rng.normal(*INPUT_STATISTICS, (n_neurons, n_inputs))
        w_rec = rng.normal(*RECURRENT_STATISTICS, (n_neurons, n_neurons))
        return cls(scale * w_in, scale * w_rec, decay_v, v_th)

    @classmethod
    def formed(
        cls,
        n_inputs: int,
        n_neurons: int,
        rng: np.random.Generator,
        *,
        device: Device,
        scale: float,
        decay_v: float,
        v_th: float,
        breakdown_volt: float | None = None,
    ) -> Self:
        """Weights read off pairs of cells that were formed by chance, as the paper's chip has them.

        Args:
            device: that has a law of forming. scale: weight per microsiemens.
            breakdown_volt: how many cells stay pristine; None: as in the device's file.
        """
        _check_sizes(n_inputs, n_neurons)
        _check_scale(scale)
        shapes = (n_inputs, n_neurons), (n_neurons, n_neurons)
        pairs_in, pairs_rec = (form_pairs(device, *s, rng, breakdown_volt) for s in shapes)
        w_in, w_rec = (pairs.weight(MICROSIEMENS / scale).T for pairs in (pairs_in, pairs_rec))
        return cls(w_in, w_rec, decay_v, v_th, (pairs_in, pairs_rec))

    @property
    def cells(self) -> dict[tuple[str, str], FormedPairs]:
        """The cells by the ends of their projections, for `compile_crossbar(formed=...)`.

        Raises:
            ValueError: if the weights were not formed.
        """
        if self.pairs is None:
            raise ValueError("the weights were not read off cells: take `Reservoir.formed`")
        return {(INPUT, RESERVOIR): self.pairs[0], (RESERVOIR, RESERVOIR): self.pairs[1]}

    @property
    def n_inputs(self) -> int:
        """Inputs."""
        return int(self.w_in.shape[1])

    @property
    def n_neurons(self) -> int:
        """Neurons."""
        return len(self.w_in)

    def scaled(self, factor: float) -> Self:
        """The same draw with all weights times a factor."""
        _check_scale(factor)
        return replace(self, w_in=factor * self.w_in, w_rec=factor * self.w_rec)

    def without_recurrence(self) -> Self:
        """The same draw with neurons that do not hear each other."""
        return replace(self, w_rec=np.zeros_like(self.w_rec), pairs=None)


class LSM(Stack):
    """A reservoir as a stack of one layer: spikes (time, batch, *inputs) in, counts out.

    Its weights take no gradient. The answer, (batch, neurons), is how often each neuron fired;
    `export` and `quantised` take it as any other stack.

    Args:
        reservoir: weights and neurons. input_shape: of a step; flattened, it has `n_inputs`.
        dtype: float64 gives the spikes of the simulator, bit for bit but for the order of sums.

    Raises:
        ValueError: if the shape has another number of inputs.
    """

    def __init__(
        self, reservoir: Reservoir, input_shape: Shape, *, dtype: torch.dtype = torch.float64
    ) -> None:
        if size_of(input_shape) != reservoir.n_inputs:
            raise ValueError(
                f"inputs of shape {input_shape} are {size_of(input_shape)} numbers, the reservoir "
                f"takes {reservoir.n_inputs}"
            )
        block = reservoir_block(reservoir.n_inputs, reservoir.n_neurons, neurons_of(reservoir))
        super().__init__({RESERVOIR: block.to(dtype)}, input_shape)
        set_weights(block, reservoir)
        self.n_neurons = reservoir.n_neurons

    @torch.no_grad()
    def counts(self, frames: AnyArray, *, batch_size: int = 256) -> IntArray:
        """Spikes of every neuron, (samples, neurons), for frames (samples, steps, *inputs)."""
        dtype = next(self.parameters()).dtype
        out = np.zeros((len(frames), self.n_neurons), np.int64)
        for start in range(0, len(frames), batch_size):
            some = slice(start, start + batch_size)
            x = torch.from_numpy(np.ascontiguousarray(frames[some])).transpose(0, 1)
            out[some] = self(x.to(dtype)).round().long().numpy()
        return out


def neurons_of(reservoir: Reservoir) -> LIF:
    """LIF neurons whose reset acts one step late, as the published code has it."""
    return LIF(decay_v=reservoir.decay_v, v_th=reservoir.v_th, reset="zero", reset_late=True)


def reservoir_block(n_inputs: int, n_neurons: int, neurons: LIF) -> Block:
    """A dense recurrent block whose weights training leaves alone."""
    synapses = nn.Linear(n_inputs, n_neurons, bias=False)
    feedback = nn.Linear(n_neurons, n_neurons, bias=False)
    return Block(synapses, neurons, feedback=feedback).requires_grad_(False)


def set_weights(block: Block, reservoir: Reservoir) -> None:
    """Put a reservoir's weights into a block; a block without feedback takes those of inputs."""
    with torch.no_grad():
        block.synapses.weight.copy_(torch.from_numpy(reservoir.w_in))
        if block.feedback is not None:
            block.feedback.weight.copy_(torch.from_numpy(reservoir.w_rec))


def _check_sizes(n_inputs: int, n_neurons: int) -> None:
    if n_inputs < 1 or n_neurons < 1:
        raise ValueError(f"{n_inputs} inputs and {n_neurons} neurons: give 1 or more of both")


def _check_scale(scale: float) -> None:
    if not 0 < float(real("`scale`", scale)) < np.inf:
        raise ValueError(f"`scale` is {scale}, must be a number above 0")
