"""What the spikes of a time step do to the links of the mesh."""

import numpy as np

from hwsim._accelerate import njit


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
