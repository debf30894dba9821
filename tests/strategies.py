"""Random networks, neurons, chips and inputs: small, odd-sized, and all that a user could pass."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from hwsim.arrays import frozen
from hwsim.chips.files import load_chip
from hwsim.chips.spec import ChipSpec
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neuron import FixedNeuron, GradedVec, Neuron, SigmaDelta
from hwsim.synapses import Conv2d, Dense, Sparse

MAX_STEPS = 12  # of a drawn input
SIGN_MODES = ("mixed", "excitatory", "inhibitory")


def rngs():
    """Generators for the bulk of an example: structure is drawn, numbers come from here."""
    return st.integers(0, 2**32 - 1).map(np.random.default_rng)


def chip_with(*, resets=("zero", "subtract", "none"), mesh=None, **limits):
    """Loihi 1 with other limits or another mesh; programmable resets unless told otherwise."""
    spec = load_chip("loihi1").model_dump(by_alias=True)
    spec["limits"] |= {"resets": resets, **limits}
    spec["mesh"] |= mesh or {}
    return ChipSpec.model_validate(spec)


def joined_by(chip, hop_chip):
    """The same chip with that time for a hop from chip to chip, seconds."""
    spec = chip.model_dump(by_alias=True)
    spec["time"]["hop_chip"] = spec["time"]["hop_ew"] | {"value": hop_chip}
    return type(chip).model_validate(spec)


@st.composite
def words(draw, exps=(-3, 3), message_bits=0):
    """Storage of integer weights."""
    return WeightWord(
        n_bits=draw(st.integers(1, 8)),
        exp=draw(st.integers(*exps)),
        sign_mode=draw(st.sampled_from(SIGN_MODES)),
        message_bits=message_bits,
    )


def storable(rng, word, shape):
    """Random weights that a word holds."""
    low, high = word.range
    return rng.integers(-(-low // word.step), high // word.step + 1, shape) * word.step


@st.composite
def geometries(draw, channels, height, width):
    """Keyword arguments of a `Conv2d` on a source of this shape, and the shape of its kernel."""
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    kernel, dilation, padding = [], [], []
    for size in (height, width):
        pad = draw(st.integers(0, 2))
        dil = draw(st.integers(1, 2))
        reach = (size + 2 * pad - 1) // dil + 1  # the largest kernel that fits
        kernel.append(draw(st.integers(1, min(3, reach))))
        dilation.append(dil)
        padding.append(pad)
    out = groups * draw(st.integers(1, 2))
    geometry = {
        "stride": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "padding": tuple(padding),
        "dilation": tuple(dilation),
        "groups": groups,
    }
    return geometry, (out, channels // groups, *kernel)


@st.composite
def convolutions(draw, word=None):
    """A convolution of random geometry with its source shape; integer if there is a `word`."""
    source = (draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 6)))
    geometry, kernel = draw(geometries(*source))
    rng = draw(rngs())
    weight = rng.normal(size=kernel) if word is None else storable(rng, word, kernel)
    return Conv2d.of(weight, **geometry), source


@st.composite
def fixed_neurons(draw, shape, resets=("zero",)):
    """Integer neurons that fire now and then, scalar or per-neuron constants."""
    rng = draw(rngs())

    def some(low, high):
        size = shape if draw(st.booleans()) else ()
        return rng.integers(low, high + 1, size)

    return FixedNeuron.of(
        du=some(0, 4095) if draw(st.booleans()) else 4095,
        dv=some(0, 4095) if draw(st.booleans()) else 0,
        v_th=some(0, 400),
        bias_mant=some(-4096, 4095) if draw(st.booleans()) else 0,
        bias_exp=some(-3, 4),
        reset=draw(st.sampled_from(resets)),
    )


@st.composite
def integer_networks(
    draw,
    *,
    min_delay=0,
    conv_delays=(0, 3),
    conv_exps=(-3, 3),
    resets=("zero", "subtract", "none"),
    message_bits=0,
):
    """Stacks of dense and convolutional layers with delays, biases, skips and loops.

    A projection back over n layers takes n + 1 steps or more, so a chip can always run it.
    `min_delay` holds for all projections, `conv_delays` for convolutions.
    """
    image = draw(st.booleans())
    sizes = st.integers(1, 5)
    shape = (draw(st.integers(1, 3)), draw(sizes), draw(sizes)) if image else (draw(sizes),)
    populations, projections = [Population("input", shape)], []

    def dense(source, target, least):
        word = draw(words(message_bits=message_bits))
        rng = draw(rngs())
        per_synapse = draw(st.booleans())
        size = (target.size, source.size)
        return Projection.of(
            source.name,
            target.name,
            Dense.of(storable(rng, word, size)),
            delay=rng.integers(least, least + 4, size if per_synapse else ()),
            word=word,
        )

    for i in range(draw(st.integers(1, 3))):
        source = populations[-1]
        if len(source.shape) == 3 and draw(st.booleans()):
            geometry, kernel = draw(geometries(*source.shape))
            word = draw(words(exps=conv_exps, message_bits=message_bits))
            conv = Conv2d.of(storable(draw(rngs()), word, kernel), **geometry)
            delay = draw(st.integers(*conv_delays))
            shape = conv.target_shape(source.shape)
            target = Population(f"layer{i}", shape, draw(fixed_neurons(shape, resets)))
            joined = Projection.of(source.name, target.name, conv, delay=delay, word=word)
        else:
            shape = (draw(st.integers(1, 9)),)
            target = Population(f"layer{i}", shape, draw(fixed_neurons(shape, resets)))
            joined = dense(source, target, min_delay)
        populations.append(target)
        projections.append(joined)
        if i and draw(st.booleans()):
            skipped = populations[draw(st.integers(0, i - 1))]
            projections.append(dense(skipped, target, min_delay))
        if draw(st.booleans()):
            back = draw(st.integers(0, i))
            earlier = populations[1 + i - back]
            projections.append(dense(target, earlier, back + 1))
    return Network(tuple(populations), tuple(projections))


KINDS = ("spikes", "rests", "ternary", "graded", "sigma-delta", "encoder", "vector")


@st.composite
def neurons_of_any_kind(draw, shape, kinds=KINDS, *, reads_out=False):
    """Integer neurons of every kind and convention; with `reads_out` perhaps silent ones."""
    rng, kind = draw(rngs()), draw(st.sampled_from(kinds))

    def some(low, high):
        return rng.integers(low, high + 1, shape if draw(st.booleans()) else ())

    if kind == "vector":
        return GradedVec.of(v_th=some(0, 900), activation=draw(st.sampled_from(["unit", "relu"])))
    silent = reads_out and draw(st.booleans())
    if kind in ("sigma-delta", "encoder"):
        encodes = kind == "encoder"
        return SigmaDelta.of(
            v_th=some(0, 60),
            bias=0 if encodes else some(-90, 90),
            activation="unit" if encodes else draw(st.sampled_from(["unit", "relu"])),
            cum_error=draw(st.booleans()),
            spike_exp=draw(st.integers(0, 7)),
            state_exp=draw(st.integers(0, 7)),
            integrates=not encodes,
            emits="nothing" if silent else "graded",
        )
    fixed = draw(fixed_neurons(shape, ("zero", "subtract", "none")))
    changes = {}
    if silent:
        changes["emits"] = "nothing"
    elif kind == "ternary":
        changes |= {"emits": "ternary", "v_th_low": frozen(some(-300, 0), np.int64)}
    elif kind == "graded":
        changes["emits"] = "graded"
    if kind == "rests" or draw(st.booleans()):
        changes["refractory"] = draw(st.sampled_from([1, 2, 5, 63]))
    return replace(fixed, **changes)


@st.composite
def networks_of_all_kinds(draw, *, min_delay=0, kinds=KINDS):
    """Stacks of any neurons and synapses, with words of any exponent, payloads, skips and loops."""
    image = draw(st.booleans())
    sizes = st.integers(1, 4)
    shape = (draw(st.integers(1, 2)), draw(sizes), draw(sizes)) if image else (draw(sizes),)
    populations, projections = [Population("input", shape)], []

    def word(source):
        few = 16 if source.neuron is None else 2  # a chip refuses input beyond its bits
        return draw(words(exps=(-8, 7), message_bits=draw(st.sampled_from([0, 0, few, 16, 24]))))

    def flat(source, target, least):
        held, rng = word(source), draw(rngs())
        weight = storable(rng, held, (target.size, source.size))
        synapses = Dense.of(weight)
        if draw(st.booleans()):
            n = draw(st.integers(0, 2 * weight.size))  # some join the same neurons
            source_of = np.sort(rng.integers(0, source.size, n))
            synapses = Sparse.of(
                storable(rng, held, n),
                indptr=np.searchsorted(source_of, np.arange(source.size + 1)),
                target=rng.integers(0, target.size, n),
                n_targets=target.size,
            )
        per_synapse = draw(st.booleans()) and synapses.weight.size > 0
        delay = rng.integers(least, least + 5, synapses.weight.shape if per_synapse else ())
        return Projection.of(source.name, target.name, synapses, delay=delay, word=held)

    for i in range(n_layers := draw(st.integers(1, 3))):
        source, name = populations[-1], f"layer{i}"
        neurons = {"kinds": kinds, "reads_out": i == n_layers - 1}
        if len(source.shape) == 3 and draw(st.booleans()):
            geometry, kernel = draw(geometries(*source.shape))
            held = word(source)
            conv = Conv2d.of(storable(draw(rngs()), held, kernel), **geometry)
            shape = conv.target_shape(source.shape)
            target = Population(name, shape, draw(neurons_of_any_kind(shape, **neurons)))
            delay = draw(st.integers(min_delay, 3))
            projections.append(Projection.of(source.name, name, conv, delay=delay, word=held))
        else:
            shape = (draw(st.integers(1, 7)),)
            target = Population(name, shape, draw(neurons_of_any_kind(shape, **neurons)))
            projections.append(flat(source, target, min_delay))
        populations.append(target)
        if i and draw(st.booleans()):
            projections.append(flat(populations[draw(st.integers(0, i - 1))], target, min_delay))
        if target.neuron.emits != "nothing" and draw(st.booleans()):
            back = draw(st.integers(0, i))
            projections.append(flat(target, populations[1 + i - back], back + 1))
    return Network(tuple(populations), tuple(projections))


@st.composite
def inputs_of(draw, net, *, low=0, high=1, max_samples=3, max_steps=MAX_STEPS):
    """Random input of a network, (samples, steps, *shape), from silent to dense."""
    n, steps = draw(st.integers(1, max_samples)), draw(st.integers(1, max_steps))
    rng, rate = draw(rngs()), draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    shape = (n, steps, *net.inputs[0].shape)
    return (rng.random(shape) < rate) * rng.integers(low, high + 1, shape)


@st.composite
def real_networks(draw, *, per_step=True):
    """A stack of dense and convolutional layers of real neurons, loops and gains included."""
    rng = draw(rngs())
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 5)), draw(st.integers(1, 5)))
    populations, projections = [Population("input", shape)], []
    for i in range(draw(st.integers(1, 3))):
        source = populations[-1]
        if len(source.shape) == 3 and draw(st.booleans()):
            geometry, kernel = draw(geometries(*source.shape))
            synapses = Conv2d.of(rng.normal(size=kernel), **geometry)
            shape = synapses.target_shape(source.shape)
        else:
            shape = (draw(st.integers(1, 9)),)
            synapses = Dense.of(rng.normal(size=(shape[0], source.size)))
        target = Population(
            f"layer{i}",
            shape,
            Neuron.of(
                decay_u=rng.uniform(0, 0.99, shape),
                decay_v=rng.uniform(0.01, 1, shape),
                v_th=rng.uniform(0.1, 2, shape),
                bias=rng.normal(scale=0.1, size=shape),
            ),
        )
        populations.append(target)
        table = per_step and draw(st.booleans())  # for the longest input
        gain = rng.uniform(0.5, 2, (MAX_STEPS,) if table else ())
        projections.append(Projection.of(source.name, target.name, synapses, gain=gain))
        if draw(st.booleans()):
            loop = Dense.of(rng.normal(scale=0.3, size=(target.size, target.size)))
            projections.append(Projection.of(target.name, target.name, loop, delay=1))
    return Network(tuple(populations), tuple(projections))
