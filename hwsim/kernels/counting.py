"""From spikes to counts of what they cause, step by step and part by part.

Two counts share one word where they are always added together: spikes sent and their packets,
synaptic operations and packets received. A step of a part has fewer than 2^40 of either lower one.
"""

from hwsim._accelerate import njit
from hwsim.kernels.tables import INPUT, PACKET

LOW, HIGH = PACKET - 1, 40  # bits below a packet
N_KINDS = 3  # of synapses
ACTIVE, INACTIVE, SPIKES, PACKETS, PACKETS_IN = range(N_KINDS, N_KINDS + 5)  # events after them


@njit(allocates=False, inline=True)
def count(tables, given, state, listening, tallies, b, lane, t0, t1):
    """Count the events of sample b in steps t0 to t1, as `advance` left them in the lane.

    A spike of step t is sent in step t and read by the parts that listen in step t + 1.
    """
    flows = tallies.flows[lane]
    if t0 == 0:  # the last step of the last sample in this lane
        add_words(flows, tallies.unread)
        flows[:] = 0
    for t in range(t0, t1):
        tallies.by_core[:, :] = 0
        read(listening, tallies, flows)
        for p in range(tables.populations.shape[0]):
            count_sent(tables, p, given, state, listening, tallies.hits, flows, b, lane, t, t0)
        n_packets = close_parts(listening, tallies, flows, state.active_of[lane, t - t0])
        close_cores(listening, tallies, flows, n_packets)
        if tallies.sops.shape[1] > 0:
            note_cores(tallies, b, t)


@njit(allocates=False, inline=True)
def add_words(words, total):
    """Add words (slots,), taken apart, to a total (2, slots)."""
    low, high = total[0], total[1]
    for f in range(words.shape[0]):
        low[f] += words[f] & LOW
        high[f] += words[f] >> HIGH


@njit(allocates=False, inline=True)
def read(listening, tallies, flows):
    """What was sent in the last step is read in this one; `flows` are cleared."""
    by_core = tallies.by_core
    add_words(flows, tallies.read)
    for c in range(listening.end_core.shape[0]):
        word = 0
        for f in range(listening.end_ptr[c], listening.end_ptr[c + 1]):
            word += flows[listening.flow_slot[f]]
        core = listening.end_core[c]
        by_core[listening.end_kind[c], core] += word & LOW
        by_core[PACKETS_IN, core] += word >> HIGH
    flows[:] = 0


@njit(allocates=False, inline=True)
def count_sent(tables, i, given, state, listening, hits, flows, b, lane, t, t0):
    """Count the spikes of population i in step t."""
    p = tables.populations[i]
    if p.kind == INPUT:
        ids = given.ids[given.ptr[p.ids_at, b, t] : given.ptr[p.ids_at, b, t + 1]]
    else:
        ptr = state.ptr[lane, i]
        ids = state.ids[lane, p.ids_at + ptr[t - t0] : p.ids_at + ptr[t - t0 + 1]]
    if ids.shape[0] == 0:
        return
    first, n_classes = listening.first_class[i], listening.n_classes[i]
    if n_classes == 1:
        add_spikes(listening, i, first, ids.shape[0], flows)
        return
    class_of = listening.class_of[p.at : p.at + p.size]
    if not listening.few[i] or ids.shape[0] < 2 * n_classes:
        fours = 0 if listening.listed[i] else ids.shape[0] // 4 * 4
        for e in range(0, fours, 4):
            add_four(listening, first, class_of, ids[e : e + 4], flows)
        for e in range(fours, ids.shape[0]):
            add_spikes(listening, i, first + class_of[ids[e]], 1, flows)
        return
    hits[:n_classes] = 0
    for e in range(ids.shape[0]):
        hits[class_of[ids[e]]] += 1
    for c in range(n_classes):
        if hits[c] > 0:
            add_spikes(listening, i, first + c, hits[c], flows)


@njit(allocates=False, inline=True)
def add_four(listening, first, class_of, ids, flows):
    """Add what four spikes cause; those of one part at once, since sums in memory are slow."""
    a, b = first + class_of[ids[0]], first + class_of[ids[1]]
    c, d = first + class_of[ids[2]], first + class_of[ids[3]]
    slot_at, width = listening.slot_at[a], listening.width[a]
    row_at, rows = listening.row_at, listening.rows
    if (
        slot_at != listening.slot_at[b]
        or slot_at != listening.slot_at[c]
        or slot_at != listening.slot_at[d]
    ):
        for one in (a, b, c, d):
            add_row(listening, one, 1, flows)
        return
    words = flows[slot_at : slot_at + width]
    row_a, row_b = rows[row_at[a] : row_at[a] + width], rows[row_at[b] : row_at[b] + width]
    row_c, row_d = rows[row_at[c] : row_at[c] + width], rows[row_at[d] : row_at[d] + width]
    for k in range(width):
        words[k] += (row_a[k] + row_b[k]) + (row_c[k] + row_d[k])


