"""How long a core works for each neuron it holds, by a profile and the chip's nominal times."""

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.chips.nominal import nominal
from hwsim.chips.spec import ChipSpec, Energies, Times
from hwsim.mapping.profile import Profile
from hwsim.network import Network, Projection
from hwsim.synapses import Conv2d, Dense, Sparse

SOP = {Dense: "sop", Sparse: "sop_sparse", Conv2d: "sop_conv"}


def sops_of(net: Network, p: Projection, spikes: FloatArray) -> FloatArray:
    """Synaptic operations on each target neuron, (targets,), when sources fire `spikes` times."""
    target = net[p.target]
    if isinstance(p.synapses, Dense):
        return np.full(target.size, spikes.sum())
    if isinstance(p.synapses, Sparse):
        listed = p.synapses
        each = np.repeat(spikes, np.diff(listed.indptr))
        return np.bincount(listed.target, each, minlength=target.size).astype(np.float64)
    conv, (channels, _, _) = p.synapses, target.shape
    source = spikes.reshape(conv.groups, -1, *net[p.source].shape[1:]).sum(axis=1)
    place = conv.reach(net[p.source].shape, target.shape)
    sums = source.reshape(conv.groups, -1) @ place
    return np.repeat(np.asarray(sums), channels // conv.groups, axis=0).reshape(-1)


def work_of(net: Network, name: str, profile: Profile, prices: Times | Energies) -> FloatArray:
    """Seconds (or joules) per sample of each neuron of a population, (neurons,).

    Synaptic operations and updates, every one taken to be active; packets depend on the map and
    are not in it.
    """
    per_step = nominal(prices, "update_active")
    work = np.full(net[name].size, per_step * profile.n_steps)
    for p in net.into(name):
        work += sops_of(net, p, profile.spikes[p.source]) * nominal(prices, SOP[type(p.synapses)])
    return work + profile.spikes[name] * nominal(prices, "spike")


def loads(net: Network, chip: ChipSpec, profile: Profile) -> dict[str, FloatArray]:
    """Seconds per sample of each neuron on a core, by population.

    On a chip whose times are not known every neuron counts alike.
    """
    inner = [p for p in net.populations if p.neuron is not None]
    out = {p.name: work_of(net, p.name, profile, chip.time) for p in inner}
    if not any(work.any() for work in out.values()):
        return {p.name: np.ones(p.size) for p in inner}
    return out
