"""Benchmarks compare like with like: the workloads, the peers and the limits, on small runs."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest

import hwsim
from benchmarks import field, limits, run, scaling, served, table, workloads
from benchmarks.field import FIELD, GOALS, Peer
from benchmarks.ours import Ours
from benchmarks.timing import NotHere, in_turn
from benchmarks.torch_loop import TorchLoop
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Dense, Sparse, n_synapses

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["dense", "conv", "speech"])
def workload(request):
    return workloads.WORKLOADS[request.param]()


@pytest.fixture(scope="module")
def simulated(workload):
    """Two samples and their run, off the chip."""
    samples = workload.draw(2)
    return samples, hwsim.simulate(workload.network, samples, record=("spikes",))


def tiny(*, du=409, loop=False):
    """A network of a few neurons with every part of the small workloads."""
    rng = np.random.default_rng(5)
    neuron = FixedNeuron.of(du=du, dv=204, v_th=900 if du < 4095 else 300)
    word = WeightWord()

    def join(source, target, shape, delay=0):
        weight = 2 * rng.integers(-60, 100, shape)
        return Projection.of(source, target, Dense.of(weight), delay=delay, word=word)

    projections = [join("input", "hidden", (12, 9)), join("hidden", "out", (4, 12))]
    if loop:
        projections.append(join("hidden", "hidden", (12, 12), 1))
    populations = (
        Population("input", (9,)),
        Population("hidden", (12,), neuron),
        Population("out", (4,), neuron),
    )
    draw = workloads._bernoulli(np.full(9, 0.3), 15)
    net = Network(populations, tuple(projections))
    return workloads.Workload("tiny", "a tiny network", net, draw, 3, 4)


@pytest.mark.parametrize(
    ("name", "sops"), [("dense", 2_466_492), ("conv", 890_000), ("speech", 3_200_000)]
)
def test_workloads_have_the_size_they_state(name, sops):
    w = workloads.WORKLOADS[name]()
    found = hwsim.simulate(w.network, w.draw(2)).sops.mean()
    assert found == pytest.approx(sops, rel=0.08)


def test_more_samples_only_add_to_the_first(workload):
    assert np.array_equal(workload.draw(3)[:2], workload.draw(2))
    assert not np.array_equal(workload.draw(2)[0], workload.draw(2)[1])


def test_torch_spikes_like_us_but_for_rounding(workload, simulated):
    """In a loop one spike changes the next, so counts part a little; elsewhere hardly."""
    samples, ours = simulated
    tolerance = 0.05 if workload.name == "speech" else 2e-3
    for name, counts in TorchLoop(workload.network).step_by_step(samples).items():
        mine = ours.spike_counts[name].sum()
        assert mine > 20
        assert int(counts.sum()) == pytest.approx(mine, rel=tolerance, abs=2)


@pytest.mark.parametrize("name", ["dense", "conv"])
def test_both_orders_of_the_torch_loop_count_the_same(name):
    w = workloads.WORKLOADS[name]()
    loop, samples = TorchLoop(w.network), w.draw(1)
    by_layer, by_step = loop.layer_by_layer(samples), loop.step_by_step(samples)
    for name, counts in by_layer.items():
        assert int(counts.sum()) == pytest.approx(int(by_step[name].sum()), rel=1e-3)


def test_the_limit_does_every_addition_of_the_run(workload, simulated):
    """Its sums are those of all arriving spikes, and it makes one addition per operation."""
    _, ours = simulated
    n_additions = 0
    for p in workload.network.projections:
        spikes = ours.spikes[p.source]
        part = limits.additions(workload.network, p, spikes)
        part.work()
        source, target = (workload.network[end].shape for end in (p.source, p.target))
        fired = spikes.sum(axis=(0, 1), dtype=np.int64)
        assert part.sums.sum() * part.step == fired @ total_weight(p, source, target)
        heard = spikes[:, : spikes.shape[1] - int(p.delay)]  # the rest arrives after the end
        n_additions += heard.sum(axis=(0, 1)) @ n_synapses(p.synapses, source, target)
    assert n_additions == ours.sops.sum()


def total_weight(p, source, target):
    """Sum of the weights of each source neuron, by sending one spike of each."""
    size = int(np.prod(source))
    quiet = FixedNeuron.of(du=4095, dv=0, v_th=131071)
    one = Projection.of("in", "out", p.synapses, word=p.word)
    net = Network((Population("in", source), Population("out", target, quiet)), (one,))
    spikes = np.eye(size, dtype=np.uint8).reshape(size, 1, *source)
    u = hwsim.simulate(net, spikes, record=("u",)).u["out"]
    return (u[:, 0] >> 6).sum(axis=1)


def test_the_limit_of_listed_synapses_adds_into_the_slot_of_the_delay():
    net = workloads.recurrent(50, 20, 8).network
    (p,) = net.projections
    assert isinstance(p.synapses, Sparse)
    spikes = np.zeros((1, 8, 50))
    spikes[0, 3, 7] = spikes[0, 5, 9] = 1
    part = limits.additions(net, p, spikes)
    part.work()
    expected = np.zeros_like(part.sums)
    for step, neuron in ((3, 7), (5, 9)):
        for k in range(p.synapses.indptr[neuron], p.synapses.indptr[neuron + 1]):
            expected[step + p.delay[k], p.synapses.target[k]] += int(p.synapses.weight[k])
    assert np.array_equal(part.sums, expected)


def test_the_recurrent_workload_spikes_like_a_plain_loop():
    w = workloads.recurrent(200, 100, 120)
    (p,), neuron = w.network.projections, w.network["neurons"].neuron
    ours = hwsim.simulate(w.network, w.draw(1), record=("spikes",)).spikes["neurons"][0]
    arriving = np.zeros((120 + 17, 200))
    v, held = neuron.v_init.copy(), np.zeros(200, dtype=int)
    for t in range(120):
        v = neuron.decay_v * v + arriving[t] + neuron.bias
        v[held > 0] = 0
        held = np.maximum(held - 1, 0)
        fired = v >= neuron.v_th
        v[fired], held[fired] = 0, 2
        assert np.array_equal(fired, ours[t] != 0)
        for i in np.flatnonzero(fired):
            row = slice(p.synapses.indptr[i], p.synapses.indptr[i + 1])
            ends = (t + p.delay[row], p.synapses.target[row])
            np.add.at(arriving, ends, p.synapses.weight[row])
    assert ours.sum() > 200


SCRIPT = """
import sys
from benchmarks.serve import serve
print("a greeting that is no answer")

