"""Every kind of network is its slow twin, on any map of any chips, however the work is cut."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim import layout, program, simulation
from hwsim.counts import Counts
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Dense, Sparse
from tests.reference import network_reference
from tests.strategies import (
    chip_with,
    inputs_of,
    integer_networks,
    joined_by,
    networks_of_all_kinds,
    real_networks,
    rngs,
)

TRACES = ("spikes", "u", "v")
MESH = {"columns": 2, "rows": 2, "cores_per_tile": 2, "chip_columns": 3}
N_CORES = 40  # five chips


@st.composite
def random_plans(draw, nets):
    """A network cut anyhow: parts of any neurons, several on a core, cores on several chips."""
    net = draw(nets)
    rng = draw(rngs())
    late, shift = retime(net)
    chip = joined_by(chip_with(mesh=MESH, cores=8, chips=9), 2e-8)
    parts = [Part(p.name, np.arange(p.size), None, None) for p in late.inputs]
    for p in late.populations:
        if p.neuron is not None:
            part_of = rng.integers(0, draw(st.integers(1, 4)), p.size)
            parts += [
                Part(p.name, np.flatnonzero(part_of == i), int(rng.integers(0, N_CORES)), None)
                for i in np.unique(part_of)
            ]
    return net, Plan(chip, late, shift, tuple(parts))


def assert_traces_are(run, net, wanted, b):
    """Messages, u and v of sample b in each population's own steps."""
    for p in net.populations:
        name = p.name
        assert np.array_equal(run.aligned(name)[b], wanted[name]["s"]), name
        if p.neuron is not None:
            for trace in ("u", "v"):
                assert np.array_equal(run.aligned(name, trace)[b], wanted[name][trace]), name


@given(random_plans(networks_of_all_kinds()), st.data())
def test_any_map_of_any_network_is_its_slow_twin(mapped, data):
    net, plan = mapped
    samples = data.draw(inputs_of(net, low=-300, high=300, max_samples=2))
    run = hwsim.simulate(plan, samples, record=TRACES)
    for b, sample in enumerate(samples):
        assert_traces_are(run, net, network_reference(net, sample), b)


@given(random_plans(networks_of_all_kinds()), st.data())
def test_maps_change_no_bit_and_no_total(mapped, data):
    net, plan = mapped
    late, shift = retime(net)
    whole = [Part(p.name, np.arange(p.size), None if p.neuron is None else 0, None)
             for p in late.populations]  # fmt: skip
    one = Plan(plan.chip, late, shift, tuple(whole))
    samples = data.draw(inputs_of(net, high=5))
    off, together, apart = (hwsim.simulate(x, samples, record=TRACES) for x in (net, one, plan))
    for name in shift:
        for trace in TRACES if net[name].neuron else ("spikes",):
            found = [run.aligned(name, trace) for run in (off, together, apart)]
            assert np.array_equal(found[0], found[1])
            assert np.array_equal(found[1], found[2])
    assert np.array_equal(off.output, apart.output)
    for name in ("sops_dense", "sops_sparse", "sops_conv", "updates_active", "spikes"):
        totals = [int(getattr(run.counts, name).sum()) for run in (together, apart)]
        assert totals[0] == totals[1], name
    assert together.sops.sum() == apart.sops.sum() == apart.counts.sops.sum()
    updates = [run.counts.updates_active + run.counts.updates_inactive for run in (together, apart)]
    assert updates[0].sum() == updates[1].sum()


def as_numbers(counts):
    names = [f.name for f in fields(Counts) if f.name != "critical"]
    return {n: np.asarray(getattr(counts, n)).tolist() for n in names} | {"of": counts.critical}


def assert_same_run(one, two):
    assert np.array_equal(one.output, two.output)
    assert np.array_equal(one.sops, two.sops)
    assert (one.counts is None) == (two.counts is None)
    if one.counts is not None:
        assert as_numbers(one.counts) == as_numbers(two.counts)
    for name, counts in one.spike_counts.items():
        assert np.array_equal(counts, two.spike_counts[name])
    for trace in TRACES:
        for name, values in getattr(one, trace).items():
            assert np.array_equal(values, getattr(two, trace)[name]), (name, trace)


@given(random_plans(networks_of_all_kinds()), st.data())
def test_chunks_blocks_threads_and_records_change_nothing(mapped, data):
    net, plan = mapped
    samples = data.draw(inputs_of(net, max_samples=5))
    whole = hwsim.simulate(plan, samples, record=TRACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 1)
        plan.network.__dict__.pop("digest", None)
        program.prepare(plan.network).layouts.clear()
        assert_same_run(whole, hwsim.simulate(plan, samples, record=TRACES))
        bare = hwsim.simulate(plan, samples)
        assert as_numbers(bare.counts) == as_numbers(whole.counts)
        program.prepare(plan.network).layouts.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "BLOCK_BYTES", 1)
        patch.setattr(simulation, "n_threads", lambda: 3)
        assert_same_run(whole, hwsim.simulate(plan, samples, record=TRACES))
        assert as_numbers(hwsim.simulate(plan, samples).counts) == as_numbers(whole.counts)


