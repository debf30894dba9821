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


class SynapseFormat(_Spec):
    """How a core stores the synapses of an axon.

    A synapse is a weight, the index of its target and perhaps a delay; blocks of up to
    `block_synapses` share a header, and every axon starts a new word. Widths not listed are
    rounded up to the next that is.
    """

    word_bits: PositiveInt
    header_bits: int = Field(ge=0)
    block_synapses: PositiveInt
    weight_bits: tuple[PositiveInt, ...]
    index_bits: tuple[int, ...]
    delay_bits: int = Field(ge=0)
    shares_kernels: bool = False  # a convolution's kernel is stored once per core


class Limits(_Spec):
    """What fits on one core, how many cores a chip has, and how many chips can be joined.

    A limit that is None is not known, or the chip has none; nothing is then checked.
    """

    cores: PositiveInt
    chips: PositiveInt = 1
    neurons_per_core: PositiveInt
    synapse_bits_per_core: PositiveInt
    axons_in_per_core: PositiveInt
    axons_out_per_core: PositiveInt
    synapse_format: SynapseFormat
    max_delay: PositiveInt  # steps beyond the one that every spike takes
    weight_bits: PositiveInt
    message_bits: int = Field(ge=0, le=32)
    v_th_max: PositiveInt
    bias_mant_max: PositiveInt
    bias_exp_max: int = Field(ge=0)
    refractory_max: int = Field(ge=0)  # steps in which the potential is held after a spike
    neuron_configs: PositiveInt | None = None  # distinct decays, refractory times, ... on a core
    v_th_configs: PositiveInt | None = None  # distinct thresholds on a core
    synapse_configs: PositiveInt | None = None  # distinct weight words on a core
    resets: tuple[Literal["zero", "subtract", "none"], ...]
    neurons: tuple[Literal["spikes", "ternary", "graded", "sigma_delta"], ...] = ("spikes",)


class Mesh(_Spec):
    """Tiles on a grid, each with a router and some cores; chips on a grid, side by side.

    Core c of a chip sits on tile c // cores_per_tile, tiles counted row by row; cores of the next
    chip go on counting.
    """

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt
    chip_columns: PositiveInt = 1


class Energies(_Spec):
    """Joules per event. A field without an entry is no event of its own: it is in another price."""

    sop: Constant
    sop_sparse: Constant | None = None
    sop_conv: Constant | None = None
    update_active: Constant
    update_inactive: Constant
    spike: Constant | None = None
    packet: Constant
    packet_in: Constant | None = None
    hop_ew: Constant
    hop_ns: Constant
    hop_chip: Constant | None = None
    barrier: Constant
    reset: Constant
    input_spike: Constant
    readout: Constant


class Times(_Spec):
    """Seconds per event on the slowest core, or on the way of a packet.

    A packet holds a link for the time of a hop. A barrier grows linearly with the tiles in use,
    and by `barrier_chips` where several chips are joined.
    """

    sop: Constant
    sop_sparse: Constant | None = None
    sop_conv: Constant | None = None
    update_active: Constant
    update_inactive: Constant
    spike: Constant | None = None
    packet: Constant
    packet_in: Constant | None = None
    hop_ew: Constant
    hop_ns: Constant
    hop_chip: Constant | None = None
    barrier_one_tile: Constant
    barrier_all_tiles: Constant
    barrier_chips: Constant | None = None


class Powers(_Spec):
    """Watts while the chip runs: of a powered core, of a chip beyond its cores, of the host."""

    core: Constant
    chip: Constant | None = None
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

    @property
    def n_cores(self) -> int:
        """Cores of all the chips that can be joined."""
        return self.limits.cores * self.limits.chips

    def chip_of(self, core: int) -> int:
        """The chip of a core."""
        return core // self.limits.cores

    def chip_xy(self, core: int) -> tuple[int, int]:
        """Column and row of a core's chip."""
        chip = self.chip_of(core)
        return chip % self.mesh.chip_columns, chip // self.mesh.chip_columns

    def tile_xy(self, core: int) -> tuple[int, int]:
        """Column and row of a core's tile, over all chips."""
        (x, y), mesh = self.chip_xy(core), self.mesh
        tile = core % self.limits.cores // mesh.cores_per_tile
        return x * mesh.columns + tile % mesh.columns, y * mesh.rows + tile // mesh.columns

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name, e.g. `energy.sop`."""
        named = {
            f"{group}.{name}": getattr(getattr(self, group), name)
            for group in ("energy", "time", "power")
            for name in type(getattr(self, group)).model_fields
        }
        return {name: constant for name, constant in named.items() if constant is not None}


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
