"""Counts are what a patient observer would write down, spike by spike."""

from collections import Counter
from dataclasses import astuple, fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import listening
from hwsim.counts import Counts, Critical
from hwsim.macs import macs
from tests.reference import unrolled
from tests.strategies import chip_with, convolutions, inputs_of, integer_networks, rngs, words


@st.composite
def runs(draw):
    """A compiled network on a chip of small cores, its input, and its recorded run."""
    net = draw(integer_networks())
    tall = {"columns": 2, "rows": 64, "cores_per_tile": 1}  # routes of every shape
    small = {"columns": 3, "rows": 2, "cores_per_tile": 22}  # few links, long queues
    mesh = draw(st.sampled_from([tall, small]))
    chip = chip_with(neurons_per_core=draw(st.integers(2, 6)), mesh=mesh)
    if draw(st.booleans()):
        chip = with_slow_links(chip)
    plan = hwsim.compile(net, chip)
    samples = draw(inputs_of(net))
    return plan, samples, hwsim.simulate(plan, samples, record=("spikes",))


def with_slow_links(chip):
    """The same chip with hops so slow that the network sets the length of every step."""
    spec = chip.model_dump(by_alias=True)
    for name in ("hop_ew", "hop_ns"):
        spec["time"][name]["value"] *= 30
    return type(chip).model_validate(spec)


def as_numbers(counts):
    names = [f.name for f in fields(Counts) if f.name != "critical"]
    return {n: np.asarray(getattr(counts, n)).tolist() for n in names} | {"of": counts.critical}


def reached(net, projection):
    """Which synapses exist, (targets, sources)."""
    source, target = net[projection.source].shape, net[projection.target].shape
    synapses = projection.synapses
    if synapses.weight.ndim == 2:
        return np.ones(synapses.weight.shape, dtype=np.int64)
    taps = type(synapses).of(
        np.ones_like(synapses.weight),
        stride=synapses.stride,
        padding=synapses.padding,
        dilation=synapses.dilation,
        groups=synapses.groups,
    )
    return unrolled(taps, source, target)


def observed(plan, run):
    """Events per sample, step and part, counted by walking over every spike."""
    mesh, net = plan.chip, plan.network
    n_samples, n_steps = next(iter(run.spikes.values())).shape[:2]
    shape = (n_samples, n_steps, len(plan.parts))
    sops, packets, ew, ns = (np.zeros(shape, dtype=np.int64) for _ in range(4))
    for i, part in enumerate(plan.parts):
        x, y = mesh.tile_xy(part.core) if part.core is not None else (0, 0)
        joined = [(p, reached(net, p)) for p in net.out_of(part.population)]
        for b, t, n in np.argwhere(run.spikes[part.population][:, :, part.neurons]):
            for j, listener in enumerate(plan.parts):
                n_synapses = sum(
                    int(m[listener.neurons, part.neurons[n]].sum())
                    for p, m in joined
                    if p.target == listener.population
                )
                if n_synapses == 0:
                    continue
                to_x, to_y = mesh.tile_xy(listener.core)
                packets[b, t, i] += 1
                ew[b, t, i] += abs(to_x - x)
                ns[b, t, i] += abs(to_y - y)
                if t + 1 < n_steps:
                    sops[b, t + 1, j] += n_synapses
    return sops, packets, ew, ns


@given(runs())
def test_counts_equal_a_walk_over_every_spike(ran):
    plan, _, run = ran
    sops, packets, ew, ns = observed(plan, run)
    counts = run.counts
    assert counts.sops.tolist() == sops.sum(axis=(0, 1)).tolist()
    assert counts.packets.tolist() == packets.sum(axis=(0, 1)).tolist()
    assert counts.hops_ew.tolist() == ew.sum(axis=(0, 1)).tolist()
    assert counts.hops_ns.tolist() == ns.sum(axis=(0, 1)).tolist()
    for i, part in enumerate(plan.parts):
        fired = run.spikes[part.population][:, :, part.neurons]
        assert counts.spikes[i] == np.count_nonzero(fired)


@given(runs())
def test_the_event_loop_counts_what_the_formula_gives(ran):
    _, _, run = ran
    assert run.sops.sum() == run.counts.sops.sum()


@given(runs())
def test_every_neuron_is_updated_once_per_step_and_sample(ran):
    plan, samples, run = ran
    steps = len(samples) * (samples.shape[1] + plan.latency_steps)
    counts = run.counts
    assert counts.n_samples == len(samples)
    assert counts.n_steps == steps
    for i, part in enumerate(plan.parts):
        updates = counts.updates_active[i] + counts.updates_inactive[i]
        neurons = 0 if part.core is None else part.neurons.size
        assert updates == neurons * steps


