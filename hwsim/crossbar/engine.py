"""Run samples through a network on crossbars: layers one after the other, loops step by step."""

from collections.abc import Callable
from dataclasses import dataclass
from graphlib import TopologicalSorter

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from hwsim.arrays import AnyArray, FloatArray, IntArray
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.elimination import one_blas_thread
from hwsim.crossbar.joined import together
from hwsim.crossbar.layer import Layer, layer_of
from hwsim.crossbar.made import MadeChip, check_made
from hwsim.crossbar.ready import ready_at
from hwsim.crossbar.seeds import READS, stream_of
from hwsim.crossbar.sums import Products
from hwsim.crossbar.unrolled import delayed, n_reads
from hwsim.inputs import Samples, inputs_of, is_binary
from hwsim.network import Network, Projection
from hwsim.simulation import check_tables
from hwsim.synapses import Conv2d

CHUNK_BYTES = 256 * 2**20  # of unrolled inputs and sums at a time


@dataclass(frozen=True, slots=True, eq=False)
class CrossbarRun:
    """What a simulation on crossbars returns.

    Attributes:
        n_steps: steps presented per sample.
        output: (samples, neurons): spike counts of the output population, or, if it emits nothing,
            its potential after the last step.
        spike_counts: spikes per neuron and sample, by population, (samples, neurons).
        spikes: what recorded populations sent, (samples, steps, neurons).
        counts: what happened on the chip.
    """

    n_steps: int
    output: AnyArray
    spike_counts: dict[str, IntArray]
    spikes: dict[str, AnyArray]
    counts: CrossbarCounts


