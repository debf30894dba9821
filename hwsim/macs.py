"""Multiply-accumulates of the non-spiking network of the same shape: one per synapse and pass."""

from hwsim.network import Network


def macs(net: Network) -> dict[str, int]:
    """MACs of one pass by target population, counting only taps inside the padded border."""
    out: dict[str, int] = {}
    for p in net.projections:
        source, target = net[p.source], net[p.target]
        n = int(p.synapses.fan_out(source.shape, target.shape, 0, target.size).sum())
        out[p.target] = out.get(p.target, 0) + n
    return out
