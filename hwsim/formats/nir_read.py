"""NIR in: a graph as a `Network` of real neurons, with a verdict on every node."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path as FilePath
from typing import Any, Literal, get_args

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.formats.hdf5_tree import read_tree
from hwsim.formats.nir_graph import LINEAR, NEURONS, SPIKING, Graph, graph_of
from hwsim.formats.nir_linear import Path, bias_of, steps_of
from hwsim.formats.nir_neurons import (
    DISCRETISATIONS,
    Convention,
    Discretise,
    Found,
    constant,
    neuron_of,
    relay,
)
from hwsim.formats.nir_stored import stored_network
from hwsim.inspection import kind_of
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FIRES, RESETS, Fires, Neuron, Reset
from hwsim.synapses import Dense, size_of

Grade = Literal["exact", "approximate", "unsupported"]
Spikes = Literal["step", "pulse"]
Framework = Literal["snntorch", "norse", "sinabs"]
MAX_PATHS = 10_000  # of linear nodes, from neuron to neuron


@dataclass(frozen=True, slots=True)
class Meant:
    """What a framework means by a graph that it wrote: `read_nir`'s options, by its defaults."""

    dt: float | None = None
    discretise: Discretise = "euler"
    reset: Reset = "zero"
    reset_late: bool = False
    fires: Fires = "above"
    spikes: Spikes = "step"


