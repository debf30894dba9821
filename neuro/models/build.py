"""A `Stack` from its specification."""

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from hwsim.crossbar.device_files import load_device
from hwsim.network import Shape
from neuro.models.dropout import NeuronDropout
from neuro.models.lsm import Reservoir, set_weights
from neuro.models.stack import Block, Stack
from neuro.recipe import LayerSpec, ModelSpec, ReservoirSpec
from neuro.spiking import LIF, Delay, surrogate


def build_stack(spec: ModelSpec, input_shape: Shape, n_classes: int) -> Stack:
    """A fresh stack for inputs of `input_shape`; draw its weights under a seed of your own.

    Raises:
        ValueError: if a layer does not suit its input; names the layer.
    """
    blocks: dict[str, nn.Module] = {}
    shape = input_shape
    for i, layer in enumerate(spec.layers):
        last = i == len(spec.layers) - 1
        size = layer.size or (n_classes if last else None)
        if size is None:
            raise ValueError(f"layer {layer.name!r} needs a `size`")
        if last and (layer.kind == "conv" or size != n_classes):
            raise ValueError(
                f"the last layer {layer.name!r} must be dense, or of delays, with {n_classes} "
                f"neurons, one per class, got {layer.kind} with {size}"
            )
        if not last and layer.neuron.emits == "nothing":
            raise ValueError(f"layer {layer.name!r} emits nothing: only the last layer may")
        blocks[layer.name] = _block(layer, size, shape, spec)
        shape = blocks[layer.name].target_shape(shape)
    return Stack(blocks, input_shape, score=spec.score)


def _block(layer: LayerSpec, size: int, source: Shape, spec: ModelSpec) -> Block:
    if layer.kind == "conv" and len(source) != 3:
        raise ValueError(f"layer {layer.name!r}: a convolution needs (channels, height, width)")
    synapses = _synapses(layer, size, source)
    bias_shape = (size, 1, 1) if layer.kind == "conv" else (size,)
    spike = surrogate(spec.surrogate.name, **spec.surrogate.shape)
    conventions = layer.neuron.model_dump()
    neurons = LIF(**conventions, spike=spike, bias_shape=bias_shape if layer.bias else None)
    norm = None
    if layer.norm:
        norm = nn.BatchNorm2d(size) if layer.kind == "conv" else nn.BatchNorm1d(size)
    feedback = nn.Linear(size, size, bias=False) if layer.recurrent else None
    dropout = NeuronDropout(layer.dropout) if layer.dropout_of == "neurons" else layer.dropout
    try:
        block = Block(synapses, neurons, norm=norm, dropout=dropout, feedback=feedback)
        if layer.reservoir is not None:
            _freeze(block, layer.reservoir, size, math.prod(source))
    except ValueError as error:
        raise ValueError(f"layer {layer.name!r}: {error}") from error
    return block


def _freeze(block: Block, spec: ReservoirSpec, size: int, n_inputs: int) -> None:
    """Give a block random weights that stay, of torch's own seed."""
    rng = np.random.default_rng(int(torch.randint(2**62, ()).item()))
    how: dict[str, Any] = {"scale": spec.scale}
    how |= {name: getattr(block.neurons, name).item() for name in ("decay_v", "v_th")}
    if spec.source == "formed":
        how |= {"device": load_device(spec.device), "breakdown_volt": spec.breakdown_volt}
        set_weights(block, Reservoir.formed(n_inputs, size, rng, **how))
    else:
        set_weights(block, Reservoir.gaussian(n_inputs, size, rng, **how))
    for layer in (block.synapses, block.feedback):
        if layer is not None:
            layer.requires_grad_(False)


def _synapses(layer: LayerSpec, size: int, source: Shape) -> nn.Linear | nn.Conv2d | Delay:
    if layer.kind == "dense":
        return nn.Linear(math.prod(source), size, bias=False)
    if layer.kind == "delay":
        delay = Delay(math.prod(source), size, n_taps=layer.taps, bumps=layer.bumps,
                      bump=layer.bump, right_pad=layer.right_pad)  # fmt: skip
        delay.position.requires_grad_(layer.delays == "learned" and layer.taps > 1)
        return delay
    if source[0] % layer.groups or size % layer.groups:
        raise ValueError(
            f"layer {layer.name!r}: {layer.groups} groups do not divide its {source[0]} channels "
            f"in and {size} out"
        )
    span = layer.dilation * (layer.kernel - 1) + 1
    if min(source[1:]) + 2 * layer.padding < span:
        raise ValueError(
            f"layer {layer.name!r}: a kernel spanning {span} pixels does not fit its input "
            f"{source[1]} x {source[2]} with padding {layer.padding}"
        )
    return nn.Conv2d(
        source[0],
        size,
        layer.kernel,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        bias=False,
    )
