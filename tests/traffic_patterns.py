"""Traffic on a mesh: the patterns of the literature on networks on chip, and a mapped network's.

A pattern gives relative rates from tile to tile, (tiles, tiles); tile t stands in column
t % columns and row t // columns.
"""

from dataclasses import replace

import numpy as np
from scipy.sparse import csr_array

import hwsim
from hwsim.contention import Messages, latency
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.noc import EAST, NORTH, SOUTH, WEST, Grid, traffic
from hwsim.synapses import Dense, Sparse
from tests.strategies import chip_with

LOIHI = {"ew": 4.1e-9, "ns": 6.5e-9, "port": 1.05e-9}
EQUAL = {"ew": 1e-9, "ns": 1e-9, "port": 1e-9}


def holding(columns, rows, *, ew, ns, port):
    hold = np.full((6, rows, columns), port)
    hold[[EAST, WEST]], hold[[SOUTH, NORTH]] = ew, ns
    return hold


def everywhere(columns, rows):
    n = columns * rows
    return np.ones((n, n)) - np.eye(n)


def permutation(columns, rows, to):
    n = columns * rows
    matrix = np.zeros((n, n))
    for tile in range(n):
        matrix[tile, to(tile)] = 1
    return matrix * (1 - np.eye(n))  # what stays on its tile is left out


def bits(columns, rows):
    return (columns * rows - 1).bit_length()


def transpose(columns, rows):
    """(x, y) to (y, x), on the largest square."""
    side = min(columns, rows)
    matrix = np.zeros((columns * rows, columns * rows))
    for y in range(side):
        for x in range(side):
            matrix[y * columns + x, x * columns + y] = x != y
    return matrix


def bit_complement(columns, rows):
    return permutation(columns, rows, lambda t: columns * rows - 1 - t)


def bit_reversal(columns, rows):
    width = bits(columns, rows)
    return permutation(columns, rows, lambda t: int(f"{t:0{width}b}"[::-1], 2))


def shuffle(columns, rows):
    top = columns * rows - 1
    return permutation(columns, rows, lambda t: t if t == top else 2 * t % top)


def tornado(columns, rows):
    """Half way round the row, less one."""
    ahead = (columns + 1) // 2 - 1
    return permutation(
        columns, rows, lambda t: t // columns * columns + (t % columns + ahead) % columns
    )


