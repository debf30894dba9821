"""LIF layers against the papers' equations, snnTorch and finite differences."""

import itertools
import operator

import numpy as np
import pytest
import snntorch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from neuro.spiking import LIF

FIRE = {"above": operator.gt, "reached": operator.ge}
# the table of the papers' conventions: arguments of LIF, and the paper's name of its equation
PAPERS = {
    "LSM excitatory": ({"decay_v": 0.9, "v_th": 5.0, "reset_late": True}, "late"),
    "LSM inhibitory": ({"decay_v": 0.97, "v_th": 5.3, "reset_late": True}, "late"),
    "LSM read-out": ({"decay_v": 0.95, "v_th": 0.1, "reset_late": True}, "late"),
    "SDT": ({"decay_v": 0.5, "input_gain": 0.5}, "halved"),
    "SDT after attention": ({"decay_v": 0.5, "input_gain": 0.5, "v_th": 0.5}, "halved"),
    "DCLS": ({"decay_v": 1 - 1 / 1.005}, "now"),
    "SDM": ({"decay_v": 1.0}, "now"),
    "IIR": ({"decay_v": 0.9, "v_th": 0.75, "reset": "subtract"}, "soft"),
    "QCFS": ({"decay_v": 1.0, "v_th": 1.5, "v_init": 0.75, "reset": "subtract"}, "soft"),
    "Pipe-S": ({"decay_v": 0.25, "v_th": 0.5, "reset_late": True}, "late"),
}

# whole numbers over 2^6: products with decays of two bits stay exact in float64
dyadic = st.integers(-64, 160).map(lambda n: n / 64)
inputs = st.lists(dyadic, min_size=1, max_size=12)


def late(x, lam, theta, u, fires):
    s, out = 0.0, []
    for x_t in x:
        u = lam * u * (1 - s) + x_t
        s = float(fires(u, theta))
        out.append(s)
    return out


def halved(x, lam, theta, u, fires):
    out = []
    for x_t in x:
        u = u + (x_t - u) / 2
        out.append(float(fires(u, theta)))
        u = u * (1 - out[-1])
    return out


def now(x, lam, theta, u, fires):
    out = []
    for x_t in x:
        u = u * lam + x_t
        out.append(float(fires(u, theta)))
        u = u * (1 - out[-1])
    return out


def soft(x, lam, theta, u, fires):
    out = []
    for x_t in x:
        u = lam * u + x_t
        out.append(float(fires(u, theta)))
        u = u - theta * out[-1]
    return out


EQUATIONS = {"late": late, "halved": halved, "now": now, "soft": soft}


@pytest.mark.parametrize("fires", sorted(FIRE))
@pytest.mark.parametrize("paper", sorted(PAPERS))
@given(x=inputs, factor=st.sampled_from([1.0, 4.0]))
def test_every_papers_convention_is_a_choice_of_arguments(paper, fires, x, factor):
    arguments, equation = PAPERS[paper]
    layer = LIF(**arguments, fires=fires).double()
    lam, theta = layer.decay_v.item(), layer.v_th.item()  # as stored, in float32
    x = [factor * x_t for x_t in x]
    wanted = EQUATIONS[equation](x, lam, theta, layer.v_init, FIRE[fires])
    found = layer(torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 1))
    assert found.flatten().tolist() == wanted


def steps_of(neuron, x, *states):
    out = []
    for x_t in x:
        s, *states = neuron(x_t, *states)
        out.append(s)
    return torch.stack(out).double()


@given(x=inputs, decay=st.sampled_from([0.0, 0.25, 0.5, 0.75]), delayed=st.booleans(),
       reset=st.sampled_from(["zero", "subtract", "none"]))  # fmt: skip
def test_spikes_are_those_of_snntorchs_leaky(x, decay, delayed, reset):
    if reset == "subtract" and not delayed:
        # where v exceeds two thresholds snnTorch subtracts again before the next comparison
        x = [min(x_t, 0.875) for x_t in x]
    x = torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 1)
    theirs = snntorch.Leaky(
        beta=decay, threshold=1.0, reset_mechanism=reset, reset_delay=delayed
    ).double()
    ours = LIF(decay_v=decay, reset=reset, reset_late=delayed)
    wanted = steps_of(theirs, x, theirs.init_leaky())
    assert torch.equal(ours.double()(x), wanted)


@given(x=inputs, alpha=st.sampled_from([0.25, 0.5]), beta=st.sampled_from([0.25, 0.5, 0.75]),
       delayed=st.booleans())  # fmt: skip
def test_spikes_are_those_of_snntorchs_synaptic(x, alpha, beta, delayed):
    reset = "subtract" if delayed else "zero"  # delayed and to zero it also drops the current
    x = torch.tensor(x, dtype=torch.float64).reshape(-1, 1, 1)
    theirs = snntorch.Synaptic(
        alpha=alpha, beta=beta, threshold=1.0, reset_mechanism=reset, reset_delay=delayed
    ).double()
    ours = LIF(decay_u=alpha, decay_v=beta, reset=reset, reset_late=delayed)
    wanted = steps_of(theirs, x, *theirs.init_synaptic())
    assert torch.equal(ours.double()(x), wanted)