def simulate_crossbar(
    made: MadeChip,
    samples: Samples,
    *,
    time_s: float = 0.0,
    temperature_k: float | None = None,
    seed: int = 0,
    record: str | tuple[str, ...] = (),
    on_samples: Callable[[int], None] | None = None,
) -> CrossbarRun:
    """Run every sample from a cleared state.

    Args:
        made: a chip, see `fabricate`. samples: as `hwsim.simulate` takes them.
        time_s: age of the programmed cells; 0 is their first reading.
        temperature_k: by default the one at which the device was measured.
        seed: of the noise of reads; that of the cells is the chip's.
        record: populations whose spikes are kept; one name stands for itself.
        on_samples: called with the number of samples just finished.

    Raises:
        ValueError: if samples do not have the input's shape, have more steps than a table per step,
            or hold what drivers cannot send, if there is no such population, or if nothing is known
            of the cells at that age or temperature.
    """
    net = check_made(made).plan.network
    inputs = dict(zip((p.name for p in net.inputs), inputs_of(net, samples), strict=True))
    n_samples, n_steps = next(iter(inputs.values())).shape[:2]
    check_tables(net, n_steps)
    record = (record,) if isinstance(record, str) else tuple(record)
    for name in record:
        if name not in (there := [p.name for p in net.populations]):
            raise ValueError(f"cannot record {name!r}: there are {', '.join(there)}")
    rng = stream_of(seed, made.seed, READS)
    products = Products(made, ready_at(made, time_s, temperature_k), rng)
    size = max(1, CHUNK_BYTES // (n_steps * bytes_per_step(net, made.plan.join)))
    outputs: list[AnyArray] = []
    spikes: dict[str, list[AnyArray]] = {name: [] for name in record}
    counts: dict[str, list[IntArray]] = {p.name: [] for p in net.populations}
    for at in range(0, n_samples, size):
        chunk = {name: as_sent(x[at : at + size]) for name, x in inputs.items()}
        with one_blas_thread():
            sent, answer = _run_chunk(net, products, chunk, n_steps)
        outputs.append(answer)
        for name in record:
            spikes[name].append(sent[name])
        for name, x in sent.items():
            counts[name].append((x != 0).sum(axis=1, dtype=np.int64))
        if on_samples:
            on_samples(len(answer))
    products.tally.finish(n_samples, n_steps, counts, outputs[0].shape[1])
    return CrossbarRun(
        n_steps,
        np.concatenate(outputs),
        {name: np.concatenate(c) for name, c in counts.items()},
        {name: np.concatenate(x) for name, x in spikes.items()},
        products.tally.counts(depth(net)),
    )


def as_sent(x: AnyArray) -> AnyArray:
    """Inputs as populations send them: bytes, if they are plain spikes."""
    return x.astype(np.uint8 if is_binary(x) else np.float64, copy=False)


def bytes_per_step(net: Network, join: frozenset[str] = frozenset()) -> int:
    """Memory of the largest unrolled input of a sample's step, of its sums, and of all sent.

    join: see `CrossbarPlan`.
    """
    sent = sum(p.size for p in net.populations)
    read = [[net.projections[k] for k in numbers] for numbers in together(net, join)]
    each = (sum(_unrolled(net, p) for p in ps) + 2 * net[ps[0].target].size for ps in read)
    return 8 * (sent + 2 * max(each, default=1))


def _unrolled(net: Network, p: Projection) -> int:
    """Inputs of all rows in one step."""
    source = net[p.source]
    if not isinstance(p.synapses, Conv2d):
        return source.size
    reads = n_reads(p, net[p.target].shape)
    return p.synapses.groups * reads * p.synapses.fan_in(source.shape)


def components(net: Network) -> list[list[str]]:
    """Populations in groups that loops join, sources before targets; inside by `net.order`."""
    names = [p.name for p in net.populations]
    index = {name: i for i, name in enumerate(names)}
    ends = [(index[p.source], index[p.target]) for p in net.projections]
    rows, columns = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    graph = coo_array((np.ones(len(ends)), (rows, columns)), shape=(len(names),) * 2)
    _, label = connected_components(graph.tocsr(), directed=True, connection="strong")
    before: dict[int, set[int]] = {int(one): set() for one in label}
    for source, target in ends:
        if label[source] != label[target]:
            before[int(label[target])].add(int(label[source]))
    order = TopologicalSorter(before).static_order()
    return [[n for n in net.order if label[index[n]] == one] for one in order]


def depth(net: Network) -> int:
    """Layers on the longest path, a loop being as many as it has members."""
    longest: dict[str, int] = {p.name: 0 for p in net.inputs}
    for group in components(net):
        layers = [name for name in group if net[name].neuron is not None]
        inside = set(group)
        before = [longest[p.source] for n in layers for p in net.into(n) if p.source not in inside]
        for name in layers:
            longest[name] = max(before, default=0) + len(layers)
    return max(longest.values())


def _run_chunk(
    net: Network, products: Products, sent: dict[str, AnyArray], n_steps: int
) -> tuple[dict[str, AnyArray], AnyArray]:
    """All layers of some samples; what each population sent, and the answer."""
    n = len(next(iter(sent.values())))
    answer: AnyArray | None = None
    for group in components(net):
        layers = [layer_of(net[name], n) for name in group if net[name].neuron is not None]
        for layer in layers:
            sent[layer.name] = np.zeros((n, n_steps, layer.size), dtype=layer.sends)
        if not layers:
            continue
        loop = len(layers) > 1 or any(p.source == group[0] for p in net.into(group[0]))
        each = 1 if loop else max(1, CHUNK_BYTES // (n * bytes_per_step(net, products.plan.join)))
        for t in range(0, n_steps, each):
            end = min(t + each, n_steps)
            for layer in layers:
                a = _arriving(net, products, layer, sent, t, end)
                layer.advance(a, t, sent[layer.name][:, t:end])
        for layer in layers:
            if layer.name == net.output:
                spiked = (sent[layer.name] != 0).sum(axis=1, dtype=np.int64)
                answer = layer.v.copy() if layer.emits == "nothing" else spiked
    if answer is None:  # an input is the output
        answer = (sent[net.output] != 0).sum(axis=1, dtype=np.int64)
    return sent, answer


def _arriving(
    net: Network,
    products: Products,
    layer: Layer,
    sent: dict[str, AnyArray],
    t0: int,
    t1: int,
) -> FloatArray:
    """Sums that arrive at a layer in the steps t0 <= t < t1, (samples, steps, neurons)."""
    n = layer.v.shape[0]
    total = np.zeros((n, t1 - t0, layer.size))
    for numbers in products.plan.together:
        p = net.projections[numbers[0]]
        if p.target != layer.name:
            continue
        heard = {k: delayed(sent[net.projections[k].source], t0, t1) for k in numbers}
        sums = products.sums(numbers, heard).reshape(n, t1 - t0, -1)
        gain = p.gain[t0:t1, None] if p.gain.ndim else p.gain
        total += sums * gain
    return total
