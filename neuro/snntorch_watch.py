"""A run of a snnTorch module, watched: what every layer was given, by whom, and what it gave."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from hwsim.synapses import Shape
from neuro import snntorch_layers as layers

INPUT = ""  # where nothing that a layer made arrives
N_STEPS = 32  # that a module of one step is watched


def named_layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Layers in the order in which they were registered, under their names."""
    if layers.is_layer(module):
        yield name or "layer", module
        return
    for key, child in module.named_children():
        yield from named_layers(child, f"{name}.{key}" if name else key)


@dataclass(slots=True)
class Seen:
    """What a layer was given and gave, call by call."""

    module: nn.Module
    sources: list[str] = field(default_factory=list)
    given: list[Tensor] = field(default_factory=list)
    gave: list[Tensor] = field(default_factory=list)

    @property
    def shape(self) -> Shape:
        """Of what it gave, without the batch."""
        return tuple(self.gave[0].shape[1:])


class _Watch:
    """Hooks on all layers of a module that tell whose output each one is given."""

    def __init__(self, module: nn.Module) -> None:
        self.seen: dict[str, Seen] = {}  # in the order of their first calls
        self.made: dict[int, tuple[str, int]] = {}  # by storage: the layer, and its call
        self.kept: list[Tensor] = []  # so that no storage is used twice
        for name, layer in named_layers(module):
            if isinstance(layer, layers.PLAIN):
                continue
            seen = Seen(layer)
            layer.register_forward_pre_hook(self._before(name, seen), with_kwargs=True)
            layer.register_forward_hook(self._after(name, seen))
        for part in module.modules():
            if layers.is_layer(part) and not isinstance(part, layers.PLAIN):  # they hand on
                part.register_forward_pre_hook(_in_double, with_kwargs=True)

    def _before(self, name: str, seen: Seen) -> Any:
        def note(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            x = args[0] if args else next(iter(kwargs.values()))
            if x.ndim < 2:
                raise ValueError(
                    f"layer {name!r} is given shape {tuple(x.shape)}, must begin with an axis of "
                    "the batch: give a sample that has one"
                )
            self.seen.setdefault(name, seen)
            call = len(seen.given)
            source, made_in = self.made.get(x.untyped_storage().data_ptr(), (INPUT, call))
            if source and made_in != call:
                raise ValueError(
                    f"layer {name!r} is given in its call {call + 1} what {source!r} gave in its "
                    f"call {made_in + 1}: call every layer once a step, and train loops as RLeaky "
                    "or RSynaptic"
                )
            flat = x.detach().double().clone()
            if source:
                gave = self.seen[source].gave[made_in]
                if not (flat.shape[0] == gave.shape[0] and torch.equal(*_flat(flat, gave))):
                    raise ValueError(
                        f"layer {name!r} is not given what {source!r} gave: `forward` changes it "
                        "on the way; make that a layer"
                    )
            if seen.sources and seen.sources[0] != source:
                raise ValueError(
                    f"layer {name!r} is given what {said(seen.sources[0])} gave, then what "
                    f"{said(source)} gave: use a layer in one place"
                )
            seen.sources.append(source)
            seen.given.append(flat)

        return note

    def _after(self, name: str, seen: Seen) -> Any:
        def note(_: nn.Module, __: tuple[Any, ...], given: Any) -> None:
            first = given[0] if isinstance(given, tuple) else given
            self.made[first.untyped_storage().data_ptr()] = (name, len(seen.gave))
            self.kept.append(first)
            seen.gave.append(first.detach().double().clone())

        return note


def _in_double(
    _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """All arguments in float64: spikes of snnTorch are float32 whatever its states are."""

    def cast(value: Any) -> Any:
        return value.double() if isinstance(value, Tensor) else value

    return tuple(map(cast, args)), {name: cast(value) for name, value in kwargs.items()}


def _flat(*tensors: Tensor) -> tuple[Tensor, ...]:
    return tuple(t.reshape(-1) for t in tensors)


def said(source: str) -> str:
    """A source by its name in an error."""
    return repr(source) if source else "no layer"


def watch(module: nn.Module, sample: Tensor | Sequence[int]) -> dict[str, Seen]:
    """What every layer that is called was given and gave in a run on the sample."""
    rng = torch.Generator().manual_seed(0)
    if not isinstance(sample, Tensor):
        sample = (torch.rand(1, *sample, generator=rng) < 0.5).double()
    sample = sample.detach().cpu()
    runner = _fresh(module)
    hooks = _Watch(runner)
    try:
        with torch.no_grad(), _double_by_default():
            runner(sample.double())
            if all(getattr(s.module, "init_hidden", True) for s in hooks.seen.values()) and (
                max((len(s.gave) for s in hooks.seen.values()), default=0) == 1
            ):
                for _ in range(N_STEPS - 1):
                    order = torch.randperm(sample.numel(), generator=rng)
                    runner(sample.reshape(-1)[order].reshape(sample.shape).double())
    except (RuntimeError, TypeError, LookupError, AttributeError) as error:
        raise ValueError(
            f"the module does not run on this sample of shape {tuple(sample.shape)}: "
            f"{' '.join(str(error).split()):.200}"
        ) from error
    _check_calls(hooks.seen)
    return hooks.seen


def _fresh(module: nn.Module) -> nn.Module:
    """A copy in float64 and evaluation mode, its states cleared, on the CPU."""
    memo: dict[int, Any] = {}
    for part in module.modules():
        for value in [*vars(part).values(), *part.buffers(recurse=False)]:
            if isinstance(value, Tensor) and not value.is_leaf:  # states of training
                memo[id(value)] = value.detach().clone()
    runner = copy.deepcopy(module, memo).cpu().double().eval()
    for part in runner.modules():
        if isinstance(part, layers.NEURONS):
            for state in ("spk", "syn", "mem"):
                if hasattr(part, state):
                    setattr(part, state, torch.zeros(0))
    return runner


@contextmanager
def _double_by_default() -> Iterator[None]:
    """States that `forward` makes itself are float64, too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _check_calls(called: dict[str, Seen]) -> None:
    if not any(isinstance(seen.module, layers.NEURONS) for seen in called.values()):
        raise ValueError("the module calls no spiking layer of snnTorch: nothing to simulate")
    calls = {name: len(seen.gave) for name, seen in called.items()}
    if len(set(calls.values())) > 1:
        often, seldom = max(calls, key=calls.__getitem__), min(calls, key=calls.__getitem__)
        raise ValueError(
            f"`forward` calls {seldom!r} {calls[seldom]} times and {often!r} {calls[often]} times: "
            "call every layer once a step"
        )
    first = next(seen for seen in called.values() if INPUT in seen.sources)
    for name, seen in called.items():
        if INPUT in seen.sources and not all(
            a.shape == b.shape and torch.equal(a, b)
            for a, b in zip(seen.given, first.given, strict=True)
        ):
            raise ValueError(
                f"layer {name!r} is given what no layer made: an operation of `forward` stands "
                "before it (a sum, a function, a second input); make that a layer"
            )
        if isinstance(seen.module, nn.Linear) and seen.given[0].ndim != 2:
            raise ValueError(
                f"layer {name!r} is given {tuple(seen.given[0].shape)}, must be (batch, features): "
                "put a Flatten before it"
            )
