"""A NIR graph, flat: nested graphs dissolved, every node's kind known, every shape found."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray, real, whole
from hwsim.network import SIZE_MAX
from hwsim.synapses import Shape, size_of

MAX_VALUES = 2**25  # that all nodes of a graph give in a step
SPIKING = ("IF", "LIF", "CubaLIF", "Threshold")
NEURONS = (*SPIKING, "I", "LI", "CubaLI")
CONVOLUTIONS = ("Conv1d", "Conv2d")
POOLS = ("SumPool2d", "AvgPool2d")
MATRICES = ("Affine", "Linear")
ELEMENTWISE = ("Scale", "Delay")
PLAIN = ("Flatten", "Identity")
LINEAR = (*MATRICES, *CONVOLUTIONS, *POOLS, *ELEMENTWISE, *PLAIN)
KINDS = ("Input", "Output", *LINEAR, *NEURONS, "NIRGraph")
PARAMETERS = {
    "I": ("r",),
    "IF": ("r", "v_threshold"),
    "LI": ("tau", "r", "v_leak"),
    "LIF": ("tau", "r", "v_leak", "v_threshold"),
    "CubaLI": ("tau_syn", "tau_mem", "r", "v_leak"),
    "CubaLIF": ("tau_syn", "tau_mem", "r", "v_leak", "v_threshold"),
    "Threshold": ("threshold",),
    "Scale": ("scale",),
    "Delay": ("delay",),
}
OPTIONAL = {"IF": {"v_reset": 0.0}, "LIF": {"v_reset": 0.0}, "CubaLI": {"w_in": 1.0}}
OPTIONAL["CubaLIF"] = OPTIONAL["LIF"] | OPTIONAL["CubaLI"]


@dataclass(frozen=True, slots=True)
class Node:
    """One primitive: its name, NIR's kind, and its fields as they were written."""

    name: str
    kind: str
    fields: Mapping[str, Any]

    def field(self, name: str) -> Any:
        """A field that must be there."""
        if self.fields.get(name) is None:
            raise ValueError(f"node {self.name!r} ({self.kind}) lacks `{name}`")
        return self.fields[name]

    def numbers(self, name: str, default: float | None = None) -> AnyArray:
        """A field as finite real numbers."""
        given = self.fields.get(name)
        value = default if given is None and default is not None else self.field(name)
        array = real(f"`{name}` of node {self.name!r}", value)
        if not np.isfinite(array).all():
            raise ValueError(f"`{name}` of node {self.name!r} holds a NaN or an infinity")
        return array

    def parameters(self) -> dict[str, AnyArray]:
        """The numbers of a neuron, a scale or a delay, one per element or one for all."""
        found = {name: self.numbers(name) for name in PARAMETERS[self.kind]}
        for name, default in OPTIONAL.get(self.kind, {}).items():
            found[name] = self.numbers(name, default)
        return found

    def whole_number(self, name: str) -> int:
        """A field that is one whole number."""
        array = whole(f"`{name}` of node {self.name!r}", self.field(name))
        if array.size != 1:
            raise ValueError(f"`{name}` of node {self.name!r} has {array.size} values, not one")
        return int(array.item())

    def shape_of(self, name: str) -> Shape:
        """A field that is a shape; (channels, length) becomes (channels, 1, length)."""
        shape = whole(f"`{name}` of node {self.name!r}", self.field(name)).ravel().tolist()
        if min(shape, default=1) < 1 or size_of(tuple(shape)) > SIZE_MAX:
            raise ValueError(
                f"`{name}` of node {self.name!r} is {shape}: sizes must be 1 or more, and at most "
                f"{SIZE_MAX} in all"
            )
        return spatial(tuple(shape))


