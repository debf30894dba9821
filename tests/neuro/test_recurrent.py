"""The fused recurrent layer against torch's own loop: same spikes, same gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hwsim.network import Network, Population, Projection
from hwsim.simulation import simulate
from hwsim.synapses import Dense
from neuro.spiking import LIF, SURROGATES, RecurrentLIF, RecurrentState, surrogate
from neuro.spiking.recurrent import fused_recurrent, run_recurrent
from tests.neuro.test_fused import BOUND, draws, problem

draws = {**draws, "emits": st.sampled_from(["spikes", "graded"])}


def outcome(loop, layer, weight, a, constants, state):
    """Output and state after it, and the gradients of all that goes in."""
    out, (after, spikes) = loop(a, weight, layer, *constants, state)
    rng = torch.Generator().manual_seed(1)
    results = [out, spikes, after.u, after.v, after.owed]
    total = sum((torch.randn(r.shape, generator=rng).to(r.dtype) * r).sum() for r in results)
    leaves = [a, weight, *constants, *state.neurons[:3], state.spikes]
    gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [r.detach() for r in (*results, after.rest)], gradients


def recurrent_problem(kind, shape, per_neuron=True, rows=1, seed=0):
    """Currents and weights in whole 64ths: sums of spikes are exact in whatever order BLAS adds."""
    a, constants, state = problem(kind, shape, per_neuron, rows, seed)
    a = ((a.detach() * 64).round() / 64).requires_grad_()
    rng = torch.Generator().manual_seed(seed)
    spikes = torch.randint(0, 2, shape[1:], generator=rng).to(kind).requires_grad_()
    weight = (torch.randn(shape[2], shape[2], generator=rng) * 64).round() / 64
    weight = weight.to(kind).requires_grad_()
    return weight, a, constants, RecurrentState(state, spikes)


@settings(max_examples=60)
@given(how=st.fixed_dictionaries(draws), name=st.sampled_from(sorted(SURROGATES)),
       kind=st.sampled_from(list(BOUND)), steps=st.integers(1, 6), batch=st.integers(1, 3),
       n=st.integers(1, 5), per_neuron=st.booleans(), table=st.booleans(),
       seed=st.integers(0, 99))  # fmt: skip
def test_every_convention_is_the_plain_loops(
    how, name, kind, steps, batch, n, per_neuron, table, seed
):
    layer = LIF(**how, spike=surrogate(name))
    rows = max(2, steps) if table else 1
    leaves = recurrent_problem(kind, (steps, batch, n), per_neuron, rows, seed)
    found, gradients = outcome(fused_recurrent, layer, *leaves)
    wanted, expected = outcome(run_recurrent, layer, *leaves)
    for one, other in zip(found, wanted, strict=True):
        if how["emits"] == "spikes":
            assert torch.equal(one, other)
        torch.testing.assert_close(one, other, rtol=BOUND[kind], atol=BOUND[kind])
    largest = max(g.abs().max() for g in expected)  # loops may amplify, and cancel
    for one, other in zip(gradients, expected, strict=True):
        assert (one - other).abs().max() <= BOUND[kind] * max(other.abs().max(), 0.01 * largest)


@given(how=st.fixed_dictionaries(draws), cut=st.integers(1, 6))
def test_a_sequence_in_two_calls_is_the_sequence(how, cut):
    layer = RecurrentLIF(LIF(**how, input_gain=0.5), nn.Linear(5, 5, bias=False)).double()
    a = (3 * torch.randn(7, 2, 5, dtype=torch.float64)).requires_grad_()
    whole, after = layer.stream(a)
    first, between = layer.stream(a[:cut])
    second, later = layer.stream(a[cut:], between)
    torch.testing.assert_close(torch.cat([first, second]), whole, rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(later.neurons.v, after.neurons.v, rtol=1e-10, atol=1e-12)
    leaves = [a, layer.feedback.weight]
    once = torch.autograd.grad(whole.square().sum(), leaves)
    twice = torch.autograd.grad(first.square().sum() + second.square().sum(), leaves)
    torch.testing.assert_close(once, twice, rtol=1e-10, atol=1e-12)


def test_a_layer_without_weights_is_the_layer_without_feedback():
    layer = RecurrentLIF(LIF(), nn.Linear(5, 5, bias=False))
    nn.init.zeros_(layer.feedback.weight)
    a = 2 * torch.rand(7, 2, 5)
    assert torch.equal(layer(a), LIF()(a))
    with torch.no_grad():
        assert torch.equal(layer(a), LIF()(a))


def test_a_spike_arrives_one_step_later():
    layer = RecurrentLIF(LIF(decay_v=0.0), nn.Linear(2, 2, bias=False))
    layer.feedback.weight.data = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    a = torch.zeros(4, 1, 2)
    a[1, 0, 0] = 2.0
    assert layer(a)[:, 0].tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("spike", [None, lambda x: torch.sigmoid(3 * x)])
def test_a_loop_is_summed_up_in_whole_precision_where_halves_are_the_rule(spike):
    layer = RecurrentLIF(LIF(spike=spike), nn.Linear(5, 5, bias=False))
    a = (2 * torch.rand(7, 2, 5)).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        out = layer(a)
        loss = out.square().sum()
    loss.backward()
    halves, layer.feedback.weight.grad = layer.feedback.weight.grad, None
    assert out.dtype == torch.bfloat16
    assert torch.equal(layer(a), out)
    layer(a).square().sum().backward()
    assert torch.equal(layer.feedback.weight.grad, halves)


def test_what_is_no_loop_is_refused():
    with pytest.raises(ValueError, match="3 to 4, must be square"):
        RecurrentLIF(LIF(), nn.Linear(3, 4, bias=False))
    with pytest.raises(ValueError, match="carries no bias"):
        RecurrentLIF(LIF(), nn.Linear(3, 3))
    with pytest.raises(ValueError, match="emit nothing"):
        RecurrentLIF(LIF(emits="nothing"), nn.Linear(3, 3, bias=False))
    with pytest.raises(ValueError, match="must be \\(time, batch, 3\\)"):
        RecurrentLIF(LIF(), nn.Linear(3, 3, bias=False))(torch.zeros(4, 1, 2))


def test_a_network_with_a_loop_of_delay_1_fires_the_same_spikes():
    rng = np.random.default_rng(0)
    layer = RecurrentLIF(LIF(decay_v=0.75), nn.Linear(6, 6, bias=False)).double()
    weight = torch.from_numpy(rng.integers(-32, 64, (6, 4)) / 64)
    layer.feedback.weight.data = torch.from_numpy(rng.integers(-64, 64, (6, 6)) / 64)
    spikes = rng.random((3, 20, 4)) < 0.4
    x = torch.from_numpy(spikes.astype(float)).transpose(0, 1)
    wanted = layer(x @ weight.t()).detach().numpy()
    network = Network(
        (Population("input", (4,)), Population("layer", (6,), layer.neurons.neuron((6,)))),
        (
            Projection.of("input", "layer", Dense.of(weight.numpy())),
            Projection.of(
                "layer", "layer", Dense.of(layer.feedback.weight.detach().numpy()), delay=1
            ),
        ),
    )
    run = simulate(network, spikes, record="spikes")
    assert wanted.any()
    found = run.spikes["layer"]
    assert np.array_equal(found.transpose(1, 0, 2), wanted.astype(bool))
