"""What parts take of a core, against what a core has."""

from dataclasses import dataclass, fields

from hwsim.chips.spec import Limits


@dataclass(frozen=True, slots=True)
class Use:
    """What some neurons take of a core.

    Attributes:
        neurons: how many. synapse_bits: memory of the axons that end on them, and of input on its
            way where a chip keeps that beside the synapses.
        axons_in: sources heard, once per projection. axons_out: packets that one spike of each
            sends. neuron_configs, v_th_configs: distinct decays, refractory times and bias
            exponents; distinct thresholds. synapse_configs: distinct weight words.
    """

    neurons: int = 0
    synapse_bits: int = 0
    axons_in: int = 0
    axons_out: int = 0
    neuron_configs: int = 0
    v_th_configs: int = 0
    synapse_configs: int = 0

    def __add__(self, other: "Use") -> "Use":
        return Use(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


# field of `Use` -> field of `Limits`
LIMIT_OF = {
    "neurons": "neurons_per_core",
    "synapse_bits": "synapse_bits_per_core",
    "axons_in": "axons_in_per_core",
    "axons_out": "axons_out_per_core",
    "neuron_configs": "neuron_configs",
    "v_th_configs": "v_th_configs",
    "synapse_configs": "synapse_configs",
}


def fill_of(use: Use, limits: Limits) -> dict[str, float]:
    """Part used of each limit of a core that the chip has, by field of `Use`."""
    allowed = {name: getattr(limits, limit) for name, limit in LIMIT_OF.items()}
    return {name: getattr(use, name) / most for name, most in allowed.items() if most is not None}


def broken(use: Use, limits: Limits) -> dict[str, tuple[int, int]]:
    """Limits that `use` exceeds: field of `Use` -> (used, allowed)."""
    return {
        name: (getattr(use, name), getattr(limits, LIMIT_OF[name]))
        for name, fill in fill_of(use, limits).items()
        if fill > 1
    }
