"""Gather what training and deployment wrote, and hand it to the report."""

import datetime
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

import hwsim
from hwsim.arrays import AnyArray
from hwsim.neurobench import NeuroBench
from hwsim.quantization import Verdict
from hwsim.report import write_report
from hwsim.report.data import Accuracy, Raster, ReportInput
from hwsim.report.layers import LayerRow
from neuro.curves import curves_of
from neuro.deploy import FILES, counts_from_arrays, file_digest, load_deployment
from neuro.lava import VERDICT
from neuro.mapping import deployed_plan
from neuro.runs import RunFolder, read_json

HISTORIES = {"float": "floats", "quantised": "integers", "noise": "noise"}  # parts of a result


def write(run: RunFolder, chip: hwsim.ChipSpec, *, given: str | None = None) -> tuple[Path, Path]:
    """Write the report of a deployment; returns the paths of the page and of its data.

    Args:
        given: how the chip was named, if not by its own name: the path of its file.

    Raises:
        FileNotFoundError: if the run was not deployed on the chip.
    """
    folder = run.deployment(chip.name)
    try:
        content = gather(run, chip, given=given)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(
            f"{folder} or {run.path / 'result.json'} is damaged or of another version: deploy again"
        ) from error
    return write_report(content, folder)


def gather(run: RunFolder, chip: hwsim.ChipSpec, *, given: str | None = None) -> ReportInput:
    """Everything the report shows."""
    content, result = load_deployment(run, chip.name, given), run.result() or {}
    limits = {name: content["delays"][name] for name in ("max_delay", "n_classes")}
    net, _ = hwsim.quantize_delays(hwsim.load_network(run.chip_network), **limits)
    plan = deployed_plan(run, net, chip, content)
    counts_file, spikes_file, raster_file = (
        _arrays(run.deployment(chip.name) / name, content["files"][name]) for name in FILES
    )
    counts = counts_from_arrays(counts_file)
    names = result["class_names"]
    label, answer = (names[content["raster"][key]] for key in ("label", "answer"))
    return ReportInput(
        title=run.path.name,
        plan=plan,
        counts=counts,
        bill=hwsim.price(counts, chip),
        layers=tuple(LayerRow(**_tupled(row)) for row in content["layers"]),
        verdicts=tuple(Verdict(**v) for v in content["verdicts"]),
        accuracies=(
            Accuracy("float", **result["float"]["test"]),
            Accuracy("quantised", **result["quantised"]["test"]),
            Accuracy("on chip", content["n_correct"], content["n_total"]),
        ),
        chance=1 / result["n_classes"],
        confusion=np.array(content["confusion"], dtype=np.int64),
        classes=tuple(names),
        raster=Raster(raster_file, label, answer, np.array(content["raster"]["output"])),
        curves=curves_of(
            {name: result[part]["history"] for part, name in HISTORIES.items() if part in result}
        ),
        exactness=_exactness(run, content),
        provenance=_provenance(run, result, content),
        spikes=spikes_file,
        neurobench=NeuroBench(**content["neurobench"]),
    )


def _tupled(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "shape": tuple(row["shape"])}


def _arrays(path: Path, digest: str) -> dict[str, AnyArray]:
    """Arrays that were written with `deploy.json`, which knows their digest."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: deploy again")
    if file_digest(path) != digest:
        raise ValueError(f"{path} is damaged or of another deployment: deploy again")
    try:
        # opened here: np.load leaves a file that is no zip open
        with path.open("rb") as raw, np.load(raw) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: deploy again") from error


def _exactness(run: RunFolder, content: dict[str, Any]) -> tuple[str, ...]:
    p = content["parity"]
    said = [
        f"PyTorch's integers = the simulator's: {p['n_different']} of {p['n_spikes']} spikes and "
        f"{p['n_answers_different']} answers differ, {p['n_samples']} samples."
    ]
    verdict = read_json(run.path / "lava" / VERDICT)
    if verdict:
        said.append(verdict["sentence"])
    return tuple(said)


def _delays_asked(delays: dict[str, Any]) -> str:
    """The options of `neuro deploy` that limited its delays."""
    asked = {"--max-delay": delays["max_delay"], "--delay-classes": delays["n_classes"]}
    return "".join(f" {name} {n}" for name, n in asked.items() if n is not None)


def _provenance(run: RunFolder, result: dict[str, Any], content: dict[str, Any]) -> dict[str, str]:
    data = run.recipe.data
    # SOURCE_DATE_EPOCH makes a report reproducible to the byte
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    now = datetime.datetime.now(datetime.UTC)
    date = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC) if epoch else now
    return {
        "run": run.path.name,
        "hash": result["hash"],
        "seed": str(result["seed"]),
        "data": f"{data.name}: {result['samples']['fit']} to train, {result['samples']['hold']} "
        f"to choose the epoch, {result['samples']['test']} to test",
        "binning": data.binning.model_dump_json(),
        "chosen epochs": f"float {result['float']['best_epoch']}, "
        f"integers {result['quantised']['best_epoch']}",
        "network": hwsim.load_network(run.chip_network).digest[:16],
        "command": f"neuro train {run.recipe.name} --seed {result['seed']}; neuro deploy "
        f"{run.path.name} --chip {content['chip_given']} --mapper {content['map']['mapper']} "
        f"--seed {content['map']['seed']}{_delays_asked(content['delays'])}",
        "map": f"{content['map']['mapper']}, for {content['map']['profile']}",
        "date": date.strftime("%Y-%m-%d %H:%M UTC"),
        **{f"version of {name}": version for name, version in content["versions"].items()},
    }
