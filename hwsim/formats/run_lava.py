# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-nc==0.10.0", "numpy<2"]
# ///
"""Run the network exported into this folder in Intel's Lava and compare every spike.

    uv run --script run_lava.py [--samples N] [--layers NAME ...]

Reads network.npz, inputs.npz and expected.npz beside it, writes lava_spikes.npz and prints one
line of JSON. Needs Python 3.10 (Lava 0.10.0 runs on nothing newer) and a CPU.

network.npz holds `description`, JSON:

    window          steps per sample, drain of the pipeline included
    input_shape     of the input; the input is number -1 below
    populations     [{name, shape, depth, spikes, du, dv, v_th, bias_mant, bias_exp,
                      reset_interval, reset_offset}]: null for a neuron parameter that stands in
                    the array `population{i}/{parameter}`, one value per neuron
    projections     [{name, source, target, kind, num_weight_bits, weight_exp, sign_mode,
                      num_message_bits, stride, padding, dilation, groups}]: weights in
                    `projection{i}/weight`, delays in `projection{i}/delays`

Everything in the files has PyTorch's layout: neurons are flattened from (channels, height,
width), kernels are (out, in / groups, height, width) and correlate. Lava wants (width, height,
channels) and convolves; `lava_shape` to `lava_kernel` hold the whole difference.
"""

import math

import numpy as np
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFReset
from lava.utils.weightutils import SignMode

INPUT = -1
NEURON_PARAMETERS = ("du", "dv", "v_th", "bias_mant", "bias_exp")
SIGN_MODES = {
    "mixed": SignMode.MIXED,
    "excitatory": SignMode.EXCITATORY,
    "inhibitory": SignMode.INHIBITORY,
}


# --- layout: PyTorch's (channels, height, width) here, Lava's (width, height, channels) there ---


def lava_shape(shape):
    """Shape of a population in Lava: images turned round, everything else flat."""
    return tuple(shape[::-1]) if len(shape) == 3 else (math.prod(shape),)


def to_lava(x, shape):
    """Values per neuron, (..., neurons), in Lava's layout: (..., *lava_shape(shape))."""
    lead = x.shape[:-1]
    if len(shape) != 3:
        return x
    return np.moveaxis(x.reshape(*lead, *shape), (-3, -2, -1), (-1, -2, -3))


def from_lava(x, shape):
    """The inverse of `to_lava`."""
    if len(shape) != 3:
        return x
    lead = x.shape[:-3]
    return np.moveaxis(x, (-1, -2, -3), (-3, -2, -1)).reshape(*lead, -1)


def lava_order(shape):
    """Our number of every neuron, in the order in which Lava flattens them."""
    return to_lava(np.arange(math.prod(shape)), shape).ravel()


def lava_kernel(weight):
    """Kernel (out, in, height, width), correlating, as Lava's (out, width, height, in), convolving.

    Both spatial axes are flipped: Lava's CPU model calls `scipy.signal.convolve2d`.
    """
    return np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(0, 3, 2, 1))


# --- the network ---------------------------------------------------------------------------------


def neurons(population, arrays, prefix):
    """The `LIF` (with a reset interval: `LIFReset`) process of one population."""
    shape = population["shape"]
    values = {
        name: population[name]
        if population[name] is not None
        else to_lava(arrays[f"{prefix}/{name}"].astype(int), shape)
        for name in NEURON_PARAMETERS
    }
    values["vth"] = values.pop("v_th")
    if population["reset_interval"] is None:
        return LIF(shape=lava_shape(shape), **values)
    return LIFReset(
        shape=lava_shape(shape),
        reset_interval=population["reset_interval"],
        reset_offset=population["reset_offset"],
        **values,
    )


def synapses(projection, arrays, prefix, source_shape, target_shape):
    """The `Dense`, `DelayDense` or `Conv` process of one projection."""
    weight = arrays[f"{prefix}/weight"].astype(int)
    words = {name: projection[name] for name in ("num_weight_bits", "num_message_bits")}
    if projection["kind"] == "conv":
        turned = {n: tuple(projection[n][::-1]) for n in ("stride", "padding", "dilation")}
        return Conv(
            weight=lava_kernel(weight),
            input_shape=lava_shape(source_shape),
            groups=projection["groups"],
            weight_exp=projection["weight_exp"],
            **words,
            **turned,
        )
    words["weight_exp"] = projection["weight_exp"]
    if projection["sign_mode"] is not None:
        words["sign_mode"] = SIGN_MODES[projection["sign_mode"]]
    order = np.ix_(lava_order(target_shape), lava_order(source_shape))
    if projection["kind"] == "dense":
        return Dense(weights=weight[order], **words)
    delays = arrays[f"{prefix}/delays"].astype(int)[order]
    return DelayDense(weights=weight[order], delays=delays, **words)


def build(description, arrays, inputs):
    """Processes of a network whose input plays back `inputs` (steps, inputs), all connected.

    Returns:
        The input, the populations and the projections.
    """
    shapes = [p["shape"] for p in description["populations"]] + [description["input_shape"]]
    played = to_lava(np.asarray(inputs, dtype=int), description["input_shape"])
    source = RingBuffer(data=np.ascontiguousarray(np.moveaxis(played, 0, -1)))
    populations = [
        neurons(p, arrays, f"population{i}") for i, p in enumerate(description["populations"])
    ]
    projections = []
    for i, p in enumerate(description["projections"]):
        process = synapses(p, arrays, f"projection{i}", shapes[p["source"]], shapes[p["target"]])
        s_out = (source if p["source"] == INPUT else populations[p["source"]]).s_out
        a_in = populations[p["target"]].a_in
        s_out.reshape(process.s_in.shape).connect(process.s_in)
        process.a_out.reshape(a_in.shape).connect(a_in)
        projections.append(process)
    return source, populations, projections
