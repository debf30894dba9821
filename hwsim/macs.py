"""Multiply-accumulates of the non-spiking network of the same shape: one per synapse and pass."""

from hwsim.network import Network
from hwsim.synapses import n_synapses


def macs(net: Network) -> dict[str, int]:
    """MACs of one pass by target population, counting only taps inside the padded border."""
    out: dict[str, int] = {}
    for p in net.projections:
        source, target = net[p.source], net[p.target]
        n = int(n_synapses(p.synapses, source.shape, target.shape).sum())
        out[p.target] = out.get(p.target, 0) + n
    return out
