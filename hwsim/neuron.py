"""Neurons: every convention of the field as plain fields, in floats and in a chip's integers."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from hwsim.arrays import AnyArray, digest, real, whole, whole_number

Reset = Literal["zero", "subtract", "none"]
Fires = Literal["above", "reached"]
Emits = Literal["spikes", "graded", "nothing"]
FixedEmits = Literal["spikes", "ternary", "graded", "nothing"]
Activation = Literal["relu", "unit"]

RESETS = ("zero", "subtract", "none")
FIRES = ("above", "reached")
EMITS = ("spikes", "graded", "nothing")
FIXED_EMITS = ("spikes", "ternary", "graded", "nothing")
ACTIVATIONS = ("relu", "unit")


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{what}` is {value!r}, must be one of {', '.join(choices)}")


def _in_ranges(neuron: object, ranges: Mapping[str, tuple[int, int]]) -> None:
    for name, (low, high) in ranges.items():
        values = np.asarray(getattr(neuron, name))
        if values.size and (values.min() < low or values.max() > high):
            worst = values.min() if values.min() < low else values.max()
            raise ValueError(
                f"`{name}` is {worst}, outside {low}..{high}: rescale the layer's weights, "
                "threshold and bias together"
            )


def _digest(neuron: Any, later: Mapping[str, object] | None = None) -> str:
    """Hash of every field; a `later` one joins it where it is not what it was before it existed."""
    later = later or {}
    parts = [getattr(neuron, f.name) for f in fields(neuron) if f.name not in later]
    for name, before in later.items():
        value = getattr(neuron, name)
        if isinstance(value, np.ndarray) or value != before:
            parts += [name, value]
    return digest(*parts)


@dataclass(frozen=True, slots=True, eq=False)
class Neuron:
    """A current-based leaky integrate-and-fire neuron in real numbers.

    One time step is
    `u <- decay_u u + a`; `v <- decay_v v + u + bias`; fire where `v > v_th` (or `>=`); reset.

    Arrays broadcast against the population's shape: a scalar, one value per neuron, or, for
    `v_th`, a table per step with a leading axis of time.

    Attributes:
        decay_u: fraction of the synaptic current kept per step, in [0, 1).
        decay_v: fraction of the membrane potential kept per step, in [0, 1].
        v_th: threshold.
        bias: added to `v` in every step.
        v_init: membrane potential before the first step.
        reset: what a spike does to `v`: to `zero`, `subtract` the threshold, or `none`.
        reset_late: the reset acts at the beginning of the next step, so the recorded `v` keeps
            its peak; `zero` then drops the carried potential, `subtract` takes the threshold
            off after the decay.
        fires: `above` the threshold, or already when it is `reached`.
        refractory: steps after a spike in which `v` is held at zero.
        emits: `spikes`; `graded`, the value of `v` where it fires; or `nothing`: a read-out
            that only accumulates.
    """

    decay_u: AnyArray
    decay_v: AnyArray
    v_th: AnyArray
    bias: AnyArray
    v_init: AnyArray
    reset: Reset = "zero"
    reset_late: bool = False
    fires: Fires = "above"
    refractory: int = 0
    emits: Emits = "spikes"

    @classmethod
    def of(
        cls,
        *,
        decay_u: object = 0.0,
        decay_v: object = 1.0,
        v_th: object = 1.0,
        bias: object = 0.0,
        v_init: object = 0.0,
        reset: Reset = "zero",
        reset_late: bool = False,
        fires: Fires = "above",
        refractory: int = 0,
        emits: Emits = "spikes",
    ) -> "Neuron":
        """A neuron from numbers or arrays; see the attributes for their meaning."""
        return cls(
            decay_u=real("`decay_u`", decay_u),
            decay_v=real("`decay_v`", decay_v),
            v_th=real("`v_th`", v_th),
            bias=real("`bias`", bias),
            v_init=real("`v_init`", v_init),
            reset=reset,
            reset_late=bool(reset_late),
            fires=fires,
            refractory=whole_number("`refractory`", refractory),
            emits=emits,
        )

    def __post_init__(self) -> None:
        _one_of("reset", self.reset, RESETS)
        _one_of("fires", self.fires, FIRES)
        _one_of("emits", self.emits, EMITS)
        for name in ("decay_u", "decay_v", "v_th", "bias", "v_init"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"`{name}` holds a NaN or an infinity")
        if self.decay_u.size and not (self.decay_u.min() >= 0 and self.decay_u.max() < 1):
            raise ValueError(
                f"`decay_u` must lie in [0, 1), got {self.decay_u.min():g} to "
                f"{self.decay_u.max():g}: it is the fraction kept per step"
            )
        if self.decay_v.size and not (self.decay_v.min() >= 0 and self.decay_v.max() <= 1):
            raise ValueError(
                f"`decay_v` must lie in [0, 1], got {self.decay_v.min():g} to "
                f"{self.decay_v.max():g}: it is the fraction kept per step"
            )
        if self.refractory < 0:
            raise ValueError(f"`refractory` is {self.refractory}, must be 0 steps or more")

    def digest(self) -> str:
        """Hash of every field."""
        return _digest(self)


DECAY_MAX, V_TH_MAX, BIAS_MANT_MAX, BIAS_EXP_MAX = 4095, 131071, 4095, 7
REFRACTORY_MAX = 63  # Loihi's `refDelay` has 1 to 64 steps and counts that of the spike
STATE_MAX = (1 << 23) - 1  # thresholds and biases of a 24-bit state
EXP_MAX = 7  # three bits [Lava `sdn`, precision of `spike_exp` and `state_exp`]


@dataclass(frozen=True, slots=True, eq=False)
class FixedNeuron:
    """The same neuron in the integers of a Loihi-class core, bit-exact with Lava's `fixed_pt`.

    `u <- trunc0(u (4095 - du)) + (a << 6)`, wrapped to 24 bits;
    `v <- clip(trunc0(v (4096 - dv)) + u + b, +-(2^23 - 1))`, `trunc0(x) = sign(x) (|x| >> 12)`;
    `b = bias_mant << bias_exp`; fire where `v > v_th << 6`; reset. See docs/semantics.md.

    Attributes:
        du, dv: 12-bit decays: `du = 4095` keeps no current, `dv = 0` loses no potential.
        v_th: 17-bit threshold mantissa.
        bias_mant: 13-bit signed mantissa. bias_exp: 0 to 7 (negative shifts right).
        reset: `zero`; `subtract` (the threshold that was crossed) and `none` exist on
            programmable cores only.
        emits: `spikes`; `ternary`, +1 where `v > v_th << 6` and -1 where `v < v_th_low << 6`
            [Lava `TernaryLIF`]; `graded`, the payload `v >> 6` of the potential that fired, before
            its reset (a payload of 0 is no message, the neuron is reset all the same); or
            `nothing`: an accumulating read-out, which never fires.
        refractory: 0 to 63 steps after a spike in which `v` is held at 0 while `u` goes on.
            Loihi's `refDelay` counts the step of the spike too: `refractory + 1`.
        v_th_low: lower threshold of a ternary neuron, -131071 to 0; None for all others.
    """

    du: AnyArray
    dv: AnyArray
    v_th: AnyArray
    bias_mant: AnyArray
    bias_exp: AnyArray
    reset: Reset = "zero"
    emits: FixedEmits = "spikes"
    refractory: int = 0
    v_th_low: AnyArray | None = None

    @classmethod
    def of(
        cls,
        *,
        du: object = DECAY_MAX,
        dv: object = 0,
        v_th: object = 1,
        bias_mant: object = 0,
        bias_exp: object = 0,
        reset: Reset = "zero",
        emits: FixedEmits = "spikes",
        refractory: int = 0,
        v_th_low: object = None,
    ) -> "FixedNeuron":
        """A neuron from integers or arrays of integers."""
        return cls(
            du=whole("`du`", du),
            dv=whole("`dv`", dv),
            v_th=whole("`v_th`", v_th),
            bias_mant=whole("`bias_mant`", bias_mant),
            bias_exp=whole("`bias_exp`", bias_exp),
            reset=reset,
            emits=emits,
            refractory=whole_number("`refractory`", refractory),
            v_th_low=None if v_th_low is None else whole("`v_th_low`", v_th_low),
        )

    def __post_init__(self) -> None:
        _one_of("reset", self.reset, RESETS)
        _one_of("emits", self.emits, FIXED_EMITS)
        ranges = {
            "du": (0, DECAY_MAX),
            "dv": (0, DECAY_MAX),
            "v_th": (0, V_TH_MAX),
            "bias_mant": (-BIAS_MANT_MAX - 1, BIAS_MANT_MAX),
            "bias_exp": (-BIAS_EXP_MAX, BIAS_EXP_MAX),
        }
        if self.v_th_low is not None:
            ranges["v_th_low"] = (-V_TH_MAX, 0)
        _in_ranges(self, ranges)
        if not 0 <= self.refractory <= REFRACTORY_MAX:
            raise ValueError(
                f"`refractory` is {self.refractory} steps, outside 0..{REFRACTORY_MAX}: "
                "shorten it, or let a time step be longer"
            )
        if (self.emits == "ternary") != (self.v_th_low is not None):
            raise ValueError(
                f"`v_th_low` is {self.v_th_low} for a neuron that emits {self.emits!r}: ternary "
                "neurons need a lower threshold, and no others have one"
            )

    def digest(self) -> str:
        """Hash of every field."""
        return _digest(self, {"refractory": 0, "v_th_low": None})

    @property
    def kind(self) -> str:
        """What a chip must have among `limits.neurons` to hold it."""
        return self.emits if self.emits in ("ternary", "graded") else "spikes"

    @property
    def bias(self) -> AnyArray:
        """The bias as it is added to `v`, int64: `mant << exp`, or `mant >> -exp`."""
        mant, exp = np.broadcast_arrays(self.bias_mant, self.bias_exp)
        return np.where(exp >= 0, mant << np.maximum(exp, 0), mant >> np.maximum(-exp, 0))


@dataclass(frozen=True, slots=True, eq=False)
class SigmaDelta:
    """A neuron that sends changes only, bit-exact with Lava's fixed-point `SigmaDelta` and `Delta`.

    With `e = spike_exp + state_exp`, all sums wrapped to 32 bits:
    `sigma <- sigma + a`; `new = f(sigma + (bias << e))`, `f` being `max(0, x)` or `x`;
    `delta = new - act + residue`; send where `|delta| >= v_th << e`; `residue = delta - sent`;
    `act <- new`. The message is `sent >> state_exp`. With `cum_error`: `error <- error + delta`,
    and `|error|` is compared instead; `error` is cleared where something was sent.
    Without `integrates` it is Lava's encoder `Delta`: `new = a << e`. See docs/semantics.md.

    Weights must bring `sigma` to the scale `2^e`: `spike_exp` comes with the messages, `state_exp`
    is the exponent of the weights.

    Attributes:
        v_th: threshold of a change, 0 or more; shifted by `e` it has 24 bits.
        bias: signed, added to `sigma`; shifted by `e` it has 24 bits.
        activation: `relu`, or `unit`, which changes nothing.
        cum_error: compare the sum of the changes since the last message.
        spike_exp, state_exp: binary points of messages and states, 0 to 7.
        integrates: False for an encoder of its input, which has neither bias nor activation.
        emits: `graded`, the changes; or `nothing`: a read-out whose answer is `act`.
    """

    v_th: AnyArray
    bias: AnyArray
    activation: Activation = "relu"
    cum_error: bool = False
    spike_exp: int = 0
    state_exp: int = 0
    integrates: bool = True
    emits: Literal["graded", "nothing"] = "graded"

    @classmethod
    def of(
        cls,
        *,
        v_th: object = 1,
        bias: object = 0,
        activation: Activation = "relu",
        cum_error: bool = False,
        spike_exp: int = 0,
        state_exp: int = 0,
        integrates: bool = True,
        emits: Literal["graded", "nothing"] = "graded",
    ) -> "SigmaDelta":
        """A neuron from integers or arrays of integers."""
        return cls(
            v_th=whole("`v_th`", v_th),
            bias=whole("`bias`", bias),
            activation=activation,
            cum_error=bool(cum_error),
            spike_exp=whole_number("`spike_exp`", spike_exp),
            state_exp=whole_number("`state_exp`", state_exp),
            integrates=bool(integrates),
            emits=emits,
        )

    def __post_init__(self) -> None:
        _one_of("activation", self.activation, ACTIVATIONS)
        _one_of("emits", self.emits, ("graded", "nothing"))
        for name in ("spike_exp", "state_exp"):
            if not 0 <= getattr(self, name) <= EXP_MAX:
                raise ValueError(f"`{name}` is {getattr(self, name)}, must be 0 to {EXP_MAX}")
        limit = STATE_MAX >> self.exp
        _in_ranges(self, {"v_th": (0, limit), "bias": (-limit, limit)})
        if not self.integrates and (self.activation != "unit" or self.bias.any()):
            raise ValueError(
                "an encoder (`integrates` is False) has neither bias nor rectifier: give it "
                '`bias=0` and `activation="unit"`'
            )

    def digest(self) -> str:
        """Hash of every field."""
        return _digest(self)

    @property
    def exp(self) -> int:
        """Binary point of the state: threshold and bias are shifted left by it."""
        return self.spike_exp + self.state_exp

    @property
    def kind(self) -> str:
        """What a chip must have among `limits.neurons` to hold it."""
        return "sigma_delta"


@dataclass(frozen=True, slots=True, eq=False)
class GradedVec:
    """A layer without memory, bit-exact with Lava's `GradedVec` and `GradedReluVec`.

    `v = a`, wrapped to 32 bits; send `v` where `|v| > v_th`, with `relu` where `v > v_th`; `v` is
    cleared in every step. (Lava's process also holds an `exp`, which its model never reads.)

    Attributes:
        v_th: threshold, 0 to 2^23 - 1.
        activation: `unit`, changes of both signs are sent; or `relu`.
    """

    v_th: AnyArray
    activation: Activation = "unit"

    @classmethod
    def of(cls, *, v_th: object = 1, activation: Activation = "unit") -> "GradedVec":
        """A neuron from integers or arrays of integers."""
        return cls(v_th=whole("`v_th`", v_th), activation=activation)

    def __post_init__(self) -> None:
        _one_of("activation", self.activation, ACTIVATIONS)
        _in_ranges(self, {"v_th": (0, STATE_MAX)})

    def digest(self) -> str:
        """Hash of every field."""
        return _digest(self)

    @property
    def emits(self) -> Literal["graded"]:
        """It always sends payloads."""
        return "graded"

    @property
    def kind(self) -> str:
        """What a chip must have among `limits.neurons` to hold it."""
        return "graded"


IntegerNeuron = FixedNeuron | SigmaDelta | GradedVec
AnyNeuron = Neuron | IntegerNeuron
