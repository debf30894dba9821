"""How full a chip is, layer by layer: what `neuro fits` shows before anything has run."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hwsim.chips.spec import ChipSpec
from hwsim.mapping.fits import cores_of, examine, n_cores
from hwsim.mapping.use import LIMIT_OF, broken
from hwsim.mapping.violation import Violation
from hwsim.network import Network, Projection
from hwsim.synapses import Shape

WORDS = ("max_delay", "weight_bits", "message_bits")
LIMITS = (*LIMIT_OF.values(), *WORDS)


@dataclass(frozen=True, slots=True)
class LayerFit:
    """What a layer needs of the chip, cut into the fewest parts.

    Attributes:
        parts: into which it is cut; None if it cannot be. cores: that hold them, where parts of
            several layers may share one.
        used: by field of the chip file's `[limits]`: of its fullest part, and of the projections
            into it; None where that cannot be said.
    """

    layer: str
    shape: Shape
    neurons: int
    parts: int | None
    cores: int | None
    used: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a network fits: rows by layer, what the chip allows, every broken limit.

    Attributes:
        cores: that hold all layers; None if one cannot be cut. allowed: by limit; None: the chip
            has no such limit.
    """

    layers: tuple[LayerFit, ...]
    violations: tuple[Violation, ...]
    cores: int | None
    allowed: dict[str, int | None]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {"fits": not self.violations, **asdict(self)}


def fit_of(net: Network, chip: ChipSpec) -> Fit:
    """Every layer against every limit, and what is broken."""
    violations, partition = examine(net, chip)
    cores = {} if partition is None else cores_of(partition)
    rows = []
    for population in net.populations:
        if population.neuron is None:
            continue
        used: dict[str, int | None] = dict.fromkeys(LIMITS)
        n_parts, own = None, None
        if partition is not None:
            cut = partition.cuts[population.name]
            if not any(broken(use, chip.limits) for use in cut.uses):
                n_parts, own = cut.n_parts, np.unique(cores[population.name]).size
            used |= {n: max(getattr(u, f) for u in cut.uses) for f, n in LIMIT_OF.items()}
        if net.is_integer:
            used |= _of_words(net.into(population.name))
        rows.append(
            LayerFit(population.name, population.shape, population.size, n_parts, own, used)
        )
    allowed = {name: getattr(chip.limits, name) for name in LIMITS}
    total = None if any(row.cores is None for row in rows) else n_cores(cores)
    return Fit(tuple(rows), violations, total, {"cores": chip.n_cores, **allowed})


def _of_words(into: tuple[Projection, ...]) -> dict[str, int]:
    """Limits of the words that synapses are stored in, and of delays."""
    words = [p.word for p in into if p.word is not None]
    return {
        "max_delay": max((max(0, int(p.delay.max()) - 1) for p in into), default=0),
        "weight_bits": max((word.n_bits for word in words), default=0),
        "message_bits": max((word.message_bits for word in words), default=0),
    }