def prepare(folder):
    print("talk")
    if folder.endswith("broken"):
        raise SystemExit("error: no compiler")
    return {"folder": folder}, lambda: {"loop": 0.25}

serve(prepare)
"""


def test_a_peer_in_its_own_process_answers_every_round(tmp_path):
    script = tmp_path / "peer.py"
    script.write_text(SCRIPT)
    with served.served([served.sys.executable, str(script)], tmp_path) as (facts, once):
        assert facts == {"folder": str(tmp_path)}
        assert [once(), once()] == [{"loop": 0.25}] * 2


def test_a_peer_leaves_no_process_behind(tmp_path):
    """One that the peer started, and that would go on, is ended with it."""
    script = tmp_path / "peer.py"
    started = (
        "    child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    )
    script.write_text(
        SCRIPT.replace("import sys", "import subprocess, sys")
        .replace('    print("talk")\n', started)
        .replace('{"folder": folder}', '{"child": child.pid}')
    )
    with served.served([served.sys.executable, str(script)], tmp_path) as (facts, _):
        os.kill(facts["child"], 0)
    for _ in range(100):  # it is ended at once, and taken off the table soon
        if not Path(f"/proc/{facts['child']}").exists():
            return
        time.sleep(0.05)
    state = Path(f"/proc/{facts['child']}/stat").read_text().split(") ")[1][0]
    assert state == "Z"


def test_a_peer_that_fails_says_why(tmp_path):
    script, folder = tmp_path / "peer.py", tmp_path / "broken"
    script.write_text(SCRIPT)
    folder.mkdir()
    start = served.served([served.sys.executable, str(script)], folder)
    with pytest.raises(NotHere, match="no compiler"), start:
        pass


def test_a_peer_that_is_not_installed_is_named_with_the_remedy():
    with pytest.raises(NotHere, match=r"pip install -e \.\[bench\]"):
        served.here("a_package_that_nobody_wrote", "nest_peer.py")


def test_every_script_of_a_peer_exists():
    here = {path.name for path in (Path(served.__file__).parent / "peers").glob("*.py")}
    field_s = {f"{name.replace('-', '_')}_peer.py" for name in field.PEERS if name != "torch"}
    assert here == field_s | {"aihwkit_peer.py"}  # that of `benchmarks.crossbar_read`


def test_contestants_run_in_turn_and_the_first_round_is_not_counted():
    order = []

    def contestant(name):
        def once():
            order.append(name)
            return {name: float(len(order))}

        return once

    times = in_turn([contestant("a"), contestant("b")], 2)
    assert order == ["a", "b"] * 3
    assert times["a"].seconds == [3.0, 5.0]
    assert times["b"].median_s == 5.0


def test_a_run_has_every_row_its_goals_name_and_lists_who_is_absent(monkeypatch):
    gone = Peer("sanafe", field.beside("a_package_that_nobody_wrote", "x.py", "SANA-FE"), "")
    torch = next(peer for peer in FIELD["dense"] if peer.name == "torch")
    monkeypatch.setitem(FIELD, "dense", (gone, torch))
    monkeypatch.setitem(workloads.WORKLOADS, "dense", tiny)
    result = run.measure("dense", ("torch", "sanafe"), 1, lambda line: None)
    assert "bench" in result["absent"]["sanafe"]
    assert result["of_limit"] > 0
    found = run.goals({"dense": result})
    assert [goal["theirs"] for goal in found if goal["found"] is not None] == [
        goal.theirs for goal in GOALS if goal.workload == "dense" and "torch" in goal.theirs
    ]
    machine = {"processor": "one", "cores": 2, "python": "3", "versions": {}}
    parts = {"machine": machine, "workloads": {"dense": result}, "two_threads": {}, "goals": found}
    text = table.tables(parts)
    assert "sanafe | not here" in text
    assert "torch loop, one by one" in text


def test_sanafe_counts_our_spikes(tmp_path):
    """Without current memory, which SANA-FE does not truncate."""
    pytest.importorskip("sanafe", reason="the peer SANA-FE is not installed")
    ours = Ours.of(tiny(du=4095, loop=True))
    peer = next(peer for peer in FIELD["dense"] if peer.name == "sanafe")
    with peer.start(ours, tmp_path) as (facts, once):
        assert facts["spikes"] == ours.spikes
        assert once()["SANA-FE simple timing, one by one"] > 0
    assert min(ours.spikes.values()) > 5


def test_the_slope_of_cost_that_grows_as_work_is_one(tmp_path):
    near = {"targets": "near"}
    points = [near | {"sops": 10.0**k, "seconds": 3e-9 * 10.0**k} for k in range(4, 9)]
    assert scaling.slope(points) == pytest.approx(1)
    squared = [p | {"seconds": p["seconds"] ** 2} for p in points]
    assert scaling.slope(squared) == pytest.approx(2)
    for name in ("a.svg", "b.svg"):
        scaling.draw(points, tmp_path / name)
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    assert "slope 1.00" in (tmp_path / "a.svg").read_text()


def test_a_ring_reaches_as_far_as_it_says_and_scaling_counts_its_work():
    (p,) = workloads.recurrent(100, 10, 5, 20).network.projections
    apart = np.abs(p.synapses.target - p.synapses.source)
    assert np.minimum(apart, 100 - apart).max() == 20
    point = scaling.measure(60, "near", 1)
    assert point["sops"] <= point["spikes"] * scaling.FAN_OUT
    assert point["sops"] > 0.9 * point["spikes"] * scaling.FAN_OUT
    assert point["synapses"] == 60 * scaling.FAN_OUT


def test_a_page_takes_the_tables_between_its_marks():
    mark = "<!-- x -->\n"
    page = f"before\n{mark}old\n{mark}after\n"
    found = table.into_page(page, "x", "| new |")
    assert found == f"before\n{mark}\n| new |\n{mark}after\n"
    with pytest.raises(ValueError, match="two lines `<!-- y -->`, it has 0"):
        table.into_page(page, "y", "")


@pytest.mark.parametrize(
    ("mark", "results", "render"),
    [("make bench", "results", table.tables), ("make bench-large", "scaling", scaling.table)],
)
def test_the_page_shows_the_results_that_are_committed(mark, results, render):
    page = (ROOT / "BENCHMARKS.md").read_text(encoding="utf-8")
    found = json.loads((ROOT / "benchmarks" / f"{results}.json").read_text(encoding="utf-8"))
    assert table.into_page(page, mark, render(found)) == page