@given(real_networks(), st.data())
def test_chunks_keep_the_bits_of_real_sums(net, data):
    samples = data.draw(inputs_of(net, low=-2, high=2))
    whole = hwsim.simulate(net, samples, record=TRACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "CHUNK_BYTES", 1)
        for one in (True, False):
            if made := program.prepare(net, whole=one):
                made.layouts.clear()
        assert_same_run(whole, hwsim.simulate(net, samples, record=TRACES))


@st.composite
def whole_networks(draw):
    """Real neurons, loops and delays; weights are whole numbers, up to a power of two."""
    rng = draw(rngs())
    n, step = draw(st.integers(1, 12)), draw(st.sampled_from([1.0, 3.0, 0.5, 2.0**-8]))
    neuron = Neuron.of(
        decay_u=draw(st.sampled_from([0.0, 0.3])),
        decay_v=0.9,
        v_th=rng.uniform(0, 40, n) * step,
        bias=rng.normal(size=n) * step,
        fires=draw(st.sampled_from(["above", "reached"])),
        refractory=draw(st.integers(0, 3)),
    )
    sources = np.sort(rng.integers(0, n, 5 * n))
    loop = Sparse.of(
        rng.integers(-20, 21, 5 * n) * step,
        indptr=np.searchsorted(sources, np.arange(n + 1)),
        target=rng.integers(0, n, 5 * n),
        n_targets=n,
    )
    feed = Dense.of(rng.integers(-100, 101, (n, 3)) * step)
    return Network(
        (Population("input", (3,)), Population("out", (n,), neuron)),
        (
            Projection.of("input", "out", feed, gain=draw(st.sampled_from([1.0, 2.0]))),
            Projection.of("out", "out", loop, delay=rng.integers(1, 17, 5 * n)),
        ),
    )


@given(whole_networks(), st.data())
def test_whole_weights_are_summed_to_the_bits_of_real_ones(net, data):
    samples = data.draw(inputs_of(net, low=-3, high=3, max_steps=40))
    assert program.prepare(net, whole=True) is not None
    fast = hwsim.simulate(net, samples, record=TRACES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulation, "is_whole", lambda *_: False)
        assert_same_run(fast, hwsim.simulate(net, samples, record=TRACES))


# --- stopping early ---------------------------------------------------------------------------


@given(random_plans(networks_of_all_kinds()), st.data(), st.booleans())
def test_a_stopped_run_is_the_prefix_of_the_whole_one(mapped, data, on_chip):
    net, plan = mapped
    what = plan if on_chip else net
    samples = data.draw(inputs_of(net, max_samples=4))
    every = data.draw(st.integers(1, 4))
    rng = data.draw(rngs())
    asked = []

    def until(step, output):
        asked.append((step, output.copy()))
        return rng.random(len(output)) < 0.3

    kinds = {"record": TRACES, "step_counts": on_chip}
    whole = hwsim.simulate(what, samples, **kinds)
    run = hwsim.simulate(what, samples, until=until, every=every, **kinds)
    start = run.shift[net.output]
    window = samples.shape[1] + max(run.shift.values())
    for b, steps in enumerate(run.steps):
        ran = window if steps == samples.shape[1] else start + steps
        for trace in TRACES:
            for name, values in getattr(run, trace).items():
                assert np.array_equal(values[b, :ran], getattr(whole, trace)[name][b, :ran])
                assert not values[b, ran:].any()
        if on_chip:
            for field in fields(simulation.StepCounts):
                mine, all_of_it = (getattr(r.step_counts, field.name)[b] for r in (run, whole))
                assert np.array_equal(mine[:ran], all_of_it[:ran])
                assert not mine[ran:].any()
    assert all((step + 1) % every == 0 for step, _ in asked)
    if on_chip:
        assert run.sops.sum() == run.counts.sops.sum() == run.step_counts.sops.sum()
        total = sum(min(window, start + s) if s < samples.shape[1] else window for s in run.steps)
        assert run.counts.n_steps == total


@given(networks_of_all_kinds(), st.data())
def test_what_until_sees_is_the_output_of_a_run_of_as_many_steps(net, data):
    samples = data.draw(inputs_of(net, max_samples=3, max_steps=6))
    seen = {}

    def until(step, output):
        seen[step] = output.copy()
        return np.zeros(len(output), dtype=bool)

    hwsim.simulate(net, samples, until=until)
    assert sorted(seen) == list(range(samples.shape[1] - 1))
    for step, output in seen.items():
        assert np.array_equal(output, hwsim.simulate(net, samples[:, : step + 1]).output)


