"""A zero-shot run as a recipe: two modalities, a reservoir each, pairs of seen classes, a head.

Seen classes are paired and trained; unseen ones are first met in the test, as queries and gallery
[Lin2025].
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from hwsim.arrays import AnyArray, IntArray
from hwsim.crossbar.device_files import load_device
from neuro.datasets import Binning, Dataset, load, mnist_index
from neuro.models.lsm import LSM, Reservoir
from neuro.recipe import Fraction, ReservoirSpec, load_spec
from neuro.retrieval import check_classes
from neuro.training.heads import PairSpec

FILE = "zero_shot.toml"


class EncoderSpec(ReservoirSpec):
    """A reservoir of one side: its weights, and its neurons.

    Attributes:
        recurrent: whether its neurons hear each other.
        seed: of its weights; that of the run if not given.
    """

    neurons: PositiveInt
    decay_v: Fraction
    v_th: PositiveFloat
    recurrent: bool = True
    seed: NonNegativeInt | None = None


class SideSpec(BaseModel):
    """One modality: a data set, how it becomes frames, its reservoir.

    Attributes:
        train_per_class: samples of a seen class that are taken, the first ones; None for all.
        test_per_class: the same of the test.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    data: str
    binning: Binning
    train: str = "train"
    test: str = "test"
    train_per_class: PositiveInt | None = None
    test_per_class: PositiveInt | None = None
    reservoir: EncoderSpec

    @model_validator(mode="after")
    def _parts_are_apart(self) -> Self:
        if self.train == self.test:
            raise ValueError(
                f"{self.data} is trained and tested on {self.test!r}: name another part as `test`"
            )
        return self


class ZeroShotRecipe(BaseModel):
    """A zero-shot run; queries of side a in the gallery of side b come first in its report.

    Attributes:
        seeds: of reservoirs and heads, a run each.
        pairing: "label", by order inside the class; "index", sample i of both; where recordings of
            N-MNIST are paired with `mnist` by index, each with the image that it was made of.
        read: what heads learn on: "counts", whole numbers of spikes; "rates", those over the number
            of steps, 0 to 1, as a sister repository of [Lin2025] has it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    seeds: tuple[NonNegativeInt, ...] = Field(default=(0, 1, 2, 3, 4), min_length=1)
    pairing: Literal["label", "index"] = "label"
    read: Literal["counts", "rates"] = "counts"
    seen: tuple[NonNegativeInt, ...]
    unseen: tuple[NonNegativeInt, ...]
    a: SideSpec
    b: SideSpec
    head: PairSpec = PairSpec()

    @model_validator(mode="after")
    def _classes_are_apart(self) -> Self:
        check_classes(self.seen, self.unseen)
        _check_seeds(self.seeds)
        return self

    def digest(self) -> str:
        """Short hash of all but the seeds, and of the program's version: names the run folder."""
        text = self.model_dump_json(exclude={"seeds"}) + metadata.version("neuro-hwsim")
        return hashlib.sha256(text.encode()).hexdigest()[:10]

    def with_seeds(self, seeds: Sequence[int]) -> "ZeroShotRecipe":
        """The same recipe from other seeds.

        Raises:
            ValueError: if one is named twice.
        """
        _check_seeds(seeds)
        return ZeroShotRecipe.model_validate(self.model_dump() | {"seeds": tuple(seeds)})


def _check_seeds(seeds: Sequence[int]) -> None:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"`seeds` {list(seeds)} name one twice: take each once")


def load_zero_shot(source: str | Path) -> ZeroShotRecipe:
    """A shipped recipe by name, or one of your own by the path of its TOML file.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for an unknown name, or a file that is no such recipe; names the field.
    """
    return load_spec(source, ZeroShotRecipe, FILE)


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames (samples, steps, *shape) and labels (samples,) of one side's split."""

    frames: AnyArray
    labels: IntArray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> IntArray:
        """Sums over all steps of every input, (samples, inputs): what needs no reservoir."""
        total = self.frames.sum(axis=1, dtype=np.int64)
        return total.reshape(len(self), -1)


