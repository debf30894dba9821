"""Annealed maps cost less than hand maps, count a packet once per core, and change no spike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import hwsim
from hwsim.mapping.hilbert import hilbert_curve
from hwsim.mapping.mappers import Problem, row_major
from hwsim.mapping.placement import (
    Board,
    anneal,
    by_traffic,
    chip_weight,
    hops_of,
    nearest_free,
    place,
)
from hwsim.mapping.profile import Profile
from hwsim.mapping.sharing import share_cores
from hwsim.mapping.spreading import spread
from hwsim.mapping.use import Use, broken
from hwsim.mapping.violation import DoesNotFit
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Dense, Sparse
from tests.strategies import chip_with, inputs_of, integer_networks, rngs

SMALL = chip_with(mesh={"columns": 3, "rows": 2, "cores_per_tile": 2, "chip_columns": 2}, cores=11)
WORD = WeightWord()


@st.composite
def traffics(draw, most=30):
    """Packets between up to `most` cores and from the inputs, some of them none."""
    n, rng = draw(st.integers(1, most)), draw(rngs())
    packets = rng.integers(0, 9, (n + 1, n)) * (rng.random((n + 1, n)) < 0.3)
    return sparse.csr_array(packets.astype(float))


@given(st.integers(1, 40), st.integers(1, 40))
def test_a_hilbert_curve_visits_every_cell_once_and_keeps_neighbours_near(columns, rows):
    cells = hilbert_curve(columns, rows)
    assert sorted(map(tuple, cells.tolist())) == [
        (x, y) for x in range(columns) for y in range(rows)
    ]
    assert tuple(cells[0]) == (0, 0)
    assert np.abs(np.diff(cells, axis=0)).max(initial=0) <= 1


def counted_by_hand(traffic, core_of, chip):
    """Packets times hops, one pair of cores after the other."""
    xy = [chip.tile_xy(int(c)) + chip.chip_xy(int(c)) for c in core_of]
    total, weight = 0.0, chip_weight(chip)
    for a, row in enumerate(traffic.toarray()):
        x, y, cx, cy = xy[a] if a < len(xy) else (0, 0, 0, 0)  # inputs enter at tile 0
        for b, packets in enumerate(row):
            far = abs(x - xy[b][0]) + abs(y - xy[b][1])
            total += packets * (far + weight * (abs(cx - xy[b][2]) + abs(cy - xy[b][3])))
    return total


@given(traffics(), rngs())
def test_the_cost_of_a_placement_is_that_counted_by_hand(traffic, rng):
    n = traffic.shape[1]
    core_of = rng.choice(11 * 3, n, replace=False)
    assert hops_of(traffic, core_of, SMALL) == pytest.approx(
        counted_by_hand(traffic, core_of, SMALL)
    )


@given(traffics(), rngs())
def test_annealing_never_costs_more_than_its_start_and_keeps_cores_apart(traffic, rng):
    n = traffic.shape[1]
    board = Board(SMALL, n)
    start = rng.choice(board.walk.size, n, replace=False)
    found = anneal(traffic, start, SMALL, rng)
    assert hops_of(traffic, found, SMALL) <= hops_of(traffic, start, SMALL) * (1 + 1e-9)
    assert len(set(found.tolist())) == n
    assert found.max() < board.walk.size
    assert len(set(board.tile_of(found).tolist())) <= len(set(board.tile_of(start).tolist()))


@given(traffics(most=5))
def test_few_cores_are_placed_as_well_as_any_map_of_the_same_tiles(traffic):
    """All maps onto the two nearest tiles are tried."""
    chip = chip_with(mesh={"columns": 2, "rows": 1, "cores_per_tile": 3}, cores=6)
    n = traffic.shape[1]
    found = hops_of(traffic, place(traffic, chip, np.random.default_rng(0)), chip)
    costs = []
    for code in range(2**n):
        tile_of = np.array([code >> i & 1 for i in range(n)])
        if np.bincount(tile_of, minlength=2).max() > 3 or len(set(tile_of)) > -(-n // 3):
            continue
        slot = np.array([np.count_nonzero(tile_of[:i] == tile_of[i]) for i in range(n)])
        costs.append(hops_of(traffic, 3 * tile_of + slot, chip))
    assert found == pytest.approx(min(costs))


@given(traffics())
def test_orders_and_greedy_placements_use_each_core_and_place_once(traffic):
    n = traffic.shape[1]
    board = Board(SMALL, n)
    assert sorted(board.walk.tolist()) == list(range(11 * board.n_chips))
    core_of = nearest_free(traffic, board)
    assert len(set(core_of.tolist())) == n
    assert set(core_of.tolist()) <= set(board.walk.tolist())
    if n > 1:
        assert sorted(by_traffic(traffic).tolist()) == list(range(n))


def test_cores_that_talk_are_placed_together_and_busy_listeners_at_the_entry():
    chip = hwsim.load_chip("loihi1")
    packets = np.zeros((17, 16))
    for a in range(16):
        packets[a, (a + 4) % 16] = packets[a, (a + 8) % 16] = 100  # four rings of four
    packets[16, 3] = 5
    core_of = place(sparse.csr_array(packets), chip, np.random.default_rng(0))
    for ring in range(4):
        tiles = {chip.tile_xy(int(c)) for c in core_of[ring::4]}
        assert len(tiles) == 1
    assert chip.tile_xy(int(core_of[3])) == (0, 0)


@st.composite
def demands(draw):
    n, rng = draw(st.integers(1, 20)), draw(rngs())
    uses = [Use(*row) for row in rng.integers(1, 9, (n, 7)).tolist()]
    return uses, rng.random(n), rng.random((n, n))


@given(demands(), st.floats(0.5, 4))
def test_shared_cores_keep_limits_and_time(drawn, most_work):
    uses, work, affinity = drawn
    limits = chip_with(
        neurons_per_core=12, synapse_bits_per_core=20, axons_in_per_core=15, axons_out_per_core=25
    ).limits
    core_of = share_cores(uses, np.minimum(work, most_work), affinity, limits, most_work=most_work)
    assert core_of[0] == 0
    assert set(core_of.tolist()) == set(range(core_of.max() + 1))
    for core in range(core_of.max() + 1):
        own = np.flatnonzero(core_of == core)
        assert not broken(sum((uses[i] for i in own), start=Use()), limits)
        assert np.minimum(work, most_work)[own].sum() <= most_work * (1 + 1e-6)


def profiled(net, rng):
    """A random profile."""
    spikes = {p.name: rng.random(p.size) * 20 for p in net.populations}
    return Profile(20, spikes)


@given(integer_networks(), rngs(), st.sampled_from(sorted(hwsim.MAPPERS)))
def test_the_cost_of_a_map_is_what_a_run_counts(net, rng, mapper):
    """Each neuron fires as the profile says, so hops before a run are the hops of the run."""
    chip = chip_with(neurons_per_core=2)
    samples = (rng.random((2, 5, *net.inputs[0].shape)) < 0.5).astype(int)
    profile = hwsim.profile(net, samples)
    plan = hwsim.compile(net, chip, mapper=hwsim.MAPPERS[mapper], profile=profile)
    cost = hwsim.map_cost(plan, profile)
    counts = hwsim.simulate(plan, samples).counts
    sent = float((counts.hops_ew + counts.hops_ns).sum()) / 2
    assert cost.hops <= sent + 1e-6  # a run also counts what fires while it runs late
    if plan.latency_steps == 0:
        assert cost.hops == pytest.approx(sent)
    assert (cost.cores, cost.tiles, cost.chips) == (counts.n_cores, counts.n_tiles, counts.n_chips)


@given(st.data(), integer_networks(), rngs())
def test_a_map_over_several_chips_gives_the_same_spikes(data, net, rng):
    chip = chip_with(
        neurons_per_core=2, mesh={"columns": 2, "rows": 1, "cores_per_tile": 1}, cores=2, chips=99
    )
    samples = data.draw(inputs_of(net))
    off = hwsim.simulate(net, samples)
    for mapper in hwsim.MAPPERS.values():
        plan = hwsim.compile(net, chip, mapper=mapper, profile=profiled(net, rng))
        on = hwsim.simulate(plan, samples)
        assert plan.n_chips >= -(-len(plan.cores) // 2)
        for p in net.populations:
            assert np.array_equal(on.spike_counts[p.name], off.spike_counts[p.name])
        assert np.array_equal(on.output, off.output)


def chain(sizes, rng):
    """Layers with local synapses, drawn around each neuron's own place."""
    populations = [Population("p0", (sizes[0],))]
    joined = []
    for i, n in enumerate(sizes[1:], 1):
        source = populations[-1]
        populations.append(Population(f"p{i}", (n,), FixedNeuron.of(v_th=60)))
        centre = np.arange(source.size)[:, None] * n // source.size
        target = np.sort((centre + rng.integers(-8, 9, (source.size, 8))) % n, axis=1).reshape(-1)
        indptr = np.arange(source.size + 1) * 8
        weight = rng.integers(-20, 60, target.size) * 2
        listed = Sparse.of(weight, indptr=indptr, target=target, n_targets=n)
        joined.append(Projection.of(source.name, f"p{i}", listed, word=WORD))
    return Network(tuple(populations), tuple(joined))


