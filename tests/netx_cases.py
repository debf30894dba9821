"""Networks that netx can hold, small ones: what lava-dl computes of their files is on record."""

import numpy as np

from hwsim.formats.netx_read import identity
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense

N_STEPS = 24
WORD = WeightWord()


def even(rng, shape, low=-60, high=60):
    return 2 * rng.integers(low // 2, high // 2, shape)


def join(source, target, synapses, delay=1, bits=0):
    return Projection.of(source, target, synapses, delay=delay, word=WeightWord(message_bits=bits))


def dense(rng):
    """Decays of both states, biases."""
    bias = rng.integers(-3, 6, 12)
    net = Network(
        (
            Population("in", (10,)),
            Population(
                "a", (12,), FixedNeuron.of(du=1500, dv=300, v_th=60, bias_mant=bias, bias_exp=6)
            ),
            Population("b", (7,), FixedNeuron.of(du=4095, dv=100, v_th=80)),
        ),
        (
            join("in", "a", Dense.of(even(rng, (12, 10)))),
            join("a", "b", Dense.of(even(rng, (7, 12)))),
        ),
    )
    return net, rng.random((N_STEPS, 10)) < 0.4


def conv(rng):
    """Not square, strides, padding, dilation, groups, then a dense read-out."""
    first = Conv2d.of(even(rng, (4, 2, 3, 2), -30, 40), stride=(2, 1), padding=(1, 0))
    second = Conv2d.of(even(rng, (4, 2, 2, 2), -30, 50), groups=2, dilation=(1, 2))
    image = rng.integers(-2, 5, 4)[:, None, None]
    net = Network(
        (
            Population("in", (2, 7, 8)),
            Population(
                "a", (4, 4, 7), FixedNeuron.of(dv=512, v_th=40, bias_mant=image, bias_exp=6)
            ),
            Population("b", (4, 3, 5), FixedNeuron.of(du=2048, dv=128, v_th=60)),
            Population("out", (5,), FixedNeuron.of(dv=200, v_th=50)),
        ),
        (
            join("in", "a", first),
            join("a", "b", second),
            join("b", "out", Dense.of(even(rng, (5, 60)))),
        ),
    )
    return net, rng.random((N_STEPS, 2, 7, 8)) < 0.2


def delays(rng):
    """One delay per synapse, one for a layer; a weight beyond 127, or lava-dl loses an exponent."""
    weight = even(rng, (9, 8), -100, 100)
    weight[0, 0] = 200
    second = even(rng, (6, 9), -100, 100)
    second[0, 0] = -180
    steps = rng.integers(0, 9, (9, 8)) + 1
    net = Network(
        (
            Population("in", (8,)),
            Population("a", (9,), FixedNeuron.of(du=1000, dv=200, v_th=150)),
            Population("b", (6,), FixedNeuron.of(dv=200, v_th=60)),
        ),
        (join("in", "a", Dense.of(weight), steps), join("a", "b", Dense.of(second), 4)),
    )
    return net, rng.random((N_STEPS, 8)) < 0.4


def encoded(rng):
    """Neurons at the input, fed with numbers; odd weights of one sign."""
    word = WeightWord(8, 0, "excitatory", 24)
    positive = Projection.of("x", "out", Dense.of(rng.integers(1, 60, (4, 18))), delay=1,
                             word=WeightWord(8, 0, "excitatory"))  # fmt: skip
    net = Network(
        (
            Population("input", (2, 3, 3)),
            Population("x", (2, 3, 3), FixedNeuron.of(du=4095, dv=256, v_th=50)),
            Population("out", (4,), FixedNeuron.of(du=1024, dv=256, v_th=90)),
        ),
        (Projection.of("input", "x", identity((2, 3, 3)), word=word), positive),
    )
    return net, rng.integers(-20, 60, (N_STEPS, 2, 3, 3))


def sigma_delta(rng):
    """An encoder of changes, rectifiers with biases, a sum at the end."""
    word = WeightWord(8, 0, "excitatory", 24)
    exps = {"spike_exp": 6, "state_exp": 6}
    kernel = Conv2d.of(even(rng, (3, 2, 3, 3), -40, 40), padding=1)
    net = Network(
        (
            Population("input", (2, 5, 4)),
            Population(
                "x", (2, 5, 4), SigmaDelta.of(v_th=2, activation="unit", integrates=False, **exps)
            ),
            Population(
                "a", (3, 5, 4), SigmaDelta.of(v_th=5, bias=rng.integers(-8, 9, (3, 1, 1)), **exps)
            ),
            Population("b", (6,), SigmaDelta.of(v_th=3, bias=rng.integers(-8, 9, 6), **exps)),
            Population(
                "out", (2,), SigmaDelta.of(v_th=3, activation="unit", emits="nothing", **exps)
            ),
        ),
        (
            Projection.of("input", "x", identity((2, 5, 4)), word=word),
            join("x", "a", kernel, bits=16),
            join("a", "b", Dense.of(even(rng, (6, 60), -20, 20)), bits=16),
            join("b", "out", Dense.of(even(rng, (2, 6))), bits=16),
        ),
    )
    return net, rng.integers(-40, 40, (N_STEPS, 2, 5, 4)) * (rng.random((N_STEPS, 1, 1, 1)) < 0.5)


CASES = (dense, conv, delays, encoded, sigma_delta)


def made(case):
    """A case's network and one sample, always the same."""
    return case(np.random.default_rng(CASES.index(case)))
