"""netx: what lava-dl's reader makes of our files, round trips, and what has no word there."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.arrays import frozen
from hwsim.formats.netx_read import identity, read_netx
from hwsim.formats.netx_write import write_netx
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse, with_weight
from tests.netx_cases import CASES, even, join, made
from tests.strategies import rngs

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "netx"
NAMES = [case.__name__ for case in CASES]


def content(path):
    """Every number and word of a file."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found


def same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
        assert np.asarray(a[name]).dtype == np.asarray(b[name]).dtype, name


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_lava_dl_reads_our_files_and_every_layer_sends_the_same(case):
    """The record is of the files beside it, which `write_netx` still writes."""
    net = read_netx(GOLDEN / f"{case.__name__}.net").network
    sample = np.load(GOLDEN / "inputs.npz")[case.__name__]
    with np.load(GOLDEN / "lava.npz") as record:
        wanted = [record[f"{case.__name__}/{i}"] for i in range(len(net.populations) - 1)]
    run = hwsim.simulate(net, sample[None], record=("spikes", "v"))
    for population, want in zip(net.populations[1:], wanted, strict=True):
        what = "v" if population.neuron.emits == "nothing" else "spikes"
        sent = run.aligned(population.name, what)[0]
        np.testing.assert_array_equal(sent.reshape(want.shape), want, err_msg=population.name)
        assert (want != 0).sum() > 5  # or equality says little


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_files_on_record_are_those_we_write(case, tmp_path):
    net, sample = made(case)
    write_netx(net, tmp_path / "net.net")
    same(content(tmp_path / "net.net"), content(GOLDEN / f"{case.__name__}.net"))
    np.testing.assert_array_equal(sample, np.load(GOLDEN / "inputs.npz")[case.__name__])


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_read_write_read_is_identical(case, tmp_path):
    net, _ = made(case)
    first = read_netx(GOLDEN / f"{case.__name__}.net").network
    verdicts = write_netx(first, tmp_path / "net.net")
    assert {v.grade for v in verdicts} == {"exact"}
    assert read_netx(tmp_path / "net.net").network.digest == first.digest == net.digest
    same(content(tmp_path / "net.net"), content(GOLDEN / f"{case.__name__}.net"))