def neighbour(columns, rows):
    return permutation(columns, rows, lambda t: t // columns * columns + (t + 1) % columns)


def hotspot(columns, rows):
    """Every tile sends a fifth of its packets to one in the middle, the others anywhere."""
    matrix = everywhere(columns, rows)
    matrix /= matrix.sum(axis=1, keepdims=True)
    middle = rows // 2 * columns + columns // 2
    matrix *= 0.8
    matrix[:, middle] += 0.2
    matrix[middle, middle] = 0
    return matrix


def one_to_all(columns, rows):
    matrix = np.zeros((columns * rows, columns * rows))
    matrix[columns + 1] = 1
    matrix[columns + 1, columns + 1] = 0
    return matrix


def all_to_one(columns, rows):
    return one_to_all(columns, rows).T.copy()


def layer_to_layer(columns, rows):
    """A feed-forward network placed row by row: every tile sends to the next `columns` tiles."""
    n = columns * rows
    matrix = np.zeros((n, n))
    for tile in range(n):
        matrix[tile, tile + 1 : tile + 1 + columns] = 1
    return matrix


def mapped(columns, rows):
    """A recurrent and a sparse layer on the cores of this mesh, and their spikes per sample."""
    rng = np.random.default_rng(7)
    word = WeightWord(n_bits=8, exp=0, sign_mode="mixed", message_bits=0)
    neuron = FixedNeuron.of(du=2048, dv=512, v_th=220)
    net = Network(
        (
            Population("input", (96,)),
            Population("first", (120,), neuron),
            Population("second", (100,), neuron),
        ),
        (
            Projection.of(
                "input", "first", Dense.of(rng.integers(-20, 30, (120, 96)) * 2), word=word
            ),
            Projection.of("first", "first", sparse(rng, 120, 120, 9), delay=1, word=word),
            Projection.of("first", "second", sparse(rng, 120, 100, 12), word=word),
        ),
    )
    mesh = {"columns": columns, "rows": rows, "cores_per_tile": 1}
    chip = chip_with(neurons_per_core=-(-230 // (columns * rows)), mesh=mesh, cores=columns * rows)
    plan = hwsim.compile(net, chip)
    samples = (rng.random((4, 20, 96)) < 0.2).astype(np.int64)
    spikes = hwsim.simulate(plan, samples).spike_counts
    return plan, {name: counts.mean(axis=0) for name, counts in spikes.items()}


def mapped_network(columns, rows):
    """The packets of a mapped network, each on its own."""
    return traffic(*mapped(columns, rows)).toarray()


def sparse(rng, n_sources, n_targets, per_source):
    target = np.concatenate(
        [np.sort(rng.choice(n_targets, per_source, replace=False)) for _ in range(n_sources)]
    )
    indptr = np.arange(n_sources + 1) * per_source
    weight = rng.integers(-30, 60, target.size) * 2
    return Sparse.of(weight, indptr=indptr, target=target, n_targets=n_targets)


def mapped_messages():
    """The spikes of a mapped network, one packet to every core that listens."""
    return (8, 4), LOIHI, Messages.of(*mapped(8, 4), sample_s=1.0)


def some_each(columns, rows, n_targets, seed):
    """Six senders on every tile, each with some tiles to send to."""
    rng, n_tiles = np.random.default_rng(seed), columns * rows
    source = np.repeat(np.arange(n_tiles), 6)
    sends = np.zeros((source.size, n_tiles), dtype=np.int64)
    for row in sends:
        row[rng.choice(n_tiles, n_targets, replace=False)] = 1
    return Messages(source, csr_array(sends), np.ones(source.size))


def pairs():
    return (8, 4), LOIHI, some_each(8, 4, 2, seed=1)


def eights():
    return (6, 5), EQUAL, some_each(6, 5, 8, seed=2)


PATTERNS = {
    "uniform": (everywhere, (8, 4), LOIHI),
    "uniform, one time": (everywhere, (5, 7), EQUAL),
    "transpose": (transpose, (6, 6), LOIHI),
    "bit complement": (bit_complement, (8, 4), LOIHI),
    "bit reversal": (bit_reversal, (8, 4), LOIHI),
    "shuffle": (shuffle, (8, 8), LOIHI),
    "tornado": (tornado, (8, 4), LOIHI),
    "neighbour": (neighbour, (8, 4), LOIHI),
    "hotspot": (hotspot, (8, 4), LOIHI),
    "one to all": (one_to_all, (8, 4), LOIHI),
    "all to one": (all_to_one, (8, 4), LOIHI),
    "layer to layer": (layer_to_layer, (8, 4), LOIHI),
    "mapped network": (mapped_network, (8, 4), LOIHI),
}


MULTICASTS = {"mapped network": mapped_messages, "pairs": pairs, "eights": eights}


def each_alone(grid, rates):
    """The model's latency where every packet is a message of its own."""
    return latency(grid, Messages.alone(rates))


def offered(columns, rows, matrix, hold, load):
    """Rates that hold the busiest link for a share `load` of its time."""
    busiest = each_alone(Grid(hold), matrix).held.max()
    return matrix * (load / busiest)


def poisson(columns, rates, n_packets, seed):
    """Packets in order of birth: source and target (packets, 2), and when they are born."""
    rng = np.random.default_rng(seed)
    source, target = np.nonzero(rates)
    flow = rates[source, target]
    drawn = rng.choice(source.size, n_packets, p=flow / flow.sum())
    born = np.cumsum(rng.exponential(1 / flow.sum(), n_packets))
    ends = [np.stack([t[drawn] % columns, t[drawn] // columns], axis=1) for t in (source, target)]
    return *ends, born


def to_load(grid, messages, load):
    """The same messages at a rate that holds the busiest link for a share `load` of its time."""
    busiest = latency(grid, messages).held.max()
    return replace(messages, rate_hz=messages.rate_hz * (load / busiest))


def poisson_messages(columns, messages, n_packets, seed):
    """The packets of messages in order of birth, those of one message in any order."""
    rng = np.random.default_rng(seed)
    rate, sends = messages.rate_hz, messages.sends
    n_each = rate @ sends.sum(axis=1) / rate.sum()
    n = int(n_packets / n_each)
    drawn = rng.choice(rate.size, n, p=rate / rate.sum())
    born = np.cumsum(rng.exponential(1 / rate.sum(), n))
    ends = sends.indptr
    target = [
        rng.permutation(np.repeat(sends.indices[a:b], sends.data[a:b]))
        for a, b in zip(ends[drawn], ends[drawn + 1], strict=True)
    ]
    size = [t.size for t in target]
    tiles = np.repeat(messages.source[drawn], size), np.concatenate(target)
    places = [np.stack([t % columns, t // columns], axis=1) for t in tiles]
    return *places, np.repeat(born, size)
