"""Reservoirs: the published cell, the same in torch, the simulator, cores and crossbars."""

import numpy as np
import pytest
import torch
from neuro.datasets import load
from neuro.datasets.interface import Binning

import hwsim
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import compile_crossbar
from neuro.deploy import parity
from neuro.models.build import build_stack
from neuro.models.lsm import LSM, RESERVOIR, Reservoir
from neuro.recipe import ModelSpec
from neuro.to_network import export
from neuro.training.qat import quantised

SHAPE, N = (1, 16, 16), 60
HOW = {"scale": 0.15, "decay_v": 0.9, "v_th": 5.0}


@pytest.fixture(scope="module")
def frames():
    """Real recordings, one polarity, the middle of the sensor, (20, 50, 1, 16, 16)."""
    binning = Binning(n_steps=50, clip=1, polarity="off")
    return np.array(load("nmnist-slice", "test").binned(binning)[0][:, :, :, 9:25, 9:25])


@pytest.fixture(scope="module")
def reservoir():
    return Reservoir.gaussian(256, N, np.random.default_rng(3), **HOW)


def published(reservoir, frames):
    """The cell as the paper writes it, a step at a time; spikes (samples, steps, neurons)."""
    x = frames.reshape(*frames.shape[:2], -1).astype(np.float64)
    u = s = np.zeros((len(x), reservoir.n_neurons))
    out = []
    for t in range(x.shape[1]):
        u = reservoir.decay_v * u * (1 - s)
        u = u + (x[:, t] @ reservoir.w_in.T + s @ reservoir.w_rec.T)
        s = (u > reservoir.v_th).astype(np.float64)
        out.append(s)
    return np.stack(out, axis=1)


def spikes_of(lsm, frames):
    x = torch.from_numpy(frames).transpose(0, 1).double()
    with torch.no_grad():
        return lsm.trace(x).spikes[RESERVOIR].transpose(0, 1).numpy()


def test_it_is_the_published_cell_and_the_simulator_has_its_spikes(frames, reservoir):
    lsm, wanted = LSM(reservoir, SHAPE), published(reservoir, frames)
    run = hwsim.simulate(export(lsm), frames, record="spikes")
    assert 0.02 < wanted.mean() < 0.3
    assert np.array_equal(spikes_of(lsm, frames), wanted)
    assert np.array_equal(run.spikes[RESERVOIR], wanted)
    assert np.array_equal(lsm.counts(frames, batch_size=7), wanted.sum(1))
    assert np.array_equal(run.output, wanted.sum(1))


def test_what_comes_back_matters(frames, reservoir):
    alone = reservoir.without_recurrence()
    assert np.array_equal(alone.w_in, reservoir.w_in)
    differ = published(alone, frames) != published(reservoir, frames)
    assert differ.mean() > 0.01


def test_integers_of_torch_are_those_of_the_chip(frames, reservoir):
    lsm, chip = LSM(reservoir, SHAPE), hwsim.load_chip("loihi1")
    integers = quantised(lsm, chip, frames[:8]).eval()
    run = hwsim.simulate(hwsim.compile(export(integers), chip), frames, record="spikes")
    found = parity(integers, frames, run)
    assert found.n_spikes > 1000
    assert found.n_different == found.n_answers_different == 0


def test_ideal_crossbars_have_its_spikes(frames, reservoir):
    net, chip = export(LSM(reservoir, SHAPE)), exact_chip()
    plan = compile_crossbar(net, chip, frames[:4], device=load_device("ideal"))
    run = simulate_crossbar(fabricate(plan), frames, record=RESERVOIR)
    assert np.array_equal(run.spikes[RESERVOIR], published(reservoir, frames))


def test_cells_formed_by_chance_are_the_weights(frames):
    device = exact_device()
    rng = np.random.default_rng(4)
    reservoir = Reservoir.formed(256, N, rng, device=device, **HOW | {"scale": 0.1})
    net = export(LSM(reservoir, SHAPE))
    plan = compile_crossbar(net, exact_chip(), frames[:4], device=device, formed=reservoir.cells)
    run = simulate_crossbar(fabricate(plan), frames, record=RESERVOIR)
    g = np.concatenate([p.cells.at().ravel() for p in reservoir.pairs])
    assert 0.4 < (g < 1e-6).mean() < 0.6
    assert abs(reservoir.w_rec.std() / 0.1 - 8.9) < 0.3  # of 50 % pristine, 12.3 and 1.8 µS
    assert run.spikes[RESERVOIR].mean() > 0.02
    assert np.array_equal(run.spikes[RESERVOIR], published(reservoir, frames))


def exact_device():
    """Cells that are formed as the 40 nm chip's are, and read without noise."""
    return load_device("taox-40nm").with_(read=None)


def exact_chip():
    """The 40 nm chip with wires and converters that add no error."""
    chip = hwsim.load_chip("rram-40nm")
    values = chip.model_dump(by_alias=True)
    values["array"] |= {"r_word_ohm": 0.0, "r_bit_ohm": 0.0}
    values["output"] |= {"bits": None}
    return type(chip).model_validate(values)


