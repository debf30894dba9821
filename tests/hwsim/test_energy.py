"""A bill is counts times constants: it adds up, grows with work, and hides nothing unknown."""

from dataclasses import MISSING, fields, replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import hwsim
from hwsim.chips.spec import CLASSES, ChipSpec, Constant
from hwsim.counts import Counts, Critical
from hwsim.energy import shortcut

CHIPS = [hwsim.load_chip(name) for name in hwsim.chip_names()]
PRICES = [
    hwsim.load_price_list(f.name[:-5])
    for f in (resources.files("hwsim.chips") / "prices").iterdir()
    if f.name.endswith(".toml")
]
CONSTANTS = [(s.name, n, c) for s in (*CHIPS, *PRICES) for n, c in s.constants().items()]
LOIHI = hwsim.load_chip("loihi1")
ARRAYS = [f.name for f in fields(Counts) if f.default is MISSING]


@st.composite
def counts(draw):
    """Events of some samples on two parts of one core."""
    some = st.integers(0, 10**6)
    arrays = [np.array([draw(some), draw(some)]) for _ in ARRAYS]
    n_samples = draw(st.integers(1, 50))
    return Counts(
        *arrays,
        n_samples=n_samples,
        n_steps=n_samples * draw(st.integers(1, 100)),
        n_inputs=draw(some),
        n_readouts=draw(some),
        n_cores=2,
        n_tiles=1,
        critical=Critical(*(draw(some) for _ in fields(Critical))),
    )


@given(counts())
def test_a_bill_is_the_sum_of_its_terms(c):
    bill = hwsim.price(c, LOIHI)
    energies = [t.value for t in bill.energy_terms if t.value is not None]
    times = [t.value for t in bill.time_terms if t.value is not None]
    assert sum(energies) == pytest.approx(bill.energy_j, rel=1e-9)
    assert sum(times) == pytest.approx(bill.latency_s, rel=1e-9)
    components = bill.component_j()
    assert sum(v or 0.0 for v in components.values()) == pytest.approx(bill.energy_j, rel=1e-9)
    for name, value in components.items():
        own = [t.value for t in bill.energy_terms if t.component == name and t.value is not None]
        assert value is None or value == pytest.approx(sum(own), rel=1e-9)
    assert bill.power_w == pytest.approx(bill.energy_j / bill.latency_s, rel=1e-9)


@given(counts(), counts())
def test_the_bill_of_added_counts_is_the_weighted_mean_of_the_bills(a, b):
    ours, theirs, both = (hwsim.price(c, LOIHI) for c in (a, b, a + b))
    n, m = a.n_samples, b.n_samples
    for what in ("energy_j", "latency_s"):
        mean = (n * getattr(ours, what) + m * getattr(theirs, what)) / (n + m)
        assert getattr(both, what) == pytest.approx(mean, rel=1e-9)


@pytest.mark.parametrize("field", [*ARRAYS, "n_steps", "n_inputs", "n_readouts", "n_cores"])
@given(counts(), st.integers(1, 10**6))
def test_more_of_anything_is_never_cheaper(field, c, more):
    bigger = replace(c, **{field: getattr(c, field) + more})
    before, after = hwsim.price(c, LOIHI), hwsim.price(bigger, LOIHI)
    assert after.energy_j >= before.energy_j
    assert after.latency_s >= before.latency_s


@given(counts(), st.integers(0, 2**31))
def test_bands_contain_the_value(c, seed):
    bill = hwsim.price(c, LOIHI, seed=seed)
    assert bill.energy_band.p10 <= bill.energy_j <= bill.energy_band.p90
    assert bill.latency_band.p10 <= bill.latency_s <= bill.latency_band.p90
    assert bill.energy_band.p10 <= bill.energy_band.median <= bill.energy_band.p90
    for name, value in bill.component_j().items():
        band = bill.components[name]
        assert value is None or band.p10 <= value <= band.p90


@given(counts())
def test_a_bill_is_the_same_for_the_same_seed(c):
    assert hwsim.price(c, LOIHI, seed=3) == hwsim.price(c, LOIHI, seed=3)


@pytest.mark.parametrize(
    "constant", [c for *_, c in CONSTANTS], ids=[f"{spec}:{name}" for spec, name, _ in CONSTANTS]
)
def test_every_shipped_constant_says_where_it_comes_from(constant):
    assert len(constant.source) >= 8
    assert constant.kind in CLASSES
    assert set(CLASSES) == set("MPFDR")
    assert (constant.value is None) == (constant.rel_uncertainty is None)
    assert constant.value is None or constant.value > 0


