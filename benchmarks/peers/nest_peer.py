"""NEST, `iaf_psc_delta`: built anew for every run, of which the simulation alone is timed."""

import json
import time
from importlib.metadata import version
from pathlib import Path

import nest
import numpy as np

from benchmarks.serve import serve


def prepare(folder):
    """The network of leaky neurons; NEST counts its spikes by itself, nothing is recorded."""
    file = np.load(Path(folder) / "network.npz")
    arrays = {name: file[name] for name in file.files}
    description = json.loads(str(arrays["description"]))
    p = next(p for p in description["populations"] if "decay_v" in p)
    (i,) = range(len(description["projections"]))
    nest.set_verbosity("M_ERROR")
    source = np.repeat(np.arange(p["size"]), np.diff(arrays[f"indptr{i}"])) + 1
    target = arrays[f"target{i}"].astype(np.int64) + 1
    synapses = {
        "weight": arrays[f"weight{i}"].astype(float),
        "delay": arrays[f"delay{i}"].astype(float),
    }
    tau = -1.0 / np.log(p["decay_v"])
    facts = {"version": version("nest-simulator")}

    def build():
        nest.ResetKernel()
        nest.set(resolution=1.0, local_num_threads=1, print_time=False)
        neurons = nest.Create(
            "iaf_psc_delta",
            p["size"],
            {
                "tau_m": tau, "C_m": tau, "E_L": 0.0, "V_reset": 0.0, "V_th": p["v_th"],
                "t_ref": float(p["refractory"]),
            },
        )  # fmt: skip
        neurons.V_m = arrays[f"{p['name']}/v_init"]
        neurons.I_e = arrays[f"{p['name']}/bias"] / (1 - p["decay_v"])
        nest.Connect(source, target, "one_to_one", synapses)
        nest.Prepare()

    def once():
        begin = time.perf_counter()
        build()
        facts["set_up_s"] = time.perf_counter() - begin
        begin = time.perf_counter()
        nest.Run(float(description["n_steps"]))
        seconds = time.perf_counter() - begin
        facts["spikes"] = {p["name"]: int(nest.local_spike_counter)}
        nest.Cleanup()
        return {"simulation": seconds}

    once()
    return facts, once


if __name__ == "__main__":
    serve(prepare)
