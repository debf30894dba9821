"""Synapse kinds: which neuron reaches which, by what weight, and how often."""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from hwsim.arrays import AnyArray, IntArray, digest, numbers_of, real, whole, whole_number
from hwsim.kernels.listing import count_reached

Shape = tuple[int, ...]


def size_of(shape: Shape) -> int:
    """Number of neurons in a shape."""
    return math.prod(shape)


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """All to all: `a = W s`, neurons of both sides flattened in C order.

    Attributes:
        weight: (target neurons, source neurons), real or integer.
    """

    weight: AnyArray

    @classmethod
    def of(cls, weight: object) -> "Dense":
        """Synapses from an array-like (target, source)."""
        return cls(_weights(weight))

    def __post_init__(self) -> None:
        if self.weight.ndim != 2:
            raise ValueError(f"dense weights are (target, source), got shape {self.weight.shape}")

    def target_shape(self, source: Shape) -> Shape | None:
        """Shape of the target, flat; None if `source` does not match."""
        return (self.weight.shape[0],) if size_of(source) == self.weight.shape[1] else None

    def fan_out(
        self, source: Shape, target: Shape, part_of: IntArray, n_parts: int
    ) -> sparse.csr_array:
        """Synapses of each source neuron on each part of the target, (sources, parts).

        part_of: the part of each target neuron, (targets,); -1 for those not counted.
        """
        sizes = np.bincount(part_of[part_of >= 0], minlength=n_parts)
        return sparse.csr_array(np.broadcast_to(sizes, (size_of(source), n_parts)))

    def fan_in(self, source: Shape) -> int:
        """Most synapses onto one neuron."""
        return int(self.weight.shape[1])

    def digest(self) -> str:
        """Hash of the weights."""
        return digest("dense", self.weight)


