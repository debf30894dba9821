"""What a population takes of the cores it is cut over: memory of synapses and delays, axons."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, IntArray
from hwsim.chips.spec import Limits, SynapseFormat
from hwsim.kernels.listing import add_demand
from hwsim.network import Network, Projection
from hwsim.synapses import Conv2d, Dense, Sparse, size_of

POWERS = 2 ** np.arange(63, dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Synapse memory and axons of a projection, (parts,); parts that hear a source, (sources,)."""

    bits: IntArray
    axons_in: IntArray
    reach: IntArray


@dataclass(frozen=True, slots=True)
class Stored:
    """How the synapses of a projection are stored: bits of a weight, and of a delay."""

    weight_bits: int
    delay_bits: int
    form: SynapseFormat

    @classmethod
    def of(cls, p: Projection, form: SynapseFormat) -> "Stored":
        """Storage of a retimed projection; delays are stored where one is beyond one step."""
        return cls(p.word.n_bits if p.word else 8, delay_width(p, form), form)


def delay_width(p: Projection, form: SynapseFormat) -> int:
    """Bits of a delay field, for the steps beyond the first; 0 where no delay is stored."""
    needed = (int(p.delay.max()) - 1).bit_length()
    if needed == 0 or form.delay_bits == (0,):
        return 0
    return int(_rounded_up(np.array(needed), form.delay_bits))


def longest_delay(net: Network, name: str) -> int:
    """Steps of the longest delay into a population of a retimed network; 1 is none."""
    return max((int(p.delay.max()) for p in net.into(name)), default=1)


def pending_bits(net: Network, name: str, limits: Limits) -> int | None:
    """Bits per neuron of the ring of its delayed input; None if the chip's are not known."""
    steps, ring = longest_delay(net, name), limits.pending_input
    if steps == 1:
        return 0
    return None if ring is None else steps * ring.bits


def pending_beside_synapses(net: Network, name: str, limits: Limits) -> int:
    """Bits per neuron that the ring takes of the memory of synapses."""
    ring = limits.pending_input
    if ring is None or not ring.in_synapse_memory:
        return 0
    return pending_bits(net, name, limits) or 0


def axon_bits(n_synapses: AnyArray, n_targets: AnyArray, stored: Stored) -> IntArray:
    """Memory of axons with `n_synapses` each onto parts of `n_targets` neurons.

    A synapse is weight, target index and perhaps delay; blocks share a header; every axon starts
    a new word [nengo-loihi `SynapseConfig`].
    """
    form = stored.form
    n_synapses = np.asarray(n_synapses, dtype=np.int64)
    index = _rounded_up(_index_width(n_targets), form.index_bits)
    if form.index_bits == (0,):  # a crossbar: a weight's place is its target
        index = np.zeros_like(index)
    weight = _rounded_up(np.array(stored.weight_bits), form.weight_bits)
    bits = n_synapses * (weight + index + stored.delay_bits)
    bits = bits + form.header_bits * -(-n_synapses // form.block_synapses)
    out: IntArray = -(-bits // form.word_bits) * form.word_bits
    return out


def _rounded_up(bits: AnyArray, listed: tuple[int, ...]) -> AnyArray:
    """Widths rounded up to the next that is listed; left alone beyond the last."""
    widths = np.array(sorted(listed), dtype=np.int64)
    if widths.size == 0:
        return bits
    at = np.searchsorted(widths, bits)
    return np.where(at < widths.size, widths[np.minimum(at, widths.size - 1)], bits)


def demand(
    net: Network, p: Projection, part_of: IntArray, n_parts: int, form: SynapseFormat
) -> Demand:
    """What projection `p` takes if its target is cut by `part_of` (targets,)."""
    source, target = net[p.source].shape, net[p.target].shape
    sizes = np.bincount(part_of, minlength=n_parts)
    stored = Stored.of(p, form)
    if isinstance(p.synapses, Dense):  # every source reaches every part
        n, held = size_of(source), sizes > 0
        bits = n * axon_bits(sizes, sizes, stored)
        return Demand(bits, n * held.astype(np.int64), np.full(n, int(held.sum())))
    if isinstance(p.synapses, Sparse):
        return _of_listed(p.synapses, part_of, sizes, stored)
    channels = source[0] // p.synapses.groups
    fans = p.synapses.fan_out_of_places(source, target, part_of, n_parts)
    bits, axons = np.zeros(n_parts, dtype=np.int64), np.zeros(n_parts, dtype=np.int64)
    reach: list[IntArray] = []
    for fan in fans:  # all channels of a group of a convolution are alike
        each = axon_bits(fan.data, sizes[fan.indices], stored)
        bits += channels * np.bincount(fan.indices, each, n_parts).astype(np.int64)
        axons += channels * np.bincount(fan.indices, minlength=n_parts)
        reach += [np.diff(fan.indptr)] * channels
    if form.shares_kernels:
        bits = _kernel_bits(p.synapses, part_of, n_parts, sizes, stored)
    return Demand(bits, axons, np.concatenate(reach).astype(np.int64))


def _of_listed(listed: Sparse, part_of: IntArray, sizes: IntArray, stored: Stored) -> Demand:
    """Synapses one by one: an axon is what a source has on a part."""
    widths, width = np.unique(_index_width(sizes), return_inverse=True)
    longest = int(np.diff(listed.indptr).max())
    bits_of = axon_bits(np.arange(longest + 1), POWERS[widths][:, None], stored)
    bits, axons = np.zeros(sizes.size, dtype=np.int64), np.zeros(sizes.size, dtype=np.int64)
    reach = np.empty(listed.indptr.size - 1, dtype=np.int64)
    ends = (listed.indptr, listed.target, part_of.astype(np.int32))
    add_demand(*ends, width.reshape(-1), bits_of, bits, axons, reach)
    return Demand(bits, axons, reach)


def _index_width(n_targets: AnyArray) -> IntArray:
    """Bits that tell `n_targets` neurons apart."""
    width: IntArray = np.searchsorted(POWERS, n_targets)
    return width


def _kernel_bits(
    conv: Conv2d, part_of: IntArray, n_parts: int, sizes: IntArray, stored: Stored
) -> IntArray:
    """Each source channel stores its taps onto the channels of the part once, for all places."""
    taps = kernel_taps(conv, part_of, n_parts)
    each = axon_bits(taps, sizes[None, :], stored)
    bits: IntArray = conv.weight.shape[1] * each.sum(axis=0)
    return bits


def kernel_taps(conv: Conv2d, part_of: IntArray, n_parts: int) -> IntArray:
    """Taps that a source channel of each group stores for each part, (groups, parts)."""
    out, _, height, width = conv.weight.shape
    by_channel = part_of.reshape(out, -1)
    present = np.zeros((out, n_parts), dtype=np.int64)
    present[np.arange(out)[:, None], by_channel] = 1
    channels = present.reshape(conv.groups, -1, n_parts).sum(axis=1)  # (groups, parts)
    taps: IntArray = channels * height * width
    return taps
