"""The whole training of a recipe: floats, then integers and noise; a run folder comes out."""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from rich.console import Console

import hwsim
from hwsim.arrays import AnyArray
from hwsim.chips.files import load_neurocores
from neuro.curves import draw_run
from neuro.models.build import build_stack
from neuro.models.stack import NO_CHIP_SCORES, Stack
from neuro.recipe import Recipe
from neuro.runs import RunFolder, read_json, versions, write_json
from neuro.to_network import export
from neuro.training.classifier import Classifier
from neuro.training.delay_classes import with_delays
from neuro.training.fit import Compute, Fitted, fit, load_checkpoint
from neuro.training.limits import check_limits
from neuro.training.noise import correct_under_spread, noisy
from neuro.training.qat import quantised, with_scales
from neuro.training.samples import Samples, load_split

Fit = Callable[..., Fitted]
N_CHIPS = 30  # that the test split is judged on after training with noise


@dataclass(frozen=True, slots=True)
class Splits:
    """The three parts of a recipe's data."""

    fit: Samples
    hold: Samples
    test: Samples


def train(
    run: RunFolder, console: Console, *, root: str | None = None, compute: Compute | None = None
) -> dict[str, Any]:
    """Train a run to its end, or return the result it already has.

    The test split is looked at once, after all phases have chosen their epoch on `hold`.

    Args:
        run: folder and recipe. console: for bars and lines. root: folder of the data sets.
        compute: what to train on; one process without.

    Returns:
        What `result.json` holds.
    """
    done = run.result()
    if done is not None:
        console.print(f"{run.path} has ended already", highlight=False)
        return done
    compute = compute or Compute()
    compute.check(run.recipe.train.batch_size)
    chip = load_neurocores(run.recipe.qat.chip)
    splits = load_splits(run, root)
    fits = partial(fit, console=console, compute=compute)
    head = _head(run, splits, compute)
    why = why_no_chip(run.recipe, splits.fit)
    if why is not None:
        return _train_floats_alone(run, splits, why, fits, head)
    fresh = fresh_stack(run, splits).folded()  # what the chip has not is said before training
    thresholds = {name: b.neurons.v_th.detach() for name, b in fresh.blocks.items()}
    scales = {name: 1 / float(v_th) for name, v_th in thresholds.items()}
    check_limits(with_scales(fresh, chip, scales), chip)
    if run.recipe.noise.epochs:
        noisy(fresh, run.recipe.noise)
    run.begin()
    stack, fitted = _fit_float(run, splits, fits)
    qstack, qfitted = _fit_integers(run, stack, chip, splits, fits)
    hwsim.save_network(export(stack, dt_s=run.recipe.dt_s), run.real_network)
    hwsim.save_network(export(qstack, dt_s=run.recipe.dt_s), run.chip_network)
    result = head | {
        "chip": chip.name,
        "float": _phase(stack, fitted, splits),
        "quantised": _phase(qstack, qfitted, splits),
        "versions": versions(),
    }
    if run.recipe.noise.epochs:
        nstack, nfitted = _fit_noise(run, stack, splits, fits)
        hwsim.save_network(export(nstack, dt_s=run.recipe.dt_s), run.noise_network)
        result["noise"] = _phase(nstack, nfitted, splits) | _chips(run, stack, nstack, splits)
    draw_run(run.path)
    write_json(run.path / "result.json", result)
    return result


def why_no_chip(recipe: Recipe, samples: Samples) -> str | None:
    """Why what a recipe trains runs on no chip; None if nothing is against it."""
    if samples.frames.dtype.kind == "f":
        return f"{samples.name} has analogue frames, and chips hear spikes: take `gsc-spikes`"
    if recipe.model.score != "last":
        return NO_CHIP_SCORES
    if any(layer.right_pad for layer in recipe.model.layers):
        return (
            "`right_pad` makes a layer run longer than the one before it, a chip runs all equally "
            "long: leave it out and lengthen the input, `n_steps` and `window_s`"
        )
    return None


def _train_floats_alone(
    run: RunFolder, splits: Splits, why: str, fits: Fit, head: dict[str, Any]
) -> dict[str, Any]:
    """The float phase, where no chip could run what comes out."""
    if run.recipe.qat.epochs or run.recipe.noise.epochs:
        raise ValueError(f"{why}; or train in floats alone: `epochs = 0` in [qat] and [noise]")
    run.begin()
    stack, fitted = _fit_float(run, splits, fits)
    result = head | {
        "float": _phase(stack, fitted, splits),
        "quantised": None,
        "floats_alone": why,
        "versions": versions(),
    }
    draw_run(run.path)
    write_json(run.path / "result.json", result)
    return result


def _head(run: RunFolder, splits: Splits, compute: Compute) -> dict[str, Any]:
    """What a result says of its run."""
    return {
        "name": run.recipe.name,
        "hash": run.recipe.digest(),
        "seed": run.recipe.seed,
        "data": run.recipe.data.name,
        "n_classes": len(splits.test.class_names),
        "class_names": list(splits.test.class_names),
        "samples": {part: len(getattr(splits, part)) for part in ("fit", "hold", "test")},
        "trained": {
            "precision": run.recipe.train.precision,
            "device": compute.accelerator,
            "processes": compute.processes,
        },
    }


