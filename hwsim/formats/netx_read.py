"""netx in: a `.net` file of lava-dl as a `Network` of a chip's integers, a verdict a layer."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.formats.hdf5_tree import read_tree
from hwsim.formats.netx_layers import (
    DELAY_MAX,
    LOST,
    REFUSED,
    Layer,
    UnsupportedError,
    encoder_of,
    loses_exponent,
    message_bits,
    neuron_of,
    word_of,
)
from hwsim.formats.nir_read import Imported, NodeVerdict
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.synapses import Conv2d, Dense, Shape, Sparse, Synapses, size_of, with_weight

INPUT_BITS = 24  # of the numbers that an input layer with neurons takes
MS = 1e-3


def read_netx(path: Path, *, layers: int | None = None) -> Imported:
    """Read a `.net` file; the network computes what lava-dl's reader builds of it in Lava.

    Every projection takes the one step that a spike takes in Lava, besides its delay. A file does
    not hold how many bits input spikes have, so `messageBits` of the input layer, which we write,
    says it; without, they are plain. A time step is `simulation/Ts` milliseconds, 1 if not given.

    Args:
        path: the file. layers: read the first so many only, as lava-dl's `num_layers`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no valid network.
    """
    path = Path(path)
    tree = read_tree(path, "netx", "layer")
    try:
        found = _layers(tree, layers)
        step = _step(path)
        return _Reader(found, step).read()
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    except MemoryError:
        raise ValueError(f"{path}: it needs more memory than there is") from None


def _layers(tree: dict[str, Any], limit: int | None) -> list[Layer]:
    names = [str(i) for i in range(len(tree))]
    if not names or set(names) != set(tree):
        raise ValueError(
            f"layers are called {', '.join(sorted(tree))[:60] or 'nothing'}: netx numbers them "
            "from 0 without a gap"
        )
    if limit is not None and limit < 1:
        raise ValueError(f"`layers` is {limit}, must be 1 or more")
    for name in names:
        if not isinstance(tree[name], dict):
            raise ValueError(f"layer {name} is no group of fields")
    return [Layer(i, tree[name]) for i, name in enumerate(names[:limit])]


def _step(path: Path) -> float:
    try:
        found = read_tree(path, "netx", "simulation").get("Ts")
    except ValueError:
        return MS
    if not isinstance(found, np.ndarray) or found.size != 1 or not np.isfinite(found).all():
        return MS
    step = float(found.reshape(())) * MS
    return step if step > 0 else MS


@dataclass(slots=True)
class _Reader:
    """Goes along the chain of layers and collects what they are."""

    layers: list[Layer]
    dt_s: float
    populations: list[Population] = field(default_factory=list)
    projections: list[Projection] = field(default_factory=list)
    verdicts: list[NodeVerdict] = field(default_factory=list)
    bits: int = 0
    unsupported: bool = False

    def read(self) -> Imported:
        for layer in self.layers:
            name = layer.text("name") if "name" in layer else f"{layer.kind}{layer.index}"
            kind = layer.kind
            try:
                if self.unsupported:
                    raise UnsupportedError("what comes before it is not read")
                reason, grade = self._take(layer, kind, name), "exact"
            except UnsupportedError as error:
                self.unsupported = True
                reason, grade = str(error), "unsupported"
            except (ValueError, KeyError) as error:
                told = str(error)
                where = f"layer {layer.index}"
                raise ValueError(told if told.startswith(where) else f"{where}: {told}") from None
            self.verdicts.append(NodeVerdict(name, kind, grade, reason))  # type: ignore[arg-type]
        if self.unsupported:
            return Imported(None, tuple(self.verdicts))
        net = Network(tuple(self.populations), tuple(self.projections), self.dt_s)
        return Imported(net, tuple(self.verdicts))

    def _take(self, layer: Layer, kind: str, name: str) -> str:
        if kind in REFUSED:
            before = "leave it out with `layers` (`--layers`)" if self.populations else "retrain"
            raise UnsupportedError(f"{REFUSED[kind]}: {before}")
        takers = {"input": self._input, "flatten": self._flatten, "conv": self._conv}
        takers |= {"pool": self._pool, "dense": self._dense, "dense_rec": self._dense}
        if kind not in takers:
            known = ", ".join([*takers, *REFUSED])
            raise ValueError(f"layer {layer.index} is of type {kind!r}, netx knows {known}")
        if kind != "input" and not self.populations:
            self._start(layer, kind)
        return takers[kind](layer, name)

    def _start(self, layer: Layer, kind: str) -> None:
        """An input for a file that begins with synapses."""
        if kind not in ("dense", "dense_rec"):
            raise ValueError(
                f"layer {layer.index} ({kind}) comes first, so nothing says how large its input "
                "is: begin with a layer of type input"
            )
        n_targets = size_of(layer.shape())
        n_sources = layer.numbers("weight").size // n_targets
        self.populations.append(Population("input", (max(n_sources, 1),)))

    def _input(self, layer: Layer, name: str) -> str:
        if self.populations:
            raise ValueError(f"layer {layer.index} is a second input: netx has one, the first")
        shape = layer.shape()
        self.bits = message_bits(layer)
        if layer.group("neuron") is None:
            self.populations.append(Population(name, shape))
            return ""
        self.populations.append(Population(_other_than(name, "input"), shape))
        self.populations.append(Population(name, shape, encoder_of(layer)))
        word = WeightWord(8, 0, "excitatory", INPUT_BITS)
        ends = (self.populations[0].name, name)
        self.projections.append(Projection.of(*ends, identity(shape), word=word))
        if "weight" in layer or "bias" in layer:
            weight, bias = layer.one("weight", 64), layer.one("bias", 0)
            return f"its samples are what the neurons take: {weight} x + {bias} of a value x"
        return "its samples are what the neurons take"

    def _flatten(self, layer: Layer, name: str) -> str:
        return "neurons are counted as (channels, height, width), as here"

    def _conv(self, layer: Layer, name: str) -> str:
        if "delay" in layer:
            raise UnsupportedError(
                "it has delays, which lava-dl's reader ignores in a convolution: train it without"
            )
        weight = self._whole_weights(layer)
        if weight.ndim == 5 and weight.shape[4] == 1:
            weight = weight[..., 0]
        synapses = Conv2d.of(
            weight,
            stride=layer.pair("stride", 1),
            padding=layer.pair("padding", 0),
            dilation=layer.pair("dilation", 1),
            groups=layer.one("groups", 1),
        )
        shape = layer.shape()
        self._add(layer, name, shape, synapses, np.array(1))
        return self._note(layer)

    def _pool(self, layer: Layer, name: str) -> str:
        """Summing pooling: a kernel of one weight on each channel."""
        if "delay" in layer:
            raise UnsupportedError(
                "it has delays, which lava-dl's reader does not know: train without"
            )
        if layer.pair("dilation", 1) != (1, 1):
            raise UnsupportedError(f"its dilation is {layer.pair('dilation', 1)}, must be 1")
        channels = self.populations[-1].shape[0]
        weight = self._whole_weights(layer)
        window = layer.pair("kernelSize", 1)
        if weight.size != window[0] * window[1]:
            raise ValueError(
                f"layer {layer.index}: `weight` has {weight.size} values, its window is {window}"
            )
        kernel = weight.reshape(1, 1, *window)
        synapses = Conv2d.of(
            np.repeat(kernel, channels, axis=0),
            stride=layer.pair("stride", 1),
            padding=layer.pair("padding", 0),
            groups=channels,
        )
        self._add(layer, name, layer.shape(), synapses, np.array(1))
        return "folded into a convolution of one group for each channel"

    def _dense(self, layer: Layer, name: str) -> str:
        n = size_of(layer.shape())
        source = self.populations[-1]
        weight = self._matrix(layer, "weight", n, source.size)
        self._add(layer, name, (n,), Dense.of(weight), self._delay(layer, "delay", weight))
        if layer.kind == "dense_rec":
            back = self._matrix(layer, "weight_rec", n, n)
            delay, bits = self._delay(layer, "delay_rec", back), message_bits(layer)
            stored, word = word_of(back, bits, layer.word("word_rec"))
            join = Projection.of(name, name, Dense.of(stored), delay=delay, word=word)
            self.projections.append(join)
        return self._note(layer)

    def _add(
        self, layer: Layer, name: str, shape: Shape, synapses: Synapses, delay: IntArray
    ) -> None:
        """A population and the projection from the one before."""
        bias = _bias(layer, shape)
        population = Population(name, shape, neuron_of(layer, bias))
        stored, word = word_of(synapses.weight, self.bits, layer.word("word"))
        synapses = with_weight(synapses, stored)
        source = self.populations[-1].name
        self.populations.append(population)
        self.projections.append(Projection.of(source, name, synapses, delay=delay, word=word))
        self.bits = message_bits(layer)

    def _whole_weights(self, layer: Layer, name: str = "weight") -> IntArray:
        if layer.group(name) is not None:
            raise UnsupportedError("its weights are complex, for resonate-and-fire neurons")
        weight = layer.whole(name)
        if not weight.size:
            raise ValueError(f"layer {layer.index}: `{name}` is empty")
        return weight

    def _matrix(self, layer: Layer, name: str, n: int, n_sources: int) -> IntArray:
        weight = self._whole_weights(layer, name)
        if weight.ndim == 1 and weight.size % n == 0:
            weight = weight.reshape(n, -1)
        if weight.shape != (n, n_sources):
            raise ValueError(
                f"layer {layer.index}: `{name}` is {weight.shape}, must be {(n, n_sources)}: "
                "neurons of this layer and of the one before"
            )
        return weight

    def _delay(self, layer: Layer, name: str, weight: IntArray) -> IntArray:
        """Steps from a spike to its arrival: one, and the file's, per synapse or for all."""
        if name not in layer:
            return np.array(1)
        given = layer.numbers(name)
        steps = np.trunc(given).astype(np.int64)  # as lava-dl reads them
        if steps.size and (steps.min() < 0 or steps.max() > DELAY_MAX):
            raise ValueError(
                f"layer {layer.index}: `{name}` reaches {steps.min()}..{steps.max()} steps, netx "
                f"holds 0..{DELAY_MAX}"
            )
        rows, columns = weight.shape
        if steps.size == 1:
            return steps.reshape(()) + 1
        if steps.shape == (rows,):
            steps = np.repeat(steps[:, None], columns, axis=1)
        elif steps.shape == (columns,):
            steps = np.repeat(steps[None], rows, axis=0)
        if steps.shape != weight.shape:
            raise ValueError(
                f"layer {layer.index}: `{name}` is {steps.shape}, its weights are {weight.shape}"
            )
        return steps + 1

    def _note(self, layer: Layer) -> str:
        notes = []
        neuron = layer.group("neuron")
        if neuron is not None and neuron.one("refDelay", 1) > 1:
            notes.append("lava-dl's reader ignores its `refDelay`")
        if "delay" in layer and loses_exponent(layer.numbers("weight")):
            notes.append(LOST)
        return "; ".join(notes)


