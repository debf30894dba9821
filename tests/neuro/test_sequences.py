"""Sequences in chunks, and penalties on rates."""

import pytest
import torch
from torch import nn

from neuro.spiking import LIF, RecurrentLIF, checkpointed, rate_penalty


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("n_steps", [1, 4, 10, 99])
def test_a_checkpointed_sequence_is_the_whole(n_steps, recurrent):
    layer = LIF(decay_u=0.5, learn=("decay_u", "decay_v"), reset="subtract", reset_late=True,
                detach_reset=False)  # fmt: skip
    if recurrent:
        layer = RecurrentLIF(layer, nn.Linear(5, 5, bias=False))
    a = (2 * torch.randn(10, 3, 5)).requires_grad_()
    leaves = [a, *layer.parameters()]
    weight = torch.randn(10, 3, 5)
    results = []
    for out in (layer(a), checkpointed(layer.stream, a, n_steps)[0]):
        results.append((out.detach(), torch.autograd.grad((weight * out).sum(), leaves)))
    (whole, expected), (parts, gradients) = results
    assert whole.any()
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(gradients, expected, rtol=1e-4, atol=1e-5)


def test_a_checkpointed_stack_keeps_the_cuts_only():
    kept = []
    layers = [LIF(decay_v=0.9) for _ in range(4)]

    def run(x, states):
        after = []
        for layer, state in zip(layers, states or [None] * 4, strict=True):
            x, state = layer.stream(x, state)
            after.append(state)
        return x, after

    def count(tensor):
        kept.append(tensor.numel())
        return tensor

    a = torch.randn(64, 2, 50, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        run(a, None)
        whole = sum(kept)
        kept.clear()
        checkpointed(run, a, 8)
    assert whole > 4 * a.numel()
    assert sum(kept) <= a.numel()  # the input's own chunks


def test_chunks_without_steps_are_refused():
    with pytest.raises(ValueError, match="5 steps in chunks of 0"):
        checkpointed(LIF().stream, torch.zeros(5, 1, 1), 0)
    with pytest.raises(ValueError, match="0 steps in chunks of 2"):
        checkpointed(LIF().stream, torch.zeros(0, 1, 1), 2)


def test_only_rates_outside_the_bounds_cost():
    spikes = torch.zeros(10, 2, 3)
    spikes[:5, :, 1], spikes[:, :, 2] = 1.0, 1.0  # rates 0, 0.5, 1
    assert rate_penalty(spikes) == 0
    assert rate_penalty(spikes, lower=0.1).item() == pytest.approx(0.01 / 3)
    assert rate_penalty(spikes, upper=0.4).item() == pytest.approx((0.01 + 0.36) / 3)
    assert rate_penalty(spikes, lower=0.5, upper=0.5).item() == pytest.approx(0.5 / 3)
    with pytest.raises(ValueError, match=r"got 0\.5 and 0\.1"):
        rate_penalty(spikes, lower=0.5, upper=0.1)
    with pytest.raises(ValueError, match=r"spikes are torch\.int64"):
        rate_penalty(spikes.long())
    with pytest.raises(ValueError, match=r"shape \(10, 2, 0\) have no rate"):
        rate_penalty(spikes[..., :0])


def test_a_penalty_pulls_at_the_neurons_that_are_outside():
    a = torch.full((10, 2, 2), 0.6)
    a[..., 1] = -1.0
    a.requires_grad_()
    rate_penalty(LIF()(a), lower=0.1, upper=0.2).backward()
    assert a.grad[..., 0].sum() > 0  # too many spikes: less current
    assert a.grad[..., 1].sum() < 0