def test_an_answer_of_another_shape_is_refused():
    net = two_inputs(np.ones((2, 1)), np.ones((2, 1)))
    x = {"a": np.ones((3, 4, 1)), "b": np.ones((3, 4, 1))}
    with pytest.raises(ValueError, match=r"answered with shape \(\) for 3 samples"):
        hwsim.simulate(net, x, until=lambda *_: True)


# --- inputs and options -----------------------------------------------------------------------


def two_inputs(a, b):
    word = WeightWord(message_bits=8)
    return Network(
        (
            Population("a", (a.shape[1],)),
            Population("b", (b.shape[1],)),
            Population("out", (len(a),), FixedNeuron.of(v_th=9, dv=100)),
        ),
        tuple(
            Projection.of(name, "out", Dense.of(weight.astype(int) * 2), word=word)
            for name, weight in (("a", a), ("b", b))
        ),
    )


@given(rngs(), st.integers(1, 5), st.integers(1, 5))
def test_two_inputs_are_one_cut_in_two(rng, n_a, n_b):
    weight = rng.integers(-100, 101, (4, n_a + n_b))
    net = two_inputs(weight[:, :n_a], weight[:, n_a:])
    joined = Network(
        (Population("in", (n_a + n_b,)), net["out"]),
        (Projection.of("in", "out", Dense.of(weight * 2), word=WeightWord(message_bits=8)),),
    )
    x = rng.integers(-3, 4, (2, 7, n_a + n_b))
    apart = hwsim.simulate(net, {"b": x[..., n_a:], "a": x[..., :n_a]}, record=TRACES)
    together = hwsim.simulate(joined, x, record=TRACES)
    for trace in TRACES:
        assert np.array_equal(getattr(apart, trace)["out"], getattr(together, trace)["out"])
    assert np.array_equal(apart.spikes["a"], x[..., :n_a])


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((1, 2, 1)), "2 inputs: give samples as a mapping from their names, a, b"),
        ({"a": np.zeros((1, 2, 1))}, "samples are for a, the network's inputs are a, b"),
        ({"a": np.zeros((1, 2, 1)), "b": np.zeros((2, 2, 1))}, "differ in number or steps"),
    ],
)
def test_inputs_that_do_not_fit_the_names_give_one_clear_line(samples, message):
    with pytest.raises(ValueError, match=message):
        hwsim.simulate(two_inputs(np.ones((1, 1)), np.ones((1, 1))), samples)


def test_options_that_cannot_be_met_are_named():
    net, x = two_inputs(np.ones((1, 1)), np.ones((1, 1))), {"a": np.ones((1, 1, 1))}
    x["b"] = x["a"]
    with pytest.raises(ValueError, match="`every` is 0"):
        hwsim.simulate(net, x, every=0)
    with pytest.raises(ValueError, match="`step_counts` are of cores"):
        hwsim.simulate(net, x, step_counts=True)


@pytest.mark.parametrize("kind", [bool, np.uint8, np.int8, np.uint16, np.int64, np.float32, float])
@given(data=st.data())
def test_samples_of_any_type_and_layout_are_the_same_events(kind, data):
    net = data.draw(integer_networks())
    samples = data.draw(inputs_of(net, max_samples=4))
    wanted = hwsim.simulate(net, samples, record=TRACES)
    padded = np.zeros((len(samples), samples.shape[1], *(n + 1 for n in samples.shape[2:])), kind)
    inside = tuple(slice(1, None) for _ in samples.shape[2:])
    padded[(slice(None), slice(None), *inside)] = samples
    shuffled = padded[(slice(None), slice(None), *inside)]
    assert_same_run(wanted, hwsim.simulate(net, shuffled, record=TRACES))


@given(random_plans(networks_of_all_kinds()), st.data())
def test_counts_by_step_add_up_to_those_of_the_run(mapped, data):
    net, plan = mapped
    samples = data.draw(inputs_of(net))
    run = hwsim.simulate(plan, samples, step_counts=True)
    on_core = {core: [i for i, p in enumerate(plan.parts) if p.core == core] for core in plan.cores}
    totals = {
        "sops": run.counts.sops,
        "updates": run.counts.updates_active + run.counts.updates_inactive,
        "packets": run.counts.packets,
    }
    for name, by_part in totals.items():
        by_step = getattr(run.step_counts, name)
        assert by_step.shape == (len(samples), samples.shape[1] + plan.latency_steps, len(on_core))
        wanted = [by_part[parts].sum() for parts in on_core.values()]
        assert by_step.sum(axis=(0, 1)).tolist() == wanted
