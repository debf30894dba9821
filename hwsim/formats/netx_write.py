"""netx out: a chain of a chip's integers as a `.net` file that lava-dl's reader builds in Lava."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.atomic import atomic_path
from hwsim.formats.netx_layers import (
    BIAS_EXP,
    DELAY_MAX,
    LOST,
    NEVER,
    SDN_BITS,
    SDN_EXP,
    SIGNS,
    loses_exponent,
)
from hwsim.formats.netx_read import INPUT_BITS, MS, identity
from hwsim.formats.nir_read import Grade, NodeVerdict
from hwsim.network import Network, Population, Projection
from hwsim.neuron import BIAS_MANT_MAX, DECAY_MAX, FixedNeuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse

MAX_WEIGHTS = 2**28  # of one matrix
LAVA_RANGE = (-256, 254)  # lava-dl clips what is beyond


def write_netx(net: Network, path: Path) -> tuple[NodeVerdict, ...]:
    """Write a `.net` file, atomically; `read_netx` gives back the network with a chip's delays.

    A file is a chain: an input, then layers, each with synapses from the one before and, if it is
    dense, from itself. Where a projection has no delay, layers run late by the one step that Lava
    needs; what that changes is in the verdicts.

    Returns:
        For every population whether the file says all of it.

    Raises:
        ValueError: naming what netx has no word for; then nothing is written.
        OSError: if the place cannot be written.
    """
    writer = _Writer(net)
    writer.collect()
    with atomic_path(Path(path)) as temporary, h5py.File(temporary, "w") as file:
        file["simulation/Ts"] = net.dt_s / MS
        for i, fields in enumerate(writer.layers):
            for name, value in fields.items():
                if name == "type":
                    value = np.array([value], dtype="S10")
                file[f"layer/{i}/{name}"] = value
    return tuple(writer.verdicts)


@dataclass(slots=True)
class _Writer:
    """Collects the fields of every layer, or refuses."""

    net: Network
    layers: list[dict[str, Any]] = field(default_factory=list)
    verdicts: list[NodeVerdict] = field(default_factory=list)
    late: int = 0

    def collect(self) -> None:
        if not self.net.is_integer:
            raise ValueError(
                "the network is real, netx holds a chip's integers: quantise it first, or "
                "export a run that was deployed"
            )
        order, ahead = self._chain()
        here = order[0]
        self._input(here, order, ahead)
        for population in order[1:]:
            p = ahead.get(population.name)
            if p is not None:
                self._layer(population, p)

    def _chain(self) -> tuple[list[Population], dict[str, Projection]]:
        """Populations from the input to the output, and the projection into each of them."""
        if len(self.net.inputs) != 1:
            raise ValueError(
                f"the network has {len(self.net.inputs)} inputs, netx holds one: export to Lava"
            )
        order = [self.net.inputs[0]]
        ahead: dict[str, Projection] = {}
        while True:
            here = order[-1]
            out = [p for p in self.net.out_of(here.name) if p.target != here.name]
            if not out:
                break
            seen = {p.name for p in order}
            if len(out) > 1 or out[0].target in seen:
                p = out[-1]
                raise ValueError(
                    f"projection {p.source} -> {p.target} leaves the chain: netx holds layers one "
                    "after another; export to NIR or Lava"
                )
            ahead[out[0].target] = out[0]
            order.append(self.net[out[0].target])
        missing = [p.name for p in self.net.populations if p.name not in {q.name for q in order}]
        if missing:
            raise ValueError(f"population {missing[0]!r} is not on the way from the input: netx "
                             "holds one chain")  # fmt: skip
        if self.net.output != order[-1].name:
            raise ValueError(
                f"the output is {self.net.output!r}, netx's is the last layer, {order[-1].name!r}"
            )
        return order, ahead

    def _input(
        self, here: Population, order: list[Population], ahead: dict[str, Projection]
    ) -> None:
        _check_shape(here)
        fields: dict[str, Any] = {"type": "input", "shape": here.shape, "name": here.name}
        if len(order) > 1:
            first = order[1]
            p = ahead[first.name]
            if _is_identity(p, first):
                fields["name"] = first.name
                fields |= self._neuron(first, is_input=True, bits=self._bits(first, p))
                fields |= {"weight": 1, "bias": 0}
                del ahead[first.name]
                if any(q.source == first.name for q in self.net.into(first.name)):
                    raise ValueError(f"population {first.name!r} feeds itself, netx's input not")
                self.layers.append(fields)
                self._say(first.name, "input")
                return
            assert p.word is not None
            fields["messageBits"] = p.word.message_bits
        self.layers.append(fields)
        self._say(here.name, "input")

    def _layer(self, population: Population, p: Projection) -> None:
        where = f"projection {p.source} -> {p.target}"
        assert p.word is not None
        _check_shape(population)
        source = self.net[p.source]
        early = p.delay.min() == 0
        delay = p.delay + int(early)  # Lava takes a step for every spike
        self.late += int(early)
        weight = _effective(where, p)
        back = [q for q in self.net.into(population.name) if q.source == population.name]
        if len(back) > 1:
            raise ValueError(f"{population.name!r} feeds itself twice: add up the weights")
        if isinstance(p.synapses, Conv2d):
            if back:
                raise ValueError(
                    f"population {population.name!r} feeds itself: netx knows that of dense layers"
                )
            fields = self._conv(where, source, population, p.synapses, weight, delay)
        else:
            fields = self._dense(where, source, population, p, weight, delay)
        word = [p.word.n_bits, p.word.exp, SIGNS.index(p.word.sign_mode)]
        fields |= {"name": population.name, "word": word}
        if back:
            fields |= self._recurrent(population, back[0])
        fields |= self._neuron(population, is_input=False, bits=self._bits(population, p))
        self.layers.append(fields)
        self._say(population.name, str(fields["type"]), *self._notes(population, fields))

    def _conv(
        self, where: str, source: Population, target: Population, conv: Conv2d, weight: IntArray,
        delay: IntArray,
    ) -> dict[str, Any]:  # fmt: skip
        if (delay != 1).any():
            raise ValueError(
                f"{where} takes {int(delay.max())} steps: netx has no delay of a convolution"
            )
        if len(source.shape) != 3 or (self.layers and self.layers[-1]["type"] == "dense"):
            raise ValueError(f"{where} is a convolution of a dense layer: netx's has no image")
        return {
            "type": "conv",
            "shape": target.shape,
            "inChannels": source.shape[0],
            "outChannels": target.shape[0],
            "kernelSize": conv.weight.shape[2:],
            "stride": conv.stride,
            "padding": conv.padding,
            "dilation": conv.dilation,
            "groups": conv.groups,
            "weight": weight.astype(np.int32),
        }

    def _dense(
        self, where: str, source: Population, target: Population, p: Projection, weight: IntArray,
        delay: IntArray,
    ) -> dict[str, Any]:  # fmt: skip
        if len(source.shape) == 3:
            n = source.size
            self.layers.append({"type": "flatten", "shape": (n, 1, 1)})
            self._say(f"flatten{len(self.layers) - 1}", "flatten")
        weight, delay = _as_matrix(where, p, source, target, weight, delay)
        low, high = LAVA_RANGE
        if weight.min() < low or weight.max() > high:
            raise ValueError(
                f"{where}: weights {weight.min()}..{weight.max()}, lava-dl clips dense ones at "
                f"{low}..{high}: quantise to a smaller scale"
            )
        fields: dict[str, Any] = {"type": "dense", "shape": (target.size,)}
        fields |= {"inFeatures": source.size, "outFeatures": target.size}
        fields["weight"] = weight.astype(np.int32)
        if (delay != 1).any():
            fields["delay"] = _steps(where, delay)
        return fields

    def _recurrent(self, population: Population, p: Projection) -> dict[str, Any]:
        where = f"projection {p.source} -> {p.target}"
        assert p.word is not None
        weight, delay = _as_matrix(where, p, population, population, _effective(where, p), p.delay)
        word = [p.word.n_bits, p.word.exp, SIGNS.index(p.word.sign_mode)]
        fields = {"type": "dense_rec", "weight_rec": weight.astype(np.int32), "word_rec": word}
        if (delay != 1).any():
            fields["delay_rec"] = _steps(where, delay)
        if p.word.message_bits != self._bits(population, p):
            raise ValueError(f"{where}: its message bits differ from those of the way ahead")
        return fields

    def _bits(self, population: Population, default: Projection) -> int:
        """Message bits of what a population sends."""
        ways = self.net.out_of(population.name)
        ways = tuple(p for p in ways if p.target != population.name) or ways
        return ways[0].word.message_bits if ways and ways[0].word else 0

    def _neuron(self, population: Population, *, is_input: bool, bits: int) -> dict[str, Any]:
        neuron, name = population.neuron, population.name
        if isinstance(neuron, SigmaDelta):
            fields = _sigma_delta(name, neuron, is_input=is_input)
            bias = neuron.bias
            usual = SDN_BITS
        elif isinstance(neuron, FixedNeuron):
            fields = _cuba(name, neuron)
            if is_input and (neuron.du != DECAY_MAX).any():
                raise ValueError(
                    f"population {name!r} keeps current (`du` {neuron.du.min()}), netx's input "
                    f"layer takes samples as its bias: set `du` to {DECAY_MAX}"
                )
            bias = self._bias_mant(population, neuron)
            usual = 0
        else:
            raise ValueError(
                f"population {name!r} is {type(neuron).__name__}: netx has none such: export to "
                "Lava"
            )
        made = {f"neuron/{key}": value for key, value in fields.items()}
        if bits != usual and neuron.emits != "nothing":
            made["neuron/messageBits"] = bits
        if bias.any():
            if is_input:
                raise ValueError(f"population {name!r} has a bias, netx's input layer none")
            made["bias"] = _bias_shape(bias, population).astype(np.int32)
        return made

    def _bias_mant(self, population: Population, neuron: FixedNeuron) -> IntArray:
        """Biases in netx's unit, 64 of the potential's."""
        unit = 1 << BIAS_EXP
        mant = np.rint(neuron.bias / unit).astype(np.int64)
        if np.abs(mant).max(initial=0) > BIAS_MANT_MAX:
            raise ValueError(
                f"population {population.name!r} has a bias of {np.abs(neuron.bias).max()}, netx "
                f"holds {BIAS_MANT_MAX * unit}: rescale the layer"
            )
        return mant

    def _notes(self, population: Population, fields: dict[str, Any]) -> list[tuple[Grade, str]]:
        neuron, notes = population.neuron, list[tuple[Grade, str]]()
        if isinstance(neuron, FixedNeuron):
            bias = neuron.bias
            n_off = int((bias % (1 << BIAS_EXP) != 0).sum())
            if n_off:
                n = f"{n_off} of {bias.size} biases are rounded to multiples of 64"
                notes.append(("approximate", n))
            if self.late and bias.any():
                late = f"its bias acts {self.late} steps before the first input can arrive"
                notes.append(("approximate", late + ", but with lava-dl's `reset_interval`"))
            if neuron.refractory and neuron.emits != "nothing":
                notes.append(("approximate", "lava-dl's reader ignores the refractory time"))
        if isinstance(neuron, SigmaDelta) and self.late and neuron.bias.any():
            late = f"its bias acts {self.late} steps before the first input can arrive"
            notes.append(("approximate", late))
        for weight, delay in (("weight", "delay"), ("weight_rec", "delay_rec")):
            if delay in fields and loses_exponent(fields[weight]):
                notes.append(("approximate", LOST))
        if fields["type"] == "dense_rec":
            notes.append(("approximate", "lava-dl 0.4 does not read recurrent layers"))
        return notes

    def _say(self, name: str, kind: str, *notes: tuple[Grade, str]) -> None:
        grade: Grade = "approximate" if notes else "exact"
        self.verdicts.append(NodeVerdict(name, kind, grade, "; ".join(n for _, n in notes)))


def _check_shape(population: Population) -> None:
    if len(population.shape) not in (1, 3):
        raise ValueError(
            f"population {population.name!r} has shape {population.shape}, netx holds (neurons,) "
            "and (channels, height, width)"
        )


def _is_identity(p: Projection, target: Population) -> bool:
    """Whether an input layer's neurons take the samples themselves."""
    if p.word is None or p.word.message_bits != INPUT_BITS or p.delay.any() or p.delay.ndim:
        return False
    if p.word.exp or (p.synapses.weight != 1).any():
        return False
    try:
        return p.synapses.digest() == identity(target.shape).digest()
    except ValueError:
        return False


