"""A network file comes back as it was saved, and what is wrong with a network is said by name."""

import contextlib
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given

from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.network_file import SEAL_BYTES, load_network, save_network
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense
from tests.strategies import integer_networks, real_networks


@pytest.mark.parametrize("kind", [integer_networks(), real_networks()], ids=["integer", "real"])
def test_saving_and_loading_keeps_the_digest(kind, tmp_path):
    @given(kind)
    def law(net):
        save_network(net, tmp_path / "net.h5")
        assert load_network(tmp_path / "net.h5").digest == net.digest

    law()


def test_saving_keeps_numbers_of_any_type(tmp_path):
    """NumPy scalars, lists and whole numbers are what a user passes; the file knows one kind."""
    net = Network(
        (
            Population("input", (np.int64(1), np.int64(4), np.int64(4))),
            Population(
                "out", [2, 2, 2], Neuron.of(refractory=np.int64(2), reset_late=np.bool_(True))
            ),
        ),
        (
            Projection.of(
                "input",
                "out",
                Conv2d.of(np.ones((2, 1, 2, 2)), stride=[np.int64(2), 2], groups=np.int64(1)),
            ),
        ),
        dt_s=1,
    )
    save_network(net, tmp_path / "net.h5")
    assert load_network(tmp_path / "net.h5").digest == net.digest
    fixed = Network(
        (Population("input", (1,)), Population("out", (1,), FixedNeuron.of())),
        (
            Projection.of(
                "input", "out", Dense.of([[2]]), word=WeightWord(np.int64(8), np.int64(1))
            ),
        ),
        dt_s=np.float64(1e-3),
    )
    save_network(fixed, tmp_path / "net.h5")
    assert load_network(tmp_path / "net.h5").digest == fixed.digest


EVERY_KIND = {
    "refractory": FixedNeuron.of(refractory=63),
    "ternary": FixedNeuron.of(emits="ternary", v_th=[3, 4], v_th_low=[-3, 0]),
    "graded": FixedNeuron.of(emits="graded", reset="subtract"),
    "sigma-delta": SigmaDelta.of(v_th=[1, 9], bias=-7, cum_error=True, spike_exp=3, state_exp=4),
    "delta": SigmaDelta.of(v_th=2, integrates=False, activation="unit", emits="nothing"),
    "graded vector": GradedVec.of(v_th=[0, 5], activation="relu"),
}


@pytest.mark.parametrize("neuron", EVERY_KIND.values(), ids=EVERY_KIND)
def test_every_kind_of_integer_neuron_comes_back_from_its_file(neuron, tmp_path):
    net = Network((IN, Population("out", (2,), neuron)), ())
    assert net.is_integer
    save_network(net, tmp_path / "net.h5")
    back = load_network(tmp_path / "net.h5")
    assert back.digest == net.digest
    assert type(back["out"].neuron) is type(neuron)
    digests = {Network((IN, Population("out", (2,), n)), ()).digest for n in EVERY_KIND.values()}
    assert len(digests) == len(EVERY_KIND)  # no field is left out of the hash


def test_every_field_of_an_integer_neuron_is_in_its_hash():
    changes = {
        FixedNeuron.of(): (
            FixedNeuron.of(refractory=1),
            FixedNeuron.of(emits="graded"),
            FixedNeuron.of(emits="ternary", v_th_low=0),
            FixedNeuron.of(emits="ternary", v_th_low=-1),
        ),
        SigmaDelta.of(): (
            SigmaDelta.of(v_th=2),
            SigmaDelta.of(bias=1),
            SigmaDelta.of(activation="unit"),
            SigmaDelta.of(cum_error=True),
            SigmaDelta.of(spike_exp=1),
            SigmaDelta.of(state_exp=1),
            SigmaDelta.of(activation="unit", integrates=False),
            SigmaDelta.of(emits="nothing"),
        ),
        GradedVec.of(): (GradedVec.of(v_th=2), GradedVec.of(activation="relu")),
    }
    for plain, others in changes.items():
        assert len({n.digest() for n in (plain, *others)}) == 1 + len(others)


