"""Large and deep networks: the work of a compiler grows as the network, and changes no result."""

import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

import hwsim
from hwsim.mapping import placement
from hwsim.mapping.placement import Board, hops_of, place
from hwsim.mapping.profile import Profile
from hwsim.mapping.traffic import Traffic
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.program import prepare
from hwsim.schedule import groups
from hwsim.synapses import Dense, Sparse
from tests.strategies import integer_networks, rngs

WORD = WeightWord()


def stack(depth):
    """Layers of four neurons."""
    names = [f"p{i}" for i in range(depth + 1)]
    populations = [
        Population(n, (4,), FixedNeuron.of(v_th=60) if n != "p0" else None) for n in names
    ]
    weight = Dense.of(np.arange(-8, 8).reshape(4, 4) * 2)
    joined = [Projection.of(a, b, weight, word=WORD) for a, b in pairwise(names)]
    return Network(tuple(populations), tuple(joined))


def scattered(n, fan, seed=0):
    """Neurons with synapses onto any others."""
    rng = np.random.default_rng(seed)
    target = np.sort(rng.integers(0, n, (n, fan)), axis=1).reshape(-1)
    weight, ptr = rng.integers(-60, 60, n * fan) * 2, np.arange(n + 1)
    inner = Sparse.of(weight, indptr=ptr * fan, target=target, n_targets=n)
    one = Sparse.of(np.full(n, 60), indptr=ptr, target=np.arange(n), n_targets=n)
    populations = (Population("in", (n,)), Population("r", (n,), FixedNeuron.of(v_th=60)))
    ends = (("in", one), ("r", inner))
    joined = tuple(Projection.of(name, "r", s, delay=1, word=WORD) for name, s in ends)
    return Network(populations, joined)


def calls(work):
    """Calls of functions, steps of generators included, that work takes."""
    n = 0

    def count(frame, event, arg):
        nonlocal n
        n += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return n


def whole_road(depth):
    net, chip = stack(depth), hwsim.load_chip("loihi1")
    hwsim.simulate(hwsim.compile(net, chip), np.ones((1, 1, 4), dtype=int))


@pytest.mark.parametrize("work", [stack, lambda depth: prepare(stack(depth)), whole_road])
def test_work_grows_as_the_depth_of_a_network(work):
    work(8)  # compiles kernels
    short, long = calls(lambda: work(50)), calls(lambda: work(200))
    assert long < 5 * short


def test_reaching_is_not_searched_for_in_every_pair_of_layers():
    """Closing a graph by pairs took the cube of its depth."""
    assert groups(stack(3000)) == [(f"p{i}",) for i in range(3001)]


def joined_by_pairs(net):
    """The slow twin of `groups`: who reaches whom, closed pair by pair."""
    reaches = {p.name: {q.target for q in net.out_of(p.name)} for p in net.populations}
    for middle in reaches:
        for name, found in reaches.items():
            if middle in found:
                reaches[name] = found | reaches[middle]
    done, left = [], list(net.order)
    while left:
        for name in left:
            loop = tuple(
                n for n in left if n == name or (name in reaches[n] and n in reaches[name])
            )
            if not any(name in reaches[other] for other in set(left) - set(loop)):
                done.append(loop)
                left = [n for n in left if n not in loop]
                break
    return done


@given(st.integers(1, 9), st.integers(0, 20), rngs())
def test_groups_are_those_found_pair_by_pair(n, n_joined, rng):
    populations = [Population(f"p{i}", (1,), FixedNeuron.of()) for i in rng.permutation(n)]
    weight = Dense.of([[2]])
    joined = []
    for a, b in rng.integers(0, n, (n_joined, 2)):
        joined.append(Projection.of(f"p{a}", f"p{b}", weight, delay=int(a >= b), word=WORD))
    net = Network(tuple(populations), tuple(joined))
    assert groups(net) == joined_by_pairs(net)


