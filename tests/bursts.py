"""Bursts: all spikes of a step sent at once, and when the flit-level mesh has delivered them."""

import numpy as np

from hwsim.chips.spec import ChipSpec
from hwsim.mapping.plan import Part, Plan
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.noc import EJECT, INJECT, Grid
from hwsim.synapses import Sparse
from tests.flit_simulator import drain
from tests.strategies import chip_with
from tests.traffic_patterns import PATTERNS

PER_TILE = 40  # neurons of a tile in a burst, each with one packet to send


def burst_plan(name):
    """Neurons on every tile of a mesh, each heard on one tile, drawn by the pattern."""
    pattern, (columns, rows), times = PATTERNS[name]
    n_tiles, rng = columns * rows, np.random.default_rng(5)
    matrix = pattern(columns, rows)
    heard = [
        rng.choice(n_tiles, p=matrix[tile] / matrix[tile].sum()) if matrix[tile].any() else -1
        for tile in np.repeat(np.arange(n_tiles), PER_TILE)
    ]
    listens = np.array(heard) >= 0
    synapses = Sparse.of(
        np.full(listens.sum(), 2),
        indptr=np.concatenate([[0], np.cumsum(listens)]),
        target=np.array(heard)[listens] * PER_TILE,
        n_targets=n_tiles * PER_TILE,
    )
    word = WeightWord(n_bits=8, exp=0, sign_mode="mixed", message_bits=0)
    neuron = FixedNeuron.of(du=4095, dv=0, v_th=1)
    net = Network(
        (Population("input", (1,)), Population("all", (n_tiles * PER_TILE,), neuron)),
        (Projection.of("all", "all", synapses, delay=1, word=word),),
    )
    mesh = {"columns": columns, "rows": rows, "cores_per_tile": 1}
    chip = chip_with(mesh=mesh, cores=n_tiles).model_dump(by_alias=True)
    for key in ("ew", "ns"):
        chip["time"][f"hop_{key}"]["value"] = times[key]
    own = [np.arange(t * PER_TILE, (t + 1) * PER_TILE) for t in range(n_tiles)]
    parts = [Part("input", np.arange(1), None, None)]
    parts += [Part("all", neurons, core, None) for core, neurons in enumerate(own)]
    return Plan(ChipSpec.model_validate(chip), net, {"input": 0, "all": 0}, tuple(parts))


def packets_of(plan, fired):
    """Source and target (packets, 2) of what the spikes of one step send, packet by packet."""
    source, target = [], []
    for name, spikes in fired.items():
        heard = plan.listeners(name)
        own = np.array(plan.parts_of(name))[plan.part_of(name)]
        for n in np.flatnonzero(spikes):
            for listener in heard.indices[heard.indptr[n] : heard.indptr[n + 1]]:
                cores = plan.parts[own[n]].core, plan.parts[listener].core
                ends = [(0, 0) if core is None else plan.chip.tile_xy(core) for core in cores]
                source.append(ends[0])
                target.append(ends[1])
    return np.array(source).reshape(-1, 2), np.array(target).reshape(-1, 2)


def last_arrival(plan, fired, seed=0):
    """When the flit-level mesh has delivered what the spikes of a step send, all at once."""
    source, target = packets_of(plan, fired)
    if len(source) == 0:
        return 0.0
    hold = Grid.of(plan.chip, n_chips=1 + max(map(plan.chip.chip_of, plan.cores))).hold_s.copy()
    hold[[INJECT, EJECT]] = 0  # a core's own time is not the network's
    order = np.random.default_rng(seed).permutation(len(source))
    arrived, _ = drain(hold, source[order], target[order], np.zeros(len(source)))
    return arrived.max()
