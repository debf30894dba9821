"""What a chip of resistive crossbars is: arrays, converters, and what every event costs."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from hwsim.chips.spec import ChipSpec, Constant, Spec

Bits = Annotated[int, Field(ge=1, le=16)]
Signed = Literal["pairs", "offset"]
Driven = Literal["left", "right", "both"]
Sensed = Literal["bottom", "top", "both"]


class Array(Spec):
    """Resistive arrays, all alike: `rows` driven wordlines by `columns` sensed bitlines.

    `signed` weights are `pairs` of columns, one for each sign, or share an `offset` column of
    half the conductance range, one per array, that is taken off. `slice_bits`: a weight is cut
    into slices of so many bits, each on columns of its own, added after the converter; None keeps
    it whole. `pair` says where the negative column is taken off: `analog`, before the converter
    (Kirchhoff's law, at a node of both columns), or `digital`, after it.
    `idle` rows are `grounded`, driven at 0 V, or `gated`, cut off by their transistors. With
    `skip_silent` a block none of whose rows is driven is not read at all: its sums are 0.
    """

    count: PositiveInt  # arrays on the chip
    rows: PositiveInt
    columns: PositiveInt
    signed: Signed = "pairs"
    pair: Literal["analog", "digital"] = "analog"
    weight_bits: Bits | None = None  # of a sliced weight's magnitude, all slices together
    slice_bits: Bits | None = None
    idle: Literal["grounded", "gated"] = "grounded"
    skip_silent: bool = False
    v_read_volt: PositiveFloat
    r_word_ohm: NonNegativeFloat = 0.0  # one segment, between neighbouring cells
    r_bit_ohm: NonNegativeFloat = 0.0
    r_driver_ohm: NonNegativeFloat = 0.0
    r_sense_ohm: NonNegativeFloat = 0.0
    driven: Driven = "left"
    sensed: Sensed = "bottom"
    source: str = ""  # of the voltage and the resistances

    @model_validator(mode="after")
    def _slices_are_of_something(self) -> Self:
        if (self.slice_bits is None) != (self.weight_bits is None):
            raise ValueError("`slice_bits` and `weight_bits` are given together, or not at all")
        if self.slice_bits and self.weight_bits and self.slice_bits > self.weight_bits:
            raise ValueError(f"slices of {self.slice_bits} bits, weights have {self.weight_bits}")
        if self.weights_per_row < 1:
            raise ValueError(
                f"{self.columns} columns hold no weight of {self.columns_per_weight} columns"
            )
        return self

    @property
    def wires_resist(self) -> bool:
        """Whether rows disturb each other: some wire, driver or sensing node has resistance."""
        parts = (self.r_word_ohm, self.r_bit_ohm, self.r_driver_ohm, self.r_sense_ohm)
        return any(r > 0 for r in parts)

    @property
    def n_slices(self) -> int:
        """Slices of a weight."""
        if self.slice_bits is None or self.weight_bits is None:
            return 1
        return -(-self.weight_bits // self.slice_bits)

    @property
    def columns_per_weight(self) -> int:
        """Columns that a weight takes on each row."""
        return self.n_slices * (2 if self.signed == "pairs" else 1)

    @property
    def weights_per_row(self) -> int:
        """Target neurons that an array serves."""
        shared = self.n_slices if self.signed == "offset" else 0
        return (self.columns - shared) // self.columns_per_weight


class InputSpec(Spec):
    """How numbers reach the wordlines: `spike` pulses, `serial` bits, or a `dac`."""

    kind: Literal["spike", "serial", "dac"] = "spike"
    bits: Bits = 1  # of a whole number sent serially, or of the converter


class OutputSpec(Spec):
    """How column currents become numbers: `adc`, shared by columns, or `sense` amplifiers.

    A converter's range is calibrated on samples: the `percentile` of the currents' magnitude, or
    the range of least squared error (`loss`). A sense amplifier compares a column with a threshold
    and is the neuron itself: there is no other arithmetic, so its layer may have no memory and
    all its rows must lie on one array.
    """

    kind: Literal["adc", "sense"] = "adc"
    bits: Annotated[int, Field(ge=1, le=16)] | None = 8  # None: as fine as numbers are
    columns_per_adc: PositiveInt = 8
    range: Literal["percentile", "loss"] = "percentile"
    percentile: Annotated[float, Field(gt=50, le=100)] = 99.9
    gain_sd: NonNegativeFloat = 0.0  # relative, drawn once per converter
    offset_sd_lsb: NonNegativeFloat = 0.0
    sense_offset_sd_ampere: NonNegativeFloat = 0.0


class Energies(Spec):
    """Joules per event; cells are not listed, their energy is the solved power times a pulse."""

    wordline: Constant  # a driven row: its line charged and discharged, per pulse
    bitline: Constant  # a column read, per pulse
    driver: Constant  # switching a row's driver, per driven row and pulse
    adc: Constant  # a conversion
    sense: Constant  # a comparison of a sense amplifier
    mux: Constant  # a column switched to its converter
    shift_add: Constant  # a digital addition after the converter
    buffer_bit: Constant  # a bit written to and read from the buffers between layers
    update: Constant  # a digital neuron, per step
    control: Constant  # per array and pulse
    host_mac: Constant  # of a layer that is left to the host
    input_spike: Constant
    readout: Constant
    write_pulse: Constant  # of one cell


class Times(Spec):
    """Seconds."""

    pulse: Constant  # a read pulse, settling included
    adc: Constant  # a conversion
    sense: Constant
    update: Constant  # the digital work after the last conversion of a step
    host_mac: Constant  # one after the other
    write_pulse: Constant


class Powers(Spec):
    """Watts while the chip runs."""

    array: Constant  # leakage of one array in use, its periphery included
    chip: Constant  # of the rest of the chip
    host: Constant


class Areas(Spec):
    """Square metres of a part."""

    cell: Constant
    row: Constant  # driver and decoder of a wordline
    column: Constant  # switch and sample-and-hold of a bitline
    adc: Constant
    sense: Constant
    digital: Constant  # shift-add, buffers, neurons, control of one array


class Writing(Spec):
    """How a cell is brought to its conductance, and how often it can be."""

    pulses_per_cell: Constant  # mean of write and verify
    endurance_cycles: Constant  # pulses that a cell outlives


class CrossbarChip(Spec):
    """A chip of resistive crossbars with digital neurons behind them."""

    family: Literal["crossbar"]
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")  # names a folder of results
    title: str
    technology: str
    node_m: PositiveFloat  # feature size
    device: str  # a shipped device, or the path of its file
    pipelined: bool = True  # layers work on successive time steps at once
    notes: tuple[str, ...] = ()
    array: Array
    input: InputSpec = InputSpec()
    output: OutputSpec = OutputSpec()
    energy: Energies
    time: Times
    power: Powers
    area: Areas
    writing: Writing

    @model_validator(mode="after")
    def _units_fit(self) -> Self:
        units = {"energy": "J", "time": "s", "power": "W", "area": "m2", "writing": "1"}
        for name, constant in self.constants().items():
            if constant.unit != (unit := units[name.partition(".")[0]]):
                raise ValueError(f"`{name}` is in {constant.unit!r}: it is priced in {unit!r}")
        return self

    @model_validator(mode="after")
    def _spikes_have_one_bit(self) -> Self:
        if self.input.kind == "spike" and self.input.bits != 1:
            raise ValueError(f"`input.bits` is {self.input.bits}: a spike has one")
        if self.output.kind == "sense" and self.array.n_slices > 1:
            raise ValueError("sense amplifiers cannot add slices: leave `slice_bits` out")
        return self

    @model_validator(mode="after")
    def _sense_amplifiers_see_one_current(self) -> Self:
        if self.output.kind != "sense":
            return self
        if self.array.signed == "pairs" and self.array.pair == "digital":
            raise ValueError("sense amplifiers cannot subtract: `array.pair` must be 'analog'")
        if self.input.kind == "serial":
            raise ValueError("sense amplifiers cannot add bits: `input.kind` must not be 'serial'")
        return self

    @model_validator(mode="after")
    def _bits_are_enough(self) -> Self:
        if self.input.kind == "dac" and self.input.bits < 2:
            raise ValueError("`input.bits` is 1: a dac of one bit has 0 alone, give 2 to 16")
        if self.array.signed == "offset" and self.array.weight_bits == 1:
            raise ValueError(
                "`array.weight_bits` is 1: with an offset one is the sign, give 2 to 16"
            )
        return self

    def constants(self) -> dict[str, Constant]:
        """Every constant by its dotted name, e.g. `energy.adc`."""
        groups = ("energy", "time", "power", "area", "writing")
        return {f"{group}.{n}": c for group in groups for n, c in getattr(self, group)}


def check_crossbar(chip: object) -> CrossbarChip:
    """The chip, if it is one of crossbars.

    Raises:
        ValueError: for a chip of neurocores, and for anything else.
    """
    if isinstance(chip, CrossbarChip):
        return chip
    what = "a chip of neurocores" if isinstance(chip, ChipSpec) else "no chip"
    name = chip.name if isinstance(chip, ChipSpec) else f"{chip!r:.60}"
    raise ValueError(
        f"{name} is {what}, this needs one of crossbars: give rram-40nm, or another of "
        "hwsim.chip_names('crossbar')"
    )
