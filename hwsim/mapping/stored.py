"""A map as plain data: which neurons lie on which core, kept beside the results it led to."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.retime import retime
from hwsim.mapping.use import Use
from hwsim.network import Network

RULE = "`population`, `core`, `use` and `neurons`, every neuron on one core"


def as_rows(plan: Plan) -> list[dict[str, Any]]:
    """The parts on cores, for JSON: neurons as bounds [start, stop) of runs of neighbours."""
    return [
        {
            "population": part.population,
            "core": part.core,
            "use": None if part.use is None else asdict(part.use),
            "neurons": _bounds(part.neurons),
        }
        for part in plan.parts
        if part.core is not None
    ]


def plan_of(net: Network, chip: ChipSpec, rows: Iterable[Mapping[str, Any]]) -> Plan:
    """The plan whose parts `as_rows` gave.

    Args:
        net: the network that was compiled, in a chip's integers.

    Raises:
        ValueError: if the rows are no map of this network on this chip.
    """
    retimed, shift = retime(net)
    try:
        placed = [_part(row) for row in rows]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"a stored map has {RULE}, this one is damaged") from error
    for population in retimed.populations:
        own = [part.neurons for part in placed if part.population == population.name]
        there = np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *own]))
        size = population.size if population.neuron is not None else 0
        if not np.array_equal(there, np.arange(size)):
            raise ValueError(
                f"the stored map places {there.size} neurons of {population.name!r}, which has "
                f"{size}: it is of another network"
            )
    known = {p.name for p in retimed.populations}
    for part in placed:
        if part.population not in known or not 0 <= (part.core or 0) < chip.n_cores:
            raise ValueError(
                f"the stored map has {part.population!r} on core {part.core} of {chip.n_cores}: "
                "it is of another network or chip"
            )
    inputs = [Part(p.name, np.arange(p.size), None, None) for p in retimed.inputs]
    return Plan(chip, retimed, shift, (*inputs, *placed))


def _part(row: Mapping[str, Any]) -> Part:
    use = None if row["use"] is None else Use(**row["use"])
    return Part(str(row["population"]), _neurons(row["neurons"]), int(row["core"]), use)


def _bounds(neurons: IntArray) -> list[list[int]]:
    cuts = np.flatnonzero(np.diff(neurons) != 1) + 1
    return [[int(run[0]), int(run[-1]) + 1] for run in np.split(neurons, cuts)]


def _neurons(bounds: Sequence[Sequence[int]]) -> IntArray:
    runs = [np.arange(start, stop) for start, stop in bounds]
    return np.concatenate([np.zeros(0, dtype=np.int64), *runs])
