"""snnTorch's layers in our terms: a neuron, a linear node, or the reason why it is neither."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import snntorch
from snntorch import SpikingNeuron
from torch import nn

from hwsim.arrays import AnyArray, FloatArray
from hwsim.formats.nir_neurons import Found
from hwsim.neuron import Neuron, Reset
from hwsim.synapses import Shape

PLAIN = (nn.Flatten, nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d)
WEIGHTS = (nn.Linear, nn.Conv1d, nn.Conv2d)
NEURONS = (
    snntorch.Leaky,
    snntorch.Lapicque,
    snntorch.Synaptic,
    snntorch.RLeaky,
    snntorch.RSynaptic,
)
RESETS: dict[str, Reset] = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}
INSTEAD: dict[type[nn.Module], str] = {
    snntorch.Alpha: "two currents meet in one neuron: train a Synaptic",
    nn.MaxPool1d: "a maximum is no sum of spikes: train with AvgPool2d",
    nn.MaxPool2d: "a maximum is no sum of spikes: train with AvgPool2d",
    nn.AdaptiveAvgPool2d: "its window is not written down: give an AvgPool2d of that window",
}
KNOWN = ", ".join(kind.__name__ for kind in (*WEIGHTS, nn.AvgPool2d, *NORMS, nn.Flatten, *NEURONS))


def is_layer(module: nn.Module) -> bool:
    """Whether a module is taken as a whole: it has no parts, or is a neuron with a loop."""
    return isinstance(module, SpikingNeuron) or not list(module.children())


def refusal(module: nn.Module) -> str:
    """Why there is no such layer here, and the way out; "" if there is one."""
    if type(module) in NEURONS:
        return _refused_neuron(module)
    if isinstance(module, SpikingNeuron) or type(module) in INSTEAD:
        return INSTEAD.get(type(module), f"known are {KNOWN}: train one of these")
    if type(module) is nn.AvgPool2d:
        plain = not module.ceil_mode and module.divisor_override is None
        even = module.count_include_pad or not any(_pair(module.padding))
        return (
            ""
            if plain and even
            else (
                "its windows do not all divide by their area: use ceil_mode=False, "
                "divisor_override=None, and padding=0 or count_include_pad=True"
            )
        )
    if isinstance(module, nn.Conv1d | nn.Conv2d) and module.padding_mode != "zeros":
        return f"padding is {module.padding_mode!r}, a chip pads with zeros only: train with zeros"
    if isinstance(module, NORMS) and module.running_mean is None:
        return "it keeps no statistics to fold: train it with track_running_stats=True"
    if type(module) in (*WEIGHTS, *NORMS, *PLAIN):
        return ""
    return f"known are {KNOWN}: build the network of these"


def _refused_neuron(layer: Any) -> str:
    reset = RESETS.get(layer.state_function.__name__)
    late = getattr(layer, "reset_delay", True)
    if layer.inhibition:
        return "only its highest neuron fires (`inhibition`): train without"
    if layer.state_quant:
        return "its states are rounded (`state_quant`): train without, `hwsim.quantize` rounds"
    if bool((layer.graded_spikes_factor != 1).any()):
        return (
            "its spikes count `graded_spikes_factor`: multiply the next weights by it, set it to 1"
        )
    if reset != layer.reset_mechanism:
        return (
            f"its `reset_mechanism` became {layer.reset_mechanism!r} after it was made, which "
            f"snnTorch does not follow (it computes {reset!r}): make it anew"
        )
    if not late and type(layer) is snntorch.RSynaptic:
        return "snnTorch's RSynaptic has no reset at once: train it with reset_delay=True"
    if bool((layer.threshold < 0).any()):
        return "a threshold lies below 0, where a neuron fires at rest: train with 0 or more"
    if hasattr(layer, "alpha") and bool((layer.alpha >= 1).any()):
        return "`alpha` is 1 or more, so its current never decays: train with less"
    if type(layer) is snntorch.Lapicque and not 0 <= float(_kept(layer).min()) <= 1:
        return (
            f"it keeps 1 - time_step / (R C) = {float(_kept(layer).min()):.3g} of its potential: "
            "shorten `time_step`, or give a `beta` of at least 1 / e"
        )
    return ""


def neuron(layer: Any, shape: Shape) -> Found:
    """What a neuron computes, in its own constants: nothing goes through a time constant.

    A late reset to zero of all but `Leaky` drops what arrives in its step, too.
    """
    reset = RESETS[layer.state_function.__name__]
    late = getattr(layer, "reset_delay", True) and reset != "none"
    drops = late and reset == "zero" and type(layer) is not snntorch.Leaky
    lapicque = type(layer) is snntorch.Lapicque
    kept = _kept(layer) if lapicque else layer.beta.clamp(0, 1)
    made = Neuron.of(
        decay_u=_each(layer.alpha.clamp(0, 1), shape) if hasattr(layer, "alpha") else 0.0,
        decay_v=_each(kept, shape),
        v_th=_each(layer.threshold, shape),
        reset=reset,
        reset_late=late and not drops,
        refractory=int(drops),
    )
    factor = np.ravel(_each(layer.time_step / layer.C, shape)) if lapicque else np.ones(1)
    if late or reset != "subtract":
        return Found(made, factor)
    why = (
        "a potential that a reset at once leaves above the threshold fires in snnTorch's next step "
        "only if it is above twice the threshold then"
    )
    return Found(made, factor, approximate=why)


def node(module: Any, norm: Any = None) -> dict[str, Any]:
    """A linear layer as NIR's fields, a BatchNorm behind it folded in."""
    if isinstance(module, WEIGHTS):
        return _weights(module, norm)
    if isinstance(module, nn.AvgPool2d):
        return {
            "type": "AvgPool2d",
            "kernel_size": np.array(_pair(module.kernel_size)),
            "stride": np.array(_pair(module.stride)),
            "padding": np.array(_pair(module.padding)),
        }
    return {"type": "Identity"}


