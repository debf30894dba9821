"""Cut every population into parts that fit a core, no more of them than needed."""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.chips.nominal import nominal
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.cutting import EVEN, LOADED, MIXED, Cutter, cutter_of, distinct
from hwsim.mapping.memory import Demand, demand, pending_beside_synapses
from hwsim.mapping.use import LIMIT_OF, Use
from hwsim.network import Network, Population
from hwsim.synapses import Dense

SEARCHED = ((-1, EVEN), (0, EVEN), (-1, LOADED))  # orders and weights, to find how many parts
ROUNDS = 12  # targets are cut before sources; loops settle in a few rounds


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A population in parts.

    Attributes:
        part_of: part of each neuron, (neurons,). uses: of each part.
        reaches: parts that hear each source, (sources,), for every projection into it.
        bound_by: the limit, by its field of `Use`, that one part less would break; "" for one.
    """

    part_of: IntArray
    uses: tuple[Use, ...]
    reaches: tuple[IntArray, ...]
    bound_by: str = ""

    @property
    def n_parts(self) -> int:
        """Number of parts."""
        return len(self.uses)


@dataclass(eq=False)
class Partition:
    """All the populations of a retimed network, cut; each part fits a core of its own.

    Attributes:
        loads: work of each neuron, by population: parts of equal load are preferred.
        spikes: how often each neuron fires, by population: those that fire alike are put
            together where it makes no other difference.
    """

    net: Network
    chip: ChipSpec
    loads: dict[str, FloatArray]
    spikes: dict[str, FloatArray]
    cuts: dict[str, Cut] = field(default_factory=dict)
    _cutters: dict[str, Cutter] = field(default_factory=dict)
    _demands: dict[tuple[str, int, int, float], tuple[IntArray, list[Demand]]] = field(
        default_factory=dict
    )

    @property
    def inner(self) -> list[Population]:
        """Populations with neurons, targets before sources where there is no loop."""
        order = [self.net[name] for name in reversed(self.net.order)]
        return [p for p in order if p.neuron is not None]

    @property
    def n_parts(self) -> int:
        """Parts of all populations."""
        return sum(cut.n_parts for cut in self.cuts.values())

    def settle(self, at_least: dict[str, int], *, given_up: Collection[str] = ()) -> set[str]:
        """Cut every population into the fewest parts that fit, `at_least` so many of each.

        How many cores hear a neuron depends on how its targets are cut, so populations are cut
        until nothing moves; their numbers of parts only grow.

        Args:
            given_up: populations known not to fit; they are cut by their number of neurons alone.

        Returns:
            Populations that do not fit even with one neuron a part.
        """
        stuck = set(given_up)
        inner = self.inner
        least = {p.name: max(1, min(p.size, at_least.get(p.name, 1))) for p in inner}
        known: dict[str, list[Cut | None]] = {}  # of the listeners when it was cut last
        for _ in range(ROUNDS):
            before = dict(self.cuts)
            for pop in inner:
                heard_by = [self.cuts.get(name) for name in self._listeners(pop)]
                if known.get(pop.name) == heard_by:
                    continue  # it would be cut as it is
                known[pop.name] = heard_by
                cut = None if pop.name in stuck else self._fewest(pop, least[pop.name])
                if cut is None:
                    stuck.add(pop.name)
                    cut = self._by_number(pop)
                self.cuts[pop.name] = cut
                least[pop.name] = cut.n_parts
            if {n: c.n_parts for n, c in before.items()} == least:
                return stuck
        return stuck | {max(least, key=lambda name: least[name])}

    def over_alone(self, pop: Population) -> dict[str, int]:
        """Limits that the most demanding neuron breaks with a core of its own: name -> used."""
        _, _, uses = self._uses(pop, pop.size, 0, EVEN)
        return {name: int(uses[name].max()) for name in self._over(uses)}

    def _by_number(self, pop: Population) -> Cut:
        n_parts = -(-pop.size // self.chip.limits.neurons_per_core)
        return as_cut(*self._uses(pop, n_parts, 0, EVEN))

    def with_packets(self, n_parts: dict[str, int]) -> "Partition":
        """The network before it is cut, the packets that neurons send counted as work.

        Args:
            n_parts: of each population, to be expected; how many of them hear a neuron is taken
                to grow as their number.
        """
        per_packet, loads = nominal(self.chip.time, "packet"), {}
        for name, load in self.loads.items():
            sent = np.zeros(load.size)
            for target in {p.target for p in self.net.out_of(name)}:
                cut = self.cuts[target]
                for p, heard in zip(self.net.into(target), cut.reaches, strict=True):
                    if p.source == name:
                        sent += heard * n_parts[target] / cut.n_parts
            loads[name] = load + per_packet * sent * self.spikes[name]
        return Partition(self.net, self.chip, loads, self.spikes)

    def cutter(self, pop: Population) -> Cutter:
        """The ways to cut a population."""
        if pop.name not in self._cutters:
            joined = (*self.net.into(pop.name), *self.net.out_of(pop.name))
            alike = all(isinstance(p.synapses, Dense) for p in joined)
            spikes = self.spikes[pop.name] if alike else None
            load = self.loads[pop.name]
            self._cutters[pop.name] = cutter_of(pop, load, self.chip.limits, spikes)
        return self._cutters[pop.name]

    def _fewest(self, pop: Population, least: int) -> Cut | None:
        """The fewest parts that fit, from `least` on; of those cuts the best."""
        n, bound = max(least, self.cutter(pop).n_groups), ""
        low = n - 1  # the most parts known not to fit
        while over := self._over_in(pop, n):
            if n == pop.size:
                return None
            bound, ratio = max(over.items(), key=lambda item: item[1])
            low, n = n, min(pop.size, max(n + 1, n + n // 16, math.ceil(n * min(ratio, 64.0))))
        while n - low > 1 and bound:
            middle = (low + n) // 2
            if over := self._over_in(pop, middle):
                low, bound = middle, max(over, key=lambda name: over[name])
            else:
                n = middle
        if not bound and pop.name in self.cuts and self.cuts[pop.name].n_parts == n:
            bound = self.cuts[pop.name].bound_by
        elif not bound and self.cutter(pop).n_groups == n > 1:
            bound = self.cutter(pop).table
        return replace(self._best(pop, n), bound_by=bound)

    def _over_in(self, pop: Population, n_parts: int) -> dict[str, float]:
        """By how much limits are broken by the best of a few cuts; empty if one fits."""
        least: dict[str, float] = {}
        for order, loaded in SEARCHED:
            over = self._over(self._uses(pop, n_parts, order, loaded)[2])
            if not over or not least or max(over.values()) < max(least.values()):
                least = over
            if not over:
                break
        return least

    def _best(self, pop: Population, n_parts: int) -> Cut:
        """Of the cuts that fit, that of the least work on one part, and of few axons."""
        cutter, best_key = self.cutter(pop), math.inf
        best: tuple[IntArray, list[Demand], dict[str, IntArray]] | None = None
        for order, loaded in product(range(len(cutter.orders)), (LOADED, MIXED, EVEN)):
            if loaded == MIXED and self._cuts_alike(pop, n_parts, order):
                continue
            found = self._uses(pop, n_parts, order, loaded)
            if self._over(found[2]):
                continue
            busiest = float(np.bincount(found[0], cutter.load).max(initial=0.0))
            key = busiest * float(found[2]["axons_in"].sum()) ** 0.5
            if key < best_key:
                best, best_key = found, key
        assert best is not None  # one of those searched fits
        return as_cut(*best)

    def _cuts_alike(self, pop: Population, n_parts: int, order: int) -> bool:
        """Whether cuts by load and by number are nearly the same: none between is then tried."""
        ends = [self._uses(pop, n_parts, order, loaded)[2]["neurons"] for loaded in (LOADED, EVEN)]
        return bool(np.abs(ends[0] - ends[1]).max() <= 1)

    def _over(self, uses: dict[str, IntArray]) -> dict[str, float]:
        """Limits broken by the fullest part, and by what factor."""
        out = {}
        for name, limit in LIMIT_OF.items():
            allowed = getattr(self.chip.limits, limit)
            if allowed is not None and uses[name].max() > allowed:
                out[name] = float(uses[name].max() / allowed)
        return out

    def _uses(
        self, pop: Population, n_parts: int, order: int, loaded: float
    ) -> tuple[IntArray, list[Demand], dict[str, IntArray]]:
        """A cut, what its projections take, and what its parts take, each (parts,)."""
        cutter = self.cutter(pop)
        order %= len(cutter.orders)
        key = (pop.name, n_parts, order, loaded)
        if key not in self._demands:
            part_of = cutter.part_of(n_parts, cutter.orders[order], loaded)
            self._demands[key] = part_of, self.demands(pop, part_of, n_parts)
        part_of, demands = self._demands[key]
        return part_of, demands, self.measure(pop, part_of, n_parts, demands)

    def demands(self, pop: Population, part_of: IntArray, n_parts: int) -> list[Demand]:
        """What every projection into a population takes if that is cut by `part_of`."""
        form = self.chip.limits.synapse_format
        into = self.net.into(pop.name)
        return [demand(self.net, p, part_of, n_parts, form) for p in into]

    def measure(
        self, pop: Population, part_of: IntArray, n_parts: int, demands: list[Demand]
    ) -> dict[str, IntArray]:
        """What the parts take of a core, each (parts,), by field of `Use`.

        How many parts of other populations listen is as they are cut now.
        """
        into, cutter = self.net.into(pop.name), self.cutter(pop)
        reach = self._reach_elsewhere(pop)
        for p, d in zip(into, demands, strict=True):
            reach = reach + d.reach if p.source == pop.name else reach
        words = len({p.word for p in into})
        neurons = np.bincount(part_of, minlength=n_parts)
        ring = neurons * pending_beside_synapses(self.net, pop.name, self.chip.limits)
        return {
            "neurons": neurons,
            "synapse_bits": _sum((d.bits for d in demands), n_parts) + ring,
            "axons_in": _sum((d.axons_in for d in demands), n_parts),
            "axons_out": np.bincount(part_of, reach, n_parts).astype(np.int64),
            "neuron_configs": distinct(cutter.neuron_config, part_of, n_parts),
            "v_th_configs": distinct(cutter.v_th_config, part_of, n_parts),
            "synapse_configs": np.full(n_parts, words),
        }

    def _listeners(self, pop: Population) -> list[str]:
        """Other populations that hear a population."""
        targets = dict.fromkeys(p.target for p in self.net.out_of(pop.name))
        return [name for name in targets if name != pop.name]

    def _reach_elsewhere(self, pop: Population) -> IntArray:
        """Parts of other populations that hear each neuron, as they are cut now, (neurons,)."""
        reach = np.zeros(pop.size, dtype=np.int64)
        for target in self._listeners(pop):
            if target in self.cuts:
                into = self.net.into(target)
                for p, heard in zip(into, self.cuts[target].reaches, strict=True):
                    reach = reach + heard if p.source == pop.name else reach
        return reach


def as_cut(part_of: IntArray, demands: list[Demand], uses: dict[str, IntArray]) -> Cut:
    """A cut of what `Partition.measure` found."""
    rows = zip(*(uses[name].tolist() for name in LIMIT_OF), strict=True)
    return Cut(part_of, tuple(Use(*row) for row in rows), tuple(d.reach for d in demands))


def _sum(arrays: Iterable[IntArray], n: int) -> IntArray:
    return sum(arrays, start=np.zeros(n, dtype=np.int64))
