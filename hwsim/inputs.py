"""Samples as the engine takes them, or a clear error."""

from collections.abc import Mapping

import numpy as np

from hwsim.arrays import AnyArray
from hwsim.network import Network, Population
from hwsim.synapses import size_of

SAMPLE_MAX = 2**31

Samples = AnyArray | Mapping[str, AnyArray]


def check_samples(net: Network, samples: AnyArray) -> AnyArray:
    """Samples of a network's one input as (samples, steps, neurons), or a clear error."""
    if len(net.inputs) != 1:
        raise ValueError(f"{len(net.inputs)} input populations: exactly one is supported")
    return _checked(net, net.inputs[0], samples)


def inputs_of(net: Network, samples: Samples) -> list[AnyArray]:
    """Samples of every input as (samples, steps, neurons) of a type the engine takes."""
    names = [p.name for p in net.inputs]
    if not names:
        raise ValueError(
            "the network has no input, so nothing says for how many steps it runs: add an input "
            "population that is joined to nothing, and give it zeros, (samples, steps, 1)"
        )
    if not isinstance(samples, Mapping):
        if len(names) != 1:
            raise ValueError(
                f"the network has {len(names)} inputs: give samples as a mapping from their names, "
                + ", ".join(names)
            )
        samples = {names[0]: samples}
    if set(samples) != set(names):
        raise ValueError(
            f"samples are for {', '.join(samples)}, the network's inputs are {', '.join(names)}"
        )
    checked = [_checked(net, p, samples[p.name]) for p in net.inputs]
    lengths = {x.shape[:2] for x in checked}
    if len(lengths) > 1:
        raise ValueError(f"samples of the inputs differ in number or steps: {sorted(lengths)}")
    return [_engine_type(x) for x in checked]


def _checked(net: Network, population: Population, samples: AnyArray) -> AnyArray:
    shape = population.shape
    samples = np.asarray(samples)
    if samples.ndim != len(shape) + 2 or samples.shape[2:] != shape:
        raise ValueError(
            f"samples have shape {samples.shape}, the network takes (samples, steps, "
            f"{', '.join(map(str, shape))}): bin or crop them to its input"
        )
    if 0 in samples.shape:
        raise ValueError(f"samples have shape {samples.shape}: there is nothing to run")
    if samples.dtype.kind not in "buif":
        raise ValueError(f"samples are of type {samples.dtype}, must be real numbers")
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise ValueError("samples hold NaN or infinite values")
    if net.is_integer and (samples.dtype.kind == "f" or samples.dtype.itemsize >= 4):
        fraction = samples.dtype.kind == "f" and (samples != np.rint(samples)).any()
        low, high = float(samples.min()), float(samples.max())  # minus the least may not fit a type
        if fraction or max(-low, high) >= SAMPLE_MAX:
            raise ValueError(
                "an integer network takes whole numbers below 2^31: bin the input to counts"
            )
    return samples.reshape(*samples.shape[:2], size_of(shape))


def check_payloads(net: Network, inputs: list[AnyArray]) -> None:
    """Raise if an input sends a payload that the words which read it have no bits for.

    A payload's sign is not counted among its bits, as in `hwsim.quantize`.
    """
    for population, x in zip(net.inputs, inputs, strict=True):
        readers = [(p, p.word.message_bits) for p in net.out_of(population.name) if p.word]
        if not any(bits for _, bits in readers):
            continue  # a pass over all samples costs as much as counting them
        largest = max(-float(x.min()), float(x.max()))
        for p, bits in readers:
            if bits and largest >= 2**bits:
                raise ValueError(
                    f"input {population.name!r} sends {largest:.0f}, graded spikes of "
                    f"{p.source} -> {p.target} have {bits} message bits, at most {2**bits - 1}: "
                    "scale the input down, or give the word more bits"
                )


def _engine_type(samples: AnyArray) -> AnyArray:
    """Samples as contiguous bytes if they are, else as int64 or float64."""
    kind = samples.dtype.kind
    if samples.dtype == np.bool_:
        samples = samples.view(np.uint8)
    elif samples.dtype != np.uint8:
        samples = samples.astype(np.float64 if kind == "f" else np.int64, copy=False)
    return np.ascontiguousarray(samples)


def is_whole(x: AnyArray, limit: float) -> bool:
    """Whether an input sends whole numbers, none beyond the limit."""
    if x.dtype == np.uint8 and limit >= np.iinfo(np.uint8).max:
        return True
    small = max(-float(x.min()), float(x.max())) <= limit
    return small and (x.dtype.kind != "f" or not (x % 1).any())


def is_binary(x: AnyArray) -> bool:
    """Whether an input sends nothing but ones."""
    if x.dtype == np.uint8:
        return bool(x.max() <= 1)
    return not ((x != 0) & (x != 1)).any()
