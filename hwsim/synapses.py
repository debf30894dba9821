"""Synapse kinds: which neuron reaches which, by what weight, and how often."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, IntArray, digest, frozen

Shape = tuple[int, ...]


def size_of(shape: Shape) -> int:
    """Number of neurons in a shape."""
    return int(np.prod(shape, dtype=np.int64))


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

    def fan_out(self, source: Shape, target: Shape, start: int, stop: int) -> IntArray:
        """Synapses of each source neuron onto target neurons `start` to `stop`, (sources,)."""
        return np.full(size_of(source), stop - start, dtype=np.int64)

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
        stride: tuple[int, int] = (1, 1),
        padding: tuple[int, int] = (0, 0),
        dilation: tuple[int, int] = (1, 1),
        groups: int = 1,
    ) -> "Conv2d":
        """Synapses from an array-like kernel."""

        def pair(values: tuple[int, int]) -> tuple[int, int]:
            vertical, across = values
            return int(vertical), int(across)

        return cls(_weights(weight), pair(stride), pair(padding), pair(dilation), int(groups))

    def __post_init__(self) -> None:
        if self.weight.ndim != 4:
            raise ValueError(
                "convolution weights are (out channels, in channels / groups, height, width), "
                f"got shape {self.weight.shape}"
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

    def fan_out(self, source: Shape, target: Shape, start: int, stop: int) -> IntArray:
        """Synapses of each source neuron onto target neurons `start` to `stop`, (sources,)."""
        inside = np.zeros(size_of(target), dtype=np.int64)
        inside[start:stop] = 1
        # target channels of one group inside the range, at every position: (groups, oh, ow)
        per_group = inside.reshape(self.groups, -1, *target[1:]).sum(axis=1)
        reached = np.zeros((self.groups, *source[1:]), dtype=np.int64)
        for ky in range(self.weight.shape[2]):
            ys, oy = self._taps(0, ky, source[1], target[1])
            for kx in range(self.weight.shape[3]):
                xs, ox = self._taps(1, kx, source[2], target[2])
                reached[:, ys[:, None], xs] += per_group[:, oy[:, None], ox]
        return np.repeat(reached, source[0] // self.groups, axis=0).reshape(-1)

    def _taps(self, axis: int, k: int, n_source: int, n_target: int) -> tuple[IntArray, IntArray]:
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


Synapses = Dense | Conv2d


def _pair(values: tuple[int, int]) -> tuple[int, int]:
    vertical, horizontal = values
    return int(vertical), int(horizontal)


def _weights(weight: object) -> AnyArray:
    array = np.asarray(weight)
    kind = np.int64 if array.dtype.kind in "iub" else np.float64
    if kind is np.float64 and not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise ValueError(f"{bad} of {array.size} weights are NaN or infinite: train again")
    return frozen(array, kind)
