"""How long the packets of every time step travel: the slowest route, or the busiest link.

The same bound as the engine counts while it runs, found from recorded spikes instead.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array

from hwsim._accelerate import njit, prange
from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.mapping.plan import Plan

PACKETS_BYTES = 64 * 2**20


@njit(parallel=True)
def count_packets(spikes, indptr, pairs, amount, packets):
    """Add the packets that a population's spikes send from tile to tile, in one pass.

    indptr (neurons + 1,), pairs, amount (entries,): packets of one spike of each neuron over each
    pair of tiles (CSR). packets (samples, steps, pairs) grow.
    """
    for b in prange(spikes.shape[0]):
        for t in range(spikes.shape[1]):
            for n in range(spikes.shape[2]):
                if spikes[b, t, n] != 0:
                    for k in range(indptr[n], indptr[n + 1]):
                        packets[b, t, pairs[k]] += amount[k]


@njit(parallel=True)
def find_busiest(packets, indptr, links, rank, least, hold, farthest, busiest, crossed):
    """Of every step the slowest route, and the link after which its last packet arrives latest.

    packets (samples, steps, pairs). indptr (pairs + 1,), links (entries,): the links on the way of
    each pair of tiles (CSR). rank (pairs,): of its route by time. least, hold (links,): seconds of
    the shortest way to and from a link, and for which a packet holds it. farthest, busiest,
    crossed (samples, steps) are written: highest rank, the link, and the packets on it. Where
    nothing is sent, farthest stays as it is; where nothing leaves its tile, crossed is 0.
    """
    for b in prange(packets.shape[0]):
        loads = np.zeros(hold.size, dtype=np.int64)
        for t in range(packets.shape[1]):
            loads[:] = 0
            for p in range(packets.shape[2]):
                n = packets[b, t, p]
                if n > 0:
                    farthest[b, t] = max(farthest[b, t], rank[p])
                    for k in range(indptr[p], indptr[p + 1]):
                        loads[links[k]] += n
            latest = -1.0
            for k in range(hold.size):
                if loads[k] > 0 and least[k] + loads[k] * hold[k] > latest:
                    latest = least[k] + loads[k] * hold[k]
                    busiest[b, t] = k
                    crossed[b, t] = loads[k]


@dataclass(frozen=True, slots=True, eq=False)
class Travel:
    """What set the time that the network needs in every step.

    Attributes:
        hops: of the slowest route, or of the shortest way over the busiest link, (samples, steps,
            3): east-west, north-south, from chip to chip. waits: the packets that waited for
            that link, as hops: all on it but one; 0 where the slowest route took longer.
        seconds: both at the chip's nominal times, (samples, steps).
    """

    hops: IntArray
    waits: IntArray
    seconds: FloatArray


def at_most(plan: Plan, packets: IntArray) -> FloatArray:
    """No step's packets need longer than this by `travel`, seconds: all on the slowest link.

    Args:
        packets: sent in every step, of any shape, which the result has too.
    """
    ways = plan.ways
    alone = (ways.routes @ ways.seconds).max(initial=0.0)
    hold = (ways.link @ ways.seconds).max(initial=0.0)
    seconds: FloatArray = alone + np.maximum(packets - 1, 0) * hold
    return seconds


def travel(plan: Plan, spikes: dict[str, AnyArray]) -> Travel:
    """The bound of `hwsim.noc` on the time in which a step's packets have all arrived.

    Args:
        spikes: (samples, steps, neurons) by population.
    """
    n_samples, n_steps = next(iter(spikes.values())).shape[:2]
    n_pairs = plan.ways.rank.size
    at_once = max(1, PACKETS_BYTES // (8 * n_steps * max(1, n_pairs)))
    blocks = [
        _travel(plan, {name: fired[start : start + at_once] for name, fired in spikes.items()})
        for start in range(0, n_samples, at_once)
    ]
    return Travel(*(np.concatenate(of_block) for of_block in zip(*blocks, strict=True)))


def _travel(plan: Plan, spikes: dict[str, AnyArray]) -> tuple[IntArray, IntArray, FloatArray]:
    ways = plan.ways
    lead = next(iter(spikes.values())).shape[:2]
    packets = np.zeros((*lead, ways.rank.size), dtype=np.int64)
    for name, fired in spikes.items():
        sends = _sends(plan, name)
        if sends.nnz:
            count_packets(fired, sends.indptr, sends.indices, sends.data, packets)
    farthest = np.full(lead, -1)
    busiest, crossed = np.zeros(lead, dtype=np.int64), np.zeros(lead, dtype=np.int64)
    least, hold = ways.least @ ways.seconds, ways.link @ ways.seconds
    way = (ways.indptr, ways.links, ways.rank)
    find_busiest(packets, *way, least, hold, farthest, busiest, crossed)
    none = np.zeros((1, 3), dtype=np.int64)
    route = np.concatenate([ways.routes, none])[farthest]  # the last where nothing is sent
    link, to_and_from = (np.concatenate([x, none])[busiest] for x in (ways.link, ways.least))
    over_link = (to_and_from + crossed[..., None] * link) @ ways.seconds
    jammed = ((crossed > 0) & (over_link > route @ ways.seconds))[..., None]
    hops = np.where(jammed, to_and_from + link, route)
    waits = np.where(jammed, (crossed[..., None] - 1) * link, 0)
    return hops, waits, (hops + waits) @ ways.seconds


def _sends(plan: Plan, name: str) -> csr_array:
    """Packets of one spike of each neuron over each pair of tiles, (neurons, pairs)."""
    heard = plan.listeners(name).tocoo()
    own = np.array(plan.parts_of(name))[plan.part_of(name)]
    over = plan.ways.pair(own[heard.row], heard.col)
    shape = (heard.shape[0], plan.ways.pairs.size)
    return coo_array((np.ones(over.size, dtype=np.int64), (heard.row, over)), shape=shape).tocsr()
