"""Reading an array: converters keep their laws, and fast noise is the noise of every cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hwsim.crossbar.converters import Adc, Inputs, SenseAmp, calibrate
from hwsim.crossbar.noise import Noise
from hwsim.crossbar.read import ReadCounts, Reader
from hwsim.kernels import analog

V = 0.2
G = np.random.default_rng(1).uniform(-1e-4, 1e-4, (12, 7))
SD = np.random.default_rng(2).uniform(0, 2e-5, G.shape)
ADC = Adc(bits=8, low=-1e-4, high=1e-4)
NOISY = Reader(G, V, sd_siemens=SD)
RANGES = st.tuples(st.floats(-1, 1), st.floats(1e-3, 2)).map(lambda r: (r[0], r[0] + r[1]))


def rng(seed=0):
    return np.random.default_rng(seed)


def inputs_of(kind, bits, signed=False, batch=5, rows=12):
    """Drivers, and numbers that they take."""
    drivers = Inputs(kind, bits, signed)
    if kind == "dac":
        return drivers, rng().uniform(-1, 1, (batch, rows))
    low = -drivers.n_steps if signed else 0
    return drivers, rng().integers(low, drivers.n_steps + 1, (batch, rows))


KINDS = [("spike", 1), ("serial", 4), ("serial", 4, True), ("dac", 6)]


# converters


@given(RANGES, st.integers(1, 15))
def test_one_more_bit_never_raises_the_worst_error(ends, bits):
    """And the worst error in the range is half a step, or less."""
    currents = np.linspace(*ends, 3001)
    worst = []
    for b in (bits, bits + 1):
        adc = Adc(bits=b, low=ends[0], high=ends[1])
        codes, n_clipped = adc.draw(3001).codes(currents[None])
        worst.append(np.abs(codes[0] * adc.lsb - currents).max())
        slack = 1e-9 * adc.lsb + 1e-15  # and the last bits of the currents
        assert worst[-1] <= adc.lsb / 2 + slack
        assert adc.code_max - adc.code_min == 2**b - 1
        ties = np.abs(np.abs(codes[0] * adc.lsb - currents) - adc.lsb / 2) <= slack
        assert n_clipped <= np.count_nonzero(ties)  # an end may lie half a step off the last level
    # the grid may miss the worst current by half its spacing
    assert worst[1] <= worst[0] + (ends[1] - ends[0]) / 6000


@given(RANGES, st.integers(1, 16))
def test_an_adc_is_monotone(ends, bits):
    currents = np.sort(rng(bits).uniform(ends[0] - 1, ends[1] + 1, 500))
    adc = Adc(bits=bits, low=ends[0], high=ends[1], gain_sd=0.05, offset_sd_lsb=1)
    codes, _ = adc.draw(1, rng()).codes(currents[:, None])
    assert (np.diff(codes[:, 0]) >= 0).all()


@given(st.floats(0, 1), st.floats(1e-3, 1), st.integers(1, 16))
def test_no_current_is_code_0_and_small_currents_are_too(below, above, bits):
    adc = Adc(bits=bits, low=-below, high=above)
    currents = adc.lsb * np.array([[-0.49, 0, 0.49]])
    assert adc.draw(3).codes(currents)[0].tolist() == [[0, 0, 0]]


def test_what_lies_beyond_the_last_level_saturates_and_is_counted():
    adc = Adc(bits=3, low=0, high=7)
    codes, n_clipped = adc.draw(5).codes(np.array([[-3.0, -0.4, 3.2, 7.4, 7.6]]))
    assert codes.tolist() == [[0, 0, 3, 7, 7]]
    assert n_clipped == 2
    reader = Reader(G, V, adc=Adc(bits=4, low=-1e-6, high=1e-6))
    x = rng().uniform(-1, 1, (50, 12))
    by_hand = np.abs(x @ G * V / reader.adc.lsb + 0.5) > 8
    reader.read(x)
    reader.read(x)
    assert reader.counts == ReadCounts(100, 100, 700, 2 * np.count_nonzero(by_hand))


def test_columns_share_a_converter_and_its_error_stays():
    adc = Adc(bits=12, low=-1, high=1, gain_sd=0.1, offset_sd_lsb=5, columns_per_adc=3)
    drawn = adc.draw(8, rng())
    assert [len(set(drawn.gain[k : k + 3])) for k in (0, 3, 6)] == [1, 1, 1]
    assert len(set(drawn.gain)) == len(set(drawn.offset_lsb)) == adc.n_adcs(8) == 3
    again = adc.draw(8, rng())
    assert np.array_equal(drawn.gain, again.gain)
    many = Adc(low=0, high=1, gain_sd=0.1, offset_sd_lsb=2, columns_per_adc=1).draw(20000, rng())
    assert np.std(many.gain) == pytest.approx(0.1, rel=0.03)
    assert np.mean(many.gain) == pytest.approx(1, abs=0.003)
    assert np.std(many.offset_lsb) == pytest.approx(2, rel=0.03)


def test_calibration_by_percentile_cuts_off_what_it_says_and_keeps_0():
    sample = rng().normal(0.3, 1, 100_000)
    low, high = calibrate(sample, 8, percentile=99)
    assert np.mean(sample > high) == pytest.approx(0.01, abs=1e-4)
    assert np.mean(sample < low) == pytest.approx(0.01, abs=1e-4)
    assert calibrate(np.abs(sample) + 5, 8)[0] == 0
    assert calibrate(-np.abs(sample), 8)[1] == 0
    rare = np.zeros(100_000)
    rare[0] = 3.0
    assert calibrate(rare, 8) == (0, 3)


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("law", ["normal", "skewed", "heavy"])
def test_calibration_by_loss_is_as_good_as_any_percentile(bits, law):
    draws = {"normal": rng().normal(size=5000), "skewed": rng().exponential(size=5000)}
    sample = draws[law] if law in draws else rng().standard_t(3, 5000)

    def loss(ends):
        adc = Adc(bits=bits, low=ends[0], high=ends[1])
        return np.mean((adc.draw(1).codes(sample[:, None])[0][:, 0] * adc.lsb - sample) ** 2)

    best = loss(calibrate(sample, bits, "loss"))
    for percentile in (90, 95, 98, 99, 99.5, 99.9, 100):
        assert best <= 1.02 * loss(calibrate(sample, bits, percentile=percentile))


def test_a_sense_amplifier_compares_with_its_reference_and_offset():
    currents = np.array([[1.0, 2.0, 3.0]])
    assert SenseAmp().draw(3).fires(currents, 2.0).tolist() == [[False, False, True]]
    many = SenseAmp(offset_sd_ampere=0.5).draw(20000, rng())
    fires = many.fires(np.full((2, 20000), 0.25))
    assert np.array_equal(fires[0], fires[1])  # an offset stays
    assert fires[0].mean() == pytest.approx(stats.norm.cdf(0.5), abs=0.015)
    noisy = SenseAmp(noise_sd_ampere=0.5).draw(20000)
    fires = noisy.fires(np.full((2, 20000), 0.25), rng=rng())
    assert not np.array_equal(fires[0], fires[1])
    assert fires.mean() == pytest.approx(stats.norm.cdf(0.5), abs=0.015)


# products


@pytest.mark.parametrize("kind", KINDS)
def test_without_noise_and_adc_currents_are_numpy_s_product_bit_for_bit(kind):
    drivers, x = inputs_of(*kind)
    driven = np.rint(x * 31) / 31 if kind[0] == "dac" else x.astype(float)
    for inputs in (drivers, None):
        found = Reader(G, V, inputs=inputs).read(x if inputs else driven)
        assert np.array_equal(found, driven @ G * V)
    fast = Reader(G, V, inputs=drivers, dtype=np.float32).read(x)
    scale = np.abs(driven) @ np.abs(G) * V
    assert fast.dtype == np.float32
    assert (np.abs(fast - driven @ G * V) <= 4e-6 * scale).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_fine_adc_finds_the_product_within_half_a_step_a_pulse(kind, dtype):
    drivers, x = inputs_of(*kind)
    adc = Adc(bits=16, low=-3e-4, high=3e-4)
    reader = Reader(G, V, inputs=drivers, adc=adc, dtype=dtype)
    driven = np.rint(x * 31) / 31 if kind[0] == "dac" else x
    sum_of_weights = (1 + drivers.signed) * drivers.n_steps if kind[0] == "serial" else 1
    error = np.abs(reader.read(x) - driven @ G * V)
    assert error.max() <= sum_of_weights * adc.lsb * 0.51
    assert np.array_equal(
        reader.read_codes(x), np.rint(reader.read(x) / dtype(adc.lsb)).astype(int)
    )
    n = 5 * drivers.n_pulses
    assert reader.counts == ReadCounts(15, 3 * n, 3 * 7 * n, 0)


def test_codes_of_a_reader_are_those_of_its_converters():
    """The compiled loop against NumPy, in float64: equal."""
    adc = Adc(bits=5, low=-1e-4, high=5e-5, gain_sd=0.05, offset_sd_lsb=1, columns_per_adc=2)
    x = rng().uniform(-1, 1, (300, 12))
    reader = Reader(G, V, adc=adc, rng=rng(3))
    codes, n_clipped = adc.draw(7, rng(3)).codes(Reader(G, V).read(x))
    assert np.array_equal(reader.read_codes(x), codes)
    assert reader.counts.clipped == n_clipped > 0


@pytest.mark.parametrize("sd", [None, 1e-6, 1e-2 * np.abs(G)], ids=["none", "one", "each"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10)
def test_codes_of_float32_are_those_of_float64_except_at_ties(sd, seed):
    """And so the same seed draws the same noise in both."""
    r = rng(seed)
    adc = Adc(bits=8, low=-1e-4, high=1e-4, gain_sd=0.05, offset_sd_lsb=1, columns_per_adc=2)
    x = r.uniform(-1, 1, (16, 12)).astype(np.float32)
    how = {"inputs": Inputs("dac", 8), "adc": adc, "sd_siemens": sd, "flicker_sd_siemens": sd}
    exact = Reader(G, V, **how, rng=rng(seed))
    fast = Reader(G, V, **how, rng=rng(seed), dtype=np.float32)
    a, b = exact.read_codes(x, rng(seed)), fast.read_codes(x, rng(seed))
    assert np.abs(a - b).max() <= 1
    assert np.count_nonzero(a != b) <= 6
    assert abs(exact.counts.clipped - fast.counts.clipped) <= 6


def test_serial_pulses_add_up_to_the_number_and_to_its_squares():
    drivers, x = inputs_of("serial", 5, True)
    pulses = drivers.pulses(x.astype(float))
    assert len(pulses) == drivers.n_pulses == 10
    assert np.array_equal(sum(w * lines for w, lines in pulses), x)
    assert all(set(np.unique(lines)) <= {0, 1} for _, lines in pulses)
    squares = sum(w**2 * lines for w, lines in pulses)
    assert np.array_equal(drivers.squares(x.astype(float)), squares)


# noise


def spread_of(currents):
    """Mean and variance of each column, and what sampling may make of them (5 sigma)."""
    n = currents.shape[0]
    variance = currents.var(axis=0)
    return currents.mean(axis=0), variance, 5 * np.sqrt(variance / n), 5 * np.sqrt(2 / n)


@pytest.mark.parametrize("kind", [None, *KINDS])
@pytest.mark.parametrize("sd", [1e-5, SD], ids=["one", "each"])
def test_noise_at_the_columns_is_the_noise_of_every_cell(kind, sd):
    """Mean and variance of the fast, the exact and the slow way agree with the formula."""
    drivers, x = inputs_of(*kind, batch=1) if kind else (None, rng().normal(size=(1, 12)))
    driven = np.rint(x * 31) / 31 if kind and kind[0] == "dac" else x
    squares = drivers.squares(driven.astype(float)) if drivers else x**2
    variance = V**2 * squares @ np.broadcast_to(sd, G.shape) ** 2
    ways = {"exact": {}, "fast": {"dtype": np.float32}, "cells": {"per_device": True}}
    for seed, (name, way) in enumerate(ways.items()):
        n = 3000 if name == "cells" else 20_000
        reader = Reader(G, V, inputs=drivers, sd_siemens=sd, **way)
        found = reader.read(np.repeat(x, n, axis=0), rng(seed)).astype(float)
        mean, var, mean_off, var_off = spread_of(found)
        assert (np.abs(mean - (driven @ G * V)[0]) <= mean_off + 1e-11).all(), name
        assert (np.abs(var / variance[0] - 1) <= var_off).all(), name
        assert np.abs(np.corrcoef(found.T) - np.eye(7)).max() < 5 / np.sqrt(n), name


@pytest.mark.parametrize("way", [{}, {"dtype": np.float32}, {"per_device": True}])
def test_every_pulse_of_a_serial_input_has_noise_and_a_conversion_of_its_own(way):
    drivers, x = inputs_of("serial", 3, batch=1)
    adc = Adc(bits=14, low=-5e-4, high=5e-4)
    reader = Reader(G, V, inputs=drivers, sd_siemens=SD, adc=adc, **way)
    n = 3000
    found = reader.read(np.repeat(x, n, axis=0), rng(5)).astype(float)
    mean, var, mean_off, var_off = spread_of(found)
    assert (np.abs(mean - (x @ G * V)[0]) <= mean_off + 7 * adc.lsb / 2).all()
    variance = V**2 * drivers.squares(x.astype(float)) @ SD**2
    assert (np.abs(var / variance[0] - 1) <= var_off + 0.01).all()


@pytest.mark.parametrize("way", [{}, {"dtype": np.float32}, {"per_device": True}])
def test_slow_noise_stays_for_a_call_and_changes_between_calls(way):
    reader = Reader(G, V, flicker_sd_siemens=SD, **way)
    r, x = rng(), np.eye(12)
    one = reader.read(np.vstack([x, x]), r).astype(float)
    assert np.array_equal(one[:12], one[12:])
    drawn = np.array([(reader.read(x, r) / V - G) / SD for _ in range(200)])
    assert drawn.std() == pytest.approx(1, rel=0.03)
    assert abs(drawn.mean()) < 0.04
    assert np.abs(np.corrcoef(drawn[:-1, 0, 0], drawn[1:, 0, 0])[0, 1]) < 0.3


@pytest.mark.parametrize("way", [{}, {"dtype": np.float32}, {"per_device": True}])
def test_the_same_seed_gives_the_same_noise_and_another_seed_another(way):
    reader = Reader(G, V, sd_siemens=1e-6, adc=Adc(bits=16, low=-1e-4, high=1e-4), **way)
    x = rng().uniform(-1, 1, (9, 12))
    one, two, three = (reader.read_codes(x, rng(s)) for s in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, three)
    r = rng(3)
    assert np.array_equal(reader.read_codes(x, r), one)
    assert not np.array_equal(reader.read_codes(x, r), one)  # the Generator moved on


def test_words_are_those_of_xoshiro256_plus_plus():
    """Against whole numbers of Python, by the published algorithm."""
    mask, state = 2**64 - 1, [int(s) for s in rng().integers(1, 2**63, 4)]

    def rotl(word, by):
        return (word << by | word >> 64 - by) & mask

    def following(s):
        result = (rotl((s[0] + s[3]) & mask, 23) + s[0]) & mask
        t = s[1] << 17 & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return result

    ours, words = np.array(state, dtype=np.uint64), np.empty(50, dtype=np.uint64)
    analog.fill_words(ours, words)
    assert words.tolist() == [following(state) for _ in range(50)]
    assert ours.tolist() == state


def test_polynomials_are_box_and_muller_in_doubles():
    bits = rng().integers(-(2**31), 2**31, (2, 200_000), dtype=np.int64).astype(np.int32)
    bits[:, :6] = [[0, 1, -1, 2**31 - 1, -(2**31), 5], [0, 2**30, -(2**30), -(2**31), 7, 2**31 - 1]]
    cosines, sines = np.empty((2, bits.shape[1]), dtype=np.float32)
    analog.gaussians_of(bits[0], bits[1], cosines, sines)
    u = ((bits[0] & 0x7FFFFFFF).astype(np.float32) + np.float32(0.5)).astype(float) * 2.0**-31
    angle = 2 * np.pi * bits[1].astype(np.float32).astype(float) * 2.0**-32
    radius = np.sqrt(-2 * np.log(u))
    assert np.abs(cosines - radius * np.cos(angle)).max() < 2e-6
    assert np.abs(sines - radius * np.sin(angle)).max() < 2e-6
    assert np.abs(np.hypot(cosines, sines)).max() < 6.7


def test_fast_noise_is_gaussian_and_independent():
    n = 2_000_000
    noise = Noise(rng(7), n)
    z = noise.draw().astype(float)
    assert stats.kstest(z[:500_000], "norm").pvalue > 1e-3
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 4.5 * np.sqrt(variance / n), power
    for limit in (1, 2, 3, 4, 4.5):
        p = 2 * stats.norm.sf(limit)
        assert abs(np.count_nonzero(np.abs(z) > limit) - n * p) < 4.5 * np.sqrt(n * p), limit
    half = n // 2  # cosines, then their sines
    for lag in (1, 2, 3, 4, 64, 256, 257, half):
        for f in (z, np.abs(z), z * z):
            f = f - f.mean()
            together = np.mean(f[:-lag] * f[lag:]) / np.mean(f * f)
            assert abs(together) < 4.5 / np.sqrt(n - lag), lag
    counts = np.histogram2d(z[:half], z[half:], bins=stats.norm.ppf(np.linspace(0, 1, 17)[1:-1]))[0]
    inside = counts.sum()
    assert stats.chisquare(counts.ravel(), np.full(counts.size, inside / counts.size)).pvalue > 1e-3
    assert not np.array_equal(noise.draw()[:100], z[:100].astype(np.float32))


def test_streams_of_different_seeds_are_independent():
    n = 400_000
    a, b = (Noise(rng(s), n).draw().astype(float) for s in (1, 2))
    assert abs(np.corrcoef(a, b)[0, 1]) < 4.5 / np.sqrt(n)
    assert stats.kstest((a + b) / np.sqrt(2), "norm").pvalue > 1e-3


def test_many_short_streams_are_as_gaussian_as_a_long_one():
    """A reader seeds one for every pulse: small batches see the beginnings of many."""
    r, reader = rng(11), Reader(np.zeros((1, 8)), 1.0, sd_siemens=1.0, dtype=np.float32)
    z = np.array([reader.read(np.ones((2, 1)), r).ravel() for _ in range(12_000)], dtype=float)
    assert stats.kstest(z.ravel(), "norm").pvalue > 1e-3
    assert np.abs(np.corrcoef(z.T) - np.eye(16)).max() < 5 / np.sqrt(12_000)
    assert np.abs(np.corrcoef((z**2).T) - np.eye(16)).max() < 5 / np.sqrt(12_000)
    for k in range(16):  # from one stream to the next
        assert abs(np.corrcoef(z[:-1, k], z[1:, k])[0, 1]) < 5 / np.sqrt(12_000)


# what is refused

X = np.zeros((2, 12))
REFUSED = {
    "0-bit ADC": (lambda: Adc(bits=0, low=0, high=1), "an ADC needs 1 to 16 bits, got 0"),
    "17-bit ADC": (lambda: Adc(bits=17, low=0, high=1), "1 to 16 bits, got 17"),
    "half a bit": (lambda: Adc(bits=1.5, low=0, high=1), "whole number of bits, got 1.5"),
    "ADC upside down": (lambda: Adc(low=1, high=0), "low < high, got 1 and 0 A"),
    "ADC of nan": (lambda: Adc(low=np.nan, high=0), "low < high, got nan"),
    "ADC gain": (lambda: Adc(low=0, high=1, gain_sd=-1), "`gain_sd` of an ADC is -1"),
    "ADC offset": (
        lambda: Adc(low=0, high=1, offset_sd_lsb=np.inf),
        "`offset_sd_lsb` of an",
    ),
    "no columns": (lambda: Adc(low=0, high=1, columns_per_adc=0), "`columns_per_adc` is 0"),
    "no rng for ADCs": (lambda: Adc(low=0, high=1, gain_sd=1).draw(3), "give `rng`"),
    "no rng for a reader": (lambda: Reader(G, V, adc=Adc(low=0, high=1, gain_sd=1)), "give `rng`"),
    "amplifier": (lambda: SenseAmp(offset_sd_ampere=-1), "sense amplifier is -1"),
    "no rng for amplifiers": (lambda: SenseAmp(offset_sd_ampere=1).draw(3), "give `rng`"),
    "noisy amplifier": (lambda: SenseAmp(0, 1).draw(3).fires(np.ones((1, 3))), "give `rng`"),
    "calibrating on nothing": (lambda: calibrate(np.zeros(0), 8), "at least one"),
    "calibrating on zeros": (lambda: calibrate(np.zeros(9), 8), "all 0 A"),
    "calibrating on nan": (lambda: calibrate([np.nan], 8), "must be finite"),
    "calibrating by 20 %": (lambda: calibrate([1.0], 8, percentile=20), "`percentile` is 20"),
    "calibrating by luck": (lambda: calibrate([1.0], 8, "luck"), "`method` is 'luck'"),
    "calibrating 0 bits": (lambda: calibrate([1.0], 0), "1 to 16 bits, got 0"),
    "inputs of no kind": (lambda: Inputs("analog"), "inputs are 'analog', must be"),
    "spikes of 2 bits": (lambda: Inputs("spike", 2), "spike inputs have 1 bit, not 2"),
    "1-bit DAC": (lambda: Inputs("dac", 1), "dac inputs needs 2 to 16 bits, got 1"),
    "0 bits in a row": (lambda: Inputs("serial", 0), "1 to 16 bits, got 0"),
    "signed spikes": (lambda: Inputs("spike", signed=True), "`signed` is for serial"),
    "half a spike": (lambda: Reader(G, V, inputs=Inputs()).read(X + 0.5), "from 0 to 1, got 0.5"),
    "two spikes": (lambda: Reader(G, V, inputs=Inputs()).read(X + 2), "from 0 to 1, got 2"),
    "too large": (lambda: Reader(G, V, inputs=Inputs("serial", 2)).read(X + 4), "0 to 3, got 4"),
    "negative": (lambda: Reader(G, V, inputs=Inputs("serial", 2)).read(X - 1), "0 to 3, got -1"),
    "beyond": (
        lambda: Reader(G, V, inputs=Inputs("dac", 4)).read(X + 1.1),
        "-1 to 1, got 1.1: scale",
    ),
    "nan in": (lambda: Reader(G, V).read(X * np.nan), "inputs must be finite"),
    "shape": (lambda: Reader(G, V).read(X[0]), r"shape \(12,\), must be \(batch, 12\)"),
    "no codes": (lambda: Reader(G, V).read_codes(X), "give the reader an `adc`"),
    "no rng": (lambda: NOISY.read(X), "reading is noisy: give `rng`"),
    "conductances of nan": (lambda: Reader(G * np.nan, V), "conductances must be finite"),
    "conductances in a row": (lambda: Reader(G[0], V), r"shape \(7,\), must be \(rows, columns\)"),
    "no volts": (lambda: Reader(G, 0), "`v_read_volt` is 0"),
    "float16": (lambda: Reader(G, V, dtype=np.float16), "`dtype` is float16"),
    "negative noise": (lambda: Reader(G, V, sd_siemens=-SD), "at least 0: some are not"),
    "noise of nan": (lambda: Reader(G, V, flicker_sd_siemens=np.nan), "must be finite and at"),
    "noise of a column": (lambda: Reader(G, V, sd_siemens=SD[:, 0]), r"shape \(12,\), must be one"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_refused_in_one_line(name):
    do, message = REFUSED[name]
    with pytest.raises(ValueError, match=message) as refused:
        do()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("bad", [np.nan, 1.2, -np.inf])
def test_the_fast_dac_refuses_what_the_exact_one_does(bad):
    x = np.zeros((3, 12), dtype=np.float32)
    x[1, 5] = bad
    reader = Reader(G, V, inputs=Inputs("dac", 8), dtype=np.float32)
    with pytest.raises(ValueError, match="from -1 to 1"):
        reader.read(x)
