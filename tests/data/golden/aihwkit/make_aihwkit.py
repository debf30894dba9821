# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["aihwkit==1.1.0", "torch==2.10.0", "numpy"]
# ///
"""Make aihwkit.npz: what aihwkit's noise models do to conductances and to products.

    uv run --script tests/data/golden/aihwkit/make_aihwkit.py [FILE]

Of each model and each level (microsiemens), N cells: mean, sd and quantiles of the conductances
just programmed and at every time. Of the PCM and the Wan model, CHIPS compiled tiles with the same
weights: mean, sd, quantiles and samples of the error of a product, all else perfect, just
programmed and at every time; and the sd of the error that PCM read noise (`w_noise` 0.0175) makes
with perfect weights.

At a time, aihwkit takes the largest of the programmed weights for the one that has g_max, and the
Wan model draws around the wanted conductances anew: its aged weights are as much larger as the
largest weight was programmed too large. The test multiplies ours by that.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from aihwkit.inference import PCMLikeNoiseModel, ReRamCMONoiseModel, ReRamWan2022NoiseModel
from aihwkit.nn import AnalogLinear
from aihwkit.simulator.configs import InferenceRPUConfig, WeightNoiseType

N, CHIPS, READS = 400_000, 800, 4000
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DAY_S = 86400.0
LEVELS = {"pcm": (2.0, 5.0, 10.0, 15.0, 20.0, 25.0), "wan": (4.0, 8.0, 16.0, 24.0, 32.0, 40.0)}
LEVELS["cmo"] = (20.0, 35.0, 50.0, 65.0, 80.0)
TIMES_S = {"pcm": (0.0, 3600.0, DAY_S, 3e7), "wan": (1.0, DAY_S, 2 * DAY_S)}
TIMES_S["cmo"] = (1.0, 3600.0, 1e6)


def models():
    """The three models, at the g_max for which their numbers were fitted."""
    yield "pcm", PCMLikeNoiseModel(g_max=25.0)
    yield "wan", ReRamWan2022NoiseModel(g_max=40.0)
    yield "cmo", ReRamCMONoiseModel()


def summary(values):
    """Mean, sd, quantiles: (7,)."""
    values = np.asarray(values, dtype=np.float64).ravel()
    return np.concatenate(([values.mean(), values.std()], np.quantile(values, QUANTILES)))


def conductances(name, model):
    """Summaries of (levels, 1 + times): programmed, then at every time."""
    rows = []
    for level in LEVELS[name]:
        target = torch.full((N,), level)
        programmed = model.apply_programming_noise_to_conductance(target)
        row = [summary(programmed)]
        for time_s in TIMES_S[name]:
            drift = model.generate_drift_coefficients(target)
            aged = model.apply_drift_noise_to_conductance(programmed, drift, time_s)
            row.append(summary(aged))
        rows.append(row)
    return np.array(rows)


def case():
    """Weights (outputs, inputs) within -1..1, its ends among them, and inputs (vectors, inputs)."""
    rng = np.random.default_rng(2026)
    weights = np.clip(rng.normal(0, 0.35, (12, 40)), -1, 1)
    weights[0, 0], weights[1, 1] = 1.0, -1.0
    return weights.astype(np.float32), rng.uniform(-1, 1, (16, 40)).astype(np.float32)


def tile(model, weights, noise=0.0):
    """A compiled tile with these weights, its converters left out."""
    config = InferenceRPUConfig(noise_model=model)
    config.mapping.weight_scaling_omega = 0.0
    config.drift_compensation = None
    io = config.forward
    io.is_perfect = noise == 0
    io.inp_res = io.out_res = -1.0
    io.inp_bound = io.out_bound = 0.0
    io.out_noise = 0.0
    io.bound_management = type(io.bound_management).NONE
    io.noise_management = type(io.noise_management).NONE
    io.w_noise = noise
    io.w_noise_type = WeightNoiseType.PCM_READ if noise else WeightNoiseType.NONE
    layer = AnalogLinear(weights.shape[1], weights.shape[0], bias=False, rpu_config=config)
    layer.set_weights(torch.from_numpy(weights), None)
    return layer.eval()


@torch.no_grad()
def products(name, model, weights, inputs):
    """Errors of the products of many chips, just programmed and at every time.

    Summaries (1 + times, 7), sd of each product (1 + times, vectors, outputs), and samples of the
    first vector and four outputs (1 + times, chips, 4).
    """
    exact = inputs @ weights.T
    layer = tile(model, weights)
    assert np.allclose(layer(torch.from_numpy(inputs)).numpy(), exact, atol=1e-5)
    times = (None, *TIMES_S[name])
    out = {time_s: [] for time_s in times}
    for _ in range(CHIPS):
        layer.program_analog_weights()
        for time_s in times:
            if time_s is not None:
                layer.drift_analog_weights(time_s)
            out[time_s].append(layer(torch.from_numpy(inputs)).numpy() - exact)
        layer.set_weights(torch.from_numpy(weights), None)
    errors = [np.array(out[time_s]) for time_s in times]
    sds = np.array([e.std(axis=0) for e in errors])
    return np.array([summary(e) for e in errors]), sds, np.array([e[:, 0, :4] for e in errors])


@torch.no_grad()
def reads(model, weights, inputs):
    """Sd of every product over many reads of perfect weights: (vectors, outputs)."""
    layer = tile(model, weights, noise=0.0175)
    many = [layer(torch.from_numpy(inputs)).numpy() for _ in range(READS)]
    return np.std(many, axis=0)


def main():
    """Make the file."""
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 (aihwkit's own seed)
    weights, inputs = case()
    out = {"weights": weights, "inputs": inputs, "quantiles": QUANTILES, "n": N, "chips": CHIPS}
    out["versions"] = np.array([f"{p} {version(p)}" for p in ("aihwkit", "torch", "numpy")])
    for name, model in models():
        out[f"{name}_levels"], out[f"{name}_times_s"] = LEVELS[name], TIMES_S[name]
        out[f"{name}_conductances"] = conductances(name, model)
        if name != "cmo":
            done = products(name, model, weights, inputs)
            keys = ("errors", "error_sd", "samples")
            out |= {f"{name}_{key}": value for key, value in zip(keys, done, strict=True)}
    out["pcm_read_sd"], out["reads"] = reads(PCMLikeNoiseModel(), weights, inputs), READS
    here = Path(__file__).parent / "aihwkit.npz"
    np.savez_compressed(Path(sys.argv[1]) if len(sys.argv) > 1 else here, **out)


if __name__ == "__main__":
    main()
