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

CHIPS = [hwsim.load_chip(name) for name in hwsim.chip_names("neurocore")]
PRICES = [
    hwsim.load_price_list(f.name[:-5])
    for f in (resources.files("hwsim.chips") / "prices").iterdir()
    if f.name.endswith(".toml")
]
CONSTANTS = [(s.name, n, c) for s in (*CHIPS, *PRICES) for n, c in s.constants().items()]
LOIHI = hwsim.load_chip("loihi1")
BY_NAME = {chip.name: chip for chip in CHIPS}
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


@pytest.mark.parametrize("chip", CHIPS, ids=lambda c: c.name)
@given(c=counts())
def test_a_bill_is_the_sum_of_its_terms(chip, c):
    bill = hwsim.price(c, chip)
    energies = [t.value for t in bill.energy_terms if t.value is not None]
    times = [t.value for t in bill.time_terms if t.value is not None]
    assert sum(energies) == pytest.approx(bill.energy_j or 0.0, rel=1e-9)
    assert sum(times) == pytest.approx(bill.latency_s, rel=1e-9)
    components = bill.component_j()
    assert sum(v or 0.0 for v in components.values()) == pytest.approx(sum(energies), rel=1e-9)
    for name, value in components.items():
        own = [t.value for t in bill.energy_terms if t.component == name and t.value is not None]
        assert value is None or value == pytest.approx(sum(own), rel=1e-9)
    if bill.energy_j and bill.latency_s:
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
    room = LOIHI.limits.cores - c.n_cores if field == "n_cores" else more
    bigger = replace(c, **{field: getattr(c, field) + min(more, room)})
    before, after = hwsim.price(c, LOIHI), hwsim.price(bigger, LOIHI)
    assert after.energy_j >= before.energy_j
    assert after.latency_s >= before.latency_s


@pytest.mark.parametrize("chip", CHIPS, ids=lambda c: c.name)
@given(c=counts(), seed=st.integers(0, 2**31))
def test_bands_contain_the_value(chip, c, seed):
    c = replace(c, sops_dense=c.sops_dense + 1)
    bill = hwsim.price(c, chip, seed=seed)
    assert bill.energy_band.p10 <= bill.energy_j <= bill.energy_band.p90
    assert bill.latency_band.p10 <= bill.latency_s <= bill.latency_band.p90
    assert bill.energy_band.p10 <= bill.energy_band.median <= bill.energy_band.p90
    for name, value in bill.component_j().items():
        band = bill.components[name]
        if value is None:
            assert band is None
        else:
            assert band.p10 <= value <= band.p90


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


def busy(c):
    """At least one of every event, on two chips."""
    more = {f: getattr(c, f) + 1 for f in (*ARRAYS, "n_inputs", "n_readouts")}
    critical = Critical(*(getattr(c.critical, f.name) + 1 for f in fields(Critical)))
    return replace(c, **more, critical=critical, n_chips=2)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda c: c.name)
@given(c=counts())
def test_an_unknown_constant_is_listed_and_never_zero(chip, c):
    ones = busy(c)
    bill = hwsim.price(ones, chip)
    of_bill = {n: c for n, c in chip.constants().items() if c.unit != "m2"}  # areas are no events
    unknown = {n for n, constant in of_bill.items() if constant.value is None}
    used = {t.constant for t in bill.energy_terms + bill.time_terms}
    assert unknown <= used
    for name in unknown:
        assert any(f"({name})" in line for line in bill.unknown)
    for term in bill.energy_terms + bill.time_terms:
        assert (term.value is None) == (term.constant in unknown) or term.amount == 0
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
    with pytest.raises(ValueError, match="there are loihi1, loihi1-fitted, loihi2"):
        hwsim.load_chip("zzz")
    with pytest.raises(ValueError, match="unknown price list 'tsmc5': there are cmos45"):
        hwsim.load_price_list("tsmc5")


def test_the_shortcut_prices_accumulates_and_macs():
    terms = shortcut(1000, 500, hwsim.load_price_list("cmos45"))
    assert terms["snn_fp32"].value == pytest.approx(1000 * 0.9e-12)
    assert terms["ann_fp32"].value == pytest.approx(500 * 4.6e-12)
    assert terms["ann_int8"].value == pytest.approx(500 * 0.23e-12)


def changed(chip, **groups):
    """A chip with other entries: `changed(LOIHI, time={"tick": ...}, energy={"spike": None})`."""
    spec = chip.model_dump(by_alias=True)
    for group, entries in groups.items():
        spec[group] = {k: v for k, v in (spec[group] | entries).items() if v is not None}
    return ChipSpec.model_validate(spec)


def known(value, unit):
    return {
        "value": value,
        "unit": unit,
        "source": "made up for a test",
        "class": "R",
        "rel_uncertainty": 0.1,
    }


def unknown(unit):
    return {"unit": unit, "source": "not known, for a test", "class": "R"}


