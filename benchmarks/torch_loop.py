"""torch: float32 products and elementwise operations in a loop over steps. It counts nothing."""

from dataclasses import dataclass

import torch
from torch import Tensor

from hwsim.arrays import AnyArray
from hwsim.network import Network, Population, Projection
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Conv2d, Dense


@dataclass
class TorchLoop:
    """A network of `FixedNeuron`s in floats, in units of 64: no truncation, no words.

    Projections take no time, except those of delay 1, which is how the network was drawn.
    """

    net: Network

    def __post_init__(self) -> None:
        self.weights = [torch.tensor(p.synapses.weight).float() for p in self.net.projections]
        self.inner = [self.net[n] for n in self.net.order if self.net[n].neuron is not None]

    def step_by_step(self, samples: AnyArray) -> dict[str, Tensor]:
        """All layers of a step, then the next step; spikes per sample by population."""
        frames = torch.from_numpy(samples).float().transpose(0, 1).contiguous()
        zeros = {p.name: torch.zeros(frames.shape[1], *p.shape) for p in self.inner}
        u, v = dict(zeros), dict(zeros)
        spikes, counts = dict(zeros), dict(zeros)
        source = self.net.inputs[0].name
        for frame in frames:
            spikes[source] = frame
            late = dict(spikes)  # of the step before
            for p in self.inner:
                a = self._arriving(p, spikes, late)
                u[p.name], v[p.name], spikes[p.name] = _step(p, u[p.name], v[p.name], a)
                counts[p.name] = counts[p.name] + spikes[p.name]
        return {name: n.flatten(1).sum(1) for name, n in counts.items()}

    def layer_by_layer(self, samples: AnyArray) -> dict[str, Tensor]:
        """One product over all steps of a layer, then its neurons: only without loops."""
        spikes = torch.from_numpy(samples).float().transpose(0, 1).contiguous()
        counts = {}
        for p in self.inner:
            (i,) = (i for i, q in enumerate(self.net.projections) if q.target == p.name)
            a = self._product(i, spikes.flatten(0, 1)).unflatten(0, spikes.shape[:2])
            u = v = torch.zeros(spikes.shape[1], *p.shape)
            fired = []
            for now in a:
                u, v, s = _step(p, u, v, now)
                fired.append(s)
            spikes = torch.stack(fired)
            counts[p.name] = spikes.sum(0).flatten(1).sum(1)
        return counts

    def _arriving(
        self, p: Population, spikes: dict[str, Tensor], late: dict[str, Tensor]
    ) -> Tensor:
        sums = [
            self._product(i, (late if q.delay.any() else spikes)[q.source])
            for i, q in enumerate(self.net.projections)
            if q.target == p.name
        ]
        return sum(sums[1:], start=sums[0])

    def _product(self, i: int, spikes: Tensor) -> Tensor:
        q: Projection = self.net.projections[i]
        if isinstance(q.synapses, Conv2d):
            return torch.conv2d(spikes, self.weights[i], stride=q.synapses.stride)
        assert isinstance(q.synapses, Dense)
        return spikes.flatten(1) @ self.weights[i].T


def _step(p: Population, u: Tensor, v: Tensor, a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    assert isinstance(p.neuron, FixedNeuron)
    u = u * float((4095 - p.neuron.du) / 4096) + a
    v = v * float((4096 - p.neuron.dv) / 4096) + u
    spikes = (v > float(p.neuron.v_th)).float()
    return u, v * (1 - spikes), spikes
