"""Devices of crossbars: drawn as published, ageing as published, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hwsim.crossbar import Cells, cells_from_csv, copy_device, device_names, load_device
from tests.strategies import rngs

N = 100_000
DAY_S = 86_400.0
LAW = {"source": "for a test", "class": "R", "rel_uncertainty": 0.0}


def rng(seed=0):
    return np.random.default_rng(seed)


# The published laws once more, in microsiemens, independently of hwsim's own files.


def wan_sd(g, days):
    low_first = {
        0: (0.348, 16.030, -43.853, 45.393, -16.815),
        1: (0.701, 22.086, -50.773, 47.095, -16.458),
        2: (0.782, 20.274, -43.507, 37.062, -11.934),
    }
    return sum(c * (g / 40) ** i for i, c in enumerate(low_first[days]))


def pcm_sd(g):
    return 0.26348 + 1.9650 * (g / 25) - 1.1731 * (g / 25) ** 2


def milo_sd(g):
    return 4.782 - 0.009107 * g


def cmo_sd(g):
    return 0.00081107 + 0.00106879 * g


PROGRAMMED = {  # device: (levels, sd just after programming)
    "rram-wan2022": ((6, 12, 20, 30, 40), lambda g: wan_sd(g, 0)),
    "rram-milo": ((50, 90, 130, 180, 225), milo_sd),
    "pcm": ((4, 8, 13, 19, 25), pcm_sd),
    "reram-cmo": ((9, 30, 50, 70, 88), cmo_sd),
}


@pytest.mark.parametrize(
    ("name", "level"), [(n, g) for n, (levels, _) in PROGRAMMED.items() for g in levels]
)
def test_programmed_cells_have_the_published_mean_and_spread(name, level):
    cells = load_device(name).program(np.full(N, level * 1e-6), rng(int(level)))
    g = cells.programmed() * 1e6
    assert g.mean() == pytest.approx(level, rel=0.02)
    assert g.std() == pytest.approx(PROGRAMMED[name][1](level), rel=0.02)


@pytest.mark.parametrize("days", [0, 1, 2])
def test_wan_has_the_published_spread_at_the_published_times(days):
    """Equal to it to rounding, for every cell: its deviation over sd is the same number always."""
    level = np.linspace(8, 40, 5)[:, None].repeat(2000, 1)
    cells = load_device("rram-wan2022").program(level * 1e-6, rng(3))
    z = (cells.at(1.0) * 1e6 - level) / wan_sd(level, 0)
    assert (abs(z) < 4.5).all()
    assert stats.kstest(z.ravel(), "norm").pvalue > 0.01
    wanted = np.maximum(level + wan_sd(level, days) * z, 0)
    aged = cells.at(max(days * DAY_S, 1.0)) * 1e6
    assert np.allclose(aged, wanted, rtol=1e-9, atol=1e-9)
    assert np.array_equal(cells.at(0), cells.at(1.0)), "0 is the first published time"


def test_between_published_times_the_spread_is_linear_in_the_logarithm_of_time():
    level = np.full(1000, 20.0)
    cells = load_device("rram-wan2022").program(level * 1e-6, rng(4))
    middle_s = np.sqrt(DAY_S * 2 * DAY_S)
    average = (cells.at(DAY_S) + cells.at(2 * DAY_S)) / 2
    assert np.allclose(cells.at(middle_s), average, rtol=1e-12, atol=0)


@pytest.mark.parametrize("time_s", [0.5, 1e6, 3e7])
def test_outside_of_published_times_nothing_is_said(time_s):
    cells = load_device("rram-wan2022").program([1e-5], rng())
    with pytest.raises(ValueError, match=r"only at 0 and 1 to 172800 s"):
        cells.at(time_s)
    with pytest.raises(ValueError, match="only at 0: ask"):
        load_device("rram-milo").program([1e-4], rng()).at(time_s)


def pcm_twin(level, time_s, n, rng):
    """What [Nandakumar2019] and aihwkit do to n cells, one formula a line; microsiemens."""
    x = level / 25
    g = np.maximum(level + pcm_sd(level) * rng.standard_normal(n), 0)
    mean = np.clip(-0.0155 * np.log(x) + 0.0244, 0.049, 0.1)
    sd = np.clip(-0.0125 * np.log(x) - 0.0059, 0.008, 0.045)
    nu = abs(mean + sd * rng.standard_normal(n))
    t = time_s + 20
    drifted = g * (t / 20) ** -nu
    q = np.minimum(0.0088 / np.maximum(g / 25, 1e-9) ** 0.65, 0.2)
    noise = drifted * q * np.sqrt(np.log((t + 250e-9) / (2 * 250e-9)))
    return np.maximum(drifted + noise * rng.standard_normal(n), 0)


@pytest.mark.parametrize("level", [0.1, 4, 8, 13, 19, 25])
def test_phase_change_cells_drift_as_published(level):
    cells = load_device("pcm").program(np.full(N, level * 1e-6), rng(int(level)))
    for time_s in (0.0, DAY_S, 3e7):
        ours, twin = cells.at(time_s) * 1e6, pcm_twin(level, time_s, N, rng(int(level) + 100))
        assert ours.mean() == pytest.approx(twin.mean(), rel=0.02)
        assert ours.std() == pytest.approx(twin.std(), rel=0.02)


@pytest.mark.parametrize("level", [20, 30, 50, 60, 80])
def test_cmo_cells_relax_as_published(level):
    cells = load_device("reram-cmo").program(np.full(N, level * 1e-6), rng(int(level)))
    for time_s in (1.0, 3600.0, 1e6):
        g, log = cells.at(time_s) * 1e6, np.log(time_s)
        mean = level - 0.08900206 * log
        flicker = 0.0277316483 * np.log10(mean) * np.sqrt(np.log((time_s + 1e-6) / 2e-6))
        sd = np.sqrt(cmo_sd(level) ** 2 + (0.04201137 * log + 0.41183342) ** 2 + flicker**2)
        assert g.mean() == pytest.approx(mean, rel=0.02)
        assert g.std() == pytest.approx(sd, rel=0.02)


def test_formed_conductances_are_log_normal_with_the_published_moments():
    cells = load_device("taox-40nm").form((N,), rng(5), breakdown_volt=4.5)
    g = cells.at() * 1e6
    assert g.mean() == pytest.approx(12.31, rel=0.02)
    assert g.std() == pytest.approx(1.80, rel=0.02)
    sd = np.sqrt(np.log(1 + (1.80 / 12.31) ** 2))
    law = stats.lognorm(sd, scale=12.31 / np.sqrt(1 + (1.80 / 12.31) ** 2))
    assert stats.kstest(g, law.cdf).pvalue > 0.01
    assert stats.kstest(g, stats.norm(12.31, 1.80).cdf).pvalue < 1e-6


@pytest.mark.parametrize("volt", [3.2, 3.35, 3.433, 3.5, 3.7])
def test_the_voltage_sets_how_many_cells_break_down(volt):
    cells = load_device("taox-40nm").form((N,), rng(6), breakdown_volt=volt)
    broken = stats.norm(3.433, 0.114).cdf(volt)
    error = np.sqrt(broken * (1 - broken) / N)
    assert abs((cells.at() > 1e-6).mean() - broken) < 4 * error


def test_the_default_voltage_leaves_as_many_cells_pristine_as_were_measured():
    g = load_device("taox-40nm").form((N,), rng(7)).at()
    assert (g == 0.1e-6).mean() == pytest.approx(0.505, abs=0.006)


def test_a_higher_voltage_breaks_the_same_cells_and_more():
    device = load_device("taox-40nm")
    low, high = (device.form((40, 40), rng(1), volt).at() > 1e-6 for volt in (3.4, 3.5))
    assert (high | ~low).all()
    assert high.sum() > low.sum()


def test_read_noise_is_a_share_of_the_conductance_or_as_the_law_says():
    taox = load_device("taox-40nm").measured([[2e-6, 1e-5]], rng())
    assert taox.read_sd() == pytest.approx(np.array([[0.04e-6, 0.2e-6]]))
    wan = load_device("rram-wan2022").measured([0.0, 4e-5], rng())
    assert wan.read_sd() == pytest.approx(0.4e-6)
    pcm = load_device("pcm").program(np.full(10, 1e-5), rng())
    assert pcm.read_sd(60) == pytest.approx(0.0175 * np.sqrt(25e-6 * pcm.at(60)))
    assert not load_device("rram-milo").program([1e-4], rng()).read_sd().any()


def test_assumed_retention_is_one_per_cent_a_decade_and_grows_with_every_decade():
    cells = load_device("taox-40nm").spread(0.0).program(np.full(N, 1e-5), rng(2))
    assert np.array_equal(cells.at(1.0), cells.at(0)), "its spread starts after a second"
    for decades in (1, 4, 8):
        g = cells.at(10.0**decades)
        assert g.mean() == pytest.approx(1e-5, rel=0.02)
        assert g.std() == pytest.approx(1e-7 * decades, rel=0.02)


def test_relaxation_adds_shares_to_siemens():
    shares = {"mean_per_ln_relative": -0.01, "sd_relative": 0.02, "sd_per_ln_relative": 0.003}
    numbers = {"mean_per_ln_siemens": 1e-7, "sd_siemens": 2e-7, "sd_per_ln_siemens": 3e-8}
    law = LAW | {"first_s": 10.0, "last_s": 1e4} | shares | numbers
    device = load_device("ideal").with_(relaxation=law)
    cells = device.program(np.full(N, 5e-5), rng(2))
    log = np.log(1000.0 / 10.0)
    g = cells.at(1000.0)
    assert g.mean() == pytest.approx(5e-5 + (1e-7 - 0.01 * 5e-5) * log, rel=1e-3)
    sd = 2e-7 + 0.02 * 5e-5 + (3e-8 + 0.003 * 5e-5) * log
    assert g.std() == pytest.approx(sd, rel=0.02)
    for time_s in (5.0, 2e4):
        with pytest.raises(ValueError, match=r"only at 0 and 10 to 10000 s"):
            cells.at(time_s)


@pytest.mark.parametrize("name", ["pcm", "rram-wan2022", "rram-milo", "reram-cmo", "taox-40nm"])
def test_another_window_leaves_the_laws_as_they_are(name):
    device = load_device(name)
    narrow = device.with_(g_max_siemens=device.g_max_siemens * 0.8)
    wanted = np.full(50, device.g_max_siemens * 0.7)
    one, two = (d.program(wanted, rng(3)) for d in (device, narrow))
    time_s = 0.0 if name == "rram-milo" else DAY_S
    assert np.array_equal(one.at(time_s), two.at(time_s))
    assert np.allclose(one.read_sd(time_s), two.read_sd(time_s), rtol=1e-12, atol=0)


names = st.sampled_from(device_names())


@given(names, st.integers(0, 2**32), st.sampled_from([(), (3,), (0, 4), (5, 7)]))
def test_the_same_seed_is_the_same_chip(name, seed, shape):
    device = load_device(name)
    wanted = np.full(shape, device.g_max_siemens * 0.6)
    one, two = (device.program(wanted, rng(seed)) for _ in range(2))
    assert one.at().shape == shape
    assert np.array_equal(one.at(), two.at())
    assert np.array_equal(one.at(), one.at()), "asking twice changes nothing"
    if wanted.size and device.programming:
        other = device.program(wanted, rng(seed + 1))
        assert not np.array_equal(one.at(), other.at())


@given(names, rngs())
def test_no_conductance_is_ever_below_0_and_those_cut_are_counted(name, generator):
    device = load_device(name)
    wanted = generator.uniform(device.g_min_siemens, device.g_max_siemens, 300)
    for cells in (device.program(wanted, generator), device.spread(1.0).program(wanted, generator)):
        g = cells.at()
        assert (g >= 0).all()
        assert cells.n_clipped() == ((g == 0) & (cells.g_wanted > 0)).sum()
    assert cells.n_clipped() > 0


def test_half_of_the_cells_at_zero_are_cut_and_the_mean_is_that_of_a_half_normal():
    cells = load_device("pcm").program(np.zeros(N), rng(8))
    assert (cells.programmed() == 0).mean() == pytest.approx(0.5, abs=0.01)
    assert cells.programmed().mean() == pytest.approx(0.26348e-6 / np.sqrt(2 * np.pi), rel=0.02)


@given(st.floats(0, 0.2))
def test_a_spread_is_that_share_of_the_window(fraction):
    device = load_device("taox-40nm").spread(fraction)
    g = device.program(np.full(20_000, 1.1e-5), rng(9)).at()
    assert g.std() == pytest.approx(fraction * 20e-6, rel=0.02)
    assert device.assumed.count("programming") == 1


def test_cells_are_taken_to_the_nearest_level():
    device = load_device("ideal")
    even = device.with_(levels=5).program([0, 12e-6, 13e-6, 100e-6], rng()).at()
    assert even == pytest.approx(np.array([0, 0, 25e-6, 100e-6]))
    given_ = device.with_(levels=(1e-6, 3e-6, 9e-6)).program([0, 2.5e-6, 5e-6, 7e-6], rng()).at()
    assert given_ == pytest.approx(np.array([1e-6, 3e-6, 3e-6, 9e-6]))


def test_stuck_cells_stay_where_they_are_and_others_do_not_notice():
    device = load_device("rram-wan2022")
    faults = LAW | {
        "stuck_low": 0.02,
        "stuck_high": 0.01,
        "g_low_siemens": 1e-7,
        "g_high_siemens": 5e-5,
    }
    sick = device.with_(faults=faults)
    wanted = np.full(N, 2e-5)
    g, healthy = sick.program(wanted, rng(1)), device.program(wanted, rng(1))
    low, high = (g.at() == 1e-7), (g.at() == 5e-5)
    assert low.mean() == pytest.approx(0.02, rel=0.1)
    assert high.mean() == pytest.approx(0.01, rel=0.1)
    alive = ~low & ~high
    assert np.array_equal(g.at()[alive], healthy.at()[alive])
    again = g.reprogram(wanted / 2, rng(2)).at(DAY_S)
    assert np.array_equal(again == 1e-7, low), "they are stuck for life"


def test_what_a_device_is_stays_and_what_a_programming_draws_is_new():
    gain = LAW | {"sd_relative": 0.05}
    device = load_device("rram-milo").with_(device_to_device=gain)
    wanted = np.full(N, 150e-6)
    one = device.program(wanted, rng(1))
    two = one.reprogram(wanted, rng(2))
    a, b = (cells.at() * 1e6 for cells in (one, two))
    both = np.cov(a, b)
    assert both[0, 1] == pytest.approx((0.05 * 150) ** 2, rel=0.02), "shared: the device"
    cycle = milo_sd(150) ** 2 * (1 + 0.05**2)
    assert both[0, 0] == pytest.approx((0.05 * 150) ** 2 + cycle, rel=0.02)
    nu = load_device("pcm").program(np.full(10, 1e-5), rng(1))
    assert np.array_equal(nu.reprogram(nu.g_wanted, rng(2)).fixed.nu, nu.fixed.nu)


def test_a_warmer_cell_ages_faster_where_an_activation_energy_is_known():
    law = LAW | {"energy_ev": 0.5, "reference_k": 300.0}
    device = load_device("pcm").with_(temperature_k=300.0, activation=law)
    cells = device.program(np.full(100, 1e-5), rng())
    faster = np.exp(0.5 / 8.617333262e-5 * (1 / 300 - 1 / 350))
    assert np.allclose(cells.at(60.0, 350.0), cells.at(60.0 * faster), rtol=1e-12, atol=0)
    assert np.array_equal(cells.at(60.0, 300.0), cells.at(60.0))
    known = load_device("pcm").with_(temperature_k=300.0).program([1e-5], rng())
    assert known.at(60.0, 300.0) == known.at(60.0)
    with pytest.raises(ValueError, match=r"at 350 K is not known, .*\(300 K\)"):
        known.at(60.0, 350.0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1e-5, np.nan], r"is nan S at \(1,\) \(1 of 2 are outside\): taox-40nm takes 1e-07"),
        ([[1e-5], [3e-5]], r"is 3e-05 S at \(1, 0\)"),
        (-1e-6, "is -1e-06 S"),
        ([np.inf], "is inf S"),
        ([[1e-5], [1e-5, 1e-5]], "rows differ in length"),
        (["much"], "must be real numbers"),
        ([1e-5 + 1j], "must be real numbers"),
        (None, "is None, must be real"),
    ],
)
def test_what_is_no_conductance_of_the_window_is_one_clear_line(values, message):
    with pytest.raises(ValueError, match=message) as error:
        load_device("taox-40nm").program(values, rng())
    assert "\n" not in str(error.value)


def test_sums_that_end_at_the_edge_of_the_window_are_in_it():
    device = load_device("pcm")
    edge = np.nextafter(device.g_max_siemens, 1)
    assert device.program([edge], rng()).g_wanted == device.g_max_siemens


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"g_min_siemens": 1e-3}, "`g_min_siemens < g_max_siemens` must hold"),
        ({"levels": 1}, "a cell needs 2 or more"),
        ({"levels": (2e-6, 1e-6)}, "must be conductances that rise"),
        ({"levels": (0.0, 1.0)}, "leave the window: pcm takes 0 to 2.5e-05 S"),
        ({"colour": "red"}, "colour: Extra inputs"),
        ({"g_max_siemens": np.inf}, "finite"),
        ({"programming": LAW | {"sd_siemens": [[-1e-6]]}}, "no spread is below 0"),
        ({"programming": LAW | {"sd_siemens": [[0.0]], "times_s": [1, 2]}}, "1 polynomials for 2"),
        ({"programming": LAW | {"sd_siemens": [[0], [0]], "times_s": [2, 1]}}, "must rise"),
        ({"read": LAW}, "one of both"),
        ({"activation": LAW | {"energy_ev": 1, "reference_k": 300}}, "must be `temperature_k`"),
        ({"relaxation": LAW | {"first_s": 5, "last_s": 1}}, "`last_s` 1 is before"),
        (
            {
                "faults": LAW
                | {"stuck_low": 0.6, "stuck_high": 0.6, "g_low_siemens": 0, "g_high_siemens": 1}
            },
            "are more than 1",
        ),
    ],
)
def test_a_device_that_cannot_be_is_one_clear_line(changes, message):
    with pytest.raises(ValueError, match=message) as error:
        load_device("pcm").with_(**changes)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.at(-1), "must be seconds, 0 or more"),
        (lambda c: c.at(np.nan), "must be seconds"),
        (lambda c: c.at("1h"), "time_s is '1h', must be seconds"),
        (lambda c: c.at(0, 350.0), r"at 350 K is not known, .*\(not published\)"),
        (lambda c: c.at(0, -1.0), "must be kelvins above 0"),
        (lambda c: c.reprogram([1e-6], rng()), r"of shape \(1,\) for cells of \(2,\)"),
        (lambda c: c.device.form((2,), rng()), "how pcm is formed is not known"),
        (lambda c: c.device.program([1e-6], 7), r"rng is 7, no Generator: give np\.random"),
        (lambda c: c.device.spread(1.5), "is no fraction of g_max"),
        (lambda c: load_device("taox-40nm").form((2,), rng(), -1.0), "must be a voltage above 0"),
        (lambda c: load_device("rram-wan2022").measured([1e-5], rng()).at(60), "ages is not known"),
    ],
)
def test_what_cannot_be_answered_is_one_clear_line(ask, message):
    cells = load_device("pcm").program([1e-6, 2e-6], rng())
    with pytest.raises(ValueError, match=message) as error:
        ask(cells)
    assert "\n" not in str(error.value)


def test_every_shipped_device_programs_and_says_what_is_assumed():
    assert {"ideal", "taox-40nm", "rram-wan2022", "rram-milo", "pcm", "reram-cmo"} == set(
        device_names()
    )
    for name in device_names():
        device = load_device(name)
        assert device.name == name
        cells = device.program(np.full((4, 4), device.g_max_siemens), rng())
        assert isinstance(cells, Cells)
    assert load_device("taox-40nm").assumed == ("programming", "relaxation")
    assert "ageing" in load_device("rram-milo").unknown
    assert "ageing" not in load_device("ideal").unknown


def test_a_device_is_copied_changed_and_read_back(tmp_path):
    mine = copy_device("template", tmp_path / "mine.toml")
    assert mine.name == "mine"
    assert mine == load_device(tmp_path / "mine.toml")
    assert not mine.unknown, "the template shows every law"
    cells = mine.program(np.linspace(1e-6, 50e-6, 16), rng())
    assert cells.at(3600, 330).shape == (16,)
    assert mine.form((3, 3), rng()).at().shape == (3, 3)
    with pytest.raises(FileExistsError, match="exists and is kept"):
        copy_device("pcm", tmp_path / "mine.toml")
    with pytest.raises(ValueError, match="did you mean 'rram-milo'"):
        load_device("rram_milo")
    with pytest.raises(ValueError, match="the template is no device yet"):
        load_device("template")
    with pytest.raises(FileNotFoundError, match="no device file"):
        load_device(tmp_path / "no.toml")


def test_measured_conductances_are_read_from_a_table(tmp_path):
    table = tmp_path / "g.csv"
    table.write_text("# a wafer\n# unit: uS\n1.5, 2\n\n3,12.25\n", encoding="utf-8")
    device = load_device("taox-40nm")
    cells = cells_from_csv(table, device, rng())
    assert cells.at() == pytest.approx(np.array([[1.5e-6, 2e-6], [3e-6, 12.25e-6]]), rel=1e-15)
    assert not np.array_equal(cells.at(3600), cells.at()), "it ages by the device's laws"
    table.write_text("1e-6,2e-6\n", encoding="utf-8-sig")
    assert cells_from_csv(table, device, rng(), unit="S").at() == pytest.approx(
        np.array([[1e-6, 2e-6]])
    )


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("1,2\n", None, "does not say its unit"),
        ("# unit: kS\n1\n", None, "the unit is 'kS', must be one of S, mS"),
        ("# unit: uS\n1\n", "nS", "is in uS, but nS is asked for"),
        ("# unit: uS\n", None, "has no conductances"),
        ("1,2\n3\n", "uS", "row 2 has 1 conductances, the first 2"),
        ("1,2\n3,x\n", "uS", "line 2, column 2: 'x' is no number"),
        ("1,,2\n", "uS", "line 1, column 2: '' is no number"),
        ("1,nan\n", "uS", r"a conductance is nan S at \(0, 1\)"),
        ("1,-2\n", "uS", r"a conductance is -2e-06 S at \(0, 1\)"),
        ("1,99\n", "uS", "taox-40nm takes 1e-07 to 2e-05 S"),
    ],
)
def test_a_table_that_is_none_is_one_clear_line(tmp_path, text, unit, message):
    table = tmp_path / "g.csv"
    table.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message) as error:
        cells_from_csv(table, load_device("taox-40nm"), rng(), unit=unit)
    assert "\n" not in str(error.value)
