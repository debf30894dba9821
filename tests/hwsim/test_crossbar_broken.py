"""Networks, samples and chips that once came out wrong, or failed without a word."""

import dataclasses

import numpy as np
import pytest

import hwsim
from hwsim import crossbar
from hwsim.crossbar import correction, engine, plan
from hwsim.crossbar.seeds import CELLS, CONVERTERS, CORRECTION, RANGES, READS, stream_of
from tests.crossbar_chips import EXACT, IDEAL, chip_with, layered, spikes


def run_on(chip, net, x, later=None, *, device=IDEAL, seed=0, record=(), **options):
    made = crossbar.fabricate(
        crossbar.compile_crossbar(net, chip, x, device=device, **options), seed=seed
    )
    return crossbar.simulate_crossbar(made, x if later is None else later, record=record)


@pytest.mark.parametrize("table", ["v_th", "gain"])
def test_a_table_per_step_must_cover_all_steps(table):
    rng = np.random.default_rng(0)
    neuron = {"v_th": np.ones((7, 1))} if table == "v_th" else {}
    gain = {"gain": np.ones(7)} if table == "gain" else {}
    net = hwsim.Network(
        (hwsim.Population("in", (12,)), hwsim.Population("out", (9,), hwsim.Neuron.of(**neuron))),
        (hwsim.Projection.of("in", "out", hwsim.Dense.of(rng.normal(size=(9, 12))), **gain),),
    )
    with pytest.raises(ValueError, match=r"(thresholds for 7 steps|needs 8 values \(it has 7\))"):
        run_on(chip_with(EXACT), net, spikes(rng), spikes(rng, 3, 8))


def test_arguments_that_are_something_else_are_refused_in_one_line():
    rng = np.random.default_rng(1)
    net, x = layered(rng), spikes(rng)
    chip = chip_with(EXACT)
    good = crossbar.compile_crossbar(net, chip, x, device=IDEAL)
    made = crossbar.fabricate(good)
    compile_, run = crossbar.compile_crossbar, crossbar.simulate_crossbar
    wrong = [
        (lambda: compile_(net, hwsim.load_chip("loihi2"), x), "loihi2 is a chip of neurocores"),
        (lambda: compile_(net, "rram-40nm", x), "'rram-40nm' is no chip"),
        (lambda: compile_(net, chip, x, device="pcm"), "device is 'pcm': give load_device"),
        (lambda: compile_(net, chip, x, host="nix"), "host layers nix .* layer0, layer1"),
        (lambda: compile_(net, chip, x, seed=-1), "`seed` is -1, must be 0 or more"),
        (lambda: crossbar.fabricate(good, seed=-2), "`seed` is -2"),
        (lambda: crossbar.fabricate(good, seed=1.5), "`seed` is 1.5, must be a whole number"),
        (lambda: crossbar.fabricate(made), "is no plan of a chip"),
        (lambda: run(made, x, seed=-3), "`seed` is -3"),
        (lambda: run(good, x), r"a plan is no chip that was made: give what `fabricate\(plan\)`"),
        (lambda: run(made, x, record="nix"), "cannot record 'nix': there are input, layer0"),
        (lambda: crossbar.calibrate_chip(good, x), "a plan is no chip"),
        (lambda: crossbar.over_chips(good, 2.5, lambda m: 0.0), "`n_chips` is 2.5"),
    ]
    for call, match in wrong:
        with pytest.raises(ValueError, match=match) as error:
            call()
        assert "\n" not in str(error.value)


def test_one_name_stands_for_itself():
    rng = np.random.default_rng(2)
    net, x = layered(rng), spikes(rng)
    run = run_on(chip_with(EXACT), net, x, host="layer0", record="layer0")
    assert list(run.spikes) == ["layer0"]
    assert run.counts.host_macs[0] > 0


@pytest.mark.parametrize("pair", ["analog", "digital"])
def test_blocks_without_a_weight_have_converters_too(pair):
    rng = np.random.default_rng(3)
    weight = rng.normal(size=(9, 12))
    weight[:, :6] = 0  # all of the first block
    net, x = layered(rng, (12, 9), emits="nothing"), spikes(rng)
    for w in (weight, np.zeros_like(weight)):
        pruned = hwsim.Network(
            net.populations, (hwsim.Projection.of("input", "layer0", hwsim.Dense.of(w)),)
        )
        run = run_on(chip_with({"bits": 12}, rows=6, pair=pair), pruned, x)
        wanted = hwsim.simulate(pruned, x).output
        np.testing.assert_allclose(run.output, wanted, atol=0.01 * np.abs(w).max() * 7)


