"""Surrogates: a strict step forward, the documented bump backward."""

import math

import pytest
import snntorch.surrogate
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuro.spiking import SURROGATES, surrogate

SHAPES = {
    "atan": ("alpha", 0.5, 10.0),
    "fast_sigmoid": ("slope", 1.0, 50.0),
    "sigmoid": ("slope", 0.5, 10.0),
    "box": ("half_width", 0.1, 2.0),
    "triangle": ("half_width", 0.1, 2.0),
}
BUMP = {
    "atan": lambda x, a: (a / 2) / (1 + (math.pi * a * x / 2) ** 2),
    "fast_sigmoid": lambda x, k: 1 / (1 + k * x.abs()) ** 2,
    "sigmoid": lambda x, k: k * torch.sigmoid(k * x) * torch.sigmoid(-k * x),
    "box": lambda x, w: (x.abs() < w).double(),
    "triangle": lambda x, w: 0.3 * (1 - x.abs() / w).clamp(min=0),
}
SMOOTH = {
    "atan": lambda x, a: torch.atan(math.pi * a * x / 2) / math.pi,
    "fast_sigmoid": lambda x, k: x / (1 + k * x.abs()),
    "sigmoid": lambda x, k: torch.sigmoid(k * x),
}
potentials = st.lists(st.floats(-100, 100), min_size=1, max_size=20)


@st.composite
def shaped(draw, names=tuple(SURROGATES)):
    """A surrogate's name, its parameter's name and value."""
    name = draw(st.sampled_from(sorted(names)))
    parameter, low, high = SHAPES[name]
    return name, parameter, draw(st.floats(low, high))


def gradient(spike, x):
    x = x.clone().requires_grad_()
    spike(x).sum().backward()
    return x.grad


@given(shaped(), potentials, st.sampled_from([torch.float32, torch.float64]))
def test_forward_is_the_strict_step_in_the_kind_of_its_input(which, x, kind):
    name, parameter, value = which
    x = torch.tensor([*x, 0.0, -0.0], dtype=kind)
    s = surrogate(name, **{parameter: value})(x)
    assert s.dtype == kind
    assert torch.equal(s, (x > 0).to(kind))


@given(shaped(), potentials)
def test_backward_is_the_documented_bump(which, x):
    name, parameter, value = which
    x = torch.tensor(x, dtype=torch.float64)
    found = gradient(surrogate(name, **{parameter: value}), x)
    torch.testing.assert_close(found, BUMP[name](x, value), rtol=1e-9, atol=1e-12)


@given(shaped(names=SMOOTH), st.floats(-3, 3))
def test_backward_is_the_derivative_of_the_smooth_function(which, x):
    name, parameter, value = which
    x, h = torch.tensor([x], dtype=torch.float64), 1e-5
    if name == "fast_sigmoid" and x.abs() < h:  # its second derivative jumps at 0
        x = x + 2 * h
    difference = (SMOOTH[name](x + h, value) - SMOOTH[name](x - h, value)) / (2 * h)
    found = gradient(surrogate(name, **{parameter: value}), x)
    torch.testing.assert_close(found, difference, rtol=1e-5, atol=1e-7)


@given(shaped(names=("box", "triangle")), potentials, st.floats(0.01, 10))
def test_height_scales_the_bump(which, x, height):
    name, parameter, value = which
    x = torch.tensor(x, dtype=torch.float64)
    one = gradient(surrogate(name, **{parameter: value}, height=1.0), x)
    found = gradient(surrogate(name, **{parameter: value}, height=height), x)
    torch.testing.assert_close(found, height * one)


@pytest.mark.parametrize("name", ["atan", "fast_sigmoid", "sigmoid"])
def test_snntorch_has_the_same(name):
    x = torch.linspace(-5, 5, 201)
    parameter, low, high = SHAPES[name]
    theirs = getattr(snntorch.surrogate, name)(**{parameter: (low + high) / 2})
    ours = surrogate(name, **{parameter: (low + high) / 2})
    assert torch.equal(ours(x), theirs(x))
    torch.testing.assert_close(gradient(ours, x), gradient(theirs, x))


@pytest.mark.parametrize("name", sorted(SURROGATES))
@pytest.mark.parametrize("kind", [torch.float32, torch.float64])
def test_gradient_is_finite_far_from_the_threshold(name, kind):
    x = torch.tensor([-1e6, -1000.0, -30.0, 30.0, 1000.0, 1e6], dtype=kind)
    assert gradient(surrogate(name), x).isfinite().all()


def test_unknown_name_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="unknown surrogate 'arctan': there are atan,") as error:
        surrogate("arctan")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_unknown_parameter_is_refused_by_its_name(name):
    with pytest.raises(ValueError, match=f"{name}.*'widht'") as error:
        surrogate(name, widht=1.0)
    assert "\n" not in str(error.value)
