"""What a report shows: plan, counts and bill, and what training knows about the run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from hwsim.arrays import AnyArray, FloatArray, IntArray, frozen
from hwsim.bill import Bill
from hwsim.chips.files import load_price_list
from hwsim.chips.spec import ChipSpec, PriceList
from hwsim.counts import Counts
from hwsim.mapping.plan import Plan
from hwsim.neurobench import NeuroBench
from hwsim.quantization import Verdict
from hwsim.report.layers import LayerRow
from hwsim.simulation import Run

Stage = Literal["float", "quantised", "on chip"]
Z95 = 1.959963984540054  # standard normal quantile of 97.5 %


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Right answers of `n_total`, at one stage of the road to the chip."""

    stage: Stage
    n_correct: int
    n_total: int

    def __post_init__(self) -> None:
        if self.stage not in get_args(Stage):
            raise ValueError(
                f"stage is {self.stage!r}, must be one of {', '.join(get_args(Stage))}"
            )
        if not 0 <= self.n_correct <= self.n_total or self.n_total == 0:
            raise ValueError(
                f"{self.n_correct} of {self.n_total} right at stage {self.stage!r}: "
                "`0 <= n_correct <= n_total` must hold, and something must have been tested"
            )

    @property
    def value(self) -> float:
        """Fraction of right answers."""
        return self.n_correct / self.n_total

    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval; it stays inside [0, 1] and is honest near both ends."""
        n, p, z2 = self.n_total, self.value, Z95**2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = Z95 / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
        low = 0.0 if self.n_correct == 0 else float(centre - half)
        high = 1.0 if self.n_correct == n else float(centre + half)
        return low, high


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """Spikes of one sample.

    Attributes:
        spikes: (steps, neurons) by population, each on its own steps (lateness taken off): 0 or 1,
            or payloads.
        label, answer: what the sample is, and what the network said.
        output: the answer's numbers, one per class; None if there are none to show.
    """

    spikes: Mapping[str, AnyArray]
    label: str = ""
    answer: str = ""
    output: AnyArray | None = None

    @classmethod
    def of(cls, run: Run, sample: int = 0, *, label: str = "", answer: str = "") -> "Raster":
        """One sample of a run recorded with `record=("spikes",)`.

        Raises:
            ValueError: if the run has no recorded spikes.
        """
        if not run.spikes:
            raise ValueError('no spikes were recorded: simulate with `record=("spikes",)`')
        spikes = {name: frozen(run.aligned(name)[sample], np.int64) for name in run.spikes}
        return cls(spikes, label, answer, frozen(run.output[sample], np.float64))


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of training: its number of epochs, and which of them, from 1, was chosen."""

    name: str
    n_epochs: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Curves:
    """Training: one value per epoch in every column; None where it was not measured.

    Epochs may be those of several phases, one after another.
    """

    epochs: tuple[int, ...]
    columns: Mapping[str, tuple[float | None, ...]]
    phases: tuple[Phase, ...] = ()

    def __post_init__(self) -> None:
        n = sum(phase.n_epochs for phase in self.phases)
        if self.phases and n != len(self.epochs):
            raise ValueError(f"phases of training have {n} epochs, there are {len(self.epochs)}")
        for name, values in self.columns.items():
            if len(values) != len(self.epochs):
                raise ValueError(
                    f"training curve {name!r} has {len(values)} values, there are "
                    f"{len(self.epochs)} epochs"
                )


@dataclass(frozen=True, eq=False)
class ReportInput:
    """Everything a report shows.

    Attributes:
        title: name of the run. plan, counts, bill: of the simulation the report is about.
        layers: from `build_layers`. verdicts: how each layer came onto the chip.
        accuracies: at the stages that were tested. chance: accuracy of guessing.
        confusion: samples by (true class, answer). classes: their names.
        exactness: sentences that say what was compared with what, and how many bits differ.
        provenance: versions, seed, hash, data set, split, command, date.
        prices: the field's shortcut, shown beside the chip's own bill.
        spikes: mean spikes per inference of every neuron, by population: who sends what over
            which link; without them those of a part are spread evenly over its neurons.
        neurobench: NeuroBench's metrics of the same samples; None if they were not taken.
    """

    title: str
    plan: Plan
    counts: Counts
    bill: Bill
    layers: tuple[LayerRow, ...]
    verdicts: tuple[Verdict, ...] = ()
    accuracies: tuple[Accuracy, ...] = ()
    chance: float | None = None
    confusion: IntArray | None = None
    classes: Sequence[str] = ()
    raster: Raster | None = None
    curves: Curves | None = None
    exactness: tuple[str, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    prices: PriceList = field(default_factory=load_price_list)
    spikes: Mapping[str, FloatArray] | None = None
    neurobench: NeuroBench | None = None

    def __post_init__(self) -> None:
        stages = [a.stage for a in self.accuracies]
        if len(set(stages)) < len(stages):
            raise ValueError(f"accuracies of {', '.join(stages)}: each stage once")
        shape = None if self.confusion is None else self.confusion.shape
        if shape is not None and (len(shape) != 2 or shape[0] != shape[1]):
            raise ValueError(f"a confusion matrix is (classes, classes), got {shape}")
        if shape is not None and self.classes and len(self.classes) != shape[0]:
            raise ValueError(f"{len(self.classes)} class names for {shape[0]} classes")

    @property
    def chip(self) -> ChipSpec:
        """The chip of the plan."""
        return self.plan.chip

    @property
    def n_cores(self) -> int:
        """Cores of the chips in use."""
        return self.chip.limits.cores * self.counts.n_chips

    @property
    def steps(self) -> float:
        """Time steps per inference, lateness included."""
        return self.counts.n_steps / self.counts.n_samples

    @cached_property
    def energy_known(self) -> bool:
        """Whether any joule is known."""
        return self.bill.energy_j is not None

    @cached_property
    def latency_known(self) -> bool:
        """Whether any second is known."""
        return self.bill.latency_s is not None

    @property
    def not_modelled(self) -> tuple[str, ...]:
        """What the chip file says is left out."""
        return self.chip.notes

    def accuracy(self, stage: Stage) -> Accuracy | None:
        """The accuracy at a stage, if it was tested."""
        return next((a for a in self.accuracies if a.stage == stage), None)
