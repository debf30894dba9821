"""A snnTorch model over whole sequences, its neurons in the fused time loop."""

from typing import Any

import snntorch
import snntorch.surrogate
import torch
from torch import Tensor, nn

from hwsim.neuron import Emits, Fires, Reset
from neuro.spiking.fused import run
from neuro.spiking.surrogate import Spike, surrogate

# snnTorch's surrogates that have a kernel: its function, and the name of its parameter
KNOWN = {
    snntorch.surrogate.atan: "alpha",
    snntorch.surrogate.fast_sigmoid: "slope",
    snntorch.surrogate.sigmoid: "slope",
}
STATELESS = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Flatten, nn.Unflatten, nn.Identity, nn.ReLU,
    nn.AvgPool1d, nn.AvgPool2d, nn.MaxPool1d, nn.MaxPool2d, nn.AdaptiveAvgPool2d,
    nn.Dropout, nn.Dropout1d, nn.Dropout2d,
)  # fmt: skip


def fuse(module: nn.Module) -> nn.Module:
    """A snnTorch model that takes (time, batch, ...) at once, and gives the spikes of every step.

    The parameters are shared with the model, so that either may be trained: `net = fuse(net)` is
    the whole change, and the loop over time goes. Every call starts from rest. Spikes are the
    model's own, for inputs of its dtype; potentials are not returned.

    Args:
        module: a `snntorch.Leaky` or `snntorch.Synaptic`, or an `nn.Sequential` (nested ones too)
            of these, each in one place, and of layers without a state; none with forward hooks.

    Raises:
        ValueError: for what would not fire the same spikes; says why.
    """
    return _fused(module, set())


def _fused(module: nn.Module, seen: set[nn.Module]) -> nn.Module:
    """`seen`: the neurons so far, which keep one state wherever they stand."""
    if module._forward_pre_hooks or module._forward_hooks:
        raise ValueError(
            f"{type(module).__name__} cannot be fused: the loop over time calls its forward hooks "
            "in every step, a fused one could not; remove them"
        )
    if type(module) is nn.Sequential:
        return nn.Sequential(*(_fused(part, seen) for part in module))
    if isinstance(module, snntorch.SpikingNeuron):
        if module in seen:
            raise ValueError(
                f"{type(module).__name__} cannot be fused: it stands in two places, which share "
                "its state; give each a neuron of its own"
            )
        seen.add(module)
        return FusedSnnTorch(module)
    if type(module) in STATELESS:
        return EachStep(module)
    raise ValueError(
        f"{type(module).__name__} cannot be fused: known are nn.Sequential, snnTorch's Leaky and "
        "Synaptic, and layers without a state; fuse its neurons one by one"
    )


class EachStep(nn.Module):
    """A layer without a state, applied to all steps at once."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(time, batch, ...) to (time, batch, ...)."""
        out: Tensor = self.layer(x.flatten(0, 1))
        return out.unflatten(0, x.shape[:2])


class FusedSnnTorch(nn.Module):
    """A neuron of snnTorch, sequence first, with the neuron's own parameters."""

    v_init = 0.0
    refractory = 0
    fires: Fires = "above"
    emits: Emits = "spikes"

    def __init__(self, neuron: Any) -> None:
        super().__init__()
        reason = _refusal(neuron)
        if reason:
            raise ValueError(f"{type(neuron).__name__} cannot be fused: {reason}")
        self.original = neuron
        self.reset: Reset = neuron.reset_mechanism
        self.reset_late = self.detach_reset = bool(neuron.reset_delay)
        self.has_current = isinstance(neuron, snntorch.Synaptic)
        self.spike = _spike(neuron.spike_grad)

    def forward(self, a: Tensor) -> Tensor:
        """Spikes for an arriving current, both (time, batch, *neurons)."""
        neuron: Any = self.original
        decay_u = neuron.alpha.clamp(0, 1) if self.has_current else 0.0
        return run(a, self, decay_u, neuron.beta.clamp(0, 1), neuron.threshold, 0.0)[0]


def _refusal(neuron: Any) -> str:
    """Why the fused loop would not fire the same spikes; "" if it does."""
    if type(neuron) not in (snntorch.Leaky, snntorch.Synaptic):
        return "only Leaky and Synaptic have a fused loop"
    if neuron.inhibition or neuron.state_quant:
        return "`inhibition` and `state_quant` have no fused loop: leave them out"
    if (neuron.threshold < 0).any():
        return "a threshold below 0 makes snnTorch reset from rest: raise it to 0 or more"
    if neuron.surrogate_disable:
        return "`surrogate_disable` leaves no gradient: give it a surrogate"
    factor = neuron.graded_spikes_factor
    if isinstance(factor, nn.Parameter) or not torch.equal(factor, torch.ones_like(factor)):
        return "`graded_spikes_factor` must be a constant 1: move it into the next weights"
    if neuron.reset_mechanism == "subtract" and not neuron.reset_delay:
        return (
            "with reset_delay=False snnTorch subtracts again above two thresholds: use the default"
        )
    late_zero = neuron.reset_mechanism == "zero" and neuron.reset_delay
    if type(neuron) is snntorch.Synaptic and late_zero:
        return "its late reset to zero also drops the current: use reset_delay=False"
    return ""


def _spike(grad: Any) -> Spike:
    """The kernel's surrogate where snnTorch's is known; else its own, for the plain loop."""
    for function, parameter in KNOWN.items():
        name = function.__name__
        if getattr(grad, "__qualname__", "").startswith(f"{name}.<locals>") and (
            grad.__module__ == "snntorch.surrogate"
        ):
            names, cells = grad.__code__.co_freevars, grad.__closure__ or ()
            values = {n: cell.cell_contents for n, cell in zip(names, cells, strict=True)}
            return surrogate(name, **{parameter: float(values[parameter])})
    own: Spike = grad
    return own
