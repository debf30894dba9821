"""From an integer network to a plan: check, cut, place; or every limit that is broken."""

import numpy as np

from hwsim.chips.spec import ChipSpec
from hwsim.mapping.fits import examine
from hwsim.mapping.mappers import Mapper, Problem, optimised
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.profile import Profile
from hwsim.mapping.retime import retime
from hwsim.mapping.violation import DoesNotFit
from hwsim.network import Network


def compile_network(
    net: Network,
    chip: ChipSpec,
    *,
    mapper: Mapper = optimised,
    profile: Profile | None = None,
    seed: int = 0,
) -> Plan:
    """Cut a network into parts that fit cores, and place them.

    Args:
        net: in the chip's integers. mapper: see `hwsim.MAPPERS`.
        profile: how often each neuron fires (`hwsim.profile`). With one, slow layers get more
            cores and routes are weighed by it; without, the network gets the fewest cores.
        seed: of the mapper's random numbers; the same seed gives the same plan.

    Raises:
        DoesNotFit: naming every limit of the chip that is broken.
        ValueError: if the profile is of another network.
    """
    violations, fewest = examine(net, chip, profile)
    if violations or fewest is None:
        raise DoesNotFit(chip.name, violations)
    retimed, shift = fewest.net, retime(net)[1]
    inputs = [Part(p.name, np.arange(p.size), None, None) for p in retimed.inputs]
    placed = mapper(Problem(fewest, profile, seed))
    return Plan(chip, retimed, shift, (*inputs, *placed))
