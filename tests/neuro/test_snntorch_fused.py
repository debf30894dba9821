"""snnTorch models in the fused loop: the same spikes and gradients as in snnTorch's own loop."""

import pytest
import snntorch
import torch
from snntorch import surrogate as theirs
from snntorch import utils
from torch import nn

from neuro.spiking import Bump, fuse


def stepped(net, x):
    """snnTorch's way: a loop over time, hidden states in the neurons."""
    utils.reset(net)
    return torch.stack([net(x_t) for x_t in x])


def both(net, x):
    """Spikes and gradients of all parameters: snnTorch's, and those of `fuse(net)`."""
    found = []
    for forward in (lambda: stepped(net, x), lambda: fuse(net)(x)):
        net.zero_grad()
        out = forward()
        torch.manual_seed(3)
        (out * torch.randn(out.shape)).sum().backward()
        found.append((out.detach(), [p.grad.clone() for p in net.parameters()]))
    return found


def neurons(**options):
    return {
        "leaky": snntorch.Leaky(beta=0.75, init_hidden=True, **options),
        "synaptic": snntorch.Synaptic(alpha=0.5, beta=0.75, init_hidden=True, **options),
    }


CASES = [
    ("leaky", "subtract", True),
    ("leaky", "zero", True),
    ("leaky", "none", True),
    ("leaky", "zero", False),
    ("leaky", "none", False),
    ("synaptic", "subtract", True),
    ("synaptic", "none", True),
    ("synaptic", "zero", False),
]
GRADS = [theirs.atan(alpha=3.0), theirs.fast_sigmoid(slope=5), theirs.sigmoid(slope=4), None]


@pytest.mark.parametrize("grad", GRADS)
@pytest.mark.parametrize(("kind", "reset", "delayed"), CASES)
def test_a_fused_model_fires_the_same_spikes_and_learns_the_same(kind, reset, delayed, grad):
    options = {"reset_mechanism": reset, "reset_delay": delayed, "spike_grad": grad,
               "learn_threshold": True, "learn_beta": True}  # fmt: skip
    net = nn.Sequential(nn.Linear(6, 20), neurons(**options)[kind], nn.Linear(20, 4),
                        neurons(**options)[kind])  # fmt: skip
    x = 4 * torch.rand(12, 3, 6)
    (wanted, expected), (found, gradients) = both(net, x)
    assert wanted.any()
    assert torch.equal(found, wanted)
    for one, other in zip(gradients, expected, strict=True):
        # what one number gathers from all neurons and steps in float32 is less exact
        bound = 1e-4 if one.ndim == 0 else 1e-5
        assert (one - other).abs().max() <= bound * other.abs().max()


def test_a_convolutional_model_per_neuron_decays():
    net = nn.Sequential(
        nn.Conv2d(1, 3, 3), snntorch.Leaky(beta=torch.rand(3, 1, 1), init_hidden=True),
        nn.MaxPool2d(2), nn.Flatten(), nn.Sequential(nn.Linear(27, 5)),
        snntorch.Leaky(beta=0.5, threshold=0.05, init_hidden=True),
    )  # fmt: skip
    (wanted, _), (found, _) = both(net, 8 * torch.rand(8, 2, 1, 8, 8))
    assert wanted.any()
    assert torch.equal(found, wanted)


def test_known_surrogates_take_the_kernel_and_others_the_plain_loop():
    assert isinstance(fuse(snntorch.Leaky(beta=0.5)).spike, Bump)
    other = theirs.triangular()
    assert fuse(snntorch.Leaky(beta=0.5, spike_grad=other)).spike is other


class Doubled(nn.Sequential):
    """A model with a forward of its own."""

    def forward(self, x):
        return super().forward(2 * x)


def hooked(module):
    module.register_forward_hook(lambda module, x, out: 2 * out)
    return module


LEAKY = snntorch.Leaky(beta=0.9)


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (snntorch.Alpha(alpha=0.9, beta=0.8), "only Leaky and Synaptic"),
        (snntorch.RLeaky(beta=0.9, all_to_all=False), "only Leaky and Synaptic"),
        (snntorch.Leaky(beta=0.9, graded_spikes_factor=2.0), "must be a constant 1"),
        (snntorch.Leaky(beta=0.9, surrogate_disable=True), "leaves no gradient"),
        (snntorch.Leaky(beta=0.9, state_quant=lambda x: x), "have no fused loop"),
        (snntorch.Leaky(beta=0.9, reset_delay=False), "subtracts again above two thresholds"),
        (snntorch.Synaptic(alpha=0.9, beta=0.8, reset_mechanism="zero"), "drops the current"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), "BatchNorm1d cannot be fused"),
        (Doubled(nn.Linear(2, 2)), "Doubled cannot be fused"),
        (hooked(nn.Sequential(nn.Linear(2, 2))), "Sequential cannot be fused.* forward hooks"),
        (nn.Sequential(hooked(nn.Linear(2, 2))), "Linear cannot be fused.* forward hooks"),
        (nn.Sequential(LEAKY, nn.Sequential(LEAKY)), "in two places"),
        (snntorch.Leaky(beta=0.9, threshold=torch.tensor([1.0, -0.1])), "a threshold below 0"),
    ],
)
def test_what_would_differ_is_refused_in_one_line(module, says):
    with pytest.raises(ValueError, match=says) as error:
        fuse(module)
    assert "\n" not in str(error.value)
