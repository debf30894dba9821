"""What is no value of its field is refused in one line: nothing is rounded, cut or wrapped."""

import threading
from dataclasses import replace

import numpy as np
import pytest

import hwsim
from hwsim import Conv2d, Dense, FixedNeuron, Network, Neuron, Population, Projection, Sparse
from hwsim.network import WeightWord

NET = Network(
    (Population("in", (2,)), Population("out", (2,), FixedNeuron.of())),
    (Projection.of("in", "out", Dense.of([[2, 0], [0, 2]]), word=WeightWord(message_bits=8)),),
)
REAL = Network(
    (Population("in", (2,)), Population("out", (2,), Neuron.of())),
    (Projection.of("in", "out", Dense.of(np.eye(2))),),
)
CHIP = hwsim.load_chip("loihi2")
PLAN = hwsim.compile(NET, CHIP)
ONES = np.ones((1, 3, 2), dtype=np.uint8)
KERNEL = np.ones((1, 1, 2, 2))


def dense(**changes):
    return Projection.of("in", "out", Dense.of(np.eye(2)), **changes)


REFUSED = {
    "threshold": (lambda: FixedNeuron.of(v_th=1.9), "`v_th` is 1.9, must be a whole"),
    "decay": (lambda: FixedNeuron.of(du=[0.5, 1]), "`du` is 0.5"),
    "refractory": (lambda: FixedNeuron.of(refractory=1.9), "`refractory` is 1.9"),
    "real refractory": (lambda: Neuron.of(refractory=1.9), "`refractory` is 1.9"),
    "nan": (lambda: FixedNeuron.of(v_th=np.nan), "`v_th` is nan"),
    "nothing": (lambda: FixedNeuron.of(v_th=None), "`v_th` is None, must be real"),
    "complex": (lambda: Neuron.of(bias=1j), "`bias` is 1j"),
    "delay": (lambda: dense(delay=1.7), "delay of in -> out is 1.7"),
    "gain": (lambda: dense(gain=1j), "gain of in -> out is 1j"),
    "word": (lambda: WeightWord(7.5), "`n_bits` is 7.5"),
    "target": (lambda: Sparse.of([1], indptr=[0, 1], target=[0.7], n_targets=1), "`target` is 0.7"),
    "wide target": (
        lambda: Sparse.of([1], indptr=[0, 1], target=[2**33], n_targets=1),
        "`target` is 8589934592, outside",
    ),
    "complex weight": (lambda: Dense.of(np.eye(2) * 1j), "complex128"),
    "wide weight": (lambda: Dense.of(np.full((1, 1), 2**63, np.uint64)), "9223372036854775808"),
    "ragged weight": (lambda: Dense.of([[1], [1, 2]]), "rows differ in length"),
    "shape": (lambda: Population("a", (2.7,)), "shape of population 'a' is 2.7"),
    "no shape": (lambda: Population("a", None), "shape of population 'a' is None"),
    "absurd shape": (lambda: Population("a", (2**40, 2**40)), "at most 2147483647"),
    "empty kernel": (lambda: Conv2d.of(np.ones((1, 1, 0, 2))), "each 1 or more"),
    "three strides": (lambda: Conv2d.of(KERNEL, stride=(1, 2, 3)), "one whole number or two"),
    "half a stride": (lambda: Conv2d.of(KERNEL, stride=1.5), "stride is 1.5"),
    "empty window": (lambda: Conv2d.pool(2, (0, 1)), "each must be 1 or more"),
    "unknown probe": (lambda: hwsim.simulate(NET, ONES, probe=("o",)), "'o': there are in, out"),
    "unknown trace": (lambda: hwsim.simulate(NET, ONES, record="uv"), "cannot record uv"),
    "half a step": (lambda: hwsim.simulate(NET, ONES, every=1.5), "`every` is 1.5"),
    "no network": (lambda: hwsim.simulate("net", ONES), "'net' cannot be simulated"),
    "chip's name": (lambda: hwsim.compile(NET, "loihi1"), r"load_chip\('loihi1'\)"),
    "no net to fit": (lambda: hwsim.fits(None, CHIP), "None is no network"),
    "no counts": (lambda: hwsim.price(None, CHIP), "off chip none are taken"),
    "priced on a name": (lambda: hwsim.price(None, "loihi1"), "is no chip"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_value_is_refused_in_one_line(case):
    make, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as refused:
        make()
    assert "\n" not in str(refused.value)


def test_whole_numbers_of_any_type_and_single_ones_are_taken():
    assert FixedNeuron.of(v_th=2.0).v_th == 2
    assert Population("a", 5).shape == (5,)
    assert Conv2d.of(KERNEL, stride=2).stride == (2, 2)
    assert Conv2d.pool(2, 2).weight.shape == (2, 1, 2, 2)


@pytest.mark.parametrize("kind", [np.uint32, np.uint64, np.float16, np.int32, np.int64])
def test_samples_of_any_type_are_the_same_samples(kind):
    """Unsigned samples without a zero among them, floats of 16 bits."""
    ours = hwsim.simulate(NET, (3 * ONES).astype(kind), record="u").u["out"]
    assert np.array_equal(ours, hwsim.simulate(NET, 3 * ONES, record="u").u["out"])


@pytest.mark.parametrize("worst", [-(2**63), -(2**31), 2**31])
def test_samples_beyond_32_bits_are_refused(worst):
    with pytest.raises(ValueError, match="below 2"):
        hwsim.simulate(NET, ONES.astype(np.int64) * worst)


def test_a_payload_beyond_its_message_bits_is_refused_on_a_chip_and_carried_off_it():
    wide = ONES.astype(np.int64) * -256
    with pytest.raises(ValueError, match="sends 256, graded spikes of in -> out have 8 message"):
        hwsim.simulate(PLAN, wide)
    hwsim.simulate(PLAN, wide + 1)
    u = hwsim.simulate(NET, wide, record="u").u["out"]
    assert (u == -256 * 2 << 6).all()


def test_one_name_is_probed_as_itself():
    assert set(hwsim.simulate(NET, ONES, record="v", probe="out").v) == {"out"}


def test_counts_are_priced_on_a_chip_that_can_have_taken_them():
    counts = hwsim.simulate(PLAN, ONES).counts
    spec = CHIP.model_dump(by_alias=True)
    spec["energy"]["sop"]["value"] = 1.0
    dearer = hwsim.price(counts, type(CHIP).model_validate(spec))
    assert dearer.energy_j > hwsim.price(counts, CHIP).energy_j
    with pytest.raises(ValueError, match="counts of 9999 cores, loihi2 has"):
        hwsim.price(replace(counts, n_cores=9999), CHIP)


@pytest.mark.parametrize("content", ["value", "bytes"])
def test_a_chip_file_with_no_number_or_no_text_is_named(content, tmp_path):
    path = tmp_path / "own.toml"
    hwsim.copy_chip("loihi1", path)
    text = path.read_text(encoding="utf-8").replace("value = 2.36e-11", "value = inf", 1)
    assert "value = inf" in text
    path.write_bytes(text.encode() if content == "value" else b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"own\.toml is not valid(: energy\.sop| TOML)"):
        hwsim.load_chip(path)


def test_progress_is_told_by_the_calling_thread(monkeypatch):
    monkeypatch.setattr("hwsim.simulation.n_threads", lambda: 2)
    told = []
    hwsim.simulate(
        REAL,
        np.ones((64, 2, 2)),
        on_samples=lambda n: told.append((n, threading.current_thread())),
    )
    assert sum(n for n, _ in told) == 64
    assert len(told) > 1
    assert {thread for _, thread in told} == {threading.main_thread()}
