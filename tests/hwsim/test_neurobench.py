"""NeuroBench's numbers: its own for small networks, and those of networks it cannot run."""

import json
import subprocess
import sys
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neurobench import neurobench
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Conv2d, Dense, Sparse
from tests.neurobench_cases import CASES
from tests.strategies import chip_with, integer_networks, rngs

FOLDER = Path(__file__).parents[1] / "data" / "golden"
GOLDEN = json.loads((FOLDER / "neurobench.json").read_text(encoding="utf-8"))["cases"]
RECORD = ("spikes", "v")


def network_of(case):
    """A case as a network; snnTorch takes its reset at the beginning of the next step."""
    populations = [Population("input", case.samples.shape[2:])]
    projections = []
    for i, layer in enumerate(case.layers):
        before = populations[-1]
        is_conv = layer.geometry is not None
        synapses = Conv2d.of(layer.weight, **layer.geometry) if is_conv else Dense.of(layer.weight)
        shape = synapses.target_shape(before.shape)
        bias = np.zeros(()) if layer.bias is None else layer.bias
        neuron = Neuron.of(
            decay_u=0.5 if layer.has_current else 0.0,
            decay_v=0.5,
            v_th=layer.v_th,
            bias=bias.reshape(-1, 1, 1) if is_conv and bias.ndim else bias,
            reset=layer.reset,
            reset_late=True,
        )
        populations.append(Population(f"layer{i}", shape, neuron))
        projections.append(Projection.of(before.name, f"layer{i}", synapses))
        if layer.recurrent is not None:
            back = Dense.of(layer.recurrent)
            projections.append(Projection.of(f"layer{i}", f"layer{i}", back, delay=1))
    return Network(tuple(populations), tuple(projections))


@pytest.mark.parametrize(
    ("name", "size"), [(name, size) for name, case in CASES.items() for size in case.batch_sizes]
)
def test_numbers_are_those_of_neurobench(name, size):
    net, theirs = network_of(CASES[name]), GOLDEN[name][str(size)]
    ours = neurobench(net, hwsim.simulate(net, CASES[name].samples, record=RECORD), batch_size=size)
    operations = theirs["SynapticOperations"]
    assert ours.footprint_bytes == theirs["Footprint"] - theirs["bookkeeping"]
    assert ours.connection_sparsity == theirs["ConnectionSparsity"]
    assert ours.activation_sparsity == pytest.approx(theirs["ActivationSparsity"], abs=1e-15)
    assert ours.effective_macs == operations["Effective_MACs"]
    assert ours.effective_acs == operations["Effective_ACs"]
    assert ours.dense == operations["Dense"]
    assert ours.membrane_updates == theirs["MembraneUpdates"]


@pytest.mark.skipif(find_spec("neurobench") is None, reason="needs the extra `neurobench`")
def test_neurobench_still_says_so(tmp_path):
    file = tmp_path / "again.json"
    command = [sys.executable, FOLDER / "make_neurobench.py", file]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(file.read_text(encoding="utf-8"))["cases"] == GOLDEN


def test_the_golden_cases_tell_the_metrics_apart():
    """Spikes, silence, both kinds of operations, and a split that depends on the batch."""
    runs = [case[size] for case in GOLDEN.values() for size in case]
    assert any(0 < r["ActivationSparsity"] < 1 for r in runs)
    assert any(r["SynapticOperations"]["Effective_MACs"] > 0 for r in runs)
    each = [r["SynapticOperations"] for r in GOLDEN["values in some steps"].values()]
    assert len({r["Effective_MACs"] for r in each}) == 3
    totals = [r["Effective_MACs"] + r["Effective_ACs"] for r in each]
    assert totals == pytest.approx(totals[:1] * 3)


def joined(synapses, samples, *, delay=0, emits="spikes", v_th=0.5):
    """One layer of four neurons behind three inputs, and a run of it."""
    net = Network(
        (
            Population("in", (3,)),
            Population("out", (4,), Neuron.of(v_th=v_th, emits=emits)),
        ),
        (Projection.of("in", "out", synapses, delay=delay),),
    )
    return net, hwsim.simulate(net, np.asarray(samples), record=RECORD)


LISTED = Sparse.of([1.0, 0.0, 2.0, 0.5], indptr=[0, 2, 3, 4], target=[0, 1, 3, 3], n_targets=4)


def test_listed_synapses_are_the_matrix_they_stand_for():
    """Twelve pairs, three of them joined by what is not zero; four weights with their indices."""
    net, run = joined(LISTED, [[[1, 1, 0], [0, 1, 1]]])
    found = neurobench(net, run)
    assert found.connection_sparsity == 0.75
    assert (found.effective_acs, found.dense) == (4, 24)
    assert found.footprint_bytes == 4 * 4 + (4 + 4) * 4 + 2 * 4


def test_a_zero_weight_is_an_operation_on_the_chip_alone():
    """Two spikes of two neurons with four synapses each, of which one weighs nothing."""
    weight = np.ones((4, 3))
    weight[2, 0] = 0
    net, run = joined(Dense.of(weight), [[[1, 0, 0], [0, 1, 0]]])
    assert (run.sops.sum(), neurobench(net, run).effective_acs) == (8, 7)


