"""The network as a user of snnTorch builds and trains it, and as it is read here from NIR."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import nir
import numpy as np
import torch
from torch import nn

import hwsim
from hwsim.arrays import AnyArray
from hwsim.atomic import atomic_path
from neuro import datasets

N_HIDDEN, N_TAXELS, N_CLASSES = 64, 12, 7
N_STEPS = 128  # of 10 ms: two bins of the data each, 1 where either has an event
ALPHA, BETA, BETA_OUT = 0.75, 0.9375, 0.9375
EPOCHS, BATCH, RATE, GAIN, SLOPE = 40, 64, 0.01, 0.3, 10.0
BINNING = datasets.Binning(n_steps=N_STEPS, clip=1)


def data(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Frames (samples, steps, taxels) and labels. `hold` is 15 % of the training samples."""
    frames, labels = datasets.load("braille", split).binned(BINNING, cache=False)
    return torch.tensor(frames, dtype=torch.float32), torch.tensor(labels)


def build(seed: int, *, recurrent: bool = True) -> nn.Sequential:
    """Untrained: `RSynaptic`, or `Synaptic` for the control without recurrence, and `Leaky`.

    All reset to zero, which a chip can do as snnTorch does it; there are no biases. The exporter
    refuses a `Leaky` of one `beta` (`type mismatch: 2.output: [[7]] -> 3.input: []`).
    """
    import snntorch
    from snntorch.surrogate import fast_sigmoid

    torch.manual_seed(seed)
    same = {"reset_mechanism": "zero", "init_hidden": True, "spike_grad": fast_sigmoid(SLOPE)}
    if recurrent:
        hidden = snntorch.RSynaptic(alpha=ALPHA, beta=BETA, linear_features=N_HIDDEN, **same)
        hidden.recurrent = nn.Linear(N_HIDDEN, N_HIDDEN, bias=False)
        with torch.no_grad():
            hidden.recurrent.weight *= 0.5
    else:
        hidden = snntorch.Synaptic(alpha=ALPHA, beta=BETA, **same)
    return nn.Sequential(
        nn.Linear(N_TAXELS, N_HIDDEN, bias=False),
        hidden,
        nn.Linear(N_HIDDEN, N_CLASSES, bias=False),
        snntorch.Leaky(
            beta=torch.full((N_CLASSES,), BETA_OUT), threshold=torch.ones(N_CLASSES), **same
        ),
    )


def run(net: nn.Sequential, frames: torch.Tensor) -> torch.Tensor:
    """Output spikes, (samples, steps, classes)."""
    net[1].reset_mem()
    net[3].reset_mem()
    return torch.stack([net(frame) for frame in frames.unbind(1)], dim=1)


@contextmanager
def hidden_spikes(net: nn.Sequential) -> Iterator[list[torch.Tensor]]:
    """The hidden layer's spikes, step by step, of what runs while this lasts."""
    found: list[torch.Tensor] = []
    hook = net[1].register_forward_hook(lambda _, __, out: found.append(out))
    try:
        yield found
    finally:
        hook.remove()


def spikes_of(net: nn.Sequential, frames: torch.Tensor) -> tuple[AnyArray, AnyArray]:
    """What snnTorch itself fires in both layers, boolean (samples, steps, neurons)."""
    with torch.no_grad(), hidden_spikes(net) as hidden:
        out = run(net, frames)
    return torch.stack(hidden, dim=1).numpy() > 0, out.numpy() > 0


def correct(net: nn.Sequential, frames: torch.Tensor, labels: torch.Tensor) -> int:
    """Samples whose class fired most; of equal counts the first."""
    with torch.no_grad():
        return int((run(net, frames).sum(1).argmax(1) == labels).sum())


def train(net: nn.Sequential, seed: int, on_epoch: Callable[[int, int], None]) -> int:
    """Cross-entropy on spike counts. Leaves the epoch that is best on `hold`; returns which.

    Args:
        on_epoch: called with the epoch and how many held-back samples were right.
    """
    x, y = data("fit")
    held = data("hold")
    order = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(net.parameters(), RATE)
    n_batches = -(-len(y) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * n_batches)
    best, chosen, kept = -1, 0, weights(net)
    for epoch in range(EPOCHS):
        for rows in torch.randperm(len(y), generator=order).split(BATCH):
            loss = nn.functional.cross_entropy(GAIN * run(net, x[rows]).sum(1), y[rows])
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
        found = correct(net, *held)
        if found >= best:  # of equals the latest, which was trained longest
            best, chosen, kept = found, epoch, weights(net)
        on_epoch(epoch, found)
    net.load_state_dict(kept, strict=False)
    return chosen


def weights(net: nn.Sequential) -> dict[str, torch.Tensor]:
    """A copy of what is trained, by name."""
    return {name: p.detach().clone() for name, p in net.named_parameters()}


def export(net: nn.Sequential, seed: int, file: Path) -> None:
    """What snnTorch's own exporter says, of a fresh network: one without a batch's states."""
    from snntorch.export_nir import export_to_nir

    fresh = build(seed)
    fresh.load_state_dict(weights(net), strict=False)
    graph = export_to_nir(fresh, torch.zeros(1, N_TAXELS), ignore_dims=[0])
    with atomic_path(file) as temporary:
        nir.write(temporary, graph)


def read(file: Path) -> hwsim.Network:
    """The file as snnTorch means it, with the reset that `build` chose."""
    net = hwsim.read_nir(file, framework="snntorch", reset="zero").network
    assert net is not None
    return net


def on_chip(net: hwsim.Network, frames: AnyArray, chip: str = "loihi2") -> hwsim.Plan:
    """The network in a chip's integers, calibrated by `frames`, and placed."""
    spec = hwsim.load_chip(chip)
    qnet, _ = hwsim.quantize(net, spec, frames)
    return hwsim.compile(qnet, spec)


def layers(net: hwsim.Network) -> list[str]:
    """Hidden layer and output by name."""
    return [p.name for p in net.populations if p.neuron is not None]


def samples(frames: torch.Tensor) -> AnyArray:
    """Frames as the simulator takes them."""
    return frames.numpy().astype(np.int64)
