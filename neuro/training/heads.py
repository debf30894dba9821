"""Fit heads on the counts of a frozen reservoir with Lightning; the last epoch is kept, always.

Nothing is chosen on any data: what an epoch reaches on a test set may be watched, so that its range
over the epochs can be told, and moves nothing. The same seed gives the same weights, bit for bit,
whatever ran before; torch's own random numbers are left as they were.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import lightning as L
import torch
from pydantic import BaseModel, ConfigDict, Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor, nn
from torch.nn import functional as F

from hwsim.arrays import AnyArray
from neuro.models.contrastive import supervised_contrastive, symmetric_contrastive
from neuro.models.heads import Activation, LinearProbe, Projections, Scale, scaled
from neuro.training.batches import Batches, Order, one_of_each, shuffled
from neuro.training.fit import quiet

Rows = list[dict[str, float]]
Head = TypeVar("Head", bound=nn.Module)
Loss = Callable[..., Tensor]


class HeadSpec(BaseModel):
    """How a head is trained, by Adam or AdamW, and what it learns on.

    `scale` "standard" subtracts the training counts' mean and divides by their deviation, neuron
    by neuron; "raw" takes counts as they are, as the paper does [Lin2025].
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epochs: PositiveInt = 100
    batch_size: PositiveInt
    lr: PositiveFloat
    weight_decay: NonNegativeFloat = 0.0
    optimiser: Literal["adam", "adamw"] = "adam"
    scale: Scale = "raw"


class ProbeSpec(HeadSpec):
    """A linear probe; the defaults are the paper's on N-MNIST [Lin2025]."""

    batch_size: PositiveInt = 100
    lr: PositiveFloat = 1e-4


class PairSpec(HeadSpec):
    """Two projections, see `neuro.models.heads.Projections`; the paper's defaults [Lin2025].

    `batches` are "shuffled" pairs, or "one-per-class", a pair of each class: `batch_size` is then
    the number of classes.
    """

    batch_size: int = Field(default=8, ge=2)  # one pair alone has nothing to be told from
    lr: PositiveFloat = 1e-3
    loss: Literal["symmetric", "supervised"] = "symmetric"
    batches: Literal["shuffled", "one-per-class"] = "shuffled"
    n_out: PositiveInt = 64
    depth: int = Field(default=1, ge=1, le=3)
    hidden: PositiveInt | None = None
    activation: Activation = "gelu"
    normalise: bool = False
    temperature: PositiveFloat = 1.0
    learn_temperature: bool = False


@dataclass(frozen=True, slots=True)
class FittedHead(Generic[Head]):
    """A head after its last epoch; of every epoch its number, mean loss, and what was watched."""

    head: Head
    history: Rows