def test_an_input_may_be_the_output_and_neurons_may_hear_nothing():
    rng = np.random.default_rng(4)
    net, x = layered(rng), spikes(rng)
    net = hwsim.Network(net.populations, net.projections, net.dt_s, "input")
    np.testing.assert_array_equal(run_on(chip_with(EXACT), net, x).output, x.sum(axis=1))
    alone = hwsim.Network(
        (net["input"], hwsim.Population("out", (3,), hwsim.Neuron.of(bias=0.3))), ()
    )
    run = run_on(chip_with(EXACT), alone, x)
    np.testing.assert_array_equal(run.output, hwsim.simulate(alone, x).output)


@pytest.mark.parametrize(
    ("output", "given", "array", "match"),
    [
        ({"kind": "sense"}, {}, {"pair": "digital"}, "cannot subtract"),
        ({"kind": "sense"}, {"kind": "serial", "bits": 3}, {}, "cannot add bits"),
        ({}, {"kind": "dac", "bits": 1}, {}, "give 2 to 16"),
        ({}, {}, {"signed": "offset", "weight_bits": 1, "slice_bits": 1}, "one is the sign"),
    ],
)
def test_chips_that_cannot_compute_are_refused(output, given, array, match):
    with pytest.raises(ValueError, match=match):
        chip_with(output, given, **array)


def test_a_threshold_taken_off_later_is_a_memory():
    rng = np.random.default_rng(5)
    net = layered(rng, decay_v=0.0, reset="subtract", reset_late=True)
    with pytest.raises(hwsim.DoesNotFit, match=r"memory.*leave it to the host"):
        run_on(chip_with({"kind": "sense"}), net, spikes(rng))


def test_a_dac_has_the_full_scale_of_all_samples_and_saturates_beyond_it():
    rng = np.random.default_rng(6)
    net = layered(rng, (12, 9), emits="nothing")
    x = rng.uniform(-1, 1, (3, plan.CALIBRATION_READS, 12))
    x[1, 5, 2], x[1, 5, 3] = 50, -49
    chip = chip_with(EXACT, {"kind": "dac", "bits": 12})
    run = run_on(chip, net, x)
    wanted = hwsim.simulate(net, np.rint(x / 50 * 2047) / 2047 * 50).output
    np.testing.assert_allclose(run.output, wanted, rtol=1e-9, atol=1e-9)
    assert run.counts.clipped.sum() == 0
    far = np.zeros((1, 1, 12))
    far[0, 0, :3] = 75, -60, 50
    run = run_on(chip, net, x, far)
    assert run.counts.clipped.tolist() == [2]
    wanted = hwsim.simulate(net, np.clip(far, -50, 50)).output
    np.testing.assert_allclose(run.output, wanted, atol=1e-9)


def test_graded_layers_of_noisy_chips_may_send_more_than_the_exact_network():
    rng = np.random.default_rng(7)
    net, x = layered(rng, emits="graded"), rng.normal(size=(3, 7, 12))
    chip = chip_with(EXACT, {"kind": "dac", "bits": 8})
    runs = [run_on(chip, net, x, device=IDEAL.spread(0.1), seed=s) for s in range(3)]
    assert sum(int(r.counts.clipped[1:].sum()) for r in runs) > 0


def test_what_does_not_fit_is_never_laid_out():
    rng = np.random.default_rng(8)
    n = 200_000  # as a matrix, 320 GB
    synapses = hwsim.Sparse.of(
        [0.5], indptr=np.minimum(np.arange(n + 1), 1), target=[7], n_targets=n
    )
    net = hwsim.Network(
        (hwsim.Population("in", (n,)), hwsim.Population("out", (n,), hwsim.Neuron.of())),
        (hwsim.Projection.of("in", "out", synapses),),
    )
    with pytest.raises(hwsim.DoesNotFit, match=r"array.count 305762 of 64"):
        crossbar.compile_crossbar(net, chip_with(), np.zeros((1, 1, n), np.uint8))
    chip = chip_with(EXACT, rows=1, columns=2, count=5)
    with pytest.raises(hwsim.DoesNotFit, match=r"array\.count 108 of 5"):
        run_on(chip, layered(rng, (12, 9)), spikes(rng))


