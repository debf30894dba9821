"""Brian2, C++ standalone: one compiled program, timed by its own loop timer and as a process."""

import json
import time
from pathlib import Path

import brian2
import numpy as np
from brian2 import ms

from benchmarks.serve import serve

CODE = "code"


def prepare(folder):
    """Write, compile and run the program once; its counts are those of that run."""
    arrays = np.load(Path(folder) / "network.npz")
    description = json.loads(str(arrays["description"]))
    start = time.perf_counter()
    brian2.set_device("cpp_standalone", build_on_run=False)
    brian2.defaultclock.dt = 1 * ms
    integers = any("du" in p for p in description["populations"])
    count = (_integers if integers else _reals)(description, arrays)
    brian2.device.build(directory=str(Path(folder) / CODE), compile=True, run=False)
    set_up_s = time.perf_counter() - start
    n_samples = len(arrays["inputs"])

    def once():
        begin = time.perf_counter()
        brian2.device.run(with_output=False)
        whole = time.perf_counter() - begin
        info = (Path(folder) / CODE / "results" / "last_run_info.txt").read_text()
        loop = float(info.split()[0])
        return {"loop": loop / n_samples, "with process start": whole / n_samples}

    once()
    return {"version": brian2.__version__, "set_up_s": set_up_s, "spikes": count()}, once


def _integers(description, arrays):
    """Neurons with current memory, in doubles; state cleared where ours is, by an event.

    A spike is delivered at the end of its step and acts in the next: every projection takes one.
    """
    window, n_steps = description["window"], description["n_steps"]
    inputs = arrays["inputs"]
    sample, step, neuron = np.nonzero(inputs)
    total = len(inputs) * window
    groups, monitors, kept = {}, {}, []
    for p in description["populations"]:
        if "du" not in p:
            times = (sample * window + step) * ms
            groups[p["name"]] = brian2.SpikeGeneratorGroup(p["size"], neuron, times)
            continue
        group = brian2.NeuronGroup(
            p["size"], "u : 1\nv : 1", threshold=f"v > {p['v_th']}", reset="v = 0"
        )
        group.run_regularly(
            f"v = {(4096 - p['dv']) / 4096!r} * v + u\nu = {(4095 - p['du']) / 4096!r} * u",
            when="groups",
        )
        at = np.arange(p["start"] - 1, total, window)
        clock = brian2.SpikeGeneratorGroup(1, np.zeros(len(at), dtype=int), at * ms)
        clear = brian2.Synapses(clock, group, on_pre="u_post = 0\nv_post = 0")
        clear.connect()
        clear.pre.order = -2  # before the spikes of the same step arrive, which have -1
        monitors[p["name"]] = (brian2.SpikeMonitor(group), p["start"])
        groups[p["name"]] = group
        kept += [clock, clear]
    for i, q in enumerate(description["projections"]):
        synapses = brian2.Synapses(
            groups[q["source"]], groups[q["target"]], "w : 1", on_pre="u_post += w"
        )
        synapses.connect()
        synapses.w = arrays[f"weight{i}"].T.astype(float).ravel()
        kept.append(synapses)
    recorded = [monitor for monitor, _ in monitors.values()]
    brian2.Network(*groups.values(), *kept, *recorded).run(total * ms)

    def count():
        spikes = {}
        for name, (monitor, start) in monitors.items():
            at = np.rint(np.asarray(monitor.t / ms)).astype(int) % window
            spikes[name] = int(((at >= start) & (at < start + n_steps)).sum())
        return spikes

    return count


def _reals(description, arrays):
    """Leaky neurons whose spikes arrive before the threshold is tested, as ours do."""
    p = next(p for p in description["populations"] if "decay_v" in p)
    (i,) = range(len(description["projections"]))
    tau = -1.0 / np.log(p["decay_v"])
    group = brian2.NeuronGroup(
        p["size"],
        "dv/dt = (drive - v) / tau : 1 (unless refractory)\ndrive : 1 (constant)",
        threshold=f"v >= {p['v_th']}",
        reset="v = 0",
        refractory=(p["refractory"] + 1) * ms,  # counts the step of the spike
        method="exact",
        namespace={"tau": tau * ms},
    )
    group.v = arrays[f"{p['name']}/v_init"]
    group.drive = arrays[f"{p['name']}/bias"] / (1 - p["decay_v"])
    synapses = brian2.Synapses(group, group, "w : 1", on_pre="v_post += w")
    source = np.repeat(np.arange(p["size"]), np.diff(arrays[f"indptr{i}"]))
    synapses.connect(i=source, j=arrays[f"target{i}"])
    synapses.w = arrays[f"weight{i}"]
    synapses.delay = (arrays[f"delay{i}"] - 1) * ms  # they are sent a step later
    monitor = brian2.SpikeMonitor(group, record=False)
    net = brian2.Network(group, synapses, monitor)
    net.schedule = ["start", "groups", "synapses", "thresholds", "resets", "end"]
    net.run(description["n_steps"] * ms)

    def count():
        return {p["name"]: int(monitor.num_spikes)}

    return count


if __name__ == "__main__":
    serve(prepare)