@pytest.mark.parametrize("chip", CHIPS, ids=lambda c: c.name)
@given(c=counts())
def test_an_unknown_constant_is_listed_and_never_zero(chip, c):
    ones = replace(c, **{f: getattr(c, f) + 1 for f in (*ARRAYS, "n_inputs", "n_readouts")})
    bill = hwsim.price(ones, chip)
    unknown = {n for n, constant in chip.constants().items() if constant.value is None}
    used = {t.constant for t in bill.energy_terms + bill.time_terms}
    assert unknown <= used
    for name in unknown:
        assert any(f"({name})" in line for line in bill.unknown)
    for term in bill.energy_terms + bill.time_terms:
        assert (term.value is None) == (term.constant in unknown)
    lines = bill.as_dict()["energy_terms"]
    assert all(line["value"] is None for line in lines if line["constant"] in unknown)
    whole = {n for n, v in bill.component_j().items() if v is None}
    for name in whole:
        assert all(t.value is None for t in bill.energy_terms if t.component == name)


def test_the_price_of_nothing_is_an_error():
    with pytest.raises(ValueError, match="no samples were counted"):
        hwsim.price(Counts.zero(2), LOIHI)


WHOLE = {"value": 1e-12, "unit": "J", "source": "a paper of 2020", "class": "P"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": None}, "source"),
        ({"source": "paper"}, "at least 8"),
        ({"class": None}, "class"),
        ({"class": "X"}, "class"),
        ({"rel_uncertainty": None}, "needs `rel_uncertainty`"),
        ({"value": None}, "an unknown one has none"),
        ({"value": -1.0}, "greater than or equal to 0"),
        ({"unit": "pJ"}, "unit"),
        ({"sauce": "typo"}, "sauce"),
    ],
)
def test_a_constant_without_its_evidence_is_refused(change, message):
    given_ = WHOLE | {"rel_uncertainty": 0.25} | change
    given_ = {k: v for k, v in given_.items() if v is not None}
    with pytest.raises(ValidationError, match=message):
        Constant.model_validate(given_)
    spec = LOIHI.model_dump(by_alias=True)
    spec["energy"]["sop"] = given_
    with pytest.raises(ValidationError, match=message) as caught:
        ChipSpec.model_validate(spec)
    assert "energy.sop" in str(caught.value)


def test_a_chip_file_that_is_wrong_names_the_field(tmp_path):
    text = (resources.files("hwsim.chips") / "presets" / "loihi1.toml").read_text("utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text)
    assert hwsim.load_chip(path) == LOIHI
    path.write_text(text.replace('class = "P"\nrel_uncertainty = 0.25', 'class = "P"', 1))
    with pytest.raises(ValueError, match=r"energy\.sop: .*rel_uncertainty") as caught:
        hwsim.load_chip(path)
    assert "\n" not in str(caught.value)
    path.write_text(text.replace("columns = 8", "columns = 1"))
    with pytest.raises(ValueError, match="128 cores, but the mesh has 16 places"):
        hwsim.load_chip(path)
    path.write_text("limits = ")
    with pytest.raises(ValueError, match="not valid TOML"):
        hwsim.load_chip(path)
    with pytest.raises(FileNotFoundError, match="no chip file"):
        hwsim.load_chip(tmp_path / "missing.toml")


def test_an_unknown_chip_suggests_the_nearest_name():
    with pytest.raises(ValueError, match="unknown chip 'Loihi': did you mean 'loihi1'"):
        hwsim.load_chip("Loihi")
    with pytest.raises(ValueError, match="there are loihi1"):
        hwsim.load_chip("zzz")
    with pytest.raises(ValueError, match="unknown price list 'tsmc5': there are cmos45"):
        hwsim.load_price_list("tsmc5")


def test_the_shortcut_prices_accumulates_and_macs():
    terms = shortcut(1000, 500, hwsim.load_price_list("cmos45"))
    assert terms["snn_fp32"].value == pytest.approx(1000 * 0.9e-12)
    assert terms["ann_fp32"].value == pytest.approx(500 * 4.6e-12)
    assert terms["ann_int8"].value == pytest.approx(500 * 0.23e-12)
