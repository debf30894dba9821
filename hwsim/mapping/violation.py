"""A broken limit, in one line: layer, limit, used, allowed, and the way out."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """A limit of a chip that a network breaks.

    Attributes:
        layer: a population, or a projection as `source -> target`.
        limit: the field of the chip file's `[limits]` that is broken; `arithmetic` for a network
            in real numbers, `time` for a loop that is too quick for a chip.
        used, allowed: what the network needs, and what the chip has.
        remedy: what to do about it.
    """

    layer: str
    limit: str
    used: int | str
    allowed: int | str
    remedy: str

    def __str__(self) -> str:
        return f"layer {self.layer!r}: {self.limit} {self.used} of {self.allowed} ({self.remedy})"


class DoesNotFit(ValueError):  # noqa: N818 (a verdict, named as users read it)
    """A network exceeds a chip: every broken limit with layer, use and a remedy."""

    def __init__(self, chip: str, violations: tuple[Violation, ...]) -> None:
        self.violations = violations
        lines = "; ".join(map(str, violations))
        super().__init__(f"the network does not fit {chip}: {lines}")


REMEDY = {
    "neurons": "shrink the layer, or use a chip with larger cores",
    "synapse_bits": "lower the fan-in, the kernel size or the weight bits",
    "axons_in": "shrink the layer before it, or use a stride or pooling there",
    "axons_out": "shrink the layer after it, so that fewer cores listen",
    "neuron_configs": "round decays, bias exponents and refractory times to fewer values",
    "v_th_configs": "round thresholds to fewer values",
    "synapse_configs": "give projections into it the same word: weight bits, exponent, sign mode",
}
