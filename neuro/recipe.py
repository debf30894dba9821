"""A recipe: everything a training run depends on, read from a TOML file and checked."""

import difflib
import hashlib
import tomllib
from importlib import metadata, resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from hwsim.neuron import Emits, Fires, Reset
from neuro.datasets import Binning

Bump = Literal["gauss", "triangle"]
Precision = Literal["32", "bf16"]
DELAY_FIELDS = ("taps", "bump", "bumps", "delays")
DELAY_LR = 0.1
FILE = "recipe.toml"
Score = Literal["last", "softmax"]
Spec = TypeVar("Spec", bound=BaseModel)

Fraction = Annotated[float, Field(ge=0, le=1)]
Rate = Annotated[float, Field(ge=0, lt=1)]


class _Spec(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class DataSpec(_Spec):
    """Which samples, and how they become frames.

    The epoch is chosen on `hold`; `test` is looked at once, at the end.
    """

    name: str
    binning: Binning
    fit: str = "fit"
    hold: str = "hold"
    test: str = "test"


class SurrogateSpec(_Spec):
    """A surrogate gradient and its shape; see `neuro.spiking.surrogate`."""

    name: str = "atan"
    shape: dict[str, float] = {}


class NeuronSpec(_Spec):
    """Conventions of a layer's neurons; see `neuro.spiking.LIF`."""

    decay_u: Rate = 0.0
    decay_v: Fraction = 0.8
    v_th: PositiveFloat = 1.0
    v_init: float = 0.0
    input_gain: PositiveFloat = 1.0
    reset: Reset = "zero"
    reset_late: bool = False
    detach_reset: bool = True
    fires: Fires = "above"
    refractory: NonNegativeInt = 0
    emits: Emits = "spikes"
    learn: tuple[Literal["decay_u", "decay_v", "v_th"], ...] = ()


class ReservoirSpec(_Spec):
    """Random weights that training leaves alone: a liquid state machine's, see `neuro.models.lsm`.

    Attributes:
        scale: weight per microsiemens of conductance, `const` of [Lin2025].
        source: `gaussian`, of the statistics of its arrays; or `formed`, of pairs of cells.
        device, breakdown_volt: of formed cells; see `hwsim.crossbar.device.Device.form`.
    """

    scale: PositiveFloat
    source: Literal["gaussian", "formed"] = "gaussian"
    device: str = "taox-40nm"
    breakdown_volt: PositiveFloat | None = None

    @model_validator(mode="after")
    def _gaussian_has_no_cells(self) -> Self:
        if self.source == "gaussian" and (self.breakdown_volt or self.device != "taox-40nm"):
            raise ValueError(
                'Gaussian weights have no `device` and `breakdown_volt`: take `source = "formed"`, '
                "or leave them out"
            )
        return self


class LayerSpec(_Spec):
    """One block: synapses, optional BatchNorm or bias, neurons, dropout of spikes.

    `size` counts channels of a convolution, neurons of other layers; None in the last layer
    means one per class. A `delay` layer is a dense one whose synapses have a delay each, 0 to
    `taps - 1` steps: `learned`, or `fixed` where they were drawn; see `neuro.spiking.Delay`.
    It can run `right_pad` steps longer than the layer before it, which no chip does.
    Dropout of `spikes` draws every step anew, of `neurons` once a sample.
    The neurons of a `recurrent` layer, dense or of delays, hear each other one step later.
    A dense layer may be a `reservoir`: all its weights are random, and stay.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")
    kind: Literal["conv", "dense", "delay"]
    size: PositiveInt | None = None
    kernel: PositiveInt = 3
    stride: PositiveInt = 1
    padding: NonNegativeInt = 0
    dilation: PositiveInt = 1
    groups: PositiveInt = 1
    norm: bool = False
    bias: bool = False
    dropout: Rate = 0.0
    dropout_of: Literal["spikes", "neurons"] = "spikes"
    taps: Annotated[int, Field(ge=1, le=10_000)] = 25
    bump: Bump = "gauss"
    bumps: Annotated[int, Field(ge=1, le=100)] = 1
    delays: Literal["learned", "fixed"] = "learned"
    right_pad: NonNegativeInt = 0
    recurrent: bool = False
    reservoir: ReservoirSpec | None = None
    neuron: NeuronSpec = NeuronSpec()

    @model_validator(mode="after")
    def _delays_have_a_kind(self) -> Self:
        idle = [n for n in (*DELAY_FIELDS, "right_pad") if n in self.model_fields_set]
        if self.kind != "delay" and idle:
            names = ", ".join(f"`{name}`" for name in idle)
            raise ValueError(
                f"layer {self.name!r} is {self.kind} and has no {names}: leave it out, or take "
                '`kind = "delay"`'
            )
        return self

    @model_validator(mode="after")
    def _reservoirs_are_dense(self) -> Self:
        if self.reservoir is not None and (self.kind != "dense" or self.norm or self.bias):
            raise ValueError(
                f"layer {self.name!r} is a reservoir: it must be dense, without `norm` and `bias`"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Fields of delays and loops only where there are any: older runs keep their names."""
        found: dict[str, Any] = plain(self)
        if self.kind != "delay":
            for name in DELAY_FIELDS:
                found.pop(name)
        later = {"recurrent": False, "right_pad": 0, "dropout_of": "spikes", "reservoir": None}
        for name, usual in later.items():
            if found[name] == usual:
                found.pop(name)
        return found


class ModelSpec(_Spec):
    """A stack of layers.

    `score` is the answer of a last layer that emits nothing: its `last` potential, or, added up
    over all steps, the `softmax` of its potentials [Hammouamri2024], which no chip computes.
    """

    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    surrogate: SurrogateSpec = SurrogateSpec()
    score: Score = "last"

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [layer.name for layer in self.layers]
        if len(set(names)) < len(names) or "input" in names:
            raise ValueError(f"layer names must be unique and not 'input': {', '.join(names)}")
        if self.score != "last" and self.layers[-1].neuron.emits != "nothing":
            raise ValueError('`score` needs potentials: give the last layer `emits = "nothing"`')
        return self

    @model_serializer(mode="wrap")
    def _without_usual_score(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As `LayerSpec`: what is not asked for leaves the names of runs."""
        found: dict[str, Any] = plain(self)
        if self.score == "last":
            found.pop("score")
        return found


class TrainSpec(_Spec):
    """How the weights are found: AdamW, one-cycle learning rate, cross-entropy.

    `shift` moves every sample by up to so many pixels; `logit_scale` multiplies the answer per
    step before the softmax, unless the answer is a sum of softmaxes. `delay_lr` is that of the
    positions of delays, in steps: it falls as a cosine, without weight decay [Hammouamri2024]. In
    the last `delay_settle` of all epochs delays stay, and weights train at whole ones: what is
    evaluated is then what was trained. `precision` "bf16" computes the products of the float phase
    in bfloat16 while it trains; weights and neurons stay in float32, and so does all that is
    evaluated.
    """

    epochs: PositiveInt
    batch_size: PositiveInt = 32
    lr: PositiveFloat = 4e-3
    weight_decay: NonNegativeFloat = 1e-4
    label_smoothing: Rate = 0.1
    shift: NonNegativeInt = 0
    logit_scale: PositiveFloat = 4.0
    clip_gradient: PositiveFloat | None = None
    delay_lr: PositiveFloat = DELAY_LR
    delay_settle: Fraction = 0.0
    precision: Precision = "32"

    @model_serializer(mode="wrap")
    def _without_defaults(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As `LayerSpec`: what is not asked for leaves the names of runs."""
        found: dict[str, Any] = plain(self)
        usual = {"delay_lr": DELAY_LR, "delay_settle": 0.0, "precision": "32"}
        for name in [name for name in usual if found[name] == usual[name]]:
            found.pop(name)
        return found


class QatSpec(_Spec):
    """Fine-tuning in the integers of a chip, from the best float epoch.

    `delay_classes` merges the delays of every bump of a layer into so many before; see
    `hwsim.quantize_delays`.
    """

    chip: str = "loihi1"
    epochs: NonNegativeInt = 4
    lr: PositiveFloat = 5e-4
    calibration: PositiveInt = 64
    delay_classes: PositiveInt | None = None

    @model_serializer(mode="wrap")
    def _without_classes(self, plain: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As `LayerSpec`: classes that are not asked for leave the names of runs."""
        found: dict[str, Any] = plain(self)
        if self.delay_classes is None:
            found.pop("delay_classes")
        return found


class NoiseSpec(_Spec):
    """Fine-tuning under errors of resistive cells, from the best float epoch; 0 epochs is none.

    The cells are those of `neuro.training.noise`.

    Attributes:
        spread: standard deviation of a cell's error, as a fraction of its conductance range.
        law: (c0, c1, ...): an error is `c0 + c1 x + ...` times that for a cell at fraction x.
        floor: cells stop at zero conductance, as devices do.
        clip_sd: weights end at so many standard deviations of their layer; None for no end.
        adc_bits: of the sums in training; None for no rounding.
        train_spread: in training, if not `spread`: the epoch is chosen at `spread`.
        draws: chips that every epoch is judged on.
    """

    epochs: NonNegativeInt = 0
    lr: PositiveFloat = 1e-3
    spread: Fraction = 0.1
    law: tuple[float, ...] = Field(default=(1.0,), min_length=1)
    floor: bool = False
    clip_sd: PositiveFloat | None = None
    adc_bits: Annotated[int, Field(ge=2, le=16)] | None = None
    train_spread: Fraction | None = None
    draws: PositiveInt = 5

    @model_validator(mode="after")
    def _law_is_a_deviation(self) -> Self:
        x = np.linspace(0, 1, 1001)
        least = float(np.polynomial.polynomial.polyval(x, self.law).min())
        if least < 0:
            raise ValueError(f"`law` falls to {least:g} in 0..1: a deviation is 0 or more there")
        return self


class Recipe(_Spec):
    """A training run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seed: NonNegativeInt = 0
    dt_s: PositiveFloat = 1e-3
    data: DataSpec
    model: ModelSpec
    train: TrainSpec
    qat: QatSpec = QatSpec()
    noise: NoiseSpec = NoiseSpec()

    def digest(self) -> str:
        """Short hash of the recipe and the program's version: names the run folder.

        Noise joins it where it is not the default, so that runs from before it keep their names.
        """
        plain = {"noise"} if self.noise == NoiseSpec() else None
        text = self.model_dump_json(exclude=plain) + metadata.version("neuro-hwsim")
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def with_seed(self, seed: int) -> "Recipe":
        """The same recipe from another seed."""
        return Recipe.model_validate(self.model_dump() | {"seed": seed})

    def with_precision(self, precision: Precision) -> "Recipe":
        """The same recipe, trained in another precision."""
        train = self.model_dump()["train"] | {"precision": precision}
        return Recipe.model_validate(self.model_dump() | {"train": train})


def recipe_names() -> tuple[str, ...]:
    """Names of the recipes that ship with the program."""
    return tuple(sorted(_shipped(FILE)))


def load_recipe(source: str | Path) -> Recipe:
    """A shipped recipe by name, or one of your own by the path of its TOML file.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for an unknown name, or a file that is no recipe; names the field.
    """
    return load_spec(source, Recipe, FILE)


def parse_recipe(text: str, where: str) -> Recipe:
    """A recipe from TOML text; `where` names it in errors."""
    return parse_spec(text, where, Recipe)


def load_spec(source: str | Path, kind: type[Spec], file: str) -> Spec:
    """As `load_recipe`, of recipes of another kind.

    Args:
        file: what its files are called, in folders of `experiments/` that give them their names.
    """
    text = str(source)
    shipped = _shipped(file)
    if text in shipped:
        return parse_spec(shipped[text], text, kind)
    if text.endswith(".toml"):
        if not Path(text).is_file():
            raise FileNotFoundError(f"no recipe file {text}")
        try:
            return parse_spec(Path(text).read_text(encoding="utf-8"), text, kind)
        except UnicodeDecodeError as error:
            raise ValueError(f"recipe {text} is not valid TOML: it is no UTF-8 text") from error
    near = difflib.get_close_matches(text, shipped, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(shipped))}"
    raise ValueError(f"unknown recipe {text!r}: {hint} (or give a `.toml` file)")


def parse_spec(text: str, where: str, kind: type[Spec]) -> Spec:
    """A recipe of a kind from TOML text; `where` names it in errors."""
    try:
        return kind.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"recipe {where} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the whole"
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        got = f", got {first['input']!r}" if first["type"] != "missing" else ""
        raise ValueError(f"recipe {where}: {field}: {first['msg']}{got:.80}{more}") from error


def _shipped(file: str) -> dict[str, str]:
    root = resources.files("neuro.experiments")
    found = {}
    for folder in root.iterdir():
        recipe = folder / file
        if folder.is_dir() and recipe.is_file():
            found[folder.name] = recipe.read_text(encoding="utf-8")
    return found
