"""A plan as SANA-FE's netlist: neurons, synapses and where they lie, one to a line.

Of its two formats this is the one in which synapses of several kinds can reach one neuron.
Potentials there are ours / 64, so weights and thresholds have the same numbers.

Here a population's state is cleared when its first step comes; there a bias acts from step 0. What
it does until then is taken off: in step 0 by the potential that a neuron starts with, later by a
neuron of group `hold` on the same tile, whose synapses bring minus the bias.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, pairwise

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.formats.sanafe_chip import HOLD, HOLD_SYNAPSE, INPUT, SOMA, SYNAPSES, place
from hwsim.mapping.plan import Plan
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense, Sparse

ONE = 64  # of our potential is 1 there
OUT_OF_REACH = 1e12  # a threshold for neurons that never fire
RESETS = {"zero": "hard", "subtract": "soft", "none": "none"}
CHUNK = 1 << 16  # synapses to a piece of text


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """A population whose bias must not act before its first step.

    Attributes:
        steps: in which something must come from `hold`. tiles: neurons with a bias on each
            tile, by the tile's number. n_cores: that they lie on.
    """

    name: str
    steps: int
    tiles: dict[int, IntArray]
    n_cores: int

    @property
    def packets(self) -> int:
        """What `hold` sends to hold it."""
        return self.steps * self.n_cores

    @property
    def sops(self) -> int:
        """Synaptic events of these packets."""
        return self.steps * sum(neurons.size for neurons in self.tiles.values())


def held(plan: Plan) -> tuple[Held, ...]:
    """Populations with a bias that begin in step 2 or later; before, a potential is enough."""
    found = []
    for p in plan.network.populations:
        biased = np.zeros(p.size, dtype=bool)
        if isinstance(p.neuron, FixedNeuron):
            biased |= np.broadcast_to(p.neuron.bias, p.shape).ravel() != 0
        if plan.shift[p.name] < 2 or not biased.any():
            continue
        tiles: dict[int, list[IntArray]] = {}
        cores = set()
        for i in plan.parts_of(p.name):
            part = plan.parts[i]
            assert part.core is not None
            neurons = part.neurons[biased[part.neurons]]
            if neurons.size:
                tiles.setdefault(place(plan.chip, part.core)[0], []).append(neurons)
                cores.add(part.core)
        joined = {tile: np.concatenate(parts) for tile, parts in sorted(tiles.items())}
        found.append(Held(p.name, plan.shift[p.name] - 1, joined, len(cores)))
    return tuple(found)


def is_readout(p: Population) -> bool:
    """Whether its neurons never fire, and answer by their potential."""
    return p.neuron is not None and p.neuron.emits == "nothing"


def n_neurons(holds: tuple[Held, ...]) -> int:
    """Neurons of `hold`: one for each population that is held and each of its tiles."""
    return sum(len(h.tiles) for h in holds)


def addresses(net: Network, n_holds: int) -> dict[str, list[str]]:
    """SANA-FE's name of every neuron, `group.neuron`, by population; groups are numbers there.

    A population is a group. Each input is a group of its own, they come last: the unit that
    sends its spikes can be named for groups only (SANA-FE 2.2.9). So are the neurons of `hold`,
    which come between.
    """
    layers = [p for p in net.populations if p.neuron is not None]
    found = {p.name: [f"{g}.{i}" for i in range(p.size)] for g, p in enumerate(layers)}
    first = len(layers) + n_holds
    for p in net.inputs:
        found[p.name] = [f"{first + i}.0" for i in range(p.size)]
        first += p.size
    return found


def netlist(plan: Plan, trains: dict[str, AnyArray]) -> Iterator[str]:
    """Pieces of the file. trains: spikes of inputs by name, (steps, neurons)."""
    net, holds = plan.network, held(plan)
    at = addresses(net, n_neurons(holds))
    for name, neurons in at.items():
        yield f"# {name!r}: {neurons[0]} to {neurons[-1]}\n"
    for p in net.populations:
        if p.neuron is not None:
            yield from _neurons(at[p.name], p, plan)
    yield from (f"g 1 soma_hw_name={HOLD}[{i}]\n" for i, h in enumerate(holds) for _ in h.tiles)
    yield from _inputs(net, at, trains)
    kinds = {p.name: _first_kind(plan, p.name) for p in net.populations}
    for q in net.projections:
        unit = SYNAPSES[type(q.synapses)]
        if kinds[q.target] != unit:  # synapses take the kind that their target has by then
            yield _set_kind(at[q.target], unit)
            kinds[q.target] = unit
        yield from _synapses(at[q.source], at[q.target], q, plan)
    for part in plan.parts:
        tile, core = (0, _entry(plan, holds)) if part.core is None else place(plan.chip, part.core)
        own = at[part.population]
        yield "".join(f"& {own[i]}@{tile}.{core}\n" for i in part.neurons.tolist())
    yield from _holds(holds, at, plan)


def _entry(plan: Plan, holds: tuple[Held, ...]) -> int:
    """The core of inputs on tile 0: after the chip's own, and that of `hold`."""
    return plan.chip.mesh.cores_per_tile + bool(holds)


def _first_kind(plan: Plan, name: str) -> str:
    """The kind of synapse that a group is made with: that of the first that reach it."""
    return next((SYNAPSES[type(q.synapses)] for q in plan.network.into(name)), SYNAPSES[Dense])


