"""A chip as data: limits, topology, and constants that each say where they come from."""

from typing import Literal, Self, get_args

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

CLASSES = {
    "M": "measured on silicon",
    "P": "pre-silicon or SPICE",
    "F": "fitted",
    "D": "derived",
    "R": "rule of thumb",
}


class Spec(BaseModel):
    """Plain data from a file: frozen, strict, finite."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _truth_is_no_number(cls, values: object) -> object:
        """`value = true` would be 1 joule."""
        for name, value in values.items() if isinstance(values, dict) else ():
            known = cls.model_fields.get(name)
            if isinstance(value, bool) and known is not None and known.annotation is not bool:
                raise ValueError(f"`{name}` is {str(value).lower()}, which is no number or text")
        return values


class Constant(Spec):
    """A number with its source. `value` None is unknown, never free.

    `rel_uncertainty` r is the band: p10 = value / (1 + r), p90 = value (1 + r), median = value.
    """

    value: NonNegativeFloat | None = None
    unit: Literal["J", "s", "W", "m2", "1"]
    source: str = Field(min_length=8)
    kind: Literal["M", "P", "F", "D", "R"] = Field(alias="class")
    rel_uncertainty: float | None = Field(default=None, gt=0, le=10)
    note: str = ""

    @model_validator(mode="after")
    def _known_has_a_band(self) -> Self:
        if (self.value is None) != (self.rel_uncertainty is None):
            raise ValueError("a known value needs `rel_uncertainty`, an unknown one has none")
        return self


class SynapseFormat(Spec):
    """How a core stores the synapses of an axon.

    A synapse is a weight, the index of its target and perhaps a delay; blocks of up to
    `block_synapses` share a header, and every axon starts a new word. Widths not listed are
    rounded up to the next that is. `index_bits` of (0,) is a crossbar: no index is stored, and a
    word as wide as a row makes every axon a row. `delay_bits` of (0,) stores no delays with
    synapses; one number is the only width of delays.
    """

    word_bits: PositiveInt
    header_bits: int = Field(ge=0)
    block_synapses: PositiveInt
    weight_bits: tuple[PositiveInt, ...]
    index_bits: tuple[int, ...]
    delay_bits: tuple[NonNegativeInt, ...] = Field(min_length=1)
    shares_kernels: bool = False  # a convolution's kernel is stored once per core

    @field_validator("delay_bits", mode="before")
    @classmethod
    def _one_width(cls, given: object) -> object:
        return (given,) if isinstance(given, int) else given


class PendingInput(Spec):
    """Memory for input on its way: a sum for every neuron and step in which some may be due.

    It is a ring of as many slots as the longest delay has steps. The sum of the next step is every
    neuron's own, so neurons that hear no delays have no ring.
    """

    bits: PositiveInt  # of one sum
    in_synapse_memory: bool = False  # the ring takes of `synapse_bits_per_core`
    source: str = Field(min_length=8)


class Limits(Spec):
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
    pending_input: PendingInput | None = None  # None: not known
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


class Mesh(Spec):
    """Tiles on a grid, each with a router and some cores; chips on a grid, side by side.

    Core c of a chip sits on tile c // cores_per_tile, tiles counted row by row; cores of the next
    chip go on counting.
    """

    columns: PositiveInt
    rows: PositiveInt
    cores_per_tile: PositiveInt
    chip_columns: PositiveInt = 1


Included = Literal[
    "update_active", "update_inactive", "packet", "hop_ew", "hop_ns", "barrier", "power.core"
]


class Energies(Spec):
    """Joules per event. A field without an entry is no event of its own: it is in another price.

    What every chip does must have a price, or be listed in `in_sop`: paid with the synaptic
    operations, where only an all-in figure was published.
    """

    in_sop: tuple[Included, ...] = ()
    sop: Constant
    sop_sparse: Constant | None = None
    sop_conv: Constant | None = None
    update_active: Constant | None = None
    update_inactive: Constant | None = None
    spike: Constant | None = None
    packet: Constant | None = None
    packet_in: Constant | None = None
    hop_ew: Constant | None = None
    hop_ns: Constant | None = None
    hop_chip: Constant | None = None
    barrier: Constant | None = None
    reset: Constant
    input_spike: Constant
    readout: Constant

    @model_validator(mode="after")
    def _nothing_is_free_by_omission(self) -> Self:
        for name in get_args(Included):
            if name != "power.core":
                _priced_once(name, getattr(self, name), self.in_sop)
        return self


def _priced_once(name: str, constant: Constant | None, in_sop: tuple[str, ...]) -> None:
    if constant is None and name not in in_sop:
        raise ValueError(f"`{name}` has no entry: leave its value out, or list it in `in_sop`")
    if constant is not None and name in in_sop:
        raise ValueError(f"`{name}` has a price and is listed in `in_sop`: it would be paid twice")


class Times(Spec):
    """Seconds per event on the slowest core, or on the way of a packet.

    A packet holds a link for the time of a hop. A barrier is a table by the tiles in use, linear
    between its entries, plus `barrier_chips` where several chips are joined. A chip with a `tick`
    begins its steps at that interval; its events may then have no times of their own.
    """

    tick: Constant | None = None
    sop: Constant | None = None
    sop_sparse: Constant | None = None
    sop_conv: Constant | None = None
    update_active: Constant | None = None
    update_inactive: Constant | None = None
    spike: Constant | None = None
    packet: Constant | None = None
    packet_in: Constant | None = None
    hop_ew: Constant | None = None
    hop_ns: Constant | None = None
    hop_chip: Constant | None = None
    barrier: dict[PositiveInt, Constant] = {}
    barrier_chips: Constant | None = None

    @model_validator(mode="after")
    def _nothing_is_instant_by_omission(self) -> Self:
        events = ("sop", "update_active", "update_inactive", "packet", "hop_ew", "hop_ns")
        missing = [name for name in (*events, "barrier") if not getattr(self, name)]
        whole = self.tick is not None and len(missing) == len(events) + 1
        if missing and not whole:
            raise ValueError(
                f"no entry for {', '.join(missing)}: leave the value out if it is not known, or "
                "give a `tick` and no times of events"
            )
        return self

    def barriers(self, n_tiles: int) -> dict[int, float]:
        """The share of every entry of the barrier table in a barrier over so many tiles."""
        known = sorted(self.barrier)
        units = np.eye(len(known))
        return {k: float(np.interp(n_tiles, known, units[i])) for i, k in enumerate(known)}


NO_AREA = {"unit": "m2", "source": "not given in the chip's file", "class": "D"}


class Areas(Spec):
    """Square metres of memory, per bit."""

    bit: Constant = Field(default_factory=lambda: Constant.model_validate(NO_AREA))


class Powers(Spec):
    """Watts while the chip runs: of a powered core, of a chip beyond its cores, of the host."""

    core: Constant | None = None
    chip: Constant | None = None
    host: Constant


class ChipSpec(Spec):
    """A chip of digital neurocores in Loihi's integer arithmetic."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # names a folder of results
    title: str
    arithmetic: Literal["loihi"]
    technology: str
    area_m2: PositiveFloat | None = None
    notes: tuple[str, ...] = ()
    limits: Limits
    mesh: Mesh
    energy: Energies
    time: Times
    power: Powers
    area: Areas = Areas()

    @model_validator(mode="after")
    def _cores_are_on_the_mesh(self) -> Self:
        places = self.mesh.columns * self.mesh.rows * self.mesh.cores_per_tile
        if places < self.limits.cores:
            raise ValueError(f"{self.limits.cores} cores, but the mesh has {places} places")
        return self

    @model_validator(mode="after")
    def _cores_are_paid_for(self) -> Self:
        _priced_once("power.core", self.power.core, self.energy.in_sop)
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
        out: dict[str, Constant] = {}
        for group in ("energy", "time", "power", "area"):
            for name, value in getattr(self, group):
                if isinstance(value, Constant):
                    out[f"{group}.{name}"] = value
                elif isinstance(value, dict):
                    out |= {f"{group}.{name}.{key}": value[key] for key in sorted(value)}
        return out


def check_chip(chip: object) -> ChipSpec:
    """The chip, if it is one of neurocores; a name alone is none.

    Raises:
        ValueError: for a chip of crossbars, and for anything else.
    """
    if isinstance(chip, ChipSpec):
        return chip
    if getattr(chip, "family", None) == "crossbar":
        raise ValueError(
            f"{getattr(chip, 'name', 'this')} is a chip of crossbars, this needs one of neurocores:"
            " give one of hwsim.chip_names('neurocore')"
        )
    load = f"hwsim.load_chip({chip!r})" if isinstance(chip, str) else "hwsim.load_chip(name)"
    raise ValueError(f"{chip!r:.60} is no chip: give {load}")


class Operation(Spec):
    """Energy of one arithmetic operation in a price list without a chip."""

    mac_fp32: Constant
    ac_fp32: Constant
    mac_int8: Constant


class PriceList(Spec):
    """The field's shortcut: joules per multiply-accumulate and accumulate, nothing else."""

    name: str
    title: str
    technology: str
    notes: tuple[str, ...] = ()
    energy: Operation

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name."""
        return {f"energy.{n}": getattr(self.energy, n) for n in Operation.model_fields}
