"""Whether a chip has the words for what a recipe trains, before it trains."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

import hwsim
from hwsim.mapping.violation import Violation
from hwsim.mapping.words import check_words
from hwsim.network import Network, Projection
from neuro.models.stack import Stack
from neuro.spiking.delay import Delay
from neuro.to_network import export


def check_limits(qstack: Stack, chip: hwsim.ChipSpec) -> None:
    """Raise if a chip lacks what a stack of quantised blocks needs, however training goes.

    Delays count as the longest that their layer can learn, beyond the step that every spike takes.
    Whether the layers fit its cores is seen when they are placed.

    Raises:
        DoesNotFit: naming every layer and limit.
    """
    found = dict.fromkeys(_violations(qstack, chip))  # once for all bumps of a layer
    if found:
        raise hwsim.DoesNotFit(chip.name, tuple(found))


def _violations(qstack: Stack, chip: hwsim.ChipSpec) -> Iterator[Violation]:
    for violation in check_words(_longest(qstack), chip):
        if violation.limit == "max_delay":
            violation = replace(
                violation, remedy=f"lower its `taps` to {chip.limits.max_delay + 1}"
            )
        yield violation


def _longest(qstack: Stack) -> Network:
    """The network of a stack with the longest delay of every layer, in steps of the chip."""
    net = export(qstack)
    synapses = {name: block.synapses for name, block in qstack.blocks.items()}

    def stretched(p: Projection) -> Projection:
        of = synapses[p.target]
        if p.source == p.target or not isinstance(of, Delay):
            return p
        return replace(p, delay=np.full_like(p.delay, of.n_taps))  # n_taps - 1, and the usual step

    return replace(net, projections=tuple(map(stretched, net.projections)))