@dataclass(frozen=True, slots=True)
class Side:
    """One modality in memory: seen classes to train on, seen and unseen ones to test."""

    spec: SideSpec
    train: Frames
    test: Frames
    class_names: tuple[str, ...]

    @property
    def n_steps(self) -> int:
        """Time steps of a sample."""
        return int(self.train.frames.shape[1])

    def counts(self, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
        """Spikes of a new reservoir's neurons, (samples, neurons), on both splits."""
        how = self.spec.reservoir
        if how.seed is not None:
            rng = np.random.default_rng(how.seed)
        shape = self.train.frames.shape[2:]
        lsm = LSM(drawn(how, int(np.prod(shape)), rng), shape)
        return lsm.counts(self.train.frames), lsm.counts(self.test.frames)


def drawn(spec: EncoderSpec, n_inputs: int, rng: np.random.Generator) -> Reservoir:
    """A new reservoir, of Gaussian weights or of cells formed by chance."""
    how: dict[str, Any] = {"scale": spec.scale, "decay_v": spec.decay_v, "v_th": spec.v_th}
    if spec.source == "formed":
        how |= {"device": load_device(spec.device), "breakdown_volt": spec.breakdown_volt}
        made = Reservoir.formed(n_inputs, spec.neurons, rng, **how)
    else:
        made = Reservoir.gaussian(n_inputs, spec.neurons, rng, **how)
    return made if spec.recurrent else made.without_recurrence()


def load_sides(recipe: ZeroShotRecipe, root: str | None) -> tuple[Side, Side]:
    """Both sides' data, binned.

    Raises:
        FileNotFoundError: if a data set is not here.
        ValueError: if one has not the classes of the recipe, or both name them differently.
    """
    recorded = recipe.a if recipe.pairing == "index" and recipe.b.data == "mnist" else None
    a = _load_side(recipe.a, recipe, root)
    b = _load_side(recipe.b, recipe, root, recorded)
    for c in (*recipe.seen, *recipe.unseen):
        names = a.class_names[c], b.class_names[c]
        if names[0] != names[1]:
            raise ValueError(
                f"class {c} is {names[0]!r} in {a.spec.data} and {names[1]!r} in {b.spec.data}: "
                "both sides must number the same classes"
            )
    return a, b


def _load_side(
    spec: SideSpec, recipe: ZeroShotRecipe, root: str | None, recorded: SideSpec | None = None
) -> Side:
    every = (*recipe.seen, *recipe.unseen)
    train = load(spec.data, spec.train, root=root)
    if max(every) >= train.n_classes:
        raise ValueError(
            f"class {max(every)} of {spec.data}, which has 0 to {train.n_classes - 1}: name others "
            "in `seen` and `unseen`"
        )
    test = load(spec.data, spec.test, root=root)
    if recorded is not None:
        train = _images_of(load(recorded.data, recorded.train, root=root), train)
        test = _images_of(load(recorded.data, recorded.test, root=root), test)
    return Side(
        spec,
        train=_binned(train, spec.binning, recipe.seen, spec.train_per_class),
        test=_binned(test, spec.binning, every, spec.test_per_class),
        class_names=train.class_names,
    )


def _images_of(recordings: Dataset, images: Dataset) -> Dataset:
    """The MNIST images that recordings of N-MNIST were made of, in their order."""
    part, index = mnist_index(recordings)
    if (part != images.split).any():
        raise ValueError(
            f"{recordings.name}/{recordings.split} was made of images of mnist/{part[0]}, not of "
            f"mnist/{images.split}: name that split"
        )
    return images.take(index)


def _binned(data: Dataset, binning: Binning, classes: Sequence[int], limit: int | None) -> Frames:
    """The first `limit` samples of each of these classes, in the data's order; None: all."""
    chosen = [np.flatnonzero(data.labels == c)[:limit] for c in classes]
    return Frames(*data.take(np.sort(np.concatenate(chosen))).binned(binning))
