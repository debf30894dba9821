"""What happened on a chip of crossbars: events per block and layer, that add up over runs."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from hwsim.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class CrossbarCounts:
    """Events by block, a matrix on one array, and by layer, a population that is no input.

    A convolution reads its block once for every place of its output: `pulses` counts them all. A
    signed number takes two passes, a serial one a pulse for every bit.

    Attributes:
        pulses: reads of a block, (blocks,).
        rows_driven: rows at a voltage that is not 0, over all pulses, (blocks,).
        cells_driven: cells on those rows, (blocks,).
        cell_watts: what the drivers delivered during a pulse, cells and wires, summed over all
            pulses in watts, (blocks,): times the length of a pulse it is energy.
        columns_read: columns sensed, over all pulses, (blocks,).
        conversions: of analog-to-digital converters, clipped ones included, (blocks,).
        clipped: conversions beyond the converter's range, and numbers beyond a `dac`'s full scale,
            (blocks,).
        senses: comparisons of sense amplifiers, (blocks,).
        shift_adds: digital additions behind the converters: of slices, bits, signs, blocks,
            (blocks,).
        serial_conversions: conversions one after the other on the block's busiest converter,
            (blocks,); the pulses themselves are one after the other too.
        layer: the layer that a block serves, (blocks,); not summed.
        updates, spikes: of digital neurons, (layers,).
        bits_buffered: of the layer's input, written once and read once, (layers,).
        host_macs: multiply-accumulates of layers that are left to the host, (layers,).
        n_samples, n_steps: presentations, and time steps over all of them.
        n_inputs: input spikes. n_readouts: values the host read.
        n_arrays: arrays in use. n_cells: cells programmed. depth: layers on the longest path.
    """

    pulses: IntArray
    rows_driven: IntArray
    cells_driven: IntArray
    cell_watts: FloatArray
    columns_read: IntArray
    conversions: IntArray
    clipped: IntArray
    senses: IntArray
    shift_adds: IntArray
    serial_conversions: IntArray
    layer: IntArray
    updates: IntArray
    spikes: IntArray
    bits_buffered: IntArray
    host_macs: IntArray
    n_samples: int
    n_steps: int
    n_inputs: int
    n_readouts: int
    n_arrays: int
    n_cells: int
    depth: int

    def __add__(self, other: "CrossbarCounts") -> "CrossbarCounts":
        kept = ("n_arrays", "n_cells", "depth")
        same = [getattr(self, n) == getattr(other, n) for n in kept]
        if not all(same) or not np.array_equal(self.layer, other.layer):
            raise ValueError(
                f"counts of {self.n_arrays} arrays with {self.n_cells} cells and of "
                f"{other.n_arrays} with {other.n_cells} do not add up: they are of different plans"
            )
        names = [f.name for f in fields(self) if f.name not in (*kept, "layer")]
        summed: dict[str, Any] = {n: getattr(self, n) + getattr(other, n) for n in names}
        return CrossbarCounts(**summed, layer=self.layer, **{n: getattr(self, n) for n in kept})
