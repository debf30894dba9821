"""From a real `hwsim.Network` that is a chain of layers back to torch: a second opinion on it."""

from typing import NoReturn

import numpy as np
import torch
from torch import nn

from hwsim.network import Network, Population, Projection
from hwsim.neuron import Neuron
from hwsim.synapses import Conv2d, Dense
from neuro.models.stack import Block, Stack
from neuro.spiking.lif import LIF


def stack_of(net: Network) -> Stack:
    """The stack of a real network, in float64 and in evaluation.

    Raises:
        ValueError: if the network is no chain of layers after one input, or a layer has what a
            stack has not (integers, delays, values per step); names it and the way out.
    """
    source, *layers = net.populations
    if source.neuron is not None or len(net.projections) != len(layers):
        _refuse("the network is no chain of layers after one input")
    blocks: dict[str, nn.Module] = {}
    before = source.name
    for population in layers:
        into = net.into(population.name)
        if len(into) != 1 or into[0].source != before:
            _refuse(f"layer {population.name!r} does not listen to {before!r} alone")
        blocks[population.name] = Block(_synapses(into[0], population), _neurons(population))
        before = population.name
    if net.output != before:
        _refuse(f"the output {net.output!r} is not the last layer")
    return Stack(blocks, source.shape).double().eval()


def _refuse(why: str) -> NoReturn:
    raise ValueError(f"{why}: torch stacks have no such thing, use `hwsim.simulate`")


def _synapses(projection: Projection, target: Population) -> nn.Linear | nn.Conv2d:
    synapses, name = projection.synapses, target.name
    if projection.word is not None:
        _refuse(f"layer {name!r} has integer weights")
    if projection.delay.any() or projection.gain.ndim:
        _refuse(f"layer {name!r} has delays, or a gain per step")
    weight = torch.from_numpy(np.array(synapses.weight * projection.gain, dtype=np.float64))
    module: nn.Linear | nn.Conv2d
    if isinstance(synapses, Conv2d):
        out, per_group, height, width = weight.shape
        module = nn.Conv2d(
            per_group * synapses.groups, out, (height, width), synapses.stride, synapses.padding,
            synapses.dilation, synapses.groups, bias=False,
        )  # fmt: skip
    elif isinstance(synapses, Dense) and len(target.shape) == 1:
        module = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    else:
        _refuse(f"layer {name!r} has sparse synapses, or dense ones onto {target.shape}")
    module.weight = nn.Parameter(weight)
    return module


def _neurons(population: Population) -> LIF:
    neuron, shape = population.neuron, population.shape
    if not isinstance(neuron, Neuron) or neuron.v_init.ndim or neuron.v_th.ndim > len(shape):
        _refuse(f"layer {population.name!r} has integers, or a threshold or start of its own kind")
    lif = LIF(
        decay_u=float(neuron.decay_u.max()),
        v_init=float(neuron.v_init),
        reset=neuron.reset,
        reset_late=neuron.reset_late,
        fires=neuron.fires,
        refractory=neuron.refractory,
        emits=neuron.emits,
    )
    for name in ("decay_u", "decay_v", "v_th"):
        setattr(lif, name, torch.from_numpy(np.array(getattr(neuron, name), dtype=np.float64)))
    lif.bias = nn.Parameter(torch.from_numpy(np.array(neuron.bias, dtype=np.float64)))
    return lif
