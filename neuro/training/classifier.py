"""A stack as a Lightning module: cross-entropy on its answers."""

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from neuro.models.stack import Stack
from neuro.recipe import TrainSpec
from neuro.spiking import Delay
from neuro.training.noise import on_chip
from neuro.training.qat import QuantBlock
from neuro.training.samples import shifted
from neuro.training.sharing import Share


def half_cosine(share: float) -> float:
    """A factor that falls from 1 to 0."""
    return (1 + math.cos(math.pi * min(share, 1.0))) / 2


def one_cycle(share: float) -> float:
    """As torch's `OneCycleLR`, a factor: 1/25 to 1 in three tenths of all steps, then to 0."""
    if share < 0.3:
        return 1 - (1 - 1 / 25) * half_cosine(share / 0.3)
    return half_cosine((share - 0.3) / 0.7)


class Classifier(L.LightningModule):
    """Trains a stack, in floats or in a chip's integers, on (batch, steps, *shape) frames.

    Args:
        chips: of a stack of noise blocks, how many the held-back part is judged on: the same ones
            after every epoch. 0 is the clean stack.
    """

    def __init__(
        self, stack: Stack, spec: TrainSpec, *, lr: float, seed: int, chips: int = 0
    ) -> None:
        super().__init__()
        self.stack, self.spec, self.lr, self.seed = stack, spec, lr, seed
        self.chips, self.share = chips, Share()

    def logits(self, frames: Tensor) -> Tensor:
        """Answers scaled for the softmax, (batch, classes)."""
        if self._is_quantised():
            frames = frames.clamp(max=1)  # plain spikes, also in training
        answers = self.stack(frames.transpose(0, 1).to(self._real()))
        if self.stack.score == "softmax":
            return answers  # as the paper has it: what is a softmax already enters another
        return answers * (self.spec.logit_scale / (frames.shape[1] * self._unit()))

    def training_step(self, batch: tuple[Tensor, Tensor], _: int) -> Tensor:
        """Loss of a batch, shifted at random."""
        frames, labels = batch
        n = self.share.begin(len(labels))
        if self.spec.shift:
            by = torch.randint(-self.spec.shift, self.spec.shift + 1, (n, 2))
            frames = shifted(frames, by[self.share.part(n)])
        with self._products():
            logits = self.logits(frames).to(self._real())
        loss = self._loss(logits, labels, self.spec.label_smoothing)
        self._log("fit", loss, logits, labels)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _: int) -> None:
        """Loss and accuracy on the held-back part, means over the chips if there are any."""
        frames, labels = batch
        if not self.chips:
            logits = self.logits(frames)
        else:
            drawn = []
            for chip in range(self.chips):
                with on_chip(self.stack, np.random.default_rng((self.seed, chip))):
                    drawn.append(self.logits(frames))
            logits, labels = torch.cat(drawn), labels.repeat(self.chips)
        self.share.begin(len(labels))
        self._log("hold", self._loss(logits.float(), labels), logits, labels)

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Draw from a state that depends on seed and epoch alone: a resumed run repeats it.

        At the first batch, not before: opening the loader draws too, in some epochs of some runs.
        """
        if batch_idx == 0:
            torch.manual_seed(self.seed * 100_003 + self.current_epoch)
            if self.current_epoch:  # as that draw did when the recorded results were made
                torch.empty((), dtype=torch.int64).random_()

    def on_train_epoch_start(self) -> None:
        """Narrow the bumps of learned delays; at the end, let them stay."""
        epochs = int(self.trainer.max_epochs or 1)
        for delay in self._learned_delays():
            if not isinstance(delay.sigma, torch.nn.Parameter):
                delay.anneal(self.current_epoch, epochs)
        self.settle(self.current_epoch, epochs)

    def settle(self, epoch: int, epochs: int) -> None:
        """Let delays stay from here on, if it is time."""
        settles = epoch >= round(epochs * (1 - self.spec.delay_settle))
        for delay in self._learned_delays():
            delay.position.requires_grad_(not settles)

    def on_train_batch_end(self, *_: Any) -> None:
        """Keep positions within their kernels."""
        for delay in self._learned_delays():
            delay.clamp()

    def _learned_delays(self) -> list[Delay]:
        found = [m for m in self.stack.modules() if isinstance(m, Delay)]
        return [delay for delay in found if delay.position.requires_grad]

    def configure_optimizers(self) -> Any:
        """AdamW with a one-cycle learning rate; positions of delays by a rate of their own."""
        spec, steps = self.spec, max(2, int(self.trainer.estimated_stepping_batches))
        positions = [delay.position for delay in self._learned_delays()]
        if positions:
            own = {id(p) for p in positions}
            rest = [p for p in self.parameters() if id(p) not in own]
            optimizer = torch.optim.AdamW(
                [
                    {"params": rest, "lr": self.lr, "weight_decay": spec.weight_decay},
                    {"params": positions, "lr": spec.delay_lr, "weight_decay": 0.0},
                ]
            )
            schedule: Any = torch.optim.lr_scheduler.LambdaLR(
                optimizer, [lambda n: one_cycle(n / steps), lambda n: half_cosine(n / steps)]
            )
        else:
            optimizer = torch.optim.AdamW(
                self.parameters(), lr=self.lr, weight_decay=spec.weight_decay
            )
            schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.lr, total_steps=steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def _products(self) -> torch.autocast:
        """Products in bfloat16 while training, if asked for; never those of a chip's integers."""
        wanted = self.spec.precision == "bf16" and not self._is_quantised()
        return torch.autocast(self.device.type, torch.bfloat16, enabled=wanted)

    def _is_quantised(self) -> bool:
        return any(isinstance(block, QuantBlock) for block in self.stack.blocks.values())

    def _real(self) -> torch.dtype:
        return next(self.stack.parameters()).dtype

    def _unit(self) -> float:
        """Integer units per real unit of the answer."""
        last = list(self.stack.blocks.values())[-1]
        if isinstance(last, QuantBlock) and not self.training and last.neurons.emits == "nothing":
            return 64 * last.scale
        return 1.0

    def _loss(self, logits: Tensor, labels: Tensor, smoothing: float = 0.0) -> Tensor:
        """The mean over the batch; of several ranks each one's, which average to that."""
        if self.share.n_ranks == 1:
            return F.cross_entropy(logits, labels, label_smoothing=smoothing)
        total = F.cross_entropy(logits, labels, label_smoothing=smoothing, reduction="sum")
        return total * (self.share.n_ranks / self.share.n_whole)

    def _log(self, part: str, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        share, right = self.share, (logits.argmax(1) == labels).sum().to(loss.dtype)
        found = share.total(torch.stack((loss.detach() / share.n_ranks, right)))
        self.log_dict(
            {f"{part}_loss": found[0], f"{part}_accuracy": found[1] / share.n_whole},
            on_step=False,
            on_epoch=True,
            batch_size=share.n_whole,
        )
