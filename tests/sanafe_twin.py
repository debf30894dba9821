"""A plan as SANA-FE sees it [Boyle2025]: same chip, neurons, synapses and places.

Written against the package's Python API; its architecture is made from our chip file. Where the two
define things differently, this is how they are made to count the same:

- Potentials there are ours / 64, so weights and thresholds have the same numbers. No synaptic
  current outlasts a step there: `du` must be 4095. A bias acts there from step 0: none here.
- Inputs are neurons there. They sit on the tile where ours enter, on a core that our plan leaves
  empty, and their soma costs nothing.
- An update is active there if the potential is not zero or a spike arrived, here if the sum that
  arrived is not zero; they differ where the weights that reach a resting neuron cancel.
- A synaptic event belongs there to the step of its spike, here to the step of its arrival: a
  comparison must end with a silent step.
- Its tiles are numbered column by column, ours row by row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sanafe
import yaml

from hwsim.arrays import AnyArray
from hwsim.chips.spec import ChipSpec
from hwsim.mapping.plan import Plan
from hwsim.network import Population, Projection
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense, Sparse
from tests.reference import unrolled

LIF, INPUT = "loihi_lif", "loihi_inputs"  # units of the package's own file have these names
SYNAPSES = {
    Dense: ("loihi_dense_synapse", "sop"),
    Sparse: ("loihi_sparse_synapse", "sop_sparse"),
    Conv2d: ("loihi_conv_synapse", "sop_conv"),
}


@dataclass(frozen=True)
class Twin:
    """What SANA-FE found: (steps, neurons) of spikes by population, and its totals."""

    spikes: dict[str, AnyArray]
    sops: int
    packets: int
    hops: int
    synapse_j: float
    soma_j: float
    network_j: float
    seconds: float


def architecture(chip: ChipSpec, n_inputs: int, folder: Path) -> Any:
    """The chip for SANA-FE, with units for inputs on the last core of tile 0."""
    mesh, barrier = chip.mesh, {k: c.value for k, c in chip.time.barrier.items()}
    places = {"topology": "mesh", "width": mesh.columns, "height": mesh.rows}
    sync = {"link_buffer_size": 16, "sync_model": "table", "latency_sync": barrier}
    n_tiles, last = mesh.columns * mesh.rows, mesh.cores_per_tile - 1
    plain = _core(chip, f"core[0..{last}]", 0)
    shared = [_core(chip, f"core[0..{last - 1}]", 0), _core(chip, "entry", n_inputs)]
    tiles = [_tile(chip, "tile[0]", shared), _tile(chip, f"tile[1..{n_tiles - 1}]", [plain])]
    path = folder / "architecture.yaml"
    content = {"name": chip.name, "attributes": places | sync, "tile": tiles}
    path.write_text(yaml.safe_dump({"architecture": content}, sort_keys=False), encoding="utf-8")
    return sanafe.load_arch(str(path))


def _tile(chip: ChipSpec, name: str, cores: list[dict[str, Any]]) -> dict[str, Any]:
    price = {"north": "hop_ns", "south": "hop_ns", "east": "hop_ew", "west": "hop_ew"}
    hops = {
        f"{what}_{side}_hop": getattr(table, event).value
        for side, event in price.items()
        for what, table in (("energy", chip.energy), ("latency", chip.time))
    }
    return {"name": name, "attributes": hops, "core": cores}


def _core(chip: ChipSpec, name: str, n_inputs: int) -> dict[str, Any]:
    e, t = chip.energy, chip.time
    limits = {"max_neurons_supported": max(n_inputs, chip.limits.neurons_per_core)}
    soma = [_unit(LIF, "leaky_integrate_fire", _soma(e) | _soma(t))]
    if n_inputs:
        nothing = dict.fromkeys(_soma(e) | _soma(t), 0.0)
        soma.append(_unit(f"{INPUT}[0..{n_inputs - 1}]", "input", nothing))
    synapses = [
        _unit(unit, "current_based", {
            "energy_process_spike": getattr(e, event).value,
            "latency_process_spike": getattr(t, event).value,
        })
        for unit, event in SYNAPSES.values()
    ]  # fmt: skip
    free = {"energy_update": 0.0, "latency_update": 0.0}
    heard = {"energy_message_in": 0.0, "latency_message_in": t.packet_in.value}
    sent = {"energy_message_out": e.packet.value, "latency_message_out": t.packet.value}
    return {
        "name": name,
        "attributes": {"buffer_position": "soma", "buffer_inside_unit": False, **limits},
        "axon_in": [{"name": "axon_in", "attributes": heard}],
        "synapse": synapses,
        "dendrite": [_unit("dendrite", "accumulator", free)],
        "soma": soma,
        "axon_out": [{"name": "axon_out", "attributes": sent}],
    }


def _unit(name: str, model: str, prices: dict[str, float]) -> dict[str, Any]:
    return {"name": name, "attributes": {"model": model, **prices}}


def _soma(prices: Any) -> dict[str, float]:
    """Every update is an access; an active one is an update, and one that fires a spike, on top."""
    what = "energy" if hasattr(prices, "reset") else "latency"
    return {
        f"{what}_access_neuron": prices.update_inactive.value,
        f"{what}_update_neuron": prices.update_active.value - prices.update_inactive.value,
        f"{what}_spike_out": prices.spike.value,
    }


def build(plan: Plan, sample: AnyArray, arch: Any, *, record: bool = True) -> Any:
    """The plan's network with one sample (steps, neurons) as input, loaded on a SANA-FE chip."""
    entry = plan.chip.mesh.cores_per_tile - 1
    assert entry not in plan.cores, "the core of the inputs must be left empty"
    net, groups = sanafe.Network(), {}
    for population in plan.network.populations:
        groups[population.name] = _group(net, population, record)
    for projection in plan.network.projections:
        _connect(plan, projection, groups)
    for part in plan.parts:
        group = groups[part.population]
        if part.core is None:
            place = arch.tiles[0].cores[entry]
            for n in part.neurons.tolist():
                spikes = (sample[:, n] != 0).tolist()
                unit = f"{INPUT}[{n}]"
                group[n].set_attributes(soma_hw_name=unit, model_attributes={"spikes": spikes})
                group[n].map_to_core(place)
        else:
            x, y = plan.chip.tile_xy(part.core)
            tile = arch.tiles[x * plan.chip.mesh.rows + y]
            place = tile.cores[part.core % plan.chip.mesh.cores_per_tile]
            for n in part.neurons.tolist():
                group[n].map_to_core(place)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    return chip


