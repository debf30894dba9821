"""Projections joined on one array: one matrix, one pulse, one conversion; nothing else changes."""

import numpy as np
import pytest

import hwsim
from hwsim.crossbar import (
    calibrate_chip,
    compile_crossbar,
    fabricate,
    form_pairs,
    load_device,
    over_chips,
    simulate_crossbar,
)
from hwsim.crossbar.converters import Adc
from hwsim.crossbar.read import Reader
from hwsim.crossbar.wires import reduce_array
from tests.crossbar_chips import EXACT, IDEAL, chip_with, spikes

CUT = {"rows": 5, "columns": 7, "count": 999}
LOOP = {"reset": "zero", "reset_late": True, "decay_v": 0.9}


def recurrent(rng, *, delays=(0, 1), gain=1.0, n_in=12, n=9, weights=None, **neuron):
    """A layer that hears its input and itself, and a read-out."""
    heard, own = weights or (rng.normal(0, 0.7, (n, n_in)), rng.normal(0, 0.4, (n, n)))
    return hwsim.Network(
        (
            hwsim.Population("input", (n_in,)),
            hwsim.Population("loop", (n,), hwsim.Neuron.of(**(LOOP | neuron))),
            hwsim.Population("out", (3,), hwsim.Neuron.of(decay_v=0.9, emits="nothing")),
        ),
        tuple(
            hwsim.Projection.of(source, target, hwsim.Dense.of(w), delay=delay, gain=gain)
            for source, target, w, delay in (
                ("input", "loop", heard, delays[0]),
                ("loop", "loop", own, delays[1]),
                ("loop", "out", rng.normal(size=(3, n)), 0),
            )
        ),
    )


def run_on(chip, net, x, *, device=IDEAL, **options):
    plan = compile_crossbar(net, chip, x, device=device, **options)
    return simulate_crossbar(fabricate(plan), x, record="loop")


@pytest.mark.parametrize("array", [{}, CUT], ids=["one array", "cut"])
@pytest.mark.parametrize("signed", ["pairs", "offset"])
@pytest.mark.parametrize("delays", [(0, 1), (2, 1)])
def test_joined_spikes_are_those_of_the_network_and_of_arrays_of_their_own(array, signed, delays):
    rng = np.random.default_rng(0)
    net, x = recurrent(rng, delays=delays, gain=0.8), spikes(rng, steps=30)
    chip = chip_with(EXACT, signed=signed, **array)
    wanted = hwsim.simulate(net, x, record=("spikes",))
    assert 0.1 < wanted.spikes["loop"].mean() < 0.7
    for join in ((), "loop", ("loop",)):
        run = run_on(chip, net, x, join=join)
        np.testing.assert_array_equal(run.spikes["loop"], wanted.spikes["loop"])
        np.testing.assert_allclose(run.output, wanted.output, atol=1e-11)


def test_what_is_joined_is_converted_once():
    rng = np.random.default_rng(1)
    net, x = recurrent(rng), spikes(rng)
    n = x.shape[0] * x.shape[1]
    chip = chip_with(EXACT, skip_silent=False)
    apart, joined = (run_on(chip, net, x, join=j) for j in ((), "loop"))
    assert (apart.counts.n_arrays, joined.counts.n_arrays) == (3, 2)
    assert apart.counts.conversions.tolist() == [9 * n, 9 * n, 3 * n]
    assert joined.counts.conversions.tolist() == [9 * n, 3 * n]
    assert joined.counts.pulses.tolist() == [n, n]
    assert joined.counts.layer.tolist() == [0, 1]
    assert joined.counts.n_cells == apart.counts.n_cells
    assert joined.counts.rows_driven[0] == apart.counts.rows_driven[:2].sum()
    assert apart.counts.shift_adds.tolist() == [0, 9 * n, 0]  # the sum of both is digital there
    assert joined.counts.shift_adds.tolist() == [0, 0]
    np.testing.assert_array_equal(joined.counts.bits_buffered, apart.counts.bits_buffered)
    bills = [hwsim.price(run.counts, chip) for run in (apart, joined)]
    spent = [bill.component_j()["converters"] for bill in bills]
    assert spent[1] / spent[0] == pytest.approx(12 / 21)
    assert bills[1].latency_s <= bills[0].latency_s


def test_rows_of_all_together_are_cut():
    rng = np.random.default_rng(2)
    plan = compile_crossbar(
        recurrent(rng), chip_with(**CUT), spikes(rng), device=IDEAL, join="loop"
    )
    own = [plan.blocks[i] for i in plan.blocks_of[0]]
    assert len(own) == 5 * 3  # 12 + 9 rows of 5, 9 columns of 3 pairs
    assert plan.blocks_of.keys() == {0, 2}
    assert plan.together == ((0, 1), (2,))
    with pytest.raises(hwsim.DoesNotFit, match=r"array.count 17 of 16"):  # and 2 of the read-out
        compile_crossbar(recurrent(rng), chip_with(**CUT | {"count": 16}), spikes(rng), join="loop")