def test_matrices_have_the_shapes_that_are_counted():
    rng = np.random.default_rng(9)
    weight = rng.normal(size=(9, 12)) * (rng.random((9, 12)) < 0.4)
    few = hwsim.Sparse.from_dense(weight)
    for synapses, delay in (
        (hwsim.Dense.of(weight), 0),
        (hwsim.Dense.of(weight), rng.integers(0, 4, weight.shape)),
        (few, 2),
        (few, rng.integers(0, 4, few.weight.shape)),
    ):
        net = hwsim.Network(
            (hwsim.Population("in", (12,)), hwsim.Population("out", (9,), hwsim.Neuron.of())),
            (hwsim.Projection.of("in", "out", synapses, delay=delay),),
        )
        shapes = [m.weight.shape for m in plan.matrices(net, 0)]
        assert plan.matrix_shapes(net, 0) == shapes
        chip = chip_with(EXACT, rows=4, columns=6)
        made = crossbar.compile_crossbar(net, chip, spikes(rng), device=IDEAL)
        assert len(made.blocks) == sum(plan._n_blocks(s, chip.array) for s in shapes)


def conv_net(rng, emits="spikes"):
    kernel = hwsim.Conv2d.of(rng.normal(size=(4, 1, 3, 3)), padding=1, groups=2)
    return hwsim.Network(
        (
            hwsim.Population("input", (2, 6, 6)),
            hwsim.Population("conv", (4, 6, 6), hwsim.Neuron.of(decay_v=0.8, emits=emits)),
        ),
        (hwsim.Projection.of("input", "conv", kernel),),
    )


def test_reads_that_are_looked_at_are_drawn_evenly_from_pieces(monkeypatch):
    rng = np.random.default_rng(10)
    net = conv_net(rng)
    x = (rng.random((5, 8, 72)) < 0.3).astype(np.uint8)
    _, other = plan.matrices(net, 0)
    every = plan._some_reads(net, other, x, rng)
    monkeypatch.setattr(plan, "UNROLLED_BYTES", 1)
    pieces = plan._some_reads(net, other, x, rng)
    np.testing.assert_array_equal(np.sort(pieces, axis=0), np.sort(every, axis=0))
    assert every.any(axis=1).all()
    monkeypatch.setattr(plan, "CALIBRATION_READS", 40)  # of 40 steps x 36 places
    some = [plan._some_reads(net, other, x, rng) for _ in range(40)]
    assert {len(s) for s in some} == {40}
    means = np.array([s.mean() for s in some])
    assert abs(means.mean() - every.mean()) < 4 * means.std() / np.sqrt(len(some))


@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_no_result_depends_on_how_samples_are_cut(idle, monkeypatch):
    rng = np.random.default_rng(11)
    net = conv_net(rng)
    x = (rng.random((5, 8, 2, 6, 6)) < 0.3).astype(np.uint8)
    chip = chip_with({"bits": 6}, rows=7, columns=4, idle=idle, r_bit_ohm=200.0)
    compiled = crossbar.compile_crossbar(net, chip, x, device=IDEAL.spread(0.1))
    made = crossbar.fabricate(compiled)
    whole, better = (
        crossbar.simulate_crossbar(made, x, record="conv"),
        crossbar.calibrate_chip(made, x),
    )
    step = engine.bytes_per_step(net)
    for most in (1, 3 * step, 2 * 8 * step):
        monkeypatch.setattr(engine, "CHUNK_BYTES", most)
        monkeypatch.setattr(correction, "CHUNK_BYTES", most)
        cut = crossbar.simulate_crossbar(made, x, record="conv")
        np.testing.assert_array_equal(cut.spikes["conv"], whole.spikes["conv"])
        for f in dataclasses.fields(whole.counts):
            np.testing.assert_allclose(
                getattr(cut.counts, f.name), getattr(whole.counts, f.name), rtol=1e-6
            )
        again = crossbar.calibrate_chip(made, x).corrections[0]
        np.testing.assert_allclose(again.factor, better.corrections[0].factor, rtol=1e-9)
        np.testing.assert_allclose(again.offset, better.corrections[0].offset, atol=1e-9)
    back = crossbar.simulate_crossbar(made, x[::-1], record="conv").spikes["conv"]
    np.testing.assert_array_equal(back[::-1], whole.spikes["conv"])