@given(integer_networks(), st.integers(1, 4), rngs())
def test_packets_and_what_sharing_saves_are_those_counted_one_by_one(net, n_cores, rng):
    part_of, n_parts = {}, 0
    listed = []  # population and neurons of each part
    for p in net.populations:
        if p.neuron is not None:
            n = int(rng.integers(1, min(3, p.size) + 1))
            part_of[p.name] = rng.permutation(np.arange(p.size) % n)
            listed += [(p.name, np.flatnonzero(part_of[p.name] == i)) for i in range(n)]
            n_parts += n
    core_of = rng.integers(0, n_cores, n_parts)
    spikes = {p.name: rng.integers(0, 9, p.size).astype(float) for p in net.populations}
    traffic = Traffic(net, Profile(5, spikes), part_of)
    packets, saved = np.zeros((n_cores + 1, n_cores)), np.zeros((n_parts, n_parts))
    for p in net.populations:
        for neuron in range(p.size):
            hears = []
            for i, (name, own) in enumerate(listed):
                mark = np.where(np.isin(np.arange(net[name].size), own), 0, -1)
                into = [q for q in net.out_of(p.name) if q.target == name]
                fans = [q.synapses.fan_out(p.shape, net[name].shape, mark, 1) for q in into]
                if any(fan.toarray()[neuron, 0] for fan in fans):
                    hears.append(i)
            at = n_cores
            if p.name in part_of:
                at = next(
                    core_of[i] for i, (n, own) in enumerate(listed) if n == p.name and neuron in own
                )
            for core in {int(core_of[i]) for i in hears}:
                packets[at, core] += spikes[p.name][neuron]
            for i in hears:
                for j in hears:
                    saved[i, j] += spikes[p.name][neuron]
    assert np.array_equal(traffic.matrix(core_of, n_cores).toarray(), packets)
    assert np.array_equal(traffic.affinity(), saved)


def test_annealing_looks_at_no_more_neighbours_where_all_cores_talk(monkeypatch):
    """The work of a temperature is bounded, not only its swaps: these cost what a core talks to."""
    n, looked_at = 700, []

    def seen(name, per_swap):
        swap = getattr(placement.annealing, name)

        def counting(pairs, *rest):
            looked_at.append(len(pairs) * per_swap * (n - 1))
            return swap(pairs, *rest)

        monkeypatch.setattr(placement.annealing, name, counting)

    seen("swap_cores", 2)
    seen("swap_tiles", 8)
    monkeypatch.setattr(placement, "ROUNDS", 6)
    rng, chip = np.random.default_rng(0), hwsim.load_chip("loihi1")
    near = np.abs(np.arange(n)[:, None] // 35 - np.arange(n) // 35)
    shuffled = rng.permutation(n)
    traffic = sparse.csr_array(np.vstack([np.exp(-near)[shuffled][:, shuffled] + 0.01, np.ones(n)]))
    core_of = place(traffic, chip, rng)
    assert max(looked_at) <= 2 * placement.MOST_LOOKED_AT
    assert hops_of(traffic, core_of, chip) < 0.8 * hops_of(traffic, Board(chip, n).walk[:n], chip)


def test_a_profile_less_map_is_not_halved(monkeypatch):
    """Halving only says how many cores a profile may spend."""
    halved = []
    monkeypatch.setattr(
        "hwsim.mapping.mappers.halve_until_it_fits", lambda partition: halved.append(partition)
    )
    hwsim.compile(scattered(60, 4), hwsim.load_chip("loihi1"))
    assert not halved


def test_five_million_synapses_are_examined_while_one_waits():
    """Several times what it takes on one core; before, 9 s."""
    chip = hwsim.load_chip("loihi1")
    hwsim.fits(scattered(100, 2), chip)
    net = scattered(100_000, 50)
    start = time.process_time()
    assert not hwsim.fits(net, chip)
    assert time.process_time() - start < 6
