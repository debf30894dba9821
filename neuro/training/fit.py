"""Fit a classifier with Lightning: resumable, the best epoch chosen on the held-back part."""

import logging
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from rich.console import Console

from neuro.training.classifier import Classifier
from neuro.training.progress import Bar, History
from neuro.training.samples import Samples, loader


@dataclass(frozen=True, slots=True)
class Fitted:
    """A finished fit: the chosen epoch (from 1), and metrics of all epochs."""

    best_epoch: int
    history: list[dict[str, float]]


def fit(
    module: Classifier,
    fit_on: Samples,
    hold: Samples,
    folder: Path,
    *,
    epochs: int,
    phase: str,
    console: Console,
) -> Fitted:
    """Train until `epochs` have passed, then load the epoch with the lowest loss on `hold`.

    A run that was stopped goes on from its last finished epoch, in `folder/last.ckpt`.

    Raises:
        KeyboardInterrupt: after Ctrl-C, with the last epoch safe.
        ValueError: if a checkpoint is damaged.
    """
    best = ModelCheckpoint(
        folder,
        "best",
        monitor="hold_loss",
        mode="min",
        enable_version_counter=False,
    )
    every = ModelCheckpoint(folder, "last", enable_version_counter=False)  # of all epochs one
    history = History()
    last = folder / "last.ckpt"
    if last.exists():
        load_checkpoint(last)  # a damaged one is said here
    trainer = _trainer(module, epochs, [history, best, every, Bar(console, phase)])
    batches = loader(fit_on, module.spec.batch_size, seed=module.seed)
    try:
        with _quiet():
            trainer.fit(
                module,
                batches,
                loader(hold, module.spec.batch_size),
                ckpt_path=last if last.exists() else None,
                weights_only=False,
            )
    except SystemExit as stopped:  # how Lightning ends after Ctrl-C
        raise KeyboardInterrupt from stopped
    chosen = load_checkpoint(folder / "best.ckpt")
    module.load_state_dict(chosen["state_dict"])
    return Fitted(int(chosen["epoch"]) + 1, history.rows)


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


def _trainer(module: Classifier, epochs: int, callbacks: list[L.Callback]) -> L.Trainer:
    with _quiet():
        return L.Trainer(
            max_epochs=epochs,
            accelerator="auto",
            devices=1,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            gradient_clip_val=module.spec.clip_gradient,
            log_every_n_steps=1,
        )


class _quiet(warnings.catch_warnings):  # noqa: N801 (used like a function)
    """No talk from Lightning: its hints are about settings this program chose on purpose."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        for name in ("lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
