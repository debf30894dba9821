"""Chips of crossbars as files, and their bill: it adds up, and hides nothing unknown."""

from dataclasses import fields, replace
from importlib import resources

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
from hwsim.chips.files import load_neurocores
from hwsim.chips.spec import CLASSES, Constant
from hwsim.crossbar.area import area
from hwsim.crossbar.counts import CrossbarCounts
from hwsim.crossbar.energy import programming
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.gated import solve_gated
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import compile_crossbar
from hwsim.crossbar.scaling import with_adc_bits
from hwsim.crossbar.spec import CrossbarChip
from hwsim.crossbar.wires import solve_array
from tests.crossbar_chips import EXACT, IDEAL, layered, spikes
from tests.crossbar_chips import chip_with as chip_of

CHIPS = [hwsim.load_chip(name) for name in hwsim.chip_names("crossbar")]
CONSTANTS = [(c.name, name, constant) for c in CHIPS for name, constant in c.constants().items()]
RRAM = hwsim.load_chip("rram-40nm")
UNITS = {"energy": "J", "time": "s", "power": "W", "area": "m2", "writing": "1"}


def test_chips_of_both_families_are_listed_and_loaded():
    names = hwsim.chip_names()
    assert set(names) == {*hwsim.chip_names("neurocore"), *hwsim.chip_names("crossbar")}
    assert "loihi1" in hwsim.chip_names("neurocore")
    assert "rram-40nm" in hwsim.chip_names("crossbar")
    for name in names:
        chip = hwsim.load_chip(name)
        assert isinstance(chip, CrossbarChip) == (name in hwsim.chip_names("crossbar"))
        assert chip.name == name


@pytest.mark.parametrize(
    ("group", "constant"),
    [(name.partition(".")[0], c) for _, name, c in CONSTANTS],
    ids=[f"{chip}:{name}" for chip, name, _ in CONSTANTS],
)
def test_every_constant_of_a_crossbar_says_where_it_comes_from(group, constant):
    assert constant.unit == UNITS[group]
    assert constant.kind in CLASSES
    assert (constant.value is None) == (constant.rel_uncertainty is None)
    assert constant.value is None or constant.value > 0
    assert constant.kind != "D" or len(constant.source + constant.note) > 30


def test_a_chip_of_the_wrong_family_is_refused_in_one_line():
    refused = r"rram-40nm is a chip of crossbars, .* hwsim.chip_names\('neurocore'\)"
    neuron = hwsim.FixedNeuron.of(v_th=60)
    populations = (hwsim.Population("in", (3,)), hwsim.Population("out", (2,), neuron))
    weights = hwsim.Dense.of([[2, 4, 6]] * 2)
    joined = hwsim.Projection.of("in", "out", weights, word=hwsim.WeightWord())
    net = hwsim.Network(populations, (joined,))
    for act in (
        lambda: load_neurocores("rram-40nm"),
        lambda: hwsim.compile(net, RRAM),
        lambda: hwsim.fits(net, RRAM),
    ):
        with pytest.raises(ValueError, match=refused) as error:
            act()
        assert "\n" not in str(error.value)


def test_the_template_of_crossbars_is_a_chip_once_it_is_copied(tmp_path):
    path = tmp_path / "mine.toml"
    made = hwsim.copy_chip("template-crossbar", path)
    assert isinstance(made, CrossbarChip)
    assert made == hwsim.load_chip(path)
    assert made.name == "mine"
    values = {name: c.value for name, c in made.constants().items()}
    assert values == {name: c.value for name, c in RRAM.constants().items()}
    assert made.array.model_dump(exclude={"source"}) == RRAM.array.model_dump(exclude={"source"})
    with pytest.raises(ValueError, match="neuro chips copy template-crossbar"):
        hwsim.load_chip("template-crossbar")
    same = hwsim.copy_chip("rram-40nm", tmp_path / "other.toml")
    assert same.model_dump(exclude={"name"}) == RRAM.model_dump(exclude={"name"})


def test_the_template_of_crossbars_explains_every_key():
    text = (resources.files("hwsim.chips") / "template-crossbar.toml").read_text("utf-8")
    parts = [f.annotation for f in CrossbarChip.model_fields.values()]
    models = [CrossbarChip, *(m for m in parts if hasattr(m, "model_fields"))]
    keys = {k for m in models for k in m.model_fields} | set(Constant.model_fields)
    for key in keys - {"kind"}:
        assert key in text, key
    head = text[: text.index("# ---- joules")]
    for line in head.splitlines():
        assert "#" in line or " = " not in line or line.startswith("title"), line


