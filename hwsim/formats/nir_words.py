"""What NIR's nodes can say of our neurons and synapses."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse

from hwsim.arrays import FloatArray
from hwsim.formats.nir_linear import Window, unrolled
from hwsim.network import Population, Projection
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Shape, Sparse


@dataclass(frozen=True, slots=True)
class Said:
    """A neuron in real numbers, as far as NIR goes, and what it leaves out."""

    neuron: Neuron
    lost: str = ""


def of_one_group(conv: Conv2d) -> FloatArray:
    """The kernel with zeros where groups do not meet: `nir` types grouped convolutions wrongly."""
    n, per_group, height, width = conv.weight.shape
    weight = np.zeros((n, conv.groups, per_group, height, width))
    weight[np.arange(n), np.arange(n) * conv.groups // n] = conv.weight
    return weight.reshape(n, -1, height, width)


def pool_of(conv: Any) -> str:
    """The pooling that a convolution is, or ""."""
    if not isinstance(conv, Conv2d):
        return ""
    n, per_group, height, width = conv.weight.shape
    if n != conv.groups or per_group != 1 or conv.dilation != (1, 1):
        return ""
    if (conv.weight == 1).all():
        return "SumPool2d"
    return "AvgPool2d" if (conv.weight == 1 / (height * width)).all() else ""


def matrix_of(q: Projection, source: Population, target: Population, only: Any) -> FloatArray:
    """Weights as (target, source); `only` of some synapses."""
    synapses = q.synapses
    if isinstance(synapses, Conv2d):
        pads, geometry = synapses.padding, (synapses.dilation, synapses.groups)
        window = Window(
            synapses.weight.astype(np.float64),
            synapses.stride,
            pads,
            pads,
            *geometry,
            source.shape,
            target.shape,
        )
        return np.asarray(unrolled(window).todense())
    weight = synapses.weight.astype(np.float64)
    if only is not None:
        weight = np.where(only, weight, 0.0)
    if isinstance(synapses, Dense):
        return weight
    assert isinstance(synapses, Sparse)
    ends = (synapses.target, synapses.source)
    made = sparse.coo_array((weight, ends), shape=(target.size, source.size))
    return np.asarray(made.todense())


def always_sends(neuron: Neuron) -> bool:
    """Whether a neuron sends its potential in every step, whatever that is."""
    lowest = float(np.finfo(np.float64).min)
    return neuron.emits == "graded" and bool((neuron.v_th == lowest).all())


def said_of(neuron: Any, shape: Shape) -> Said:
    """What NIR can say of a neuron."""
    if isinstance(neuron, Neuron):
        return _said_of_real(neuron, shape)
    if isinstance(neuron, FixedNeuron):
        made = Neuron.of(
            decay_u=(4095 - neuron.du) / 4096,
            decay_v=(4096 - neuron.dv) / 4096,
            v_th=neuron.v_th,
            bias=neuron.bias / 64,
            emits="nothing" if neuron.emits == "nothing" else "spikes",
        )
        lost = ["a chip's integers", *_conventions(neuron)]
        if neuron.kind != "spikes":
            lost.append(f"{neuron.kind} spikes")
        return Said(made, ", ".join(lost))
    if isinstance(neuron, GradedVec):
        return Said(Neuron.of(decay_v=0, v_th=neuron.v_th), "graded messages")
    assert isinstance(neuron, SigmaDelta)
    return Said(Neuron.of(v_th=neuron.v_th), "sigma-delta coding")


def _said_of_real(neuron: Neuron, shape: Shape) -> Said:
    is_spiking = neuron.emits != "nothing" and not always_sends(neuron)
    lost = _conventions(neuron) if is_spiking else []
    if neuron.v_th.ndim > len(shape):
        neuron = replace(neuron, v_th=neuron.v_th[0])
        lost.append("a threshold per step, of which the first is written")
    if neuron.emits == "graded" and is_spiking:
        lost.append("graded spikes")
    if neuron.v_init.any():
        lost.append("the first potential")
    return Said(neuron, ", ".join(lost))


def _conventions(neuron: Neuron | FixedNeuron) -> list[str]:
    """What differs from NIR's spike: above the threshold, then to zero."""
    said = []
    if neuron.reset != "zero":
        said.append(f"reset {neuron.reset!r}")
    if neuron.refractory:
        said.append(f"{neuron.refractory} refractory steps")
    if isinstance(neuron, Neuron):
        if neuron.reset_late:
            said.append("a late reset")
        if neuron.fires != "above":
            said.append("firing at the threshold")
    return said
