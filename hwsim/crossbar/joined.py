"""Projections that are read together: all that a population hears, on the rows of one matrix."""

import numpy as np

from hwsim.network import Network
from hwsim.synapses import Dense


def together(net: Network, join: frozenset[str]) -> tuple[tuple[int, ...], ...]:
    """Numbers of the projections of each matrix or set of matrices: one, or all into a joined."""
    read: dict[str | int, list[int]] = {}
    for number, p in enumerate(net.projections):
        read.setdefault(p.target if p.target in join else number, []).append(number)
    return tuple(tuple(numbers) for numbers in read.values())


def check_join(net: Network, host: tuple[str, ...], join: tuple[str, ...]) -> frozenset[str]:
    """The populations to be joined, if what each of them hears can be one matrix.

    Raises:
        ValueError: for an unknown population, one on the host, one that hears fewer than two
            projections, and for projections that are not dense, of one delay and of equal gains.
    """
    layers = [p.name for p in net.populations if p.neuron is not None]
    for name in join:
        if name not in layers:
            raise ValueError(f"cannot join what {name!r} hears: layers are {', '.join(layers)}")
        if name in host:
            raise ValueError(f"{name!r} is left to the host, which has no arrays: do not join it")
        into = net.into(name)
        if len(into) < 2:
            raise ValueError(f"{name!r} hears {len(into)} projection: there is nothing to join")
        for p in into:
            said = f"cannot join {p.source} -> {name}"
            if not isinstance(p.synapses, Dense) or p.delay.ndim:
                raise ValueError(f"{said}: its synapses must be dense and of one delay")
            if not np.array_equal(p.gain, into[0].gain):
                raise ValueError(
                    f"{said}: its gain is another than that of {into[0].source} -> {name}, and a "
                    "sum of both has one: fold gains into the weights"
                )
    return frozenset(join)