def loop(layer: Any, shape: Shape) -> dict[str, Any] | None:
    """What a neuron's own spikes bring it in the next step; None if nothing."""
    if not isinstance(layer, snntorch.RLeaky | snntorch.RSynaptic):
        return None
    if layer.all_to_all:
        return node(layer.recurrent)
    return {"type": "Scale", "scale": np.broadcast_to(_numbers(layer.recurrent.V), shape)}


def _weights(module: Any, norm: Any) -> dict[str, Any]:
    weight = _numbers(module.weight)
    bias = np.zeros(len(weight)) if module.bias is None else _numbers(module.bias)
    if norm is not None:
        mean, gain = _numbers(norm.running_mean), 1 / np.sqrt(_numbers(norm.running_var) + norm.eps)
        gain = gain if norm.weight is None else gain * _numbers(norm.weight)
        weight = weight * gain.reshape(-1, *(1,) * (weight.ndim - 1))
        bias = gain * (bias - mean) + (0.0 if norm.bias is None else _numbers(norm.bias))
    if isinstance(module, nn.Linear):
        return {"type": "Affine", "weight": weight, "bias": bias}
    fields: Mapping[str, Any] = {
        name: value if isinstance(value, str) else np.array(value)
        for name in ("stride", "padding", "dilation")
        for value in (getattr(module, name),)
    }
    kind = type(module).__name__
    return {"type": kind, "weight": weight, "bias": bias, "groups": module.groups, **fields}


def _kept(layer: Any) -> Any:
    """What a Lapicque neuron keeps of its potential in a step: its `beta` plays no part in it."""
    return 1 - layer.time_step / (layer.R * layer.C)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _numbers(tensor: Any) -> FloatArray:
    return np.asarray(tensor.detach().double().cpu().numpy())


def _each(tensor: Any, shape: Shape) -> AnyArray:
    """One number, or one per neuron; torch's leading axis of the batch is taken off."""
    values = _numbers(tensor)
    if values.size == 1:
        return values.reshape(())
    if values.ndim > len(shape) and len(values) == 1:
        values = values[0]
    return np.broadcast_to(values, shape)