def test_every_use_of_random_numbers_has_a_stream_of_its_own():
    first = {
        int(stream_of(seed, part, use).integers(2**63))
        for seed in range(3)
        for part in range(3)
        for use in (CELLS, CONVERTERS, READS, CORRECTION, RANGES)
    }
    assert len(first) == 3 * 3 * 5


def test_chips_and_blocks_and_runs_have_noise_of_their_own():
    rng = np.random.default_rng(12)
    net, x = layered(rng, (8, 40), emits="nothing"), np.ones((30, 1, 8), np.uint8)
    read = {"sd_siemens": (1e-6,), "source": "of this test", "class": "R"}
    noisy = IDEAL.with_(read=read | {"rel_uncertainty": 0.5})
    compiled = crossbar.compile_crossbar(net, chip_with({"bits": 16}, columns=40), x, device=noisy)

    def noise(made, seed):
        found = crossbar.simulate_crossbar(made, x, seed=seed).output
        return (found - found.mean(axis=0)).reshape(30, 2, 20)

    chips = [crossbar.fabricate(compiled, seed=s) for s in (0, 1)]
    a, b, c = noise(chips[0], 0), noise(chips[1], 0), noise(chips[0], 1)
    np.testing.assert_array_equal(a, noise(chips[0], 0))
    for one, other in ((a, b), (a, c), (a[:, 0], a[:, 1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.2


def test_the_host_counts_synapses_that_there_are_and_numbers_that_are_not_0():
    rng = np.random.default_rng(13)
    weight = rng.normal(size=(7, 12)) * (rng.random((7, 12)) < 0.3)
    x = rng.integers(-2, 3, (3, 4, 12)).astype(float)
    ends = hwsim.Population("in", (12,)), hwsim.Population("out", (7,), hwsim.Neuron.of())
    heard = (x != 0).sum(axis=(0, 1))
    for synapses, each in (
        (hwsim.Dense.of(weight), 7),
        (hwsim.Sparse.from_dense(weight), (weight != 0).sum(axis=0)),
    ):
        net = hwsim.Network(ends, (hwsim.Projection.of("in", "out", synapses),))
        run = run_on(chip_with(EXACT), net, x, host="out")
        assert run.counts.host_macs.tolist() == [int((heard * each).sum())]
        np.testing.assert_array_equal(run.output, hwsim.simulate(net, x).output)


def test_sums_of_two_projections_are_added_once_a_neuron():
    rng = np.random.default_rng(14)
    w = [hwsim.Dense.of(rng.normal(size=(3, n))) for n in (5, 4)]
    net = hwsim.Network(
        (
            hwsim.Population("a", (5,)),
            hwsim.Population("b", (4,)),
            hwsim.Population("out", (3,), hwsim.Neuron.of(emits="nothing")),
        ),
        tuple(hwsim.Projection.of(s, "out", one) for s, one in zip("ab", w, strict=True)),
    )
    x = {s: spikes(rng, 2, 6, n) for s, n in (("a", 5), ("b", 4))}
    run = run_on(chip_with(EXACT), net, x)
    assert run.counts.shift_adds.tolist() == [0, 12 * 3]
    np.testing.assert_allclose(run.output, hwsim.simulate(net, x).output, atol=1e-12)


def test_a_corrected_chip_has_the_mean_of_every_channel_at_its_age():
    rng = np.random.default_rng(15)
    net, x = layered(rng, (12, 9), emits="nothing", decay_v=1.0), spikes(rng, 6)
    device = crossbar.load_device("pcm").with_(read=None)
    plan_of_it = crossbar.compile_crossbar(net, chip_with(EXACT), x, device=device)
    made = crossbar.fabricate(plan_of_it)
    better = crossbar.calibrate_chip(made, x, time_s=1e6)
    wanted = hwsim.simulate(net, x).output.mean(axis=0)
    found = crossbar.simulate_crossbar(better, x, time_s=1e6).output.mean(axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)
    young = crossbar.simulate_crossbar(better, x).output.mean(axis=0)
    assert np.abs(young - wanted).max() > 0.01


@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_an_older_chip_draws_less_from_its_drivers(idle):
    rng = np.random.default_rng(16)
    net, x = layered(rng, (12, 9), emits="nothing"), spikes(rng, 6)
    device = crossbar.load_device("pcm")
    chip = chip_with(idle=idle, r_bit_ohm=100.0)
    made = crossbar.fabricate(crossbar.compile_crossbar(net, chip, x, device=device))
    watts = [
        crossbar.simulate_crossbar(made, x, time_s=t).counts.cell_watts[0] for t in (0, 1e3, 1e6)
    ]
    assert watts[0] > 1.05 * watts[1] > 1.1 * watts[2]


def test_a_layer_with_two_inputs_or_a_rest_is_no_sense_amplifier():
    rng = np.random.default_rng(17)
    two = hwsim.Dense.of(rng.normal(size=(3, 5)))
    ends = (hwsim.Population("a", (5,)), hwsim.Population("out", (3,), hwsim.Neuron.of(decay_v=0)))
    p = hwsim.Projection.of("a", "out", two)
    sense = chip_with({"kind": "sense"})
    x = spikes(rng, 1, 2, 5)
    with pytest.raises(hwsim.DoesNotFit, match="sums over arrays"):
        run_on(sense, hwsim.Network(ends, (p, p)), x)
    late = hwsim.Projection.of("a", "out", two, delay=rng.integers(0, 2, (3, 5)))
    with pytest.raises(hwsim.DoesNotFit, match="sums over arrays"):
        run_on(sense, hwsim.Network(ends, (late,)), x)
    rests = layered(rng, (5, 3), decay_v=0.0, refractory=2)
    with pytest.raises(hwsim.DoesNotFit, match="memory"):
        run_on(sense, rests, x)


def test_loops_are_as_deep_as_they_have_members_and_hosts_send_no_spikes_of_the_chip():
    rng = np.random.default_rng(18)
    names = ("in", "a", "b", "out")
    how = hwsim.Neuron.of(v_th=0.3)
    net = hwsim.Network(
        tuple(hwsim.Population(n, (4,), None if n == "in" else how) for n in names),
        tuple(
            hwsim.Projection.of(s, t, hwsim.Dense.of(rng.normal(size=(4, 4))), delay=d)
            for s, t, d in (("in", "a", 0), ("a", "b", 0), ("b", "a", 1), ("b", "out", 0))
        ),
    )
    x = spikes(rng, 3, 6, 4)
    run = run_on(chip_with(EXACT), net, x, host="out", record=names)
    assert run.counts.depth == 3
    assert run.counts.spikes.tolist() == [run.spikes["a"].sum(), run.spikes["b"].sum(), 0]
    np.testing.assert_array_equal(run.output, hwsim.simulate(net, x).output)


def test_counts_of_graded_spikes_are_of_spikes_and_bits_are_those_of_numbers():
    rng = np.random.default_rng(19)
    net, x = layered(rng, emits="graded"), rng.normal(size=(3, 7, 12))
    run = run_on(chip_with({}, {"kind": "dac", "bits": 9}), net, x, record="layer0")
    spiked = (run.spikes["layer0"] != 0).sum(axis=1)
    np.testing.assert_array_equal(run.spike_counts["layer0"], spiked)
    assert run.counts.spikes[0] == spiked.sum()
    assert run.counts.bits_buffered.tolist() == [21 * 12 * 9, 21 * 9 * 9]


def test_a_devices_file_is_found_from_the_chips(tmp_path, monkeypatch):
    from hwsim.chips.files import copy_chip

    crossbar.copy_device("pcm", tmp_path / "cells.toml")
    copy_chip("rram-40nm", tmp_path / "mine.toml")
    text = (tmp_path / "mine.toml").read_text().replace('"taox-40nm"', '"cells.toml"')
    (tmp_path / "mine.toml").write_text(text)
    monkeypatch.chdir(tmp_path.parent)
    rng = np.random.default_rng(20)
    net, x = layered(rng), spikes(rng)
    for path in (tmp_path / "mine.toml", f"{tmp_path.name}/mine.toml"):
        assert crossbar.compile_crossbar(net, hwsim.load_chip(path), x).device.name == "cells"