def smooth(x):
    return torch.sigmoid(3 * x)


@pytest.mark.parametrize("emits", ["spikes", "graded", "nothing"])
@pytest.mark.parametrize("fires", ["above", "reached"])
@pytest.mark.parametrize("reset_late", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_gradient_of_the_loop_is_its_finite_difference(reset, reset_late, fires, emits):
    layer = LIF(
        decay_u=0.4, decay_v=0.8, v_init=0.2, input_gain=0.7, reset=reset, reset_late=reset_late,
        fires=fires, emits=emits, detach_reset=False, spike=smooth, bias_shape=(2,),
        learn=("decay_u", "decay_v", "v_th"),
    ).double()  # fmt: skip
    names = [name for name, _ in layer.named_parameters()]
    assert set(names) == {"decay_u", "decay_v", "v_th", "bias"}

    def loop(a, *values):
        return functional_call(layer, dict(zip(names, values, strict=True)), (a,))

    a = torch.randn(5, 2, 2, dtype=torch.float64, requires_grad=True)
    values = [value.detach().clone().requires_grad_() for value in layer.parameters()]
    assert torch.autograd.gradcheck(loop, (a, *values))


@pytest.mark.parametrize("reset_late", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract"])
def test_detaching_the_reset_changes_the_gradient_only(reset, reset_late):
    a = 2 * torch.rand(8, 3, 4)
    spikes, gradients = [], []
    for detach_reset in (True, False):
        x = a.clone().requires_grad_()
        s = LIF(reset=reset, reset_late=reset_late, detach_reset=detach_reset)(x)
        s.sum().backward()
        spikes.append(s.detach())
        gradients.append(x.grad)
    assert spikes[0].any()
    assert torch.equal(*spikes)
    assert not torch.allclose(*gradients)


@given(a=st.lists(st.floats(-2, 4), min_size=1, max_size=20), rest=st.integers(1, 4))
def test_refractory_neurons_are_silent_for_their_steps(a, rest):
    layer = LIF(decay_v=1.0, refractory=rest)
    s = layer(torch.tensor(a).reshape(-1, 1, 1)).flatten()
    fired = s.nonzero().flatten().tolist()
    assert all(later - earlier > rest for earlier, later in itertools.pairwise(fired))


@given(shape=st.lists(st.integers(1, 4), min_size=1, max_size=3), steps=st.integers(1, 5),
       emits=st.sampled_from(["spikes", "graded", "nothing"]))  # fmt: skip
def test_output_has_the_shape_and_kind_of_the_input(shape, steps, emits):
    a = torch.rand(steps, 2, *shape)
    for x in (a, a.double()):
        out = LIF(emits=emits).to(x.dtype)(x)
        assert out.shape == x.shape
        assert out.dtype == x.dtype


def test_permuting_neurons_permutes_their_spikes():
    a, order = torch.randn(10, 2, 6), torch.randperm(6)
    layer = LIF(decay_u=0.5, reset="subtract")
    assert torch.equal(layer(a[..., order]), layer(a)[..., order])


def test_learnt_decays_stay_fractions():
    layer = LIF(decay_u=0.5, decay_v=0.5, learn=("decay_u", "decay_v"))
    with torch.no_grad():
        layer.decay_u.fill_(-3.0)
        layer.decay_v.fill_(7.0)
    a = torch.randn(6, 1, 3)
    assert torch.equal(layer(a), LIF(decay_u=0.0, decay_v=1.0)(a))
    assert layer.neuron((3,)).decay_v == 1.0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"reset": "hard"}, "'hard' must be one of zero, subtract, none"),
        ({"fires": "over"}, "'over' must be one of above, reached"),
        ({"emits": "events"}, "'events' must be one of spikes, graded, nothing"),
        ({"learn": ("decay",)}, "cannot learn decay: there are decay_u, decay_v, v_th"),
    ],
)
def test_unknown_conventions_are_refused_by_name(arguments, says):
    with pytest.raises(ValueError, match=says):
        LIF(**arguments)


@pytest.mark.parametrize("bias_shape", [(3,), (3, 1, 1)])
def test_the_exported_neuron_has_every_number_of_the_layer(bias_shape):
    layer = LIF(decay_u=0.25, decay_v=0.75, v_th=1.5, v_init=0.5, bias_shape=bias_shape)
    with torch.no_grad():
        layer.bias.copy_(torch.arange(3.0).reshape(bias_shape))
    shape = (3,) if len(bias_shape) == 1 else (3, 4, 5)
    neuron = layer.neuron(shape)
    assert (neuron.decay_u, neuron.decay_v, neuron.v_th, neuron.v_init) == (0.25, 0.75, 1.5, 0.5)
    bias = np.broadcast_to(neuron.bias, shape)
    assert (bias.reshape(3, -1) == np.arange(3)[:, None]).all()