def _effective(where: str, p: Projection) -> IntArray:
    """Weights with their exponent, as a file holds them."""
    assert p.word is not None
    weight = p.synapses.weight.astype(np.int64)
    if p.word.exp >= 0:
        return weight << p.word.exp
    if (weight % (1 << -p.word.exp)).any():
        raise ValueError(
            f"{where} has weight exponent {p.word.exp} and weights that it does not divide: netx "
            "keeps no exponent; quantise to another scale"
        )
    return weight >> -p.word.exp


def _as_matrix(
    where: str, p: Projection, source: Population, target: Population, weight: IntArray,
    delay: AnyArray,
) -> tuple[IntArray, AnyArray]:  # fmt: skip
    """Dense weights and their delays; sparse ones are filled up with zeros."""
    if isinstance(p.synapses, Dense):
        return weight, delay
    if not isinstance(p.synapses, Sparse):
        raise ValueError(f"{where}: netx's recurrent layers are dense")
    if source.size * target.size > MAX_WEIGHTS:
        raise ValueError(
            f"{where} is sparse, its matrix has {source.size * target.size:,} weights, at most "
            f"{MAX_WEIGHTS:,} are written"
        )
    at = (p.synapses.target, p.synapses.source)
    if len(np.unique(at[0].astype(np.int64) * source.size + at[1])) < weight.size:
        raise ValueError(f"{where}: two synapses join the same neurons, a matrix holds one")
    matrix = np.zeros((target.size, source.size), dtype=np.int64)
    matrix[at] = weight
    if not delay.ndim:
        return matrix, delay
    steps = np.full_like(matrix, int(delay.min()))
    steps[at] = delay
    return matrix, steps


