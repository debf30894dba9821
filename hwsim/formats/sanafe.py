"""SANA-FE out: a plan as files that it runs, and what it should count there [Boyle2025]."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.atomic import atomic_folder
from hwsim.energy import price
from hwsim.formats.sanafe_chip import architecture
from hwsim.formats.sanafe_net import ONE, Held, addresses, held, is_readout, n_neurons, netlist
from hwsim.inputs import Samples, inputs_of
from hwsim.mapping.plan import Plan
from hwsim.network import Population, Projection
from hwsim.neuron import FixedNeuron
from hwsim.simulation import simulate
from hwsim.synapses import n_synapses

ARCHITECTURE, NETWORK, EXPECTED, README = (
    "architecture.yaml",
    "network.net",
    "expected.json",
    "README.md",
)
HOW_TO_RUN = """# A network on a chip, for SANA-FE 2.2.9

`architecture.yaml` is the chip {chip} with its constants, `network.net` the network and where each
neuron lies. The simulator itself:

    ./sim -n -s architecture.yaml network.net {steps}

In Python (`pip install sanafe`):

    import sanafe
    arch = sanafe.load_arch("architecture.yaml")
    net = sanafe.load_net("network.net", arch, use_netlist_format=True)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    print(chip.sim({steps}, timing_model="simple"))

