"""What SANA-FE finds in the files of `hwsim.write_sanafe` [Boyle2025].

Where the two define things differently, this is how the files make them count the same:

- Potentials there are ours / 64, so weights and thresholds have the same numbers. No synaptic
  current outlasts a step there: `du` must be 4095.
- Inputs are neurons there. They sit on the tile where ours enter, on a core that our chip has not,
  and their soma costs nothing.
- A bias acts there from step 0, here from a population's first step. What it does before is taken
  off by the potential it starts with and by neurons that cost nothing, whose packets and synaptic
  events are known.
- An update is active there if the potential is not zero or a spike arrived, here if the sum that
  arrived is not zero; they differ where the weights that reach a resting neuron cancel.
- A synaptic event belongs there to the step of its spike, here to the step of its arrival: either
  a run ends with a silent step, or ours takes one more.
- Its tiles are numbered column by column, ours row by row.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sanafe

from hwsim.arrays import AnyArray
from hwsim.network import Network


@dataclass(frozen=True)
class Twin:
    """What SANA-FE found: (steps, neurons) of spikes by population, and its totals.

    potentials: of the neurons whose potential is logged, after the last step.
    """

    spikes: dict[str, AnyArray]
    potentials: list[float]
    sops: int
    packets: int
    hops: int
    energy_j: dict[str, float]


def load(folder: Path) -> Any:
    """The network of a folder, loaded on its chip."""
    arch = sanafe.load_arch(folder / "architecture.yaml")
    net = sanafe.load_net(folder / "network.net", arch, use_netlist_format=True)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    return chip


def run(folder: Path, net: Network, n_steps: int) -> Twin:
    """Simulate, and gather its traces."""
    traces = {"spike_trace": True, "potential_trace": True, "perf_trace": True}
    found = load(folder).sim(n_steps, "simple", 1, 0, **traces)
    spikes = {p.name: np.zeros((n_steps, p.size), dtype=np.int8) for p in net.populations}
    where = _numbers(folder, net)
    for step, fired in enumerate(found["spike_trace"]):
        for neuron in fired:
            name, i = where[f"{neuron.group_name}.{neuron.neuron_offset}"]
            spikes[name][step, i] = 1
    return Twin(
        spikes=spikes,
        potentials=found["potential_trace"][-1] if found["potential_trace"] else [],
        sops=found["spikes"],
        packets=found["packets_sent"],
        hops=sum(found["perf_trace"]["hops"]),
        energy_j={name: found["energy"][name] for name in ("synapse", "soma", "network")},
    )


def _numbers(folder: Path, net: Network) -> dict[str, tuple[str, int]]:
    """Population and number of every neuron, by SANA-FE's name of it, as the README has them."""
    found = {}
    for line in (folder / "README.md").read_text(encoding="utf-8").splitlines():
        name, first, *_ = (*(word.strip() for word in line.split("|")[1:]), "", "")
        if name in {p.name for p in net.populations}:
            group = int(first.split(".")[0])
            p = net[name]
            own = [
                f"{group}.{i}" if p.neuron is not None else f"{group + i}.0" for i in range(p.size)
            ]
            found |= {address: (name, i) for i, address in enumerate(own)}
    return found
