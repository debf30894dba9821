"""What a training run shows and remembers: a bar, a line per epoch, a history."""

from collections.abc import Callable
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


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