def spatial(shape: Shape) -> Shape:
    """Two axes are channels and a length: an image of height 1."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape or (1,)


@dataclass(frozen=True, slots=True)
class Graph:
    """A flat graph: nodes by name, their sources and targets, the shape of what each gives."""

    nodes: dict[str, Node]
    sources: dict[str, list[str]]
    targets: dict[str, list[str]]
    shapes: dict[str, Shape]
    metadata: Mapping[str, Any]

    def into(self, name: str) -> Shape:
        """The shape of what reaches a node."""
        sources = self.sources[name]
        return self.shapes[sources[0]] if sources else self.shapes[name]


def graph_of(root: Mapping[str, Any]) -> Graph:
    """A flat graph from NIR's dictionaries.

    Raises:
        ValueError: if a node is of an unknown kind or lacks a field, an edge has no end, shapes
            disagree, or a cycle holds no neuron.
    """
    if root.get("type") != "NIRGraph":
        root = _wrapped(root)
    nodes, edges = _flat(root, "")
    if not nodes:
        raise ValueError("the graph has no nodes: export the network again")
    for (source, target), times in Counter(edges).items():
        if times > 1:
            raise ValueError(f"edge {source} -> {target} appears {times} times: keep one")
    sources: dict[str, list[str]] = {name: [] for name in nodes}
    targets: dict[str, list[str]] = {name: [] for name in nodes}
    for source, target in edges:
        sources[target].append(source)
        targets[source].append(target)
    _check_cycles(nodes, sources)
    ordered = {name: nodes[name] for name in _order(nodes, sources, targets)}
    metadata = root.get("metadata") or {}
    graph = Graph(ordered, sources, targets, {}, metadata if isinstance(metadata, Mapping) else {})
    _find_shapes(graph)
    return graph


def _wrapped(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A file of a single node is a graph of that node."""
    return {"type": "NIRGraph", "nodes": {"node": node}, "edges": []}


def _flat(graph: Mapping[str, Any], prefix: str) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    """Nodes and edges of a graph with all graphs inside it, their names joined by dots."""
    inside = graph.get("nodes")
    if not isinstance(inside, Mapping):
        raise ValueError(f"graph {prefix or '(root)'!r} lacks `nodes`")
    nodes: dict[str, Node] = {}
    edges: list[tuple[str, str]] = []
    ports: dict[str, tuple[list[str], list[str]]] = {}
    for key, fields in inside.items():
        name = f"{prefix}{key}"
        kind = fields.get("type") if isinstance(fields, Mapping) else None
        if kind not in KINDS and kind != "Identity":
            raise ValueError(f"node {name!r} is of type {kind!r}, known are {', '.join(KINDS)}")
        if kind != "NIRGraph":
            is_port = prefix and kind in ("Input", "Output")
            nodes[name] = Node(name, "Identity" if is_port else kind, fields)
            continue
        below, joined = _flat(fields, f"{name}.")
        nodes |= below
        edges += joined
        kinds = {f"{name}.{k}": n.get("type") for k, n in fields["nodes"].items()}
        ports[name] = (
            [n for n, k in kinds.items() if k == "Input"],
            [n for n, k in kinds.items() if k == "Output"],
        )
    for edge in _edges(graph, prefix):
        source, target = (f"{prefix}{end}" for end in edge)
        edges.append((_port(source, 1, ports, nodes), _port(target, 0, ports, nodes)))
    return nodes, edges


def _edges(graph: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    edges = graph.get("edges", [])
    pairs = edges if isinstance(edges, list | tuple) else np.asarray(edges).tolist()
    for pair in pairs or []:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"an edge of {prefix or 'the graph'!r} is {pair!r:.60}, not a pair")
        yield str(pair[0]), str(pair[1])


def _port(
    name: str,
    side: int,
    ports: dict[str, tuple[list[str], list[str]]],
    nodes: dict[str, Node],
) -> str:
    """The node at an edge's end: that of a graph is its only input or output."""
    if name in nodes:
        return name
    if name not in ports:
        raise ValueError(f"an edge ends at {name!r}, and there is no such node")
    found = ports[name][side]
    if len(found) != 1:
        what = ("inputs", "outputs")[side]
        raise ValueError(f"an edge ends at graph {name!r}, which has {len(found)} {what}, not one")
    return found[0]


def _check_cycles(nodes: dict[str, Node], sources: dict[str, list[str]]) -> None:
    linear = {
        name: [s for s in sources[name] if nodes[s].kind in LINEAR]
        for name, node in nodes.items()
        if node.kind in LINEAR
    }
    try:
        TopologicalSorter(linear).prepare()
    except CycleError as error:
        path = " -> ".join(error.args[1])
        raise ValueError(f"cycle without a neuron: {path}: put a neuron into it") from None


