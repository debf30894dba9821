"""What the spikes of a time step do to the links of the mesh."""

import numpy as np

from hwsim._accelerate import njit, prange


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


@njit()
def find_shortest(indptr, links, link, seconds, to, away):
    """Of every link the hops of the quickest way to it, and from it, among those that cross it.

    indptr (ways + 1,), links (entries,): the links of every way, in order (CSR). link (links, 3):
    the hops that each is. seconds (3,): of a hop. to, away (links, 3) are written.
    """
    nearest = np.full((2, link.shape[0]), np.inf)
    done, left = np.zeros(3, dtype=np.int64), np.zeros(3, dtype=np.int64)
    for w in range(indptr.size - 1):
        done[:] = 0
        left[:] = 0
        for k in range(indptr[w], indptr[w + 1]):
            left += link[links[k]]
        for k in range(indptr[w], indptr[w + 1]):
            at = links[k]
            left -= link[at]
            before, after = 0.0, 0.0
            for i in range(3):
                before += done[i] * seconds[i]
                after += left[i] * seconds[i]
            if before < nearest[0, at]:
                nearest[0, at] = before
                to[at] = done
            if after < nearest[1, at]:
                nearest[1, at] = after
                away[at] = left
            done += link[at]


@njit()
def meet(first, links, rate, hold, n_tiles, rates, pairs, joined, spaced, before):
    """How the packets of messages meet on links, see `hwsim.contention`.

    first (messages + 1,), links (entries,): the links of every message's packets, way after way,
    each from port to port. rate (messages,). hold (links,). Written: rates, pairs (links,), and by
    the kind of the link that packets come from joined, spaced, before (links, kinds).
    """
    last_port = hold.size - n_tiles  # the first of the ports that take packets from routers
    crossed = np.zeros(hold.size, dtype=np.int64)
    came_from = np.full(hold.size, -1)
    apart = np.zeros(hold.size)
    seen = np.zeros(hold.size, dtype=np.int64)
    for m in range(rate.size):
        n_seen, previous = 0, -1
        for k in range(first[m], first[m + 1]):
            link = links[k]
            if crossed[link] == 0:
                seen[n_seen] = link
                n_seen += 1
            crossed[link] += 1
            came_from[link] = previous
            previous = -1 if link >= last_port else link
        for k in range(n_seen):  # a link after the one before it: they are a tree
            link, n = seen[k], crossed[seen[k]]
            i = came_from[link]
            mates = rate[m] * n * (n - 1) / 2
            rates[link] += rate[m] * n
            pairs[link] += mates
            apart[link] = 0.0
            if i >= 0:
                if n > 1:
                    apart[link] = max(hold[i], apart[i]) * (crossed[i] - 1) / (n - 1)
                kind = i // n_tiles
                joined[link, kind] += rate[m] * n
                spaced[link, kind] += mates * min(hold[link], apart[link])
                before[link, kind] = i
        for k in range(n_seen):
            crossed[seen[k]] = 0
