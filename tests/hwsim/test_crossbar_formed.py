"""Weights formed by chance: the cells that are there, on any chip of a plan, are those read off."""

import numpy as np
import pytest
from scipy.special import ndtr

import hwsim
from hwsim.crossbar import (
    FormedPairs,
    compile_crossbar,
    fabricate,
    form_pairs,
    load_device,
    simulate_crossbar,
)
from hwsim.crossbar.kept import reduced
from hwsim.crossbar.wires import Wires, reduce_array
from tests.crossbar_chips import EXACT, IDEAL, chip_with, spikes

TAOX = load_device("taox-40nm")
QUIET = TAOX.with_(read=None)
UNIT = 12e-6  # siemens of a weight of 1
HOW = {"reset": "zero", "reset_late": True, "decay_v": 0.9, "v_th": 1.5}
ENDS = (("input", "loop"), ("loop", "loop"), ("loop", "out"))


def reservoir(device=QUIET, *, seed=0, n_in=12, n=10):
    """A formed loop that hears its input and itself a step later, and a programmed read-out."""
    rng = np.random.default_rng(seed)
    heard, own = form_pairs(device, n_in, n, rng, 3.3), form_pairs(device, n, n, rng, 3.3)
    net = hwsim.Network(
        (
            hwsim.Population("input", (n_in,)),
            hwsim.Population("loop", (n,), hwsim.Neuron.of(**HOW)),
            hwsim.Population("out", (3,), hwsim.Neuron.of(decay_v=0.9, emits="nothing")),
        ),
        (
            hwsim.Projection.of(*ENDS[0], hwsim.Dense.of(heard.weight(UNIT).T)),
            hwsim.Projection.of(*ENDS[1], hwsim.Dense.of(own.weight(UNIT / 2).T), delay=1),
            hwsim.Projection.of(*ENDS[2], hwsim.Dense.of(rng.normal(size=(3, n)))),
        ),
    )
    return net, {ENDS[0]: heard, ENDS[1]: own}


def compiled(chip, *, device=QUIET, **options):
    net, formed = reservoir(device)
    x = spikes(np.random.default_rng(1), n=4, steps=20)
    return compile_crossbar(net, chip, x, device=device, formed=formed, **options), x, formed


NARROW = QUIET.with_(g_max_siemens=12e-6)  # half of the formed cells exceed what may be wanted


@pytest.mark.parametrize("device", [QUIET, NARROW], ids=["taox", "beyond the window"])
@pytest.mark.parametrize("size", [(512, 512), (5, 6)], ids=["whole", "cut"])
@pytest.mark.parametrize("pair", ["analog", "digital"])
def test_a_formed_loop_spikes_as_the_weights_read_off_it(device, size, pair):
    rows, columns = size
    chip = chip_with(EXACT, rows=rows, columns=columns, pair=pair, count=99)
    plan, x, formed = compiled(chip, device=device)
    above = formed[ENDS[0]].cells.g_wanted > device.g_max_siemens
    assert above.any() == (device is NARROW)
    wanted = hwsim.simulate(plan.network, x, record=("spikes",)).spikes["loop"]
    # the read-out is programmed, with an error: it is not compared
    run = simulate_crossbar(fabricate(plan, seed=3), x, record="loop")
    np.testing.assert_array_equal(run.spikes["loop"], wanted)
    assert 0.05 < wanted.mean() < 0.6


@pytest.mark.parametrize("volt", [3.2, 3.432, 3.5, 3.6])
def test_the_voltage_says_how_many_cells_stay_pristine(volt):
    pairs, law = form_pairs(TAOX, 100, 200, np.random.default_rng(2), volt), TAOX.forming
    share = 1 - ndtr((volt - law.breakdown_mean_volt) / law.breakdown_sd_volt)
    assert pairs.pristine == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 40_000))
    both_pristine = np.mean(pairs.weight(UNIT) == 0)
    assert both_pristine == pytest.approx(share**2, abs=0.01)


def test_the_same_generator_forms_the_same_weights_and_plus_comes_first():
    one, same, other = (form_pairs(TAOX, 6, 4, np.random.default_rng(s)) for s in (5, 5, 6))
    np.testing.assert_array_equal(one.weight(UNIT), same.weight(UNIT))
    assert (one.weight(UNIT) != other.weight(UNIT)).any()
    g = one.cells.g_wanted
    assert one.weight(2.0)[5, 3] == (g[5, 6] - g[5, 7]) / 2
    assert one.shape == one.weight(UNIT).shape == (6, 4)


