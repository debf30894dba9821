# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-nc==0.10.0", "numpy<2"]
# ///
"""Intel's Lava, `fixed_pt`: time a folder of `export_lava`. Nothing is recorded while it runs."""

import atexit
import json
import sys
import time
from importlib.metadata import version

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg

from benchmarks.serve import serve


def prepare(folder):
    """Build the processes and start them; they play the samples again and again."""
    sys.path.insert(0, folder)
    from run_lava import build, clear_arrivals, load

    arrays = load("network.npz")
    inputs = load("inputs.npz")["inputs"]
    description = json.loads(str(arrays["description"]))
    n_samples, n_steps, n_neurons = inputs.shape
    window = description["window"]
    stream = np.zeros((n_samples, window, n_neurons), dtype=np.int32)
    stream[:, :n_steps] = inputs
    start = time.perf_counter()
    source, _, projections = build(description, arrays, stream.reshape(-1, n_neurons))
    clear_arrivals(description, projections)
    source.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    set_up_s = time.perf_counter() - start
    atexit.register(source.stop)  # else its processes outlive this one

    def once():
        begin = time.perf_counter()
        source.run(condition=RunSteps(num_steps=n_samples * window))
        return {"one by one": (time.perf_counter() - begin) / n_samples}

    return {"version": version("lava-nc"), "set_up_s": set_up_s}, once


if __name__ == "__main__":  # Lava starts processes that import this file
    serve(prepare)
