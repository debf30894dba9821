"""Weights that were formed by chance: pairs of cells as they were found, not programmed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.crossbar.cells import Cells
from hwsim.crossbar.device import Device
from hwsim.crossbar.spec import CrossbarChip
from hwsim.network import Network
from hwsim.synapses import Dense

# of the largest difference of a pair: weights may have been rounded to float32
AGREE = 8 * float(np.finfo(np.float32).eps)


@dataclass(frozen=True, slots=True, eq=False)
class FormedPairs:
    """Cells (rows, 2 x columns): physical columns 2j and 2j + 1 are plus and minus of weight j.

    Their conductances may exceed the device's window, which is one of wanted conductances: they
    are never clipped.
    """

    cells: Cells

    def __post_init__(self) -> None:
        if not isinstance(self.cells, Cells):
            raise ValueError(f"cells are {self.cells!r:.40}: give what `Device.form` returns")
        shape = self.cells.g_wanted.shape
        if len(shape) != 2 or not self.cells.g_wanted.size or shape[1] % 2:
            raise ValueError(f"cells of shape {shape} are no pairs: must be (rows, 2 x columns)")

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and weights a row."""
        rows, physical = self.cells.g_wanted.shape
        return rows, physical // 2

    @property
    def difference_siemens(self) -> FloatArray:
        """g_plus - g_minus at time 0, (rows, columns)."""
        g = self.cells.at()
        return np.ascontiguousarray(g[:, 0::2] - g[:, 1::2])

    @property
    def pristine(self) -> float:
        """Fraction of the cells that did not break down.

        Raises:
            ValueError: if the device is not formed by chance.
        """
        law = self.cells.device.forming
        if law is None:
            raise ValueError(f"how {self.cells.device.name} is formed is not known")
        return float(np.mean(self.cells.g_wanted == law.pristine_siemens))

    def weight(self, siemens_per_weight: float) -> FloatArray:
        """Weights (rows, columns) = (g_plus - g_minus) / siemens_per_weight at time 0.

        `Dense` synapses take them transposed, (targets, sources).

        Raises:
            ValueError: if it is no conductance above 0.
        """
        if not 0 < siemens_per_weight < np.inf:
            raise ValueError(f"siemens_per_weight is {siemens_per_weight}, must be above 0")
        return self.difference_siemens / siemens_per_weight


def form_pairs(
    device: Device,
    n_rows: int,
    n_columns: int,
    rng: np.random.Generator,
    breakdown_volt: float | None = None,
) -> FormedPairs:
    """New cells for (n_rows, n_columns) weights, formed by chance [Wang2023]; see `Device.form`.

    Raises:
        ValueError: as `Device.form`, or for fewer than one row or column.
    """
    if n_rows < 1 or n_columns < 1:
        raise ValueError(f"{n_rows} rows of {n_columns} weights, must be 1 or more of each")
    return FormedPairs(device.form((n_rows, 2 * n_columns), rng, breakdown_volt))


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Formed cells of a matrix, and the scale by which its weights were read off them."""

    cells: Cells
    siemens_per_weight: float


def found_together(
    net: Network, numbers: Sequence[int], found: Mapping[int, Found]
) -> Found | None:
    """The formed cells of projections that are read together, rows one below the other.

    Raises:
        ValueError: if only some of them are formed, or their scales differ.
    """
    own = [found[k] for k in numbers if k in found]
    if not own:
        return None
    scales = np.array([f.siemens_per_weight for f in own])
    name = net.projections[numbers[0]].target
    if len(own) < len(numbers):
        raise ValueError(
            f"{len(own)} of {len(numbers)} projections into {name!r} are formed: of those that are "
            "joined form all or none"
        )
    if np.ptp(scales) > AGREE * scales.max():
        raise ValueError(
            f"weights into {name!r} were read by {scales.min():g} and {scales.max():g} siemens: on "
            "one array read all of them by one `siemens_per_weight`"
        )
    return Found(reduce(Cells.above, [f.cells for f in own]), float(scales.mean()))


def found_cells(
    net: Network,
    chip: CrossbarChip,
    device: Device,
    host: tuple[str, ...],
    formed: Mapping[tuple[str, str], FormedPairs],
) -> dict[int, Found]:
    """Formed cells by number of the projection, held against chip, device and weights.

    Raises:
        ValueError: if chip, device or projection cannot have these cells, or if its weights were
            not read off them.
    """
    if formed and (chip.array.signed != "pairs" or chip.array.slice_bits is not None):
        raise ValueError(
            f"formed cells are pairs, {chip.name} has weights of `array.signed` "
            f"{chip.array.signed!r} and `slice_bits` {chip.array.slice_bits}: give a chip of whole "
            "pairs"
        )
    return dict(_found(net, device, host, ends, pairs) for ends, pairs in formed.items())


def _found(
    net: Network,
    device: Device,
    host: tuple[str, ...],
    ends: tuple[str, str],
    pairs: FormedPairs,
) -> tuple[int, Found]:
    numbers = [k for k, p in enumerate(net.projections) if (p.source, p.target) == ends]
    if len(numbers) != 1:
        there = ", ".join(f"{p.source} -> {p.target}" for p in net.projections)
        raise ValueError(f"formed cells of {ends}: {len(numbers)} projections are that of {there}")
    if not isinstance(pairs, FormedPairs):
        raise ValueError(f"formed cells of {ends} are {pairs!r:.40}: give `form_pairs(...)`")
    p, said = net.projections[numbers[0]], f"formed cells of {ends[0]} -> {ends[1]}"
    if p.target in host:
        raise ValueError(f"{said}: {p.target!r} is left to the host, give one of both")
    if not isinstance(p.synapses, Dense) or p.delay.ndim:
        raise ValueError(f"{said}: its synapses must be dense and of one delay")
    if pairs.cells.device != device:
        raise ValueError(
            f"{said} are of device {pairs.cells.device.name}, the plan's is {device.name}: give "
            "that of the cells as `device`"
        )
    weight = np.asarray(p.synapses.weight, dtype=np.float64).T
    if pairs.shape != weight.shape:
        raise ValueError(f"{said} are {pairs.shape} weights, must be {weight.shape}, by source")
    return numbers[0], Found(pairs.cells, _scale(said, pairs.difference_siemens, weight))


def _scale(said: str, siemens: FloatArray, weight: FloatArray) -> float:
    """The one number that takes all weights to the differences of their pairs."""
    if not siemens.any() and not weight.any():
        raise ValueError(
            f"{said}: all weights are 0, nothing says what a siemens is worth: form the cells at "
            "another voltage"
        )
    squares = float((weight**2).sum())
    scale = float((siemens * weight).sum()) / squares if squares else 0.0
    away = np.abs(siemens - scale * weight)
    if scale <= 0 or away.max() > AGREE * np.abs(siemens).max():
        at = tuple(int(i) for i in np.unravel_index(away.argmax(), away.shape))
        raise ValueError(
            f"{said}: the weights are not those of the cells, e.g. {weight[at]:g} at {at} of "
            f"{siemens[at]:g} S: read them with `FormedPairs.weight(siemens_per_weight).T`"
        )
    return scale
