"""Whether a network fits a chip: every broken limit, or how full each one is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hwsim.arrays import IntArray
from hwsim.chips.spec import ChipSpec, check_chip
from hwsim.mapping.load import loads
from hwsim.mapping.memory import Stored, axon_bits, pending_beside_synapses
from hwsim.mapping.partition import Partition
from hwsim.mapping.profile import Profile
from hwsim.mapping.retime import retime
from hwsim.mapping.sharing import share
from hwsim.mapping.traffic import traffic_of
from hwsim.mapping.use import LIMIT_OF, Use, broken
from hwsim.mapping.violation import REMEDY, Violation
from hwsim.mapping.words import check_words
from hwsim.network import Network, Population, Projection
from hwsim.synapses import Conv2d, Dense, size_of


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a limit is: of its fullest core, or of the chip for cores.

    Attributes:
        limit: the field of the chip file's `[limits]`. layer: whose part is the fullest.
    """

    limit: str
    layer: str
    used: int
    allowed: int


def fits(net: Network, chip: ChipSpec) -> tuple[Violation, ...]:
    """Every limit of the chip that a network breaks; none if it can be compiled.

    Nothing is run: a single neuron that is too much for a core is found from its fan-in, cores
    from the fewest parts that the network can be cut into, which share cores.
    """
    return examine(net, chip)[0]


def usage(net: Network, chip: ChipSpec) -> tuple[Fill, ...]:
    """How full each limit is, with the fewest cores; empty for a network that breaks one."""
    violations, partition = examine(net, chip)
    if violations or partition is None:
        return ()
    out = []
    for name, limit in LIMIT_OF.items():
        allowed = getattr(chip.limits, limit)
        full = max(
            (getattr(use, name), layer) for layer, cut in partition.cuts.items() for use in cut.uses
        )
        if allowed is not None:
            out.append(Fill(limit, full[1], full[0], allowed))
    cores = cores_of(partition)
    largest = max(cores, key=lambda name: np.unique(cores[name]).size)
    return (*out, Fill("cores", largest, n_cores(cores), chip.n_cores))


def cores_of(partition: Partition) -> dict[str, IntArray]:
    """Core of each part, by population: parts share cores, and nothing is known of spikes."""
    core_of = share(partition, traffic_of(partition, Profile.uniform(partition.net)))
    names = [p.name for p in partition.net.populations if p.neuron]
    ends = np.cumsum([partition.cuts[name].n_parts for name in names])[:-1]
    return dict(zip(names, np.split(core_of, ends), strict=True))


def n_cores(cores: dict[str, IntArray]) -> int:
    """Cores of all populations."""
    return np.unique(np.concatenate(list(cores.values()))).size


def examine(
    net: Network, chip: ChipSpec, profile: Profile | None = None
) -> tuple[tuple[Violation, ...], Partition | None]:
    """Broken limits, and the network cut into the fewest parts that fit.

    Layers for which there are none are cut by their number of neurons alone. What cannot be cut,
    a network in real numbers or with a loop without delay, has no partition.
    """
    check_chip(chip)
    if not isinstance(net, Network):
        raise ValueError(f"{net!r:.60} is no network: give a `Network` in the chip's integers")
    if not net.is_integer:
        first = next((p.name for p in net.populations if p.neuron), net.output)
        remedy = "quantise it: hwsim.quantize(net, chip, samples)"
        return (Violation(first, "arithmetic", "real numbers", "integers", remedy),), None
    try:
        retimed, _ = retime(net)
    except ValueError as error:
        return (Violation(_loop(net), "time", "a loop", "one step each", str(error)),), None
    alone = [v for p in retimed.populations if p.neuron for v in _of_one_neuron(retimed, p, chip)]
    profile = profile or Profile.uniform(retimed)
    profile.check(retimed)
    partition = Partition(retimed, chip, loads(retimed, chip, profile), profile.spikes)
    too_much = {v.layer for v in alone}
    stuck = partition.settle({}, given_up=too_much) - too_much
    found = (*check_words(retimed, chip), *alone, *_of_cores(partition, stuck))
    return found, partition


