"""Calibration after programming: what a chip's errors do to each channel, taken off digitally."""

from dataclasses import dataclass, replace

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.engine import CHUNK_BYTES, as_sent, bytes_per_step
from hwsim.crossbar.made import Correction, MadeChip, check_made
from hwsim.crossbar.plan import CrossbarPlan
from hwsim.crossbar.ready import ready_at
from hwsim.crossbar.seeds import CORRECTION, stream_of
from hwsim.crossbar.sums import Products
from hwsim.crossbar.unrolled import delayed
from hwsim.inputs import Samples, inputs_of
from hwsim.network import Network, Projection
from hwsim.simulation import simulate
from hwsim.synapses import Conv2d, Shape


def calibrate_chip(
    made: MadeChip,
    samples: Samples,
    *,
    time_s: float = 0.0,
    temperature_k: float | None = None,
    seed: int = 0,
) -> MadeChip:
    """The same chip with every channel's sums brought back to the mean and spread they should have.

    This is what re-estimating BatchNorm's statistics on the chip does; behind a layer without
    BatchNorm it is a new threshold and bias of each channel (of each neuron, where none is shared).
    Every projection, or those that are joined together, is measured with the spikes that the exact
    network sends, so that layers do not correct each other's errors.

    Args:
        samples: of the training set. seed: of the noise of reads.
    """
    plan = check_made(made).plan
    net = plan.network
    inputs = {
        p.name: x.reshape(*x.shape[:2], *p.shape)
        for p, x in zip(net.inputs, inputs_of(net, samples), strict=True)
    }
    n_samples, n_steps = next(iter(inputs.values())).shape[:2]
    bare, rng = made.corrected({}), stream_of(seed, made.seed, CORRECTION)
    chip = Products(bare, ready_at(bare, time_s, temperature_k), rng)
    exact = Products(replace(bare, plan=_on_host(plan)), (), rng)
    seen, wanted = ({number: Moments() for number in plan.blocks_of} for _ in "12")
    size = max(1, CHUNK_BYTES // (n_steps * bytes_per_step(net, plan.join)))
    for at in range(0, n_samples, size):
        sent = _sent(net, {name: x[at : at + size] for name, x in inputs.items()})
        for numbers in plan.together:
            if (first := numbers[0]) not in plan.blocks_of:
                continue
            p = net.projections[first]
            heard = {k: delayed(sent[net.projections[k].source], 0, n_steps) for k in numbers}
            for products, moments in ((chip, seen), (exact, wanted)):
                sums = products.sums(numbers, heard)
                moments[first].add(_channels(p, net[p.target].shape, sums))
    return made.corrected({k: _matched(seen[k], wanted[k]) for k in plan.blocks_of})


def _sent(net: Network, samples: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """What all populations of the exact network send, (samples, steps, neurons)."""
    run = simulate(net, samples, record="spikes")
    return {name: as_sent(x) for name, x in run.spikes.items()}


def _on_host(plan: CrossbarPlan) -> CrossbarPlan:
    return replace(plan, blocks=(), host=frozenset(plan.layers))


def _channels(p: Projection, shape: Shape, sums: FloatArray) -> FloatArray:
    """Sums by what has a correction of its own: a kernel's channel, or a neuron."""
    if isinstance(p.synapses, Conv2d):
        return sums.reshape(len(sums), shape[0], -1).swapaxes(0, 1).reshape(shape[0], -1)
    return sums.T


@dataclass(slots=True, eq=False)
class Moments:
    """Count, mean and summed squares around it of every channel, of values that come in parts."""

    n: int = 0
    mean: FloatArray | float = 0.0
    squares: FloatArray | float = 0.0

    def add(self, values: FloatArray) -> None:
        """Take in values (channels, some)."""
        n, mean = values.shape[1], values.mean(axis=1)
        total, away = self.n + n, mean - self.mean
        around = ((values - mean[:, None]) ** 2).sum(axis=1)
        self.squares = self.squares + around + away**2 * (self.n * n / total)
        self.mean = self.mean + away * (n / total)
        self.n = total

    @property
    def sd(self) -> FloatArray:
        """Standard deviation of every channel."""
        return np.asarray(np.sqrt(self.squares / self.n))


def _matched(seen: Moments, wanted: Moments) -> Correction:
    """Factor and offset that give `seen` the mean and standard deviation of `wanted`."""
    spread, goal = seen.sd, wanted.sd
    factor = np.divide(goal, spread, out=np.ones_like(goal), where=(spread > 0) & (goal > 0))
    return Correction(factor, np.asarray(wanted.mean - factor * seen.mean))