@njit(allocates=False, inline=True)
def add_spikes(listening, i, c, n, flows):
    """Add what n spikes of class c of population i cause."""
    if listening.listed[i]:
        for k in range(listening.list_ptr[c], listening.list_ptr[c + 1]):
            flows[listening.list_slot[k]] += n * listening.list_word[k]
    else:
        add_row(listening, c, n, flows)


@njit(allocates=False, inline=True)
def add_row(listening, c, n, flows):
    """Add the row of class c to the slots of its part, n times."""
    width, row_at, slot_at = listening.width[c], listening.row_at[c], listening.slot_at[c]
    row, words = listening.rows[row_at : row_at + width], flows[slot_at : slot_at + width]
    for k in range(width):
        words[k] += n * row[k]


@njit(allocates=False, inline=True)
def close_parts(listening, tallies, flows, active_of):
    """Add what the parts did in a step to the totals and to `by_core`; returns the packets sent."""
    by_core = tallies.by_core
    n_packets = 0
    for part in range(active_of.shape[0]):
        core, active = listening.core_of[part], active_of[part]
        word = flows[listening.own_slot[part]]
        n_packets += word >> HIGH
        if core >= 0:
            tallies.active[part] += active
            by_core[ACTIVE, core] += active
            by_core[SPIKES, core] += word & LOW
            by_core[PACKETS, core] += word >> HIGH
    return n_packets


@njit(allocates=False, inline=True)
def close_cores(listening, tallies, flows, n_packets):
    """Add to `critical` the events of the slowest core, or the network's if that takes longer."""
    by_core, prices, critical = tallies.by_core, listening.prices, tallies.critical
    busy = tallies.busy
    busy[:] = 0.0
    for core in range(busy.shape[0]):
        by_core[INACTIVE, core] = listening.neurons_on[core] - by_core[ACTIVE, core]
    for k in range(listening.timed.shape[0]):
        kind = listening.timed[k]
        for core in range(busy.shape[0]):
            busy[core] += by_core[kind, core] * prices[kind]
    slowest = 0
    for core in range(busy.shape[0]):
        if busy[core] > busy[slowest]:
            slowest = core
    # the packets need no longer than if all of them crossed the slowest link
    computing = busy[slowest]
    if listening.slowest_route + max(n_packets - 1, 0) * listening.slowest_link > computing:
        hops = critical[prices.shape[0] :]
        if add_network(listening, flows, tallies.loads, computing, hops):
            return
    for kind in range(prices.shape[0]):
        critical[kind] += by_core[kind, slowest]


@njit(allocates=False, inline=True)
def seconds_of(hops, i, prices):
    """Time of the hops in row i."""
    return (hops[i, 0] * prices[0] + hops[i, 1] * prices[1]) + hops[i, 2] * prices[2]


@njit(allocates=False, inline=True)
def add_network(listening, flows, loads, computing, hops):
    """Add what the network did in a step to `hops`, if it took longer than `computing`.

    hops (6,): of the slowest route, or of the first packet on the shortest way over the link whose
    last packet arrives latest; then one wait for every other packet there. See `hwsim.noc`.
    """
    prices, link, least = listening.hop_prices, listening.link, listening.least
    loads[:] = 0
    route = -1
    for f in range(listening.flow_slot.shape[0]):
        n = flows[listening.flow_slot[f]] // PACKET
        if n > 0:
            pair = listening.flow_pair[f]
            route = max(route, listening.pair_route[pair])
            for k in range(listening.pair_ptr[pair], listening.pair_ptr[pair + 1]):
                loads[listening.pair_links[k]] += n
    latest, busiest = -1.0, -1
    for k in range(loads.shape[0]):
        if loads[k] > 0:
            through = seconds_of(least, k, prices) + loads[k] * seconds_of(link, k, prices)
            if through > latest:
                latest, busiest = through, k
    alone = seconds_of(listening.routes, route, prices) if route >= 0 else 0.0
    if max(alone, latest) <= computing:
        return False
    for i in range(3):
        if latest > alone:
            hops[i] += least[busiest, i] + link[busiest, i]
            hops[3 + i] += (loads[busiest] - 1) * link[busiest, i]
        else:
            hops[i] += listening.routes[route, i]
    return True


@njit(allocates=False, inline=True)
def note_cores(tallies, b, t):
    """Keep what every core did in step t."""
    by_core = tallies.by_core
    for core in range(by_core.shape[1]):
        sops = 0
        for kind in range(N_KINDS):
            sops += by_core[kind, core]
        tallies.sops[b, t, core] = sops
        tallies.updates[b, t, core] = by_core[ACTIVE, core] + by_core[INACTIVE, core]
        tallies.packets_sent[b, t, core] = by_core[PACKETS, core]
