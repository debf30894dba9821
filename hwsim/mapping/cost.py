"""What a map costs before it is run, from a profile."""

from dataclasses import dataclass

from hwsim.chips.nominal import nominal
from hwsim.mapping.load import loads
from hwsim.mapping.plan import Plan
from hwsim.mapping.profile import Profile


@dataclass(frozen=True, slots=True)
class MapCost:
    """A map in numbers.

    Attributes:
        hops: router-to-router moves of a sample's packets, those between chips included.
        hops_chip: moves from chip to chip of a sample's packets.
        slowest_core_s: time per step of the busiest core, on average over steps, by the chip's
            nominal times; 0 where they are not known.
        cores, tiles, chips: in use.
    """

    hops: float
    hops_chip: float
    slowest_core_s: float
    cores: int
    tiles: int
    chips: int


def map_cost(plan: Plan, profile: Profile | None = None) -> MapCost:
    """What a sample costs on average; without a profile every neuron is taken to fire alike."""
    profile = profile or Profile.uniform(plan.network)
    profile.check(plan.network)
    hops = hops_chip = 0.0
    work, busy = loads(plan.network, plan.chip, profile), dict.fromkeys(plan.cores, 0.0)
    per_packet = nominal(plan.chip.time, "packet")
    for name, routes in plan.routes.items():
        spikes = profile.spikes[name]
        hops += float(spikes @ (routes.hops_ew + routes.hops_ns))
        hops_chip += float(spikes @ routes.hops_chip)
        for i in plan.parts_of(name):
            part = plan.parts[i]
            if part.core is not None:
                own = part.neurons
                sent = float(spikes[own] @ routes.packets[own])
                busy[part.core] += float(work[name][own].sum()) + per_packet * sent
    slowest = max(busy.values(), default=0.0) / profile.n_steps
    return MapCost(hops, hops_chip, slowest, len(plan.cores), plan.n_tiles, plan.n_chips)
