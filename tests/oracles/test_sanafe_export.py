"""What SANA-FE cannot say is refused by name before any file is written; what it can, it counts."""

import json

import numpy as np
import pytest

import hwsim
from hwsim.formats import sanafe
from hwsim.mapping.plan import Part, Plan
from hwsim.mapping.retime import retime
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, Neuron
from hwsim.synapses import Dense
from tests import sanafe_twin

CHIP = hwsim.load_chip("loihi1-fitted")


def network(neuron=None, *, word=None, delay=0, n_inputs=1):
    """Inputs of three, a layer of two, a read-out of one."""
    if neuron is None:
        neuron = FixedNeuron.of(v_th=10)
    word = WeightWord() if word is None else word
    inputs = [Population(f"in{i}", (3,)) for i in range(n_inputs)]
    layers = (Population("a", (2,), neuron), Population("out", (1,), FixedNeuron.of(v_th=10)))
    first = Dense.of(np.full((2, 3), 8))
    projections = [Projection.of(p.name, "a", first, word=word, delay=delay) for p in inputs]
    last = Projection.of("a", "out", Dense.of(np.full((1, 2), 8)), word=WeightWord())
    return Network((*inputs, *layers), (*projections, last))


def on(chip, net, cores=(0, 1)):
    """Layer by layer on these cores, whatever the chip's limits."""
    retimed, shift = retime(net)
    parts = [Part(p.name, np.arange(p.size), None, None) for p in retimed.inputs]
    layers = [p for p in retimed.populations if p.neuron is not None]
    parts += [Part(p.name, np.arange(p.size), c, None) for p, c in zip(layers, cores, strict=True)]
    return Plan(chip, retimed, shift, tuple(parts))


def real():
    layer = Population("a", (2,), Neuron.of())
    join = Projection.of("in", "a", Dense.of(np.ones((2, 3))))
    return Network((Population("in", (3,)), layer), (join,))


def with_unknown(event):
    """The chip without one energy."""
    content = CHIP.model_dump(by_alias=True)
    content["energy"][event] |= {"value": None, "rel_uncertainty": None}
    return hwsim.ChipSpec.model_validate(content)


PLANS = {
    "the network is real": lambda: on(CHIP, real(), (0,)),
    "population 'a' keeps synaptic current (`du` 100)": lambda: on(
        CHIP, network(FixedNeuron.of(du=100))
    ),
    "population 'a' sends values (graded)": lambda: on(
        CHIP, network(FixedNeuron.of(emits="graded"))
    ),
    "population 'a' sends values (ternary)": lambda: on(
        CHIP, network(FixedNeuron.of(emits="ternary", v_th_low=-3))
    ),
    "population 'a' sends values (GradedVec)": lambda: on(CHIP, network(GradedVec.of())),
    "population 'a' rests for 2 steps": lambda: on(
        CHIP, network(FixedNeuron.of(refractory=2, reset="subtract"))
    ),
    "projection in0 -> a: a delay of 3 steps": lambda: on(CHIP, network(delay=3)),
    "projection in0 -> a: its sums are shifted by exponent -2": lambda: on(
        CHIP, network(word=WeightWord(exp=-2))
    ),
    "the plan goes to core 128, one chip has 128": lambda: on(CHIP, network(), (0, 128)),
    "chip truenorth has a tick of 0.001 s": lambda: on(hwsim.load_chip("truenorth"), network()),
    "`energy.packet` of chip loihi1-fitted is not known": lambda: on(
        with_unknown("packet"), network()
    ),
}


@pytest.mark.parametrize("said", PLANS)
def test_what_cannot_be_said_is_refused_before_anything_is_written(said, tmp_path):
    with pytest.raises(ValueError, match=r".") as caught:
        hwsim.write_sanafe(PLANS[said](), tmp_path / "deep" / "out")
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert ": " in message
    assert not (tmp_path / "deep").exists()


def test_a_huge_network_is_refused_by_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr(sanafe, "MAX_SYNAPSES", 7)
    with pytest.raises(ValueError, match="8 synapses, at most 7 are exported"):
        hwsim.write_sanafe(on(CHIP, network()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_sample_with_values_is_refused_where_values_are_read(tmp_path):
    plan = on(CHIP, network(word=WeightWord(message_bits=4)))
    with pytest.raises(ValueError, match="input 'in0' sends up to 5, SANA-FE only spikes"):
        hwsim.write_sanafe(plan, tmp_path / "out", sample=np.full((4, 3), 5))
    with pytest.raises(ValueError, match="the network takes"):
        hwsim.write_sanafe(plan, tmp_path / "out", sample=np.ones((4, 2)))
    assert not (tmp_path / "out").exists()


def test_an_earlier_export_is_replaced_and_nothing_else(tmp_path):
    plan, folder = on(CHIP, network(n_inputs=2)), tmp_path / "out"
    sample = {"in0": np.ones((4, 3), np.uint8), "in1": np.zeros((4, 3), np.uint8)}
    hwsim.write_sanafe(plan, folder, sample=sample)
    names = {"architecture.yaml", "network.net", "expected.json", "README.md"}
    assert {path.name for path in folder.iterdir()} == names
    hwsim.write_sanafe(plan, folder)
    assert {path.name for path in folder.iterdir()} == names - {"expected.json"}
    assert "spikes:" not in (folder / "network.net").read_text(encoding="utf-8")
    (folder / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"holds 'thesis\.txt' and is no earlier export"):
        hwsim.write_sanafe(plan, folder)
    assert (folder / "thesis.txt").read_text(encoding="utf-8") == "mine"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine", encoding="utf-8")
    with pytest.raises(ValueError, match=r"holds 'README\.md' and is no earlier export"):
        hwsim.write_sanafe(plan, tmp_path / "mine")
    with pytest.raises(ValueError, match=r"thesis\.txt is a file"):
        hwsim.write_sanafe(plan, folder / "thesis.txt")
    assert {path.name for path in tmp_path.iterdir()} == {
        "out",
        "mine",
    }  # no part of a folder is left


@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_several_inputs_and_every_reset_count_the_same(reset, tmp_path):
    """To the last step too, in which spikes are still on their way."""
    neuron = FixedNeuron.of(v_th=[10, 25], dv=500, bias_mant=700, reset=reset)
    plan = on(CHIP, network(neuron, n_inputs=2), (5, 9))
    rng = np.random.default_rng(1)
    sample = {p.name: rng.integers(0, 2, (9, 3)) for p in plan.network.inputs}
    hwsim.write_sanafe(plan, tmp_path / "out", sample=sample)
    expected = json.loads((tmp_path / "out" / "expected.json").read_text(encoding="utf-8"))
    found = sanafe_twin.run(tmp_path / "out", plan.network, expected["steps"])
    ours = hwsim.simulate(plan, {n: x[None] for n, x in sample.items()}, record="spikes")
    for name, sent in ours.spikes.items():
        assert np.array_equal(sent[0] != 0, found.spikes[name] != 0), name
    assert any(sent[0, -1].any() for sent in ours.spikes.values())
    assert (found.sops, found.packets, found.hops) == tuple(
        expected[name] for name in ("sops", "packets", "hops")
    )
