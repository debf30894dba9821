"""Every chip that ships takes a network from compiler to bill, and fills up where it should."""

import numpy as np
import pytest

import hwsim
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.synapses import Dense


def stack(*sizes, seed=0):
    """Dense layers with random even weights, that fire now and then."""
    rng = np.random.default_rng(seed)
    populations = [Population("p0", (sizes[0],))]
    projections = []
    for i in range(1, len(sizes)):
        populations.append(Population(f"p{i}", (sizes[i],), FixedNeuron.of(v_th=60)))
        weight = Dense.of(2 * rng.integers(-30, 40, (sizes[i], sizes[i - 1])))
        projections.append(Projection.of(f"p{i - 1}", f"p{i}", weight, word=WeightWord()))
    return Network(tuple(populations), tuple(projections))


@pytest.mark.parametrize("name", hwsim.chip_names("neurocore"))
def test_a_chip_that_ships_takes_a_network_to_its_bill(name):
    chip = hwsim.load_chip(name)
    net = stack(40, 200, 10)
    samples = (np.random.default_rng(1).random((3, 20, 40)) < 0.1).astype(np.int64)
    done = hwsim.simulate(hwsim.compile(net, chip), samples)
    bill = hwsim.price(done.counts, chip)
    assert done.counts.sops.sum() > 0
    assert bill.energy_band.p10 < bill.energy_j < bill.energy_band.p90
    assert bill.latency_s >= done.counts.n_steps / 3 * (1e-3 if chip.time.tick else 1e-7)
    assert bill.component_j()["synapses"] > 0


def test_the_same_spikes_on_every_chip():
    """They share the arithmetic: only counts of cores, routes and bills differ."""
    net = stack(40, 200, 10)
    samples = (np.random.default_rng(1).random((3, 20, 40)) < 0.1).astype(np.int64)
    chips = [hwsim.load_chip(name) for name in hwsim.chip_names("neurocore")]
    runs = [hwsim.simulate(hwsim.compile(net, chip), samples) for chip in chips]
    assert runs[0].output.any()
    for run in runs[1:]:
        assert np.array_equal(run.output, runs[0].output)
        assert run.counts.sops.sum() == runs[0].counts.sops.sum()


def test_a_crossbar_holds_its_rows_and_no_more():
    chip = hwsim.load_chip("truenorth")
    plan = hwsim.compile(stack(256, 256), chip)
    (core,) = plan.cores
    (part,) = [p for p in plan.parts if p.core == core]
    assert part.use.synapse_bits == chip.limits.synapse_bits_per_core
    assert part.use.axons_in == chip.limits.axons_in_per_core
    assert len(hwsim.compile(stack(256, 257), chip).cores) == 2
    few = hwsim.compile(stack(256, 3), chip)
    assert few.parts[1].use.synapse_bits == 256 * 2048, "a row is taken, used or not"
    with pytest.raises(hwsim.DoesNotFit, match="axons_in_per_core 257 of 256"):
        hwsim.compile(stack(257, 3), chip)
