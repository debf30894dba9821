"""Time of a sample: hwsim (counts on), Intel's Lava, and a torch loop, on the same network and run.

`python benchmarks/simulation.py [--samples 4] [--repeats 5] [--json]`. Two networks: `conv`, 2 x 34
x 34 -> conv 16 5x5 stride 2 -> conv 32 3x3 stride 2 -> dense 10, 60 steps, ~4,000 events; `dense`,
700 -> 512 -> 512 -> 20 with current memory, 100 steps, 3 % input. Random 8-bit weights, thresholds
that give about 5 % activity. One thread each; Lava runs its own processes.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch

import hwsim
from hwsim.formats.lava import export_lava, verify_lava
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense
from neuro.training.qat import fixed_lif

WORD = WeightWord()


def conv_network(rng: np.random.Generator) -> tuple[Network, tuple[int, ...], int, float]:
    """The convolutional network, its input shape, steps, and events per pixel and step."""

    def even(*shape: int) -> np.ndarray:
        return rng.integers(-60, 64, shape) * 2

    def neuron(v_th: int) -> FixedNeuron:
        return FixedNeuron.of(du=1023, dv=255, v_th=v_th)

    net = Network(
        (
            Population("input", (2, 34, 34)),
            Population("conv1", (16, 15, 15), neuron(1400)),
            Population("conv2", (32, 7, 7), neuron(2600)),
            Population("out", (10,), neuron(6000)),
        ),
        (
            Projection.of("input", "conv1", Conv2d.of(even(16, 2, 5, 5), stride=(2, 2)), word=WORD),
            Projection.of(
                "conv1", "conv2", Conv2d.of(even(32, 16, 3, 3), stride=(2, 2)), word=WORD
            ),
            Projection.of("conv2", "out", Dense.of(even(10, 1568)), word=WORD),
        ),
    )
    return net, (2, 34, 34), 60, 4056 / 60 / 2312


def dense_network(rng: np.random.Generator) -> tuple[Network, tuple[int, ...], int, float]:
    """The dense network, its input shape, steps, and events per channel and step."""

    def layer(out: int, source: int) -> Dense:
        return Dense.of(rng.integers(-60, 64, (out, source)) * 2)

    sizes, thresholds = (700, 512, 512, 20), (3600, 4300, 4600)
    names = ("input", "hidden1", "hidden2", "out")
    populations = [Population("input", (700,))]
    projections = []
    for i, v_th in enumerate(thresholds):
        neuron = FixedNeuron.of(du=409, dv=204, v_th=v_th)
        populations.append(Population(names[i + 1], (sizes[i + 1],), neuron))
        synapses = layer(sizes[i + 1], sizes[i])
        projections.append(Projection.of(names[i], names[i + 1], synapses, word=WORD))
    return Network(tuple(populations), tuple(projections)), (700,), 100, 0.03


def torch_loop(net: Network, x: np.ndarray) -> Callable[[], dict[str, int]]:
    """The same integers with torch's products and a loop over steps in int64."""
    frames = torch.from_numpy(x).transpose(0, 1).float()

    def run() -> dict[str, int]:
        spikes, counts = frames, {}
        for p in net.projections:
            weight = torch.tensor(p.synapses.weight).float()
            flat = spikes.flatten(0, 1)
            if isinstance(p.synapses, Conv2d):
                a = torch.nn.functional.conv2d(flat, weight, stride=p.synapses.stride)
            else:
                a = flat.flatten(1) @ weight.T
            neuron = net[p.target].neuron
            assert isinstance(neuron, FixedNeuron)
            fired = fixed_lif(a.unflatten(0, spikes.shape[:2]).to(torch.int64), neuron)
            counts[p.target] = int(fired.sum())
            spikes = fired.float()
        return counts

    return run


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Median over repeats, after one call that is not counted."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(name: str, n_samples: int, repeats: int) -> dict[str, object]:
    """Seconds per sample of every contestant on one network."""
    rng = np.random.default_rng(0)
    net, shape, steps, rate = {"conv": conv_network, "dense": dense_network}[name](rng)
    x = (rng.random((n_samples, steps, *shape)) < rate).astype(np.uint8)
    plan = hwsim.compile(net, hwsim.load_chip("loihi1"))
    run = hwsim.simulate(plan, x, record=("spikes",))
    loop = torch_loop(net, x)
    ours = {p.name: int(run.spike_counts[p.name].sum()) for p in net.populations if p.neuron}
    assert loop() == ours, "torch and hwsim count different spikes"
    with tempfile.TemporaryDirectory() as folder:
        export_lava(net, x, run, Path(folder) / "lava")
        verdict = verify_lava(Path(folder) / "lava")
    one = median_seconds(lambda: hwsim.simulate(plan, x[:1]), repeats)
    block = median_seconds(
        lambda: hwsim.simulate(plan, np.tile(x, (8, *[1] * (x.ndim - 1)))), repeats
    )
    peer = median_seconds(loop, repeats) / n_samples
    block /= 8 * n_samples
    return {
        "network": name,
        "sops_per_sample": float(run.sops.mean()),
        "spikes_different_from_lava": verdict.n_different,
        "hwsim_one_sample_s": one,
        "hwsim_in_blocks_s": block,
        "hwsim_sops_per_s": float(run.sops.mean()) / block,
        "torch_loop_s": peer,
        "lava_s": verdict.seconds_per_sample,
        "lava_over_hwsim_one_sample": verdict.seconds_per_sample / one,
        "lava_over_hwsim_in_blocks": verdict.seconds_per_sample / block,
        "torch_over_hwsim_in_blocks": peer / block,
    }


def main() -> None:
    """Measure both networks and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    rows = [measure(name, options.samples, options.repeats) for name in ("conv", "dense")]
    if options.json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    for row in rows:
        for key, value in row.items():
            said = f"{value:.4g}" if isinstance(value, float) else value
            sys.stdout.write(f"{key:28} {said}\n")
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
