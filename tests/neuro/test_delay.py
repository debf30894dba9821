"""Delays that are learned: what DCLS computes, what a ring buffer does, what a chip runs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.spiking.delay import Delay, dense_kernel, runs
from neuro.spiking.delayed import (
    cheapest_way,
    delayed_sum,
    dense_delayed_sum,
    spectral_delayed_sum,
)

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "dcls" / "dcls.npz"
CASES = json.loads(str(np.load(GOLDEN)["about"]))["cases"]
BUMPS = {"v1": "triangle", "max": "triangle", "gauss": "gauss"}
SEEDS = st.integers(0, 2**31)


def error(ours, theirs):
    """Largest difference, relative to the largest value."""
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30))


def spikes(rng, *shape, rate=0.2):
    return torch.from_numpy((rng.random(shape) < rate).astype(np.float32))


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: "-".join(map(str, CASES[n])))
def test_outputs_and_all_gradients_are_those_of_the_package_dcls(number):
    version, sigma, bumps, n_taps = CASES[number]
    stored = np.load(GOLDEN)
    told = {
        key.split("/")[1]: torch.from_numpy(stored[key])
        for key in stored.files
        if key.startswith(f"{number}/")
    }
    targets, sources = told["weight"].shape[:2]
    layer = Delay(
        sources, targets, n_taps=n_taps, bumps=bumps, bump=BUMPS[version], sigma=sigma,
        learn_sigma="to_sigma" in told, right_pad=n_taps // 2,
    )  # fmt: skip
    with torch.no_grad():
        layer.weight.copy_(told["weight"])
        layer.position.copy_(told["position"])
    x = told["x"].permute(2, 0, 1).contiguous().requires_grad_()
    y = layer(x)
    y.backward(told["to_y"].permute(2, 0, 1))
    assert error(y.detach(), told["y"].permute(2, 0, 1)) < 1e-5
    assert error(x.grad, told["to_x"].permute(2, 0, 1)) < 1e-5
    assert error(layer.weight.grad, told["to_weight"]) < 1e-5
    assert error(layer.position.grad, told["to_position"]) < 1e-5
    if "to_sigma" in told:
        assert error(layer.sigma.grad, told["to_sigma"]) < 1e-5


@settings(max_examples=40)
@given(
    st.integers(1, 70), st.integers(1, 35), st.integers(1, 20), st.integers(1, 40),
    st.integers(1, 40), st.integers(1, 2), st.sampled_from(["gauss", "triangle"]),
    st.sampled_from([0.0, 0.23, 1.7, 12.0]), st.integers(0, 30), SEEDS,
)  # fmt: skip
def test_the_fast_sum_and_its_gradients_are_those_of_one_dense_convolution(
    steps, batch, sources, targets, n_taps, bumps, bump, sigma, pad, seed
):
    """Within 1e-5 of the largest value, or as near as the convolution in float32 itself is.

    Weights are about 1; 1e-6 of one is what a bump's tails may lack.
    """
    rng = np.random.default_rng(seed)
    shape = (targets, sources, bumps)
    given_to = [
        spikes(rng, steps, batch, sources) * 1.5,
        torch.from_numpy(rng.standard_normal(shape)),
        torch.from_numpy(rng.uniform(-0.6, 0.6, shape) * n_taps),
        torch.tensor(sigma),
    ]
    asked = torch.from_numpy(rng.standard_normal((steps + pad, batch, targets)))
    exact, twin, *others = (
        with_gradients(sum_of, given_to, asked, kind, bump, n_taps)
        for sum_of, kind in (
            (slow, torch.float64),
            (slow, torch.float32),
            (by_events, torch.float32),
            (by_frequencies, torch.float32),
        )
    )
    for ours in others:
        for wanted, near, got in zip(exact, twin, ours, strict=True):
            allowed = 1e-6 + 1e-5 * wanted.abs().max() + 10 * (near - wanted).abs().max()
            assert (got - wanted).abs().max() <= allowed


def with_gradients(sum_of, given_to, asked, kind, bump, n_taps):
    """The sums and every gradient; of the width only if it can have one (0 is a corner)."""
    inputs = [tensor.float().to(kind, copy=True).requires_grad_() for tensor in given_to]
    y = sum_of(*inputs, bump, n_taps, len(asked))
    wanted = inputs[: 4 if given_to[3] > 0 else 3]
    return [y.detach(), *torch.autograd.grad(y, wanted, asked.float().to(kind))]


def by_events(x, weight, position, width, bump, n_taps, n_steps):
    taps, first = runs(weight, position, width, bump, n_taps)
    return delayed_sum(x, taps, first, n_taps, n_steps)


def by_frequencies(x, weight, position, width, bump, n_taps, n_steps):
    kernel = dense_kernel(weight, position, width, bump, n_taps)
    return spectral_delayed_sum(x, kernel, n_steps)


def slow(x, weight, position, width, bump, n_taps, n_steps):
    return dense_delayed_sum(x, dense_kernel(weight, position, width, bump, n_taps), n_steps)


@pytest.mark.parametrize("lanes", [2, 8, 16])
def test_gradients_of_runs_pass_a_numerical_check(lanes):
    """Linear in either argument: differences of float32 are exact to rounding."""
    rng = np.random.default_rng(lanes)
    x = spikes(rng, 9, 3, 4, rate=0.4)
    taps = torch.from_numpy(rng.standard_normal((5, 4, 1, lanes)).astype(np.float32))
    first = torch.from_numpy(rng.integers(0, 4, (5, 4, 1)).astype(np.int32))
    asked = torch.from_numpy(rng.standard_normal((20, 3, 5)).astype(np.float32))

    def total(x, taps):
        return (delayed_sum(x, taps, first, 4 + lanes, 20) * asked).sum()

    x.requires_grad_()
    taps.requires_grad_()
    to_x, to_taps = torch.autograd.grad(total(x, taps), [x, taps])
    with torch.no_grad():
        for tensor, gradient, at in ((x, to_x, (3, 1, 2)), (taps, to_taps, (2, 3, 0, lanes - 1))):
            moved = torch.zeros_like(tensor)
            moved[at] = 1.0
            pair = (x + moved, taps) if tensor is x else (x, taps + moved)
            difference = float(total(*pair) - total(x, taps))
            assert difference == pytest.approx(float(gradient[at]), abs=1e-3)


def way_at(rate, lanes, *, needs_input=False, shape=(100, 128, 140), taps=26):
    n_events = int(rate * np.prod(shape))
    kernel = (256, shape[2], 1, lanes, taps)
    length = shape[0] + taps - 1
    return cheapest_way(n_events, torch.Size(shape), kernel, length, needs_input=needs_input)


def test_few_events_through_narrow_bumps_go_one_by_one_and_many_together():
    assert way_at(0.05, 2) == way_at(0.05, 8) == "events"
    assert way_at(0.05, 2, needs_input=True) == "events"
    assert way_at(1.0, 2) == way_at(0.05, 32) == way_at(0.05, 32, needs_input=True) == "spectral"
    assert way_at(1.0, 8, shape=(4000, 8, 140), taps=3) == "dense"


@pytest.mark.parametrize("rate", [0.05, 1.0])
def test_the_way_that_is_chosen_changes_nothing(rate):
    """At a rate of 1, a layer of this size goes by frequencies; float64 by a convolution."""
    rng = np.random.default_rng(11)
    layer = Delay(20, 24, n_taps=9, bump="triangle", sigma=0.0, rng=rng)
    x = spikes(rng, 50, 16, 20, rate=rate).requires_grad_()
    asked = torch.from_numpy(rng.standard_normal((50, 16, 24)).astype(np.float32))
    leaves = [layer.weight, layer.position]
    found = [y := layer(x), *torch.autograd.grad(y, [x, *leaves], asked)]
    layer, twice = layer.double(), x.detach().double().requires_grad_()
    leaves = [layer.weight, layer.position]
    wanted = [y := layer(twice), *torch.autograd.grad(y, [twice, *leaves], asked.double())]
    assert all(error(a.detach(), b.detach()) < 1e-5 for a, b in zip(found, wanted, strict=True))


def ring_buffer(x, weight, delays):
    """A core that adds every weight to the slot of its arrival, and reads a slot a step."""
    steps, batch, _ = x.shape
    slots = np.zeros((int(delays.max()) + 1, batch, weight.shape[0]))
    out = np.zeros((steps, batch, weight.shape[0]))
    for t in range(steps):
        for b, i in zip(*np.nonzero(x[t]), strict=True):
            for o in range(weight.shape[0]):
                for m in range(weight.shape[2]):
                    slots[(t + delays[o, i, m]) % len(slots), b, o] += weight[o, i, m]
        out[t] = slots[t % len(slots)]
        slots[t % len(slots)] = 0
    return out


@settings(max_examples=20)
@given(st.sampled_from([1, 2, 7, 8, 25]), st.integers(1, 2), st.integers(0, 12), SEEDS)
def test_whole_delays_are_a_ring_buffer_and_no_kernel_is_flipped(n_taps, bumps, pad, seed):
    """Weights in 64ths: every sum is exact, so must be every result."""
    rng = np.random.default_rng(seed)
    layer = Delay(6, 5, n_taps=n_taps, bumps=bumps, right_pad=pad, rng=rng).eval()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(rng.integers(-64, 65, layer.weight.shape) / 64))
        out = layer(x := spikes(rng, 30, 3, 6))
        twice = layer.double()(x.double())
    padded = np.concatenate([x.numpy(), np.zeros((pad, 3, 6))])
    wanted = ring_buffer(padded, layer.weight.detach().numpy(), layer.delays())
    np.testing.assert_array_equal(out.numpy(), wanted)
    np.testing.assert_array_equal(twice.numpy(), wanted)


@pytest.mark.parametrize("n_taps", [7, 8])
def test_the_largest_position_is_no_delay_and_the_smallest_the_longest(n_taps):
    layer = Delay(1, 2, n_taps=n_taps).eval()
    with torch.no_grad():
        layer.weight.fill_(1.0)
        low, high = layer.limits
        layer.position.copy_(torch.tensor([high, low]).reshape(2, 1, 1))
        x = torch.zeros(n_taps + 1, 1, 1)
        x[0] = 1.0
        out = layer(x)[:, 0]
    assert out.nonzero().tolist() == [[0, 0], [n_taps - 1, 1]]
    assert layer.delays().ravel().tolist() == [0, n_taps - 1]


def reach_of_gradient(epoch, epochs=40):
    """Steps before and after its delay at which a spike still moves a position."""
    layer = Delay(1, 1, n_taps=25)
    layer.anneal(epoch, epochs)
    with torch.no_grad():
        layer.weight.fill_(1.0)
        layer.position.zero_()
    x = torch.zeros(25, 1, 1)
    x[0] = 1.0
    felt = [torch.autograd.grad(out, layer.position)[0].item() for out in _each(layer, x)]
    steps = np.nonzero(np.abs(felt) > 0.05 * np.abs(felt).max())[0] - 12
    return steps.min(), steps.max()


def _each(layer, x):
    """Every step's sum, from a pass of its own."""
    return (layer(x)[t, 0, 0] for t in range(len(x)))