@settings(max_examples=8)
@given(runs(), st.data())
def test_counts_of_two_runs_add_up_to_those_of_the_joined_run(ran, data):
    plan, samples, _ = ran
    more = data.draw(inputs_of(plan.network))
    steps = min(samples.shape[1], more.shape[1])
    a, b = samples[:, :steps], more[:, :steps]
    apart = hwsim.simulate(plan, a).counts + hwsim.simulate(plan, b).counts
    together = hwsim.simulate(plan, np.concatenate([a, b])).counts
    assert as_numbers(apart) == as_numbers(together)


@given(runs())
def test_critical_follows_the_slowest_core_or_the_network_of_every_step(ran):
    plan, samples, run = ran
    total, steps = Critical(), samples.shape[1]
    paths, seconds = paths_of(plan), clock_of(plan.chip)
    for sample in samples:
        one = hwsim.simulate(plan, sample[None], record=("spikes",))
        sops, packets, *_ = observed(plan, one)
        received, fired = messages(plan, one)
        networks = network_needs(one, paths, seconds)
        active = updates_by_step(plan, sample, steps)
        for t in range(sops.shape[1]):
            rows = {core: Critical() for core in plan.cores}
            for i, part in enumerate(plan.parts):
                if part.core is not None:
                    rows[part.core] += Critical(
                        sops_dense=int(sops[0, t, i]),  # of all kinds: they cost the same here
                        updates_active=int(active[t, i]),
                        updates_inactive=int(part.neurons.size - active[t, i]),
                        spikes=int(fired[t, i]),
                        packets=int(packets[0, t, i]),
                        packets_in=int(received[t, i]),
                    )
            slowest = max(rows.values(), key=seconds)
            total += max(slowest, networks[t], key=seconds)
    found = run.counts.critical
    assert min(found.waits_ew, found.waits_ns) >= 0
    assert (
        replace(
            found,
            sops_dense=found.sops,
            sops_sparse=0,
            sops_conv=0,
            hops_ew=found.hops_ew + found.waits_ew,  # cost the same
            hops_ns=found.hops_ns + found.waits_ns,
            waits_ew=0,
            waits_ns=0,
        )
        == total
    )


def paths_of(plan):
    """The links (from, to) of every packet of a spike, by population and neuron."""
    paths = {}
    for part in plan.parts:
        start = (0, 0) if part.core is None else plan.chip.tile_xy(part.core)
        joined = [(p, reached(plan.network, p)) for p in plan.network.out_of(part.population)]
        for n in part.neurons:
            cores = {
                listener.core
                for p, m in joined
                for listener in plan.parts
                if listener.population == p.target and m[listener.neurons, n].any()
            }
            ends = [plan.chip.tile_xy(core) for core in cores]
            paths[part.population, int(n)] = [walk(start, end) for end in ends]
    return paths


def walk(start, end):
    """Along the row, then along the column."""
    (x, y), (to_x, to_y) = start, end
    across, down = (1 if to_x > x else -1), (1 if to_y > y else -1)
    stops = [(i, y) for i in range(x, to_x, across)] + [(to_x, j) for j in range(y, to_y, down)]
    stops.append(end)
    return list(pairwise(stops))


def as_hops(links):
    ew = sum(a[1] == b[1] for a, b in links)
    return Critical(hops_ew=ew, hops_ns=len(links) - ew)


def network_needs(run, paths, seconds):
    """Of every step the slowest route, or the link whose last packet is through the latest."""
    to, away = {}, {}
    for path in (path for several in paths.values() for path in several):
        for k, link in enumerate(path):
            to.setdefault(link, []).append(as_hops(path[:k]))
            away.setdefault(link, []).append(as_hops(path[k + 1 :]))
    least = {link: min(to[link], key=seconds) + min(away[link], key=seconds) for link in to}
    needs = []
    for t in range(next(iter(run.spikes.values())).shape[1]):
        sent = [
            path
            for name, spikes in run.spikes.items()
            for n in np.flatnonzero(spikes[0, t])
            for path in paths[name, int(n)]
        ]
        on = Counter(link for path in sent for link in path)
        through = [least[link] + as_hops([link] * packets) for link, packets in sorted(on.items())]
        candidates = [Critical(), *map(as_hops, sent), *through]
        needs.append(max(candidates, key=seconds))
    return needs


