"""Our devices against aihwkit's noise models, recorded in data/golden/aihwkit."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from hwsim.crossbar import load_device

GOLDEN = Path(__file__).parents[1] / "data" / "golden" / "aihwkit" / "aihwkit.npz"
DEVICES = {"pcm": "pcm", "wan": "rram-wan2022", "cmo": "reram-cmo"}
N = 100_000


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as file:
        return {key: file[key] for key in file.files}


def agree(ours, theirs, n, quantiles):
    """Mean, sd and quantiles of a sample within 5 standard errors of those of n others."""
    mean, sd, *cuts = theirs
    share = 1 / ours.size + 1 / n
    assert abs(ours.mean() - mean) < 5 * sd * np.sqrt(share)
    kurtosis = ((ours - ours.mean()) ** 4).mean() / ours.var() ** 2
    assert abs(ours.std() / sd - 1) < 5 * np.sqrt((kurtosis - 1) / 4 * share)
    for p, cut in zip(quantiles, cuts, strict=True):
        assert abs((ours <= cut).mean() - p) < 5 * np.sqrt(p * (1 - p) * share)


@pytest.mark.parametrize("name", DEVICES)
def test_conductances_are_distributed_as_in_aihwkit(golden, name):
    device, n = load_device(DEVICES[name]), int(golden["n"])
    for i, level in enumerate(golden[f"{name}_levels"]):
        rng = np.random.default_rng([1, i])
        cells = device.program(np.full(N, level * 1e-6), rng)
        theirs = golden[f"{name}_conductances"][i]
        agree(cells.programmed() * 1e6, theirs[0], n, golden["quantiles"])
        for time_s, row in zip(golden[f"{name}_times_s"], theirs[1:], strict=True):
            agree(cells.at(time_s) * 1e6, row, n, golden["quantiles"])


def pairs(device, weights):
    """Conductances of both columns of every weight, (2, outputs, inputs), siemens."""
    scaled = weights.astype(np.float64) * device.g_max_siemens
    return np.stack([np.maximum(scaled, 0), np.maximum(-scaled, 0)])


@pytest.mark.parametrize("name", ["pcm", "wan"])
def test_errors_of_products_are_distributed_as_in_aihwkits_compiled_tile(golden, name):
    device, chips = load_device(DEVICES[name]), int(golden["chips"])
    weights, inputs = golden["weights"], golden["inputs"]
    wanted = np.broadcast_to(pairs(device, weights), (chips, 2, *weights.shape))
    cells, before = (device.program(wanted, np.random.default_rng(seed)) for seed in (5, 6))
    stages = [cells.programmed(), *(cells.at(t) for t in golden[f"{name}_times_s"])]
    for i, g in enumerate(stages):
        made = (g[:, 0] - g[:, 1]) / device.g_max_siemens
        if name == "wan" and i > 0:  # aihwkit scales by the largest weight of another draw
            drawn = np.diff(before.programmed(), axis=1) / device.g_max_siemens
            made = made * abs(drawn).max(axis=(1, 2, 3))[:, None, None]
        errors = inputs @ np.swapaxes(made - weights, 1, 2)
        each, theirs = errors.std(axis=0), golden[f"{name}_error_sd"][i].astype(np.float64)
        assert abs(each / theirs - 1).max() < 5 / np.sqrt(chips), "every product's spread"
        assert (each / theirs).mean() == pytest.approx(1, abs=0.012), "and all of them together"
        mean = float(golden[f"{name}_errors"][i][0])
        assert errors.mean() == pytest.approx(mean, abs=float(theirs.max()) / 30)
        for output in range(4):
            samples = golden[f"{name}_samples"][i][:, output]
            assert stats.ks_2samp(errors[:, 0, output], samples).pvalue > 1e-4


def test_noise_of_reading_is_that_of_aihwkits_tile(golden):
    device = load_device("pcm")
    weights, inputs = golden["weights"], golden["inputs"].astype(np.float64)
    cells = device.measured(pairs(device, weights), np.random.default_rng(0))
    # as found at time 0: only the law of reading, without the 1/f noise that is in `at`
    variance = device.read.sd(cells.g_wanted, device.reference_siemens).sum(axis=0) ** 2
    ours = np.sqrt(inputs**2 @ variance.T) / device.g_max_siemens
    ratio = ours / golden["pcm_read_sd"]
    assert abs(ratio - 1).max() < 5 / np.sqrt(2 * int(golden["reads"]))
    assert ratio.mean() == pytest.approx(1, abs=0.005)
