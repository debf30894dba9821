"""Chips, networks and spikes that the tests of crossbars share."""

import numpy as np

import hwsim
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.spec import CrossbarChip

CHIP = hwsim.load_chip("rram-40nm")
IDEAL = load_device("ideal")


def chip_with(output=(), input=(), **array):
    """The 40 nm chip with other arrays and converters."""
    plain = CHIP.model_dump(by_alias=True)
    plain["array"] |= {"r_word_ohm": 0.0, "r_bit_ohm": 0.0, "skip_silent": False} | array
    plain["output"] |= dict(output)
    plain["input"] |= dict(input)
    return CrossbarChip.model_validate(plain)


EXACT = {"bits": None}


def layered(rng, sizes=(12, 9, 4), **neuron):
    """Dense layers of real neurons."""
    names = ["input", *(f"layer{i}" for i in range(len(sizes) - 1))]
    how = [None, *(hwsim.Neuron.of(**({"decay_v": 0.8} | neuron)) for _ in sizes[1:])]
    return hwsim.Network(
        tuple(
            hwsim.Population(n, (size,), of) for n, size, of in zip(names, sizes, how, strict=True)
        ),
        tuple(
            hwsim.Projection.of(a, b, hwsim.Dense.of(rng.normal(0, 0.7, (size_b, size_a))))
            for a, b, size_a, size_b in zip(names, names[1:], sizes, sizes[1:], strict=False)
        ),
    )


def spikes(rng, n=3, steps=7, size=12, rate=0.3):
    return (rng.random((n, steps, size)) < rate).astype(np.uint8)
