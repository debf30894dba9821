"""NIR out: a `Network` as a graph that any reader loads, the whole network in its metadata."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from hwsim.arrays import FloatArray
from hwsim.atomic import atomic_path
from hwsim.formats.nir_linear import Window, unrolled
from hwsim.formats.nir_read import Grade, NodeVerdict
from hwsim.formats.nir_stored import GRAPH, NETWORK, content_hash, stored
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Shape, Sparse

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


@dataclass(frozen=True, slots=True)
class _Real:
    """A neuron in real numbers, as far as NIR goes, and what it leaves out."""

    neuron: Neuron
    lost: str = ""


@dataclass(slots=True)
class _Writer:
    """Collects nodes and edges of one graph."""

    net: Network
    nir: Any
    nodes: dict[str, Any] = field(default_factory=dict)
    edges: list[tuple[str, str]] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)
    verdicts: list[NodeVerdict] = field(default_factory=list)
    images: set[str] = field(default_factory=set)

    def write(self) -> None:
        self.images = self._images()
        for population in self.net.populations:
            self._add_population(population)
        for projection in self.net.projections:
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
        real = _real(p.neuron, p.shape)
        node = self._neuron(real.neuron, p.shape, shape)
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
        """Whether `nir` types this convolution right: one group and square, or a pooling."""
        conv = q.synapses
        if not isinstance(conv, Conv2d) or q.source == q.target:
            return False
        height, width = conv.weight.shape[2:]
        return (conv.groups == 1 and height == width) or _pool(conv) != ""

    def _neuron(self, neuron: Neuron, own: Shape, shape: Shape) -> Any:
        def full(values: object) -> FloatArray:
            return np.broadcast_to(np.asarray(values, np.float64), own).reshape(shape).copy()

        dt, nir = self.net.dt_s, self.nir
        decay_u, decay_v, bias = full(neuron.decay_u), full(neuron.decay_v), full(neuron.bias)
        v_th = {"v_threshold": full(neuron.v_th), "v_reset": np.zeros(shape)}
        sends = {} if neuron.emits == "nothing" or _always_sends(neuron) else v_th
        if not decay_u.any() and (decay_v == 1).all() and not bias.any():
            return (nir.IF if sends else nir.I)(r=full(1 / dt), **sends)
        leak = np.maximum(1 - decay_v, LEAST_LEAK)
        membrane = {"r": 1 / leak, "v_leak": bias / leak}
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
        scale = float(q.gain.flat[0]) * (2.0**q.word.exp if q.word else 1.0)
        name = f"{q.source}->{q.target}"
        for part, delay in self._parts(q, source, target, scale):
            here = self._source(q, part)
            last = self._new(name, part)
            self.edges.append((here, last))
            is_loop = q.source == q.target and delay == 1
            if delay and not is_loop:  # a loop takes one step wherever NIR is run
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
        return not isinstance(part, self.nir.Linear)

    def _source(self, q: Projection, part: Any) -> str:
        """Where a part starts: at its source, flattened for a matrix."""
        name, shape = self.names[q.source], self._shape(self.net[q.source])
        if self._is_kept(part) or len(shape) == 1:
            return name
        return self._flatten(name, shape)

    def _flatten(self, name: str, shape: Shape) -> str:
        node = self.nir.Flatten({"input": np.array(shape)}, start_dim=0, end_dim=-1)
        flat = self._new(f"{name} flat", node)
        self.edges.append((name, flat))
        return flat

    def _parts(
        self, q: Projection, source: Population, target: Population, scale: float
    ) -> Iterator[tuple[Any, int]]:
        """A node for the synapses of each delay."""
        nir, conv = self.nir, q.synapses
        if isinstance(conv, Conv2d) and self._is_window(q) and source.name in self.images:
            pool = _pool(conv) if scale == 1 else ""
            if pool:
                sizes = (conv.weight.shape[2:], conv.stride, conv.padding)
                yield getattr(nir, pool)(*(np.array(s) for s in sizes)), int(q.delay)
                return
            if conv.groups == 1 and conv.weight.shape[2] == conv.weight.shape[3]:
                yield (
                    nir.Conv2d(
                        source.shape[1:],
                        conv.weight * scale,
                        conv.stride,
                        conv.padding,
                        conv.dilation,
                        conv.groups,
                        np.zeros(conv.weight.shape[0]),
                    ),
                    int(q.delay),
                )
                return
        if source.size * target.size > MAX_WEIGHTS:
            raise ValueError(
                f"projection {q.source} -> {q.target} needs a matrix of {target.size:,} by "
                f"{source.size:,}, at most {MAX_WEIGHTS:,} weights are written: split the layer"
            )
        delays = np.unique(q.delay)
        for delay in delays.tolist():
            only = None if len(delays) == 1 else q.delay == delay
            yield nir.Linear(_matrix(q, source, target, only) * scale), delay


def _pool(conv: Conv2d) -> str:
    """The pooling that a convolution is, or ""."""
    n, per_group, height, width = conv.weight.shape
    if n != conv.groups or per_group != 1 or conv.dilation != (1, 1):
        return ""
    if (conv.weight == 1).all():
        return "SumPool2d"
    return "AvgPool2d" if (conv.weight == 1 / (height * width)).all() else ""


def _matrix(q: Projection, source: Population, target: Population, only: Any) -> FloatArray:
    """Weights as (target, source); `only` of some synapses."""
    synapses = q.synapses
    if isinstance(synapses, Conv2d):
        pads, geometry = synapses.padding, (synapses.dilation, synapses.groups)
        window = Window(
            synapses.weight.astype(np.float64),
            synapses.stride,
            pads,
            pads,
            *geometry,
            source.shape,
            target.shape,
        )
        return np.asarray(unrolled(window).todense())
    weight = synapses.weight.astype(np.float64)
    if only is not None:
        weight = np.where(only, weight, 0.0)
    if isinstance(synapses, Dense):
        return weight
    assert isinstance(synapses, Sparse)
    ends = (synapses.target, synapses.source)
    made = sparse.coo_array((weight, ends), shape=(target.size, source.size))
    return np.asarray(made.todense())


def _always_sends(neuron: Neuron) -> bool:
    lowest = float(np.finfo(np.float64).min)
    return neuron.emits == "graded" and bool((neuron.v_th == lowest).all())


def _real(neuron: Any, shape: Shape) -> _Real:
    """What NIR can say of a neuron."""
    if isinstance(neuron, Neuron):
        return _of_real(neuron, shape)
    if isinstance(neuron, FixedNeuron):
        made = Neuron.of(
            decay_u=(4095 - neuron.du) / 4096,
            decay_v=(4096 - neuron.dv) / 4096,
            v_th=neuron.v_th,
            bias=neuron.bias / 64,
            emits="nothing" if neuron.emits == "nothing" else "spikes",
        )
        lost = ["a chip's integers", *_conventions(neuron)]
        if neuron.kind != "spikes":
            lost.append(f"{neuron.kind} spikes")
        return _Real(made, ", ".join(lost))
    if isinstance(neuron, GradedVec):
        return _Real(Neuron.of(decay_v=0, v_th=neuron.v_th), "graded messages")
    assert isinstance(neuron, SigmaDelta)
    return _Real(Neuron.of(v_th=neuron.v_th), "sigma-delta coding")


def _of_real(neuron: Neuron, shape: Shape) -> _Real:
    is_spiking = neuron.emits != "nothing" and not _always_sends(neuron)
    lost = _conventions(neuron) if is_spiking else []
    if neuron.v_th.ndim > len(shape):
        neuron = replace(neuron, v_th=neuron.v_th[0])
        lost.append("a threshold per step, of which the first is written")
    if neuron.emits == "graded" and is_spiking:
        lost.append("graded spikes")
    if neuron.v_init.any():
        lost.append("the first potential")
    return _Real(neuron, ", ".join(lost))


def _conventions(neuron: Neuron | FixedNeuron) -> list[str]:
    """What differs from NIR's spike: above the threshold, then to zero."""
    said = []
    if neuron.reset != "zero":
        said.append(f"reset {neuron.reset!r}")
    if neuron.refractory:
        said.append(f"{neuron.refractory} refractory steps")
    if isinstance(neuron, Neuron):
        if neuron.reset_late:
            said.append("a late reset")
        if neuron.fires != "above":
            said.append("firing at the threshold")
    return said
