"""Train a small convolutional network in snnTorch, sinabs or Norse, and export it from there.

    NEURO_DATA=DIR .venv/bin/python tests/data/nir/make_trained.py snntorch|sinabs|norse

in the environment that `make test` sets up.

FRAMEWORK.nir is what the framework's own exporter wrote. FRAMEWORK.npz has the parameters as the
framework trained them (`state/...`), `counts`: spikes of the 20 test recordings of `nmnist-slice`
by sample and spiking layer, counted in the framework; `accuracy` on the 100 test recordings of
`nmnist-small` (chance is 0.1), and `versions`. Weights are rounded to multiples of 2^-8 before
they are counted and exported, so that a sum of them is the same in any order and precision.
"""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import nir
import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))
from neuro import datasets  # noqa: E402
from tests.nir_trained import N_STEPS, layer_counts, net_of, parameters, run  # noqa: E402

EPOCHS = {"snntorch": 15, "sinabs": 15, "norse": 30}
BATCH, RATE, SEED = 50, 3e-3, 0
BINNING = datasets.Binning(n_steps=N_STEPS, clip=1)


def data(name: str, split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames and labels of a split."""
    frames, labels = datasets.load(name, split).binned(BINNING)
    return torch.tensor(frames, dtype=torch.float32), torch.tensor(labels)


def train(framework: str, net: torch.nn.Sequential) -> None:
    """Cross-entropy on how often each output fires."""
    frames, labels = data("nmnist-small", "train")
    order = torch.Generator().manual_seed(SEED)
    weights = [p for n, p in net.named_parameters() if n in parameters(net)]
    optimiser = torch.optim.Adam(weights, lr=RATE)
    for epoch in range(EPOCHS[framework]):
        total = 0.0
        for rows in torch.randperm(len(labels), generator=order).split(BATCH):
            logits = run(framework, net, frames[rows]).sum(1)
            loss = torch.nn.functional.cross_entropy(logits, labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(rows)
        print(f"epoch {epoch}: loss {total / len(labels):.3f}", flush=True)
    with torch.no_grad():
        for p in weights:
            p.copy_(torch.round(p * 256) / 256)


def export(framework: str, net: torch.nn.Sequential, frames: torch.Tensor) -> nir.NIRGraph:
    """The framework's own exporter."""
    with torch.no_grad():
        if framework == "sinabs":
            from sinabs.nir import to_nir

            graph = to_nir(net, frames[0])  # one recording, its steps in a row
            graph.infer_types()  # without the shapes that are missing, `nir` cannot write it
            return graph
        if framework == "norse":
            from norse.torch import to_nir

            graph = to_nir(net, frames[0, 0])
            graph.infer_types()
            return graph
        from snntorch.export_nir import export_to_nir

        return export_to_nir(net, frames[:1, 0], ignore_dims=[0])


def make(framework: str) -> None:
    """Train, count, export."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    net = net_of(framework)
    train(framework, net)
    frames, labels = data("nmnist-small", "test")
    with torch.no_grad():
        accuracy = (run(framework, net, frames).sum(1).argmax(1) == labels).float().mean().item()
    few = data("nmnist-slice", "test")[0]
    counts = layer_counts(framework, net, few.numpy())
    print(f"test accuracy {accuracy:.2f}; spikes by layer {counts.sum(0)}")
    names = ("nir", "nirtorch", "numpy", "torch", framework)
    versions = {"python": platform.python_version()} | {name: version(name) for name in names}
    state = {f"state/{name}": value.numpy() for name, value in parameters(net).items()}
    np.savez_compressed(
        HERE / f"{framework}.npz",
        counts=counts,
        accuracy=accuracy,
        versions=json.dumps(versions),
        **state,
    )
    fresh = net_of(framework)  # without the states of a batch
    fresh.load_state_dict(parameters(net), strict=False)
    nir.write(HERE / f"{framework}.nir", export(framework, fresh, few))


if __name__ == "__main__":
    make(sys.argv[1])