def fit_probe(
    counts: AnyArray,
    labels: AnyArray,
    n_classes: int,
    spec: ProbeSpec,
    seed: int,
    *,
    watch: Mapping[str, Callable[[LinearProbe], float]] | None = None,
) -> FittedHead[LinearProbe]:
    """Train a linear probe by cross-entropy.

    Args:
        counts: (samples, neurons). labels: (samples,), 0 to `n_classes - 1`.
        watch: called after every epoch, by name; what they return is in the history.

    Raises:
        ValueError: for counts, labels or sizes that do not fit, or a loss that is not finite.
    """
    x, y = _counts(counts, "`counts`"), _labels(labels, len(counts), "`labels`")
    if int(y.max()) >= n_classes:
        raise ValueError(f"label {int(y.max())} of {n_classes} classes: labels are 0 to "
                         f"{n_classes - 1}")  # fmt: skip
    order = shuffled(len(x), spec.batch_size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = LinearProbe(x.shape[1], n_classes, inputs=scaled(x, spec.scale))

    def loss(counts: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(head(counts), labels)

    return fit_last(head, loss, (x, y), order, spec, seed, watch)


def fit_pairs(
    counts_a: AnyArray,
    counts_b: AnyArray,
    labels: AnyArray,
    spec: PairSpec,
    seed: int,
    *,
    watch: Mapping[str, Callable[[Projections], float]] | None = None,
) -> FittedHead[Projections]:
    """Train two projections on pairs: row i of one side with row i of the other.

    Args:
        counts_a: (pairs, neurons of a). counts_b: (pairs, neurons of b). labels: (pairs,); the
            symmetric loss uses them for batches "one-per-class" alone.
        watch: called after every epoch, by name; what they return is in the history.

    Raises:
        ValueError: as `fit_probe`, or for sides of different lengths.
    """
    a, b = _counts(counts_a, "`counts_a`"), _counts(counts_b, "`counts_b`")
    if len(a) != len(b):
        raise ValueError(f"{len(a)} samples of a and {len(b)} of b are no pairs: give as many")
    y = _labels(labels, len(a), "`labels`")
    order = _order_of_pairs(y, spec)
    head = untrained_projections(counts_a, counts_b, spec, seed)

    def loss(a: Tensor, b: Tensor, labels: Tensor) -> Tensor:
        if spec.loss == "supervised":
            return supervised_contrastive(head(a, b), labels, labels)
        return symmetric_contrastive(head(a, b))

    return fit_last(head, loss, (a, b, y), order, spec, seed, watch)


def untrained_projections(
    counts_a: AnyArray, counts_b: AnyArray, spec: PairSpec, seed: int
) -> Projections:
    """What `fit_pairs` starts from, with the same seed: a control, without any step."""
    a, b = _counts(counts_a, "`counts_a`"), _counts(counts_b, "`counts_b`")
    how = spec.model_dump(
        include={"depth", "hidden", "activation", "normalise", "temperature", "learn_temperature"}
    )
    inputs = {"inputs_a": scaled(a, spec.scale), "inputs_b": scaled(b, spec.scale)}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Projections(a.shape[1], b.shape[1], spec.n_out, **how, **inputs)


def _order_of_pairs(labels: Tensor, spec: PairSpec) -> Order:
    if spec.batches == "shuffled":
        return shuffled(len(labels), spec.batch_size)
    n_classes = len(labels.unique())
    if spec.batch_size != n_classes:
        raise ValueError(
            f"`batch_size` is {spec.batch_size} for one pair of each of {n_classes} classes: "
            f'take {n_classes}, or `batches = "shuffled"`'
        )
    return one_of_each(labels)


class _Fit(L.LightningModule):
    """A head, its loss, and the history of its epochs."""

    def __init__(
        self,
        head: nn.Module,
        loss: Loss,
        spec: HeadSpec,
        watch: Mapping[str, Callable[..., float]],
    ) -> None:
        super().__init__()
        self.head, self.loss, self.spec, self.watch = head, loss, spec, watch
        self.history: Rows = []
        self.total, self.seen = 0.0, 0

    def training_step(self, batch: tuple[Tensor, ...], _: int) -> Tensor:
        """Loss of a batch."""
        loss = self.loss(*batch)
        value, n = loss.item(), len(batch[0])
        if not math.isfinite(value):
            raise ValueError(
                f"in epoch {self.current_epoch + 1} the loss is {value:g}: lower `lr`, "
                f"{self.spec.lr:g} here"
            )
        self.total, self.seen = self.total + value * n, self.seen + n
        return loss

    def on_train_epoch_end(self) -> None:
        """Keep what this epoch reached."""
        row = {"epoch": float(self.current_epoch + 1), "loss": self.total / self.seen}
        self.total, self.seen = 0.0, 0
        with torch.no_grad():
            row |= {name: float(value(self.head)) for name, value in self.watch.items()}
        self.history.append(row)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam or AdamW, as one kernel for all parameters."""
        kind = torch.optim.Adam if self.spec.optimiser == "adam" else torch.optim.AdamW
        return kind(
            self.head.parameters(),
            lr=self.spec.lr,
            weight_decay=self.spec.weight_decay,
            fused=True,
        )


def fit_last(
    head: Head,
    loss: Loss,
    tensors: tuple[Tensor, ...],
    order: Order,
    spec: HeadSpec,
    seed: int,
    watch: Mapping[str, Callable[[Head], float]] | None = None,
    *,
    clip_norm: float | None = None,
) -> FittedHead[Head]:
    """Train any module on batches of tensors; nothing here that a small step would feel.

    Args:
        loss: of a batch, called with as many tensors as there are `tensors`.
        tensors: equally long. order: which of them make a batch. `spec.scale` is the caller's.
        seed: of the batches; of torch's own generator too, if the module draws from it.
        watch: called after every epoch, by name; what they return is in the history.
        clip_norm: a longer gradient, of all weights together, is shortened to it.

    Raises:
        ValueError: if a loss, or a weight after the last step, is not finite.
    """
    module = _Fit(head, loss, spec, watch or {})
    settings: dict[str, Any] = dict.fromkeys(
        ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
    )
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        trainer = L.Trainer(
            max_epochs=spec.epochs,
            accelerator="cpu",
            devices=1,
            num_sanity_val_steps=0,
            gradient_clip_val=clip_norm,
            **settings,
        )
        try:
            trainer.fit(module, Batches(tensors, order, seed))
        except SystemExit as stopped:  # how Lightning ends after Ctrl-C
            raise KeyboardInterrupt from stopped
    if not all(p.isfinite().all() for p in head.parameters()):
        raise ValueError(f"the last step ended in weights not finite: lower `lr`, {spec.lr:g} here")
    return FittedHead(head, module.history)


def _counts(counts: AnyArray, name: str) -> Tensor:
    """Counts as float32, (samples, neurons)."""
    if counts.ndim != 2 or not counts.size:
        raise ValueError(f"{name} has shape {counts.shape}, must be (samples, neurons), 1 or more")
    x = torch.tensor(counts, dtype=torch.float32)
    if not x.isfinite().all():
        raise ValueError(f"{name} has a value that is not finite: count again")
    return x


def _labels(labels: AnyArray, n: int, name: str) -> Tensor:
    """Labels as int64, (samples,), of two or more classes."""
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{name} are {labels.dtype} of shape {labels.shape}, must be {n} whole numbers, one "
            "for every sample"
        )
    y = torch.tensor(labels, dtype=torch.int64)
    if int(y.min()) < 0:
        raise ValueError(f"{name} has {int(y.min())}: labels are 0 or more")
    if len(y.unique()) < 2:
        raise ValueError(f"{name} are all {int(y[0])}: nothing is learnt from one class, give more")
    return y
