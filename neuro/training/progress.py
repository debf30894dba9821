"""What a training run shows and remembers: a bar, a line per epoch, a history."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Bar(Callback):
    """One bar over the batches of all epochs, and a line when an epoch ends."""

    def __init__(self, console: Console, phase: str) -> None:
        self.console, self.phase = console, phase
        self.progress: Progress | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
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
        total = int(trainer.estimated_stepping_batches)
        self.task = self.progress.add_task(self.phase, total=total, completed=trainer.global_step)
        self.progress.start()

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        """Advance."""
        if self.progress:
            self.progress.update(self.task, completed=trainer.global_step)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A line of what this epoch reached."""
        m = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.console.print(
            f"{self.phase} epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  "
            f"loss {m['fit_loss']:.3f}  fit {m['fit_accuracy']:.1%}  hold {m['hold_accuracy']:.1%}",
            highlight=False,
        )

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Close the bar, also after an error."""
        if self.progress:
            self.progress.stop()
            self.progress = None


class History(Callback):
    """Metrics of every finished epoch; they travel in the checkpoints, so a resumed run has all."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep this epoch's metrics."""
        row = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch + 1, **row})

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where a checkpoint left off."""
        self.rows = list(state_dict["rows"])
