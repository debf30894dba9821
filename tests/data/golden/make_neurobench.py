# /// script
# requires-python = ">=3.11,<3.13"
# dependencies = ["neurobench==2.3.0", "snntorch==1.0.0", "torch==2.13.0", "numpy"]
# ///
"""Make neurobench.json: NeuroBench's metrics of the networks in tests/neurobench_cases.py.

    uv run --script tests/data/golden/make_neurobench.py [FILE]

neurobench.json holds `versions` and, by case and batch size, what `neurobench.benchmarks.Benchmark`
returned for the network built in snnTorch; `bookkeeping` are the bytes of two buffers of each of
snnTorch's neurons that are no part of a model (`graded_spikes_factor`, `reset_mechanism_val`).
"""

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import snntorch as snn
import torch
from neurobench.benchmarks import Benchmark
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
from neurobench.models import SNNTorchModel
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[2]))
from tests.neurobench_cases import CASES, Case, Layer  # noqa: E402

METRICS = [
    [Footprint, ConnectionSparsity],
    [ActivationSparsity, SynapticOperations, MembraneUpdates],
]
BOOKKEEPING = ("graded_spikes_factor", "reset_mechanism_val")


def tensor(array: np.ndarray) -> nn.Parameter:
    """A parameter as torch trains it: float32."""
    return nn.Parameter(torch.tensor(array, dtype=torch.float32))


def synapses(layer: Layer) -> list[nn.Module]:
    """A convolution, or a dense layer on flat input."""
    has_bias = layer.bias is not None
    n_out, n_in, *kernel = layer.weight.shape
    if layer.geometry is None:
        module, before = nn.Linear(n_in, n_out, bias=has_bias), [nn.Flatten()]
    else:
        n_in *= layer.geometry.get("groups", 1)
        module, before = nn.Conv2d(n_in, n_out, kernel, bias=has_bias, **layer.geometry), []
    module.weight = tensor(layer.weight)
    if has_bias:
        module.bias = tensor(layer.bias)
    return [*before, module]


def neurons(layer: Layer, last: bool) -> nn.Module:
    """Neurons of snnTorch with decays of 1/2."""
    given = {
        "beta": 0.5,
        "threshold": layer.v_th,
        "reset_mechanism": layer.reset,
        "init_hidden": True,
        "output": last,
    }
    if layer.has_current:
        return snn.Synaptic(alpha=0.5, **given)
    if layer.recurrent is None:
        return snn.Leaky(**given)
    module = snn.RLeaky(linear_features=len(layer.recurrent), **given)
    module.recurrent.weight, module.recurrent.bias = tensor(layer.recurrent), None
    return module


def measured(case: Case, batch_size: int) -> dict:
    """NeuroBench's results, of a fresh model: one that has run counts its states in Footprint."""
    parts = [
        part
        for i, layer in enumerate(case.layers)
        for part in (*synapses(layer), neurons(layer, i == len(case.layers) - 1))
    ]
    net = nn.Sequential(*parts)
    samples = torch.tensor(case.samples, dtype=torch.float32)
    data = DataLoader(TensorDataset(samples, torch.zeros(len(samples))), batch_size=batch_size)
    with torch.no_grad():
        found = Benchmark(SNNTorchModel(net), data, [], [], METRICS).run(quiet=True)
    buffers = [b for name, b in net.named_buffers() if name.endswith(BOOKKEEPING)]
    return found | {"bookkeeping": sum(b.numel() * b.element_size() for b in buffers)}


def main() -> None:
    """Write neurobench.json, or the file named."""
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "neurobench.json"
    names = ("neurobench", "snntorch", "torch", "numpy")
    cases = {
        name: {str(size): measured(case, size) for size in case.batch_sizes}
        for name, case in CASES.items()
    }
    versions = {name: version(name) for name in names} | {"python": platform.python_version()}
    text = json.dumps({"versions": versions, "cases": cases}, indent=1)
    file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
