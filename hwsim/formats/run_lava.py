# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-nc==0.10.0", "numpy<2"]
# ///
"""Run the network exported into this folder in Intel's Lava and compare every spike.

    uv run --script run_lava.py [--samples N] [--layers NAME ...]

Reads network.npz, inputs.npz and expected.npz beside it, writes lava_spikes.npz and prints one
line of JSON. Needs Python 3.10 (Lava 0.10.0 runs on nothing newer) and a CPU.

network.npz: `description`, JSON, and arrays.
    n_steps, window steps a sample is presented, and steps until the next one starts
    input_shape     of the input; the input is number -1 below
    populations     [{name, shape, kind, start, reset_interval, reset_offset, ...}] and the
                    parameters that `KINDS` lists for its kind (`lif` where there is none); one
                    that differs from neuron to neuron is null here and stands in the array
                    `population{i}/{parameter}`; `start` is the step of the window in which the
                    state is cleared
    projections     [{kind, source, target, num_weight_bits, weight_exp, sign_mode,
                      num_message_bits, stride, padding, dilation, groups}]: kind is dense, conv,
                    delay_dense, sparse or delay_sparse, weights are in the array
                    `projection{i}/weight`, delays (0: the next step) in `projection{i}/delays`;
                    sparse ones have one weight and delay per synapse, from neuron
                    `projection{i}/from` to neuron `projection{i}/to`
inputs.npz: `inputs` (samples, n_steps, neurons).
expected.npz: `spikes/{name}` (samples, n_steps, neurons), from step `start` of the window on, and
    `v/{name}` (samples, neurons), the potential (of a sigma-delta neuron: the activation) after
    the last of these steps. Messages with a payload are numbers. lava_spikes.npz is the same.

Everything in the files has PyTorch's layout: neurons are flattened from (channels, height,
width), kernels are (out, in / groups, height, width) and correlate. Lava wants (width, height,
channels) and convolves; `lava_shape` to `lava_kernel` hold the whole difference.
"""

import argparse
import json
import math
import sys
import tempfile
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.io.reset import AbstractPyReset, Reset
from lava.proc.io.sink import Read
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFRefractory, LIFReset, TernaryLIF
from lava.proc.sdn.process import ActivationMode, Delta, SigmaDelta
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

HERE = Path(__file__).resolve().parent
INPUT_BYTES = 256 * 2**20  # of one Lava run; more samples go into further runs
INPUT = -1
LIF_PARAMETERS = {"du": "du", "dv": "dv", "bias_mant": "bias_mant", "bias_exp": "bias_exp"}
SDN_PARAMETERS = {n: n for n in ("cum_error", "spike_exp", "state_exp")} | {"v_th": "vth"}
# Lava's process of each kind of neuron, its names of our parameters, and its state, potential first
KINDS = {
    "lif": (LIF, LIF_PARAMETERS | {"v_th": "vth"}, ("v", "u")),
    "ternary": (
        TernaryLIF,
        LIF_PARAMETERS | {"v_th": "vth_hi", "v_th_low": "vth_lo"},
        ("v", "u"),
    ),
    "refractory": (
        LIFRefractory,
        LIF_PARAMETERS | {"v_th": "vth", "refractory": "refractory_period"},
        ("v", "u"),
    ),
    "sigma_delta": (
        SigmaDelta,
        SDN_PARAMETERS | {"bias": "bias", "activation": "act_mode"},
        ("act", "sigma", "residue", "error"),
    ),
    "delta": (Delta, SDN_PARAMETERS, ("act", "residue", "error")),
    "graded": (GradedVec, {"v_th": "vth"}, ("v",)),
    "graded_relu": (GradedReluVec, {"v_th": "vth"}, ("v",)),
}
BUFFERED = ("delay_dense", "delay_sparse")
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


def kind_of(population):
    """Kind of a population's neurons; plain ones need not name theirs."""
    return population.get("kind", "lif")


def neurons(population, arrays, prefix):
    """The process of one population; a `lif` with a reset interval is a `LIFReset`."""
    shape, kind = population["shape"], kind_of(population)
    process, names, _ = KINDS[kind]
    values = {"shape": lava_shape(shape)}
    for name, lavas in names.items():
        value = population[name]
        if name == "activation":
            value = {"relu": ActivationMode.RELU, "unit": ActivationMode.UNIT}[value]
        elif value is None:
            array = arrays[f"{prefix}/{name}"]
            value = to_lava(array if array.dtype.kind == "f" else array.astype(int), shape)
        values[lavas] = value
    if kind == "lif" and population["reset_interval"] is not None:
        process = LIFReset
        values |= {n: population[n] for n in ("reset_interval", "reset_offset")}
    return process(**values)


class Clear(Reset):
    """Lava's `Reset` for states: it leaves an array of 32 bits one of 32 bits."""