def test_an_annealed_map_beats_hand_maps_on_other_samples():
    """A light version of experiments/mapping: profiled on some samples, judged on others."""
    rng, chip = np.random.default_rng(0), chip_with(neurons_per_core=96)
    net = chain((1200, 1200, 1200, 1200), rng)
    seen, unseen = (rng.random((2, 4, 20, 1200)) < 0.05).astype(int)
    profile, later = hwsim.profile(net, seen), hwsim.profile(net, unseen)

    def judged(mapper, seed=0):
        plan = hwsim.compile(net, chip, mapper=hwsim.MAPPERS[mapper], profile=profile, seed=seed)
        run = hwsim.simulate(plan, unseen)
        bill = hwsim.price(run.counts, chip)
        return hwsim.map_cost(plan, later).hops, bill.energy_j * bill.latency_s

    hops, product = judged("optimised")
    others = {name: judged(name) for name in ("row-major", "random", "greedy", "halve")}
    assert hops <= 0.6 * np.mean([judged("random", seed)[0] for seed in range(5)])
    assert hops <= 0.8 * others["row-major"][0]
    assert product < min(other[1] for other in others.values())


def test_parts_share_cores_where_there_are_too_few():
    word, weight = WeightWord(), Dense.of(np.full((3, 4), 2))
    layers = [Population(f"p{i}", (3,), FixedNeuron.of()) for i in range(9)]
    joined = tuple(Projection.of("in", p.name, weight, word=word) for p in layers)
    net = Network((Population("in", (4,)), *layers), joined)
    chip = chip_with(cores=2, chips=1)
    assert not hwsim.fits(net, chip)
    assert hwsim.compile(net, chip).cores == (0,)
    with pytest.raises(DoesNotFit, match=r"cores 9 of 2 .*share cores"):
        hwsim.compile(net, chip, mapper=row_major)
    few = chip_with(cores=2, chips=1, neurons_per_core=12)
    assert [v.limit for v in hwsim.fits(net, few)] == ["cores"]


