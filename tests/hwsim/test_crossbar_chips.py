import numpy as np
import pytest

import hwsim
from hwsim.crossbar.chips import Spread, over_chips
from hwsim.crossbar.correction import calibrate_chip
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.mixed import split_network
from hwsim.crossbar.plan import compile_crossbar
from tests.crossbar_chips import EXACT, IDEAL, chip_with, layered, spikes


def test_chips_have_seeds_of_their_own_and_their_spread_is_that_of_their_figures():
    rng = np.random.default_rng(0)
    net, x = layered(rng), spikes(rng)
    plan = compile_crossbar(net, chip_with(), x, device=IDEAL.spread(0.1))
    seen = []
    found = over_chips(
        plan, 4, lambda made: float(made.seed), seed=7, on_chip=lambda: seen.append(1)
    )
    assert found.values.tolist() == [7, 8, 9, 10]
    assert len(seen) == 4
    assert found.mean == 8.5
    assert found.p5_p95 == (7.15, 9.85)
    low, high = found.interval()
    assert low == pytest.approx(8.5 - 3.182446 * np.sqrt(5 / 3) / 2, rel=1e-6)
    assert high - 8.5 == pytest.approx(8.5 - low)
    assert Spread(np.array([3.0])).interval() == (3.0, 3.0)
    with pytest.raises(ValueError, match="0 chips were asked for, must be 1 or more"):
        over_chips(plan, 0, lambda made: 0.0)


def test_correction_gives_every_channel_its_mean_and_spread_back():
    rng = np.random.default_rng(1)
    kernel = hwsim.Conv2d.of(rng.normal(size=(6, 2, 3, 3)), padding=1)
    net = hwsim.Network(
        (
            hwsim.Population("input", (2, 6, 6)),
            hwsim.Population("conv", (6, 6, 6), hwsim.Neuron.of(decay_v=0.8)),
            hwsim.Population("out", (8,), hwsim.Neuron.of(emits="nothing")),
        ),
        (
            hwsim.Projection.of("input", "conv", kernel),
            hwsim.Projection.of("conv", "out", hwsim.Dense.of(rng.normal(size=(8, 216)))),
        ),
    )
    x = (rng.random((8, 10, 2, 6, 6)) < 0.3).astype(np.uint8)
    device = IDEAL.spread(0.1)
    plan = compile_crossbar(net, chip_with(EXACT), x, device=device)
    made = fabricate(plan, seed=3)
    better = calibrate_chip(made, x)
    assert [len(better.corrections[k].factor) for k in (0, 1)] == [6, 8]
    again = calibrate_chip(better, x).corrections
    np.testing.assert_allclose(again[0].factor, better.corrections[0].factor)  # measured bare
    wanted = hwsim.simulate(net, x).output
    errors = [np.abs(simulate_crossbar(m, x).output - wanted).mean() for m in (made, better)]
    assert errors[1] < 0.7 * errors[0]
    perfect = fabricate(compile_crossbar(net, chip_with(EXACT), x, device=IDEAL))
    for c in calibrate_chip(perfect, x).corrections.values():
        np.testing.assert_allclose(c.factor, 1, rtol=1e-9)
        np.testing.assert_allclose(c.offset, 0, atol=1e-9)


def test_a_cut_network_is_the_whole_one():
    rng = np.random.default_rng(2)
    net, x = layered(rng, (12, 9, 7, 4)), spikes(rng)
    first, second = split_network(net, ("layer1", "layer2"))
    assert [p.name for p in second.inputs] == ["layer0"]
    assert first.output == "layer0"
    handed = hwsim.simulate(first, x, record="spikes").spikes["layer0"]
    np.testing.assert_array_equal(
        hwsim.simulate(second, {"layer0": handed}).output, hwsim.simulate(net, x).output
    )


def test_layers_on_crossbars_hand_their_spikes_to_neurocores():
    rng = np.random.default_rng(3)
    net, x = layered(rng, (12, 20, 6)), spikes(rng, 5, 15)
    first, second = split_network(net, ("layer1",))
    plan = compile_crossbar(first, chip_with(EXACT), x, device=IDEAL)
    handed = simulate_crossbar(fabricate(plan), x, record=("layer0",)).spikes["layer0"]
    chip = hwsim.load_chip("loihi2")
    qnet, _ = hwsim.quantize(second, chip, handed)
    run = hwsim.simulate(hwsim.compile(qnet, chip), handed)
    whole = hwsim.simulate(net, x).output
    assert np.abs(run.output - whole).mean() < 0.2 * whole.mean()


@pytest.mark.parametrize(
    ("later", "match"),
    [
        (("input",), "'input' is no layer"),
        (("nowhere",), "'nowhere' is no layer"),
        ((), "needs layers on both sides"),
        (("layer0", "layer1"), "needs layers on both sides"),
        (("layer0",), "layer0 -> layer1 goes back over the cut"),
    ],
)
def test_cuts_that_cannot_be_made_are_refused(later, match):
    net = layered(np.random.default_rng(4))
    with pytest.raises(ValueError, match=match):
        split_network(net, later)


def test_taox_chips_differ_and_keep_their_answers_near():
    rng = np.random.default_rng(5)
    net, x = layered(rng, (40, 30, 5)), spikes(rng, 10, 20, 40)
    plan = compile_crossbar(net, hwsim.load_chip("rram-40nm"), x, device=load_device("taox-40nm"))
    wanted = hwsim.simulate(net, x).output
    outputs = [simulate_crossbar(fabricate(plan, seed=s), x).output for s in range(3)]
    assert (outputs[0] != outputs[1]).any()
    assert (outputs[1] != outputs[2]).any()
    assert all(np.corrcoef(o.ravel(), wanted.ravel())[0, 1] > 0.8 for o in outputs)
