"""What is measured: a case is one setting of the chip, tried with fresh devices many times."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

import hwsim
from hwsim.arrays import AnyArray
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import load_device
from hwsim.crossbar.scaling import with_adc_bits
from hwsim.crossbar.spec import CrossbarChip
from neuro import datasets

HERE = Path(__file__).parent
CHIP = "rram-40nm"
RECIPE = HERE.parent / "rram-nmnist" / "recipe.toml"
BINNING = datasets.Binning(n_steps=20, window_s=0.31, polarity="both", clip=1)
NETWORKS = ("float", "noise")
N_CALIBRATION = 64  # training samples: of converters' ranges, and of correction after programming
MANY, SOME, FEW = 30, 10, 5  # chips
HOUR, DAY, YEAR = 3600.0, 86400.0, 365.25 * 86400.0


@dataclass(frozen=True)
class Case:
    """One row of the results.

    Attributes:
        part: which question it belongs to. network: file beside this one, or "untrained".
        device: cells. parameter, value: what is varied, in the unit that the name has.
        spread: sd of programming as a fraction of g_max, instead of the device's own errors.
        bits: of the converters; None: as fine as numbers. wires: times the chip's resistances.
        time_s: age. corrected: after `calibrate_chip` at that age.
        n_chips: made with seeds from 0 on. data: which recordings, the test split of it.
    """

    part: str
    network: str
    device: str = "taox-40nm"
    parameter: str = ""
    value: float = 0.0
    spread: float | None = None
    bits: int | None = 8
    wires: float = 1.0
    time_s: float = 0.0
    corrected: bool = False
    n_chips: int = SOME
    data: str = "nmnist-small"


def all_cases() -> list[Case]:
    """In the order of their weight: an interrupted run has the first ones.

    The chip as it is stands in no sweep again: 8 bits, its own wires, age 0.
    """
    out = [Case("as-is", net, n_chips=MANY) for net in NETWORKS]
    out.append(Case("as-is", "untrained", n_chips=5))
    exact = Case("ideal", "float", "ideal", bits=None, wires=0.0, n_chips=1)
    out += [replace(exact, network=net) for net in NETWORKS]
    for value in (0.1, 0.0, 0.05, 0.15, 0.2, 0.025):
        n = MANY if value == 0.1 else SOME
        out += [_spread(net, value, n_chips=n) for net in NETWORKS]
    for bits in (3, 4, 5, 6, 7):
        out += [Case("adc", net, parameter="bits", value=bits, bits=bits) for net in NETWORKS]
    out += [_shipped(net) for net in NETWORKS]
    for by in (0.0, 3.0, 10.0, 30.0):
        known = {"parameter": "times", "value": by, "wires": by, "n_chips": FEW}
        out += [Case("wires", net, **known) for net in NETWORKS]
    out += [case for net in NETWORKS for case in _ages(net)]
    out += [_spread(net, 0.1, n_chips=MANY, part="spread, corrected") for net in NETWORKS]
    return out


def _spread(network: str, value: float, n_chips: int, part: str = "spread") -> Case:
    return Case(
        part, network, parameter="of g_max", value=value, spread=value, n_chips=n_chips,
        corrected=part != "spread",
    )  # fmt: skip


def _shipped(network: str) -> Case:
    """What a test tries again: recordings that ship, and no noise of reading."""
    return Case(
        "slice", network, "ideal", "of g_max", 0.1, spread=0.1, n_chips=FEW, data="nmnist-slice"
    )


def _ages(network: str) -> list[Case]:
    """Every device at ages of which its file says something."""
    times = {
        "taox-40nm": (1.0, DAY, YEAR),
        "rram-wan2022": (0.0, DAY, 2 * DAY),
        "pcm": (0.0, HOUR, DAY, YEAR),
    }
    out = []
    for device, ages in times.items():
        own = [Case("age", network, device, "s", t, time_s=t, n_chips=FEW) for t in ages]
        out += [*own, replace(own[-1], part="age, corrected", corrected=True)]
    return out


@cache
def splits(data: str) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Frames of training samples (for calibration), frames and labels of the test split."""
    fit = "fit" if data == "nmnist-small" else "train"
    known, _ = datasets.load(data, fit).binned(BINNING, cache=False)
    frames, labels = datasets.load(data, "test").binned(BINNING, cache=False)
    return np.asarray(known)[:N_CALIBRATION], np.asarray(frames), np.asarray(labels)


@cache
def network(name: str) -> hwsim.Network:
    """A trained network from its file, or that of the recipe before its first epoch."""
    if name != "untrained":
        return hwsim.load_network(HERE / f"{name}.h5")
    from neuro.recipe import load_recipe  # with torch, which no other case needs
    from neuro.runs import run_for
    from neuro.to_network import export
    from neuro.training.train import fresh_stack, load_splits

    run = run_for(load_recipe(RECIPE))
    return export(fresh_stack(run, load_splits(run, None)).eval(), dt_s=run.recipe.dt_s)


@cache
def device(case: Case) -> Device:
    """The cells of a case."""
    cells = load_device(case.device)
    return cells if case.spread is None else cells.spread(case.spread)


@cache
def chip(case: Case) -> CrossbarChip:
    """The chip of a case."""
    plain = hwsim.load_chip(CHIP).model_dump(by_alias=True)
    for name in ("r_word_ohm", "r_bit_ohm"):
        plain["array"][name] *= case.wires
    made = CrossbarChip.model_validate(plain)
    return made if made.output.bits == case.bits else with_adc_bits(made, case.bits)


def sha(name: str) -> str:
    """Which network a row was measured with: of a file its bytes, else the recipe's."""
    path = RECIPE if name == "untrained" else HERE / f"{name}.h5"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def digest(case: Case) -> str:
    """All that a row depends on: case, network, chip, cells, recordings."""
    plain = {
        "case": asdict(case),
        "network": sha(case.network),
        "chip": chip(case).model_dump(mode="json", by_alias=True),
        "device": device(case).model_dump(mode="json", by_alias=True),
        "data": _data_sha(case.data),
    }
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _data_sha(data: str) -> list[str]:
    return [hashlib.sha256(x.tobytes()).hexdigest() for x in splits(data)]