@implements(proc=Clear, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyClear(AbstractPyReset):
    """The same on a CPU. The state takes the type of this port, and wraps as that does."""

    state: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)


def clear_states(population, process):
    """Clear the state of neurons for which Lava has no process that does it by itself.

    Lava's `Reset` acts at the end of a step and counts steps from 0, `LIFReset` at the beginning
    and counts from 1.
    """
    interval = population["reset_interval"]
    if kind_of(population) == "lif" or interval is None:
        return
    for name in KINDS[kind_of(population)][2]:
        offset = (population["reset_offset"] - 2) % interval
        Clear(interval=interval, offset=offset).connect_var(getattr(process, name))


def synapses(projection, arrays, prefix, source_shape, target_shape):
    """The process of one projection."""
    weight = arrays[f"{prefix}/weight"]
    weight = weight if weight.dtype.kind == "f" else weight.astype(int)
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
    if projection["kind"] in ("sparse", "delay_sparse"):
        rank = [np.argsort(lava_order(shape)) for shape in (target_shape, source_shape)]
        ends = rank[0][arrays[f"{prefix}/to"]], rank[1][arrays[f"{prefix}/from"]]
        shape = rank[0].size, rank[1].size
        matrix = csr_matrix((weight, ends), shape=shape)
        if projection["kind"] == "sparse":
            return Sparse(weights=matrix, **words)
        delays = csr_matrix((arrays[f"{prefix}/delays"].astype(int), ends), shape=shape)
        return DelaySparse(weights=matrix, delays=delays, **words)
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
    inputs = np.asarray(inputs)
    played = to_lava(inputs if inputs.dtype.kind == "f" else inputs.astype(int), shapes[INPUT])
    source = RingBuffer(data=np.ascontiguousarray(np.moveaxis(played, 0, -1)))
    populations = [
        neurons(p, arrays, f"population{i}") for i, p in enumerate(description["populations"])
    ]
    for p, process in zip(description["populations"], populations, strict=True):
        clear_states(p, process)
    projections = []
    for i, p in enumerate(description["projections"]):
        process = synapses(p, arrays, f"projection{i}", shapes[p["source"]], shapes[p["target"]])
        s_out = (source if p["source"] == INPUT else populations[p["source"]]).s_out
        a_in = populations[p["target"]].a_in
        s_out.reshape(process.s_in.shape).connect(process.s_in)
        process.a_out.reshape(a_in.shape).connect(a_in)
        projections.append(process)
    return source, populations, projections


# --- recording -----------------------------------------------------------------------------------


class Recorder(AbstractProcess):
    """Writes the spikes of every step to a file: Lava's own monitors hand out value by value."""

    def __init__(self, shape, path, n_steps, dtype):
        super().__init__(path=path, n_steps=n_steps, shape=shape, dtype=dtype)
        self.a_in = InPort(shape=shape)


