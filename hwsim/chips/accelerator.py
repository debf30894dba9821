"""A price list of an ANN accelerator: multiply-accumulates, and the memories that feed them."""

from typing import Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from hwsim.chips.spec import Constant, Spec


class Energies(Spec):
    """Joules per event; a byte is one weight or one activation of 8 bits."""

    mac: Constant
    local_byte: Constant  # from the buffers beside the multipliers
    sram_byte: Constant
    dram_byte: Constant


class Times(Spec):
    """Seconds, of events one after the other; multipliers in parallel are in the price."""

    mac: Constant
    dram_byte: Constant


class Powers(Spec):
    """Watts while it runs."""

    chip: Constant
    host: Constant


class Areas(Spec):
    """Square metres of a part."""

    mac: Constant
    sram_byte: Constant


class Accelerator(Spec):
    """Multipliers on int8 with an on-chip memory, and DRAM behind it.

    `local_bytes_per_mac`: what a multiply-accumulate takes from the buffers beside it on average;
    operands that are used again come from registers.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    title: str
    technology: str
    notes: tuple[str, ...] = ()
    macs: PositiveInt  # multipliers
    sram_bytes: PositiveInt
    local_bytes_per_mac: PositiveFloat
    energy: Energies
    time: Times
    power: Powers
    area: Areas

    @model_validator(mode="after")
    def _units_fit(self) -> Self:
        units = {"energy": "J", "time": "s", "power": "W", "area": "m2"}
        for name, constant in self.constants().items():
            if constant.unit != (unit := units[name.partition(".")[0]]):
                raise ValueError(f"`{name}` is in {constant.unit!r}: it is priced in {unit!r}")
        return self

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name, e.g. `energy.mac`."""
        groups = ("energy", "time", "power", "area")
        return {f"{group}.{n}": c for group in groups for n, c in getattr(self, group)}
