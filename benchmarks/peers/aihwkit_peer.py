# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["aihwkit==1.1.0", "torch==2.10.0", "numpy<2.4"]
# ///
"""IBM's aihwkit: noisy products of `analog.npz`, by its compiled tile and by its torch tile.

`same work` has converters, noise and nothing else, as the others here; `as it comes` is the
package's preset, which scales every vector to its maximum and repeats what leaves the range.
"""

from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from aihwkit.nn import AnalogLinear
from aihwkit.simulator.configs import InferenceRPUConfig, TorchInferenceRPUConfig
from aihwkit.simulator.parameters.enums import (
    BoundManagementType,
    NoiseManagementType,
    WeightNoiseType,
)

from benchmarks.serve import serve
from benchmarks.timing import measured


def layer(config, weight):
    """A tile with a matrix (inputs, outputs) on it, as it is: no further noise."""
    made = AnalogLinear(*weight.shape, bias=False, rpu_config=config)
    made.set_weights(torch.from_numpy(np.ascontiguousarray(weight.T)), None)
    return made.eval()


def same_work(config, bits, bound):
    """Converters of so many bits, and no management of ranges."""
    forward = config.forward
    forward.inp_bound, forward.out_bound = 1.0, bound
    forward.inp_res = forward.out_res = 1 / (2**bits - 2)
    forward.out_noise = 0.0
    forward.noise_management = NoiseManagementType.NONE
    forward.bound_management = BoundManagementType.NONE
    return config


def tiles(arrays):
    """Rows of the table, and layers."""
    weight, bits = arrays["weight"], int(arrays["bits"])
    sd, bound = float(arrays["sd"]), float(arrays["bound"])
    compiled = same_work(InferenceRPUConfig(), bits, bound)
    compiled.forward.w_noise, compiled.forward.w_noise_type = sd, WeightNoiseType.ADDITIVE_CONSTANT
    native = same_work(TorchInferenceRPUConfig(), bits, bound)
    native.forward.out_noise = sd * float(np.sqrt((arrays["x"] ** 2).sum(axis=1).mean()))
    return {
        "compiled tile, same work": layer(compiled, weight),
        "torch tile, same work": layer(native, weight),
        "compiled tile, as it comes": layer(InferenceRPUConfig(), weight),
        "torch tile, as it comes": layer(TorchInferenceRPUConfig(), weight),
    }


def prepare(folder):
    """Load, make tiles, and tell the noise of each."""
    torch.set_num_threads(1)
    arrays = np.load(Path(folder) / "analog.npz")
    x = torch.from_numpy(arrays["x"])
    exact = arrays["x"].astype(float) @ arrays["weight"]
    made = tiles(arrays)

    def once():
        seconds = {}
        with torch.inference_mode():
            for name, tile in made.items():
                seconds |= measured(name, lambda tile=tile: tile(x), x.shape[0])
        return seconds

    with torch.inference_mode():
        error = {
            n: float(np.sqrt(np.mean((t(x).numpy() - exact) ** 2)) / exact.std())
            for n, t in made.items()
        }
    return {"version": f"{version('aihwkit')}, torch {torch.__version__}", "nrmse": error}, once


serve(prepare)
