"""A profile run: which neurons fire, and how often."""

import numpy as np

from hwsim.inputs import Samples
from hwsim.mapping.profile import Profile
from hwsim.network import Network
from hwsim.simulation import simulate


def profile(net: Network, samples: Samples) -> Profile:
    """Mean spikes per sample of every neuron, from a simulation off the chip.

    Args:
        net: the network that will be compiled. samples: as `simulate` takes them; some dozens
            that look like what the chip will see are enough.
    """
    run = simulate(net, samples)
    spikes = {name: n.mean(axis=0, dtype=np.float64) for name, n in run.spike_counts.items()}
    return Profile(run.n_steps, spikes)
