"""A chip as it was made: cells programmed once, converters with the mismatch they stay with."""

from dataclasses import dataclass, replace

from hwsim.arrays import FloatArray
from hwsim.crossbar.cells import Cells
from hwsim.crossbar.converters import Adc, Converters, SenseAmp, SenseAmps
from hwsim.crossbar.plan import CrossbarPlan
from hwsim.crossbar.seeds import CELLS, CONVERTERS, stream_of


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """Digital factor and offset of a projection's sums, per channel or neuron; see `calibrate`.

    A factor on a sum is one over a factor on threshold and bias.
    """

    factor: FloatArray
    offset: FloatArray


@dataclass(frozen=True, eq=False)
class MadeChip:
    """One of many chips of the same plan: its own errors, frozen when it was programmed.

    Attributes:
        seed: the same plan and seed are the same chip. cells: of every block.
        corrections: by number of the projection, the first of those that are joined, from
            calibration after programming.
    """

    plan: CrossbarPlan
    seed: int
    cells: tuple[Cells, ...]
    corrections: dict[int, Correction]

    def corrected(self, corrections: dict[int, Correction]) -> "MadeChip":
        """The same chip with other digital corrections."""
        return replace(self, corrections=corrections)


def fabricate(plan: CrossbarPlan, *, seed: int = 0) -> MadeChip:
    """Make a chip: program every cell of a plan once, and draw its converters.

    Every block has streams of random numbers of its own. Cells that were formed by chance are those
    of the plan, whatever the seed.

    Raises:
        ValueError: if it is no plan, or the seed is no whole number of at least 0.
    """
    if not isinstance(plan, CrossbarPlan):
        raise ValueError(f"{plan!r:.40} is no plan of a chip: give what `compile_crossbar` returns")
    cells = [
        plan.device.program(block.wanted, stream_of(seed, i, CELLS))
        if block.cells is None
        else block.cells
        for i, block in enumerate(plan.blocks)
    ]
    return MadeChip(plan, seed, tuple(cells), {})


def check_made(made: object) -> MadeChip:
    """The chip, if it was made.

    Raises:
        ValueError: for a plan, and for anything else.
    """
    if isinstance(made, MadeChip):
        return made
    what = "a plan" if isinstance(made, CrossbarPlan) else f"{made!r:.40}"
    raise ValueError(f"{what} is no chip that was made: give what `fabricate(plan)` returns")


def converters(made: MadeChip, i: int) -> Converters | SenseAmps | None:
    """The converters of a block, always the same; None where currents are read as they are."""
    block, how = made.plan.blocks[i], made.plan.chip.output
    rng, n = stream_of(made.seed, i, CONVERTERS), block.n_sensed
    if how.kind == "sense":
        return SenseAmp(how.sense_offset_sd_ampere).draw(n, rng)
    if how.bits is None:
        return None
    assert block.low is not None
    assert block.high is not None
    adc = Adc(
        bits=how.bits,
        low=block.low,
        high=block.high,
        gain_sd=how.gain_sd,
        offset_sd_lsb=how.offset_sd_lsb,
        columns_per_adc=how.columns_per_adc,
    )
    return adc.draw(n, rng)
