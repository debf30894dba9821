"""A chip's constants as plain numbers, for choices that need an estimate, not a bill."""

from hwsim.chips.spec import Energies, Powers, Times


def nominal(constants: Times | Energies | Powers, name: str) -> float:
    """A chip's own value of a constant; that of plain synaptic operations for kinds not told apart.

    What is not known, or no event of its own, weighs nothing.
    """
    constant = getattr(constants, name)
    if constant is None:
        return nominal(constants, "sop") if name.startswith("sop_") else 0.0
    return float(constant.value or 0.0)