def all_unknown(chip, *groups):
    spec = chip.model_dump(by_alias=True)

    def forget(table):
        if "unit" in table:
            return unknown(table["unit"])
        return {k: forget(v) if isinstance(v, dict) else v for k, v in table.items()}

    return ChipSpec.model_validate(spec | {group: forget(spec[group]) for group in groups})


@given(counts())
def test_where_no_time_is_known_nothing_is_paid_by_the_second(c):
    bill = hwsim.price(busy(c), all_unknown(LOIHI, "time"))
    assert bill.latency_s is None
    assert bill.latency_band is None
    assert bill.power_w is None
    assert bill.component_j()["static"] is None
    assert bill.components["static"] is None
    held = [t for t in bill.energy_terms if t.price.unit == "W"]
    assert {t.component for t in held} == {"static", "host"}
    assert all(t.amount is None and t.value is None for t in held)
    for term in held:
        assert any(f"({term.constant})" in line for line in bill.unknown)
    assert bill.energy_j > 0  # what is paid by the event is still known


@given(counts())
def test_where_no_price_is_known_there_is_no_total(c):
    bill = hwsim.price(busy(c), all_unknown(LOIHI, "energy", "time", "power"))
    assert bill.energy_j is bill.energy_band is bill.latency_s is bill.power_w is None
    assert set(bill.component_j().values()) == {None}
    assert set(bill.components.values()) == {None}


TICK = changed(LOIHI, time={"tick": known(1e-3, "s")})


@given(counts())
def test_a_tick_makes_steps_no_shorter_and_its_rest_is_idle(c):
    free, paced = hwsim.price(c, LOIHI), hwsim.price(c, TICK)
    ticks = c.n_steps / c.n_samples * 1e-3
    assert paced.latency_s == pytest.approx(max(free.latency_s, ticks), rel=1e-9)
    waits = max(0.0, ticks - free.latency_s)
    idle, static = (paced.component_j().get(n) or 0.0 for n in ("idle", "static"))
    core = LOIHI.power.core.value
    assert idle == pytest.approx(c.n_cores * core * waits, rel=1e-6, abs=1e-18)
    assert static == pytest.approx(free.component_j()["static"], rel=1e-9)
    host = LOIHI.power.host.value * paced.latency_s
    assert sum(t.value for t in paced.energy_terms if t.constant == "power.host") == pytest.approx(
        host, rel=1e-9
    )
    band = paced.latency_band
    assert band.p10 <= paced.latency_s <= band.p90


@given(counts())
def test_a_chip_with_only_a_tick_takes_steps_times_tick(c):
    bill = hwsim.price(c, BY_NAME["truenorth"])
    assert bill.latency_s == pytest.approx(c.n_steps / c.n_samples * 1e-3, rel=1e-9)
    assert bill.energy_j in (None, pytest.approx(c.sops.sum() / c.n_samples * 26e-12, rel=1e-9))
    assert "idle" not in bill.components
    drawn = BY_NAME["spinnaker2"]
    held = {t.constant: t.amount for t in hwsim.price(c, drawn).energy_terms}
    assert held["power.core"] == pytest.approx(c.n_cores * bill.latency_s, rel=1e-9)


@pytest.mark.parametrize("tiles", [1, 2, 3, 4, 16, 29, 32])
def test_a_barrier_follows_its_table(tiles):
    table = {1: 0.6e-6, 2: 1.0e-6, 4: 1.4e-6, 29: 1.8e-6}
    c = replace(Counts.zero(1, n_cores=1, n_tiles=tiles), n_samples=1, n_steps=10)
    expected = 10 * np.interp(tiles, list(table), list(table.values()))
    assert hwsim.price(c, BY_NAME["loihi1-fitted"]).latency_s == pytest.approx(expected, rel=1e-9)


@given(counts())
def test_kinds_of_synapses_and_spikes_have_their_own_prices(c):
    bill = hwsim.price(c, BY_NAME["loihi1-fitted"])
    sops = (c.sops_dense, c.sops_sparse, c.sops_conv)
    energy = sum(n.sum() * e for n, e in zip(sops, (35.5e-12, 33.6e-12, 24e-12), strict=True))
    assert bill.component_j()["synapses"] == pytest.approx(energy / c.n_samples, rel=1e-9)
    fired = (c.spikes.sum() - c.n_inputs) * 69.3e-12
    updates = c.updates_active.sum() * 72.8e-12 + c.updates_inactive.sum() * 51.2e-12
    neurons = (fired + updates) / c.n_samples
    assert bill.component_j()["neurons"] == pytest.approx(neurons, rel=1e-9, abs=1e-18)


@given(counts(), st.sampled_from(["hop_chip", "packet_in", "spike"]))
def test_one_more_constant_leaves_the_draws_of_the_others(c, name):
    more = changed(LOIHI, energy={name: known(1e-9, "J")})
    before, after = hwsim.price(c, LOIHI), hwsim.price(c, more)
    for component in ("synapses", "reset", "static"):
        assert before.components[component] == after.components[component]


