"""Five networks to map: random weights, thresholds set for the firing rates of trained networks.

What a mapper sees is who fires how often and who listens. Weights are drawn at random; then, layer
by layer from the input on, one threshold per layer is chosen so that the layer's mean rate over
calibration samples is a rate drawn from `RATE_RANGE`, 2 to 10 % of the steps. Rates of single
neurons then differ as their random inputs do: many are silent, a few fire often.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

import hwsim
from hwsim.arrays import AnyArray, IntArray
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense, Shape, Sparse

WORD = WeightWord()
N_STEPS = 20
RATE_RANGE = (0.02, 0.10)  # mean rate of a layer, drawn evenly per layer
LOW, HIGH = 1, 131_071  # thresholds of the chip

Draw = Callable[[np.random.Generator, int], AnyArray]


@dataclass(frozen=True)
class Case:
    """A network with its way of drawing samples."""

    net: Network
    draw: Draw


def weights(rng: np.random.Generator, shape: Shape | int) -> IntArray:
    """Normal weights in the word: even, -256 to 254."""
    out: IntArray = (np.clip(rng.normal(0, 40, shape), -256, 254) // 2 * 2).astype(np.int64)
    return out


def lif(v_th: int = LOW) -> FixedNeuron:
    """The current halves in a step, the potential loses a tenth."""
    return FixedNeuron.of(du=2048, dv=410, v_th=v_th)


READOUT = FixedNeuron.of(du=2048, dv=410, emits="nothing")


def blob_inputs(shape: Shape, rate: float) -> Draw:
    """Events around a place that differs from sample to sample, as of an object in the middle."""
    height, width = shape[-2:]

    def draw(rng: np.random.Generator, n: int) -> AnyArray:
        y, x = np.mgrid[:height, :width]
        centre = rng.normal(0.5, 0.08, (n, 2)) * (height, width)
        far = ((y - centre[:, 0, None, None]) / height) ** 2
        far = far + ((x - centre[:, 1, None, None]) / width) ** 2
        p = np.exp(-far / (2 * 0.2**2))
        p = np.minimum(1.0, p * rate / p.mean(axis=(1, 2), keepdims=True))
        p = p[:, None] if len(shape) == 2 else p[:, None, None]
        return rng.random((n, N_STEPS, *shape)) < p

    return draw


def band_inputs(size: int, rate: float) -> Draw:
    """Events of three bands of channels that drift over the steps, as of a spoken word."""

    def draw(rng: np.random.Generator, n: int) -> AnyArray:
        channel, step = np.arange(size), np.arange(N_STEPS)[:, None]
        p = np.full((n, N_STEPS, size), 0.2 * rate)
        for _ in range(3):
            start, drift = rng.uniform(0, size, (n, 1, 1)), rng.normal(0, 6, (n, 1, 1))
            away = (channel - start - drift * step) / (0.06 * size)
            p += np.exp(-0.5 * away**2) * rate * 2
        return rng.random(p.shape) < np.minimum(p, 1.0)

    return draw


def calibrated(case: Case, rng: np.random.Generator) -> Case:
    """Thresholds that give each layer a mean rate of its own within `RATE_RANGE`."""
    samples, net = case.draw(rng, 2), case.net
    for name in [p.name for p in net.populations]:
        neuron = net[name].neuron
        if neuron is None or neuron.emits == "nothing":
            continue
        rate = rng.uniform(*RATE_RANGE)
        low, high = LOW, HIGH
        while high - low > max(1, low // 20):
            middle = int(np.sqrt(low * high)) if low * 4 < high else (low + high) // 2
            tried = _up_to(_with_threshold(net, name, middle), name)
            counts = hwsim.simulate(tried, samples).spike_counts[name]
            low, high = (middle, high) if counts.mean() / N_STEPS > rate else (low, middle)
        net = _with_threshold(net, name, high)
    return Case(net, case.draw)


def _with_threshold(net: Network, name: str, v_th: int) -> Network:
    changed = tuple(replace(p, neuron=lif(v_th)) if p.name == name else p for p in net.populations)
    return Network(changed, net.projections, net.dt_s, net.output)


def _up_to(net: Network, name: str) -> Network:
    """The network without what comes after a population."""
    names = [p.name for p in net.populations]
    kept = names[: names.index(name) + 1]
    return Network(
        tuple(p for p in net.populations if p.name in kept),
        tuple(p for p in net.projections if p.source in kept and p.target in kept),
        net.dt_s,
        name,
    )


def dense(rng: np.random.Generator) -> Case:
    """784-1024-1024-512-10, all to all."""
    sizes = [1024, 1024, 512, 10]
    populations = [Population("input", (1, 28, 28))]
    joined = []
    for i, n in enumerate(sizes):
        source = populations[-1]
        name = f"dense{i + 1}" if i < 3 else "readout"
        populations.append(Population(name, (n,), lif() if i < 3 else READOUT))
        weight = Dense.of(weights(rng, (n, source.size)))
        joined.append(Projection.of(source.name, name, weight, word=WORD))
    return Case(Network(tuple(populations), tuple(joined)), blob_inputs((1, 28, 28), 0.08))


def conv(rng: np.random.Generator) -> Case:
    """2x34x34-16c3-32c3/2-64c3/2-64c3/2-10, padded: a network for N-MNIST."""
    populations, joined = [Population("input", (2, 34, 34))], []
    for i, (channels, stride) in enumerate([(16, 1), (32, 2), (64, 2), (64, 2)]):
        source = populations[-1]
        kernel = weights(rng, (channels, source.shape[0], 3, 3))
        synapses = Conv2d.of(kernel, stride=(stride, stride), padding=(1, 1))
        shape = synapses.target_shape(source.shape)
        assert shape is not None
        populations.append(Population(f"conv{i + 1}", shape, lif()))
        joined.append(Projection.of(source.name, f"conv{i + 1}", synapses, word=WORD))
    last = populations[-1]
    populations.append(Population("readout", (10,), READOUT))
    weight = Dense.of(weights(rng, (10, last.size)))
    joined.append(Projection.of(last.name, "readout", weight, word=WORD))
    return Case(Network(tuple(populations), tuple(joined)), blob_inputs((2, 34, 34), 0.03))


def recurrent(rng: np.random.Generator) -> Case:
    """700-1024 all to all with itself-20, delays of 1 to 8 steps in the loop: as for SHD."""
    populations = (
        Population("input", (700,)),
        Population("recurrent", (1024,), lif()),
        Population("readout", (20,), READOUT),
    )
    loop = Dense.of(weights(rng, (1024, 1024)) // 4 * 2)
    delay = rng.integers(1, 9, (1024, 1024))
    joined = (
        Projection.of("input", "recurrent", Dense.of(weights(rng, (1024, 700))), word=WORD),
        Projection.of("recurrent", "recurrent", loop, delay=delay, word=WORD),
        Projection.of("recurrent", "readout", Dense.of(weights(rng, (20, 1024))), word=WORD),
    )
    return Case(Network(populations, joined), band_inputs(700, 0.06))


def skip(rng: np.random.Generator) -> Case:
    """Two residual blocks: 2x34x34-16c3/2-[16c3-16c3 + id]-[32c3/2-32c3 + 1x1/2]-10."""
    shapes = {
        "stem": (16, 17, 17),
        "a1": (16, 17, 17),
        "a2": (16, 17, 17),
        "b1": (32, 9, 9),
        "b2": (32, 9, 9),
    }
    populations = [Population("input", (2, 34, 34))]
    populations += [Population(name, shape, lif()) for name, shape in shapes.items()]
    populations.append(Population("readout", (10,), READOUT))

    def joined(source: str, target: str, stride: int, kernel: int) -> Projection:
        inputs = 2 if source == "input" else shapes[source][0]
        weight = weights(rng, (shapes[target][0], inputs, kernel, kernel))
        pad = kernel // 2
        synapses = Conv2d.of(weight, stride=(stride, stride), padding=(pad, pad))
        return Projection.of(source, target, synapses, word=WORD)

    same = Conv2d.of(np.full((16, 1, 1, 1), 120), groups=16)
    projections = (
        joined("input", "stem", 2, 3),
        joined("stem", "a1", 1, 3),
        joined("a1", "a2", 1, 3),
        Projection.of("stem", "a2", same, word=WORD),
        joined("a2", "b1", 2, 3),
        joined("b1", "b2", 1, 3),
        joined("a2", "b2", 2, 1),
        Projection.of("b2", "readout", Dense.of(weights(rng, (10, 32 * 81))), word=WORD),
    )
    return Case(Network(tuple(populations), projections), blob_inputs((2, 34, 34), 0.03))


def sheets(rng: np.random.Generator, *, side: int = 159, n_sheets: int = 4, fan: int = 32) -> Case:
    """Four sheets of 159 x 159 neurons, 101,124 in all, with local synapses: a patch of cortex.

    Every neuron reaches `fan` others of the next sheet and `fan` of its own, at distances drawn
    from a normal distribution of 4 places; in its own sheet one step later.
    """
    shape = (side, side)
    populations = [Population("input", shape)]
    populations += [Population(f"sheet{i + 1}", shape, lif()) for i in range(n_sheets)]
    joined = []
    for source, target in pairwise(populations):
        joined.append(Projection.of(source.name, target.name, local(rng, side, fan), word=WORD))
        loop = local(rng, side, fan)
        joined.append(Projection.of(target.name, target.name, loop, delay=1, word=WORD))
    return Case(Network(tuple(populations), tuple(joined)), blob_inputs(shape, 0.03))


def local(rng: np.random.Generator, side: int, fan: int) -> Sparse:
    """`fan` synapses of each place of a square sheet, normally distributed around it."""
    n = side * side
    place = np.stack(np.divmod(np.arange(n), side), axis=1)[:, None]
    ends = np.clip(np.rint(place + rng.normal(0, 4, (n, fan, 2))), 0, side - 1).astype(np.int64)
    target = np.sort(ends[..., 0] * side + ends[..., 1], axis=1)
    weight = weights(rng, n * fan)
    return Sparse.of(weight, indptr=np.arange(n + 1) * fan, target=target.reshape(-1), n_targets=n)


CASES: dict[str, Callable[[np.random.Generator], Case]] = {
    "dense": dense,
    "conv": conv,
    "recurrent": recurrent,
    "skip": skip,
    "sheets": sheets,
}


def draw(name: str, seed: int) -> Case:
    """One of the five, its weights, rates and thresholds from a seed."""
    rng = np.random.default_rng(seed)
    return calibrated(CASES[name](rng), rng)
