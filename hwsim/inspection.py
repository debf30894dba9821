"""What a network is made of, layer by layer: shapes, neurons, weights, synapses, delays."""

from dataclasses import dataclass

from hwsim.network import Network, Population
from hwsim.synapses import Shape, n_synapses


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
    """One population and all that arrives at it."""

    name: str
    kind: str
    shape: Shape
    neurons: int
    arriving: tuple[Arriving, ...]


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
    return Layer(p.name, kind_of(p), p.shape, p.size, tuple(arriving))


def kind_of(population: Population) -> str:
    """The name of a population's neurons, or `Input`."""
    return "Input" if population.neuron is None else type(population.neuron).__name__