def test_what_arrives_after_the_last_step_counts_nowhere():
    """Three steps: of three spikes of one neuron the last arrives too late, by delay 2 two."""
    weight = np.ones((4, 3))
    net, run = joined(Dense.of(weight), np.tile([1, 0, 0], (2, 3, 1)), delay=1)
    assert neurobench(net, run).effective_acs == 2 * 4
    delay = np.full((4, 3), 1)
    delay[0] = 2
    net, run = joined(Dense.of(weight), np.tile([1, 0, 0], (2, 3, 1)), delay=delay)
    found = neurobench(net, run)
    assert (found.effective_acs, found.dense) == (2 * 3 + 1, 3 * 12)
    assert found.footprint_bytes == 12 * 4 + 12 + 2 * 4


def test_graded_messages_are_multiplied():
    net = Network(
        (
            Population("in", (3,)),
            Population("middle", (4,), Neuron.of(v_th=0.5, emits="graded")),
            Population("out", (2,), Neuron.of()),
        ),
        (
            Projection.of("in", "middle", Dense.of(np.full((4, 3), 1.5))),
            Projection.of("middle", "out", Dense.of(np.ones((2, 4)))),
        ),
    )
    run = hwsim.simulate(net, np.array([[[1, 0, 0], [0, 0, 0]]]), record=RECORD)
    found = neurobench(net, run)
    assert (found.effective_acs, found.effective_macs) == (4, 8)


def fixed(word, **neuron):
    """The same in a chip's integers."""
    return Network(
        (Population("in", (3,)), Population("out", (4,), FixedNeuron.of(v_th=5, **neuron))),
        (Projection.of("in", "out", Dense.of(np.full((4, 3), 2)), word=word),),
    )


def test_a_word_without_payload_accumulates():
    """The chip reads no payload of 3 there: the message is a spike."""
    samples = np.array([[[3, 0, 0]]])
    for bits, key in ((0, "effective_acs"), (4, "effective_macs")):
        net = fixed(WeightWord(message_bits=bits))
        found = neurobench(net, hwsim.simulate(net, samples, record=RECORD))
        assert asdict(found)[key] == 4
        assert found.effective_acs + found.effective_macs == 4


def test_a_chips_integers_take_the_bytes_of_their_fields():
    """Weights one byte; decay of `v` two, threshold four; then two of `du`, three of biases."""
    samples = np.zeros((1, 1, 3), dtype=np.int64)
    for neuron, more in (({}, 0), ({"du": 100}, 2), ({"bias_mant": 7, "bias_exp": 1}, 3)):
        net = fixed(WeightWord(), **neuron)
        found = neurobench(net, hwsim.simulate(net, samples, record=RECORD))
        assert found.footprint_bytes == 12 + 2 + 4 + more


@given(integer_networks(), rngs(), st.integers(1, 3))
@settings(max_examples=15)
def test_a_plan_measures_what_its_network_does(net, rng, batch_size):
    """Retimed, cut and placed or not; and activations are what the traces hold."""
    plan = hwsim.compile(net, chip_with())
    shape = (3, 6, *net.inputs[0].shape)
    samples = (rng.random(shape) < 0.4).astype(np.uint8)
    run = hwsim.simulate(net, samples, record=RECORD)
    ours = neurobench(net, run, batch_size=batch_size)
    on_chip = hwsim.simulate(plan, samples, record=RECORD)
    assert neurobench(plan, on_chip, batch_size=batch_size) == ours
    sent = [run.spikes[p.name] for p in net.populations if p.neuron is not None]
    outputs = np.concatenate([x.ravel() for x in sent])
    assert ours.activation_sparsity == pytest.approx(np.mean(outputs == 0), abs=1e-12)


def test_what_is_not_recorded_is_unknown_or_asked_for():
    net, _ = joined(LISTED, [[[1, 1, 0]]])
    samples = np.array([[[1, 1, 0], [1, 0, 0]]])
    assert neurobench(net, hwsim.simulate(net, samples, record="spikes")).membrane_updates is None
    with pytest.raises(ValueError, match=r"spikes of in, out were not recorded.*record="):
        neurobench(net, hwsim.simulate(net, samples))
    with pytest.raises(ValueError, match=r"spikes of in were not recorded"):
        neurobench(net, hwsim.simulate(net, samples, record=RECORD, probe="out"))
    stopped = hwsim.simulate(net, samples, record=RECORD, until=lambda _, out: out[:, 0] > -1)
    with pytest.raises(ValueError, match="stopped early"):
        neurobench(net, stopped)
    with pytest.raises(ValueError, match="`batch_size` is 0"):
        neurobench(net, hwsim.simulate(net, samples, record=RECORD), batch_size=0)


def test_a_run_of_a_plan_needs_the_plan():
    net = fixed(WeightWord())
    plan = hwsim.compile(net, hwsim.load_chip("loihi1"))
    run = hwsim.simulate(plan, np.ones((1, 2, 3), dtype=np.uint8), record=RECORD)
    with pytest.raises(ValueError, match="give the plan"):
        neurobench(net, run)


def test_no_synapses_have_no_sparsity():
    net = Network((Population("in", (1,)), Population("out", (2,), Neuron.of())), ())
    found = neurobench(net, hwsim.simulate(net, np.zeros((1, 3, 1)), record=RECORD))
    assert found.connection_sparsity is None
    assert (found.dense, found.effective_macs, found.effective_acs) == (0, 0, 0)