def joined_again(plan, values, number):
    """An array of what its blocks have, (rows, physical columns)."""
    out = np.full((len(plan.blocks[plan.blocks_of[number][0]].matrix.weight), 20), np.nan)
    for i in plan.blocks_of[number]:
        b = plan.blocks[i]
        out[b.rows, 2 * b.columns.start : 2 * b.columns.stop] = values[i]
    return out


def test_every_chip_of_a_plan_has_the_formed_cells_and_others_are_programmed_anew():
    chip = chip_with({"gain_sd": 0.1}, rows=5, columns=6, count=99)
    plan, _, formed = compiled(chip)
    chips = [fabricate(plan, seed=s) for s in (0, 1)]
    for number, ends in enumerate(ENDS[:2]):
        assert len(plan.blocks_of[number]) > 4
        for made in chips:
            for time_s in (0.0, 1e5):  # relaxation is drawn for each cell: it is parted with it
                found = joined_again(plan, [c.at(time_s) for c in made.cells], number)
                np.testing.assert_array_equal(found, formed[ends].cells.at(time_s))
        wanted = joined_again(plan, [b.wanted for b in plan.blocks], number)
        np.testing.assert_array_equal(wanted, formed[ends].cells.at())
    for i in plan.blocks_of[2]:
        assert np.mean(chips[0].cells[i].at() != chips[1].cells[i].at()) > 0.5


def test_cells_cost_their_common_mode_too():
    """The same weights of cells that all conduct 5 uS more: so much more in the bill."""
    wide, chip = QUIET.with_(g_max_siemens=40e-6), chip_with(EXACT)
    plan, x, formed = compiled(chip, device=wide)
    more = {
        ends: FormedPairs(wide.measured(pairs.cells.at() + 5e-6, np.random.default_rng(0)))
        for ends, pairs in formed.items()
    }
    bright = compile_crossbar(plan.network, chip, x, device=wide, formed=more)
    runs = [simulate_crossbar(fabricate(p), x, record="loop") for p in (plan, bright)]
    loop = runs[0].spikes["loop"][:, :-1]
    np.testing.assert_array_equal(runs[1].spikes["loop"][:, :-1], loop)
    v = chip.array.v_read_volt
    for k, (sent, ends) in enumerate(zip((x, loop), ENDS, strict=False)):
        for run, cells in zip(runs, (formed, more), strict=True):
            watts = v**2 * float((sent @ cells[ends].cells.at().sum(axis=1)).sum())
            assert run.counts.cell_watts[k] == pytest.approx(watts, rel=1e-9)
    added = v**2 * 5e-6 * 20 * (x.sum() + loop.sum()) * chip.time.pulse.value / len(x)
    joules = [hwsim.price(run.counts, chip).component_j()["cells"] for run in runs]
    assert joules[1] - joules[0] == pytest.approx(added, rel=1e-9)
    assert runs[0].counts.n_cells == 2 * (120 + 100 + 30)  # all of them are to be written


def test_ranges_of_converters_hold_what_the_formed_cells_conduct():
    plan, x, formed = compiled(chip_with({"percentile": 100}, pair="digital"))
    block = plan.blocks[0]
    g = formed[ENDS[0]].cells.at()
    largest = (x.reshape(-1, 12) @ g).max() * plan.chip.array.v_read_volt
    assert (block.low, block.high) == pytest.approx((0.0, largest))


def broken(change):
    net, formed = reservoir()
    options = {"device": QUIET, "formed": formed}
    return change(net, formed, options) or net, options


def weights(scale):
    def change(net, formed, options):
        w = net.projections[1].synapses.weight
        other = hwsim.Dense.of(scale(w))
        p = hwsim.Projection.of(*ENDS[1], other, delay=1)
        return hwsim.Network(net.populations, (net.projections[0], p))

    return change


def delays(net, formed, options):
    w = net.projections[1].synapses.weight
    p = hwsim.Projection.of(*ENDS[1], hwsim.Dense.of(w), delay=np.ones(w.shape, int))
    return hwsim.Network(net.populations, (net.projections[0], p))


def gives(**values):
    return lambda net, formed, options: options.update(values)


def cells_of(ends, value):
    return lambda net, formed, options: formed.update({ends: value})


