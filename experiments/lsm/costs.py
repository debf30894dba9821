"""What the reservoir costs beside digital hardware, and training it beside a trained network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

import hwsim
from experiments.lsm.rows import Found, Numbers
from experiments.lsm.silicon import COMPONENTS, macs_per_inference
from experiments.lsm.tasks import N_CLASSES, N_NEURONS, PROBE, TASKS, n_inputs
from experiments.lsm.trained_pairs import AUDIO, LOSSES, VISION
from experiments.lsm.training_cost import Macs, training_macs
from experiments.lsm.zero import DRAWN, RECIPES
from neuro.zero_shot import load_zero_shot

GPUS = ("gpu-wang2023", "gpu-a100-fp32")
CORES = (
    "synapses",
    "neurons",
    "network",
    "reset",
    "static",
)  # host and barriers: not known, or not
PAPER_TRAINING = "152.83 (SRNN, contrastive), 393.07 (prototypes)"
PAPER_ENERGY = "23.34 and 160"


@dataclass(frozen=True, slots=True)
class Joules:
    """Of one inference; the band is that of the constants."""

    said: str
    value: float
    p10: float
    p90: float
    parts: dict[str, float]

    def ratio(self, other: "Joules") -> tuple[float, float, float]:
        """Of this to another, and its band: errors of both are independent, and log-normal."""
        up = np.hypot(np.log(self.p90 / self.value), np.log(other.value / other.p10))
        down = np.hypot(np.log(self.value / self.p10), np.log(other.p90 / other.value))
        ratio = self.value / other.value
        return ratio, float(ratio * np.exp(-down)), float(ratio * np.exp(up))


def of_seeds(found: Found, part: str, task: str, arm: str) -> list[Numbers]:
    """Numbers of a case's seeds, in order."""
    rows = [(int(k[5]), n) for k, n in found.items() if k[:3] == (part, task, arm)]
    return [numbers for _, numbers in sorted(rows, key=lambda row: row[0])]


def mean_of(rows: Sequence[Numbers], name: str) -> float:
    """Mean of a number; what is not known is 0 in no sum, so it must be known."""
    return float(np.mean([known(row[name]) for row in rows]))


def known(value: float | None) -> float:
    """A number that is known."""
    assert value is not None
    return value


def energies(found: Found, task: str) -> list[Joules]:
    """The reservoir of a task on the crossbar, on neurocores, and densely on GPUs."""
    out = [_on(found, "chips", task, "formed", "RRAM, 40 nm", COMPONENTS)]
    out += [
        _on(found, "supervised", task, chip, hwsim.load_chip(chip).title, CORES)
        for chip in ("loihi2", "loihi1")
    ]
    spec = TASKS[task]
    macs = macs_per_inference(spec, n_inputs(spec), N_NEURONS)
    for name in GPUS:
        prices = hwsim.load_price_list(name)
        one = prices.energy.mac_fp32
        value, off = macs * known(one.value), 1 + known(one.rel_uncertainty)
        out.append(Joules(prices.title, value, value / off, value * off, {"arithmetic": value}))
    return out


def _on(found: Found, part: str, task: str, arm: str, said: str, names: Sequence[str]) -> Joules:
    rows = of_seeds(found, part, task, arm)
    parts = {name: mean_of(rows, f"{name}_j") for name in names if rows[0].get(f"{name}_j")}
    value = sum(parts.values())
    below, above = (
        mean_of(rows, f"energy_{p}_j") / mean_of(rows, "energy_j") for p in ("p10", "p90")
    )
    return Joules(said, value, value * below, value * above, parts)


def reservoir_training(found: Found, task: str, n_neurons: int = N_NEURONS) -> Macs:
    """Multiply-accumulates to train a reservoir's head, and those of its one pass."""
    spec = TASKS[task]
    n_train = int(known(of_seeds(found, "supervised", task, "lsm")[0]["n_train"]))
    return training_macs(
        n_inputs(spec), n_neurons, N_CLASSES, n_steps=spec.binning.n_steps,
        n_samples=n_train, epochs=PROBE.epochs, n_recordings=n_train,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Training:
    """Multiply-accumulates of a whole training, and its epochs."""

    macs: Macs
    epochs: int


def trainings(found: Found, task: str) -> dict[str, Training]:
    """By arm: reservoir and head, and the trained networks."""
    out = {"lsm": Training(reservoir_training(found, task), PROBE.epochs)}
    for arm in ("srnn-ann", "srnn-snn", "rnn"):
        out[arm] = _trained(of_seeds(found, "baselines", task, arm)[0])
    return out


def trainings_zero(found: Found) -> dict[str, Training]:
    """The same of audio and vision: projections on reservoirs, and encoders trained with them."""
    recipe = load_zero_shot(RECIPES["audio-vision"])
    trained = {arm: of_seeds(found, "baselines-zero", "atv", arm)[0] for arm in LOSSES}
    row, n_pairs = of_seeds(found, "zero", *DRAWN)[0], int(known(trained["srnn"]["pairs"]))
    lsm = Macs(0, 0)
    for name, side, task in (("a", recipe.a, AUDIO), ("b", recipe.b, VISION)):
        lsm += training_macs(
            n_inputs(TASKS[task]), side.reservoir.neurons, recipe.head.n_out,
            n_steps=side.binning.n_steps, n_samples=n_pairs, epochs=recipe.head.epochs,
            n_recordings=int(known(row[f"recordings_{name}"])),
        )  # fmt: skip
    out = {"lsm": Training(lsm, recipe.head.epochs)}
    return out | {arm: _trained(row) for arm, row in trained.items()}


def _trained(row: Numbers) -> Training:
    total, head, epochs = (int(known(row[n])) for n in ("train_macs", "train_macs_head", "epochs"))
    return Training(Macs(total - head, head), epochs)
