"""The binning rule: what is counted, where, and what is dropped."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from neuro.datasets.binning import EVENT_DTYPE, Binning, bin_events, bin_frames
from neuro.datasets.stills import frames_of_still, rate_code
from pydantic import ValidationError

SHAPE = (2, 5, 7)  # not square, odd


@st.composite
def recordings(draw, max_events=60):
    n = draw(st.integers(0, max_events))
    events = np.empty(n, EVENT_DTYPE)
    for field, low, high in (("x", 0, 6), ("y", 0, 4), ("t", -50, 1500), ("p", 0, 1)):
        events[field] = draw(st.lists(st.integers(low, high), min_size=n, max_size=n))
    return events


def binnings(**fixed):
    fields = {
        "n_steps": st.integers(1, 12),
        "window_s": st.sampled_from([0.0001, 0.00033, 0.001]),
        "polarity": st.sampled_from(["both", "merge", "on", "off"]),
        "clip": st.none() | st.integers(1, 3),
        "crop": st.none() | st.integers(1, 5),
        "downsample": st.integers(1, 8),
    }
    return st.builds(Binning, **(fields | {name: st.just(v) for name, v in fixed.items()}))


def slowly(events, binning):
    """The rule, event by event."""
    d = binning.downsample
    height, width = (binning.crop or 5), (binning.crop or 7)
    n_channels = 2 if binning.polarity == "both" else 1
    counts = np.zeros((binning.n_steps, n_channels, -(-height // d), -(-width // d)), int)
    window_us = round(binning.window_s * 1e6)
    for x, y, t, p in events.tolist():
        x, y = x - (7 - width) // 2, y - (5 - height) // 2
        if not (0 <= x < width and 0 <= y < height):
            continue
        if not 0 <= t < window_us or binning.polarity == ("off" if p else "on"):
            continue
        step = (t * binning.n_steps) // window_us
        counts[step, int(p) if n_channels == 2 else 0, y // d, x // d] += 1
    return counts if binning.clip is None else np.minimum(counts, binning.clip)


@given(recordings(), binnings())
def test_binning_is_the_rule_applied_event_by_event(events, binning):
    frames = bin_events(events, binning, SHAPE)
    assert frames.dtype == np.uint8
    assert np.array_equal(frames, slowly(events, binning))


@given(recordings(), binnings(polarity="both", clip=None, crop=None))
def test_without_clipping_every_event_in_the_window_is_counted_once(events, binning):
    inside = (events["t"] >= 0) & (events["t"] < round(binning.window_s * 1e6))
    assert bin_events(events, binning, SHAPE).sum() == inside.sum()


@given(recordings(), binnings(), st.randoms())
def test_the_order_of_events_changes_no_frame(events, binning, random):
    order = random.sample(range(len(events)), len(events))
    shuffled = bin_events(events[order], binning, SHAPE)
    assert np.array_equal(bin_events(events, binning, SHAPE), shuffled)


@given(recordings(), binnings(clip=None))
def test_on_and_off_are_the_channels_of_both_and_merge_is_their_sum(events, binning):
    def of(polarity):
        one = Binning.model_validate(binning.model_dump() | {"polarity": polarity})
        return bin_events(events, one, SHAPE)

    both = of("both")
    assert np.array_equal(of("off")[:, 0], both[:, 0])
    assert np.array_equal(of("on")[:, 0], both[:, 1])
    assert np.array_equal(of("merge")[:, 0], both.sum(axis=1))


@given(recordings(), binnings(clip=None), st.integers(1, 4))
def test_two_steps_of_a_finer_binning_make_one_of_a_coarser(events, binning, clip):
    double = {"n_steps": 2 * binning.n_steps}
    finer = Binning.model_validate(binning.model_dump() | double)
    pairs = bin_events(events, finer, SHAPE)
    summed = pairs.reshape(binning.n_steps, 2, *pairs.shape[1:]).sum(axis=1)
    assert np.array_equal(bin_events(events, binning, SHAPE), summed)
    clipped = Binning.model_validate(binning.model_dump() | {"clip": clip})
    assert np.array_equal(bin_events(events, clipped, SHAPE), np.minimum(summed, clip))


@given(recordings(), binnings())
def test_binning_does_not_change_the_events(events, binning):
    before = events.copy()
    bin_events(events, binning, SHAPE)
    assert np.array_equal(events, before)


def test_an_event_at_the_end_of_the_window_is_dropped_and_one_before_it_is_last():
    events = np.array([(0, 0, 999, 1), (0, 0, 1000, 1), (0, 0, -1, 1)], EVENT_DTYPE)
    frames = bin_events(events, Binning(n_steps=4, window_s=0.001), SHAPE)
    assert frames.sum() == 1
    assert frames[3, 1, 0, 0] == 1


def test_more_events_than_8_bits_hold_is_an_error_unless_clipped():
    events = np.zeros(256, EVENT_DTYPE)
    with pytest.raises(ValueError, match=r"256 events in one bin, at most 255 fit: set `clip"):
        bin_events(events, Binning(n_steps=1, window_s=1), SHAPE)
    assert bin_events(events, Binning(n_steps=1, window_s=1, clip=255), SHAPE).max() == 255


@pytest.mark.parametrize(("field", "value", "limit"), [("x", 7, 6), ("y", 5, 4), ("x", -1, 6)])
def test_an_event_outside_the_sensor_is_an_error(field, value, limit):
    events = np.zeros(2, EVENT_DTYPE)
    events[field][1] = value
    with pytest.raises(ValueError, match=rf"{field} = {value}, must be in 0 to {limit}"):
        bin_events(events, Binning(n_steps=1, window_s=1), SHAPE)


@pytest.mark.parametrize(
    "fields", [{"n_steps": 0}, {"n_steps": 1, "clip": 256}, {"n_steps": 1, "polarity": "pos"}]
)
def test_a_binning_without_sense_is_refused(fields):
    with pytest.raises(ValidationError):
        Binning(**fields)


def test_more_steps_than_microseconds_are_refused():
    with pytest.raises(ValueError, match="20 steps in 10 microseconds"):
        bin_events(np.zeros(0, EVENT_DTYPE), Binning(n_steps=20, window_s=1e-5), SHAPE)


def test_channels_have_no_polarity():
    with pytest.raises(ValueError, match="this"):
        Binning(n_steps=1, polarity="on").frame_shape((64,))


@given(recordings(), binnings(polarity="both", downsample=1))
def test_counting_from_the_first_event_is_binning_events_that_were_moved(events, binning):
    moved = events.copy()
    if len(moved):
        moved["t"] -= moved["t"].min()
    from_first = Binning.model_validate(binning.model_dump() | {"from_first": True})
    assert np.array_equal(bin_events(events, from_first, SHAPE), bin_events(moved, binning, SHAPE))


def test_a_rule_from_before_there_was_a_field_has_the_same_text():
    """Run folders and caches are named by it."""
    plain = '{"n_steps":16,"window_s":null,"polarity":"both","clip":1,"downsample":1}'
    assert Binning(n_steps=16, clip=1).model_dump_json() == plain
    for later in ({"from_first": True}, {"crop": 3}, {"spikes": 9}):
        one = Binning(n_steps=16, clip=1, **later)
        assert one.model_dump_json() != plain
        assert Binning.model_validate_json(one.model_dump_json()) == one


def test_frames_have_no_first_event():
    with pytest.raises(ValueError, match="needs events"):
        bin_frames(np.ones((2, 3)), Binning(n_steps=1, window_s=1, from_first=True), 1)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(0, 2**32 - 1))
def test_binning_fine_frames_is_binning_their_events(n_frames, n_steps, downsample, seed):
    """A 1 in fine frame k is an event at the time at which the frame begins."""
    fine = np.random.default_rng(seed).integers(0, 3, (n_frames, 4)).astype(np.uint8)
    binning = Binning(n_steps=n_steps, window_s=0.001, downsample=downsample)
    frame, channel = (np.repeat(index, fine[fine > 0]) for index in np.nonzero(fine))
    events = np.zeros(len(frame), EVENT_DTYPE)
    events["x"], events["t"] = channel, frame * 1000 // n_frames
    assert np.array_equal(bin_frames(fine, binning, 0.001), bin_events(events, binning, (4,)))


@pytest.mark.parametrize(("side", "first"), [(16, 9), (15, 9), (33, 0), (34, 0)])
def test_a_crop_keeps_the_centre_and_cuts_an_odd_pixel_at_the_end(side, first):
    pixels = np.arange(34 * 34).reshape(34, 34) % 251
    kept = pixels[first : first + side, first : first + side]
    binning = Binning(n_steps=1, window_s=1, crop=side)
    y, x = (np.repeat(axis.ravel(), pixels.ravel()) for axis in np.indices(pixels.shape))
    events = np.zeros(len(x), EVENT_DTYPE)
    events["x"], events["y"] = x, y
    assert np.array_equal(bin_events(events, binning, (2, 34, 34))[0, 0], kept)
    assert np.array_equal(bin_frames(pixels[None, None], binning, 1)[0, 0], kept)
    still = frames_of_still(pixels[None], Binning(n_steps=3, crop=side))
    assert still.shape == (3, 1, side, side)
    assert (still == kept).all()


def test_frames_with_pixels_are_cropped_and_then_summed():
    fine = np.arange(2 * 1 * 5 * 7).reshape(2, 1, 5, 7)
    binned = bin_frames(fine, Binning(n_steps=1, window_s=1, crop=3, downsample=2), 1)
    pixels = fine.sum(axis=0)[0, 1:4, 2:5]
    groups = [[pixels[:2, :2], pixels[:2, 2:]], [pixels[2:, :2], pixels[2:, 2:]]]
    assert binned[0, 0].tolist() == [[int(group.sum()) for group in row] for row in groups]


@pytest.mark.parametrize("shape", [(64,), (2, 5, 7)])
def test_a_crop_larger_than_the_sensor_or_of_channels_is_an_error(shape):
    binning = Binning(n_steps=1, window_s=1, crop=6)
    with pytest.raises(ValueError, match=r"`crop = 6` needs .* this has shape \(.*: lower `crop`"):
        binning.frame_shape(shape)
    with pytest.raises(ValueError, match=r"`crop = 6` needs"):
        bin_events(np.zeros(1, EVENT_DTYPE), binning, shape)
    with pytest.raises(ValueError, match=r"`crop = 6` needs"):
        bin_frames(np.zeros((1, *shape)), binning, 1)


@given(st.integers(1, 20), st.integers(1, 20))
def test_a_shorter_window_keeps_the_fine_frames_that_begin_in_it(n_steps, n_kept):
    assume(n_steps <= n_kept)
    fine = np.ones((20, 3), np.uint8)
    kept = bin_frames(fine, Binning(n_steps=n_steps, window_s=n_kept * 1e-3), 0.020)
    assert kept.sum() == 3 * n_kept


def test_a_still_image_is_the_same_at_every_step_and_takes_no_memory():
    still = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
    repeated = frames_of_still(still, Binning(n_steps=5))
    assert repeated.shape == (5, 1, 3, 4)
    assert all(np.array_equal(step, still) for step in repeated)
    assert np.shares_memory(repeated, still)
    with pytest.raises(ValueError, match="no fields but"):
        frames_of_still(still, Binning(n_steps=5, clip=1))


def test_a_grey_value_has_its_share_of_spikes_as_even_as_steps_allow():
    """At most 20 in 50 steps, as of the letters in the paper of the resistive reservoir."""
    trains = rate_code(50, 20)
    assert trains.sum(axis=1).tolist() == [(40 * p + 255) // 510 for p in range(256)]
    assert np.flatnonzero(trains[255]).tolist() == [(2 * i + 1) * 50 // 40 for i in range(20)]
    assert np.flatnonzero(trains[13]).tolist() == [25]
    assert not trains[6].any()
    for train in trains:
        gaps = np.diff(np.flatnonzero(train))
        assert not len(gaps) or gaps.max() - gaps.min() <= 1


@given(st.integers(1, 30), st.integers(1, 30))
def test_a_rate_code_has_one_spike_a_step_at_most_and_no_favoured_end(n_steps, spikes):
    assume(spikes <= n_steps)
    trains = rate_code(n_steps, spikes)
    assert trains[255].sum() == spikes
    assert (np.diff(trains.sum(axis=1).astype(int)) >= 0).all()
    for train in trains[trains.any(axis=1)]:
        at = np.flatnonzero(train)
        assert abs(at[0] - (n_steps - 1 - at[-1])) <= 1


@pytest.mark.parametrize("time_axis", [0, 1])
def test_still_images_become_the_trains_of_their_pixels(time_axis):
    stills = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 1, 3, 4) * 11
    coded = frames_of_still(stills, Binning(n_steps=7, spikes=5, crop=3), time_axis=time_axis)
    assert coded.dtype == np.uint8
    by_pixel = np.moveaxis(coded, time_axis, -1)
    assert np.array_equal(by_pixel, rate_code(7, 5)[stills[..., 0:3]])


def test_spikes_are_of_still_images_and_at_most_one_a_step():
    with pytest.raises(ValidationError, match="`spikes = 8` in 7 steps, at most one a step: lower"):
        Binning(n_steps=7, spikes=8)
    binning = Binning(n_steps=7, window_s=1, spikes=5)
    with pytest.raises(ValueError, match="`spikes` is a code of still images"):
        bin_events(np.zeros(1, EVENT_DTYPE), binning, SHAPE)
    with pytest.raises(ValueError, match="`spikes` is a code of still images"):
        bin_frames(np.zeros((1, 3)), binning, 1)
