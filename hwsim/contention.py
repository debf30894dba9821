"""How long packets travel and wait on a mesh that is busy all the time: an analytic model.

The mesh is that of `hwsim.noc`. A message is a spike: one packet to every core that listens, all
handed to its tile's port at once, in any order. Messages are independent Poisson streams. With λ_j
packets a second on link j, held s_j by each, ρ_j = λ_j s_j, of them a_ij that come from link i,
and P_j pairs of packets of one message that cross j, a second, a packet waits before j

    W_j = (ρ_j / 2 + P_j / λ_j) s_j / (1 - ρ_j) - Σ_i (a_ij / λ_j) C_ij.

The first term is the queue with fixed service and arrivals in groups, M/D/1 where messages are of
one packet [Kleinrock1975]. C_ij is the wait that the packets from i would cause each other at j,
had link i not already spaced them. For packets of different messages it is known in two limits:

- All packets of i go on to j, and s_i <= s_j: what waits in a tree of servers with fixed times is
  what would wait at its root alone [Neely2005], and in a row of such servers what would wait at
  the slowest [Friedman1965]. So C_ij is the M/D/1 wait of a_ij at link i.
- Link i is always held: its packets to j are a Bernoulli choice of its slots, and j with several
  such inputs is the output of a slotted switch [Karol1987], C_ij = a_ij s_i s_j / (2 (1 - ρ_j)).

Between them lies g_ij = (λ_i - a_ij) s_i / (1 - a_ij s_i), the share of link i's time left over by
the packets to j that other packets take: 0 in the first limit, 1 in the second. With it

    C_ij = a_ij s_i (s_i + g_ij (s_j - s_i)) / (2 (1 - m_ij)),
    m_ij = (1 - g_ij) a_ij s_i + g_ij ρ_j               where s_i <= s_j.

Where link i is the slower one, packets come further apart than j needs: alone they never wait.
Then s_j takes the place of s_i, but where other inputs interfere, for their share of the time
that these packets leave:

    C_ij = a_ij s_j (s_j + g_ij h_ij (s_i - s_j)) / (2 (1 - m_ij)),
    h_ij = (ρ_j - a_ij s_j) / (1 - a_ij s_j),  m_ij = (1 - g_ij) a_ij s_j + g_ij ρ_j.

Packets of one message leave each link in a row, b_i of them over i, b_j of these on to j: at j they
come d_j = max(s_i, d_i) (b_i - 1) / (b_j - 1) apart on average, d = 0 at the port. Of the s_j for
which each pair would hold up its later packet that saves min(s_j, d_j), so that C_ij grows by

    P_ij min(s_j, d_j) / (a_ij (1 - m_ij)),  summed over messages.

A link with one input of the same time has W = 0, as it must. Approximated: the streams that meet
at a link are taken as independent; g and h join the limits in straight lines; a stream is
described by its two rates, whatever shaped it further upstream; the packets of a message are as
far apart as on average. Nothing is fitted. Decomposing the network link by link is as in
[Ogras2010], whose routers have finite buffers. Against a flit-level mesh: `experiments/noc`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.sparse import coo_array, csr_array

from hwsim.arrays import FloatArray, IntArray
from hwsim.kernels.noc import meet
from hwsim.mapping.plan import Plan
from hwsim.noc import KINDS, Grid, plan_extent, plan_tiles, routes


@dataclass(frozen=True, slots=True, eq=False)
class Messages:
    """Who sends what, how often.

    Attributes:
        source: the tile that sends, (messages,). sends: packets of one message to every tile,
            (messages, tiles). rate_hz: messages per second, (messages,).
    """

    source: IntArray
    sends: csr_array
    rate_hz: FloatArray

    def __post_init__(self) -> None:
        rate = self.rate_hz
        if not np.isfinite(rate).all() or rate.min(initial=0) < 0 or not rate.any():
            raise ValueError("traffic must be rates, 0 or more, and some of them more")

    @classmethod
    def alone(cls, rates: FloatArray | csr_array | coo_array) -> Self:
        """Every packet on its own: packets per second from tile to tile, (tiles, tiles)."""
        flows = coo_array(rates)
        if flows.shape[0] != flows.shape[1]:
            raise ValueError(f"traffic is from tile to tile, got shape {flows.shape}")
        used = np.flatnonzero(flows.data)
        ones, each = np.ones(used.size, dtype=np.int64), np.arange(used.size)
        sends = csr_array((ones, (each, flows.col[used])), shape=(used.size, flows.shape[1]))
        return cls(flows.row[used].astype(np.int64), sends, flows.data[used].astype(np.float64))

    @classmethod
    def of(cls, plan: Plan, spikes: Mapping[str, FloatArray], sample_s: float) -> Self:
        """The spikes of a plan, if they came evenly over the time of a sample.

        Args:
            spikes: mean spikes per sample of every neuron, (neurons,), by population.
            sample_s: seconds that a sample takes.
        """
        if not sample_s > 0:
            raise ValueError(f"a sample takes {sample_s} seconds, must be more than 0")
        tiles, (columns, rows) = plan_tiles(plan), plan_extent(plan)
        onto = csr_array(
            (np.ones(tiles.size, dtype=np.int64), (np.arange(tiles.size), tiles)),
            shape=(tiles.size, columns * rows),
        )
        source, sends, rate = [], [], []
        for name, per_neuron in spikes.items():
            heard = csr_array(plan.listeners(name))
            used = np.flatnonzero((np.asarray(per_neuron) > 0) & (np.diff(heard.indptr) > 0))
            own = np.array(plan.parts_of(name))[plan.part_of(name)]
            source.append(tiles[own[used]])
            sends.append((heard[used] @ onto).tocoo())
            rate.append(np.asarray(per_neuron, dtype=np.float64)[used] / sample_s)
        first = np.cumsum([0, *(part.shape[0] for part in sends)])
        row = np.concatenate([part.row + start for part, start in zip(sends, first, strict=False)])
        ends = (row, np.concatenate([part.col for part in sends]))
        data = np.concatenate([part.data for part in sends])
        every = csr_array((data, ends), shape=(int(first[-1]), columns * rows))
        return cls(np.concatenate(source), every, np.concatenate(rate))


@dataclass(frozen=True, slots=True, eq=False)
class Latency:
    """How long packets travel: means over all packets, and what each link adds.

    Attributes:
        zero_load_s: mean latency of a packet that meets no other.
        mean_s: mean latency under load; inf where a link is offered all it can pass, or more.
        rates_hz: packets per second on every link, (6, rows, columns).
        held: share of its time for which each link is held, (6, rows, columns).
        wait_s: mean wait before each link, (6, rows, columns).
    """

    zero_load_s: float
    mean_s: float
    rates_hz: FloatArray
    held: FloatArray
    wait_s: FloatArray


def latency(grid: Grid, messages: Messages) -> Latency:
    """Mean latency of a packet, from its message's spike to its arrival; the module's model.

    Raises:
        ValueError: if the messages are of another grid.
    """
    n_tiles = grid.rows * grid.columns
    sends = messages.sends
    if sends.shape[1] != n_tiles:
        raise ValueError(f"traffic is among {sends.shape[1]} tiles, the grid has {n_tiles}")
    n_packets = np.add.reduceat(np.append(sends.data, 0), sends.indptr[:-1])
    n_packets[np.diff(sends.indptr) == 0] = 0
    target = np.repeat(sends.indices.astype(np.int64), sends.data)
    source = np.repeat(messages.source, n_packets)
    ends, links = routes(grid.columns, grid.rows, source, target)
    first = ends[np.concatenate([[0], np.cumsum(n_packets)])]
    hold = grid.hold_s.reshape(-1)
    rates, pairs, joined, spaced = (
        np.zeros(shape) for shape in (hold.size, hold.size, (hold.size, KINDS), (hold.size, KINDS))
    )
    before = np.zeros((hold.size, KINDS), dtype=np.int64)
    meet(
        first,
        links,
        messages.rate_hz,
        hold,
        n_tiles,
        rates,
        pairs,
        joined,
        spaced,
        before,
    )
    wait = _waits(hold, rates, pairs, joined, spaced, before)
    sent, carrying = float(messages.rate_hz @ n_packets), rates > 0
    zero_load = float(rates @ hold) / sent
    waited = float(rates[carrying] @ wait[carrying]) / sent
    shape = grid.hold_s.shape
    return Latency(
        zero_load,
        zero_load + waited,
        rates.reshape(shape),
        (rates * hold).reshape(shape),
        wait.reshape(shape),
    )


def _waits(
    hold: FloatArray,
    rates: FloatArray,
    pairs: FloatArray,
    joined: FloatArray,
    spaced: FloatArray,
    before: IntArray,
) -> FloatArray:
    """Mean wait before every link, inf where it is offered all it can pass: the module's W.

    Args:
        hold, rates: s and λ, (links,). pairs: P, (links,). joined: a, by the kind of the link
            that packets come from, (links, kinds). spaced: P min(s, d) likewise. before: which
            link that is, (links, kinds).
    """
    held = rates * hold
    full = held >= 1
    carried = np.where(rates > 0, rates, 1.0)
    alone = (held / 2 + pairs / carried) * hold
    wait = np.where(full, np.inf, alone / np.where(full, 1.0, 1 - held))
    j, kind = np.nonzero((joined > 0) & ~full[:, None])
    i, rate = before[j, kind], joined[j, kind]
    near = np.minimum(hold[i], hold[j])  # the shorter time of the two
    left = np.maximum(1 - rate * hold[i], np.finfo(float).tiny)  # 0 where i is full of them
    others = np.clip((held[i] - rate * hold[i]) / left, 0, 1)
    meeting = (held[j] - rate * hold[j]) / (1 - rate * hold[j])
    mixed = others * np.where(hold[i] > hold[j], meeting, 1.0)
    span = near + mixed * (np.maximum(hold[i], hold[j]) - near)
    load = (1 - others) * rate * near + others * held[j]
    spared = (rate * near * span / 2 + spaced[j, kind] / rate) / (1 - load)
    np.subtract.at(wait, j, rate / rates[j] * spared)
    positive: FloatArray = np.maximum(wait, 0.0)
    return positive