@dataclass(frozen=True, slots=True, eq=False)
class Conv2d:
    """Shared kernels slid over `(channels, height, width)`: torch's `conv2d` (correlation).

    Attributes:
        weight: (target channels, source channels / groups, kernel height, kernel width).
        stride, padding, dilation: (vertical, horizontal). groups: blocks of channels.
    """

    weight: AnyArray
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @classmethod
    def of(
        cls,
        weight: object,
        *,
        stride: int | tuple[int, int] = (1, 1),
        padding: int | tuple[int, int] = (0, 0),
        dilation: int | tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> "Conv2d":
        """Synapses from an array-like kernel; one number stands for both axes."""
        return cls(
            _weights(weight),
            _pair("convolution's stride", stride),
            _pair("convolution's padding", padding),
            _pair("convolution's dilation", dilation),
            whole_number("convolution's groups", groups),
        )

    @classmethod
    def pool(
        cls,
        channels: int,
        size: int | tuple[int, int],
        *,
        stride: int | tuple[int, int] | None = None,
        padding: int | tuple[int, int] = (0, 0),
        weight: float = 1,
    ) -> "Conv2d":
        """Pooling as weights: every spike of a channel's window counts `weight`.

        Sums with `weight` 1, averages with one over the window's area; a mixed 8-bit word holds
        even whole numbers. The stride is the window's size unless another is given.
        """
        window, groups = _pair("pooling window", size), whole_number("pooled channels", channels)
        if min(*window, groups) < 1:
            raise ValueError(f"pooling of {groups} channels by {window}: each must be 1 or more")
        kernel = np.full((groups, 1, *window), weight)
        step = window if stride is None else stride
        return cls.of(kernel, stride=step, padding=padding, groups=groups)

    def __post_init__(self) -> None:
        if self.weight.ndim != 4 or not self.weight.size:
            raise ValueError(
                "convolution weights are (out channels, in channels / groups, height, width), "
                f"each 1 or more, got shape {self.weight.shape}"
            )
        if min(self.stride) < 1 or min(self.dilation) < 1 or min(self.padding) < 0:
            raise ValueError(
                f"stride {self.stride} and dilation {self.dilation} must be 1 or more, padding "
                f"{self.padding} 0 or more"
            )
        if self.groups < 1 or self.weight.shape[0] % self.groups:
            raise ValueError(
                f"{self.weight.shape[0]} output channels do not divide into {self.groups} groups"
            )

    def target_shape(self, source: Shape) -> Shape | None:
        """(channels, height, width) of the target; None if `source` does not match."""
        if len(source) != 3 or source[0] != self.weight.shape[1] * self.groups:
            return None
        size = []
        for i in (0, 1):
            span = self.dilation[i] * (self.weight.shape[2 + i] - 1) + 1
            size.append((source[1 + i] + 2 * self.padding[i] - span) // self.stride[i] + 1)
        return (self.weight.shape[0], *size) if min(size) > 0 else None

    def fan_out(
        self, source: Shape, target: Shape, part_of: IntArray, n_parts: int
    ) -> sparse.csr_array:
        """Synapses of each source neuron on each part of the target; see `Dense.fan_out`."""
        channels = source[0] // self.groups
        groups = self.fan_out_of_places(source, target, part_of, n_parts)
        each = [fan for fan in groups for _ in range(channels)]
        return sparse.csr_array(sparse.vstack(each, format="csr"))

    def fan_out_of_places(
        self, source: Shape, target: Shape, part_of: IntArray, n_parts: int
    ) -> list[sparse.csr_array]:
        """The same for one channel of each group, (places, parts): all of a group are alike."""
        n_places = target[1] * target[2]
        per_group = part_of.reshape(self.groups, -1, n_places)
        reach = self.reach(source, target)
        rows = []
        for parts in per_group:
            place = np.broadcast_to(np.arange(n_places), parts.shape)[parts >= 0]
            ones = np.ones(place.size, dtype=np.int64)
            held = sparse.csr_array((ones, (place, parts[parts >= 0])), shape=(n_places, n_parts))
            rows.append(sparse.csr_array(reach @ held))
        return rows

    def reach(self, source: Shape, target: Shape) -> sparse.csr_array:
        """Kernel taps that join each source place with each target place."""
        ends: list[tuple[IntArray, IntArray]] = []
        for ky in range(self.weight.shape[2]):
            ys, oy = self.taps(0, ky, source[1], target[1])
            for kx in range(self.weight.shape[3]):
                xs, ox = self.taps(1, kx, source[2], target[2])
                rows = (ys[:, None] * source[2] + xs).ravel()
                ends.append((rows, (oy[:, None] * target[2] + ox).ravel()))
        row, column = (np.concatenate(side) for side in zip(*ends, strict=True))
        shape = (source[1] * source[2], target[1] * target[2])
        return sparse.csr_array((np.ones(row.size, dtype=np.int64), (row, column)), shape=shape)

    def taps(self, axis: int, k: int, n_source: int, n_target: int) -> tuple[IntArray, IntArray]:
        """Source and target positions along one axis that kernel tap `k` joins."""
        out = np.arange(n_target)
        pos = out * self.stride[axis] - self.padding[axis] + k * self.dilation[axis]
        valid = (pos >= 0) & (pos < n_source)
        return pos[valid], out[valid]

    def fan_in(self, source: Shape) -> int:
        """Most synapses onto one neuron."""
        return size_of(self.weight.shape[1:])

    def digest(self) -> str:
        """Hash of kernel and geometry."""
        geometry = (self.stride, self.padding, self.dilation, self.groups)
        return digest("conv2d", self.weight, geometry)


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Listed synapses, sorted by source neuron (CSR). Two neurons may share several.

    Attributes:
        indptr: where each source neuron's synapses begin and end, (sources + 1,).
        target: target neuron of each synapse, (synapses,).
        weight: real or integer, (synapses,).
        n_targets: neurons of the target population.
    """

    indptr: IntArray
    target: AnyArray
    weight: AnyArray
    n_targets: int

    @classmethod
    def of(cls, weight: object, *, indptr: object, target: object, n_targets: int) -> "Sparse":
        """Synapses from array-likes in CSR order."""
        return cls(
            whole("`indptr`", indptr),
            whole("`target`", target, np.int32),
            _weights(weight),
            whole_number("`n_targets`", n_targets),
        )

    @classmethod
    def from_dense(cls, weight: object) -> "Sparse":
        """The synapses of a matrix (target, source) whose weight is not zero."""
        matrix = sparse.csr_array(np.asarray(weight).T)
        return cls.of(
            matrix.data, indptr=matrix.indptr, target=matrix.indices, n_targets=matrix.shape[1]
        )

    def __post_init__(self) -> None:
        n = self.weight.size
        if self.weight.ndim != 1 or self.target.shape != (n,):
            raise ValueError(
                f"sparse synapses need one weight and one target each, got {self.weight.shape} "
                f"weights and {self.target.shape} targets"
            )
        steps = np.diff(self.indptr)
        if self.indptr.ndim != 1 or self.indptr.size < 2 or self.indptr[0] or (steps < 0).any():
            raise ValueError("`indptr` must rise from 0, one entry more than source neurons")
        if self.indptr[-1] != n:
            raise ValueError(f"`indptr` ends at {self.indptr[-1]}, there are {n} synapses")
        if n and not (self.target.min() >= 0 and self.target.max() < self.n_targets):
            raise ValueError(
                f"targets reach {self.target.min()}..{self.target.max()}, the target population "
                f"has neurons 0..{self.n_targets - 1}"
            )

    def target_shape(self, source: Shape) -> Shape | None:
        """Shape of the target, flat; None if `source` does not match."""
        return (self.n_targets,) if size_of(source) == self.indptr.size - 1 else None

    @property
    def source(self) -> IntArray:
        """Source neuron of each synapse, (synapses,)."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))

    def fan_out(
        self, source: Shape, target: Shape, part_of: IntArray, n_parts: int
    ) -> sparse.csr_array:
        """Synapses of each source neuron on each part of the target; see `Dense.fan_out`."""
        indptr, part, count = count_reached(self.indptr, self.target, part_of, n_parts)
        return sparse.csr_array((count, part, indptr), shape=(self.indptr.size - 1, n_parts))

    def fan_in(self, source: Shape) -> int:
        """Most synapses onto one neuron."""
        return int(np.bincount(self.target, minlength=1).max())

    def digest(self) -> str:
        """Hash of every synapse."""
        return digest("sparse", self.indptr, self.target, self.weight, self.n_targets)


Synapses = Dense | Conv2d | Sparse


def with_weight(synapses: Synapses, weight: AnyArray) -> Synapses:
    """The same synapses with other weights."""
    return replace(synapses, weight=_weights(weight))


def n_synapses(synapses: Synapses, source: Shape, target: Shape) -> IntArray:
    """Synapses of each source neuron, (sources,)."""
    one = synapses.fan_out(source, target, np.zeros(size_of(target), dtype=np.int64), 1)
    return np.asarray(one.todense()).reshape(-1)


def _pair(what: str, values: object) -> tuple[int, int]:
    """Two whole numbers, vertical and horizontal; one stands for both."""
    array = whole(what, values)
    if array.ndim and array.shape != (2,):
        raise ValueError(f"{what} is {values}, must be one whole number or two")
    vertical, across = np.broadcast_to(array, (2,)).tolist()
    return vertical, across


def _weights(weight: object) -> AnyArray:
    numbers = numbers_of("a weight", weight)
    if numbers.dtype.kind in "iub":
        return whole("a weight", numbers)
    numbers = real("a weight", numbers)
    if not np.isfinite(numbers).all():
        bad = int(np.size(numbers) - np.isfinite(numbers).sum())
        raise ValueError(f"{bad} of {numbers.size} weights are NaN or infinite: train again")
    return numbers