BROKEN = {
    "columns_per_adc = 8": ("columns_per_adc = 0", "output.columns_per_adc: .*, got 0"),
    "bits = 8": ("bits = 0", "output.bits"),
    "r_word_ohm = 0.43": ("r_word_ohm = -0.43", "array.r_word_ohm"),
    "r_bit_ohm = 1.29": ("r_bit_ohm = nan", "array.r_bit_ohm"),
    "v_read_volt = 0.2": ("v_read_volt = 0", "array.v_read_volt"),
    "rows = 512": ("rows = 0", "array.rows"),
    "columns = 512": ("columns = 1", "hold no weight"),
    'family = "crossbar"': ('family = "memristor"', "'memristor' is not known"),
    "count = 64": ("count = 1.5", "array.count"),
    "[writing.pulses_per_cell]\nvalue = 9.7": (
        "[writing.pulses_per_cell]\nvalue = true",
        "`value` is true, which",
    ),
    "value = 9.7": ("value = -1", "writing.pulses_per_cell"),
    'unit = "1"\nsource = "not': ('unit = "s"\nsource = "not', "endurance_cycles` is in 's'"),
}


@pytest.mark.parametrize("right", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, right):
    wrong, said = BROKEN[right]
    path = tmp_path / "mine.toml"
    hwsim.copy_chip("rram-40nm", path)
    text = path.read_text("utf-8")
    assert text.count(f"\n{right}") == 1
    path.write_text(text.replace(f"\n{right}", f"\n{wrong}"), "utf-8")
    with pytest.raises(ValueError, match=f"mine.toml is not valid: .*{said}") as error:
        hwsim.load_chip(path)
    assert "\n" not in str(error.value)


OF_BLOCKS = [f.name for f in fields(CrossbarCounts)][:10]
OF_LAYERS = ("updates", "spikes", "bits_buffered", "host_macs")
ONCE = ("n_inputs", "n_readouts")
SENSING = {"output": {"kind": "sense"}}


def chip_with(**changes):
    """rram-40nm with some fields changed."""
    plain = RRAM.model_dump(by_alias=True)
    for name, value in changes.items():
        plain[name] = plain[name] | value if isinstance(value, dict) else value
    return CrossbarChip.model_validate(plain)


def without(chip, *names):
    """A chip of which some constants are not known."""
    plain = chip.model_dump(by_alias=True)
    for name in names:
        group, _, field = name.partition(".")
        plain[group][field] |= {"value": None, "rel_uncertainty": None}
    return CrossbarChip.model_validate(plain)


def made(layer=(0, 0, 1), n_samples=2, n_steps=20, depth=2, **given):
    """Counts of three blocks in two layers; what is not given is 0."""
    arrays = {n: np.zeros(len(layer), np.int64) for n in OF_BLOCKS}
    arrays |= {n: np.zeros(max(layer) + 1, np.int64) for n in OF_LAYERS}
    arrays |= {n: np.asarray(v) for n, v in given.items() if n not in ONCE}
    more = {n: given.get(n, 0) for n in ONCE}
    kept = {"n_arrays": len(layer), "n_cells": 1000, "depth": depth}
    return CrossbarCounts(
        **arrays, layer=np.array(layer), n_samples=n_samples, n_steps=n_steps, **more, **kept
    )


@st.composite
def crossbar_counts(draw, least=0):
    """Events of some samples on three arrays, of a chip with converters."""
    some = st.integers(least, 10**6)
    blocks = {n: [draw(some) for _ in range(3)] for n in OF_BLOCKS if n != "senses"}
    layers = {n: [draw(some) for _ in range(2)] for n in OF_LAYERS}
    once = {n: draw(some) for n in ONCE}
    n_samples = draw(st.integers(1, 20))
    return made(n_samples=n_samples, n_steps=n_samples * 10, **blocks, **layers, **once)


