"""A small flit-level mesh, event by event: the reference that `hwsim.noc` is held to.

Every tile has a router with six outputs: one to each neighbour, one to its own tile, and the
tile's port into it. A packet is one flit. An output keeps a queue for each input it can come
from, takes the next packet from them in turn (round robin), is held for a fixed time by each, and
never drops one. Packets go along their row first, then along their column. Nothing here is
shared with the model under test.
"""

from heapq import heappop, heappush

import numpy as np

from hwsim._accelerate import njit

EAST, WEST, SOUTH, NORTH, INJECT, EJECT = range(6)  # rows are counted southwards
KINDS = 6


@njit()
def next_output(x, y, to_x, to_y):
    """Where the router at (x, y) sends a packet."""
    if x < to_x:
        return EAST
    if x > to_x:
        return WEST
    if y < to_y:
        return SOUTH
    if y > to_y:
        return NORTH
    return EJECT


@njit()
def drain(hold, source, target, born):
    """Send packets and wait until the last has arrived.

    hold (6, rows, columns): time for which a packet holds each output. source, target
    (packets, 2): x and y of tiles. born (packets,): when each enters its source's queue. Returns
    when each arrived (packets,), and the packets that each output passed (6, rows, columns).
    """
    n_packets = born.size
    _, rows, columns = hold.shape
    shape = (KINDS, rows, columns, KINDS)  # a queue per output and input
    first, last = np.full(shape, -1), np.full(shape, -1)
    behind = np.full(n_packets, -1)  # the next packet in the same queue
    turn = np.zeros((KINDS, rows, columns), dtype=np.int64)
    held = np.zeros((KINDS, rows, columns), dtype=np.bool_)
    passed = np.zeros((KINDS, rows, columns), dtype=np.int64)
    arrived = np.full(n_packets, -1.0)
    # (when, order, packet, kind and place of the output it leaves; INJECT + KINDS: it is born)
    events = [(born[0], 0, 0, INJECT + KINDS, source[0, 0], source[0, 1])]
    for packet in range(1, n_packets):
        x, y = source[packet]
        heappush(events, (born[packet], packet, packet, INJECT + KINDS, x, y))
    order = n_packets
    while len(events) > 0:
        now, _, packet, kind, x, y = heappop(events)
        if kind == INJECT + KINDS:
            output, came_from = INJECT, INJECT
        else:
            held[kind, y, x] = False
            passed[kind, y, x] += 1
            output, came_from = -1, kind
            if kind == EJECT:
                arrived[packet] = now
            else:
                to_x, to_y = x + (kind == EAST) - (kind == WEST), y + (kind == SOUTH)
                to_y -= kind == NORTH
                output = next_output(to_x, to_y, target[packet, 0], target[packet, 1])
        if output >= 0:  # join the queue
            at_x, at_y = (x, y) if output == INJECT else (to_x, to_y)
            tail = last[output, at_y, at_x, came_from]
            if tail < 0:
                first[output, at_y, at_x, came_from] = packet
            else:
                behind[tail] = packet
            last[output, at_y, at_x, came_from] = packet
        for which in range(2):  # the output that became free, and the one that was joined
            if which == 0:
                if kind == INJECT + KINDS:
                    continue
                o, ox, oy = kind, x, y
            else:
                if output < 0:
                    continue
                o, ox, oy = output, at_x, at_y
            if held[o, oy, ox]:
                continue
            for k in range(KINDS):
                i = (turn[o, oy, ox] + k) % KINDS
                head = first[o, oy, ox, i]
                if head >= 0:
                    first[o, oy, ox, i] = behind[head]
                    if behind[head] < 0:
                        last[o, oy, ox, i] = -1
                    behind[head] = -1
                    turn[o, oy, ox] = i + 1
                    held[o, oy, ox] = True
                    heappush(events, (now + hold[o, oy, ox], order, head, o, ox, oy))
                    order += 1
                    break
    return arrived, passed
