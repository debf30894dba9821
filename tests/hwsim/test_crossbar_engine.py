import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hwsim
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import compile_crossbar
from tests.crossbar_chips import CHIP, EXACT, IDEAL, chip_with, layered, spikes
from tests.strategies import inputs_of, real_networks


@st.composite
def arrays(draw):
    """Ways to lay weights on arrays, exact ones."""
    rows, columns = draw(st.integers(1, 12)), draw(st.integers(4, 12))
    signed = draw(st.sampled_from(["pairs", "offset"]))
    pair = draw(st.sampled_from(["analog", "digital"]))
    return {"rows": rows, "columns": columns, "signed": signed, "pair": pair, "count": 10_000}


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_ideal_cells_and_exact_converters_give_the_real_networks_spikes(data):
    net = data.draw(real_networks())
    x = data.draw(inputs_of(net))
    skip = data.draw(st.booleans())
    chip = chip_with(EXACT, skip_silent=skip, **data.draw(arrays()))
    plan = compile_crossbar(net, chip, x, device=IDEAL)
    run = simulate_crossbar(fabricate(plan), x, record=tuple(p.name for p in net.populations))
    wanted = hwsim.simulate(net, x, record=("spikes",))
    for name in plan.layers:
        np.testing.assert_array_equal(run.spikes[name], wanted.spikes[name])
    np.testing.assert_array_equal(run.output, wanted.output)


def run_on(chip, net, x, *, device=IDEAL, seed=0, **options):
    plan = compile_crossbar(net, chip, x, device=device, **options)
    return simulate_crossbar(fabricate(plan, seed=seed), x, record=plan.layers)


def test_many_bits_come_near_the_real_networks_spikes_and_few_do_not():
    rng = np.random.default_rng(0)
    net, x = layered(rng, (40, 60, 10)), spikes(rng, 20, 20, 40)
    wanted = hwsim.simulate(net, x, record="spikes").spikes["layer0"]
    differ = []
    for bits in (3, 8, 14):
        run = run_on(chip_with({"bits": bits, "percentile": 100}), net, x)
        differ.append(int((run.spikes["layer0"] != wanted).sum()))
    assert differ[2] <= 2 < differ[1] < differ[0]


