"""Rows of the report: what each layer is and does, and what each core carries."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.chips.nominal import nominal
from hwsim.counts import Counts
from hwsim.listening import WORK
from hwsim.macs import macs
from hwsim.mapping.plan import Plan
from hwsim.mapping.use import Use, fill_of
from hwsim.network import Network
from hwsim.neuron import AnyNeuron, Neuron
from hwsim.simulation import Run
from hwsim.synapses import Shape

LIMIT_WORDS = {
    "neurons": "neurons",
    "synapse_bits": "synapse memory",
    "axons_in": "axons in",
    "axons_out": "axons out",
    "neuron_configs": "neuron settings",
    "v_th_configs": "thresholds",
    "synapse_configs": "synapse words",
}
EVENTS = ("sops", "sops_dense", "sops_sparse", "sops_conv", "packets", "packets_in")
Role = Literal["input", "hidden", "output"]


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One population.

    Attributes:
        kind: what its neurons send: spikes, ternary, graded, sigma_delta, nothing.
        parameters: weights stored once, and biases if any is not zero.
        rate: messages per neuron and step, mean over samples; None if it emits nothing.
        sops: synaptic operations into it, per inference; sops_dense, sops_sparse, sops_conv: by
            kind of synapse. packets, packets_in: messages it sends to cores, and receives.
        macs: multiply-accumulates into it in one pass of the ANN of the same shape.
        cores: how many hold it; 0 for an input.
    """

    name: str
    role: Role
    kind: str
    shape: Shape
    neurons: int
    parameters: int
    rate: float | None
    sops: float
    sops_dense: float
    sops_sparse: float
    sops_conv: float
    packets: float
    packets_in: float
    macs: int
    cores: int

    @property
    def sparsity(self) -> float | None:
        """Fraction of neurons that are silent in a step."""
        return None if self.rate is None else 1 - self.rate


@dataclass(frozen=True, slots=True)
class CoreRow:
    """One core in use.

    Attributes:
        core, chip: their numbers. x, y: its tile, over all chips.
        layers: neurons of each layer on it, by name.
        sops, packets, packets_in: synaptic operations, packets sent and received, per inference.
        step_s: its time on an average step by the chip's nominal times; None if none is known.
        busy: its load over that of the busiest core: of `step_s`, or of events if that is unknown.
        fill: part used of each limit of a core.
    """

    core: int
    chip: int
    x: int
    y: int
    layers: dict[str, int]
    sops: float
    packets: float
    packets_in: float
    step_s: float | None
    busy: float
    fill: dict[str, float]

    @property
    def neurons(self) -> int:
        """Neurons of all layers on it."""
        return sum(self.layers.values())


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
                kind=_kind(neuron),
                shape=population.shape,
                neurons=population.size,
                parameters=_parameters(net, name, neuron),
                rate=None if silent else float(run.spike_counts[name].mean() / run.n_steps),
                **{n: float(getattr(counts, n)[parts].sum() / counts.n_samples) for n in EVENTS},
                macs=passes.get(name, 0),
                cores=len({plan.parts[i].core for i in parts} - {None}),
            )
        )
    return tuple(rows)


def _role(net: Network, name: str) -> Role:
    if net[name].neuron is None:
        return "input"
    return "output" if name == net.output else "hidden"


def _kind(neuron: AnyNeuron | None) -> str:
    if neuron is None or isinstance(neuron, Neuron):
        return "spikes"
    return "nothing" if neuron.emits == "nothing" else neuron.kind


def _parameters(net: Network, name: str, neuron: AnyNeuron | None) -> int:
    n = sum(p.synapses.weight.size for p in net.into(name))
    bias = getattr(neuron, "bias", None)
    return n + (bias.size if bias is not None and (bias != 0).any() else 0)


def build_cores(plan: Plan, counts: Counts) -> tuple[CoreRow, ...]:
    """One row per core in use, in order of the cores."""
    work, known = _work(plan, counts)
    by_core: dict[int, list[int]] = {core: [] for core in plan.cores}
    for i, part in enumerate(plan.parts):
        if part.core is not None:
            by_core[part.core].append(i)
    most = max((float(work[own].sum()) for own in by_core.values()), default=0.0)
    rows = []
    for core, own in by_core.items():
        x, y = plan.chip.tile_xy(core)
        spent = float(work[own].sum())
        rows.append(
            CoreRow(
                core=core,
                chip=plan.chip.chip_of(core),
                x=x,
                y=y,
                layers=_layers_of(plan, own),
                sops=float(counts.sops[own].sum() / counts.n_samples),
                packets=float(counts.packets[own].sum() / counts.n_samples),
                packets_in=float(counts.packets_in[own].sum() / counts.n_samples),
                step_s=spent / counts.n_steps if known and counts.n_steps else None,
                busy=spent / most if most else 0.0,
                fill=_fill(plan, own),
            )
        )
    return tuple(rows)


def _layers_of(plan: Plan, parts: list[int]) -> dict[str, int]:
    out: dict[str, int] = {}
    for i in parts:
        part = plan.parts[i]
        out[part.population] = out.get(part.population, 0) + part.neurons.size
    return out


def _fill(plan: Plan, parts: list[int]) -> dict[str, float]:
    """Part used of each limit by all that is on a core, in words."""
    used = sum((use for i in parts if (use := plan.parts[i].use) is not None), start=Use())
    return {LIMIT_WORDS[name]: part for name, part in fill_of(used, plan.chip.limits).items()}


def _work(plan: Plan, counts: Counts) -> tuple[FloatArray, bool]:
    """Time of every part, (parts,), and whether any is known; if none is, its events."""
    prices = {name: nominal(plan.chip.time, price) for name, price in WORK.items()}
    known = any(prices.values())
    spent = np.zeros(len(plan.parts))
    for name, seconds in prices.items():
        spent += getattr(counts, name) * (seconds if known else 1.0)
    spent[[i for i, part in enumerate(plan.parts) if part.core is None]] = 0.0
    return spent, known
