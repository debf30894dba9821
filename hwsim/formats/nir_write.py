"""NIR out: a `Network` as a graph that any reader loads, the whole network in its metadata."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.atomic import atomic_path
from hwsim.formats.nir_read import Grade, NodeVerdict
from hwsim.formats.nir_stored import GRAPH, NETWORK, content_hash, stored
from hwsim.formats.nir_words import always_sends, matrix_of, of_one_group, pool_of, said_of
from hwsim.network import Network, Population, Projection
from hwsim.neuron import Neuron
from hwsim.synapses import Conv2d, Shape

LEAST_LEAK = 2.0**-52  # of a membrane that keeps all and has a bias: NIR has no `tau` without end
MAX_WEIGHTS = 2**28  # of one projection, written as a matrix


def write_nir(net: Network, path: Path) -> tuple[NodeVerdict, ...]:
    """Write a NIR file, atomically; `read_nir` gives back the same network.

    Returns:
        For every population and projection whether NIR's own nodes say all of it, and if not,
        what only the metadata says.

    Raises:
        ValueError: if a projection is too large for a matrix.
        OSError: if the place cannot be written.
    """
    import nir

    graph, verdicts = to_nir(net)
    with atomic_path(Path(path)) as temporary:
        nir.write(temporary, graph)
    return verdicts


def to_nir(net: Network) -> tuple[Any, tuple[NodeVerdict, ...]]:
    """The same as a `nir.NIRGraph`, without a file."""
    import nir

    writer = _Writer(net, nir)
    writer.write()
    graph = nir.NIRGraph(
        writer.nodes, writer.edges, metadata={"dt": float(net.dt_s)}, type_check=False
    )
    graph.metadata |= {NETWORK: stored(net), GRAPH: content_hash(graph.to_dict())}
    return graph, tuple(writer.verdicts)


@dataclass(slots=True)
class _Writer:
    """Collects nodes and edges of one graph."""

    net: Network
    nir: Any
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    verdicts: list[NodeVerdict] = field(default_factory=list)
    gains: dict[str, float] = field(default_factory=dict)
    images: set[str] = field(default_factory=set)
    carriers: dict[str, Projection] = field(default_factory=dict)

    def write(self) -> None:
        self.gains = {p.name: self._gain(p) for p in self.net.populations}
        self.images = self._images()
        self.carriers = self._carriers()
        for population in self.net.populations:
            self._add_population(population)
        loops_first = sorted(self.net.projections, key=lambda q: q.source != q.target)
        for (
            projection
        ) in loops_first:  # Norse answers with what the last edge of each node leads to
            self._add_projection(projection)
        self._add_output("output", self.names[self.net.output])
        joined = {source for source, _ in self.edges}
        for name in [n for n in self.names.values() if n not in joined]:
            self._add_output("unused", name)  # NIR wants every end to be an output

    def _add_output(self, name: str, source: str) -> None:
        shape = np.array(self.nodes[source].output_type["output"])
        name = self._new(name, self.nir.Output(output_type={"output": shape}))
        self.edges.append((source, name))

    def _new(self, name: str, node: Any) -> str:
        """Add a node under a free name that HDF5 can hold."""
        safe = name.replace("/", "_").replace("\0", "_").strip(".") or "node"
        free, n = safe, 1
        while free in self.nodes or (free == "output" and name != "output"):
            n += 1
            free = f"{safe}_{n}"
        self.nodes[free] = node
        return free

    def _add_population(self, p: Population) -> None:
        shape = self._shape(p)
        if p.neuron is None:
            self.names[p.name] = self._new(p.name, self.nir.Input({"input": np.array(shape)}))
            self.verdicts.append(NodeVerdict(p.name, "Input", "exact"))
            return
        real = said_of(p.neuron, p.shape)
        node = self._neuron(p, real.neuron, shape)
        self.names[p.name] = self._new(p.name, node)
        grade: Grade = "approximate" if real.lost else "exact"
        said = f"only in the metadata: {real.lost}" if real.lost else ""
        self.verdicts.append(NodeVerdict(p.name, type(node).__name__, grade, said))

    def _shape(self, p: Population) -> Shape:
        """NIR cannot fold a vector into an image: an image needs images all the way."""
        is_kept = p.neuron is None or p.name in self.images
        return p.shape if is_kept else (p.size,)

    def _images(self) -> set[str]:
        """Populations whose (channels, height, width) a reader of NIR can follow."""
        found = {p.name for p in self.net.populations if len(p.shape) == 3}
        while True:
            lost = {
                name
                for name in found
                if self.net[name].neuron is not None
                and not all(q.source in found and self._is_window(q) for q in self.net.into(name))
            }
            if not lost:
                return found
            found -= lost

    def _is_window(self, q: Projection) -> bool:
        """Whether `nir` types this convolution right: a square kernel, or a pooling."""
        conv = q.synapses
        if not isinstance(conv, Conv2d) or q.source == q.target:
            return False
        height, width = conv.weight.shape[2:]
        return height == width or self._pool(q) != ""

    def _pool(self, q: Projection) -> str:
        """The pooling that a projection is, or ""."""
        is_plain = self._scale(q) == 1 and self.carriers.get(q.target) is not q
        return pool_of(q.synapses) if is_plain else ""

    def _scale(self, q: Projection) -> float:
        word = 2.0**q.word.exp if q.word else 1.0
        return float(q.gain.flat[0]) * word * self.gains[q.target]

    def _gain(self, p: Population) -> float:
        """What weights onto a leaky membrane are multiplied by, so that its `r` is 1.

        Norse takes `r` for 1; snnTorch takes any that is one for the layer. Where leaks differ, or
        a pooling that is not square cannot be scaled, `r` says it.
        """
        if p.neuron is None:
            return 1.0
        neuron, own = said_of(p.neuron, p.shape).neuron, [q.synapses for q in self.net.into(p.name)]
        leak = 1 - neuron.decay_v
        if neuron.decay_u.any() or np.ptp(leak) or not leak.any():
            return 1.0
        is_stuck = any(pool_of(s) and np.ptp(s.weight.shape[2:]) for s in own)
        return 1.0 if is_stuck else float(1 / leak.flat[0])

    def _carriers(self) -> dict[str, Projection]:
        """By population, the projection whose node adds its bias: few readers take `v_leak`."""
        found: dict[str, Projection] = {}
        for q in self.net.projections:
            p = self.net[q.target]
            neuron = said_of(p.neuron, p.shape).neuron
            if p.name in found or neuron.decay_u.any() or not neuron.bias.any():
                continue
            if q.source == q.target or q.delay.any():
                continue
            if self._is_image(q):
                bias = np.broadcast_to(neuron.bias, p.shape).reshape(p.shape[0], -1)
                if np.ptp(q.synapses.weight.shape[2:]) or np.ptp(bias, axis=1).any():
                    continue
            found[p.name] = q
        return found

    def _is_image(self, q: Projection) -> bool:
        """Whether a projection is written as a convolution or a pooling."""
        return self._is_window(q) and q.source in self.images

    def _neuron(self, p: Population, neuron: Neuron, shape: Shape) -> Any:
        def full(values: object) -> FloatArray:
            return np.broadcast_to(np.asarray(values, np.float64), p.shape).reshape(shape).copy()

        dt, nir = self.net.dt_s, self.nir
        decay_u, decay_v = full(neuron.decay_u), full(neuron.decay_v)
        bias = full(0.0 if p.name in self.carriers else neuron.bias)
        v_th = {"v_threshold": full(neuron.v_th), "v_reset": np.zeros(shape)}
        sends = {} if neuron.emits == "nothing" or always_sends(neuron) else v_th
        if not decay_u.any() and (decay_v == 1).all() and not bias.any():
            return (nir.IF if sends else nir.I)(r=full(1 / dt), **sends)
        leak = np.maximum(1 - decay_v, LEAST_LEAK)
        membrane = {"r": 1 / leak / self.gains[p.name], "v_leak": bias / leak}
        if not decay_u.any():
            return (nir.LIF if sends else nir.LI)(tau=dt / leak, **membrane, **sends)
        current = {"tau_syn": dt / (1 - decay_u), "w_in": 1 / (1 - decay_u)}
        kind = nir.CubaLIF if sends else nir.CubaLI
        return kind(tau_mem=dt / leak, **membrane, **current, **sends)

    def _add_projection(self, q: Projection) -> None:
        source, target = self.net[q.source], self.net[q.target]
        lost = []
        if q.gain.ndim and np.ptp(q.gain):
            lost.append("a gain per step, of which the first is written")
        if q.word is not None:
            lost.append("weights stand without their word and its rounding")
        name = f"{q.source}->{q.target}"
        for part, delay in self._parts(q, source, target):
            here = self._source(q, part)
            last = self._new(name, part)
            self.edges.append((here, last))
            is_loop = q.source == q.target and delay == 1
            if is_loop:  # it takes one step wherever NIR is run
                last = self._flatten(last, (target.size,))  # keeps snnTorch from rewiring the loop
            elif delay:
                shape = target.shape if self._is_kept(part) else (target.size,)
                steps = np.full(shape, delay * self.net.dt_s)
                node = self._new(f"{name} delay", self.nir.Delay(steps))
                self.edges.append((last, node))
                last = node
            if self._is_kept(part) and len(self._shape(target)) == 1 and len(target.shape) > 1:
                last = self._flatten(last, target.shape)
            self.edges.append((last, self.names[q.target]))
        grade: Grade = "approximate" if lost else "exact"
        said = f"only in the metadata: {'; '.join(lost)}" if lost else ""
        self.verdicts.append(NodeVerdict(name, type(q.synapses).__name__, grade, said))

    def _is_kept(self, part: Any) -> bool:
        return not isinstance(part, self.nir.Affine)

    def _source(self, q: Projection, part: Any) -> str:
        """Where a part starts: at its source, flattened for a matrix."""
        name, shape = self.names[q.source], self._shape(self.net[q.source])
        if self._is_kept(part) or len(shape) == 1:
            return name
        return self._flatten(name, shape)

    def _flatten(self, name: str, shape: Shape) -> str:
        start = -len(shape)  # counted from the end: readers disagree about the axis of the batch
        node = self.nir.Flatten({"input": np.array(shape)}, start_dim=start, end_dim=-1)
        flat = self._new(f"{name} flat", node)
        self.edges.append((name, flat))
        return flat

    def _parts(
        self, q: Projection, source: Population, target: Population
    ) -> Iterator[tuple[Any, int]]:
        """A node for the synapses of each delay."""
        nir, conv, scale = self.nir, q.synapses, self._scale(q)
        if isinstance(conv, Conv2d) and self._is_image(q):
            pool = self._pool(q)
            if pool:
                sizes = (conv.weight.shape[2:], conv.stride, conv.padding)
                yield getattr(nir, pool)(*(np.array(s) for s in sizes)), int(q.delay)
                return
            bias = self._bias(q, target).reshape(target.shape[0], -1)[:, 0]
            geometry = (conv.stride, conv.padding, conv.dilation, 1)
            weight = of_one_group(conv) * scale
            yield nir.Conv2d(source.shape[1:], weight, *geometry, bias), int(q.delay)
            return
        if source.size * target.size > MAX_WEIGHTS:
            raise ValueError(
                f"projection {q.source} -> {q.target} needs a matrix of {target.size:,} by "
                f"{source.size:,}, at most {MAX_WEIGHTS:,} weights are written: split the layer"
            )
        delays = np.unique(q.delay)
        for delay in delays.tolist():
            only = None if len(delays) == 1 else q.delay == delay
            weight = matrix_of(q, source, target, only) * scale
            yield nir.Affine(weight, self._bias(q, target)), delay  # sinabs knows no `Linear`

    def _bias(self, q: Projection, target: Population) -> FloatArray:
        """What a projection adds in every step, for each neuron."""
        bias = np.zeros(1)
        if self.carriers.get(target.name) is q:
            bias = said_of(target.neuron, target.shape).neuron.bias * self.gains[target.name]
        return np.broadcast_to(bias, target.shape).ravel().astype(np.float64)
