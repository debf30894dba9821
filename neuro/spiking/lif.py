"""Leaky integrate-and-fire layers over whole sequences, in every convention of `hwsim.Neuron`."""

import torch
from torch import Tensor, nn

from hwsim.network import Shape
from hwsim.neuron import EMITS, FIRES, RESETS, Emits, Fires, Neuron, Reset
from neuro.spiking.fused import run
from neuro.spiking.loop import LIFState
from neuro.spiking.surrogate import Spike, surrogate


class LIF(nn.Module):
    """A layer of current-based leaky integrate-and-fire neurons, sequence first.

    In every step: `u <- decay_u u + input_gain a`; `v <- decay_v v + u + bias`; fire where
    `v > v_th` (or `>=`); reset. See `hwsim.Neuron` for the meaning of every convention; the
    table of the papers maps onto them like this: a decayed input (`v += (x - v) / tau`) is
    `decay_v = 1 - 1/tau, input_gain = 1/tau`; a reset applied at the next step is `reset_late`.

    Args:
        decay_u, decay_v: fractions kept per step. v_th: threshold. All three are numbers, or
            broadcast to the neurons; `v_th` may have a row per step (steps, *neurons), of which the
            last stays. v_init: first potential.
        input_gain: factor on the arriving current; folded into the weights by the export.
        reset, reset_late, fires, refractory, emits: as in `hwsim.Neuron`.
        detach_reset: no gradient flows through the reset.
        spike: surrogate of `x = v - v_th`.
        learn: which of "decay_u", "decay_v", "v_th" are trained; decays stay within [0, 1].
        bias_shape: shape of a trained bias, broadcast to the neurons; None for no bias.
    """

    def __init__(
        self,
        *,
        decay_u: float | Tensor = 0.0,
        decay_v: float | Tensor = 0.9,
        v_th: float | Tensor = 1.0,
        v_init: float = 0.0,
        input_gain: float = 1.0,
        reset: Reset = "zero",
        reset_late: bool = False,
        detach_reset: bool = True,
        fires: Fires = "above",
        refractory: int = 0,
        emits: Emits = "spikes",
        spike: Spike | None = None,
        learn: tuple[str, ...] = (),
        bias_shape: Shape | None = None,
    ) -> None:
        super().__init__()
        for given, choices in ((reset, RESETS), (fires, FIRES), (emits, EMITS)):
            if given not in choices:
                raise ValueError(f"{given!r} must be one of {', '.join(choices)}")
        if not isinstance(refractory, int) or refractory < 0:
            raise ValueError(f"`refractory` is {refractory}, must be a whole number from 0")
        unknown = set(learn) - {"decay_u", "decay_v", "v_th"}
        if unknown:
            raise ValueError(f"cannot learn {', '.join(unknown)}: there are decay_u, decay_v, v_th")
        for name, value in (("decay_u", decay_u), ("decay_v", decay_v), ("v_th", v_th)):
            constant = torch.as_tensor(value, dtype=torch.float32).detach().clone()
            if not constant.numel() or constant.isnan().any():
                raise ValueError(f"`{name}` is {value}, must be a number, or one or more of them")
            if name in learn:
                self.register_parameter(name, nn.Parameter(constant))
            else:
                self.register_buffer(name, constant)
        self.bias = None if bias_shape is None else nn.Parameter(torch.zeros(bias_shape))
        self.v_init, self.input_gain = v_init, input_gain
        self.reset, self.reset_late, self.detach_reset = reset, reset_late, detach_reset
        self.fires, self.refractory, self.emits = fires, refractory, emits
        self.spike = spike or surrogate("atan")
        self.has_current = "decay_u" in learn or bool(self.decay_u.any())

    def forward(self, a: Tensor) -> Tensor:
        """Spikes for an arriving current, both (time, batch, *neurons).

        A layer that emits nothing returns its potential instead.
        """
        return self.stream(a)[0]

    def stream(self, a: Tensor, state: LIFState | None = None) -> tuple[Tensor, LIFState]:
        """As `forward`, going on from the `state` of an earlier call; and the state after it.

        Gradients flow through a state; `state.detach()` cuts them.

        Raises:
            ValueError: for no time step, or a state of other neurons or samples.
        """
        decay_u, decay_v = self.decay_u.clamp(0, 1), self.decay_v.clamp(0, 1)
        bias = 0.0 if self.bias is None else self.bias
        a = a if a.is_floating_point() else a.to(self.v_th.dtype)
        a = a * self.input_gain if self.input_gain != 1 else a
        return run(a, self, decay_u, decay_v, self.v_th, bias, state)

    def neuron(self, shape: Shape) -> Neuron:
        """The same neuron as plain arrays, for a population of `shape`."""
        bias = 0.0 if self.bias is None else self.bias.detach().double().cpu().numpy()
        if self.bias is not None and self.bias.ndim < len(shape):
            bias = self.bias.detach().double().cpu().numpy().reshape(-1, *(1,) * (len(shape) - 1))
        return Neuron.of(
            decay_u=self.decay_u.detach().clamp(0, 1).double().cpu().numpy(),
            decay_v=self.decay_v.detach().clamp(0, 1).double().cpu().numpy(),
            v_th=self.v_th.detach().double().cpu().numpy(),
            bias=bias,
            v_init=self.v_init,
            reset=self.reset,
            reset_late=self.reset_late,
            fires=self.fires,
            refractory=self.refractory,
            emits=self.emits,
        )

    def extra_repr(self) -> str:
        """Conventions, for `print(model)`."""
        late = ", late" if self.reset_late else ""
        constants = ", ".join(
            f"{name}={_told(getattr(self, name))}" for name in ("decay_u", "decay_v", "v_th")
        )
        return f"{constants}, reset={self.reset}{late}, emits={self.emits}"


def _told(constant: Tensor) -> str:
    """A number, or the shape of many."""
    return f"{constant.item():g}" if constant.ndim == 0 else str(tuple(constant.shape))