def _steps(where: str, delay: AnyArray) -> AnyArray:
    """Delays as netx counts them, from the next step on."""
    steps = delay - 1
    if steps.max() > DELAY_MAX:
        raise ValueError(
            f"{where} takes {int(steps.max()) + 1} steps, netx holds {DELAY_MAX + 1}: shorten it"
        )
    return steps if not steps.ndim or np.ptp(steps) else steps.flat[0]


def _cuba(name: str, neuron: FixedNeuron) -> dict[str, Any]:
    if neuron.emits not in ("spikes", "nothing"):
        raise ValueError(
            f"population {name!r} emits {neuron.emits}, netx's CUBA neurons spikes: export to Lava"
        )
    if neuron.emits == "spikes" and neuron.reset != "zero":
        raise ValueError(
            f"population {name!r} resets by {neuron.reset!r}, netx's only to zero: train with that"
        )
    values = {k: _same(name, k, getattr(neuron, k)) for k in ("du", "dv", "v_th")}
    v_th = NEVER if neuron.emits == "nothing" else values["v_th"]
    return {
        "type": "CUBA",
        "iDecay": values["du"] + 1,
        "vDecay": values["dv"],
        "vThMant": v_th,
        "refDelay": neuron.refractory + 1,
        "gradedSpike": False,
    }