FRAMEWORKS: dict[Framework, Meant] = {
    "snntorch": Meant(dt=1e-4, reset="subtract", reset_late=True),
    "norse": Meant(dt=1e-6),  # it writes its step of 1e-3 s times its time constants
    "sinabs": Meant(dt=1.0, discretise="exact", reset="subtract", fires="reached"),
}


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """What became of a node: exact, approximate or unsupported, and why."""

    node: str
    kind: str
    grade: Grade
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A network and the verdict on every node; no network if one of them is unsupported."""

    network: Network | None
    verdicts: tuple[NodeVerdict, ...]


def read_nir(
    path_or_graph: Any,
    *,
    framework: Framework | None = None,
    dt: float | None = None,
    discretise: Discretise | None = None,
    reset: Reset | None = None,
    reset_late: bool | None = None,
    fires: Fires | None = None,
    spikes: Spikes | None = None,
) -> Imported:
    """Read a NIR file, or a graph of the package `nir`.

    What `write_nir` wrote, and nobody changed, comes back as it was, whatever the conventions;
    with another `dt` it is read from its nodes.

    Args:
        path_or_graph: a `.nir` file, or a `nir.NIRGraph`.
        framework: that wrote the graph: what it means where an option below is not given.
        dt: the time step in the file's unit of time; else from its metadata, else the framework's.
        discretise: `euler` steps as most frameworks do (the default), `exact` follows exponentials.
        reset: to `zero`, which is to NIR's `v_reset` (the default), `subtract` or `none`.
        reset_late: the reset acts in the next step, as in snnTorch; else at once.
        fires: `above` the threshold, as NIR has it (the default), or when it is `reached`.
        spikes: what a spike is to what it reaches: 1 during a `step`, as frameworks have it (the
            default), or a `pulse` of area 1, which is `1 / dt`.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it holds no valid graph, or no time step is known.
    """
    if framework is not None and framework not in FRAMEWORKS:
        raise ValueError(f"`framework` is {framework!r}, must be one of {', '.join(FRAMEWORKS)}")
    meant = Meant() if framework is None else FRAMEWORKS[framework]
    discretise, reset = discretise or meant.discretise, reset or meant.reset
    fires, spikes = fires or meant.fires, spikes or meant.spikes
    late = meant.reset_late if reset_late is None else bool(reset_late)
    _check_words(discretise=discretise, reset=reset, fires=fires, spikes=spikes)
    is_file = isinstance(path_or_graph, str | FilePath)
    where = f"{path_or_graph}: " if is_file else ""
    root = read_tree(FilePath(path_or_graph), "NIR", "node") if is_file else path_or_graph.to_dict()
    try:
        stored = stored_network(root)
        if stored is not None and dt in (None, stored.dt_s):
            kinds = [NodeVerdict(p.name, kind_of(p), "exact") for p in stored.populations]
            return Imported(stored, tuple(kinds))
        graph = graph_of(root)
        dt = _step(dt, graph, meant.dt)
        how = Convention(dt, discretise, reset, late, fires, rests=framework == "snntorch")
        return Builder(graph, how, pulse=1 / dt if spikes == "pulse" else 1.0).build()
    except ValueError as error:
        raise ValueError(f"{where}{error}") from None
    except MemoryError:
        raise ValueError(f"{where}it needs more memory than there is: split the graph") from None
    except RecursionError:
        raise ValueError(f"{where}graphs lie too deep in each other: flatten them") from None


def _check_words(*, discretise: str, reset: str, fires: str, spikes: str) -> None:
    for name, value, known in (
        ("discretise", discretise, DISCRETISATIONS),
        ("reset", reset, RESETS),
        ("fires", fires, FIRES),
        ("spikes", spikes, get_args(Spikes)),
    ):
        if value not in known:
            raise ValueError(f"`{name}` is {value!r}, must be one of {', '.join(known)}")


def _step(dt: float | None, graph: Graph, usual: float | None) -> float:
    found = graph.metadata.get("dt", usual) if dt is None else dt
    if found is None:
        raise ValueError(
            "the graph does not say how long a time step is: give `dt` (`--dt`), as its framework "
            f"had it, or `framework` (`--framework`), one of {', '.join(FRAMEWORKS)}"
        )
    try:
        value = float(np.asarray(found).reshape(()))
    except (TypeError, ValueError):
        raise ValueError(f"`dt` is {found!r:.60}, must be one number") from None
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"`dt` is {value}, must be a positive number")
    return value


class Builder:
    """Collects populations, projections and verdicts of one graph.

    Args:
        pulse: what a spike is to what it reaches.
        neurons: of nodes by name, instead of what their parameters say.
    """

    def __init__(
        self,
        graph: Graph,
        how: Convention,
        *,
        pulse: float = 1.0,
        neurons: Mapping[str, Found] | None = None,
    ) -> None:
        self.graph, self.how, self.pulse = graph, how, pulse
        self.neurons = neurons or {}
        self.output, self.direct = self._output()
        self.found: dict[str, Found] = {}
        self.bias: dict[str, FloatArray] = {}
        self.projections: list[Projection] = []
        self.late: list[tuple[str, FloatArray, AnyArray]] = []
        self.notes: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self.grades: dict[str, Grade] = dict.fromkeys(graph.nodes, "exact")

    def build(self) -> Imported:
        """The network, and what became of every node."""
        for name, node in self.graph.nodes.items():
            if node.kind in NEURONS:
                self._take(name)
            elif node.kind == "Delay":
                steps, is_whole = steps_of(node.numbers("delay"), self.how.dt)
                if not is_whole:
                    longest = steps.max(initial=0)
                    self._say(name, f"rounded to whole steps, at most {longest}", "approximate")
        if self.output and not self.direct:
            self.found[self.output] = Found(relay(), np.ones(1))
            self._say(self.output, "a layer that sends the sum of each step")
        for name, node in self.graph.nodes.items():
            if node.kind in LINEAR and (bias := bias_of(node, self.graph)) is not None:
                self._add_bias(name, bias)
        for name, node in self.graph.nodes.items():
            if node.kind in (*NEURONS, "Input"):
                self._join(name)
        verdicts = tuple(
            NodeVerdict(name, node.kind, self.grades[name], "; ".join(self.notes[name]))
            for name, node in self.graph.nodes.items()
        )
        if "unsupported" in self.grades.values():
            return Imported(None, verdicts)
        net = self._network()
        verdicts = tuple(
            NodeVerdict(v.node, v.kind, v.grade, "; ".join(self.notes[v.node])) for v in verdicts
        )
        return Imported(net, verdicts)

    def _say(self, name: str, reason: str, grade: Grade = "exact") -> None:
        if reason and reason not in self.notes[name]:
            self.notes[name].append(reason)
        if get_args(Grade).index(grade) > get_args(Grade).index(self.grades[name]):
            self.grades[name] = grade

    def _take(self, name: str) -> None:
        node, shape = self.graph.nodes[name], self.graph.shapes[name]
        reads_out = name == self.direct and all(
            self.graph.nodes[t].kind in ("Output", "Flatten", "Identity")
            for t in self.graph.targets[name]
        )
        how = replace(self.how, rests=self.how.rests and not self._is_leaky(name))
        found = self.neurons.get(name) or neuron_of(node, shape, how, reads_out=reads_out)
        self.found[name] = found
        self._say(name, found.note)
        self._say(name, found.approximate, "approximate" if found.approximate else "exact")
        self._say(name, found.unsupported, "unsupported" if found.unsupported else "exact")

    def _is_leaky(self, name: str) -> bool:
        """Whether a node is snnTorch's `Leaky`; `RLeaky` comes as a graph with a loop, `w_rec`."""
        loop = f"{name.rpartition('.')[0]}.w_rec"
        return self.graph.nodes[name].kind == "LIF" and loop not in self.graph.sources[name]

    def _output(self) -> tuple[str, str]:
        """The output node, and the neuron that it shows unchanged, if it does."""
        outputs = [n for n, node in self.graph.nodes.items() if node.kind == "Output"]
        if len(outputs) > 1 and "output" in outputs:
            outputs = ["output"]
        if len(outputs) > 1:
            raise ValueError(
                f"the graph has {len(outputs)} outputs ({', '.join(outputs):.60}): keep one, or "
                "name the one that answers `output`"
            )
        name = outputs[0] if outputs else ""
        while name and self.graph.nodes[name].kind in ("Output", "Flatten", "Identity"):
            sources = self.graph.sources[name]
            name = sources[0] if len(sources) == 1 else ""
        is_neuron = name != "" and self.graph.nodes[name].kind in NEURONS
        return (outputs[0] if outputs else ""), name if is_neuron else ""

    def _paths(self, start: str) -> Iterator[tuple[list[str], str]]:
        """Linear nodes from a node on, and the neuron or relay where they end."""
        stack: list[tuple[list[str], str]] = [([], t) for t in reversed(self.graph.targets[start])]
        n = 0
        while stack:
            path, name = stack.pop()
            n += 1
            if n > MAX_PATHS:
                raise ValueError(f"more than {MAX_PATHS:,} paths leave {start!r}: merge them")
            if name in self.found:
                yield path, name
            elif self.graph.nodes[name].kind in LINEAR:
                stack += [([*path, name], t) for t in reversed(self.graph.targets[name])]

    def _along(self, start: str, path: list[str], target: str) -> Path | None:
        try:
            made = Path.along(path, self.graph.shapes[start], self.graph, self.how.dt)
        except ValueError as error:
            if "different delays" not in str(error):
                raise
            self._say(target, str(error), "unsupported")
            return None
        return made.scaled(self.found[target].factor.ravel())

    def _add_bias(self, start: str, bias: FloatArray) -> None:
        """A constant that reaches neurons: at once it is their bias, else a spike of each step."""
        for names, target in self._paths(start):
            path = self._along(start, names, target)
            if path is None:
                continue
            if path.core is not None and np.ptp(path.steps_pre):
                self._say(target, "different delays of a bias that is summed", "unsupported")
                continue
            steps = path.steps_post + (path.steps_pre if path.core is None else path.steps_pre[0])
            if not steps.any() and not self.found[target].neuron.decay_u.any():
                self.bias[target] = self.bias.get(target, np.zeros(1)) + path.of(bias)
            else:
                self.late.append((target, path.of(bias), steps))
                self._say(target, "its bias comes from a neuron that spikes in every step")

    def _join(self, start: str) -> None:
        kind = self.graph.nodes[start].kind
        for names, target in self._paths(start):
            path = self._along(start, names, target)
            if path is None:
                continue
            if kind in (*SPIKING, "Input"):
                path = path.scaled(np.full(1, self.pulse))
            synapses, delay = path.synapses(self.graph.shapes[target])
            self.projections.append(Projection.of(start, target, synapses, delay=delay))

    def _network(self) -> Network:
        populations = [
            Population(name, self.graph.shapes[name], self._neuron(name))
            for name, node in self.graph.nodes.items()
            if node.kind == "Input" or name in self.found
        ]
        projections = self._with_feedback([p.name for p in populations])
        if self.late:
            name = "bias"
            while name in self.graph.nodes:
                name += "_"
            populations.insert(0, Population(name, (1,), constant()))
            for target, value, steps in self.late:
                weight = Dense.of(value[:, None])
                projections.append(Projection.of(name, target, weight, delay=steps[:, None]))
        output = self.direct or self.output or populations[-1].name
        return Network(tuple(populations), tuple(projections), self.how.dt, output)

    def _neuron(self, name: str) -> Neuron | None:
        if name not in self.found:
            return None
        neuron = self.found[name].neuron
        bias = self.bias.get(name)
        if bias is None:
            return neuron
        total = np.broadcast_to(bias, size_of(self.graph.shapes[name])).reshape(
            self.graph.shapes[name]
        )
        total = total + neuron.bias
        simple = total if np.ptp(total) else total.flat[0]
        return Neuron.of(**_fields(neuron) | {"bias": simple})

    def _with_feedback(self, names: list[str]) -> list[Projection]:
        """A projection that closes a cycle of delay 0 takes one step, as in every framework."""
        ahead: dict[str, list[str]] = {name: [] for name in names}
        for p in self.projections:
            if p.delay.min() == 0:
                ahead[p.source].append(p.target)
        back = _back_edges(names, ahead)
        made = []
        for p in self.projections:
            if (p.source, p.target) in back:
                self._say(p.target, f"spikes of {p.source!r} arrive one step later: a cycle")
                p = Projection.of(p.source, p.target, p.synapses, delay=np.maximum(p.delay, 1))
            made.append(p)
        return made


def _back_edges(names: list[str], ahead: Mapping[str, list[str]]) -> set[tuple[str, str]]:
    """Edges that close a cycle, in depth-first order from the first name on."""
    back: set[tuple[str, str]] = set()
    done: set[str] = set()
    for root in names:
        if root in done:
            continue
        on_way = {root: iter(ahead[root])}
        while on_way:
            here = next(reversed(on_way))
            for target in on_way[here]:
                if target in on_way:
                    back.add((here, target))
                elif target not in done:
                    on_way[target] = iter(ahead[target])
                    break
            else:
                del on_way[here]
                done.add(here)
    return back


def _fields(neuron: Neuron) -> dict[str, Any]:
    return {name: getattr(neuron, name) for name in Neuron.__dataclass_fields__}