def test_slow_layers_get_more_cores_and_no_more_than_halving_would_take():
    rng = np.random.default_rng(1)
    sizes = {"in": 64, "slow": 128, "fast": 128}
    populations = tuple(
        Population(n, (s,), FixedNeuron.of() if n != "in" else None) for n, s in sizes.items()
    )
    joined = (
        Projection.of("in", "slow", Dense.of(np.full((128, 64), 2)), word=WORD),
        Projection.of("slow", "fast", Dense.of(np.full((128, 128), 2)), word=WORD),
    )
    net, chip = Network(populations, joined), chip_with(neurons_per_core=24)
    busy = {"in": np.full(64, 18.0), "slow": np.full(128, 0.2), "fast": rng.random(128) * 0.1}
    profile = Profile(20, busy)
    plans = {
        name: hwsim.compile(net, chip, mapper=hwsim.MAPPERS[name], profile=profile)
        for name in ("optimised", "halve", "fastest")
    }
    n_parts = {name: len(plan.parts_of("slow")) for name, plan in plans.items()}
    assert n_parts["optimised"] > 6  # 6 times 24 neurons hold it
    assert len(plans["optimised"].cores) <= len(plans["halve"].cores) == 16
    assert n_parts["fastest"] > n_parts["optimised"]
    slowest = {name: hwsim.map_cost(plan, profile).slowest_core_s for name, plan in plans.items()}
    assert slowest["fastest"] < slowest["optimised"] < slowest["halve"]


def test_a_profile_is_the_mean_of_the_spikes_and_belongs_to_its_network():
    rng = np.random.default_rng(0)
    net = chain((40, 40), rng)
    samples = (rng.random((3, 6, 40)) < 0.3).astype(int)
    profile = hwsim.profile(net, samples)
    assert profile.n_steps == 6
    assert np.allclose(profile.spikes["p0"], samples.sum(axis=1).mean(axis=0))
    with pytest.raises(ValueError, match="40 neurons for population 'p0' of 50"):
        hwsim.compile(chain((50, 40), rng), hwsim.load_chip("loihi1"), profile=profile)


def test_spreading_stops_at_single_neurons_and_at_what_it_is_given():
    net, chip = chain((30, 30, 30), np.random.default_rng(0)), chip_with(neurons_per_core=10)
    fewest = hwsim.mapping.fits.examine(net, chip)[1]
    problem = Problem(fewest, Profile(20, {p.name: np.full(30, 3.0) for p in net.populations}), 0)
    assert sum(spread(fewest, problem.profile, 8).values()) <= 8
    most = problem.spread(10**6)
    assert most.n_parts <= 60
    assert max(cut.n_parts for cut in most.cuts.values()) <= 30
