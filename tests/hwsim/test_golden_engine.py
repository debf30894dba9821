"""The fast engine against Intel's Lava: the same recorded networks, through `Network`."""

import numpy as np
import pytest

from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron
from hwsim.simulation import simulate
from hwsim.synapses import Conv2d, Dense
from tests.golden import load_cases
from tests.reference import stored_weights

CASES = load_cases()


def inexpressible(case):
    """Why a case has no `Network`: only the slow reference covers it. None if it has one."""
    if any(p.reset_interval is not None for p in case.populations):
        return "state cleared every few steps"
    return None


EXPRESSIBLE = [case for case in CASES if inexpressible(case) is None]


def network(case):
    """The case as a network whose projections carry the chip's step."""
    names = ["input", *(f"p{i}" for i in range(len(case.populations)))]
    populations = [Population("input", case.input.shape[1:])]
    for name, p in zip(names[1:], case.populations, strict=True):

        def shaped(x, p=p):
            return x.reshape(p.shape) if x.ndim else x

        neuron = FixedNeuron.of(
            du=shaped(p.du),
            dv=shaped(p.dv),
            v_th=shaped(p.v_th),
            bias_mant=shaped(p.bias_mant),
            bias_exp=shaped(p.bias_exp),
        )
        populations.append(Population(name, p.shape, neuron))
    projections = [
        Projection.of(
            names[p.source + 1],
            names[p.target + 1],
            _synapses(p),
            delay=1 if p.delays is None else 1 + p.delays,
            word=_word(p),
        )
        for p in case.projections
    ]
    return Network(tuple(populations), tuple(projections))


def _word(p):
    if p.kind == "conv":  # Lava's convolutions know neither word nor exponent
        return WeightWord(message_bits=p.num_message_bits)
    mode = p.sign_mode
    if mode is None:
        mode = "excitatory" if p.weight.min() >= 0 else "mixed"
        mode = "inhibitory" if p.weight.max() <= 0 and p.weight.min() < 0 else mode
    return WeightWord(p.num_weight_bits, p.weight_exp, mode, p.num_message_bits)


def _synapses(p):
    if p.kind != "conv":
        return Dense.of(
            stored_weights(p.weight, num_weight_bits=p.num_weight_bits, sign_mode=p.sign_mode)
        )
    return Conv2d.of(
        p.weight, stride=p.stride, padding=p.padding, dilation=p.dilation, groups=p.groups
    )


@pytest.mark.parametrize("case", EXPRESSIBLE, ids=lambda case: case.name)
def test_the_engine_is_bit_exact_with_lava(case, monkeypatch):
    # Lava's convolution takes any integers as weights; ours would refuse to store some of them
    if any(p.kind == "conv" for p in case.projections):
        monkeypatch.setattr(Projection, "_check_word", lambda *_: None)
    run = simulate(network(case), case.input[None], record=("spikes", "u", "v"))
    for i, population in enumerate(case.populations):
        for name, trace in (("s", run.spikes), ("u", run.u), ("v", run.v)):
            assert np.array_equal(trace[f"p{i}"][0], getattr(population, name)), name


def test_nearly_all_recorded_networks_run_in_the_engine():
    left = {case.name: inexpressible(case) for case in CASES if inexpressible(case)}
    assert len(EXPRESSIBLE) >= 100, left
