"""Cut each population into runs of neurons that fit a core."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from hwsim.arrays import IntArray
from hwsim.chips.spec import Limits
from hwsim.network import Network, Population, Projection
from hwsim.synapses import Shape, size_of

BLOCK_SYNAPSES, BLOCK_HEADER_BITS, WORD_BITS = 63, 10, 64


class DoesNotFit(ValueError):  # noqa: N818 (a verdict, named as users read it)
    """A network exceeds a chip: the message names layer, limit, use and a remedy."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a run of neurons takes of a core."""

    neurons: int
    synapse_bits: int
    axons_in: int
    axons_out: int


REMEDY = {
    "neurons": "use a chip with larger cores",
    "synapse_bits": "lower the fan-in, the kernel size or the weight bits",
    "axons_in": "shrink the layer before it, or use a stride or pooling there",
    "axons_out": "shrink the layer after it, so that fewer cores listen",
}


def synapse_bits(n_synapses: IntArray, n_targets: int, weight_bits: int, delay_bits: int) -> int:
    """Memory of axons with `n_synapses` each, in the words of a Loihi core.

    A synapse is weight, target index and delay; blocks of up to 63 share a 10-bit header; every
    axon starts a new 64-bit word [nengo-loihi `SynapseConfig`]. 7-bit weights are stored in 8.
    """
    index_bits = max(6, int(n_targets - 1).bit_length())
    bits = n_synapses * ((8 if weight_bits == 7 else weight_bits) + index_bits + delay_bits)
    bits = bits + BLOCK_HEADER_BITS * -(-n_synapses // BLOCK_SYNAPSES)
    return int((-(-bits // WORD_BITS) * WORD_BITS).sum())


def use_of(net: Network, pop: Population, start: int, stop: int, reach: IntArray) -> Use:
    """What neurons `start` to `stop` take of a core; `reach` (neurons,) cores hear each one."""
    bits = axons = 0
    for p in net.into(pop.name):
        source = net[p.source]
        fan_out = _onto(p, source.shape, pop.shape, start, stop)
        n_bits = p.word.n_bits if p.word else 8
        bits += synapse_bits(fan_out, stop - start, n_bits, 6 if p.delay.max() > 1 else 0)
        axons += int((fan_out > 0).sum())
    return Use(stop - start, bits, axons, int(reach[start:stop].sum()))


def partition(net: Network, limits: Limits) -> dict[str, list[tuple[int, int, Use]]]:
    """Runs (start, stop, use) of every population with neurons; each run fits one core.

    Greedy: each run takes as many neurons as fit. How many cores hear a neuron depends on how
    its targets are cut, so targets are cut before their sources, and again until nothing moves.

    Raises:
        DoesNotFit: if a single neuron breaks a limit, or the chip has too few cores.
    """
    inner = [p for p in reversed([net[name] for name in net.order]) if p.neuron is not None]
    runs = {
        p.name: [(i, min(i + 1024, p.size), Use(0, 0, 0, 0)) for i in range(0, p.size, 1024)]
        for p in inner
    }
    for _ in range(5):
        cut: dict[str, list[tuple[int, int, Use]]] = {}
        for pop in inner:
            cut[pop.name] = _cut(net, pop, limits, reach_of(net, pop, runs | cut))
        settled = cut == runs
        runs = cut
        if settled:
            break
    n_cores = sum(map(len, runs.values()))
    if n_cores > limits.cores:
        largest = max(runs, key=lambda name: len(runs[name]))
        raise DoesNotFit(
            f"the network needs {n_cores} cores, the chip has {limits.cores}: layer {largest!r} "
            f"alone takes {len(runs[largest])}, make it smaller"
        )
    return runs


def reach_of(
    net: Network, pop: Population, runs: dict[str, list[tuple[int, int, Use]]]
) -> IntArray:
    """How many cores hear each neuron of `pop`, (neurons,)."""
    return sum(listeners(net, pop, runs), start=np.zeros(pop.size, dtype=np.int64))


def listeners(
    net: Network, pop: Population, runs: dict[str, list[tuple[int, int, Use]]]
) -> Iterable[IntArray]:
    """For every run of every target, in order: 1 where a neuron of `pop` has synapses there."""
    for target in dict.fromkeys(p.target for p in net.out_of(pop.name)):
        joined = [p for p in net.out_of(pop.name) if p.target == target]
        for start, stop, _ in runs[target]:
            yield _heard(net, joined, pop, start, stop)


def _heard(
    net: Network, joined: list[Projection], pop: Population, start: int, stop: int
) -> IntArray:
    fan = [_onto(p, pop.shape, net[p.target].shape, start, stop) for p in joined]
    heard: IntArray = (np.sum(fan, axis=0) > 0).astype(np.int64)
    return heard


def _onto(p: Projection, source: Shape, target: Shape, start: int, stop: int) -> IntArray:
    """Synapses of each source neuron on target neurons `start` to `stop`, (sources,)."""
    part_of = np.full(size_of(target), -1, dtype=np.int64)
    part_of[start:stop] = 0
    return np.asarray(p.synapses.fan_out(source, target, part_of, 1).todense()).reshape(-1)


def _cut(
    net: Network, pop: Population, limits: Limits, reach: IntArray
) -> list[tuple[int, int, Use]]:
    runs: list[tuple[int, int, Use]] = []
    start = 0
    while start < pop.size:
        low, high = start, min(pop.size, start + limits.neurons_per_core)
        while low < high:  # the largest stop that fits
            middle = (low + high + 1) // 2
            if broken(use_of(net, pop, start, middle, reach), limits):
                high = middle - 1
            else:
                low = middle
        if low == start:
            raise DoesNotFit(_explain(net, pop, start, reach, limits))
        runs.append((start, low, use_of(net, pop, start, low, reach)))
        start = low
    return runs


def broken(use: Use, limits: Limits) -> dict[str, tuple[int, int]]:
    """Limits that `use` exceeds: name -> (used, limit)."""
    pairs = {
        "neurons": (use.neurons, limits.neurons_per_core),
        "synapse_bits": (use.synapse_bits, limits.synapse_bits_per_core),
        "axons_in": (use.axons_in, limits.axons_in_per_core),
        "axons_out": (use.axons_out, limits.axons_out_per_core),
    }
    return {name: pair for name, pair in pairs.items() if pair[0] > pair[1]}


def _explain(net: Network, pop: Population, at: int, reach: IntArray, limits: Limits) -> str:
    over = broken(use_of(net, pop, at, at + 1, reach), limits)
    parts = [f"{name} {used} of {limit} ({REMEDY[name]})" for name, (used, limit) in over.items()]
    return f"layer {pop.name!r} does not fit: a core with one of its neurons needs " + "; ".join(
        parts
    )