def test_a_file_of_version_1_still_loads():
    """Written before neurons had a refractory time: same network, same digest."""
    net = load_network(Path(__file__).parents[1] / "data" / "networks" / "version1.h5")
    assert net.digest == "86a2dfa18e4961ca73f9e6317feabd98e071fd2c863aca62d5472a6ab43adf7b"
    assert net["hidden"].neuron.refractory == 0
    assert net["hidden"].neuron.v_th_low is None


def test_any_change_changes_the_digest():
    base, other = small(), small(weight=2.0)
    assert base.digest == small().digest
    assert base.digest != other.digest
    assert base.digest != small(dt_s=2e-3).digest
    assert base.digest != small(delay=1).digest


IN, OUT = Population("in", (3,)), Population("out", (2,), Neuron.of())
FIXED = Population("out", (2,), FixedNeuron.of())
ONES = np.ones((2, 3))


def small(weight=1.0, delay=0, dt_s=1e-3):
    return Network((IN, OUT), (joined(Dense.of(weight * ONES), delay=delay),), dt_s)


def joined(synapses, **more):
    return Projection.of("in", "out", synapses, **more)


def loop():
    return Projection.of("out", "out", Dense.of(np.ones((2, 2))))


def word_of(weight, **word):
    return joined(Dense.of(np.full((2, 3), weight)), word=WeightWord(**word))