def test_nothing_is_free_because_it_was_forgotten():
    for name in ("update_active", "packet", "hop_ew", "barrier"):
        with pytest.raises(ValueError, match=f"`{name}` has no entry"):
            changed(LOIHI, energy={name: None})
    with pytest.raises(ValueError, match=r"`power\.core` has no entry"):
        changed(LOIHI, power={"core": None})
    with pytest.raises(ValueError, match="`packet` has a price and is listed"):
        changed(LOIHI, energy={"in_sop": ["packet"]})
    with pytest.raises(ValueError, match="no entry for sop, hop_ns"):
        changed(LOIHI, time={"sop": None, "hop_ns": None})
    with pytest.raises(ValueError, match=r"no entry for sop: .*a `tick` and no times"):
        changed(TICK, time={"sop": None})


def test_each_chip_is_as_published():
    """The figures of the papers, by hand: a slip in a file is a wrong bill."""
    values = {n: {k: c.value for k, c in chip.constants().items()} for n, chip in BY_NAME.items()}
    published = {
        "loihi1": {
            "energy.sop": 23.6e-12,
            "energy.update_active": 81e-12,
            "energy.update_inactive": 52e-12,
            "energy.packet": 1.7e-12,
            "energy.hop_ew": 3e-12,
            "energy.hop_ns": 4e-12,
            "time.sop": 3.5e-9,
            "time.barrier.1": 113e-9,
            "time.barrier.32": 465e-9,
            "power.core": 0.104 / 128,
        },
        "loihi1-fitted": {
            "energy.sop": 35.5e-12,
            "energy.update_active": (51.2 + 21.6) * 1e-12,
            "energy.update_inactive": 51.2e-12,
            "energy.spike": 69.3e-12,
            "energy.packet": 111e-12,
            "energy.hop_ns": 4.2e-12,
            "time.packet_in": 16e-9,
            "time.update_active": (6 + 3.7) * 1e-9,
        },
        "loihi2": {
            "energy.sop": 23.6e-12 * (31 / 60) ** 0.5,
            "energy.update_active": 81e-12 * (31 / 60) ** 0.5,
            "time.sop": 3.5e-9,
        },
        "truenorth": {"energy.sop": 26e-12, "time.tick": 1e-3},
        "spinnaker2": {"energy.sop": 450e-12, "energy.update_active": 2.19e-9},
    }
    assert set(published) == set(BY_NAME)
    for name, figures in published.items():
        for constant, value in figures.items():
            assert values[name][constant] == pytest.approx(value, rel=3e-3), (name, constant)


def test_what_is_derived_says_how():
    for spec, name, constant in CONSTANTS:
        if constant.kind == "D" and constant.value is not None:
            assert "derived from" in constant.source, (spec, name)
            assert len(constant.note) > 20, (spec, name)
    assert {c.kind for c in BY_NAME["loihi2"].constants().values()} == {"D"}


def test_chips_with_another_arithmetic_say_so():
    for name in ("truenorth", "spinnaker2"):
        assert "this simulator's integer arithmetic" in " ".join(BY_NAME[name].notes)


def test_the_template_is_a_chip_once_it_is_copied(tmp_path):
    path = tmp_path / "mine.toml"
    made = hwsim.copy_chip("template", path)
    assert made == hwsim.load_chip(path)
    assert made.name == "mine"
    same = {"name", "title", "notes", "limits", "mesh"}
    assert made.model_dump(exclude=same)["energy"]["sop"]["value"] == LOIHI.energy.sop.value
    with pytest.raises(FileExistsError, match="is kept"):
        hwsim.copy_chip("template", path)
    assert hwsim.load_chip(path) == made
    with pytest.raises(ValueError, match=r"must end in `\.toml`"):
        hwsim.copy_chip("template", tmp_path / "mine.txt")
    with pytest.raises(ValueError, match="name"):
        hwsim.copy_chip("loihi1", tmp_path / "-x y.toml")
    with pytest.raises(ValueError, match="neuro chips copy template"):
        hwsim.load_chip("template")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.toml"]


def test_the_template_explains_every_key():
    """Each key of the specification stands in the template, set or as a comment."""
    text = (resources.files("hwsim.chips") / "template.toml").read_text("utf-8")
    models = [ChipSpec, *(f.annotation for f in ChipSpec.model_fields.values())]
    keys = {k for m in models if hasattr(m, "model_fields") for k in m.model_fields}
    for key in (keys | set(Constant.model_fields)) - {"kind"}:
        assert key in text, key
    for line in text.splitlines():
        name, is_key, rest = line.partition(" = ")
        bare = is_key and not line.startswith("#") and name not in set(WHOLE) | {
            "rel_uncertainty", "title",
        }  # fmt: skip
        assert not bare or " # " in rest, line


@pytest.mark.parametrize("name", hwsim.chip_names("neurocore"))
def test_a_shipped_chip_can_be_copied_under_another_name(tmp_path, name):
    made = hwsim.copy_chip(name, tmp_path / "other.toml")
    assert made.name == "other"
    rest = {"name"}
    assert made.model_dump(exclude=rest) == BY_NAME[name].model_dump(exclude=rest)
