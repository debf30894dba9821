"""The saccade simulator: its laws, and how near it comes to real N-MNIST."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import load
from neuro.datasets.digits import SEED, SPEC, digit_images
from neuro.datasets.fit_saccades import TARGETS, simulate, statistics
from neuro.datasets.saccades import SaccadeSpec, saccade_events, saccade_path

QUIET = SaccadeSpec.model_validate(SPEC.model_dump() | {"noise_hz": 0})


def one(image, *, index=0, spec=QUIET, seed=SEED):
    return saccade_events(np.asarray(image)[None], np.array([index]), spec=spec, seed=seed)[0]


def varied(**fields):
    return SaccadeSpec.model_validate(QUIET.model_dump() | fields)


@pytest.fixture(scope="module")
def simulated():
    return statistics(simulate(SPEC))


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("events", 0.02),
        ("events_std", 0.06),
        ("on_fraction", 0.01),
        ("saccade_1", 0.05),
        ("saccade_2", 0.05),
        ("saccade_3", 0.05),
        ("busy_pixels", 0.06),
        ("busy_pixels_std", 0.10),
        ("events_per_busy_pixel_std", 0.10),
        ("height_px", 0.13),
        ("width_px", 0.13),
    ],
)
def test_the_simulated_digits_have_the_statistics_of_real_nmnist(simulated, name, tolerance):
    assert simulated[name] == pytest.approx(TARGETS[name], rel=tolerance)


def test_the_targets_are_those_of_the_real_recordings(data):
    data("nmnist-small/nmnist_small.zip")
    measured = statistics(events for events, _ in load("nmnist-small"))
    assert measured == pytest.approx(TARGETS, rel=0.005)


def test_the_slice_is_a_fair_sample_of_the_targets():
    """50 recordings: the mean lies within three standard errors."""
    measured = statistics(events for events, _ in load("nmnist-slice"))
    error = TARGETS["events_std"] / np.sqrt(50)
    assert measured["events"] == pytest.approx(TARGETS["events"], abs=3 * error)
    assert measured["on_fraction"] == pytest.approx(0.5, abs=0.01)


def test_a_recording_depends_on_its_image_and_index_only():
    images = digit_images()[0][:5]
    together = saccade_events(images, np.arange(5), spec=SPEC, seed=SEED)
    alone = saccade_events(images[3:4], np.array([3]), spec=SPEC, seed=SEED)[0]
    assert np.array_equal(together[3], alone)
    assert np.array_equal(load("digits", "test").read(3), alone)


def test_another_index_or_seed_gives_other_noise_and_another_sensor():
    image = digit_images()[0][0]
    recordings = [one(image), one(image, index=1), one(image, seed=1)]
    assert len({events.tobytes() for events in recordings}) == 3


@given(st.integers(0, 1796))
def test_no_pixel_fires_again_while_it_is_blind(index):
    events = one(digit_images()[0][index], index=index, spec=SPEC)
    order = np.lexsort((events["t"], events["x"], events["y"]))
    pixel = (events["y"].astype(int) * 34 + events["x"])[order]
    gap_us = np.diff(events["t"][order])[np.diff(pixel) == 0]
    assert gap_us.min() >= SPEC.refractory_s * 1e6 - 1  # times are cut to whole microseconds


def test_a_dark_image_gives_no_events_but_noise():
    assert len(one(np.zeros((8, 8)))) == 0
    loud = varied(noise_hz=5.0)
    n = np.array([len(one(np.zeros((8, 8)), index=i, spec=loud)) for i in range(40)])
    expected = 5.0 * 34**2 * 0.315
    assert n.mean() == pytest.approx(expected, rel=0.03)


def test_an_image_that_rests_gives_no_events():
    """Between two saccades, when the motion has ended, the sensor is silent."""
    t_s = one(digit_images()[0][0])["t"] * 1e-6
    rest = (t_s % QUIET.saccade_s) > QUIET.motion_s + QUIET.dt_s
    assert not rest.any()


def test_the_path_is_a_triangle_that_ends_where_it_began():
    x, y = saccade_path(SPEC)
    assert (x[0], y[0]) == pytest.approx((x[-1], y[-1]))
    assert np.ptp(x) == pytest.approx(SPEC.travel_px)
    assert np.ptp(y) == pytest.approx(SPEC.travel_px)
    third = np.arange(len(y)) * SPEC.dt_s > 2 * SPEC.saccade_s
    assert np.ptp(y[third]) == pytest.approx(0, abs=1e-9)


def test_a_lower_threshold_gives_more_events():
    image = digit_images()[0][11]
    counts = [
        len(one(image, spec=varied(threshold_on=theta, threshold_off=theta)))
        for theta in (0.4, 0.2, 0.1)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_on_a_closed_path_every_pixel_rises_as_often_as_it_falls():
    """In fine steps, where next to nothing is lost while a pixel is blind."""
    fine = varied(
        dt_s=0.0001, refractory_s=0.0001, mismatch=0, threshold_on=0.2, threshold_off=0.2,
        width_spread=0, light_spread=0,
    )  # fmt: skip
    events = one(digit_images()[0][3], spec=fine)
    signed = np.where(events["p"], 1, -1)
    pixel = events["y"].astype(int) * 34 + events["x"]
    balance = np.bincount(pixel, weights=signed, minlength=34 * 34)
    assert np.abs(balance).max() <= 2
    assert len(events) > 1000


def test_a_brighter_background_lowers_the_contrast():
    image = digit_images()[0][5]
    assert len(one(image, spec=varied(dark=2.0))) < len(one(image, spec=varied(dark=0.2)))