def _order(
    nodes: dict[str, Node], sources: dict[str, list[str]], targets: dict[str, list[str]]
) -> list[str]:
    """Names from the inputs on, breadth first: files keep them by the alphabet."""
    queue = deque(n for n, node in nodes.items() if node.kind == "Input" or not sources[n])
    seen = dict.fromkeys(queue)
    while queue:
        for name in targets[queue.popleft()]:
            if name not in seen:
                seen[name] = None
                queue.append(name)
    return [*seen, *(name for name in nodes if name not in seen)]


def _find_shapes(graph: Graph) -> None:
    """Fill in the shape of every node's output, from the inputs on."""
    for guess in (False, True):  # single numbers take the shape of what reaches them, if anything
        queue = deque(graph.nodes)
        while queue:
            name = queue.popleft()
            if name in graph.shapes:
                continue
            known = [graph.shapes[s] for s in graph.sources[name] if s in graph.shapes]
            shape = _shape(graph.nodes[name], known[0] if known else None, guess)
            if shape is not None:
                graph.shapes[name] = shape
                queue.extend(graph.targets[name])
    _check_sizes(graph)
    for name, node in graph.nodes.items():
        if name not in graph.shapes:
            raise ValueError(f"node {name!r} ({node.kind}) has no shape: nothing reaches it")
        need = _size_into(node, graph)
        for source in graph.sources[name]:
            if size_of(graph.shapes[source]) != need:
                raise ValueError(
                    f"edge {source} -> {name}: {size_of(graph.shapes[source])} values "
                    f"{graph.shapes[source]} reach a node that takes {need}: export it again"
                )


def _check_sizes(graph: Graph) -> None:
    """Single numbers for huge layers take no room in a file, but here they would."""
    n = 0
    for name, shape in graph.shapes.items():
        n += size_of(shape)
        if n > MAX_VALUES:
            raise ValueError(
                f"node {name!r} of shape {shape} brings the graph to {n:,} values a step, at most "
                f"{MAX_VALUES:,} are read: split the graph"
            )


def _size_into(node: Node, graph: Graph) -> int:
    if node.kind in MATRICES:
        weight = node.numbers("weight")
        return size_of((*weight.shape[:-2], weight.shape[-1]))
    is_changed = node.kind in (*CONVOLUTIONS, *POOLS)
    return size_of(graph.into(node.name) if is_changed else graph.shapes[node.name])


def _shape(node: Node, source: Shape | None, guess: bool) -> Shape | None:
    """The shape of a node's output, or None while it is not known."""
    if node.kind in ("Input", "Output"):
        own = node.shape_of("shape")
        if node.kind == "Input" or size_of(own) > 1:
            return own
        return source or (own if guess else None)  # written without a size, as parameters are
    if node.kind in MATRICES:
        weight = node.numbers("weight")
        if weight.ndim < 2 or not weight.size:
            raise ValueError(f"`weight` of node {node.name!r} has shape {weight.shape}, not (n, m)")
        return spatial((*weight.shape[:-2], weight.shape[-2]))
    if node.kind in (*NEURONS, *ELEMENTWISE):
        return _shape_of_elements(node, source, guess)
    if node.kind in PLAIN:
        return source if source is None or node.kind == "Identity" else (size_of(source),)
    if source is None and node.kind in CONVOLUTIONS and node.fields.get("input_shape") is not None:
        size = whole(f"`input_shape` of node {node.name!r}", node.field("input_shape"))
        channels = [*node.numbers("weight").shape[1:2], 0][0] * node.whole_number("groups")
        source = spatial((channels, *size.ravel().tolist()))
    if source is None:
        return None
    from hwsim.formats.nir_linear import window_of

    return window_of(node, source).target


def _shape_of_elements(node: Node, source: Shape | None, guess: bool) -> Shape | None:
    shapes = {name: array.shape for name, array in node.parameters().items() if array.size != 1}
    if len(set(shapes.values())) > 1:
        raise ValueError(f"node {node.name!r} ({node.kind}) mixes shapes: {shapes}")
    if not shapes:
        return source or ((1,) if guess else None)
    own = spatial(next(iter(shapes.values())))
    if source is not None and size_of(source) != size_of(own):
        raise ValueError(
            f"node {node.name!r} ({node.kind}) has parameters of shape {own}, and "
            f"{size_of(source)} values {source} reach it: export it again"
        )
    return own