@pytest.mark.parametrize("signed", ["pairs", "offset"])
def test_slices_hold_weights_rounded_to_their_bits(signed):
    rng = np.random.default_rng(1)
    net, x = layered(rng, (12, 9), emits="nothing"), spikes(rng)
    bits = 7
    chip = chip_with(EXACT, signed=signed, slice_bits=3, weight_bits=bits)
    weight = net.projections[0].synapses.weight
    step = np.abs(weight).max() / (2 ** (bits - (signed == "offset")) - 1)
    rounded = hwsim.Projection.of("input", "layer0", hwsim.Dense.of(np.rint(weight / step) * step))
    wanted = hwsim.simulate(hwsim.Network(net.populations, (rounded,)), x).output
    np.testing.assert_allclose(run_on(chip, net, x).output, wanted, rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", ["serial", "dac"])
def test_numbers_are_sent_serially_or_by_converters(kind):
    rng = np.random.default_rng(2)
    net = layered(rng, (12, 9), emits="nothing")
    x = rng.integers(-5, 6, (3, 7, 12)).astype(float)
    x[0, 0, :2] = 5, -5
    chip = chip_with(EXACT, {"kind": kind, "bits": 4 if kind == "dac" else 3})
    found = run_on(chip, net, x)
    steps = x if kind == "serial" else np.rint(x / 5 * 7) / 7 * 5
    np.testing.assert_allclose(found.output, hwsim.simulate(net, steps).output, atol=1e-11)
    assert found.counts.pulses.tolist() == [21 * (6 if kind == "serial" else 1)]


def test_a_number_that_is_no_spike_is_refused():
    rng = np.random.default_rng(3)
    net, x = layered(rng), 2 * spikes(rng)
    with pytest.raises(ValueError, match="spike inputs are whole numbers from 0 to 1, got 2"):
        run_on(CHIP, net, x)


def test_counts_are_what_the_sizes_and_spikes_say():
    rng = np.random.default_rng(4)
    net, x = layered(rng), spikes(rng)
    chip = chip_with({"bits": 8, "columns_per_adc": 4}, rows=7, columns=8, count=50)
    run = run_on(chip, net, x)
    c, n = run.counts, x.shape[0] * x.shape[1]
    hidden = run.spikes["layer0"]
    # 12 rows in 2 parts; 9 columns of 4 pairs in 3 parts; then 9 rows in 2 parts, 4 columns in 1
    assert c.n_arrays == 2 * 3 + 2
    assert c.layer.tolist() == [0] * 6 + [1] * 2
    assert c.n_cells == 2 * (12 * 9 + 9 * 4)
    assert c.depth == 2
    assert c.pulses.tolist() == [n] * 8
    assert c.rows_driven[:6].reshape(2, 3).sum(axis=0).tolist() == [int(x.sum())] * 3
    assert int(c.rows_driven[6:].sum()) == int(hidden.sum())
    assert int(c.conversions.sum()) == n * (2 * 9 + 2 * 4)
    assert int(c.columns_read.sum()) == 2 * int(c.conversions.sum())
    assert int(c.cells_driven[:6].sum()) == 2 * 9 * int(x.sum())
    assert int(c.shift_adds.sum()) == n * (9 + 4)  # the second part of each sum is added
    assert c.serial_conversions.max() == n * 4
    assert c.senses.sum() == 0
    assert c.updates.tolist() == [n * 9, n * 4]
    assert c.spikes.tolist() == [int(hidden.sum()), int(run.spikes["layer1"].sum())]
    assert c.bits_buffered.tolist() == [n * 12, n * 9]
    assert (c.n_samples, c.n_steps, c.n_inputs, c.n_readouts) == (3, n, int(x.sum()), 3 * 4)


def test_counts_of_two_runs_add_up_and_of_two_plans_do_not():
    rng = np.random.default_rng(5)
    net, x = layered(rng), spikes(rng, 4)
    plan = compile_crossbar(net, chip_with(), x, device=IDEAL)
    made = fabricate(plan)
    parts = [simulate_crossbar(made, some).counts for some in (x[:1], x[1:])]
    whole, summed = simulate_crossbar(made, x).counts, parts[0] + parts[1]
    for f in dataclasses.fields(whole):
        np.testing.assert_allclose(getattr(summed, f.name), getattr(whole, f.name), rtol=1e-12)
    other = run_on(chip_with(rows=7, columns=8), net, x).counts
    with pytest.raises(ValueError, match="do not add up"):
        other + whole


def test_silent_reads_are_skipped_where_the_chip_can():
    rng = np.random.default_rng(6)
    net, x = layered(rng), spikes(rng)
    x[:, 3:5] = 0
    for skips, reads in ((False, 21), (True, int(x.any(axis=2).sum()))):
        run = run_on(chip_with(EXACT, skip_silent=skips), net, x)
        assert run.counts.pulses[0] == reads
        np.testing.assert_array_equal(run.output, hwsim.simulate(net, x).output)


@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_power_is_voltage_times_the_current_of_every_driver(idle):

    from hwsim.crossbar.gated import solve_gated
    from hwsim.crossbar.wires import solve_array

    rng = np.random.default_rng(7)
    net, x = layered(rng, (12, 5)), spikes(rng)
    resists = {"r_word_ohm": 300.0, "r_bit_ohm": 500.0, "r_driver_ohm": 50.0}
    plan = compile_crossbar(net, chip_with(idle=idle, **resists), x, device=IDEAL)
    v, solve = plan.chip.array.v_read_volt, solve_gated if idle == "gated" else solve_array
    volts = v * x.reshape(-1, 12).astype(float)
    solved = solve(plan.blocks[0].wanted, volts, plan.wires)
    watts = simulate_crossbar(fabricate(plan), x).counts.cell_watts
    np.testing.assert_allclose(watts, [(solved.i_word * volts).sum()], rtol=1e-9)
    ideal = run_on(chip_with(), net, x).counts.cell_watts
    assert 0 < watts[0] < ideal[0]


def test_wires_that_resist_weaken_what_arrives():
    rng = np.random.default_rng(8)
    net, x = layered(rng, (12, 9), emits="nothing"), spikes(rng)
    found = {}
    for ohm in (0.0, 1e-3, 2000.0):
        chip = chip_with(EXACT, r_word_ohm=ohm, r_bit_ohm=ohm)
        found[ohm] = run_on(chip, net, x).output
    np.testing.assert_allclose(found[1e-3], found[0.0], rtol=1e-4, atol=1e-6)
    assert np.abs(found[2000.0]).sum() < 0.95 * np.abs(found[0.0]).sum()


def test_sense_amplifiers_are_threshold_neurons():
    rng = np.random.default_rng(9)
    net = layered(rng, decay_v=0.0, v_th=0.5)
    x = spikes(rng)
    chip = chip_with({"kind": "sense"})
    run = run_on(chip, net, x)
    np.testing.assert_array_equal(run.output, hwsim.simulate(net, x).output)
    assert run.counts.senses.sum() == 21 * 13
    assert run.counts.conversions.sum() == 0
    assert run.counts.updates.sum() == 0
    worse = run_on(chip_with({"kind": "sense", "sense_offset_sd_ampere": 1e-6}), net, x)
    assert (worse.output != run.output).any()


def test_sense_amplifiers_need_layers_without_memory_on_one_array():
    rng = np.random.default_rng(10)
    x = spikes(rng)
    with pytest.raises(hwsim.DoesNotFit, match=r"'layer0'.*memory.*leave it to the host"):
        run_on(chip_with({"kind": "sense"}), layered(rng), x)
    with pytest.raises(hwsim.DoesNotFit, match="sums over arrays"):
        run_on(chip_with({"kind": "sense"}, rows=5), layered(rng, decay_v=0.0), x)


def test_layers_on_the_host_are_exact_and_counted_there():
    rng = np.random.default_rng(11)
    net, x = layered(rng), spikes(rng)
    run = run_on(chip_with({"bits": 2}), net, x, host=("layer0", "layer1"))
    np.testing.assert_array_equal(run.output, hwsim.simulate(net, x).output)
    hidden = run.spikes["layer0"]
    assert run.counts.host_macs.tolist() == [9 * int(x.sum()), 4 * int(hidden.sum())]
    assert run.counts.n_arrays == 0
    assert run.counts.updates.sum() == 0
    with pytest.raises(ValueError, match="host layers nowhere are no layers"):
        run_on(chip_with(), net, x, host=("nowhere",))


def test_too_many_blocks_do_not_fit():
    rng = np.random.default_rng(12)
    with pytest.raises(hwsim.DoesNotFit, match=r"array.count 8 of 3 \(shrink layers"):
        run_on(chip_with(rows=7, columns=8, count=3), layered(rng), spikes(rng))


def test_integers_are_refused():
    rng = np.random.default_rng(13)
    net, x = layered(rng), spikes(rng)
    qnet, _ = hwsim.quantize(net, hwsim.load_chip("loihi2"), x)
    with pytest.raises(ValueError, match="real numbers: give the one before `quantize`"):
        compile_crossbar(qnet, CHIP, x)


def test_the_same_seed_is_the_same_chip_and_another_is_another():
    rng = np.random.default_rng(14)
    net, x = layered(rng, (12, 9), emits="nothing"), spikes(rng)
    device = load_device("taox-40nm")
    plan = compile_crossbar(net, CHIP, x, device=device)
    outputs = [simulate_crossbar(fabricate(plan, seed=s), x).output for s in (0, 0, 1)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert (outputs[0] != outputs[2]).mean() > 0.5
