"""Rows of the report: what each layer is and does, and what each core carries."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.arrays import FloatArray, IntArray
from hwsim.counts import Counts
from hwsim.macs import macs
from hwsim.mapping.plan import Plan
from hwsim.network import Network
from hwsim.neuron import AnyNeuron
from hwsim.simulation import Run
from hwsim.synapses import Shape
from hwsim.tally import WORK, nominal

Role = Literal["input", "hidden", "output"]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One population.

    Attributes:
        parameters: weights stored once, and biases if any is not zero.
        rate: spikes per neuron and step, mean over samples; None if it emits nothing.
        sops: synaptic operations into it, per inference.
        macs: multiply-accumulates into it in one pass of the ANN of the same shape.
        cores: how many hold it; 0 for an input.
    """

    name: str
    role: Role
    shape: Shape
    neurons: int
    parameters: int
    rate: float | None
    sops: float
    macs: int
    cores: int

    @property
    def sparsity(self) -> float | None:
        """Fraction of neurons that are silent in a step."""
        return None if self.rate is None else 1 - self.rate


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One layer on one core.

    Attributes:
        x, y: its tile. neurons: of the layer on it; a core with several layers has several rows.
        fill: part used of each limit of a core. busy: its time over that of the busiest core,
            by the chip's nominal times (unknown ones weigh nothing).
    """

    core: int
    x: int
    y: int
    layer: str
    neurons: int
    sops: float
    busy: float
    fill: dict[str, float]


def build_layers(plan: Plan, run: Run) -> tuple[LayerRow, ...]:
    """One row per population, inputs included.

    Raises:
        ValueError: if the run was not counted on the chip.
    """
    if run.counts is None:
        raise ValueError("the run has no counts: simulate the plan, not the network")
    net, counts, passes = plan.network, run.counts, macs(plan.network)
    rows = []
    for population in net.populations:
        name, neuron = population.name, population.neuron
        silent = neuron is not None and neuron.emits == "nothing"
        parts = plan.parts_of(name)
        rows.append(
            LayerRow(
                name=name,
                role=_role(net, name),
                shape=population.shape,
                neurons=population.size,
                parameters=_parameters(net, name, neuron),
                rate=None if silent else float(run.spike_counts[name].mean() / run.n_steps),
                sops=float(counts.sops[parts].sum() / counts.n_samples),
                macs=passes.get(name, 0),
                cores=sum(plan.parts[i].core is not None for i in parts),
            )
        )
    return tuple(rows)


def _role(net: Network, name: str) -> Role:
    if net[name].neuron is None:
        return "input"
    return "output" if name == net.output else "hidden"


def _parameters(net: Network, name: str, neuron: AnyNeuron | None) -> int:
    n = sum(p.synapses.weight.size for p in net.into(name))
    bias = getattr(neuron, "bias", None)
    return n + (bias.size if bias is not None and (bias != 0).any() else 0)


def build_cores(plan: Plan, counts: Counts) -> tuple[CoreRow, ...]:
    """One row per core in use, in order of the cores."""
    limits, busy = plan.chip.limits, _busy(plan, counts)
    rows = []
    for i, part in enumerate(plan.parts):
        if part.core is None or part.use is None:
            continue
        fill = {
            "neurons": part.use.neurons / limits.neurons_per_core,
            "synapse memory": part.use.synapse_bits / limits.synapse_bits_per_core,
            "axons in": part.use.axons_in / limits.axons_in_per_core,
            "axons out": part.use.axons_out / limits.axons_out_per_core,
        }
        x, y = plan.chip.tile_xy(part.core)
        sops = float(counts.sops[i] / counts.n_samples)
        rows.append(
            CoreRow(
                part.core,
                x,
                y,
                part.population,
                part.neurons.size,
                sops,
                float(busy[i]),
                fill,
            )
        )
    return tuple(sorted(rows, key=lambda row: row.core))


def _busy(plan: Plan, counts: Counts) -> FloatArray:
    """Time of every part over that of the busiest core, (parts,)."""
    time = plan.chip.time
    spent = np.zeros(len(plan.parts))
    for name, price in WORK.items():
        spent += getattr(counts, name) * nominal(time, price)
    spent[_off_chip(plan)] = 0.0
    return spent / spent.max() if spent.max() > 0 else spent


def _off_chip(plan: Plan) -> IntArray:
    return np.array([i for i, p in enumerate(plan.parts) if p.core is None], dtype=np.int64)
