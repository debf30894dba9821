"""SANA-FE on the Loihi architecture it ships: the `simple` timing model, nothing recorded."""

import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import sanafe

from benchmarks.serve import serve


def prepare(folder):
    """Build and load the network; samples follow one another, state cleared between them."""
    arrays = np.load(Path(folder) / "network.npz")
    description = json.loads(str(arrays["description"]))
    start = time.perf_counter()
    arch = sanafe.load_loihi()
    net = _network(description, arrays, arch)
    chip = sanafe.SpikingChip(arch)
    chip.load(net)
    set_up_s = time.perf_counter() - start
    inputs, window = arrays["inputs"], description["window"]

    def run(sample, **trace):
        chip.reset()
        for i, neuron in enumerate(chip.mapped_neuron_groups["input"]):
            train = [bool(s) for s in sample[:, i]] + [False] * (window - len(sample))
            neuron.set_attributes(model_attributes={"spikes": train})
        begin = time.perf_counter()
        result = chip.sim(
            window, timing_model="simple", processing_threads=1, scheduler_threads=0, **trace
        )
        return time.perf_counter() - begin, result

    spikes = {p["name"]: 0 for p in description["populations"] if p["name"] != "input"}
    starts = {p["name"]: p["start"] for p in description["populations"]}
    for sample in inputs:
        for step, fired in enumerate(run(sample, spike_trace=True)[1]["spike_trace"]):
            for address in fired:
                name = address.group_name
                if name in spikes and 0 <= step - starts[name] < description["n_steps"]:
                    spikes[name] += 1

    def once():
        return {"one by one": sum(run(sample)[0] for sample in inputs) / len(inputs)}

    return {"version": version("sanafe"), "set_up_s": set_up_s, "spikes": spikes}, once


def _network(description, arrays, arch):
    """Populations each on a core of their own, spiking inputs on the first."""
    net, groups = sanafe.Network(), {}
    cores = arch.cores()
    for i, p in enumerate(description["populations"]):
        if "du" not in p:
            group = net.create_neuron_group(p["name"], p["size"], log_spikes=True)
            for k, neuron in enumerate(group):
                neuron.set_attributes(soma_hw_name=f"loihi_inputs[{k}]")
        else:
            model = {
                "threshold": float(p["v_th"]),
                "leak_decay": (4096 - p["dv"]) / 4096,
                "input_decay": (4095 - p["du"]) / 4096,
                "reset_mode": "hard",
                "reset": 0.0,
                "force_update": True,
            }
            group = net.create_neuron_group(
                p["name"], p["size"], model_attributes=model, soma_hw_name="loihi_lif",
                default_synapse_hw_name="loihi_dense_synapse", log_spikes=True,
                default_dendrite_hw_name="loihi_dendrites",
            )  # fmt: skip
        group.map_to_core(cores[i])
        groups[p["name"]] = group
    for i, q in enumerate(description["projections"]):
        weight = arrays[f"weight{i}"].T.astype(float).ravel().tolist()
        groups[q["source"]].connect_neurons_dense(groups[q["target"]], {"weight": weight})
    return net


if __name__ == "__main__":
    serve(prepare)