@pytest.mark.parametrize("pipelined", [True, False])
@given(c=crossbar_counts())
def test_a_bill_of_crossbars_is_the_sum_of_its_terms(pipelined, c):
    bill = hwsim.price(c, chip_with(pipelined=pipelined))
    energies = [t.value for t in bill.energy_terms if t.value is not None]
    times = [t.value for t in bill.time_terms if t.value is not None]
    assert sum(energies) == pytest.approx(bill.energy_j, rel=1e-9)
    assert sum(times) == pytest.approx(bill.latency_s, rel=1e-9)
    components = bill.component_j()
    assert sum(v or 0.0 for v in components.values()) == pytest.approx(bill.energy_j, rel=1e-9)
    digital = ["digital", "neurons", "control", "static", "host"]
    assert list(components) == ["cells", "lines", "drivers", "converters", *digital]


@given(a=crossbar_counts(), b=crossbar_counts())
def test_energy_without_leakage_of_added_counts_is_the_weighted_mean(a, b):
    """The slowest block may be another one of the sum, so what is paid by the second is not."""
    chip = without(RRAM, "power.array")
    ours, theirs, both = (hwsim.price(c, chip).energy_j for c in (a, b, a + b))
    n, m = a.n_samples, b.n_samples
    assert both == pytest.approx((n * ours + m * theirs) / (n + m), rel=1e-9)


def test_every_event_is_priced_and_what_is_not_known_is_said_and_in_no_sum():
    given = {n: [3, 4, 5] for n in OF_BLOCKS if n != "senses"} | {n: [6, 7] for n in OF_LAYERS}
    c = made(**given, n_inputs=8, n_readouts=9)
    whole = hwsim.price(c, RRAM)
    said = " ".join(whole.unknown)
    for name in ("energy.input_spike", "energy.readout", "power.chip", "power.host"):
        assert name in said
    priced = {t.constant: t.value for t in whole.energy_terms}
    assert set(priced) >= {f"energy.{n}" for n, _ in RRAM.energy if n != "write_pulse"}
    for name, value in priced.items():
        if value and name.startswith("energy"):
            bill = hwsim.price(c, without(RRAM, name))
            assert name in " ".join(bill.unknown)
            assert whole.energy_j - bill.energy_j == pytest.approx(value, rel=1e-6)
    blind = hwsim.price(c, without(RRAM, *RRAM.constants()))
    assert blind.energy_j is blind.latency_s is blind.energy_band is blind.power_w is None
    assert len(blind.unknown) == len(whole.energy_terms) + len(whole.time_terms) - 2  # no senses


@given(c=crossbar_counts(least=1))
def test_bands_hold_the_value_and_widen_with_a_constant(c):
    bill = hwsim.price(c, RRAM)
    assert bill.energy_band.p10 < bill.energy_j < bill.energy_band.p90
    assert bill.latency_band.p10 < bill.latency_s < bill.latency_band.p90
    assert bill.energy_band == hwsim.price(c, RRAM).energy_band
    cells, lines = bill.components["cells"], RRAM.time.pulse.rel_uncertainty
    assert cells.p90 / cells.median == pytest.approx(1 + lines, rel=0.1)


def test_cells_cost_what_was_delivered_while_a_pulse_lasted():
    c = made(cell_watts=[1e-3, 2e-3, 0.0], pulses=[1, 1, 0])
    bill = hwsim.price(c, RRAM)
    assert bill.component_j()["cells"] == pytest.approx(3e-3 / 2 * RRAM.time.pulse.value)


def test_every_event_goes_to_its_component():
    e = RRAM.energy
    where = {
        "rows_driven": ("lines", e.wordline.value),
        "columns_read": ("lines", e.bitline.value),
        "conversions": ("converters", e.adc.value),
        "shift_adds": ("digital", e.shift_add.value),
        "bits_buffered": ("digital", e.buffer_bit.value),
        "updates": ("neurons", e.update.value),
        "host_macs": ("host", e.host_mac.value),
    }
    for event, (component, price) in where.items():
        n = 2 if event in OF_LAYERS else 3
        bill = hwsim.price(made(**{event: np.full(n, 10)}), without(RRAM, "power.array"))
        assert bill.component_j()[component] == pytest.approx(n * 10 / 2 * price), event
    driven = hwsim.price(made(rows_driven=[4, 0, 0]), RRAM).component_j()
    assert driven["drivers"] == pytest.approx(2 * e.driver.value)
    read = hwsim.price(made(conversions=[4, 0, 0]), RRAM).component_j()
    assert read["digital"] == pytest.approx(2 * e.mux.value)
    assert hwsim.price(made(pulses=[4, 0, 0]), RRAM).component_j()["control"] == 2 * e.control.value
    sensed = hwsim.price(made(senses=[4, 0, 0]), chip_with(**SENSING)).component_j()
    assert sensed["converters"] == pytest.approx(2 * e.sense.value)