def test_positions_feel_spikes_12_steps_away_at_the_start_and_1_at_the_end():
    assert reach_of_gradient(0) == (-12, 12)
    assert reach_of_gradient(10) == (-1, 1)


def test_the_width_falls_to_half_a_step_over_a_quarter_of_training():
    layer = Delay(2, 2, n_taps=25)
    widths = []
    for epoch in range(40):
        layer.anneal(epoch, 40)
        widths.append(layer.sigma.item())
    assert widths[0] == 12.0
    ratios = np.array(widths[1:11]) / np.array(widths[:10])
    np.testing.assert_allclose(ratios, (0.23 / 12) ** 0.1, rtol=1e-5)
    np.testing.assert_allclose(widths[10:], 0.23, rtol=1e-6)
    with pytest.raises(ValueError, match="widths are trained"):
        Delay(2, 2, n_taps=5, learn_sigma=True).anneal(0, 4)


@given(st.integers(1, 30), st.integers(1, 9), st.integers(0, 9), st.booleans())
@settings(max_examples=15)
def test_a_sequence_grows_by_its_right_pad(steps, n_taps, pad, training):
    layer = Delay(3, 4, n_taps=n_taps, right_pad=pad).train(training)
    assert layer(torch.ones(steps, 2, 3)).shape == (steps + pad, 2, 4)


