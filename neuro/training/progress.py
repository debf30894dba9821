"""What a training run shows and remembers: a bar, a line per epoch, a history, its curves."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from neuro.curves import draw_run, write_metrics
from neuro.models.stack import Block
from neuro.spiking import Delay

DRAW_EVERY_S = 5.0  # a drawing takes about 0.4 s


class Screen:
    """What a phase shows on a console; `screen("advance", 3)` is `screen.advance(3)`."""

    def __init__(self, console: Console, phase: str) -> None:
        self.console, self.phase = console, phase
        self.progress: Progress | None = None

    def __call__(self, what: str, *how: Any) -> None:
        """Show what was said, in this process or in another."""
        getattr(self, what)(*how)

    def begin(self, total: int, done: int) -> None:
        """Open the bar, on a terminal only."""
        if not self.console.is_terminal:
            return
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        self.task = self.progress.add_task(self.phase, total=total, completed=done)
        self.progress.start()

    def advance(self, done: int) -> None:
        """Batches so far."""
        if self.progress:
            self.progress.update(self.task, completed=done)

    def line(self, text: str) -> None:
        """What an epoch reached."""
        self.console.print(f"{self.phase} {text}", highlight=False)

    def close(self) -> None:
        """Close the bar, also after an error."""
        if self.progress:
            self.progress.stop()
            self.progress = None


class Bar(Callback):
    """Tells a screen: one bar over the batches of all epochs, and a line when an epoch ends."""

    def __init__(self, show: Callable[..., None]) -> None:
        self.show = show

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Open the bar."""
        self.show("begin", int(trainer.estimated_stepping_batches), trainer.global_step)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Advance."""
        self.show("advance", trainer.global_step)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A line of what this epoch reached."""
        m = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.show(
            "line",
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  "
            f"loss {m['fit_loss']:.3f}  fit {m['fit_accuracy']:.1%}  hold {m['hold_accuracy']:.1%}",
        )


class Finite(Callback):
    """Ends training where a loss is no number any more, before that epoch is kept."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Raise a ValueError unless the losses of this epoch are finite."""
        fit, hold = (float(trainer.callback_metrics[f"{part}_loss"]) for part in ("fit", "hold"))
        if not (math.isfinite(fit) and math.isfinite(hold)):
            raise ValueError(
                f"after epoch {trainer.current_epoch + 1} the loss is {fit:g}, on the held-back "
                f"part {hold:g}: lower `lr`, {pl_module.lr:g} here"
            )


class History(Callback):
    """Metrics of every finished epoch; they travel in the checkpoints, so a resumed run has all.

    Args:
        folder: of the phase, to have them as a table after every epoch; and of its run, curves
            are drawn after an epoch, but no oftener than every `DRAW_EVERY_S`. None for neither.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder, self.drawn_at = folder, time.monotonic()
        self.rows: list[dict[str, float]] = []
        self.before: dict[str, Tensor] = {}

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Remember where delays stand."""
        moving = _moving_delays(trainer, pl_module).items()
        self.before = {name: delay.position.detach().clone() for name, delay in moving}

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep this epoch's metrics, and what became of delays in it, in steps."""
        row = {name: float(value) for name, value in trainer.callback_metrics.items()}
        row["learning_rate"] = float(trainer.optimizers[0].param_groups[0]["lr"])
        for name, delay in _moving_delays(trainer, pl_module).items():
            moved = (delay.position.detach() - self.before[name]).abs().mean()
            row[f"{name}_width"] = float(delay.sigma.detach().abs().mean())
            row[f"{name}_moved"] = float(moved)
        self.rows.append({"epoch": trainer.current_epoch + 1, **row})
        if self.folder and trainer.is_global_zero:
            write_metrics(self.folder, self.rows)
            if time.monotonic() > self.drawn_at + DRAW_EVERY_S:
                draw_run(self.folder.parent)
                self.drawn_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where a checkpoint left off."""
        self.rows = list(state_dict["rows"])


def _moving_delays(trainer: L.Trainer, module: L.LightningModule) -> dict[str, Delay]:
    """Layers of delays by name, where their positions are trained: not in integers."""
    trained = {id(p) for group in trainer.optimizers[0].param_groups for p in group["params"]}
    blocks = {
        name.split(".")[-1]: block
        for name, block in module.named_modules()
        if isinstance(block, Block) and isinstance(block.synapses, Delay)
    }
    return {n: b.synapses for n, b in blocks.items() if id(b.synapses.position) in trained}