def _group(net: Any, population: Population, record: bool) -> Any:
    neuron = population.neuron
    if neuron is None:
        return net.create_neuron_group(population.name, population.size, log_spikes=record)
    assert isinstance(neuron, FixedNeuron)
    assert (neuron.du == 4095).all(), "no current outlasts a step there"
    assert (neuron.bias == 0).all(), "a bias would act from step 0 there"
    attributes = {
        "threshold": float(neuron.v_th),
        "leak_decay": float(4096 - neuron.dv) / 4096,
        "reset_mode": {"zero": "hard", "subtract": "soft", "none": "none"}[neuron.reset],
        "reset": 0.0,
    }
    return net.create_neuron_group(
        population.name,
        population.size,
        model_attributes=attributes,
        soma_hw_name=LIF,
        log_spikes=record,
    )


def _connect(plan: Plan, p: Projection, groups: dict[str, Any]) -> None:
    """The synapses of a projection, of their kind: a target's default when they are made."""
    assert (p.delay == 1).all(), "longer delays need another dendrite there"
    assert p.word is not None
    assert p.word.exp >= 0, "they sum before they shift"
    source, target = groups[p.source], groups[p.target]
    for neuron in target.neurons:
        neuron.set_attributes(default_synapse_hw_name=SYNAPSES[type(p.synapses)][0])
    scale = 1 << p.word.exp
    if isinstance(p.synapses, Dense):
        weight = (p.synapses.weight.T * scale).astype(float).ravel()
        source.connect_neurons_dense(target, {"weight": weight})
        return
    if isinstance(p.synapses, Sparse):
        pre, post, weight = p.synapses.source, p.synapses.target, p.synapses.weight
    else:
        shapes = plan.network[p.source].shape, plan.network[p.target].shape
        matrix = unrolled(p.synapses, *shapes)
        post, pre = np.nonzero(matrix)
        weight = matrix[post, pre]
    pairs = list(zip(pre.tolist(), post.tolist(), strict=True))
    source.connect_neurons_sparse(target, {"weight": (weight * scale).astype(float)}, pairs)


def run(plan: Plan, chip: Any, n_steps: int) -> Twin:
    """Simulate, and gather its traces."""
    found = chip.sim(n_steps, "simple", 1, 0, spike_trace=True, perf_trace=True)
    spikes = {p.name: np.zeros((n_steps, p.size), dtype=np.int8) for p in plan.network.populations}
    for step, fired in enumerate(found["spike_trace"]):
        for neuron in fired:
            spikes[neuron.group_name][step, neuron.neuron_offset] = 1
    energy = found["energy"]
    return Twin(
        spikes=spikes,
        sops=found["spikes"],
        packets=found["packets_sent"],
        hops=sum(found["perf_trace"]["hops"]),
        synapse_j=energy["synapse"],
        soma_j=energy["soma"],
        network_j=energy["network"],
        seconds=found["sim_time"],
    )
