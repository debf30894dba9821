"""A trained snnTorch module as a `Network`: watched as it runs, then held against its own run."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from hwsim.arrays import AnyArray
from hwsim.formats.nir_graph import graph_of, spatial
from hwsim.formats.nir_neurons import Convention, Found
from hwsim.formats.nir_read import Builder, Imported, NodeVerdict
from hwsim.network import Network
from hwsim.simulation import simulate
from hwsim.synapses import Shape
from neuro import snntorch_layers as layers
from neuro.snntorch_watch import INPUT, Seen, named_layers, said, watch


def from_snntorch(
    module: nn.Module, sample: Tensor | Sequence[int], *, dt_s: float = 1e-3
) -> Imported:
    """The network of a trained snnTorch module, and a verdict on every layer.

    A copy runs on the sample in float64 and evaluation mode. What is handed from layer to layer
    then is the network, whatever `forward` looks like; the network runs on the same input, and
    every spike of every layer must be that of the copy. So the sample should make all layers
    fire: a layer that is silent says so in its verdict.

    Args:
        module: an `nn.Sequential`, or any class whose `forward` calls layers, once or once a step.
        sample: what `forward` takes; or the shape of what one step takes, without the batch, for
            random spikes. A module of one step (`init_hidden=True`) runs 32 steps on the
            sample's values, shuffled.
        dt_s: duration of a time step in seconds.

    Raises:
        ValueError: if `forward` does more than hand spikes and sums on from layer to layer.
    """
    _check_arguments(module, sample)
    named = {n: m for n, m in named_layers(module) if not isinstance(m, layers.PLAIN)}
    verdicts = [
        NodeVerdict(name, type(m).__name__, "unsupported" if why else "exact", why)
        for name, m in named.items()
        for why in (layers.refusal(m),)
    ]
    if any(v.grade == "unsupported" for v in verdicts):
        return Imported(None, tuple(verdicts))
    seen = watch(module, sample)
    built = _build(seen, dt_s)
    if built.network is None:
        return built
    return _held(built.network, built.verdicts, seen)


def _check_arguments(module: object, sample: object) -> None:
    if not isinstance(module, nn.Module):
        raise ValueError(f"{module!r:.60} is no `nn.Module`: give the trained module itself")
    if isinstance(sample, Tensor):
        return
    sizes = list(sample) if isinstance(sample, Sequence) and not isinstance(sample, str) else []
    if not sizes or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise ValueError(
            f"`sample` is {sample!r:.60}, must be a tensor that `forward` takes, or the shape of "
            "one step's input, whole numbers of 1 or more"
        )


def _build(called: dict[str, Seen], dt_s: float) -> Imported:
    """Layers as nodes, joined as they were called; neurons in their own constants."""
    taken = set(called)
    source, answer = _free("input", taken), _free("output", taken)
    first = next(seen for seen in called.values() if INPUT in seen.sources)
    last = list(called)[-1]
    nodes: dict[str, Any] = {source: {"type": "Input", "shape": first.given[0].shape[1:]}}
    edges = [(seen.sources[0] or source, name) for name, seen in called.items()]
    neurons: dict[str, Found] = {}
    norms = _norms(called)
    for name, seen in called.items():
        if not isinstance(seen.module, layers.NEURONS):
            nodes[name] = layers.node(seen.module, norms.get(name))
            continue
        shape = seen.shape
        nodes[name] = {"type": "Threshold", "threshold": np.ones(shape)}  # `neurons` has it
        neurons[name] = _spatial(layers.neuron(seen.module, shape), shape)
        back = layers.loop(seen.module, shape)
        if back is not None:
            loop = _free(f"{name}.recurrent", taken)
            nodes[loop] = back
            edges += [(name, loop), (loop, name)]
    nodes[answer] = {"type": "Output", "shape": called[last].shape}
    edges.append((last, answer))
    graph = graph_of({"type": "NIRGraph", "nodes": nodes, "edges": edges})
    built = Builder(graph, Convention(dt_s), neurons=neurons).build()
    became = {v.node: v for v in built.verdicts}
    verdicts = tuple(
        NodeVerdict(name, type(seen.module).__name__, became[name].grade, became[name].reason)
        for name, seen in called.items()
    )
    return Imported(built.network, verdicts)


def _free(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _norms(called: dict[str, Seen]) -> dict[str, nn.Module]:
    """The BatchNorm behind a layer of weights, by the name of that layer."""
    found: dict[str, nn.Module] = {}
    for name, seen in called.items():
        if not isinstance(seen.module, layers.NORMS):
            continue
        source = seen.sources[0]
        n_heard = sum(source == other.sources[0] for other in called.values())
        if not source or not isinstance(called[source].module, layers.WEIGHTS) or n_heard > 1:
            raise ValueError(
                f"layer {name!r} ({type(seen.module).__name__}) is given what {said(source)} "
                "gave: it folds only into a Linear or convolution that it alone stands behind"
            )
        found[source] = seen.module
    return found


def _spatial(found: Found, shape: Shape) -> Found:
    """Constants of (channels, length) neurons as those of an image of height 1."""
    if len(shape) != 2:
        return found
    fields = {name: getattr(found.neuron, name) for name in type(found.neuron).__dataclass_fields__}
    arrays = {n: v.reshape(spatial(shape)) for n, v in fields.items() if np.ndim(v) == 2}
    return Found(type(found.neuron).of(**fields | arrays), found.factor, found.approximate)


def _held(net: Network, verdicts: tuple[NodeVerdict, ...], seen: dict[str, Seen]) -> Imported:
    """The network against the module's own run: every spike of every layer."""
    first = next(s for s in seen.values() if INPUT in s.sources)
    (source,) = net.inputs
    x = _by_sample(first.given)
    run = simulate(net, x.reshape(*x.shape[:2], *source.shape), record="spikes")
    rounds = any(v.grade == "approximate" for v in verdicts)
    made = []
    for verdict in verdicts:
        reasons = [verdict.reason] if verdict.reason else []
        if isinstance(seen[verdict.node].module, layers.NEURONS):
            theirs = _by_sample(seen[verdict.node].gave)
            ours = np.asarray(run.spikes[verdict.node]).reshape(theirs.shape)
            n_other = int((ours != theirs).sum())
            if n_other and not rounds:
                raise ValueError(
                    f"layer {verdict.node!r} fires otherwise than in the module: {n_other} of "
                    f"{theirs.size} values differ on the sample; `forward` does something with it "
                    "that no layer says (states kept, cleared or changed)"
                )
            if n_other:
                reasons.append(f"{n_other} of {theirs.size} values differ on the sample")
            if not theirs.any():
                reasons.append("silent on the sample, which so says nothing of it")
        made.append(NodeVerdict(verdict.node, verdict.kind, verdict.grade, "; ".join(reasons)))
    return Imported(net, tuple(made))


def _by_sample(steps: list[Tensor]) -> AnyArray:
    """(samples, steps, ...)."""
    return np.asarray(torch.stack(steps, dim=1).numpy())