def clock_of(chip):
    """The length of a step, barrier apart, by what the bill adds for one event of each field."""
    zero = replace(Counts.zero(1), n_samples=1)
    names = [f.name for f in fields(Critical)]
    priced = [hwsim.price(replace(zero, critical=Critical(**{n: 1})), chip) for n in names]

    def seconds(critical):
        counted = zip(astuple(critical), priced, strict=True)
        return sum(n * bill.latency_s for n, bill in counted if n)

    return seconds


def messages(plan, run):
    """Packets received and spikes, by step and part."""
    n_steps = next(iter(run.spikes.values())).shape[1]
    received, fired = (np.zeros((n_steps, len(plan.parts)), dtype=np.int64) for _ in range(2))
    for i, part in enumerate(plan.parts):
        joined = [(p, reached(plan.network, p)) for p in plan.network.out_of(part.population)]
        for t, n in np.argwhere(run.spikes[part.population][0][:, part.neurons]):
            fired[t, i] += 1
            told = set()
            for j, listener in enumerate(plan.parts):
                hears = any(
                    m[listener.neurons, part.neurons[n]].any()
                    for p, m in joined
                    if p.target == listener.population
                )
                if not hears or listener.core in told:
                    continue
                told.add(listener.core)
                if t + 1 < n_steps:
                    received[t + 1, j] += 1
    return received, fired


def updates_by_step(plan, sample, steps):
    """Active updates by step and part, from arriving input, state and bias of every neuron."""
    run = hwsim.simulate(plan, sample[None], record=("spikes", "u", "v"))
    window = steps + plan.latency_steps
    active = np.zeros((window, len(plan.parts)), dtype=np.int64)
    net = plan.network
    for population in net.populations:
        if population.neuron is None:
            continue
        size = population.size
        a = np.zeros((window, size), dtype=np.int64)
        for p in net.into(population.name):
            weight = p.synapses.weight
            if weight.ndim == 4:
                weight = unrolled(p.synapses, net[p.source].shape, population.shape)
            fired = (run.spikes[p.source][0] != 0).astype(np.int64)
            delay = np.broadcast_to(p.delay, weight.shape)
            for d in np.unique(delay):
                sums = fired @ np.where(delay == d, weight, 0).T
                sums = sums << p.word.exp if p.word.exp > 0 else sums >> -p.word.exp
                a[d:] += sums[: max(0, window - d)]
        bias = np.broadcast_to(population.neuron.bias, population.shape).ravel()
        kept = np.broadcast_to(population.neuron.du, population.shape).ravel() != 4095
        start = plan.shift[population.name]
        for t in range(window):
            old = t not in (0, start)
            u, v = (getattr(run, x)[population.name][0, t - 1] * old for x in "uv")
            busy = (a[t] != 0) | ((u != 0) & kept) | (v != 0) | (bias != 0)
            for i in plan.parts_of(population.name):
                active[t, i] = busy[plan.parts[i].neurons].sum()
    return active


@given(st.data())
def test_fan_out_of_a_convolution_equals_its_unrolled_matrix(data):
    conv, source = data.draw(convolutions(data.draw(words())))
    target = conv.target_shape(source)
    taps = type(conv).of(
        np.ones_like(conv.weight),
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
        groups=conv.groups,
    )
    matrix = unrolled(taps, source, target)
    part_of = data.draw(rngs()).integers(-1, 3, len(matrix))
    fan_out = conv.fan_out(source, target, part_of, 3).todense()
    wanted = [matrix[part_of == part].sum(axis=0) for part in range(3)]
    assert fan_out.tolist() == np.stack(wanted, axis=1).tolist()
    assert conv.fan_in(source) >= matrix.sum(axis=1).max()


@given(integer_networks())
def test_macs_are_the_synapses_of_every_projection(net):
    wanted = {}
    for p in net.projections:
        wanted[p.target] = wanted.get(p.target, 0) + int(reached(net, p).sum())
    assert macs(net) == wanted


def test_counts_of_different_plans_do_not_add_up():
    with pytest.raises(ValueError, match="3 parts on 2 cores and of 4 on 2 do not add up"):
        _ = Counts.zero(3, n_cores=2) + Counts.zero(4, n_cores=2)


def test_nothing_is_the_zero_of_addition():
    zero = Counts.zero(2, n_cores=1, n_tiles=1)
    assert as_numbers(zero + zero) == as_numbers(zero)


@given(runs(), st.sampled_from([0, 64]))
def test_rows_and_lists_of_any_classes_count_the_same(ran, many):
    plan, samples, run = ran
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "LOOSE", 0)  # no row is dense enough
        patch.setattr(listening, "MANY", many)
        again = hwsim.simulate(replace(plan), samples)  # another plan, prepared anew
    assert as_numbers(again.counts) == as_numbers(run.counts)
