"""Neurons: every convention of the field as plain fields, in floats and in a chip's integers."""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np

from hwsim.arrays import AnyArray, digest, frozen

Reset = Literal["zero", "subtract", "none"]
Fires = Literal["above", "reached"]
Emits = Literal["spikes", "graded", "nothing"]

RESETS = ("zero", "subtract", "none")
FIRES = ("above", "reached")
EMITS = ("spikes", "graded", "nothing")


def _one_of(what: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"`{what}` is {value!r}, must be one of {', '.join(choices)}")


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
            decay_u=frozen(decay_u, np.float64),
            decay_v=frozen(decay_v, np.float64),
            v_th=frozen(v_th, np.float64),
            bias=frozen(bias, np.float64),
            v_init=frozen(v_init, np.float64),
            reset=reset,
            reset_late=bool(reset_late),
            fires=fires,
            refractory=int(refractory),
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
        return digest(*(getattr(self, f.name) for f in fields(self)))


DECAY_MAX, V_TH_MAX, BIAS_MANT_MAX, BIAS_EXP_MAX = 4095, 131071, 4095, 7


@dataclass(frozen=True, slots=True, eq=False)
class FixedNeuron:
    """The same neuron in the integers of a Loihi-class core, bit-exact with Lava's `fixed_pt`.

    `u <- trunc0(u (4095 - du)) + (a << 6)`, wrapped to 24 bits;
    `v <- clip(trunc0(v (4096 - dv)) + u + b, +-(2^23 - 1))`, `trunc0(x) = sign(x) (|x| >> 12)`;
    `b = bias_mant << bias_exp`; fire where `v > v_th << 6`; reset.

    Attributes:
        du, dv: 12-bit decays: `du = 4095` keeps no current, `dv = 0` loses no potential.
        v_th: 17-bit threshold mantissa.
        bias_mant: 13-bit signed mantissa. bias_exp: 0 to 7 (negative shifts right).
        reset: `zero`; `subtract` and `none` exist on programmable cores only.
        emits: `spikes`, or `nothing`: an accumulating read-out, which never fires.
    """

    du: AnyArray
    dv: AnyArray
    v_th: AnyArray
    bias_mant: AnyArray
    bias_exp: AnyArray
    reset: Reset = "zero"
    emits: Emits = "spikes"

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
        emits: Emits = "spikes",
    ) -> "FixedNeuron":
        """A neuron from integers or arrays of integers."""
        return cls(
            du=frozen(du, np.int64),
            dv=frozen(dv, np.int64),
            v_th=frozen(v_th, np.int64),
            bias_mant=frozen(bias_mant, np.int64),
            bias_exp=frozen(bias_exp, np.int64),
            reset=reset,
            emits=emits,
        )

    def __post_init__(self) -> None:
        _one_of("reset", self.reset, RESETS)
        _one_of("emits", self.emits, ("spikes", "nothing"))
        ranges = {
            "du": (0, DECAY_MAX),
            "dv": (0, DECAY_MAX),
            "v_th": (0, V_TH_MAX),
            "bias_mant": (-BIAS_MANT_MAX - 1, BIAS_MANT_MAX),
            "bias_exp": (-BIAS_EXP_MAX, BIAS_EXP_MAX),
        }
        for name, (low, high) in ranges.items():
            values = getattr(self, name)
            if values.size and (values.min() < low or values.max() > high):
                worst = values.min() if values.min() < low else values.max()
                raise ValueError(
                    f"`{name}` is {worst}, outside {low}..{high}: rescale the layer's weights, "
                    "threshold and bias together"
                )

    def digest(self) -> str:
        """Hash of every field."""
        return digest(*(getattr(self, f.name) for f in fields(self)))

    @property
    def bias(self) -> AnyArray:
        """The bias as it is added to `v`, int64: `mant << exp`, or `mant >> -exp`."""
        mant, exp = np.broadcast_arrays(self.bias_mant, self.bias_exp)
        return np.where(exp >= 0, mant << np.maximum(exp, 0), mant >> np.maximum(-exp, 0))
