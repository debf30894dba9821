"""The words of netx [lava-dl 0.4, `netx/hdf5.py`]: a layer's fields, and the integers they mean."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, IntArray, frozen
from hwsim.network import WeightWord
from hwsim.neuron import DECAY_MAX, V_TH_MAX, FixedNeuron, SigmaDelta

BIAS_EXP = 6  # of every CUBA neuron
SDN_EXP = 6  # binary point of messages and of states
SDN_BITS = 16  # of a sigma-delta neuron's messages, unless a layer says otherwise
DELAY_MAX = 62  # beyond the one step that every spike takes
MAX_NEURONS = 2**25  # of a layer
NEVER = V_TH_MAX + 1  # threshold of a read-out: no potential is larger
SIGNS = ("mixed", "excitatory", "inhibitory")
REFUSED = {
    "average": "it averages groups of neurons after the run",
    "convT": "a transposed convolution has no form here, as in lava-dl's own reader",
    "unpool": "lava-dl's own reader has none either",
    "concat": "lava-dl's own reader has none either",
    "dense_comp": "its weights are complex, for resonate-and-fire neurons",
}


class UnsupportedError(ValueError):
    """What a layer holds and no network here can: a verdict, not a broken file."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One group `layer/{i}` of a file."""

    index: int
    fields: dict[str, Any]

    @property
    def kind(self) -> str:
        """Its `type`, e.g. "dense"."""
        return self.text("type")

    def __contains__(self, name: str) -> bool:
        return name in self.fields

    def group(self, name: str) -> "Layer | None":
        """A group in it, None if there is none."""
        found = self.fields.get(name)
        return Layer(self.index, found) if isinstance(found, dict) else None

    def text(self, name: str) -> str:
        """One word; netx writes it alone or as an array of one."""
        found = self.fields.get(name)
        found = found[0] if isinstance(found, list) and len(found) == 1 else found
        if not isinstance(found, str):
            raise ValueError(f"layer {self.index} has no `{name}` that is one word")
        return found

    def numbers(self, name: str) -> AnyArray:
        """Finite numbers of any shape."""
        found = self.fields.get(name)
        if not isinstance(found, np.ndarray):
            raise ValueError(f"layer {self.index} has no `{name}` that is numbers")
        if not np.isfinite(found).all():
            raise ValueError(f"layer {self.index}: `{name}` holds a NaN or an infinity")
        return found

    def whole(self, name: str) -> IntArray:
        """Whole numbers of any shape."""
        found = self.numbers(name)
        if (found != np.rint(found)).any() or np.abs(found).max(initial=0) > 2**31:
            raise ValueError(f"layer {self.index}: `{name}` must be whole numbers below 2^31")
        return found.astype(np.int64)

    def one(self, name: str, default: int | None = None) -> int:
        """One whole number."""
        if name not in self.fields and default is not None:
            return default
        found = self.whole(name)
        if found.size != 1:
            raise ValueError(f"layer {self.index}: `{name}` is {found.shape}, must be one number")
        return int(found.reshape(()))

    def pair(self, name: str, default: int) -> tuple[int, int]:
        """Two whole numbers, vertical and horizontal; one stands for both."""
        found = self.whole(name) if name in self.fields else np.array(default)
        if found.size not in (1, 2):
            raise ValueError(f"layer {self.index}: `{name}` is {found.shape}, must be two numbers")
        vertical, across = np.broadcast_to(found.ravel(), (2,)).tolist()
        return vertical, across

    def shape(self) -> tuple[int, ...]:
        """Its `shape`, (channels, height, width) or (neurons,)."""
        sizes = tuple(self.whole("shape").ravel().tolist())
        if len(sizes) not in (1, 3) or min(sizes) < 1:
            told = sizes if len(sizes) < 5 else f"of {len(sizes)} numbers"
            raise ValueError(
                f"layer {self.index} has shape {told}, must be (neurons,) or (channels, height, "
                "width)"
            )
        if math.prod(sizes) > MAX_NEURONS:
            raise ValueError(
                f"layer {self.index} of shape {sizes} has {math.prod(sizes):,} neurons, at most "
                f"{MAX_NEURONS:,} are read: split the network"
            )
        return sizes

    def word(self, name: str) -> tuple[int, int, int] | None:
        """Bits, exponent and sign of the word that weights came from; None: not said."""
        if name not in self.fields:
            return None
        found = self.whole(name).ravel().tolist()
        if len(found) != 3 or not 0 <= found[2] < len(SIGNS):
            raise ValueError(
                f"layer {self.index}: `{name}` is {found[:4]}, must be bits, exponent, sign"
            )
        return found[0], found[1], found[2]


