"""States carried from call to call, and what may arrive: of the right neurons, however laid out."""

import pytest
import torch
from torch import nn

from neuro.spiking import LIF, Delay, RecurrentLIF
from neuro.spiking.loop import LIFState

CALM = {"emits": "nothing", "reset": "none"}


def loop(n=3):
    return RecurrentLIF(LIF(), nn.Linear(n, n, bias=False))


@pytest.mark.parametrize("layer", [LIF(), loop(), LIF(spike=torch.sigmoid)])
@pytest.mark.parametrize("batch", [1, 4, 32])
def test_a_state_of_other_samples_is_refused(layer, batch):
    _, state = layer.stream(torch.ones(2, 8, 3))
    with pytest.raises(ValueError, match=rf"`u` of the state has shape \(8, 3\).*\({batch}, 3\)"):
        layer.stream(torch.ones(2, batch, 3), state)


def test_spikes_of_other_samples_are_refused():
    layer = loop()
    _, state = layer.stream(torch.ones(2, 8, 3))
    with pytest.raises(ValueError, match=r"`spikes` of the state has shape \(4, 3\)"):
        layer.stream(torch.ones(2, 8, 3), state._replace(spikes=torch.zeros(4, 3)))


@pytest.mark.parametrize("layer", [LIF(), loop(), LIF(spike=torch.sigmoid)])
def test_a_sequence_of_no_step_is_refused(layer):
    with pytest.raises(ValueError, match=r"shape \(0, 2, 3\): give 1 time step or more"):
        layer(torch.zeros(0, 2, 3))


@pytest.mark.parametrize("layer", [LIF(), loop()])
def test_a_state_of_more_precision_is_kept(layer):
    _, state = layer.stream(torch.ones(2, 8, 3))
    _, after = layer.double().stream(torch.ones(2, 8, 3, dtype=torch.float64), state)
    neurons = after if isinstance(after, LIFState) else after.neurons
    assert neurons.v.dtype == torch.float64


@pytest.mark.parametrize("recurrent", [False, True])
def test_gradients_of_a_state_may_come_in_any_layout(recurrent):
    neurons = LIF(decay_v=0.5, decay_u=0.5, reset="none", v_th=100.0)
    layer = RecurrentLIF(neurons, nn.Linear(2, 2, bias=False)) if recurrent else neurons
    for weight in layer.parameters():
        nn.init.zeros_(weight)
    _, state = layer.stream(torch.ones(1, 2, 2))
    first = state.neurons if recurrent else state
    first = first._replace(v=torch.zeros(2, 2, requires_grad=True))
    state = state._replace(neurons=first) if recurrent else first
    _, after = layer.stream(torch.ones(3, 2, 2), state)
    weight = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    ((after.neurons if recurrent else after).v.t() * weight).sum().backward()
    assert torch.equal(first.v.grad, 0.125 * weight.t())


@pytest.mark.parametrize("layer", [LIF(decay_v=0.9, **CALM), loop()])
def test_whole_numbers_are_currents_as_well(layer):
    a = torch.arange(12).reshape(4, 1, 3)
    assert torch.equal(layer(a.to(torch.uint8)), layer(a.float()))


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # the compiler looks at it
@pytest.mark.parametrize("layer", [LIF(), loop(16)])
def test_a_compiled_model_leaves_the_kernels_alone(layer):
    model = nn.Sequential(nn.Linear(8, 16), layer)
    x = torch.randn(5, 2, 8)
    assert torch._dynamo.explain(model)(x).break_reasons
    assert torch.equal(torch.compile(model, backend="eager")(x), model(x))


def test_under_autocast_nothing_arrives_before_it_was_sent():
    delay, x = Delay(64, 24, n_taps=25), torch.zeros(60, 32, 64)
    x[30:] = (torch.rand(30, 32, 64) < 0.4).float()
    assert delay._way(x, 60, 25) == "spectral"
    with torch.autocast("cpu", torch.bfloat16):
        out = delay(x)
    assert out[:30].abs().max() < 1e-5 * out.abs().max()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"refractory": -1}, "`refractory` is -1"),
        ({"refractory": 1.5}, "`refractory` is 1.5"),
        ({"decay_v": float("nan")}, "`decay_v` is nan"),
        ({"v_th": torch.zeros(0, 3)}, "`v_th` is tensor"),
    ],
)
def test_constants_that_are_none_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        LIF(**arguments)