| population | first neuron, `group.neuron` | last |
|-|-|-|"""
COMPARE = """`expected.json` has what to compare with: `sops` are SANA-FE's `spikes`, `packets` its
`packets_sent`, `hops` the sum of its performance trace; energies by its names; `potentials` those
of read-outs after the last step (`-v`, `potential_trace=True`). Static power, the host, resets and
barriers are in the bill, not in SANA-FE."""
NO_SPIKES = "No spikes are in the files; outputs come {} steps late."
HELD = """The groups between layers and inputs keep biases from acting before a layer's first step.
They cost nothing, but SANA-FE counts their packets and synaptic events: those under `hold`."""
MAX_SYNAPSES = 10_000_000  # SANA-FE takes 1 to 4 kB of memory for each


def write_sanafe(plan: Plan, folder: Path, *, sample: Samples | None = None) -> None:
    """Write a folder that SANA-FE runs: the chip, the network on it, and how to run both.

    With a sample its spikes are in the files, and so is what the simulator finds: spikes by
    population, potentials of read-outs, synaptic operations, packets, hops, and the energies that
    both have.

    Args:
        folder: appears whole, or not at all. It may hold an earlier export.
        sample: input spikes of one sample, (steps, *input shape); a mapping from names to such
            arrays where there are several inputs.

    Raises:
        ValueError: if SANA-FE cannot say a part of the plan; nothing is written then.
    """
    folder = Path(folder)
    check(plan)
    _check_place(folder)
    inputs = None if sample is None else _checked(plan, sample)
    expected = None if inputs is None else _expected(plan, inputs)
    n_inputs, holds = sum(p.size for p in plan.network.inputs), held(plan)
    chip = architecture(plan.chip, n_inputs, len(holds))
    trains = {name: x[0] for name, x in (inputs or {}).items()}
    with atomic_folder(folder) as new:
        (new / ARCHITECTURE).write_text(chip, encoding="utf-8")
        with (new / NETWORK).open("w", encoding="utf-8") as file:
            file.writelines(netlist(plan, trains))
        if expected is not None:
            (new / EXPECTED).write_text(json.dumps(expected, indent=2) + "\n", encoding="utf-8")
        (new / README).write_text(_readme(plan, holds, expected), encoding="utf-8")


def check(plan: Plan) -> None:
    """Raise unless SANA-FE can say all of a plan.

    Raises:
        ValueError: naming the part of it, what it has and the way out.
    """
    if not plan.network.is_integer:
        raise ValueError("the network is real, a chip's integers are exported: quantise it first")
    if plan.cores[-1] >= plan.chip.limits.cores:
        raise ValueError(
            f"the plan goes to core {plan.cores[-1]}, one chip has {plan.chip.limits.cores} and "
            "SANA-FE one chip: export a smaller network"
        )
    for population in plan.network.populations:
        if lack := _lack(population):
            raise ValueError(f"population {population.name!r} {lack}")
    for projection in plan.network.projections:
        if lack := _lack_of_synapses(projection):
            raise ValueError(f"projection {projection.source} -> {projection.target}: {lack}")
    n = sum(
        int(
            n_synapses(q.synapses, plan.network[q.source].shape, plan.network[q.target].shape).sum()
        )
        for q in plan.network.projections
    )
    if n > MAX_SYNAPSES:
        raise ValueError(
            f"{n:,} synapses, at most {MAX_SYNAPSES:,} are exported: SANA-FE takes 1 to 4 kB of "
            f"memory for each, up to {n * 4e-6:,.0f} GB in all; export a smaller network"
        )


def _lack(p: Population) -> str:
    """What SANA-FE has not of these neurons; empty if it has all."""
    n = p.neuron
    if n is None:
        return ""
    if not isinstance(n, FixedNeuron) or n.emits not in ("spikes", "nothing"):
        kind = n.emits if isinstance(n, FixedNeuron) else type(n).__name__
        return f"sends values ({kind}), SANA-FE only spikes: export it with neurons that spike"
    if (n.du != 4095).any():
        return (
            f"keeps synaptic current (`du` {int(n.du.min())}), which SANA-FE does not round: "
            "exact is `du` 4095 only, train or quantise it so"
        )
    if n.refractory and n.reset != "zero":
        return (
            f"rests for {n.refractory} steps after a reset by {n.reset!r}, SANA-FE then keeps its "
            "potential: export it without `refractory`, or with a reset to zero"
        )
    return ""


def _lack_of_synapses(q: Projection) -> str:
    """The same of synapses."""
    assert q.word is not None
    if (q.delay != 1).any():
        return (
            f"a delay of {int(q.delay.max())} steps, in SANA-FE's dendrites spikes take one: "
            "export it without further delays"
        )
    if q.word.exp < 0:
        return (
            f"its sums are shifted by exponent {q.word.exp}, SANA-FE has none: export it with 0 "
            "or more"
        )
    return ""


def _checked(plan: Plan, sample: Samples) -> dict[str, AnyArray]:
    """One sample as (1, steps, neurons) of every input."""
    arrays = (
        {name: np.asarray(x)[None] for name, x in sample.items()}
        if isinstance(sample, Mapping)
        else np.asarray(sample)[None]
    )
    inputs = inputs_of(plan.network, arrays)
    for p, x in zip(plan.network.inputs, inputs, strict=True):
        valued = any(q.word and q.word.message_bits for q in plan.network.out_of(p.name))
        if valued and ((x != 0) & (x != 1)).any():
            raise ValueError(
                f"input {p.name!r} sends up to {x.max()}, SANA-FE only spikes: give it 0 and 1"
            )
    return {p.name: x for p, x in zip(plan.network.inputs, inputs, strict=True)}


def _expected(plan: Plan, inputs: dict[str, AnyArray]) -> dict[str, Any]:
    """What SANA-FE counts in `steps` steps of these files, apart from what `hold` sends.

    A synaptic operation belongs there to the step of its spike, here to that of its arrival: one
    step more of ours has them all.
    """
    shaped = {p.name: inputs[p.name].reshape(1, -1, *p.shape) for p in plan.network.inputs}
    later = {
        name: np.concatenate([x, np.zeros_like(x[:, :1])], axis=1) for name, x in shaped.items()
    }
    silent = tuple(p.name for p in plan.network.populations if is_readout(p))
    run = simulate(plan, shaped, record="spikes")
    longer = simulate(plan, later, record="v", probe=silent)
    assert run.counts is not None
    assert longer.counts is not None
    counts = run.counts
    joules = price(counts, plan.chip).component_j()
    return {
        "steps": run.n_steps + plan.latency_steps,
        "spikes": {name: int(np.count_nonzero(sent)) for name, sent in run.spikes.items()},
        "potentials": {name: (v[0, -2] / ONE).tolist() for name, v in longer.v.items()},
        "sops": int(longer.counts.sops.sum()),
        "packets": int(counts.packets.sum()),
        "hops": int(counts.hops_ew.sum() + counts.hops_ns.sum()),
        "energy_j": {
            "synapse": price(longer.counts, plan.chip).component_j()["synapses"],
            "soma": joules["neurons"],
            "network": joules["network"],
        },
        "hold": {
            "sops": sum(h.sops for h in held(plan)),
            "packets": sum(h.packets for h in held(plan)),
        },
    }


def _readme(plan: Plan, holds: tuple[Held, ...], expected: dict[str, Any] | None) -> str:
    at = addresses(plan.network, n_neurons(holds))
    rows = [f"| {name} | {neurons[0]} | {neurons[-1]} |" for name, neurons in at.items()]
    said = [COMPARE if expected else NO_SPIKES.format(plan.latency_steps)]
    said += [HELD] if holds else []
    steps = expected["steps"] if expected else "STEPS"
    head = HOW_TO_RUN.format(chip=plan.chip.name, steps=steps)
    return "\n".join([head, *rows, "", "\n\n".join(said)]) + "\n"


def _check_place(folder: Path) -> None:
    """Raise if something else than an earlier export would be lost."""
    if folder.is_dir():
        found = {path.name for path in folder.iterdir()}
        others = sorted(found - {ARCHITECTURE, NETWORK, EXPECTED, README})
        if others or (found and not {ARCHITECTURE, NETWORK} <= found):
            raise ValueError(
                f"{folder} holds {(others or sorted(found))[0]!r} and is no earlier export: name a "
                "new folder"
            )
    elif folder.exists():
        raise ValueError(f"{folder} is a file: name a new folder")
