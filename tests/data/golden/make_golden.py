# /// script
# requires-python = "==3.10.*"
# dependencies = ["lava-nc==0.10.0", "numpy==1.26.4"]
# ///
"""Make golden.npz: small random networks, run in Intel's Lava, everything recorded.

    uv run --script tests/data/golden/make_golden.py

Takes about three minutes; needs Python 3.10. `tests/golden.py` reads the file, no Lava needed.
Lava runs its `fixed_pt` models, and `floating_pt` where it has nothing else (`LIFRefractory`).

golden.npz holds
    versions    JSON: lava-nc, numpy, python
    cases       JSON, one network each: {name, seed, input_shape, populations, projections},
                as `hwsim/formats/run_lava.py` documents them, which also builds them here
    case{i}/input                     (steps, inputs)
    case{i}/u, v, s                   (steps, neurons of all populations side by side), as Lava's
                                      Monitor shows them after the step; `sigma` and `act` of
                                      sigma-delta neurons stand under u and v, a graded vector
                                      and an encoder have no u (zeros)
    case{i}/population{j}/residue, error   (steps, neurons), of sigma-delta neurons
    case{i}/projection{j}/weight      as handed to Lava; (out, in), or a torch kernel
    case{i}/projection{j}/delays      where the kind is delay_dense or delay_sparse
    case{i}/projection{j}/from, to    where the kind is sparse or delay_sparse: weight and delays
                                      are (synapses,)
    case{i}/population{j}/{parameter} where a neuron parameter differs from neuron to neuron
in the smallest integer type that holds the values, float64 in floating point. Layout is PyTorch's,
(channels, height, width). The networks are made in families_lif.py and families_kinds.py.
"""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.monitor.process import Monitor

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parents[2] / "hwsim" / "formats"))
import families_kinds  # noqa: E402
import families_lif  # noqa: E402
from run_lava import KINDS, build, from_lava, kind_of  # noqa: E402


def run(net):
    """u, v, s of all populations side by side, (steps, neurons), as Lava's monitors saw them."""
    n_steps = len(net.inputs)
    _, populations, _ = build(net.description, net.arrays, net.inputs)
    monitors = {}
    for i, (p, process) in enumerate(zip(net.description["populations"], populations, strict=True)):
        for name in (*KINDS[kind_of(p)][2], "s_out"):
            monitors[i, name] = Monitor()
            monitors[i, name].probe(getattr(process, name), n_steps)
    tag = net.description.get("arithmetic", "fixed_pt")
    populations[0].run(condition=RunSteps(num_steps=n_steps), run_cfg=Loihi2SimCfg(select_tag=tag))
    kind = np.float64 if tag == "floating_pt" else np.int64
    seen = {}
    for (i, name), monitor in monitors.items():
        data = monitor.get_data()[populations[i].name][name]
        seen[i, name] = from_lava(np.asarray(data), net.shape(i)).astype(kind)
    populations[0].stop()
    found = {}
    for trace, names in {"u": ("u", "sigma"), "v": ("v", "act"), "s": ("s_out",)}.items():
        parts = []
        for i in range(len(populations)):
            have = [seen[i, name] for name in names if (i, name) in seen]
            parts.append(have[0] if have else np.zeros_like(seen[i, "s_out"]))
        found[trace] = np.concatenate(parts, axis=1)
    for (i, name), values in seen.items():
        if name in ("residue", "error"):
            found[f"population{i}/{name}"] = values
    return found


def packed(values):
    """The values in the smallest integer type that holds them; floats as they are."""
    if values.dtype.kind == "f":
        return values
    if not values.size:
        return values.astype(np.int8)
    low, high = int(values.min()), int(values.max())
    for dtype in (np.bool_, np.int8, np.int16, np.int32, np.int64):
        limits = (0, 1) if dtype is np.bool_ else (np.iinfo(dtype).min, np.iinfo(dtype).max)
        if limits[0] <= low and high <= limits[1]:
            return values.astype(dtype)
    raise AssertionError("int64 holds everything")


def main():
    """Run every network and write the file."""
    cases, arrays = [], {}
    for family in (*families_lif.FAMILIES, *families_kinds.FAMILIES):
        for net in family():
            at = f"case{len(cases)}"
            found = run(net) | {"input": net.inputs} | net.arrays
            arrays |= {f"{at}/{name}": packed(values) for name, values in found.items()}
            cases.append(net.description)
            n_spikes = int((found["s"] != 0).sum())
            print(f"{at} {net.description['name']}: {n_spikes} spikes of {found['s'].size}")
    versions = {
        "lava-nc": version("lava-nc"),
        "numpy": np.__version__,
        "python": platform.python_version(),
    }
    np.savez_compressed(
        HERE / "golden.npz", versions=json.dumps(versions), cases=json.dumps(cases), **arrays
    )
    print(f"{len(cases)} networks")


if __name__ == "__main__":
    main()