PAIRS = form_pairs(QUIET, 12, 10, np.random.default_rng(0))


@pytest.mark.parametrize(
    ("change", "array", "said"),
    [
        (weights(np.zeros_like), {}, "weights are not those of the cells"),
        (weights(lambda w: -w), {}, "weights are not those of the cells"),
        (weights(lambda w: w + 1e-3 * (w > 0)), {}, "weights are not those of the cells"),
        (cells_of(("loop", "input"), PAIRS), {}, "0 projections are that"),
        (cells_of(("input", "loop"), PAIRS.cells), {}, "give `form_pairs"),
        (cells_of(("loop", "loop"), PAIRS), {}, r"are \(12, 10\) weights, must be \(10, 10\)"),
        (gives(device=IDEAL), {}, "are of device taox-40nm, the plan's is ideal"),
        (gives(host="loop"), {}, "'loop' is left to the host"),
        (delays, {}, "must be dense and of one delay"),
        (gives(), {"signed": "offset"}, "give a chip of whole pairs"),
        (gives(), {"weight_bits": 4, "slice_bits": 2}, "give a chip of whole pairs"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(change, array, said):
    net, options = broken(change)
    x = spikes(np.random.default_rng(1))
    with pytest.raises(ValueError, match=said) as error:
        compile_crossbar(net, chip_with(**array), x, **options)
    assert "\n" not in str(error.value)


def test_weights_rounded_to_float32_are_still_those_of_the_cells():
    net, options = broken(weights(lambda w: w.astype(np.float32)))
    plan = compile_crossbar(net, chip_with(), spikes(np.random.default_rng(1)), **options)
    assert plan.blocks[1].coding.siemens_per_weight == pytest.approx(UNIT / 2, rel=1e-7)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda: FormedPairs(TAOX.form((4, 5), np.random.default_rng(0))), "must be .rows, 2 x"),
        (lambda: FormedPairs(np.ones((4, 4))), "give what `Device.form` returns"),
        (lambda: form_pairs(TAOX, 0, 5, np.random.default_rng(0)), "must be 1 or more of each"),
        (lambda: form_pairs(IDEAL, 3, 5, np.random.default_rng(0)), "ideal is formed"),
        (lambda: PAIRS.weight(0.0), "siemens_per_weight is 0.0, must be above 0"),
    ],
)
def test_cells_that_are_no_formed_pairs_are_refused(act, said):
    with pytest.raises(ValueError, match=said):
        act()


def test_reductions_are_kept_and_are_those_of_the_cells():
    g = np.random.default_rng(0).uniform(1e-6, 2e-5, (12, 10))
    wires = Wires(r_word_ohm=2.0, r_bit_ohm=3.0)
    once, other = reduced(g, wires), reduced(g, Wires(r_word_ohm=2.0, r_bit_ohm=4.0))
    assert np.array_equal(once.g_eff, reduce_array(g, wires).g_eff)
    assert reduced(g.copy(), wires) is once
    assert not np.array_equal(once.g_eff, other.g_eff)
    moved = g.copy()
    moved[3, 4] *= 1.001
    assert not np.array_equal(reduced(moved, wires).g_eff, once.g_eff)
    assert np.array_equal(reduced(g.T, wires).g_eff, reduce_array(g.T, wires).g_eff)
    with pytest.raises(ValueError, match="read-only"):
        once.g_eff[0, 0] = 0.0


def test_weights_that_are_all_zero_say_no_scale_and_cells_programmed_for_them_are_not_clipped():
    pairs = form_pairs(QUIET, 12, 10, np.random.default_rng(0), 0.01)
    net = hwsim.Network(
        (hwsim.Population("input", (12,)), hwsim.Population("loop", (10,), hwsim.Neuron.of())),
        (hwsim.Projection.of(*ENDS[0], hwsim.Dense.of(pairs.weight(UNIT).T)),),
    )
    chip, x = hwsim.load_chip("rram-40nm"), spikes(np.random.default_rng(1), n=4, steps=20)
    with pytest.raises(ValueError, match="all weights are 0, nothing says what a siemens is worth"):
        compile_crossbar(net, chip, x, device=QUIET, formed={ENDS[0]: pairs})
    plan = compile_crossbar(net, chip, x)
    run = simulate_crossbar(fabricate(plan), x)
    assert plan.chip.array.wires_resist
    assert run.counts.clipped.sum() == 0 < run.counts.conversions.sum()