WRONG = {
    "no populations": (lambda: Network((), ()), "at least one population"),
    "repeated name": (lambda: Network((IN, OUT, OUT), ()), "'out' appears twice"),
    "unknown output": (lambda: Network((IN, OUT), (), output="outt"), "'outt'.*in, out"),
    "unknown source": (
        lambda: Network((IN, OUT), (Projection.of("inn", "out", Dense.of(ONES)),)),
        "inn -> out: no population 'inn', there are in, out",
    ),
    "unknown target": (
        lambda: Network((IN, OUT), (Projection.of("in", "outt", Dense.of(ONES)),)),
        "no population 'outt'",
    ),
    "into an input": (
        lambda: Network((IN, OUT), (Projection.of("out", "in", Dense.of(ONES.T)),)),
        "'in', which is an input",
    ),
    "out of a read-out": (
        lambda: Network((IN, Population("out", (2,), Neuron.of(emits="nothing"))), (loop(),)),
        "'out', which emits nothing",
    ),
    "dense shapes": (
        lambda: Network((IN, OUT), (joined(Dense.of(ONES.T)),)),
        r"in \(3,\) -> out \(2,\): its weights \(3, 2\)",
    ),
    "conv shapes": (
        lambda: Network((IN, OUT), (joined(Conv2d.of(np.ones((1, 1, 2, 2)))),)),
        r"weights \(1, 1, 2, 2\) do not join",
    ),
    "dense rank": (lambda: Dense.of([1.0]), r"got shape \(1,\)"),
    "conv rank": (lambda: Conv2d.of(ONES), r"got shape \(2, 3\)"),
    "conv stride": (lambda: Conv2d.of(np.ones((1, 1, 1, 1)), stride=(0, 1)), r"stride \(0, 1\)"),
    "conv groups": (lambda: Conv2d.of(np.ones((3, 1, 1, 1)), groups=2), "3 output.* 2 groups"),
    "nan weights": (lambda: Dense.of([[1.0, np.nan]]), "1 of 2 weights are NaN"),
    "weights out of range": (lambda: word_of(300), r"300\.\.300, 8 bit mixed.*-256\.\.254"),
    "negative excitatory": (
        lambda: word_of(-2, sign_mode="excitatory"),
        r"-2\.\.-2, 8 bit excitatory words hold 0\.\.255",
    ),
    "odd mixed weights": (lambda: word_of(3), "multiples of 2"),
    "four-bit weights": (lambda: word_of(8, n_bits=4), "multiples of 32"),
    "gain on a chip": (
        lambda: joined(Dense.of(np.full((2, 3), 2)), gain=2.0, word=WeightWord()),
        "no gain",
    ),
    "no such bits": (lambda: WeightWord(n_bits=9), "9 bits, must be 1 to 8"),
    "no such exponent": (lambda: WeightWord(exp=9), "exponent is 9"),
    "no such sign mode": (lambda: WeightWord(sign_mode="both"), "'both'"),
    "no such payload": (lambda: WeightWord(message_bits=99), "99 bits"),
    "word without integers": (
        lambda: joined(Dense.of(ONES), word=WeightWord()),
        "in -> out: integer weights need a `word`",
    ),
    "integers without word": (lambda: joined(Dense.of([[2]])), "integer weights need a `word`"),
    "cycle": (lambda: Network((IN, OUT), (loop(),)), "cycle without delay: out -> out"),
    "dt": (lambda: small(dt_s=-1.0), "`dt_s` is -1.0"),
    "nan dt": (lambda: small(dt_s=np.nan), "`dt_s` is nan"),
    "negative delay": (lambda: small(delay=-1), "in -> out: delays must be 0"),
    "delay per conv synapse": (
        lambda: joined(Conv2d.of(np.ones((1, 1, 2, 2))), delay=np.ones((1, 1, 2, 2))),
        "one delay per synapse needs dense",
    ),
    "delays of another shape": (
        lambda: joined(Dense.of(ONES), delay=[[1, 2]]),
        r"delays \(1, 2\) do not match weights \(2, 3\)",
    ),
    "gain of two axes": (lambda: joined(Dense.of(ONES), gain=ONES), "gain must be one finite"),
    "nan gain": (lambda: joined(Dense.of(ONES), gain=np.nan), "gain must be one finite"),
    "real weights, integer neurons": (
        lambda: Network((IN, FIXED), (joined(Dense.of(ONES)),)),
        "mixes both",
    ),
    "empty shape": (lambda: Population("p", ()), r"'p' has shape \(\)"),
    "no neurons": (lambda: Population("p", (0, 3)), r"'p' has shape \(0, 3\)"),
    "constants of another shape": (
        lambda: Population("p", (4,), Neuron.of(bias=np.ones(3))),
        r"'p': `bias` of shape \(3,\) does not broadcast to neurons \(4,\)",
    ),
    "integer constants of another shape": (
        lambda: Population("p", (4,), FixedNeuron.of(du=[1, 2, 3])),
        r"`du` of shape \(3,\)",
    ),
    "decay": (lambda: Neuron.of(decay_u=1.0), r"`decay_u` must lie in \[0, 1\), got 1 to 1"),
    "leak": (lambda: Neuron.of(decay_v=[0.5, 1.5]), "`decay_v`.*0.5 to 1.5"),
    "nan threshold": (lambda: Neuron.of(v_th=np.nan), "`v_th` holds a NaN"),
    "reset": (lambda: Neuron.of(reset="soft"), "`reset` is 'soft', must be one of zero"),
    "refractory": (lambda: Neuron.of(refractory=-1), "`refractory` is -1"),
    "word of a decay": (lambda: FixedNeuron.of(du=4096), r"`du` is 4096, outside 0\.\.4095"),
    "word of a threshold": (lambda: FixedNeuron.of(v_th=[1, -5]), "`v_th` is -5"),
    "integer thresholds per step": (
        lambda: Population("p", (4,), FixedNeuron.of(v_th=np.ones((5, 4)))),
        r"'p': `v_th` of shape \(5, 4\) does not broadcast",
    ),
    "what a chip neuron emits": (lambda: FixedNeuron.of(emits="bursts"), "'bursts', must be one"),
    "word of a rest": (
        lambda: FixedNeuron.of(refractory=64),
        r"`refractory` is 64 steps, outside 0\.\.63: shorten it",
    ),
    "ternary without a lower threshold": (
        lambda: FixedNeuron.of(emits="ternary"),
        "`v_th_low` is None for a neuron that emits 'ternary': ternary neurons need",
    ),
    "a lower threshold for nothing": (
        lambda: FixedNeuron.of(v_th_low=-1),
        "`v_th_low` is -1 for a neuron that emits 'spikes'",
    ),
    "a lower threshold above zero": (
        lambda: FixedNeuron.of(emits="ternary", v_th_low=[-5, 1]),
        r"`v_th_low` is 1, outside -131071\.\.0",
    ),
    "lower thresholds of another shape": (
        lambda: Population("p", (4,), FixedNeuron.of(emits="ternary", v_th_low=[-1, -2, -3])),
        r"`v_th_low` of shape \(3,\)",
    ),
    "no such activation": (lambda: SigmaDelta.of(activation="tanh"), "'tanh', must be one of relu"),
    "a sigma-delta that spikes": (lambda: SigmaDelta.of(emits="spikes"), "'spikes', must be one"),
    "exponent of messages": (
        lambda: SigmaDelta.of(spike_exp=8),
        "`spike_exp` is 8, must be 0 to 7",
    ),
    "exponent of states": (lambda: SigmaDelta.of(state_exp=-1), "`state_exp` is -1, must be 0"),
    "a change below zero": (lambda: SigmaDelta.of(v_th=[3, -1]), r"`v_th` is -1, outside 0\.\."),
    "a shifted bias beyond its word": (
        lambda: SigmaDelta.of(bias=-4096, spike_exp=6, state_exp=6),
        r"`bias` is -4096, outside -2047\.\.2047",
    ),
    "an encoder with a bias": (
        lambda: SigmaDelta.of(integrates=False, activation="unit", bias=1),
        "an encoder .* has neither bias nor rectifier",
    ),
    "an encoder with a rectifier": (lambda: SigmaDelta.of(integrates=False), "neither bias nor"),
    "a graded threshold below zero": (lambda: GradedVec.of(v_th=-1), r"`v_th` is -1, outside 0"),
    "real and sigma-delta": (
        lambda: Network((IN, OUT, Population("sd", (2,), SigmaDelta.of())), ()),
        "mixes both",
    ),
    "out of a sigma read-out": (
        lambda: Network(
            (IN, Population("out", (2,), SigmaDelta.of(emits="nothing"))),
            (Projection.of("out", "out", Dense.of([[2, 2], [2, 2]]), delay=1, word=WeightWord()),),
        ),
        "'out', which emits nothing",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_in_one_line_with_its_value(case):
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_an_unknown_population_is_named():
    with pytest.raises(KeyError, match="no population 'x', there are in, out"):
        small()["x"]


@pytest.fixture
def whole(tmp_path):
    path = tmp_path / "net.h5"
    save_network(small(), path)
    return path


def refused(path, error=ValueError):
    with pytest.raises(error) as caught:
        load_network(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_a_truncated_file_is_refused_at_any_length(whole):
    content = whole.read_bytes()
    for length in range(0, len(content) - SEAL_BYTES, max(1, len(content) // 60)):
        whole.write_bytes(content[:length])
        refused(whole)


def test_a_flipped_byte_is_refused_anywhere(whole):
    content = whole.read_bytes()
    for at in np.random.default_rng(0).integers(0, len(content) - SEAL_BYTES, 200):
        whole.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        assert "damaged" in refused(whole)


def test_a_flipped_byte_of_the_seal_never_changes_the_network(whole):
    content = whole.read_bytes()
    for at in range(len(content) - SEAL_BYTES, len(content)):
        whole.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with contextlib.suppress(ValueError):
            assert load_network(whole).digest == small().digest


def test_a_file_without_a_seal_is_read(whole):
    whole.write_bytes(whole.read_bytes()[:-SEAL_BYTES])
    assert load_network(whole).digest == small().digest


def test_a_changed_weight_is_refused(whole):
    with h5py.File(whole, "r+") as file:
        file["projections/0000/synapses/weight"][0, 0] = 9
    assert "checksum" in refused(whole)


def test_files_of_another_kind_are_refused(tmp_path):
    text = tmp_path / "text.h5"
    text.write_text("not a network")
    refused(text)
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["x"] = 1
    assert "format" in refused(other)
    newer = tmp_path / "newer.h5"
    save_network(small(), newer)
    with h5py.File(newer, "r+") as file:
        file.attrs["version"] = 99
    assert "version is 99" in refused(newer)
    refused(tmp_path / "missing.h5", FileNotFoundError)
    refused(tmp_path, FileNotFoundError)


def test_a_failed_write_leaves_no_partial_file(tmp_path):
    (tmp_path / "file").write_text("in the way")  # holds for root too, unlike permissions
    with pytest.raises(OSError, match="file"):
        save_network(small(), tmp_path / "file" / "net.h5")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_write_that_breaks_off_keeps_the_old_file(whole, monkeypatch):
    def broken(*_, **__):
        raise OSError("no space left on device")

    before = whole.read_bytes()
    monkeypatch.setattr(h5py.Group, "create_dataset", broken)
    with pytest.raises(OSError, match="no space"):
        save_network(small(weight=3.0), whole)
    assert whole.read_bytes() == before
    assert [p.name for p in whole.parent.iterdir()] == [whole.name]