def identity(shape: Shape) -> Synapses:
    """Neuron to neuron, weight 1."""
    if len(shape) == 3:
        ones = np.ones((shape[0], 1, 1, 1), dtype=np.int64)
        return Conv2d.of(ones, groups=shape[0])
    n = size_of(shape)
    each = np.ones(n, dtype=np.int64)
    return Sparse.of(each, indptr=np.arange(n + 1), target=np.arange(n), n_targets=n)


def _bias(layer: Layer, shape: Shape) -> AnyArray:
    """For all, per neuron, or per channel; a full one is (width, height, channels) in Lava."""
    if "bias" not in layer:
        return np.zeros((), dtype=np.int64)
    bias: AnyArray = layer.whole("bias")
    if bias.size == 1:
        return bias.reshape(())
    if len(shape) == 3 and bias.shape == shape[::-1]:
        return bias.transpose(2, 1, 0)
    if bias.shape != shape[:1]:
        raise ValueError(
            f"layer {layer.index}: `bias` is {bias.shape}, must be one number for each of "
            f"{shape[0]} {'channels' if len(shape) == 3 else 'neurons'}"
        )
    return bias.reshape(-1, 1, 1) if len(shape) == 3 else bias


def _other_than(name: str, wanted: str) -> str:
    return wanted if wanted != name else f"{wanted}_"