def load_splits(run: RunFolder, root: str | None) -> Splits:
    """The data of a run, binned."""
    spec = run.recipe.data
    return Splits(*(load_split(spec, part, root) for part in (spec.fit, spec.hold, spec.test)))


def fresh_stack(run: RunFolder, splits: Splits) -> Stack:
    """The recipe's model with weights drawn from its seed."""
    L.seed_everything(run.recipe.seed, workers=True, verbose=False)
    shape = tuple(splits.fit.frames.shape[2:])
    return build_stack(run.recipe.model, shape, len(splits.fit.class_names))


def _fit_float(run: RunFolder, splits: Splits, fits: Fit) -> tuple[Stack, Fitted]:
    spec = run.recipe.train
    module = Classifier(fresh_stack(run, splits), spec, lr=spec.lr, seed=run.recipe.seed)
    fitted = _resumable(fits, module, splits, run.path / "float", spec.epochs, "float")
    return module.stack, fitted


def _fit_integers(
    run: RunFolder, stack: Stack, chip: hwsim.ChipSpec, splits: Splits, fits: Fit
) -> tuple[Stack, Fitted]:
    spec, folder = run.recipe.qat, run.path / "qat"
    stack = _merged(run, stack)
    scales = read_json(folder / "scales.json")
    if scales is None:
        qstack = quantised(stack, chip, splits.fit.frames[: spec.calibration])
        scales = {name: block.scale for name, block in qstack.blocks.items()}
        write_json(folder / "scales.json", scales)
    qstack = with_scales(stack.folded().eval(), chip, scales)
    module = Classifier(qstack, run.recipe.train, lr=spec.lr, seed=run.recipe.seed)
    if spec.epochs == 0:
        return qstack.eval(), Fitted(0, [])
    fitted = _resumable(fits, module, splits, folder, spec.epochs, chip.name)
    return module.stack, fitted


def _merged(run: RunFolder, stack: Stack) -> Stack:
    """The stack with the delays that the integers are trained with."""
    n_classes = run.recipe.qat.delay_classes
    return stack if n_classes is None else with_delays(stack, n_classes=n_classes)


def _fit_noise(run: RunFolder, stack: Stack, splits: Splits, fits: Fit) -> tuple[Stack, Fitted]:
    """Fine-tune a copy of the float stack; what comes back is clean, with clipped weights."""
    spec = run.recipe.noise
    module = Classifier(noisy(copy.deepcopy(stack), spec), run.recipe.train, lr=spec.lr,
                        seed=run.recipe.seed, chips=spec.draws)  # fmt: skip
    fitted = _resumable(fits, module, splits, run.path / "noise", spec.epochs, "noise")
    return module.stack.folded().eval(), fitted


def _chips(run: RunFolder, before: Stack, after: Stack, splits: Splits) -> dict[str, Any]:
    """Right answers on the test split of every chip, before and after training with noise."""
    spec, seed = run.recipe.noise, run.recipe.seed
    found = {
        name: correct_under_spread(one, splits.test, spec, N_CHIPS, seed).tolist()
        for name, one in (("before", before), ("after", after))
    }
    return {"spread": spec.spread, "test_of_chips": found}


def _resumable(
    fits: Fit, module: Classifier, splits: Splits, folder: Path, epochs: int, phase: str
) -> Fitted:
    fitted = fits(module, splits.fit, splits.hold, folder, epochs=epochs, phase=phase)
    module.stack.eval()
    return fitted


def _phase(stack: Stack, fitted: Fitted, splits: Splits) -> dict[str, Any]:
    found: dict[str, Any] = {**asdict(fitted)}
    for part in ("hold", "test"):
        samples: Samples = getattr(splits, part)
        right = int((answers(stack, samples.frames).argmax(1) == samples.labels).sum())
        found[part] = {"n_correct": right, "n_total": len(samples)}
    return found


@torch.no_grad()
def answers(stack: Stack, frames: AnyArray, *, batch_size: int = 64) -> AnyArray:
    """Answers of a stack in evaluation, (samples, classes)."""
    dtype = next(stack.parameters()).dtype
    stack.eval()
    out = []
    for start in range(0, len(frames), batch_size):
        x = torch.from_numpy(np.array(frames[start : start + batch_size])).transpose(0, 1)
        out.append(stack(x.to(dtype)).numpy())
    return np.concatenate(out)


def load_stacks(run: RunFolder, splits: Splits) -> tuple[Stack, Stack]:
    """The float and the quantised stack of a finished run, from its chosen checkpoints."""
    stack = fresh_stack(run, splits)
    _load(stack, run.path / "float" / "best.ckpt")
    scales = read_json(run.path / "qat" / "scales.json")
    if scales is None:
        raise FileNotFoundError(f"{run.path} has no qat/scales.json: train it again")
    chip = load_neurocores(run.recipe.qat.chip)
    qstack = with_scales(_merged(run, stack).folded().eval(), chip, scales)
    if run.recipe.qat.epochs:
        _load(qstack, run.path / "qat" / "best.ckpt")
    return stack.eval(), qstack.eval()


def _load(stack: Stack, checkpoint: Path) -> None:
    state = load_checkpoint(checkpoint)["state_dict"]
    stack.load_state_dict({name.removeprefix("stack."): value for name, value in state.items()})
