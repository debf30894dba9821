"""The contract: populations of neurons joined by projections. Frozen, validated, plain arrays."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import Literal, get_args

import numpy as np

from hwsim.arrays import AnyArray, digest, real, whole, whole_number
from hwsim.neuron import AnyNeuron, IntegerNeuron, Neuron
from hwsim.synapses import Conv2d, Shape, Synapses, size_of

SignMode = Literal["mixed", "excitatory", "inhibitory"]
NEURON_ARRAYS = ("decay_u", "decay_v", "du", "dv", "bias", "v_init", "v_th", "v_th_low")
SIZE_MAX = 2**31 - 1  # neurons are numbered in 32 bits


@dataclass(frozen=True, slots=True, eq=False)
class Population:
    """Neurons of one kind. Without a `neuron` it is an input: its spikes come from outside.

    Attributes:
        name: unique in the network. shape: e.g. (neurons,) or (channels, height, width); one whole
            number is (neurons,).
        neuron: real (`Neuron`), a chip's integers (`FixedNeuron`, `SigmaDelta`, `GradedVec`), or
            None for an input.
    """

    name: str
    shape: Shape
    neuron: AnyNeuron | None = None

    def __post_init__(self) -> None:
        shape = np.atleast_1d(whole(f"shape of population {self.name!r}", self.shape))
        object.__setattr__(self, "shape", tuple(shape.tolist()))
        if shape.ndim != 1 or not shape.size or shape.min() < 1:
            raise ValueError(f"population {self.name!r} has shape {self.shape}: sizes must be >= 1")
        if self.size > SIZE_MAX:
            raise ValueError(
                f"population {self.name!r} of shape {self.shape} has {self.size} neurons, at most "
                f"{SIZE_MAX} can be numbered: split it"
            )
        if self.neuron is None:
            return
        for field in NEURON_ARRAYS:
            value = getattr(self.neuron, field, None)
            if value is None:
                continue
            real = isinstance(self.neuron, Neuron)
            per_step = real and field == "v_th" and value.ndim == len(self.shape) + 1
            if not _broadcasts(value.shape[1:] if per_step else value.shape, self.shape):
                raise ValueError(
                    f"population {self.name!r}: `{field}` of shape {value.shape} does not "
                    f"broadcast to neurons {self.shape}"
                )

    @property
    def size(self) -> int:
        """Number of neurons."""
        return size_of(self.shape)


@dataclass(frozen=True, slots=True)
class WeightWord:
    """How a chip stores a projection's integer weights [Lava `Dense`, `fixed_pt`].

    Attributes:
        n_bits: bits of a stored weight, 1 to 8. exp: shared exponent, on the sum of a step.
        sign_mode: `mixed` weights lose one bit to the sign: 8 bits hold even numbers.
        message_bits: payload bits of a graded spike; 0 for plain spikes.
    """

    n_bits: int = 8
    exp: int = 0
    sign_mode: SignMode = "mixed"
    message_bits: int = 0

    def __post_init__(self) -> None:
        for name in ("n_bits", "exp", "message_bits"):
            object.__setattr__(self, name, whole_number(f"`{name}`", getattr(self, name)))
        if not 1 <= self.n_bits <= 8:
            raise ValueError(f"weights have {self.n_bits} bits, must be 1 to 8")
        if not -8 <= self.exp <= 7:
            raise ValueError(f"weight exponent is {self.exp}, must be -8 to 7")
        if self.sign_mode not in get_args(SignMode):
            raise ValueError(
                f"sign mode is {self.sign_mode!r}, must be one of {', '.join(get_args(SignMode))}"
            )
        if not 0 <= self.message_bits <= 32:
            raise ValueError(f"graded spikes have {self.message_bits} bits, must be 0 to 32")

    @property
    def step(self) -> int:
        """Distance between neighbouring weights that can be stored."""
        return int(2 ** (8 - self.n_bits + (self.sign_mode == "mixed")))

    @property
    def range(self) -> tuple[int, int]:
        """Smallest and largest weight that can be stored."""
        top = 255 // self.step * self.step
        return {"mixed": (-256, top), "excitatory": (0, top), "inhibitory": (-top, 0)}[
            self.sign_mode
        ]


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """Synapses from one population to another.

    Attributes:
        source, target: names of populations.
        delay: steps from a spike to its arrival, one number () or one per synapse (the shape of
            dense or sparse weights). 0 arrives in the same step: legal only outside cycles.
        gain: factor on the arriving sum: one number, or one per step.
        word: storage of integer weights; None when weights are real.
    """

    source: str
    target: str
    synapses: Synapses
    delay: AnyArray
    gain: AnyArray
    word: WeightWord | None = None

    @classmethod
    def of(
        cls,
        source: str,
        target: str,
        synapses: Synapses,
        *,
        delay: object = 0,
        gain: object = 1.0,
        word: WeightWord | None = None,
    ) -> "Projection":
        """A projection from numbers or arrays."""
        return cls(
            source,
            target,
            synapses,
            whole(f"delay of {source} -> {target}", delay),
            real(f"gain of {source} -> {target}", gain),
            word,
        )

    def __post_init__(self) -> None:
        where = f"projection {self.source} -> {self.target}"
        if self.delay.size == 0 or self.delay.min() < 0:
            raise ValueError(f"{where}: delays must be 0 steps or more")
        if self.delay.ndim and isinstance(self.synapses, Conv2d):
            raise ValueError(f"{where}: one delay per synapse needs dense or sparse synapses")
        if self.delay.ndim and self.delay.shape != self.synapses.weight.shape:
            raise ValueError(
                f"{where}: delays {self.delay.shape} do not match weights "
                f"{self.synapses.weight.shape}"
            )
        if self.gain.ndim > 1 or not np.isfinite(self.gain).all():
            raise ValueError(f"{where}: gain must be one finite number, or one per step")
        integer = self.synapses.weight.dtype.kind == "i"
        if integer != (self.word is not None):
            raise ValueError(f"{where}: integer weights need a `word`, and real weights have none")
        if self.word is not None:
            self._check_word(where, self.word)

    def _check_word(self, where: str, word: WeightWord) -> None:
        weight, (low, high) = self.synapses.weight, word.range
        if weight.size and (weight.min() < low or weight.max() > high):
            raise ValueError(
                f"{where}: weights reach {weight.min()}..{weight.max()}, {word.n_bits} bit "
                f"{word.sign_mode} words hold {low}..{high}: quantise again"
            )
        if (weight % word.step).any():
            raise ValueError(f"{where}: weights must be multiples of {word.step}: quantise again")
        if (self.gain != 1).any():
            raise ValueError(f"{where}: a chip has no gain: fold it into the weights")

    def digest(self) -> str:
        """Hash of every field."""
        ends = (self.source, self.target)
        return digest(ends, self.synapses.digest(), self.delay, self.gain, self.word)


@dataclass(frozen=True, eq=False)
class Network:
    """Populations joined by projections, advanced in steps of `dt_s` seconds.

    One step, for every population: collect `a[t]` from the sources at `t - delay`; advance the
    neuron; fire; reset. The kinds of neurons have the equations, docs/semantics.md all of them.

    Raises:
        ValueError: if nothing has neurons, names repeat or are unknown, shapes disagree, real and
            integer parts mix, or a cycle has no delay.
    """

    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    dt_s: float = 1e-3
    output: str = ""

    def __post_init__(self) -> None:
        if not self.populations:
            raise ValueError("a network needs at least one population")
        if all(p.neuron is None for p in self.populations):
            raise ValueError("a network needs neurons: all its populations are inputs")
        if not (np.isfinite(self.dt_s) and self.dt_s > 0):
            raise ValueError(f"`dt_s` is {self.dt_s}, must be a positive number of seconds")
        names = [p.name for p in self.populations]
        for name, times in Counter(names).items():
            if times > 1:
                raise ValueError(f"population {name!r} appears twice: names must be unique")
        object.__setattr__(self, "dt_s", float(self.dt_s))
        object.__setattr__(self, "output", self.output or names[-1])
        if self.output not in names:
            raise ValueError(f"output {self.output!r} is no population of {', '.join(names)}")
        for projection in self.projections:
            self._check_ends(projection)
        fixed = {isinstance(p.neuron, IntegerNeuron) for p in self.populations if p.neuron}
        fixed |= {p.word is not None for p in self.projections}
        if len(fixed) > 1:
            raise ValueError("a network is real or integer throughout, this one mixes both")
        _ = self.order  # a cycle without delay raises here

    def _check_ends(self, projection: Projection) -> None:
        for end in (projection.source, projection.target):
            if end not in self._by_name:
                raise ValueError(
                    f"projection {projection.source} -> {projection.target}: no population "
                    f"{end!r}, there are {', '.join(self._by_name)}"
                )
        source, target = self._by_name[projection.source], self._by_name[projection.target]
        if target.neuron is None:
            raise ValueError(f"projection into {target.name!r}, which is an input")
        if source.neuron is not None and source.neuron.emits == "nothing":
            raise ValueError(f"projection out of {source.name!r}, which emits nothing")
        shape = projection.synapses.target_shape(source.shape)
        flat = not isinstance(projection.synapses, Conv2d)
        if shape is None or (shape != target.shape and not (flat and shape[0] == target.size)):
            raise ValueError(
                f"projection {source.name} {source.shape} -> {target.name} {target.shape}: its "
                f"weights {projection.synapses.weight.shape} do not join these shapes"
            )

    @cached_property
    def _by_name(self) -> dict[str, Population]:
        return {p.name: p for p in self.populations}

    @cached_property
    def _into(self) -> dict[str, tuple[Projection, ...]]:
        return _listed((p.target, p) for p in self.projections)

    @cached_property
    def _out_of(self) -> dict[str, tuple[Projection, ...]]:
        return _listed((p.source, p) for p in self.projections)

    def __getitem__(self, name: str) -> Population:
        """The population called `name`."""
        if name not in self._by_name:
            raise KeyError(f"no population {name!r}, there are {', '.join(self._by_name)}")
        return self._by_name[name]

    def into(self, name: str) -> tuple[Projection, ...]:
        """Projections whose target is `name`."""
        return self._into.get(name, ())

    def out_of(self, name: str) -> tuple[Projection, ...]:
        """Projections whose source is `name`."""
        return self._out_of.get(name, ())

    @property
    def inputs(self) -> tuple[Population, ...]:
        """Populations whose spikes come from outside."""
        return tuple(p for p in self.populations if p.neuron is None)

    @property
    def is_integer(self) -> bool:
        """Whether the network is in a chip's integers."""
        return any(isinstance(p.neuron, IntegerNeuron) for p in self.populations)

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in an order in which every delay-0 source precedes its targets."""
        before: dict[str, set[str]] = {p.name: set() for p in self.populations}
        for projection in self.projections:
            if projection.delay.min() == 0:
                before[projection.target].add(projection.source)
        try:
            return tuple(TopologicalSorter(before).static_order())
        except CycleError as error:
            path = " -> ".join(error.args[1])
            raise ValueError(
                f"cycle without delay: {path}: give one of them a delay >= 1"
            ) from None

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything a simulation depends on: two equal networks share it."""
        parts: list[object] = [self.dt_s, self.output]
        for p in self.populations:
            parts += [p.name, p.shape, p.neuron and (type(p.neuron).__name__, p.neuron.digest())]
        return digest(*parts, *(p.digest() for p in self.projections))


def _listed(
    named: Iterable[tuple[str, Projection]],
) -> dict[str, tuple[Projection, ...]]:
    out: dict[str, list[Projection]] = {}
    for name, projection in named:
        out.setdefault(name, []).append(projection)
    return {name: tuple(of_name) for name, of_name in out.items()}


def _broadcasts(shape: Shape, target: Shape) -> bool:
    try:
        return np.broadcast_shapes(shape, target) == target
    except ValueError:
        return False