@st.composite
def chains(draw):
    """An input and up to three layers: convolutions while there is an image, then dense ones."""
    rng, shape = draw(rngs()), draw(st.sampled_from([(6,), (2, 5, 4), (1, 6, 6)]))
    populations, projections = [Population("in", shape)], []
    for i in range(draw(st.integers(1, 3))):
        source, name = populations[-1], f"layer {i}"
        bits, exp = draw(st.integers(2, 8)), draw(st.integers(-2, 2))
        word = WeightWord(bits, exp, draw(st.sampled_from(["mixed", "excitatory", "inhibitory"])))
        unit = word.step * (1 << max(-exp, 0))  # netx keeps no exponent: it must divide weights
        low, high = word.range
        top = min(-low if word.sign_mode == "inhibitory" else high, 254 >> max(exp, 0))
        signs = {"mixed": (-1, 1), "excitatory": (1,), "inhibitory": (-1,)}[word.sign_mode]

        def weights(shape, unit=unit, top=top, signs=signs):
            return unit * rng.integers(0, top // unit + 1, shape) * rng.choice(signs, shape)

        neuron = FixedNeuron.of(
            du=draw(st.integers(0, 4095)),
            dv=draw(st.integers(0, 4095)),
            v_th=draw(st.integers(0, 400)),
            refractory=draw(st.integers(0, 3)),
            emits=draw(st.sampled_from(["spikes", "nothing"])) if i == 2 else "spikes",
        )
        if neuron.emits == "nothing":
            neuron = replace(neuron, v_th=frozen(131071, np.int64))
        if len(source.shape) == 3 and draw(st.booleans()):
            synapses = Conv2d.of(
                weights((3, source.shape[0], 2, 2)), stride=draw(st.integers(1, 2))
            )
            shape, delay = synapses.target_shape(source.shape), 1
            if shape is None:
                break
        else:
            shape = (draw(st.integers(1, 5)),)
            matrix = weights((shape[0], source.size))
            synapses, delay = Dense.of(matrix), 1
            kind = draw(st.sampled_from(["one", "all", "each"]))
            if kind != "one":
                delay = rng.integers(1, 64, matrix.shape if kind == "each" else ())
            if neuron.emits == "spikes" and draw(st.booleans()):
                back = Dense.of(weights((shape[0], shape[0])))
                steps = draw(st.sampled_from([1, 7]))
                projections.append(Projection.of(name, name, back, delay=steps, word=word))
        projections.append(Projection.of(source.name, name, synapses, delay=delay, word=word))
        populations.append(Population(name, shape, neuron))
    ordered = sorted(projections, key=lambda p: (p.target, p.source == p.target))
    dt = draw(st.sampled_from([1e-3, 5e-4, 2e-3]))
    if len(populations) == 1:
        populations.append(Population("layer 0", shape, FixedNeuron.of()))
        ordered = [join("in", "layer 0", identity(shape))]
    return Network(tuple(populations), tuple(ordered), dt)


def read_back(net, folder):
    write_netx(net, folder / "net.net")
    return read_netx(folder / "net.net").network


@given(chains())
@settings(max_examples=60, deadline=None)
def test_what_is_written_is_read_back_whole(tmp_path_factory, net):
    folder = tmp_path_factory.mktemp("netx")
    back = read_back(net, folder)
    assert [p.name for p in back.populations] == [p.name for p in net.populations]
    for mine, theirs in zip(net.populations, back.populations, strict=True):
        assert mine.shape == theirs.shape or len(theirs.shape) == 1
        assert mine.neuron is None or mine.neuron.digest() == theirs.neuron.digest()
    for mine, theirs in zip(net.projections, back.projections, strict=True):
        assert (mine.source, mine.target, mine.word) == (theirs.source, theirs.target, theirs.word)
        if not isinstance(mine.synapses, Sparse):
            assert mine.synapses.digest() == theirs.synapses.digest()
            np.testing.assert_array_equal(
                np.broadcast_to(mine.delay, mine.synapses.weight.shape if mine.delay.ndim else ()),
                np.broadcast_to(
                    theirs.delay, mine.synapses.weight.shape if mine.delay.ndim else ()
                ),
            )
    assert back.dt_s == net.dt_s
    assert back.output == net.output


def test_sparse_synapses_become_a_matrix_and_spikes_stay(tmp_path):
    rng = np.random.default_rng(3)
    matrix = even(rng, (9, 12)) * (rng.random((9, 12)) < 0.3)
    listed = Sparse.from_dense(matrix)
    delay = rng.integers(1, 6, listed.weight.size)
    net = Network(
        (Population("in", (12,)), Population("a", (9,), FixedNeuron.of(dv=300, v_th=20))),
        (join("in", "a", listed, delay),),
    )
    back = read_back(net, tmp_path)
    spikes = rng.random((2, 30, 12)) < 0.3
    runs = [hwsim.simulate(n, spikes, record=("spikes",)).aligned("a") for n in (net, back)]
    assert runs[0].sum() > 20
    np.testing.assert_array_equal(*runs)


def test_a_network_without_delays_runs_late_by_one_step_a_layer(tmp_path):
    rng = np.random.default_rng(4)
    populations = (
        Population("in", (8,)),
        Population("a", (9,), FixedNeuron.of(dv=300, v_th=10)),
        Population("b", (5,), FixedNeuron.of(dv=900, v_th=2)),
    )
    shapes = (("in", "a", (9, 8)), ("a", "b", (5, 9)))
    net = Network(populations, tuple(join(s, t, Dense.of(even(rng, n)), 0) for s, t, n in shapes))
    back = read_back(net, tmp_path)
    spikes = rng.random((1, 40, 8)) < 0.4
    now, late = (hwsim.simulate(n, spikes, record=("spikes",)) for n in (net, back))
    for name, steps in (("a", 1), ("b", 2)):
        mine, theirs = now.aligned(name)[0], late.aligned(name)[0]
        assert mine.sum() > 10
        np.testing.assert_array_equal(mine[:-steps], theirs[steps:])
        assert not theirs[:steps].any()


def test_what_the_file_changes_is_said(tmp_path):
    net, _ = made(CASES[0])
    bias = replace(net["a"].neuron, bias_mant=frozen(100, np.int64), bias_exp=frozen(0, np.int64))
    a = Population("a", (12,), replace(bias, refractory=2))
    delayed = replace(net.projections[0], delay=frozen(0, np.int64))
    changed = Network((net["in"], a, net["b"]), (delayed, net.projections[1]))
    said = {v.node: v for v in write_netx(changed, tmp_path / "net.net")}
    assert said["a"].grade == "approximate"
    for words in (
        "1 of 1 biases are rounded to multiples of 64",
        "acts 1 steps before",
        "refractory",
    ):
        assert words in said["a"].reason
    assert said["b"].grade == "exact"


def test_a_loop_and_small_delayed_weights_are_said_to_differ_in_lava_dl(tmp_path):
    net, _ = made(CASES[0])
    back = join("b", "b", Dense.of(2 * np.eye(7, dtype=int)), 3)
    said = write_netx(Network(net.populations, (*net.projections, back)), tmp_path / "net.net")
    assert "does not read recurrent layers" in said[-1].reason
    assert "unless one is beyond -128..127" in said[-1].reason


def chain(neuron=None, n=3, **more):
    """As many neurons behind as many inputs."""
    if isinstance(neuron, SigmaDelta):
        more["bits"] = 16
    return Network(
        (Population("in", (n,)), Population("a", (n,), neuron or FixedNeuron.of())),
        (join("in", "a", Dense.of(2 * np.eye(n, dtype=int)), **more),),
    )


def skipping():
    net = chain()
    far = Population("b", (3,), FixedNeuron.of())
    one = Dense.of(2 * np.eye(3, dtype=int))
    ways = (*net.projections, join("a", "b", one), join("in", "b", one))
    return Network((*net.populations, far), ways)


def of_word(word, weight):
    net = chain()
    p = Projection.of("in", "a", Dense.of(weight), delay=1, word=word)
    return Network(net.populations, (p,))


REFUSED = {
    "skip": (skipping, "projection in -> b leaves the chain"),
    "reset": (lambda: chain(FixedNeuron.of(reset="subtract")), "resets by 'subtract'"),
    "graded": (lambda: chain(FixedNeuron.of(emits="graded")), "emits graded"),
    "vector": (lambda: chain(GradedVec.of()), "is GradedVec"),
    "per neuron": (lambda: chain(FixedNeuron.of(du=[1, 2, 3])), "`du` for each neuron"),
    "late": (lambda: chain(delay=65), "takes 65 steps, netx holds 63"),
    "exponent": (lambda: of_word(WeightWord(8, -1), 2 * np.eye(3, dtype=int) + 4), None),
    "fraction": (lambda: of_word(WeightWord(8, -2), 2 * np.eye(3, dtype=int)), "exponent -2"),
    "clipped": (lambda: of_word(WeightWord(8, 1), 200 * np.eye(3, dtype=int)), "clips dense ones"),
    "bias": (lambda: chain(FixedNeuron.of(bias_mant=4095, bias_exp=7)), "rescale the layer"),
    "points": (lambda: chain(SigmaDelta.of()), "binary points 0 and 0, netx 6"),
    "errors": (lambda: chain(SigmaDelta.of(spike_exp=6, state_exp=6, cum_error=True)), "cum_error"),
    "unit": (
        lambda: chain(SigmaDelta.of(spike_exp=6, state_exp=6, activation="unit")),
        "activation 'unit'",
    ),
}


@pytest.mark.parametrize("name", [n for n, (_, said) in REFUSED.items() if said])
def test_what_netx_has_no_word_for_is_refused_and_nothing_is_written(name, tmp_path):
    network, said = REFUSED[name]
    with pytest.raises(ValueError, match=said) as error:
        write_netx(network(), tmp_path / "net.net")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_real_network_is_refused(tmp_path):
    net = Network(
        (Population("in", (2,)), Population("a", (2,), hwsim.Neuron.of())),
        (Projection.of("in", "a", Dense.of(np.eye(2))),),
    )
    with pytest.raises(ValueError, match="quantise it first"):
        write_netx(net, tmp_path / "net.net")


def test_weights_are_stored_in_the_word_that_holds_them(tmp_path):
    """Odd numbers of both signs take half the exponent, large ones the double; values stay."""
    for weight, word in (
        ([[1, -3], [5, 7]], WeightWord(8, -1)),
        ([[1, 255], [0, 7]], WeightWord(8, 0, "excitatory")),
        ([[-1, -255], [0, -7]], WeightWord(8, 0, "inhibitory")),
        ([[2, -256], [0, 254]], WeightWord(8, 0)),
    ):
        path = tmp_path / "net.net"
        write_netx(chain(n=2), path)
        with h5py.File(path, "r+") as file:
            del file["layer/1/weight"], file["layer/1/word"]
            file["layer/1/weight"] = np.array(weight)
        p = read_netx(path).network.projections[0]
        assert p.word == word
        np.testing.assert_array_equal(p.synapses.weight * 2.0**word.exp, weight)


def test_pooling_of_slayer_is_folded_into_a_convolution(tmp_path):
    net, _ = made(CASES[1])
    path = tmp_path / "net.net"
    write_netx(net, path)
    with h5py.File(path, "r+") as file:
        for i in ("2", "3", "4"):
            del file["layer"][i]
        layer = file["layer/1"]
        for name in ("weight", "type", "shape", "bias", "word", "groups", "padding", "stride"):
            del layer[name]
        layer["type"], layer["shape"] = np.array(["pool"], "S10"), [2, 3, 4]
        del layer["kernelSize"], layer["dilation"]
        layer["kernelSize"], layer["stride"] = [2, 2], [2, 2]
        layer["weight"] = np.full((1, 1, 2, 2), 64.0)
    found = read_netx(path)
    assert "folded" in found.verdicts[1].reason
    pool = found.network.projections[0].synapses
    wanted = with_weight(Conv2d.pool(2, 2), np.full((2, 1, 2, 2), 64))
    assert pool.digest() == wanted.digest()


def test_time_steps_and_layers_of_choice(tmp_path):
    net, _ = made(CASES[1])
    write_netx(Network(net.populations, net.projections, 5e-3), tmp_path / "net.net")
    assert read_netx(tmp_path / "net.net").network.dt_s == 5e-3
    short = read_netx(tmp_path / "net.net", layers=2).network
    assert [p.name for p in short.populations] == ["in", "a"]
    with pytest.raises(ValueError, match="`layers` is 0"):
        read_netx(tmp_path / "net.net", layers=0)
