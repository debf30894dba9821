# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-dl==0.4.0", "lava-nc==0.10.0", "h5py>=3.7"]
# [tool.uv]
# override-dependencies = [
#   "lava-nc==0.10.0", "numpy<2", "h5py", "scipy", "pillow", "matplotlib",
#   "torch; sys_platform == 'never'", "torchvision; sys_platform == 'never'",
#   "ninja; sys_platform == 'never'", "pytest; sys_platform == 'never'",
#   "unittest2; sys_platform == 'never'",
# ]
# ///
"""Record what lava-dl's own reader computes of our `.net` files: `uv run --script make_netx.py`.

Reads `netx/*.net` and `netx/inputs.npz` beside this file, which `python -m tests.write_netx`
writes, and writes `netx/lava.npz`: what every layer sent in every step, (steps, channels, height,
width) or (steps, neurons). lava-dl's trainer, and with it torch, is left out: the reader asks it
only for neurons that resonate.
"""

import sys
import types
from importlib.metadata import version
from pathlib import Path

import numpy as np

for name in (
    "torch",
    "lava.lib.dl.slayer",
    "lava.lib.dl.slayer.neuron",
    "lava.lib.dl.slayer.neuron.rf",
):
    sys.modules[name] = types.ModuleType(name)
sys.modules["lava.lib.dl.slayer.neuron.rf"].neuron_params = None

from lava.lib.dl.netx import hdf5  # noqa: E402
from lava.magma.core.run_conditions import RunSteps  # noqa: E402
from lava.magma.core.run_configs import Loihi2SimCfg  # noqa: E402
from lava.proc.io.sink import RingBuffer as Sink  # noqa: E402
from lava.proc.io.source import RingBuffer as Source  # noqa: E402

HERE = Path(__file__).resolve().parent / "netx"


def as_lava(x):
    """(steps, ...) as Lava's buffer takes it, (..., steps) of (width, height, channels)."""
    return np.ascontiguousarray(x.transpose(*range(x.ndim - 1, 0, -1), 0))


def run(path, sample):
    """What each layer of a file sent."""
    net = hdf5.Network(net_config=str(path))
    source = Source(data=as_lava(sample).astype(np.int32))
    first = net.in_layer
    if type(first).__name__ == "Input":  # its port leads nowhere, as in lava-dl's own test
        source.s_out.connect(first.neuron.a_in)
    else:
        source.s_out.connect(net.inp)
    sinks = []
    for layer in net.layers:
        sink = Sink(shape=layer.out.shape, buffer=len(sample))
        layer.out.connect(sink.a_in)
        sinks.append(sink)
    net.run(condition=RunSteps(num_steps=len(sample)), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    sent = [sink.data.get() for sink in sinks]
    net.stop()
    return [np.ascontiguousarray(s.transpose()).astype(np.int64) for s in sent]


if __name__ == "__main__":
    inputs, found = np.load(HERE / "inputs.npz"), {}
    for path in sorted(HERE.glob("*.net")):
        for i, sent in enumerate(run(path, inputs[path.stem])):
            found[f"{path.stem}/{i}"] = sent
            print(path.stem, i, sent.shape, int((sent != 0).sum()), "sent")
    found["lava_nc"], found["lava_dl"] = version("lava-nc"), version("lava-dl")
    np.savez_compressed(HERE / "lava.npz", **found)
