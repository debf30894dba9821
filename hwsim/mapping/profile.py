"""How often each neuron fires: what a placement weighs its routes by."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.network import Network

UNIFORM_RATE = 0.05  # spikes per neuron and step, taken where nothing was measured
UNIFORM_STEPS = 20  # steps of a sample, taken likewise


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """Mean spikes per sample of every neuron.

    Attributes:
        n_steps: steps of a sample.
        spikes: (neurons,) by population, inputs included.
    """

    n_steps: int
    spikes: dict[str, FloatArray]

    @classmethod
    def uniform(
        cls, net: Network, *, rate: float = UNIFORM_RATE, n_steps: int = UNIFORM_STEPS
    ) -> Self:
        """Every neuron fires alike: what is assumed before anything was measured."""
        spikes = {}
        for p in net.populations:
            silent = p.neuron is not None and p.neuron.emits == "nothing"
            spikes[p.name] = np.full(p.size, 0.0 if silent else rate * n_steps)
        return cls(n_steps, spikes)

    def check(self, net: Network) -> None:
        """Raise unless the profile is of this network.

        Raises:
            ValueError: naming the population that is missing, of another size, or negative.
        """
        for p in net.populations:
            rates = self.spikes.get(p.name)
            if rates is None or rates.shape != (p.size,):
                have = "none" if rates is None else f"{rates.size} neurons"
                raise ValueError(
                    f"the profile has {have} for population {p.name!r} of {p.size}: "
                    "profile this very network"
                )
            if not np.isfinite(rates).all() or rates.min(initial=0) < 0:
                raise ValueError(f"the profile of {p.name!r} must be finite and 0 or more")
