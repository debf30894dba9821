"""Small convolutional networks as users of snnTorch, sinabs and Norse build them, and their spikes.

The frameworks are imported where they are used: any may be missing.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn

N_STEPS = 12
FRAMEWORKS = ("snntorch", "sinabs", "norse")
SPIKING = ("Leaky", "IAFSqueeze", "LIFSqueeze", "LIFBoxCell")


def snntorch_net() -> nn.Sequential:
    """Leaky neurons under snnTorch's own defaults: reset by subtraction, one step late.

    Constants stand for every neuron: those of one number its exporter refuses behind a convolution.
    """
    import snntorch

    def leaky(*shape: int) -> nn.Module:
        return snntorch.Leaky(
            beta=torch.full(shape, 0.75), threshold=torch.ones(shape), init_hidden=True
        )

    return nn.Sequential(
        nn.Conv2d(2, 8, 5, stride=2),
        leaky(8, 15, 15),
        nn.AvgPool2d(2),
        nn.Conv2d(8, 16, 3),
        leaky(16, 5, 5),
        nn.Flatten(),
        nn.Linear(400, 10),
        leaky(10),
    )


def sinabs_net() -> nn.Sequential:
    """Integrators, as on Speck, and a leaky layer between them; one spike a step at most."""
    import sinabs.layers as sl
    from sinabs.activation import SingleSpike

    def neurons(kind: type, **more: torch.Tensor) -> nn.Module:
        return kind(num_timesteps=N_STEPS, spike_fn=SingleSpike, **more)

    ones = torch.ones(16, 5, 5)

    return nn.Sequential(
        nn.Conv2d(2, 8, 5, stride=2, bias=False),
        neurons(sl.IAFSqueeze),
        sl.SumPool2d(2, 2),
        nn.Conv2d(8, 16, 3, bias=False),
        neurons(sl.LIFSqueeze, tau_mem=3.0 * ones, spike_threshold=ones),
        nn.Flatten(),
        nn.Linear(400, 10, bias=False),
        neurons(sl.IAFSqueeze),
    )


def norse_net() -> nn.Sequential:
    """Leaky neurons that reset to zero; without poolings and `Flatten`, which it cannot export."""
    import norse.torch as norse

    def leaky(*shape: int) -> nn.Module:
        parameters = norse.LIFBoxParameters(
            tau_mem_inv=torch.full(shape, 250.0),
            v_th=torch.ones(shape),
            v_leak=torch.zeros(shape),
            v_reset=torch.zeros(shape),
            method="super",
            alpha=torch.tensor(10.0),
        )
        return norse.LIFBoxCell(parameters, dt=1e-3)

    return norse.SequentialState(
        nn.Conv2d(2, 8, 5, stride=2),
        leaky(8, 15, 15),
        nn.Conv2d(8, 16, 3, stride=2),
        leaky(16, 7, 7),
        nn.Conv2d(16, 10, 7),
        leaky(10, 1, 1),
    )


def net_of(framework: str) -> nn.Sequential:
    """The network of a framework, untrained."""
    return {"snntorch": snntorch_net, "sinabs": sinabs_net, "norse": norse_net}[framework]()


def parameters(net: nn.Sequential) -> dict[str, torch.Tensor]:
    """What was trained: weights and biases by name."""
    return {n: p.detach() for n, p in net.named_parameters() if n.endswith(("weight", "bias"))}


def run(framework: str, net: nn.Sequential, frames: torch.Tensor) -> torch.Tensor:
    """Output spikes (samples, steps, classes) of frames (samples, steps, 2, 34, 34)."""
    if framework == "sinabs":
        net.apply(lambda layer: layer.reset_states() if hasattr(layer, "reset_states") else None)
        return net(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
    if framework == "norse":
        state, out = None, []
        for frame in frames.unbind(1):
            spikes, state = net(frame, state)
            out.append(spikes.flatten(1))
        return torch.stack(out, dim=1)
    net.apply(lambda layer: layer.reset_mem() if hasattr(layer, "reset_mem") else None)
    return torch.stack([net(frame) for frame in frames.unbind(1)], dim=1)


@contextmanager
def counted(net: nn.Sequential, n_samples: int) -> Iterator[list[torch.Tensor]]:
    """Spikes per sample of every spiking layer, added up while this lasts."""
    layers = [m for m in net.children() if type(m).__name__ in SPIKING]
    counts = [torch.zeros(n_samples, dtype=torch.int64) for _ in layers]

    def add(i: int, out: torch.Tensor | tuple[torch.Tensor, ...]) -> None:
        out = out[0] if isinstance(out, tuple) else out
        counts[i] += out.reshape(n_samples, -1).sum(1).long()

    hooks = [
        layer.register_forward_hook(lambda _, __, out, i=i: add(i, out))
        for i, layer in enumerate(layers)
    ]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def layer_counts(framework: str, net: nn.Sequential, frames: np.ndarray) -> np.ndarray:
    """What the framework itself counts: (samples, spiking layers)."""
    with torch.no_grad(), counted(net, len(frames)) as counts:
        run(framework, net, torch.tensor(frames, dtype=torch.float32))
    return torch.stack(counts, dim=1).numpy()
