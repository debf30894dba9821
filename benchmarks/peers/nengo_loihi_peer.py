# /// script
# requires-python = "==3.10.*"
# dependencies = ["nengo-loihi==1.1.0", "nengo<3.3", "numpy<2", "setuptools<81"]
# ///
"""nengo-loihi's emulator of Loihi 1, in integers: its blocks are filled by hand, nothing is fitted.

Its package may be used for non-commercial purposes only.
"""

import json
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput

from benchmarks.serve import serve

V_MAX = 2**23 - 1


def prepare(folder):
    """One block per population; state is cleared where ours is."""
    arrays = np.load(Path(folder) / "network.npz")
    description = json.loads(str(arrays["description"]))
    begin = time.perf_counter()
    model, source, blocks = _network(description, arrays)
    emulator = EmulatorInterface(model, seed=0)
    set_up_s = time.perf_counter() - begin
    parts, first = {}, 0
    for name, block in blocks.items():
        parts[name] = slice(first, first + block.n_neurons)
        first += block.n_neurons
    starts = {p["name"]: p["start"] for p in description["populations"]}
    window, n_steps = description["window"], description["n_steps"]
    inputs = arrays["inputs"]

    def run(sample):
        """One sample; spikes of each population in its own steps."""
        spikes = dict.fromkeys(parts, 0)
        state = emulator.compartment
        state.spiked[:] = False
        for step in range(n_steps):
            source.add_spikes(emulator.t + 1 + step, np.flatnonzero(sample[step]))
        for step in range(window):
            for name, part in parts.items():
                if starts[name] == step:
                    state.current[part] = state.voltage[part] = 0
            emulator.step()
            for name, part in parts.items():
                if 0 <= step - starts[name] < n_steps:
                    spikes[name] += int(state.spiked[part].sum())
        return spikes

    def once():
        start = time.perf_counter()
        for sample in inputs:
            run(sample)
        return {"one by one": (time.perf_counter() - start) / len(inputs)}

    runs = [run(sample) for sample in inputs]
    total = {name: sum(one[name] for one in runs) for name in parts}
    return {"version": version("nengo-loihi"), "set_up_s": set_up_s, "spikes": total}, once


def _network(description, arrays):
    """The model in the integers that its discretisation would end in."""
    model, blocks = Model(), {}
    ends = {}
    for p in description["populations"]:
        if "du" not in p:
            source = ends[p["name"]] = SpikeInput(p["size"])
            model.add_input(source)
            continue
        block = blocks[p["name"]] = ends[p["name"]] = LoihiBlock(p["size"])
        compartment = block.compartment
        for name, value in (("decay_u", p["du"]), ("decay_v", p["dv"]), ("vth", p["v_th"] << 6)):
            setattr(compartment, name, np.full(p["size"], value, dtype=np.int32))
        compartment.bias = np.zeros(p["size"], dtype=np.int32)
        compartment.refract_delay = np.ones(p["size"], dtype=np.int32)
        compartment.scale_u = compartment.scale_v = False
        compartment.vmin, compartment.vmax = -V_MAX, V_MAX
    for i, q in enumerate(description["projections"]):
        weight = arrays[f"weight{i}"].T.astype(np.int32) << 6
        synapse = Synapse(len(weight))
        synapse.set_weights(weight)  # as float32, which holds them
        synapse.weights = [row.astype(np.int32) for row in synapse.weights]
        axon = Axon(len(weight))
        axon.target = synapse
        axon.set_compartment_axon_map(np.arange(len(weight)))
        ends[q["source"]].add_axon(axon)
        blocks[q["target"]].add_synapse(synapse)
    for block in blocks.values():
        model.add_block(block)
    return model, source, blocks


if __name__ == "__main__":
    serve(prepare)
