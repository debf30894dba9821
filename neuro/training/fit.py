"""Fit a classifier with Lightning: resumable, the best epoch chosen on the held-back part."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import lightning as L
import torch
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.environments import LightningEnvironment
from lightning.pytorch.strategies import DDPStrategy
from rich.console import Console

from hwsim.atomic import atomic_path
from neuro.training.classifier import Classifier
from neuro.training.processes import Say, run_ranks
from neuro.training.progress import Bar, Finite, History, Screen
from neuro.training.samples import Samples, loader
from neuro.training.sharing import Share, share_layers

Device = Literal["auto", "cpu", "cuda"]
Rows = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Compute:
    """What training runs on; it moves results by rounding only.

    Attributes:
        processes: that share every batch, on the CPU.
        device: "auto" is a GPU if there is one, and one process.
    """

    processes: int = 1
    device: Device = "auto"

    def check(self, batch_size: int) -> None:
        """Whether this machine has it, and batches have a sample for every process.

        Raises:
            ValueError: if not; names the value, its limit and a way out.
        """
        if not 1 <= self.processes <= batch_size:
            raise ValueError(
                f"{self.processes} processes cannot share a batch of {batch_size} samples: take 1 "
                f"to {batch_size}, or a larger `batch_size`"
            )
        if self.device == "cuda" and self.processes > 1:
            raise ValueError(
                f"{self.processes} processes share the CPU, not a GPU: take one process, or "
                "the device cpu"
            )
        if self.device == "cuda" and not torch.cuda.is_available():
            raise ValueError(
                f"torch {torch.__version__} finds no CUDA GPU here: take the device cpu, or auto"
            )

    @property
    def accelerator(self) -> str:
        """What is trained on: "cpu" or "cuda"."""
        can = self.device != "cpu" and self.processes == 1 and torch.cuda.is_available()
        return "cuda" if can else "cpu"


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished fit: the chosen epoch (from 1), and metrics of all epochs."""

    best_epoch: int
    history: Rows


@dataclass(frozen=True, slots=True)
class _Job:
    """All that a process needs to train."""

    module: Classifier
    fit_on: Samples
    hold: Samples
    folder: Path
    epochs: int
    accelerator: str

    def run(self, share: Share, show: Say) -> Rows:
        """Train here, as one of the ranks; the metrics of all epochs."""
        module, last, history = self.module, self.folder / "last.ckpt", History(self.folder)
        module.share = share
        if share.n_ranks > 1:
            share_layers(module.stack, share)
        size = module.spec.batch_size
        with quiet():
            self._trainer(share, [Finite(), history, Bar(show)]).fit(
                module,
                loader(self.fit_on, size, seed=module.seed, share=share),
                loader(self.hold, size, share=share),
                ckpt_path=last if last.exists() else None,
                weights_only=False,
            )
        return history.rows

    def _trainer(self, share: Share, callbacks: list[L.Callback]) -> L.Trainer:
        where: dict[str, Any] = {"accelerator": self.accelerator, "devices": share.n_ranks}
        if share.n_ranks > 1:
            where["strategy"] = DDPStrategy(
                cluster_environment=LightningEnvironment(),
                broadcast_buffers=False,  # `SharedNorm` has the same everywhere
                find_unused_parameters=True,  # in integers decays and delays stay as they are
            )
        best = ModelCheckpoint(
            self.folder, "best", monitor="hold_loss", mode="min", enable_version_counter=False
        )
        every = ModelCheckpoint(self.folder, "last", enable_version_counter=False)  # of all one
        return L.Trainer(
            max_epochs=self.epochs,
            callbacks=[*callbacks, best, every],
            plugins=[_WholeFiles()],
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
            gradient_clip_val=self.module.spec.clip_gradient,
            log_every_n_steps=1,
            **where,
        )


def fit(
    module: Classifier,
    fit_on: Samples,
    hold: Samples,
    folder: Path,
    *,
    epochs: int,
    phase: str,
    console: Console,
    compute: Compute | None = None,
) -> Fitted:
    """Train until `epochs` have passed, then load the epoch with the lowest loss on `hold`.

    A run that was stopped goes on from its last finished epoch, in `folder/last.ckpt`. Several
    processes train as one does: see `neuro.training.sharing`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, with the last epoch safe.
        ValueError: if a checkpoint is damaged, or an epoch's loss is not finite.
        ChildProcessError: if one of several processes fails.
    """
    compute, folder = compute or Compute(), folder.absolute()
    if (folder / "last.ckpt").exists():
        load_checkpoint(folder / "last.ckpt")  # a damaged one is said here
    job = _Job(module, fit_on, hold, folder, epochs, compute.accelerator)
    screen = Screen(console, phase)
    try:
        if compute.processes == 1:
            rows = job.run(Share(), screen)
        else:
            rows = run_ranks(job.run, compute.processes, screen)
    except SystemExit as stopped:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from stopped
    finally:
        screen.close()
    chosen = load_checkpoint(folder / "best.ckpt")
    module.load_state_dict(chosen["state_dict"])
    module.settle(epochs - 1, epochs)  # as after the last epoch, wherever that was trained
    return Fitted(int(chosen["epoch"]) + 1, rows)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint of `fit` holds.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, weights_only=False, map_location="cpu")
        content["epoch"], content["state_dict"], content["callbacks"]
    except FileNotFoundError as error:
        raise FileNotFoundError(f"no checkpoint {path}: train again") from error
    except Exception as error:  # damage raises whatever the bytes happen to mean
        raise ValueError(
            f"checkpoint {path} is damaged: delete {path.parent} to start over"
        ) from error
    return content


class _WholeFiles(TorchCheckpointIO):
    """Checkpoints appear whole or not at all, also where temporary files live on another disk."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """As Lightning's, but for where it is written first."""
        with atomic_path(Path(path)) as temporary:
            torch.save(checkpoint, temporary)


class quiet(warnings.catch_warnings):  # noqa: N801 (used like a function)
    """No talk from Lightning: its hints are about settings this program chose on purpose."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
