"""A chip at one age, ready to be read: cells as they have drifted, wires reduced, converters."""

from dataclasses import dataclass

import numpy as np

from hwsim.arrays import AnyArray, FloatArray
from hwsim.crossbar.converters import Converters, SenseAmps
from hwsim.crossbar.gated import GatedArray
from hwsim.crossbar.kept import reduced
from hwsim.crossbar.made import MadeChip, converters
from hwsim.crossbar.plan import Block
from hwsim.crossbar.products import Cells, Exact, Fast


@dataclass(frozen=True, slots=True, eq=False)
class ReadyBlock:
    """A block at one age.

    Attributes:
        gated: its array, if idle rows are cut off and the wires resist, so that every pattern of
            rows is a circuit of its own; None if one matrix serves all.
        product: how its columns are read, noise and converters included. held: what it multiplies.
        power: what the drivers deliver at 1 V, a matrix (rows, rows), or, of ideal wires, whose
            rows do not disturb each other, its diagonal (rows,).
        converters: None where currents are read as they are.
    """

    block: Block
    v_read_volt: float
    gated: GatedArray | None
    product: Exact | Fast
    held: AnyArray
    power: FloatArray
    converters: Converters | SenseAmps | None

    def read(self, x: AnyArray, rng: np.random.Generator) -> tuple[AnyArray, int, float]:
        """Sensed currents (reads, sensed columns), how many were clipped, and watts delivered.

        x: voltages in units of the read voltage, (reads, rows), of the type of `held`.
        """
        v, lines = self.v_read_volt, x
        if self.gated is None:
            watts = v * v * self._siemens(x)
        else:  # one circuit per pattern: its currents take the place of the product
            solved = self.gated.solve(np.asarray(x * v, dtype=np.float64))
            lines = self.block.coding.sensed(solved.i_bit) / v
            watts = float((solved.i_word * x).sum() * v)
        values, clipped = self.product.pulse(lines, x * x, self.held, rng)
        if isinstance(self.converters, Converters):
            return values * self.converters.adc.lsb, clipped, watts
        if isinstance(self.converters, SenseAmps):
            return values + self.converters.offset_ampere, 0, watts
        return values, 0, watts

    def _siemens(self, x: AnyArray) -> float:
        """Power of all reads at 1 V: `sum x power x`."""
        if self.power.ndim == 1:
            return float(np.einsum("br,br->r", x, x, dtype=np.float64) @ self.power)
        return float((x.T @ x * self.power).sum(dtype=np.float64))


def ready_at(
    made: MadeChip, time_s: float = 0.0, temperature_k: float | None = None
) -> list[ReadyBlock]:
    """The blocks of a chip so long after programming.

    The noise of a cell is seen attenuated by the wires as its current is. Around a cell that hardly
    conducts its neighbours leak, and more arrives than its own: its noise is taken as it is. Blocks
    with converters are read in float32, which is finer than any converter; others in float64,
    exactly.
    """
    out = []
    plan, array = made.plan, made.plan.chip.array
    for i, (block, cells) in enumerate(zip(plan.blocks, made.cells, strict=True)):
        g, coding, found = cells.at(time_s, temperature_k), block.coding, converters(made, i)
        linear = reduced(g, plan.wires)
        sd = np.broadcast_to(cells.read_sd(time_s, temperature_k), g.shape)
        share = np.divide(linear.g_eff, g, out=np.ones_like(g), where=g > linear.g_eff)
        noise = np.sqrt(coding.sensed_variance((sd * share) ** 2)) if sd.any() else None
        gated = array.idle == "gated" and array.wires_resist
        as_cells = Cells(coding.sensed(linear.g_eff), array.v_read_volt, noise, None)
        adc = found if isinstance(found, Converters) else None
        product = Exact(as_cells, adc) if adc is None or gated else Fast(as_cells, adc)
        held = np.eye(block.n_sensed) if gated else product.hold(None)
        out.append(
            ReadyBlock(
                block,
                array.v_read_volt,
                GatedArray(g, plan.wires) if gated else None,
                product,
                held,
                linear.g_in if array.wires_resist else g.sum(axis=1),
                found,
            )
        )
    return out
