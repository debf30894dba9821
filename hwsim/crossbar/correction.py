"""Calibration after programming: what a chip's errors do to each channel, taken off digitally."""

from dataclasses import replace

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.crossbar.made import Correction, MadeChip
from hwsim.crossbar.plan import CrossbarPlan
from hwsim.crossbar.ready import ready_at
from hwsim.crossbar.sums import Products, delayed
from hwsim.inputs import Samples, inputs_of
from hwsim.network import Projection
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
    Every projection is measured with the spikes that the exact network sends, so that layers do
    not correct each other's errors.

    Args:
        samples: of the training set. seed: of the noise of reads.
    """
    plan, net = made.plan, made.plan.network
    inputs = dict(zip((p.name for p in net.inputs), inputs_of(net, samples), strict=True))
    sent = inputs | simulate(net, samples, record="spikes").spikes
    bare = made.corrected({})
    rng = np.random.default_rng((seed, 2))
    chip = Products(bare, ready_at(bare, time_s, temperature_k), rng)
    exact = Products(replace(bare, plan=_on_host(plan)), (), rng)
    found = {}
    for number in plan.blocks_of:
        p = net.projections[number]
        x = sent[p.source].astype(np.float64)
        of_delay = delayed(x, 0, x.shape[1])
        shape = net[p.target].shape
        seen, wanted = (_channels(p, shape, q.sums(number, of_delay)) for q in (chip, exact))
        found[number] = _matched(seen, wanted)
    return made.corrected(found)


def _on_host(plan: CrossbarPlan) -> CrossbarPlan:
    return replace(plan, blocks=(), host=frozenset(plan.layers))


def _channels(p: Projection, shape: Shape, sums: FloatArray) -> FloatArray:
    """Sums by what has a correction of its own: a kernel's channel, or a neuron."""
    if isinstance(p.synapses, Conv2d):
        return sums.reshape(len(sums), shape[0], -1).swapaxes(0, 1).reshape(shape[0], -1)
    return sums.T


def _matched(seen: FloatArray, wanted: FloatArray) -> Correction:
    """Factor and offset that give `seen` the mean and standard deviation of `wanted`."""
    spread, goal = seen.std(axis=1), wanted.std(axis=1)
    factor = np.divide(goal, spread, out=np.ones_like(goal), where=(spread > 0) & (goal > 0))
    return Correction(factor, wanted.mean(axis=1) - factor * seen.mean(axis=1))