def slow_latency(c, chip):
    """Latency step by step, written from the definition."""
    t = {name: constant.value for name, constant in chip.time}
    layers = []
    for k in range(len(c.updates)):
        blocks = [
            c.pulses[b] * (t["pulse"] + (t["sense"] if c.senses[b] else 0))
            + c.serial_conversions[b] * t["adc"]
            for b in range(len(c.layer))
            if c.layer[b] == k
        ]
        own = max(blocks, default=0.0) + c.host_macs[k] * t["host_mac"]
        layers.append((own + (c.n_steps * t["update"] if c.updates[k] else 0.0)) / c.n_steps)
    steps = c.n_steps / c.n_samples
    if chip.pipelined:
        return (steps + c.depth - 1) * max(layers)
    return steps * sum(layers)


@pytest.mark.parametrize("kind", ["adc", "sense"])
@pytest.mark.parametrize("pipelined", [True, False])
@given(c=crossbar_counts())
def test_latency_is_that_of_the_definition(kind, pipelined, c):
    chip = chip_with(pipelined=pipelined, output={"kind": kind})
    if kind == "sense":
        c = replace(c, senses=c.conversions, conversions=0 * c.conversions)
    assert hwsim.price(c, chip).latency_s == pytest.approx(slow_latency(c, chip), rel=1e-9)


def test_a_pipeline_takes_a_step_more_for_every_layer_more():
    c = made(pulses=[20, 40, 30], depth=3)
    pulse = RRAM.time.pulse.value
    assert hwsim.price(c, RRAM).latency_s == pytest.approx((10 + 2) * 2 * pulse)
    flat = hwsim.price(c, chip_with(pipelined=False))
    assert flat.latency_s == pytest.approx(10 * (2 + 1.5) * pulse)
    static = RRAM.power.array.value * 3 * flat.latency_s
    assert flat.component_j()["static"] == pytest.approx(static)


def test_counts_and_chips_of_different_kinds_are_refused_in_one_line():
    loihi = hwsim.load_chip("loihi1")
    refused = {
        "loihi1 is a chip of neurocores, this needs one of crossbars": (made(), loihi),
        "rram-40nm is a chip of crossbars, the counts are not": (None, RRAM),
        "no samples were counted": (made(n_samples=0, n_steps=0), RRAM),
        "counts of 3 arrays, rram-40nm has 1": (made(), chip_with(array={"count": 1})),
        "5 senses counted, rram-40nm has `output.kind` 'adc'": (made(senses=[5, 0, 0]), RRAM),
        "2 conversions counted": (made(conversions=[2, 0, 0]), chip_with(**SENSING)),
        "'rram-40nm' is no chip": (made(), "rram-40nm"),
    }
    for said, (counts, chip) in refused.items():
        with pytest.raises(ValueError, match=said) as error:
            hwsim.price(counts, chip)
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("chip", CHIPS, ids=lambda c: c.name)
def test_area_is_the_sum_of_its_parts(chip):
    one, whole = area(chip, 1), area(chip)
    assert whole.m2 == pytest.approx(chip.array.count * one.m2)
    assert sum(t.value or 0.0 for t in one.terms) == pytest.approx(one.m2, rel=1e-9)
    assert sum(v or 0.0 for v in one.component_m2().values()) == pytest.approx(one.m2, rel=1e-9)
    assert one.band.p10 < one.m2 < one.band.p90
    cells = chip.array.rows * chip.array.columns * chip.area.cell.value
    assert one.component_m2()["cells"] == pytest.approx(cells)
    assert area(chip, 0).m2 == 0
    with pytest.raises(ValueError, match="give 0 to that"):
        area(chip, chip.array.count + 1)


