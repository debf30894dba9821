"""The fused time loop against torch's own: same spikes, same states, same gradients."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuro.spiking import LIF, SURROGATES, kernels, surrogate
from neuro.spiking.fused import fused_lif, has_kernel, run
from neuro.spiking.loop import LIFState, run_lif

CONVENTIONS = {
    "reset": ("zero", "subtract", "none"),
    "reset_late": (False, True),
    "fires": ("above", "reached"),
    "emits": ("spikes", "graded", "nothing"),
    "detach_reset": (True, False),
    "refractory": (0, 2),
    "decay_u": (0.0, 0.4),
}
ALL = [
    dict(zip(CONVENTIONS, each, strict=True)) for each in itertools.product(*CONVENTIONS.values())
]
BOUND = {torch.float32: 1e-5, torch.float64: 1e-10}
NAMES = ("a", "decay_u", "decay_v", "v_th", "bias", "u", "v", "owed")
draws = {name: st.sampled_from(choices) for name, choices in CONVENTIONS.items()}


def problem(kind, shape=(7, 2, 5), per_neuron=True, steps=1, seed=0):
    """Currents, constants and a state, all of them leaves that want a gradient."""
    rng = torch.Generator().manual_seed(seed)

    def uniform(low, high, *size):
        values = torch.rand(size, generator=rng, dtype=torch.float64)
        return (low + (high - low) * values).to(kind).requires_grad_()

    neurons = shape[2:] if per_neuron else ()
    th = (steps, *shape[2:]) if steps > 1 else neurons
    constants = (uniform(0.2, 0.8, *neurons), uniform(0.5, 1.0, *neurons), uniform(0.5, 1.5, *th),
                 uniform(-0.2, 0.2, *neurons))  # fmt: skip
    states = [uniform(-0.5, 0.5, *shape[1:]) for _ in range(3)]
    rest = torch.randint(0, 3, shape[1:], generator=rng).to(kind)
    return uniform(-1.0, 2.5, *shape), constants, LIFState(*states, rest)


def outcome(loop, layer, a, constants, state, seed=1):
    """Output and states after it, and the gradient of all of them, weighted at random."""
    out, after = loop(a, layer, *constants, state)
    rng = torch.Generator().manual_seed(seed)
    results = [out, after.u, after.v, after.owed]
    total = sum((torch.randn(r.shape, generator=rng).to(r.dtype) * r).sum() for r in results)
    leaves = [a, *constants, *state[:3]]
    gradients = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [r.detach() for r in (*results, after.rest)], gradients


def per_lane(a, constants, state):
    """The same problem with constants that each neuron of each sample has for itself."""
    decay_u, decay_v, v_th, bias = constants
    table = v_th if v_th.ndim == a.ndim - 1 else v_th.expand(1, *a.shape[2:])
    lanes = [c.expand(a.shape[1:]) for c in (decay_u, decay_v, bias)]
    lanes.insert(2, table[:, None].expand(len(table), *a.shape[1:]))
    return a, [c.detach().clone().requires_grad_() for c in lanes], state


def assert_same(layer, a, constants, state):
    found, gradients = outcome(fused_lif, layer, a, constants, state)
    wanted, expected = outcome(run_lif, layer, a, constants, state)
    _, parts = outcome(run_lif, layer, *per_lane(a, constants, state))
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)
    # what is lost in rounding is a share of a sum's parts, which may cancel, and of a surrogate's
    # height, whose flanks are small differences
    (height,) = torch.autograd.grad(layer.spike(x := torch.zeros((), requires_grad=True)), x)
    for name, one, other, each in zip(NAMES, gradients, expected, parts, strict=True):
        scale = height + (each.abs().sum() if name in NAMES[1:5] else other.abs().max())
        assert (one - other).abs().max() <= BOUND[a.dtype] * scale, name
    return expected[0]


@pytest.mark.parametrize("kind", list(BOUND))
@pytest.mark.parametrize("name", sorted(SURROGATES))
def test_every_convention_is_the_plain_loops(name, kind):
    a, constants, state = problem(kind)
    fixed = [value.detach() for value in constants]
    for how in ALL:
        layer = LIF(**how, spike=surrogate(name))
        expected = assert_same(layer, a, constants, state)
        out, after = fused_lif(a, layer, *fixed, LIFState(*(s.detach() for s in state[:4])))
        rng = torch.Generator().manual_seed(1)  # only the current wants a gradient
        total = sum((torch.randn(r.shape, generator=rng).to(kind) * r).sum()
                    for r in (out, after.u, after.v, after.owed))  # fmt: skip
        (alone,) = torch.autograd.grad(total, a)
        assert (alone - expected).abs().max() <= BOUND[kind] * expected.abs().max()


@settings(max_examples=60)
@given(how=st.fixed_dictionaries(draws), name=st.sampled_from(sorted(SURROGATES)),
       kind=st.sampled_from(list(BOUND)), batch=st.integers(1, 3), steps=st.integers(1, 6),
       neurons=st.lists(st.integers(1, 4), min_size=1, max_size=3), per_neuron=st.booleans(),
       table=st.booleans(), value=st.floats(0.2, 5.0), seed=st.integers(0, 99))  # fmt: skip
def test_shapes_constants_and_tables_are_the_plain_loops(
    how, name, kind, batch, steps, neurons, per_neuron, table, value, seed
):
    parameter = {"atan": "alpha", "box": "half_width", "triangle": "half_width"}.get(name, "slope")
    layer = LIF(**how, spike=surrogate(name, **{parameter: value}))
    shape = (steps, batch, *neurons)
    rows = max(2, steps - 1) if table else 1  # one too few: the last stays
    assert_same(layer, *problem(kind, shape, per_neuron, rows, seed))


@pytest.mark.parametrize("lanes", [kernels.RUN - 1, kernels.RUN, 2 * kernels.RUN + 3])
def test_runs_of_lanes_do_not_show(lanes):
    assert_same(LIF(decay_u=0.5, reset="subtract"), *problem(torch.float64, (4, 1, lanes)))


def test_threads_change_no_bit():
    layer, leaves = LIF(decay_u=0.5), problem(torch.float32, (32, 8, 2000))
    one = outcome(fused_lif, layer, *leaves)
    try:
        torch.set_num_threads(2)
        two = outcome(fused_lif, layer, *leaves)
    finally:
        torch.set_num_threads(1)
    for before, after in zip((*one[0], *one[1]), (*two[0], *two[1]), strict=True):
        # sums over a batch are torch's, whose order depends on its threads
        torch.testing.assert_close(before, after, rtol=1e-5, atol=1e-5)
    for k in range(5):
        assert torch.equal(one[0][k], two[0][k])
    assert torch.equal(one[1][0], two[1][0])


@given(how=st.fixed_dictionaries(draws), cut=st.integers(1, 6), table=st.booleans(),
       slow=st.booleans())  # fmt: skip
def test_a_sequence_in_two_calls_is_the_sequence(how, cut, table, slow):
    layer, loop = LIF(**how), run_lif if slow else fused_lif
    a, constants, state = problem(torch.float64, steps=4 if table else 1)

    def in_two(a, layer, *rest):
        *constants, state = rest
        first, between = loop(a[:cut], layer, *constants, state)
        second, after = loop(a[cut:], layer, *constants, between)
        return torch.cat([first, second]), after

    whole, gradients = outcome(loop, layer, a, constants, state)
    parts, of_parts = outcome(in_two, layer, a, constants, state)
    for one, other in zip(whole, parts, strict=True):
        assert torch.equal(one, other)
    for one, other in zip(gradients, of_parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-12)


def test_a_detached_state_cuts_the_gradient():
    layer, a = LIF(emits="nothing"), torch.randn(6, 1, 3, requires_grad=True)
    _, state = layer.stream(a[:3])
    out, _ = layer.stream(a[3:], state.detach())
    out.sum().backward()
    assert not a.grad[:3].any()
    assert a.grad[3:].all()


@pytest.mark.parametrize("reset_late", [False, True])
@pytest.mark.parametrize("refractory", [0, 2])
def test_the_gradient_without_spikes_is_the_finite_difference(refractory, reset_late):
    layer = LIF(decay_u=0.4, emits="nothing", refractory=refractory, reset_late=reset_late)
    a, constants, state = problem(torch.float64, (5, 2, 2))

    def loop(a, u, v, owed, *constants):
        out, after = fused_lif(a, layer, *constants, LIFState(u, v, owed, state.rest))
        return out, after.u, after.v, after.owed

    assert torch.autograd.gradcheck(loop, (a, *state[:3], *constants))


@pytest.mark.parametrize("name", ["atan", "fast_sigmoid", "sigmoid"])
def test_one_step_has_the_derivative_of_the_smooth_function(name):
    smooth = {
        "atan": lambda x: torch.atan(torch.pi * x) / torch.pi,
        "fast_sigmoid": lambda x: x / (1 + 25 * x.abs()),
        "sigmoid": lambda x: torch.sigmoid(4 * x),
    }[name]
    a = torch.linspace(-3, 4, 1000, dtype=torch.float64).reshape(1, 1, -1).requires_grad_()
    LIF(spike=surrogate(name)).double()(a).sum().backward()
    x, h = a.detach() - 1, 1e-6
    difference = (smooth(x + h) - smooth(x - h)) / (2 * h)
    torch.testing.assert_close(a.grad, difference, rtol=1e-5, atol=1e-8)


def test_nothing_is_kept_where_no_gradient_is_asked_for():
    a = torch.randn(5, 2, 3)
    out = LIF()(a)
    assert out.grad_fn is None
    with torch.no_grad():
        assert torch.equal(LIF(learn=("v_th",))(a), out)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision_is_summed_up_in_float32(kind):
    a = torch.rand(50, 2, 7).to(kind).requires_grad_()
    layer = LIF(decay_v=0.99, v_th=3.0)
    out, state = layer.stream(a)
    assert (out.dtype, state.v.dtype) == (kind, torch.float32)
    assert torch.equal(out.float(), layer(a.detach().float()))
    out.sum().backward()
    assert a.grad.dtype == kind


def test_a_surrogate_of_ones_own_takes_the_plain_loop():
    a = torch.randn(5, 2, 3)
    layer = LIF(spike=lambda x: torch.sigmoid(3 * x))
    assert has_kernel(a, LIF())
    assert not has_kernel(a, layer)
    assert not ((out := layer(a)) == out.round()).all()


def test_layers_take_the_fused_loop(monkeypatch):
    a, layer = torch.randn(5, 2, 3), LIF()
    wanted = layer(a)
    monkeypatch.setattr("neuro.spiking.fused.run_lif", None)
    assert torch.equal(layer(a), wanted)
    assert torch.equal(run(a, layer, 0.0, 0.9, 1.0, 0.0)[0], wanted)


def test_constants_of_a_layer_may_be_per_neuron_and_thresholds_per_step():
    decay_v, v_th = torch.rand(3, 1, 1), 0.5 + torch.rand(4, 3, 2, 2)
    layer = LIF(decay_v=decay_v, v_th=v_th, learn=("decay_v", "v_th"))
    a = 2 * torch.rand(6, 5, 3, 2, 2)
    out = layer(a)
    assert torch.equal(out, run_lif(a, layer, 0.0, decay_v, v_th, 0.0)[0])
    out.sum().backward()
    assert layer.decay_v.grad.shape == (3, 1, 1)
    assert layer.v_th.grad.shape == (4, 3, 2, 2)
    assert layer.v_th.grad.all()
    exported = layer.neuron((3, 2, 2))
    assert exported.v_th.tolist() == v_th.double().tolist()
    assert exported.decay_v.tolist() == decay_v.double().tolist()
    assert "decay_v=(3, 1, 1), v_th=(4, 3, 2, 2)" in repr(layer)