def two_inputs(rng, **neuron):
    """Neurons that show the sum of the last step, of two inputs, two steps apart."""
    how = hwsim.Neuron.of(**({"decay_v": 0.0, "emits": "nothing"} | neuron))
    a, b = rng.normal(size=(6, 8)), rng.normal(size=(6, 5))
    ends = (hwsim.Population("a", (8,)), hwsim.Population("b", (5,)))
    return hwsim.Network(
        (*ends, hwsim.Population("out", (6,), how)),
        (
            hwsim.Projection.of("a", "out", hwsim.Dense.of(a), delay=1),
            hwsim.Projection.of("b", "out", hwsim.Dense.of(b), delay=3),
        ),
    )


def stacked(net, plan):
    """Conductances of both matrices one below the other, and siemens of a weight of 1."""
    w = np.concatenate([p.synapses.weight.T for p in net.projections])
    scale = plan.device.g_max_siemens / np.abs(w).max()
    g = np.zeros((len(w), 2 * w.shape[1]))
    g[:, 0::2], g[:, 1::2] = scale * np.maximum(w, 0), scale * np.maximum(-w, 0)
    return g, scale


WIRES = {"r_word_ohm": 400.0, "r_bit_ohm": 300.0, "r_driver_ohm": 50.0}


@pytest.mark.parametrize("bits", [None, 8])
def test_one_array_is_the_stacked_matrix_with_its_wires_and_converters(bits):
    rng = np.random.default_rng(3)
    net = two_inputs(rng)
    x = {"a": spikes(rng, 60, 6, 8), "b": spikes(rng, 60, 6, 5)}
    chip = chip_with({"bits": bits, "percentile": 100}, **WIRES)
    plan = compile_crossbar(net, chip, x, device=IDEAL, join="out")
    (block,) = plan.blocks
    g, scale = stacked(net, plan)
    np.testing.assert_allclose(block.wanted, g, rtol=1e-12, atol=1e-20)
    seen = reduce_array(g, plan.wires).g_eff
    seen, v = seen[:, 0::2] - seen[:, 1::2], chip.array.v_read_volt
    late = np.pad(x["b"], ((0, 0), (2, 0), (0, 0)))[:, :6]  # what the rows see at once
    lines = np.concatenate([x["a"], late], axis=2).astype(float)
    adc = None
    if bits is not None:
        largest = np.abs(lines.reshape(-1, 13) @ seen).max() * v
        assert (block.low, block.high) == pytest.approx((-largest, largest), rel=1e-9)
        adc = Adc(bits=bits, low=block.low, high=block.high)
    read = Reader(seen, v, adc=adc).read(lines[:, 4]) / (scale * v)
    found = simulate_crossbar(fabricate(plan), x).output  # step 5 hears what step 4 sent
    step = 1e-9 if adc is None else 1.01 * adc.lsb / (scale * v)
    assert np.abs(found - read).max() <= step  # a code on an edge, in float32, is one off
    assert np.mean(np.abs(found - read) > 1e-6) < 0.02
    exact = hwsim.simulate(net, x).output
    assert np.abs(found - exact).max() > 2 * step  # wires are seen


@pytest.mark.parametrize("kind", ["serial", "dac"])
def test_numbers_of_all_sources_share_the_drivers(kind):
    rng = np.random.default_rng(4)
    net = two_inputs(rng)
    x = {"a": rng.integers(-5, 3, (20, 5, 8)), "b": rng.integers(0, 8, (20, 5, 5))}
    x["b"][0, 0, 0] = 7
    chip = chip_with(EXACT, {"kind": kind, "bits": 3 if kind == "serial" else 4})
    plan = compile_crossbar(net, chip, x, device=IDEAL, join="out")
    found = simulate_crossbar(fabricate(plan), x)
    assert plan.blocks[0].x_full == (7.0 if kind == "dac" else 1.0)
    np.testing.assert_allclose(found.output, hwsim.simulate(net, x).output, atol=1e-10)
    assert found.counts.pulses.tolist() == [100 * (6 if kind == "serial" else 1)]


def test_calibration_corrects_the_sum_of_all_that_is_joined():
    rng = np.random.default_rng(5)
    net = two_inputs(rng, decay_v=1.0)  # the sum of all steps
    x = {"a": spikes(rng, 40, 6, 8), "b": spikes(rng, 40, 6, 5)}
    plan = compile_crossbar(net, chip_with(EXACT), x, device=IDEAL.spread(0.1), join="out")
    made = fabricate(plan)
    whole = calibrate_chip(made, x)
    assert whole.corrections.keys() == {0}
    exact = hwsim.simulate(net, x).output.mean(axis=0)
    before, after = (simulate_crossbar(m, x).output.mean(axis=0) for m in (made, whole))
    np.testing.assert_allclose(after, exact, atol=1e-9)
    assert np.abs(before - exact).max() > 0.1