def _loop(net: Network) -> str:
    """A projection of a loop."""
    back = max(net.projections, key=lambda p: (p.source == p.target, p.delay.min() > 0))
    return f"{back.source} -> {back.target}"


def _of_one_neuron(net: Network, pop: Population, chip: ChipSpec) -> tuple[Violation, ...]:
    """What a core would need for the most demanding single neuron."""
    words = len({p.word for p in net.into(pop.name)})
    for exact in (False, True):
        bits, axons = _need(net, pop, chip, exact=exact)
        use = {"synapse_bits": bits, "axons_in": axons, "synapse_configs": words}
        over = broken(Use(**use), chip.limits)
        if not over:
            break
    return tuple(
        Violation(pop.name, LIMIT_OF[name], used, allowed, REMEDY[name])
        for name, (used, allowed) in over.items()
    )


def _need(net: Network, pop: Population, chip: ChipSpec, *, exact: bool) -> tuple[int, int]:
    """Synapse memory and axons of the neuron that needs most; an upper bound unless `exact`."""
    form, one = chip.limits.synapse_format, np.ones(1, dtype=np.int64)
    bits = np.full(pop.size, pending_beside_synapses(net, pop.name, chip.limits))
    axons = np.zeros(pop.size, dtype=np.int64)
    for p in net.into(pop.name):
        n = _sources(net, p, exact=exact)
        axons += n
        bits += n * axon_bits(one, one, Stored.of(p, form))
    return int(bits.max()), int(axons.max())


def _sources(net: Network, p: Projection, *, exact: bool) -> IntArray:
    """Source neurons that each target neuron hears, (targets,)."""
    source, target = net[p.source].shape, net[p.target].shape
    if isinstance(p.synapses, Dense):
        return np.full(size_of(target), size_of(source))
    if isinstance(p.synapses, Conv2d):
        taps = np.asarray(p.synapses.reach(source, target).sum(axis=0)).reshape(-1)
        return np.tile(taps * p.synapses.weight.shape[1], target[0]).astype(np.int64)
    ends = p.synapses.target
    if exact:  # two neurons may share several synapses, which are one axon
        joined = p.synapses.source * np.int64(size_of(target)) + ends
        ends = np.unique(joined) % size_of(target)
    return np.bincount(ends, minlength=size_of(target))


def _of_cores(partition: Partition, stuck: set[str]) -> Iterator[Violation]:
    """Layers that fit no core for how many listen to them, and too few cores for all."""
    limits = partition.chip.limits
    for layer in sorted(stuck):
        for name, used in partition.over_alone(partition.net[layer]).items():
            yield Violation(
                layer, LIMIT_OF[name], used, getattr(limits, LIMIT_OF[name]), REMEDY[name]
            )
    if partition.n_parts <= partition.chip.n_cores:
        return
    cores = cores_of(partition)
    if not stuck and n_cores(cores) <= partition.chip.n_cores:
        return
    layer = max(cores, key=lambda name: np.unique(cores[name]).size)
    cut, own = partition.cuts[layer], np.unique(cores[layer]).size
    because = f", for its {LIMIT_OF[cut.bound_by]}: {REMEDY[cut.bound_by]}" if cut.bound_by else ""
    remedy = f"{own} of them for this layer{because}"
    yield Violation(layer, "cores", n_cores(cores), partition.chip.n_cores, remedy)
    for name, other in partition.cuts.items():
        if other.bound_by.endswith("configs"):
            allowed = getattr(limits, LIMIT_OF[other.bound_by])
            used = _distinct(partition, name, other.bound_by)
            yield Violation(name, other.bound_by, used, allowed, REMEDY[other.bound_by])


def _distinct(partition: Partition, name: str, table: str) -> int:
    cutter = partition.cutter(partition.net[name])
    number = cutter.v_th_config if table == "v_th_configs" else cutter.neuron_config
    return int(number.max()) + 1
