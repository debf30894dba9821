"""A chip as data: limits, topology, and constants that each say where they come from."""

import difflib
import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)

T = TypeVar("T", bound=BaseModel)

CLASSES = {
    "M": "measured on silicon",
    "P": "pre-silicon or SPICE",
    "F": "fitted",
    "D": "derived",
    "R": "rule of thumb",
}


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Constant(_Spec):
    """A number with its source. `value` None is unknown, never free.

    `rel_uncertainty` r is the band: p10 = value / (1 + r), p90 = value (1 + r), median = value.
    """

    value: NonNegativeFloat | None = None
    unit: Literal["J", "s", "W"]
    source: str = Field(min_length=8)
    kind: Literal["M", "P", "F", "D", "R"] = Field(alias="class")
    rel_uncertainty: float | None = Field(default=None, gt=0, le=10)
    note: str = ""

    @model_validator(mode="after")
    def _known_has_a_band(self) -> Self:
        if (self.value is None) != (self.rel_uncertainty is None):
            raise ValueError("a known value needs `rel_uncertainty`, an unknown one has none")
        return self


class Limits(_Spec):
    """What fits on one core, and how many cores there are."""

    cores: PositiveInt
    neurons_per_core: PositiveInt
    synapse_bits_per_core: PositiveInt
    axons_in_per_core: PositiveInt
    axons_out_per_core: PositiveInt
    max_delay: PositiveInt
    weight_bits: PositiveInt
    message_bits: int = Field(ge=0, le=32)
    resets: tuple[Literal["zero", "subtract", "none"], ...]


class Mesh(_Spec):
    """Tiles on a grid, each with a router and some cores.

    Core c sits on tile c // cores_per_tile, tiles counted row by row.
    """

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt

    def tile_xy(self, core: int) -> tuple[int, int]:
        """Column and row of a core's tile."""
        tile = core // self.cores_per_tile
        return tile % self.columns, tile // self.columns


class Energies(_Spec):
    """Joules per event."""

    sop: Constant
    update_active: Constant
    update_inactive: Constant
    packet: Constant
    hop_ew: Constant
    hop_ns: Constant
    barrier: Constant
    reset: Constant
    input_spike: Constant
    readout: Constant


class Times(_Spec):
    """Seconds per event on the slowest part; a barrier grows linearly with the tiles in use."""

    sop: Constant
    update_active: Constant
    update_inactive: Constant
    packet: Constant
    hop_ew: Constant
    hop_ns: Constant
    barrier_one_tile: Constant
    barrier_all_tiles: Constant


class Powers(_Spec):
    """Watts while the chip runs."""

    core: Constant
    host: Constant


class ChipSpec(_Spec):
    """A chip of digital neurocores in Loihi's integer arithmetic."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # names a folder of results
    title: str
    arithmetic: Literal["loihi"]
    technology: str
    area_m2: float | None
    notes: tuple[str, ...] = ()
    limits: Limits
    mesh: Mesh
    energy: Energies
    time: Times
    power: Powers

    @model_validator(mode="after")
    def _cores_are_on_the_mesh(self) -> Self:
        places = self.mesh.columns * self.mesh.rows * self.mesh.cores_per_tile
        if places < self.limits.cores:
            raise ValueError(f"{self.limits.cores} cores, but the mesh has {places} places")
        return self

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name, e.g. `energy.sop`."""
        return {
            f"{group}.{name}": getattr(getattr(self, group), name)
            for group in ("energy", "time", "power")
            for name in type(getattr(self, group)).model_fields
        }


class Operation(_Spec):
    """Energy of one arithmetic operation in a price list without a chip."""

    mac_fp32: Constant
    ac_fp32: Constant
    mac_int8: Constant


class PriceList(_Spec):
    """The field's shortcut: joules per multiply-accumulate and accumulate, nothing else."""

    name: str
    title: str
    technology: str
    notes: tuple[str, ...] = ()
    energy: Operation

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name."""
        return {f"energy.{n}": getattr(self.energy, n) for n in Operation.model_fields}


def chip_names() -> tuple[str, ...]:
    """Names of the chips that ship with hwsim."""
    return tuple(sorted(_shipped("presets")))


def load_chip(name: str | Path) -> ChipSpec:
    """A shipped chip by name, or one of your own by the path of its TOML file.

    Raises:
        ValueError: for an unknown name (the nearest is suggested) or a file that is no chip.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        if not Path(text).is_file():
            raise FileNotFoundError(f"no chip file {text}")
        return _parse(ChipSpec, text, Path(text).read_text(encoding="utf-8"))
    shipped = _shipped("presets")
    if text not in shipped:
        near = difflib.get_close_matches(text.lower(), shipped, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(shipped))}"
        raise ValueError(f"unknown chip {text!r}: {hint} (or give a `.toml` file)")
    return _parse(ChipSpec, text, shipped[text])


def load_price_list(name: str = "cmos45") -> PriceList:
    """A price list that ships with hwsim."""
    shipped = _shipped("prices")
    if name not in shipped:
        raise ValueError(f"unknown price list {name!r}: there are {', '.join(sorted(shipped))}")
    return _parse(PriceList, name, shipped[name])


def _shipped(folder: str) -> dict[str, str]:
    files = (resources.files("hwsim.chips") / folder).iterdir()
    return {f.name[:-5]: f.read_text(encoding="utf-8") for f in files if f.name.endswith(".toml")}


def _parse(spec: type[T], name: str, text: str) -> T:
    try:
        return spec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(
            f"{name} is no {spec.__name__}: {where}: {first['msg']}"
            + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else "")
        ) from error