def neuron_of(layer: Layer, bias: AnyArray) -> FixedNeuron | SigmaDelta:
    """The neuron of a layer that is no input.

    Raises:
        UnsupportedError: if there is none here that computes the same.
        ValueError: if its numbers are out of range.
    """
    found = layer.group("neuron")
    if found is None:
        raise UnsupportedError(
            "it names no neuron: lava-dl then takes one whose current never decays"
        )
    kind = found.text("type")
    if kind in ("LOIHI", "CUBA"):
        return _cuba(found, bias)
    if kind == "SDNN":
        if "sigma_output" in found:
            if bias.any():
                raise UnsupportedError(
                    "a `sigma_output` has no bias in Lava: put it a layer before"
                )
            return SigmaDelta.of(
                v_th=found.one("vThMant"), activation="unit", spike_exp=SDN_EXP,
                state_exp=SDN_EXP, emits="nothing",
            )  # fmt: skip
        activation = found.text("activation") if "activation" in found else "relu"
        if activation != "relu":
            raise UnsupportedError(f"activation {activation!r}: lava-dl's reader knows only relu")
        return SigmaDelta.of(
            v_th=found.one("vThMant"), bias=bias, spike_exp=SDN_EXP, state_exp=SDN_EXP
        )
    raise UnsupportedError(f"neurons of type {kind!r}: here are LOIHI, CUBA and SDNN")


def encoder_of(layer: Layer) -> FixedNeuron | SigmaDelta:
    """The neuron of an input layer: what comes in is its sum of the step."""
    found = layer.group("neuron")
    if found is not None and found.text("type") == "SDNN":
        return SigmaDelta.of(
            v_th=found.one("vThMant"), activation="unit", spike_exp=SDN_EXP, state_exp=SDN_EXP,
            integrates=False,
        )  # fmt: skip
    neuron = neuron_of(layer, np.zeros((), dtype=np.int64))
    assert isinstance(neuron, FixedNeuron)
    return replace(neuron, du=frozen(DECAY_MAX, np.int64))  # samples are its bias in lava-dl


def _cuba(found: Layer, bias: AnyArray) -> FixedNeuron:
    if found.one("wgtExp", 0):
        raise UnsupportedError(
            f"`wgtExp` is {found.one('wgtExp')}, which lava-dl's reader ignores: export it with 0"
        )
    if "gradedSpike" in found and found.one("gradedSpike"):
        raise UnsupportedError("graded spikes of a CUBA neuron: lava-dl's reader ignores them")
    v_th, rest = found.one("vThMant"), found.one("refDelay", 1)
    if found.one("vDecay") == 4096:
        raise UnsupportedError("`vDecay` is 4096, at most 4095 fit: a membrane keeps 1/4096 here")
    return FixedNeuron.of(
        du=found.one("iDecay") - 1,
        dv=found.one("vDecay"),
        v_th=min(v_th, V_TH_MAX) if v_th == NEVER else v_th,
        bias_mant=bias,
        bias_exp=BIAS_EXP if bias.any() else 0,
        emits="nothing" if v_th == NEVER else "spikes",
        refractory=max(rest - 1, 0),
    )


def loses_exponent(weight: AnyArray) -> bool:
    """Whether lava-dl 0.4 multiplies these weights if they have delays: it drops their exponent."""
    return bool(weight.any() and weight.max() < 128 and weight.min() >= -128)


LOST = "lava-dl 0.4 multiplies weights with delays unless one is beyond -128..127"


def message_bits(layer: Layer) -> int:
    """Payload bits of what a layer sends."""
    found = layer.group("neuron")
    if found is None:
        return layer.one("messageBits", 0)
    return found.one("messageBits", SDN_BITS if found.text("type") == "SDNN" else 0)


def word_of(
    weight: IntArray, bits: int, told: tuple[int, int, int] | None
) -> tuple[IntArray, WeightWord]:
    """Weights as a word stores them: `stored * 2^exp` are the file's.

    Args:
        weight: the file's. bits: payload bits of the spikes. told: (bits, exponent, sign) of the
            word they came from, if a file says so.

    Raises:
        UnsupportedError: if no word of 8 bits holds them.
    """
    low, high = int(weight.min(initial=0)), int(weight.max(initial=0))
    if told is not None:
        n_bits, exp, sign = told
        word = WeightWord(n_bits, exp, SIGNS[sign], bits)  # type: ignore[arg-type]
        stored = weight >> exp if exp >= 0 else weight << -exp
        if (_effective(stored, exp) == weight).all() and _holds(word, stored):
            return stored, word
    for exp in (0, -1, *range(1, 8)):
        stored = weight >> exp if exp >= 0 else weight << -exp
        if (_effective(stored, exp) != weight).any():
            continue
        for sign_mode in SIGNS:
            word = WeightWord(8, exp, sign_mode, bits)  # type: ignore[arg-type]
            if _holds(word, stored):
                return stored, word
    raise UnsupportedError(
        f"weights {low}..{high} fit no word of 8 bits: mixed signs are even numbers of -256..254, "
        "or any of -128..127"
    )


def _effective(stored: IntArray, exp: int) -> IntArray:
    return stored << exp if exp >= 0 else stored >> -exp


def _holds(word: WeightWord, stored: IntArray) -> bool:
    low, high = word.range
    fits = stored.min(initial=0) >= low and stored.max(initial=0) <= high
    return bool(fits and not (stored % word.step).any())
