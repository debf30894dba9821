"""The cochlea: its filters against two packages, its neurons against their closed form."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import load
from neuro.datasets.cochlea import (
    CochleaSpec,
    centre_frequencies_hz,
    cochlea,
    erb_hz,
    filterbank,
    gammatone_sos,
    hair_cells,
    spikes_of,
)
from scipy import signal

SPEC = CochleaSpec()
F_HZ = np.linspace(20, 3980, 400)


def gain(sos, f_hz):
    z = np.exp(-2j * np.pi * f_hz / SPEC.sample_rate_hz)
    powers = np.stack([np.ones_like(z), z, z**2])
    return np.abs(np.prod((sos[:, :3] @ powers) / (sos[:, 3:] @ powers), axis=0))


@pytest.mark.parametrize("f_hz", [100.0, 440.0, 1000.0, 3600.0])
def test_a_filter_has_the_response_of_scipys_gammatone(f_hz):
    b, a = signal.gammatone(f_hz, "iir", fs=SPEC.sample_rate_hz)
    _, response = signal.freqz(b, a, F_HZ, fs=SPEC.sample_rate_hz)
    ours = gain(gammatone_sos(f_hz, SPEC.sample_rate_hz), F_HZ)
    assert np.abs(ours - np.abs(response)).max() < 1e-4  # of a gain of 1 at the centre


def test_centres_and_responses_are_those_of_the_gammatone_package():
    with np.load(Path(__file__).parent / "data" / "gammatone-1.0.3.npz") as oracle:
        centres_hz, f_hz, gains = oracle["centres_hz"], oracle["f_hz"], oracle["gain"]
    few = CochleaSpec(n_channels=len(centres_hz))
    assert centre_frequencies_hz(few) == pytest.approx(centres_hz, rel=1e-9)
    ours = np.array([gain(sos, f_hz) for sos in filterbank(few)])
    assert ours == pytest.approx(gains, rel=1e-6)


def test_channels_are_evenly_spaced_in_erb_rate():
    centres_hz = centre_frequencies_hz(SPEC)
    assert (centres_hz[0], centres_hz[-1]) == pytest.approx((100, 3600))
    rate = 21.4 * np.log10(1 + 0.00437 * centres_hz)  # as Glasberg and Moore print it
    assert np.diff(rate) == pytest.approx(np.diff(rate)[0], rel=1e-3)


def test_a_filter_passes_noise_like_a_rectangle_of_its_bandwidth():
    """The equivalent rectangular bandwidth, by its definition: area of |H|^2 over its peak."""
    for centre_hz in (200.0, 500.0, 1000.0):
        f_hz = np.linspace(0, 4000, 20001)
        power = gain(gammatone_sos(centre_hz, SPEC.sample_rate_hz), f_hz) ** 2
        area = np.trapezoid(power, f_hz) / power.max()
        assert area == pytest.approx(erb_hz(np.array(centre_hz)), rel=0.02)


@pytest.mark.parametrize("channel", [5, 20, 40, 60])
def test_a_tone_is_loudest_in_its_own_channel(channel):
    f_hz = centre_frequencies_hz(SPEC)[channel]
    tone = np.sin(2 * np.pi * f_hz * np.arange(4000) / SPEC.sample_rate_hz)
    events = cochlea(tone, SPEC)
    counts = np.bincount(events["x"], minlength=64)
    assert abs(int(np.median(np.flatnonzero(counts == counts.max()))) - channel) <= 1


@given(st.floats(1e-3, 1e3))
def test_loudness_changes_no_spike_but_by_rounding(factor):
    sound = np.random.default_rng(0).standard_normal(2000)
    quiet, loud = cochlea(sound, SPEC), cochlea(sound * factor, SPEC)
    assert abs(len(quiet) - len(loud)) <= 1


def test_silence_gives_no_spikes():
    assert len(cochlea(np.zeros(4000), SPEC)) == 0
    assert len(cochlea(np.zeros(3), SPEC)) == 0


@pytest.mark.parametrize("drive", [0.2, 0.5, 1.0])
def test_a_constant_drive_gives_the_interval_of_a_leaky_neuron(drive):
    """t = -tau log(1 - v_th / drive), to the step in which a reset falls."""
    events = spikes_of(np.full((2000, 1), drive), SPEC)
    interval_s = np.diff(events["t"]).mean() * 1e-6
    expected_s = -SPEC.tau_s * np.log(1 - SPEC.v_th / drive)
    assert expected_s <= interval_s + 1e-6
    assert interval_s <= expected_s + SPEC.dt_s


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(0, 60))
def test_spikes_are_those_of_the_equation_taken_step_by_step(seed, n_channels, n_steps):
    drive = np.random.default_rng(seed).uniform(0, 4, (n_steps, n_channels))  # often past v_th
    decay = np.exp(-SPEC.dt_s / SPEC.tau_s)
    expected = []
    for channel in range(n_channels):
        v = 0.0
        for step in range(n_steps):
            start, v = v, decay * v + (1 - decay) * drive[step, channel]
            if v >= SPEC.v_th:
                part = (SPEC.v_th - start) / (v - start)
                expected.append((int((step + part) * SPEC.dt_s * 1e6), channel))
                v = 0.0
    events = spikes_of(drive, SPEC)
    assert sorted(zip(events["t"].tolist(), events["x"].tolist(), strict=True)) == sorted(expected)
    assert (np.diff(events["t"]) >= 0).all()
    assert (events["y"] == 0).all()
    assert events["p"].all()


def test_a_drive_below_threshold_never_fires():
    assert len(spikes_of(np.full((1000, 3), 0.999 * SPEC.v_th), SPEC)) == 0


def test_channels_do_not_hear_each_other():
    drive = hair_cells(np.random.default_rng(1).standard_normal(4000), SPEC)
    together = spikes_of(drive, SPEC)
    for channel in (0, 31, 63):
        alone = spikes_of(drive[:, [channel]], SPEC)
        assert np.array_equal(alone["t"], together["t"][together["x"] == channel])


def test_spoken_digits_give_1000_to_2000_spikes(data):
    """On average over all, over most recordings, and over every digit up to the longest, nine."""
    data("fsdd/fsdd_5speakers_wav.zip")
    spoken = load("fsdd", "index-test").take(range(0, 250, 2))
    counts = np.array([len(events) for events, _ in spoken])
    assert 1300 < counts.mean() < 1700
    assert ((counts >= 1000) & (counts <= 2000)).mean() > 0.7
    by_digit = [counts[spoken.labels == digit].mean() for digit in range(10)]
    assert min(by_digit) > 1000
    assert max(by_digit) < 2300
