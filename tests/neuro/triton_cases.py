"""Triton's kernels against the plain loop: on a GPU, or interpreted where there is none.

Triton decides when it is imported whether it interprets, so `test_triton.py` runs this file in a
process of its own. The plain loop runs on the CPU.
"""

import itertools

import pytest
import torch

from neuro.spiking import LIF, SURROGATES, LIFState, RecurrentState, surrogate
from neuro.spiking.loop import run_lif
from neuro.spiking.recurrent import run_recurrent
from neuro.spiking.triton_loop import BLOCK
from neuro.spiking.triton_loop import triton_lif as kernels_lif
from tests.neuro import test_fused
from tests.neuro.test_fused import ALL, BOUND, assert_same, outcome, problem

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def triton_lif(a, how, *constants_and_state):
    """The kernels' results where the plain loop has its own."""
    *constants, state = (*constants_and_state, None)[:5]
    constants = [there(constant) for constant in constants]
    state = state and LIFState(*(there(each) for each in state))
    out, after = kernels_lif(there(a), how, *constants, state)
    return out.cpu(), LIFState(*(each.cpu() for each in after[:4]), after.step)


def there(value):
    return value.to(DEVICE) if isinstance(value, torch.Tensor) else value


@pytest.fixture(autouse=True)
def _triton_is_tried(monkeypatch):
    monkeypatch.setattr(test_fused, "fused_lif", triton_lif)


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_conventions_are_the_plain_loops(name):
    """Some, the surrogates in turn: whatever three conventions may be are there together."""
    mine = sorted(SURROGATES).index(name)
    for k, how in itertools.islice(enumerate(ALL[::7]), mine, None, len(SURROGATES)):
        kind, rows, per_neuron = list(BOUND)[k % 2], (1, 3, 5)[k % 3], k % 4 < 2
        assert_same(LIF(**how, spike=surrogate(name)), *problem(kind, (4, 2, 3), per_neuron, rows))


@pytest.mark.parametrize("name", sorted(SURROGATES))
@pytest.mark.parametrize("fires", ["above", "reached"])
def test_surrogates_have_their_gradients(name, fires):
    """Of one step, over potentials far below and above the threshold, and at it."""
    layer = LIF(spike=surrogate(name), fires=fires)
    a = torch.linspace(-3, 5, 81, dtype=torch.float64).reshape(1, 1, -1).requires_grad_()
    (found,), (expected,) = (
        torch.autograd.grad(loop(a, layer, 0.0, 0.9, 1.0, 0.0)[0].sum(), a)
        for loop in (triton_lif, run_lif)
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 2, BLOCK + 3), (1, 1, BLOCK), (2, 3, 2, 3, 4)])
def test_shapes_and_blocks_of_lanes_do_not_show(shape):
    layer = LIF(decay_u=0.5, reset="subtract", detach_reset=False)
    assert_same(layer, *problem(torch.float64, shape))
    a, (decay_u, decay_v, v_th, bias), state = problem(torch.float64, shape, per_neuron=False)
    by_channel = torch.full((shape[2], *(1,) * (len(shape) - 3)), 0.9).double().requires_grad_()
    assert_same(layer, a, (decay_u, by_channel, v_th, bias), state)
    by_sample = decay_v.detach().expand(shape[1:]).clone().requires_grad_()
    assert_same(layer, a, (decay_u, by_sample, v_th, bias), state)


@pytest.mark.parametrize("emits", ["spikes", "nothing"])
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_up_in_float32(kind, emits):
    a = (2 * torch.rand(20, 2, 5)).to(kind).requires_grad_()
    layer = LIF(emits=emits, learn=("v_th", "decay_v"))
    constants = 0.0, layer.decay_v, layer.v_th, 0.0
    out, state = triton_lif(a, layer, *constants)
    wanted, after = run_lif(a.float(), layer, *constants)
    torch.testing.assert_close(out, wanted.to(kind))  # which the interpreter cuts, not rounds
    assert torch.equal(state.v, after.v)
    leaves = a, layer.decay_v, *((layer.v_th,) if emits == "spikes" else ())
    found, expected = (torch.autograd.grad(each.sum(), leaves) for each in (out, wanted.to(kind)))
    assert found[0].dtype == kind
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1:], expected[1:], rtol=1e-5, atol=1e-5)


def test_only_what_wants_a_gradient_is_kept():
    a, constants, state = problem(torch.float64, (3, 2, 4))
    fixed = [constant.detach() for constant in constants]
    states = type(state)(*(each.detach() for each in state[:4]))
    layer = LIF(decay_u=0.4)
    (found,), (expected,) = (
        torch.autograd.grad(loop(a, layer, *fixed, states)[0].square().sum(), a)
        for loop in (triton_lif, run_lif)
    )
    assert expected.any()
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    assert triton_lif(a.detach(), layer, *fixed, states)[0].grad_fn is None


def test_a_sequence_in_two_calls_is_the_sequence():
    layer, leaves = LIF(decay_u=0.4, refractory=2), problem(torch.float64, (6, 2, 3), steps=4)

    def in_two(a, layer, *rest):
        *constants, state = rest
        first, between = triton_lif(a[:2], layer, *constants, state)
        second, after = triton_lif(a[2:], layer, *constants, between)
        return torch.cat([first, second]), after

    whole, gradients = outcome(triton_lif, layer, *leaves)
    parts, of_parts = outcome(in_two, layer, *leaves)
    for one, other in zip((*whole, *gradients), (*parts, *of_parts), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_batch_of_nothing_comes_back():
    a = torch.zeros(4, 0, 3, requires_grad=True)
    out, _ = triton_lif(a, LIF(), 0.0, torch.full((3,), 0.9), 1.0, 0.0)
    out.sum().backward()
    assert out.shape == a.grad.shape == a.shape


def test_a_recurrent_layer_may_take_it_between_products():
    a, constants, state = problem(torch.float64, (5, 2, 4))
    layer, weight = LIF(detach_reset=False), torch.eye(4).double().roll(1, 0).requires_grad_()
    first = RecurrentState(state, torch.zeros(2, 4).double())
    (out, _), (wanted, _) = (
        run_recurrent(a, weight, layer, *constants, first, loop) for loop in (triton_lif, run_lif)
    )
    assert torch.equal(out, wanted)
    found, expected = (
        torch.autograd.grad(each.square().sum(), (a, weight, *constants[1:]))
        for each in (out, wanted)
    )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