TAOX = load_device("taox-40nm").with_(read=None)
ENDS = (("input", "loop"), ("loop", "loop"))


def formed_net(seed, units):
    rng = np.random.default_rng(seed)
    pairs = [form_pairs(TAOX, n, 9, rng, 3.3) for n in (12, 9)]
    weights = [p.weight(u).T for p, u in zip(pairs, units, strict=True)]
    return recurrent(rng, weights=weights, v_th=1.5), dict(zip(ENDS, pairs, strict=True))


@pytest.mark.parametrize("array", [{}, CUT], ids=["one array", "cut"])
@pytest.mark.parametrize("time_s", [0.0, 1e6])
def test_formed_cells_of_all_lie_on_one_array_and_age(array, time_s):
    unit = 12e-6
    net, formed = formed_net(6, (unit, unit))
    x = spikes(np.random.default_rng(7), steps=30)
    chip = chip_with(EXACT, **array)
    plan = compile_crossbar(net, chip, x, device=TAOX, formed=formed, join="loop")
    aged = [p.cells.at(time_s) for p in formed.values()]
    weights = [(g[:, 0::2] - g[:, 1::2]).T / unit for g in aged]
    wanted = hwsim.simulate(
        recurrent(np.random.default_rng(6), weights=weights, v_th=1.5), x, record=("spikes",)
    ).spikes["loop"]

    def differ(made):
        run = simulate_crossbar(made, x, time_s=time_s, record="loop")
        return float((run.spikes["loop"] != wanted).sum())

    assert over_chips(plan, 2, differ).values.tolist() == [0.0, 0.0]
    young = hwsim.simulate(net, x, record=("spikes",)).spikes["loop"]
    assert (young != wanted).any() == (time_s > 0)


def test_formed_cells_of_one_array_are_all_there_and_of_one_scale():
    x = spikes(np.random.default_rng(7))
    net, formed = formed_net(6, (12e-6, 6e-6))
    with pytest.raises(ValueError, match="by one `siemens_per_weight`"):
        compile_crossbar(net, chip_with(), x, device=TAOX, formed=formed, join="loop")
    formed.pop(ENDS[1])
    with pytest.raises(ValueError, match="1 of 2 projections into 'loop' are formed"):
        compile_crossbar(net, chip_with(), x, device=TAOX, formed=formed, join="loop")


def test_sense_amplifiers_can_be_the_neurons_of_what_is_joined():
    rng = np.random.default_rng(8)
    net, x = recurrent(rng, decay_v=0.0, v_th=0.5, reset_late=False), spikes(rng, steps=20)
    chip = chip_with({"kind": "sense"})
    run = run_on(chip, net, x, join="loop", host="out")
    wanted = hwsim.simulate(net, x, record=("spikes",)).spikes["loop"]
    np.testing.assert_array_equal(run.spikes["loop"], wanted)
    with pytest.raises(hwsim.DoesNotFit, match="sums over arrays"):
        run_on(chip, net, x, host="out")


def odd(**change):
    def net(rng):
        plain = recurrent(rng)
        p = plain.projections[1]
        other = {"synapses": p.synapses, "delay": 1, "gain": 1.0} | {
            k: v(p.synapses.weight) for k, v in change.items()
        }
        own = hwsim.Projection.of("loop", "loop", other.pop("synapses"), **other)
        return hwsim.Network(plain.populations, (plain.projections[0], own, plain.projections[2]))

    return net


@pytest.mark.parametrize(
    ("net", "options", "said"),
    [
        (recurrent, {"join": "nowhere"}, "what 'nowhere' hears: layers are loop, out"),
        (recurrent, {"join": "input"}, "what 'input' hears: layers are loop, out"),
        (recurrent, {"join": "out"}, "'out' hears 1 projection: there is nothing to join"),
        (recurrent, {"join": "loop", "host": "loop"}, "'loop' is left to the host"),
        (odd(gain=lambda w: 2.0), {"join": "loop"}, "fold gains into the weights"),
        (odd(synapses=hwsim.Sparse.from_dense), {"join": "loop"}, "dense and of one delay"),
        (odd(delay=lambda w: np.ones(w.shape, int)), {"join": "loop"}, "dense and of one delay"),
    ],
)
def test_what_cannot_be_joined_is_refused_in_one_line(net, options, said):
    rng = np.random.default_rng(9)
    with pytest.raises(ValueError, match=said) as error:
        compile_crossbar(net(rng), chip_with(), spikes(rng), **options)
    assert "\n" not in str(error.value)