@implements(proc=Recorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRecorder(PyLoihiProcessModel):
    """The recorder on a CPU."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params):
        super().__init__(proc_params)
        shape = (proc_params["n_steps"], *proc_params["shape"])
        self.seen = np.memmap(proc_params["path"], proc_params["dtype"], "r+", shape=shape)

    def run_spk(self):
        """Store the spikes of this step; `time_step` counts from 1."""
        self.seen[self.time_step - 1] = self.a_in.recv()  # booleans: whether it is not 0


def clear_arrivals(description, projections):
    """Empty the buffers of synapses between samples, where spikes could outlive their sample.

    A spike of the last sample that arrives before its target is cleared does no harm. One that is
    delayed, or that travels back to a population cleared earlier, does.
    """
    window = description["window"]
    starts = [p["start"] for p in description["populations"]] + [0]
    for p, process in zip(description["projections"], projections, strict=True):
        start, end = starts[p["target"]], starts[p["source"]]
        if p["kind"] not in BUFFERED and start > end:
            continue
        buffer = process.a_buf if p["kind"] == "conv" else process.a_buff
        for step in range(min(start, end), end + 1):
            Reset(interval=window, offset=(step - 1) % window).connect_var(buffer)


# --- running -------------------------------------------------------------------------------------


def run_block(description, arrays, inputs, layers, potentials):
    """Run samples (samples, n_steps, neurons), one after another, in one Lava network.

    Returns:
        Spikes of `layers` (samples, n_steps, neurons) and last potentials of `potentials`
        (samples, neurons) by name, and the seconds that set-up and simulation took.
    """
    clock = time.perf_counter()
    n_samples, n_steps = inputs.shape[:2]
    window = description["window"]
    stream = np.zeros((n_samples, window, inputs.shape[2]), dtype=np.int32)
    stream[:, :n_steps] = inputs
    source, populations, projections = build(
        description, arrays, stream.reshape(n_samples * window, -1)
    )
    clear_arrivals(description, projections)
    with tempfile.TemporaryDirectory() as folder:
        seen, reads = {}, {}
        for p, process in zip(description["populations"], populations, strict=True):
            if p["name"] in layers:
                path = Path(folder) / str(len(seen))
                shape = (n_samples * window, *lava_shape(p["shape"]))
                dtype = "bool" if kind_of(p) == "lif" else "int32"
                seen[p["name"]] = np.memmap(path, dtype, "w+", shape=shape)
                recorder = Recorder(shape[1:], str(path), shape[0], dtype)
                process.s_out.connect(recorder.a_in)
            if p["name"] in potentials:
                last = p["start"] + n_steps - 1
                reads[p["name"]] = Read(buffer=n_samples, interval=window, offset=last)
                reads[p["name"]].connect_var(getattr(process, KINDS[kind_of(p)][2][0]))
        source.create_runtime(run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        set_up_s, clock = time.perf_counter() - clock, time.perf_counter()
        source.run(condition=RunSteps(num_steps=n_samples * window))
        simulation_s = time.perf_counter() - clock
        found = {}
        for p in description["populations"]:
            name, shape, start = p["name"], p["shape"], p["start"]
            if name in layers:
                spikes = from_lava(np.array(seen[name]), shape).reshape(n_samples, window, -1)
                found[f"spikes/{name}"] = spikes[:, start : start + n_steps]
            if name in potentials:
                v = np.moveaxis(reads[name].data.get(), -1, 0)
                found[f"v/{name}"] = from_lava(v, shape).astype(np.int64)
        source.stop()
    return found, set_up_s, simulation_s


def compare(found, expected, layers):
    """Per layer: spikes, and the values in which Lava and the simulator differ."""
    verdicts = []
    for name in layers:
        spikes = found[f"spikes/{name}"]
        verdict = {"name": name, "n_spikes": int((spikes != 0).sum()), "n_values": spikes.size}
        for what in ("spikes", "v"):
            ours, theirs = expected.get(f"{what}/{name}"), found.get(f"{what}/{name}")
            if ours is not None and theirs is not None:
                different = ours[: len(theirs)] != theirs
                verdict[f"n_different_{what}"] = int(different.sum())
        verdicts.append(verdict)
    return verdicts


def load(name):
    """The arrays of a file of this folder."""
    path = HERE / name
    if not path.is_file():
        raise ValueError(f"{path} is missing: export the network again, or copy the whole folder")
    try:
        with np.load(path) as file:
            return dict(file)
    except (zipfile.BadZipFile, ValueError, EOFError):
        raise ValueError(f"{path} is truncated or no .npz file: copy or export it again") from None


def run(n_samples, layers):
    """Run the folder, write lava_spikes.npz, return the report."""
    arrays, expected = load("network.npz"), load("expected.npz")
    inputs = load("inputs.npz")["inputs"]
    description = json.loads(str(arrays["description"]))
    names = [p["name"] for p in description["populations"]]
    unknown = set(layers) - set(names)
    if unknown:
        raise ValueError(f"no layer {', '.join(sorted(unknown))}, there are {', '.join(names)}")
    layers = [name for name in names if name in layers or not layers]
    potentials = [name for name in layers if f"v/{name}" in expected]  # value by value: few
    if n_samples < 1 or n_samples > len(inputs):
        raise ValueError(f"{n_samples} samples asked for, the folder holds 1 to {len(inputs)}")
    per_sample = 4 * description["window"] * inputs.shape[2]
    block = max(1, INPUT_BYTES // per_sample)
    parts, set_up_s, simulation_s = [], 0.0, 0.0
    for first in range(0, n_samples, block):
        chunk = inputs[first : min(first + block, n_samples)]
        part, up, run_s = run_block(description, arrays, chunk, layers, potentials)
        parts, set_up_s, simulation_s = [*parts, part], set_up_s + up, simulation_s + run_s
    found = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    np.savez_compressed(HERE / "lava_spikes.npz", **found)
    return {
        "lava": version("lava-nc"),
        "numpy": np.__version__,
        "n_samples": n_samples,
        "steps_per_sample": description["window"],
        "seconds_per_sample": simulation_s / n_samples,
        "set_up_seconds": set_up_s,
        "layers": compare(found, expected, layers),
    }


def main():
    """Parse, run, print one line of JSON; an error is one line on stderr."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, help="run only the first N samples")
    parser.add_argument("--layers", nargs="+", default=[], help="record only these layers")
    options = parser.parse_args()
    try:
        n_samples = options.samples
        if n_samples is None:
            n_samples = len(load("inputs.npz")["inputs"])
        print(json.dumps(run(n_samples, options.layers)))
    except (ValueError, OSError, KeyError) as error:
        sys.exit(f"error: {' '.join(str(error).split())}")


if __name__ == "__main__":
    main()
