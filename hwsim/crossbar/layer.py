"""The neurons of one population while samples run: their constants as rows, and their state."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.kernels.sequences import run_neurons
from hwsim.network import Population
from hwsim.neuron import EMITS, RESETS, Neuron


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """Neurons and their state, (samples, neurons)."""

    name: str
    emits: str
    how: IntArray
    decay_u: FloatArray
    decay_v: FloatArray
    bias: FloatArray
    v_th: FloatArray
    u: FloatArray
    v: FloatArray
    fired: IntArray
    rest: IntArray

    @property
    def size(self) -> int:
        """Number of neurons."""
        return self.bias.size

    @property
    def sends(self) -> type:
        """Type of what it sends."""
        return np.uint8 if self.emits == "spikes" else np.float64

    def advance(self, a: FloatArray, first: int, out: AnyArray) -> None:
        """Take the steps from `first` on: sums `a` in, what is sent into `out`."""
        run_neurons(
            a, self.how, self.decay_u, self.decay_v, self.bias, self.v_th,
            self.u, self.v, self.fired, self.rest, first, out,
        )  # fmt: skip


def layer_of(population: Population, n_samples: int) -> Layer:
    """A population of real neurons before its first step."""
    neuron, size = population.neuron, population.size
    assert isinstance(neuron, Neuron)

    def row(values: AnyArray) -> FloatArray:
        return np.broadcast_to(values, population.shape).reshape(-1).astype(np.float64)

    table = neuron.v_th if neuron.v_th.ndim > len(population.shape) else neuron.v_th[None]
    steps = np.stack([row(v_th) for v_th in table])
    how = [
        RESETS.index(neuron.reset),
        neuron.reset_late,
        neuron.fires == "reached",
        neuron.refractory,
        EMITS.index(neuron.emits),
    ]
    state = (n_samples, size)
    return Layer(
        population.name,
        neuron.emits,
        np.array(how, dtype=np.int64),
        row(neuron.decay_u),
        row(neuron.decay_v),
        row(neuron.bias),
        steps,
        np.zeros(state),
        np.broadcast_to(row(neuron.v_init), state).copy(),
        np.zeros(state, dtype=np.int64),
        np.zeros(state, dtype=np.int64),
    )