def _sigma_delta(name: str, neuron: SigmaDelta, *, is_input: bool) -> dict[str, Any]:
    where = f"population {name!r}"
    if neuron.emits != "nothing" and (neuron.spike_exp, neuron.state_exp) != (SDN_EXP, SDN_EXP):
        raise ValueError(
            f"{where} has binary points {neuron.spike_exp} and {neuron.state_exp}, netx {SDN_EXP}"
        )
    if neuron.cum_error:
        raise ValueError(f"{where} sums up errors (`cum_error`), netx's neurons do not")
    if neuron.integrates == is_input:
        what = "an integrating neuron" if is_input else "an encoder"
        raise ValueError(f"{where} is {what}, which netx's layer there is not")
    last = neuron.emits == "nothing"
    if neuron.integrates and (neuron.activation == "unit") != last:
        raise ValueError(
            f"{where} has activation {neuron.activation!r}: netx has relu, and unit for a layer "
            "that is read out"
        )
    if last and neuron.bias.any():
        raise ValueError(f"{where} has a bias, netx's `sigma_output` has none")
    fields = {"type": "SDNN", "activation": "relu", "vThMant": _same(name, "v_th", neuron.v_th)}
    return fields | ({"sigma_output": True} if last else {})


def _same(name: str, what: str, values: AnyArray) -> int:
    if np.ptp(values):
        raise ValueError(
            f"population {name!r} has a `{what}` for each neuron ({values.min()}..{values.max()}), "
            "netx has one for all: export it with one"
        )
    return int(values.flat[0])


def _bias_shape(bias: AnyArray, population: Population) -> AnyArray:
    """Per neuron, per channel, or as Lava lies an image."""
    full = np.broadcast_to(bias, population.shape)
    if full.ndim == 1:
        return full
    if (full == full[:, :1, :1]).all():
        return full[:, 0, 0]
    return full.transpose(2, 1, 0)
