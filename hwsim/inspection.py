"""What a network is made of, layer by layer: shapes, neurons, weights, synapses, delays."""

from dataclasses import dataclass, fields

import numpy as np

from hwsim.network import Network, Population
from hwsim.synapses import Shape, n_synapses

Parameter = str | bool | float | tuple[float, float]


@dataclass(frozen=True, slots=True)
class Arriving:
    """One projection into a layer.

    Attributes:
        weights: numbers stored; a kernel counts once. synapses: pairs of neurons they join.
        delay: fewest and most steps.
    """

    source: str
    kind: str
    weights: int
    synapses: int
    delay: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Layer:
    """One population and all that arrives at it.

    Attributes:
        parameters: of its neurons, by name: a word, a number, or the smallest and the largest.
    """

    name: str
    kind: str
    shape: Shape
    neurons: int
    arriving: tuple[Arriving, ...]
    parameters: dict[str, Parameter]


def inspect(net: Network) -> tuple[Layer, ...]:
    """Every layer of a network, in its own order."""
    return tuple(_layer(net, population) for population in net.populations)


def _layer(net: Network, p: Population) -> Layer:
    arriving = []
    for q in net.into(p.name):
        n = int(n_synapses(q.synapses, net[q.source].shape, p.shape).sum())
        delay = (int(q.delay.min()), int(q.delay.max()))
        kind = type(q.synapses).__name__
        arriving.append(Arriving(q.source, kind, q.synapses.weight.size, n, delay))
    return Layer(p.name, kind_of(p), p.shape, p.size, tuple(arriving), _parameters(p))


def _parameters(p: Population) -> dict[str, Parameter]:
    """Every field of the neuron but those it has not."""
    if p.neuron is None:
        return {}
    values = {f.name: getattr(p.neuron, f.name) for f in fields(p.neuron)}
    return {name: _brief(value) for name, value in values.items() if value is not None}


def _brief(value: object) -> Parameter:
    if not isinstance(value, np.ndarray):
        assert isinstance(value, str | bool | int)
        return value
    low, high = value.min().item(), value.max().item()
    return low if low == high else (low, high)


def kind_of(population: Population) -> str:
    """The name of a population's neurons, or `Input`."""
    return "Input" if population.neuron is None else type(population.neuron).__name__