def test_converters_of_an_array_are_those_that_share_its_sensed_columns():
    def n(**output):
        (term,) = [t for t in area(chip_with(**output), 1).terms if t.constant == "area.adc"]
        return term.amount

    assert n() == 256 / 8
    assert n(array={"pair": "digital"}) == 512 / 8
    assert n(output={"columns_per_adc": 7}) == 37
    assert n(**SENSING) == 0
    said = area(without(RRAM, "area.adc"), 1)
    assert said.unknown == ("converters: converters (area.adc)",)
    assert said.m2 < area(RRAM, 1).m2


def test_programming_is_pulses_times_their_price():
    e, t = RRAM.energy.write_pulse.value, RRAM.time.write_pulse.value
    once = programming(RRAM, 1000)
    assert once.energy_j == pytest.approx(1000 * 9.7 * e)
    assert once.seconds == pytest.approx(1000 * 9.7 * t)
    assert once.energy_band.p10 < once.energy_j < once.energy_band.p90
    assert once.times is None
    assert once.unknown == ("programming: how often (writing.endurance_cycles)",)
    rows = programming(RRAM, 1000, pulses_per_cell=2, in_parallel=100)
    assert rows.energy_j == pytest.approx(2000 * e)
    assert rows.seconds == pytest.approx(20 * t)
    spread = once.energy_band.p90 / once.energy_band.p10
    assert rows.energy_band.p90 / rows.energy_band.p10 < spread
    lasting = RRAM.writing.endurance_cycles.model_dump(by_alias=True)
    lasting |= {"value": 1e6, "rel_uncertainty": 0.5}
    worn = programming(chip_with(writing={"endurance_cycles": lasting}), 10)
    assert worn.times == pytest.approx(1e6 / 9.7)
    blind = programming(without(RRAM, "energy.write_pulse", "writing.pulses_per_cell"), 10)
    assert blind.energy_j is blind.seconds is blind.energy_band is None
    assert len(blind.unknown) == 3
    with pytest.raises(ValueError, match="give 0 cells or more"):
        programming(RRAM, 10, in_parallel=0)


@pytest.mark.parametrize("idle", ["grounded", "gated"])
def test_cells_of_a_simulated_network_cost_the_integral_of_what_the_solver_delivers(idle):
    """Sum over blocks, steps and samples of V I t, each pattern of spikes solved on its own."""
    rng = np.random.default_rng(3)
    net, x = layered(rng), spikes(rng, rate=0.5)
    array = {"rows": 8, "columns": 10, "idle": idle, "r_word_ohm": 500.0, "r_bit_ohm": 300.0}
    chip = chip_of(EXACT, **array)
    plan = compile_crossbar(net, chip, x, device=IDEAL)
    run = simulate_crossbar(fabricate(plan), x, record=("input", "layer0"))
    solve = {"grounded": solve_array, "gated": solve_gated}[idle]
    joules = 0.0
    for block in plan.blocks:
        source = net.projections[block.matrix.projection].source
        sent = run.spikes[source].reshape(-1, net[source].size)[:, block.matrix.rows[block.rows]]
        volts = chip.array.v_read_volt * sent.astype(float)
        currents = solve(block.wanted, volts, plan.wires).i_word
        joules += float((currents * volts).sum()) * chip.time.pulse.value
    bill = hwsim.price(run.counts, chip)
    assert bill.component_j()["cells"] == pytest.approx(joules / len(x), rel=1e-6)
    assert bill.energy_j == pytest.approx(sum(v or 0.0 for v in bill.component_j().values()))
    assert bill.latency_s > 7 * chip.time.pulse.value


def test_fewer_bits_cost_less_in_the_bill_of_the_same_network():
    rng = np.random.default_rng(4)
    net, x = layered(rng), spikes(rng)
    each, seconds = [], []
    for bits in range(3, 9):
        chip = with_adc_bits(chip_of(skip_silent=False), bits)
        plan = compile_crossbar(net, chip, x, device=IDEAL)
        counts = simulate_crossbar(fabricate(plan), x).counts
        bill = hwsim.price(counts, chip)
        each.append(bill.component_j()["converters"] / counts.conversions.sum() * counts.n_samples)
        seconds.append(bill.latency_s)
    assert each[0] == pytest.approx(each[1], rel=1e-9)  # below 4 bits the fit is flat
    assert np.all(np.diff(each[1:]) > 0)
    assert np.all(np.diff(seconds) > 0)