def _set_kind(neurons: list[str], unit: str) -> str:
    return "".join(f"n {neuron} synapse_hw_name={unit}\n" for neuron in neurons)


def _inputs(net: Network, at: dict[str, list[str]], trains: dict[str, AnyArray]) -> Iterator[str]:
    """Inputs, each with a unit of its own, which holds its spikes."""
    for unit in range(sum(p.size for p in net.inputs)):
        yield f"g 1 soma_hw_name={INPUT}[{unit}] log_spikes=1\n"
    for name, train in trains.items():
        for i in np.flatnonzero(train.any(axis=0)).tolist():
            yield f"n {at[name][i]} {_train(np.trim_zeros(train[:, i] != 0, 'b'))}\n"


def _train(fired: AnyArray) -> str:
    return f"{{spikes: [{','.join(map(str, fired.astype(int).tolist()))}]}}"


def _neurons(at: list[str], p: Population, plan: Plan) -> Iterator[str]:
    """A group with what all its neurons share, then the neurons with what is their own."""
    neuron = p.neuron
    assert isinstance(neuron, FixedNeuron)
    never = is_readout(p)
    bias = neuron.bias / ONE
    fields = {
        "threshold": np.array(OUT_OF_REACH) if never else neuron.v_th,
        "leak_decay": (4096 - neuron.dv) / 4096,
        "bias": bias,
        "potential": -bias if plan.shift[p.name] else np.zeros(()),
    }
    each = {name: np.broadcast_to(values, p.shape).ravel() for name, values in fields.items()}
    shared = {name: values[0] for name, values in each.items() if (values == values[0]).all()}
    words = [f"{name}={_number(value)}" for name, value in shared.items()]
    words += [f"reset_mode={RESETS[neuron.reset]}", "reset=0"]
    if neuron.refractory:
        words.append(f"refractory_delay={neuron.refractory + 1}")  # counts the step of the spike
    log = "log_v=1" if never else "log_spikes=1"
    units = f"soma_hw_name={SOMA} synapse_hw_name={_first_kind(plan, p.name)} {log}"
    yield f"g {p.size} {units} {' '.join(words)}\n"
    own = {name: values.tolist() for name, values in each.items() if name not in shared}
    if own:
        for neuron, *values in zip(at, *own.values(), strict=True):
            words = [f"{name}={_number(x)}" for name, x in zip(own, values, strict=True)]
            yield f"n {neuron} {' '.join(words)}\n"


def _number(value: float) -> str:
    """Exactly: all these are whole, or have few digits in base 2."""
    return str(int(value)) if value == int(value) else repr(float(value))


def _synapses(source: list[str], target: list[str], q: Projection, plan: Plan) -> Iterator[str]:
    assert q.word is not None
    pre, post, weight = _listed(q, plan)
    weight = weight << q.word.exp
    bounds = [*range(0, weight.size, CHUNK), weight.size]
    for a, b in pairwise(bounds):
        rows = zip(pre[a:b].tolist(), post[a:b].tolist(), weight[a:b].tolist(), strict=True)
        yield "".join(f"e {source[i]}->{target[j]} w={w}\n" for i, j, w in rows)


def _listed(q: Projection, plan: Plan) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Source, target and weight of every synapse, those of weight 0 too: a chip works on them."""
    s = q.synapses
    if isinstance(s, Sparse):
        return s.source, s.target, s.weight
    if isinstance(s, Dense):
        n_targets, n_sources = s.weight.shape
        pre = np.repeat(np.arange(n_sources), n_targets)
        return pre, np.tile(np.arange(n_targets), n_sources), s.weight.T.ravel()
    return _taps(s, plan.network[q.source].shape, plan.network[q.target].shape)


def _taps(
    s: Conv2d, source: tuple[int, ...], target: tuple[int, ...]
) -> tuple[AnyArray, AnyArray, AnyArray]:
    """A convolution, tap by tap."""
    pre, post, weight = [], [], []
    for o, i, ky, kx in np.ndindex(s.weight.shape):
        channel = o // (target[0] // s.groups) * s.weight.shape[1] + i
        ys, oy = s.taps(0, ky, source[1], target[1])
        xs, ox = s.taps(1, kx, source[2], target[2])
        pre.append(((channel * source[1] + ys[:, None]) * source[2] + xs).ravel())
        post.append(((o * target[1] + oy[:, None]) * target[2] + ox).ravel())
        weight.append(np.full(pre[-1].size, s.weight[o, i, ky, kx]))
    return np.concatenate(pre), np.concatenate(post), np.concatenate(weight)


def _holds(holds: tuple[Held, ...], at: dict[str, list[str]], plan: Plan) -> Iterator[str]:
    """What `hold` sends: a neuron for each population and tile, its spikes, synapses, place."""
    core, group = plan.chip.mesh.cores_per_tile, count(len(at) - len(plan.network.inputs))
    for h in holds:
        p = plan.network[h.name]
        assert isinstance(p.neuron, FixedNeuron)
        taken_off = (np.broadcast_to(-p.neuron.bias, p.shape).ravel() / ONE).tolist()
        yield _set_kind(at[h.name], HOLD_SYNAPSE)
        for tile, neurons in h.tiles.items():
            source = f"{next(group)}.0"
            yield f"n {source} {_train(np.ones(h.steps))}\n"
            for i in neurons.tolist():
                yield f"e {source}->{at[h.name][i]} w={_number(taken_off[i])}\n"
            yield f"& {source}@{tile}.{core}\n"