def test_rounding_leaves_the_state_of_training_as_it_was():
    rng = np.random.default_rng(3)
    layer, x = Delay(6, 5, n_taps=9, rng=rng), spikes(rng, 20, 2, 6)
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    soft = layer(x)
    hard = layer.eval()(x)
    again = layer.train()(x)
    assert torch.equal(soft, again)
    assert not torch.equal(soft, hard)
    assert all(torch.equal(before[name], value) for name, value in layer.state_dict().items())
    layer.round_in_eval = False
    assert torch.equal(layer.eval()(x), soft)


def test_at_the_final_width_a_bump_is_its_rounded_tap_at_whole_positions():
    """0.5 steps wide: a seventh of the height one step away, all of the weight in its sum."""
    layer = Delay(1, 1, n_taps=9, sigma=0.23)
    with torch.no_grad():
        layer.weight.fill_(2.0)
        layer.position.fill_(1.0)
        kernel = dense_kernel(layer.weight, layer.position, layer.sigma, "gauss", 9)[0, 0]
    assert kernel.argmax().item() == 5
    assert kernel.sum().item() == pytest.approx(2.0, rel=1e-6)
    assert kernel[4].item() / kernel[5].item() == pytest.approx(np.exp(-0.5 / 0.25), rel=1e-5)


