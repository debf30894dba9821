"""The networks and inputs that every contestant runs, drawn from fixed seeds.

`dense`: feed-forward with current memory; `conv`: convolutions; `speech`: a recurrent layer over a
long input, sized as for spoken digits; `recurrent`: 10 million delayed synapses, real neurons.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Conv2d, Dense, Sparse

WORD = WeightWord()  # 8 bits of mixed sign: even weights from -256 to 254


@dataclass(frozen=True, slots=True, eq=False)
class Workload:
    """A network and the samples it is shown.

    Attributes:
        draw: `draw(n)` is the first n samples, (n, steps, *input shape); more only add to them.
        n_alone: samples that are run one by one, and by peers that take one at a time.
        n_batch: samples of a batch; 0 where there is only one sample to run.
    """

    name: str
    title: str
    network: Network
    draw: Callable[[int], AnyArray]
    n_alone: int
    n_batch: int


def dense() -> Workload:
    """700 -> 512 -> 512 -> 20, 100 steps, 3 % input, about 2.5 million synaptic operations."""
    rng = np.random.default_rng(0)
    sizes, thresholds = (700, 512, 512, 20), (8805, 16106, 13051)
    names = ("input", "hidden1", "hidden2", "out")
    populations, projections = [Population("input", (700,))], []
    for i, v_th in enumerate(thresholds):
        neuron = FixedNeuron.of(du=409, dv=204, v_th=v_th)
        populations.append(Population(names[i + 1], (sizes[i + 1],), neuron))
        weight = 2 * rng.integers(-127, 128, (sizes[i + 1], sizes[i]))
        projections.append(Projection.of(names[i], names[i + 1], Dense.of(weight), word=WORD))
    return Workload(
        "dense",
        "dense 700-512-512-20, 100 steps",
        Network(tuple(populations), tuple(projections)),
        _bernoulli(np.full(700, 2150 / 70_000), 100),
        4,
        256,
    )


def conv() -> Workload:
    """2 x 34 x 34 -> 16 5x5 stride 2 -> 32 3x3 stride 2 -> 10, 60 steps, about 4,056 events."""
    rng = np.random.default_rng(1)

    def even(*shape: int) -> AnyArray:
        return 2 * rng.integers(-60, 64, shape)

    def layer(name: str, shape: tuple[int, ...], v_th: int) -> Population:
        return Population(name, shape, FixedNeuron.of(du=1023, dv=255, v_th=v_th))

    stride = (2, 2)
    net = Network(
        (
            Population("input", (2, 34, 34)),
            layer("conv1", (16, 15, 15), 1089),
            layer("conv2", (32, 7, 7), 1995),
            layer("out", (10,), 7840),
        ),
        (
            Projection.of("input", "conv1", Conv2d.of(even(16, 2, 5, 5), stride=stride), word=WORD),
            Projection.of(
                "conv1", "conv2", Conv2d.of(even(32, 16, 3, 3), stride=stride), word=WORD
            ),
            Projection.of("conv2", "out", Dense.of(even(10, 1568)), word=WORD),
        ),
    )
    rate = np.zeros((2, 34, 34))
    rate[:, 5:29, 5:29] = 4056 / 60 / (2 * 24 * 24)
    draw = _bernoulli(rate, 60)
    return Workload("conv", "conv 2x34x34-16c5-32c3-10, 60 steps", net, draw, 4, 64)


def speech() -> Workload:
    """700 -> 256 recurrent -> 20, 1,000 steps, 8,000 events, about 3.2 million operations."""
    rng = np.random.default_rng(2)
    feed, loop, last = (
        2 * rng.integers(-127, 128, shape) for shape in ((256, 700), (256, 256), (20, 256))
    )
    net = Network(
        (
            Population("input", (700,)),
            Population("hidden", (256,), FixedNeuron.of(du=409, dv=204, v_th=15233)),
            Population("out", (20,), FixedNeuron.of(du=409, dv=204, v_th=11521)),
        ),
        (
            Projection.of("input", "hidden", Dense.of(feed), word=WORD),
            Projection.of("hidden", "hidden", Dense.of(loop), delay=1, word=WORD),
            Projection.of("hidden", "out", Dense.of(last), word=WORD),
        ),
    )
    draw = _bernoulli(np.full(700, 8000 / 700_000), 1000)
    return Workload("speech", "speech 700-256rec-20, 1,000 steps", net, draw, 2, 64)


def recurrent(
    n_neurons: int = 10_000,
    fan_out: int = 1_000,
    n_steps: int = 1_000,
    reach: int | None = None,
) -> Workload:
    """Neurons of 20 ms, 80 % excitatory, that a bias drives; delays 1 to 16, held 2 steps.

    The input is silent. Weights are whole numbers, so their sums are exact in any order. Targets
    are any neurons, or those at most `reach` away on a ring, with both kinds mixed along it.
    """
    rng = np.random.default_rng(3)
    target = _targets(rng, n_neurons, fan_out, reach)
    weight = rng.integers(1, 4, (n_neurons, fan_out), dtype=np.int8)
    inhibitory = slice(4, None, 5)
    weight[inhibitory] = rng.integers(-13, -6, weight[inhibitory].shape, dtype=np.int8)
    delay = rng.integers(1, 17, target.shape, dtype=np.int8)
    keep = float(np.exp(-1 / 20))
    scale = 1000 / fan_out
    neuron = Neuron.of(
        decay_u=0.0,
        decay_v=keep,
        v_th=200.0 / scale,
        bias=(1 - keep) * rng.uniform(200.0, 406.0, n_neurons) / scale,
        v_init=rng.uniform(0.0, 200.0, n_neurons) / scale,
        fires="reached",
        refractory=2,
    )
    indptr = np.arange(n_neurons + 1) * fan_out
    synapses = Sparse.of(
        weight.ravel().astype(np.float64), indptr=indptr, target=target.ravel(), n_targets=n_neurons
    )
    net = Network(
        (Population("input", (1,)), Population("neurons", (n_neurons,), neuron)),
        (Projection.of("neurons", "neurons", synapses, delay=delay.ravel()),),
    )
    return Workload(
        "recurrent",
        f"recurrent {n_neurons:,} neurons x {fan_out:,} synapses, delays 1-16, {n_steps:,} steps",
        net,
        lambda n: np.zeros((n, n_steps, 1)),
        1,
        0,
    )


def _targets(rng: np.random.Generator, n_neurons: int, fan_out: int, reach: int | None) -> AnyArray:
    """Targets of each neuron, ascending, (neurons, fan_out)."""
    shape = (n_neurons, fan_out)
    if reach is None or 2 * reach >= n_neurons:
        target = rng.integers(0, n_neurons, shape, dtype=np.int32)
    else:
        target = rng.integers(-reach, reach + 1, shape, dtype=np.int32)
        target += np.arange(n_neurons, dtype=np.int32)[:, None]
        target %= n_neurons
    target.sort(axis=1)
    return target


def _bernoulli(rate: AnyArray, n_steps: int) -> Callable[[int], AnyArray]:
    """Independent spikes with probability `rate` per step; each sample has a seed of its own."""

    def draw(n: int) -> AnyArray:
        drawn = (np.random.default_rng([7, i]).random((n_steps, *rate.shape)) for i in range(n))
        return np.stack([(one < rate).astype(np.uint8) for one in drawn])

    return draw


WORKLOADS: dict[str, Callable[[], Workload]] = {
    "dense": dense,
    "conv": conv,
    "speech": speech,
    "recurrent": recurrent,
}