def test_weights_have_the_published_statistics_and_follow_their_seed():
    big = Reservoir.gaussian(500, 500, np.random.default_rng(0), scale=0.07, decay_v=0.9, v_th=5.0)
    again = Reservoir.gaussian(500, 500, np.random.default_rng(0), scale=0.07, decay_v=0.9, v_th=5)
    other = Reservoir.gaussian(500, 500, np.random.default_rng(1), scale=0.07, decay_v=0.9, v_th=5)
    for weight, sd in ((big.w_in, 6.6133), (big.w_rec, 6.6727)):
        assert abs(weight.std() / 0.07 / sd - 1) < 5 / np.sqrt(2 * weight.size)
        assert abs(weight.mean() / 0.07) < 5 * sd / np.sqrt(weight.size)
    assert np.array_equal(big.w_rec, again.w_rec)
    assert not np.array_equal(big.w_rec, other.w_rec)
    assert np.array_equal(big.scaled(2).w_in, 2 * big.w_in)


def spec(**layer):
    reservoir = {"name": "res", "kind": "dense", "size": 30, "recurrent": True,
                 "reservoir": {"scale": 0.07}} | layer  # fmt: skip
    readout = {"name": "readout", "kind": "dense",
               "neuron": {"decay_v": 1.0, "emits": "nothing", "reset": "none"}}  # fmt: skip
    return ModelSpec.model_validate({"layers": [reservoir, readout]})


def test_recipes_can_ask_for_formed_cells():
    torch.manual_seed(5)
    formed = {"scale": 0.07, "source": "formed", "breakdown_volt": 3.3}
    weight = build_stack(spec(reservoir=formed), SHAPE, 10).blocks["res"].synapses.weight
    n_pristine = (weight.abs() < 1e-6).float().mean()  # pairs of two pristine cells
    assert 0.7 < n_pristine < 0.85
    assert not weight.requires_grad


@pytest.mark.filterwarnings("error")
def test_neurons_of_a_reservoir_may_learn():
    neuron = {"decay_v": 0.9, "v_th": 5.0, "reset_late": True, "learn": ["v_th"]}
    assert build_stack(spec(neuron=neuron), SHAPE, 10).blocks["res"].neurons.v_th.requires_grad


def test_training_moves_the_readout_alone():
    torch.manual_seed(5)
    stack = build_stack(spec(), SHAPE, 10)
    torch.manual_seed(5)
    again = build_stack(spec(), SHAPE, 10)
    before = {name: value.clone() for name, value in stack.state_dict().items()}
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())
    torch.manual_seed(6)
    other = build_stack(spec(), SHAPE, 10).blocks["res"]
    assert not torch.equal(other.synapses.weight, before["blocks.res.synapses.weight"])
    assert before["blocks.res.synapses.weight"].std() / 0.07 == pytest.approx(6.61, rel=0.05)
    optimizer = torch.optim.AdamW(stack.parameters(), lr=0.1, weight_decay=0.1)
    x = (torch.rand(20, 4, *SHAPE) < 0.3).float()
    stack(x).square().sum().backward()
    optimizer.step()
    moved = {n for n, v in stack.state_dict().items() if not torch.equal(v, before[n])}
    assert moved == {"blocks.readout.synapses.weight"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "delay"}, "must be dense"),
        ({"norm": True}, "must be dense, without `norm`"),
        ({"reservoir": {"scale": -1.0}}, "greater than 0"),
        ({"reservoir": {"scale": 0.1, "source": "uniform"}}, "gaussian"),
        ({"reservoir": {"scale": 0.1, "breakdown_volt": 3.3}}, "Gaussian weights have no `device`"),
        ({"reservoir": {"scale": 0.1, "device": "pcm"}}, "Gaussian weights have no `device`"),
    ],
)
def test_layers_that_cannot_be_reservoirs_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        spec(**change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scale": 0.0}, "`scale` is 0"),
        ({"scale": np.nan}, "`scale`"),
        ({"decay_v": 1.1}, "`decay_v` is 1.1"),
        ({"v_th": 0.0}, "`v_th` is 0"),
    ],
)
def test_bad_numbers_are_said_in_one_line(change, words):
    with pytest.raises(ValueError, match=words) as error:
        Reservoir.gaussian(4, 5, np.random.default_rng(0), **HOW | change)
    assert "\n" not in str(error.value)


def test_shapes_that_do_not_fit_are_refused(reservoir):
    with pytest.raises(ValueError, match="289 numbers, the reservoir takes 256"):
        LSM(reservoir, (1, 17, 17))
    with pytest.raises(ValueError, match="0 inputs and 5 neurons"):
        Reservoir.gaussian(0, 5, np.random.default_rng(0), **HOW)
    with pytest.raises(ValueError, match="not read off cells"):
        reservoir.cells  # noqa: B018  the error is what is asked for
    with pytest.raises(ValueError, match="must be \\(neurons, inputs\\)"):
        Reservoir(np.zeros((3, 4)), np.zeros((4, 4)), 0.9, 5.0)