def test_clamping_keeps_every_delay_within_its_taps():
    layer = Delay(4, 4, n_taps=8)
    with torch.no_grad():
        layer.position.normal_(0, 20, generator=torch.Generator().manual_seed(0))
    layer.clamp()
    assert layer.position.min().item() == -4
    assert layer.position.max().item() == 3
    assert layer.delays().min() == 0
    assert layer.delays().max() == 7


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_taps": 0}, "`n_taps` is 0, must be a whole number from 1"),
        ({"bump": "box"}, "'box' must be one of gauss, triangle"),
        ({"sigma": -1.0}, "`sigma` is -1.0"),
        ({"right_pad": -1}, "`right_pad` is -1"),
    ],
)
def test_what_no_layer_can_be_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Delay(2, 2, **({"n_taps": 5} | change))


def test_an_input_of_another_size_is_refused():
    with pytest.raises(ValueError, match="input has 4 neurons a step, the layer takes 3"):
        Delay(3, 2, n_taps=5)(torch.zeros(2, 1, 4))


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_a_training_that_diverged_gives_no_number_and_touches_nothing_else(broken):
    """A place in memory is computed from every position: none may leave its array."""
    layer, x = Delay(3, 2, n_taps=9, sigma=0.23), torch.ones(12, 2, 3)
    with torch.no_grad():
        sound = layer(x)
        layer.position[0, 0, 0] = broken
        out = layer(x)
    assert torch.equal(out[..., 1], sound[..., 1])
    assert out[..., 0].isnan().any() == np.isnan(broken)
    wide = Delay(3, 2, n_taps=9, sigma=0.23, learn_sigma=True)
    with torch.no_grad():
        wide.sigma.fill_(broken)
    assert wide(x).shape == (12, 2, 2)


def test_whole_numbers_are_spikes_as_well():
    rng = np.random.default_rng(2)
    layer, x = Delay(6, 5, n_taps=9, rng=rng), spikes(rng, 20, 2, 6)
    assert torch.equal(layer(x.to(torch.uint8)), layer(x))


def test_a_second_derivative_by_events_is_refused():
    x, first = torch.ones(4, 1, 3), torch.zeros(2, 3, 1, dtype=torch.int32)
    taps = torch.ones(2, 3, 1, 2, requires_grad=True)
    total = delayed_sum(x, taps, first, 5, 4).square().sum()
    (gradient,) = torch.autograd.grad(total, taps, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_layers_differ_and_torchs_seed_brings_them_back():
    torch.manual_seed(5)
    one, other = Delay(4, 3, n_taps=9), Delay(4, 3, n_taps=9)
    torch.manual_seed(5)
    again = Delay(4, 3, n_taps=9)
    assert not torch.equal(one.position, other.position)
    assert torch.equal(one.position, again.position)
    assert torch.equal(one.weight, again.weight)


def test_positions_find_the_delays_of_a_teacher_as_wide():
    """From anywhere: wide bumps show the way, narrow ones the place."""
    rng = np.random.default_rng(8)
    teacher, pupil = (Delay(4, 3, n_taps=25, rng=rng) for _ in range(2))
    optimiser = torch.optim.Adam([pupil.position], lr=0.3)
    epochs, x = 150, spikes(rng, 60, 8, 4, rate=0.05)
    with torch.no_grad():
        pupil.weight.copy_(teacher.weight.fill_(1.0))
    for epoch in range(epochs):
        for layer in (teacher, pupil):
            layer.anneal(epoch, 3 * epochs)
        optimiser.zero_grad()
        (pupil(x) - teacher(x).detach()).square().mean().backward()
        optimiser.step()
        pupil.clamp()
    assert (pupil.delays() == teacher.delays()).mean() > 0.9


def test_whole_numbers_are_summed_exactly_where_it_is_asked():
    """Dense input goes by frequencies otherwise, whose sums are whole but for rounding."""
    rng = np.random.default_rng(9)
    layer = Delay(64, 24, n_taps=25, rng=rng)
    weight = torch.from_numpy(rng.integers(-127, 128, layer.weight.shape)).float()
    x = spikes(rng, 64, 8, 64, rate=0.4)
    wanted = layer.with_weight(x.double(), weight.double(), rounded=True)
    assert torch.equal(wanted, wanted.round())
    with torch.no_grad():
        assert not torch.equal(layer.with_weight(x, weight, rounded=True).double(), wanted)
        found = layer.with_weight(x, weight, rounded=True, exact=True)
    assert torch.equal(found.double(), wanted)
