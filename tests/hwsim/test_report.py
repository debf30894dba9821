"""Laws of the report: nothing invented, nothing lost, nothing loaded, the same bytes every time."""

import doctest
import json
import re
from dataclasses import asdict, replace
from html.parser import HTMLParser
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

import hwsim
from hwsim.chips.files import load_price_list
from hwsim.chips.spec import CLASSES, ChipSpec
from hwsim.network import Network, Population, Projection, WeightWord
from hwsim.neurobench import NeuroBench
from hwsim.neuron import FixedNeuron
from hwsim.report import (
    Accuracy,
    Curves,
    Raster,
    ReportInput,
    build_cores,
    build_layers,
    report_html,
    report_json,
    units,
    write_report,
)
from hwsim.report.units import band, number, percent, si
from hwsim.synapses import Conv2d, Dense

approx = pytest.approx
WORD = WeightWord()
HOSTILE = '<script>alert("$1 & $2")</script> --> ${x} \x07 漢 $'
VOID = {"meta", "br", "hr", "img", "input", "link"}


def weights(*shape, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-20, 40, shape) * 2


def network(*, hidden=20, names=("input", "conv", "hidden", "output"), emits="nothing"):
    """Convolution and dense layers; the output accumulates, or spikes."""
    silent = emits == "nothing"
    readout = FixedNeuron.of(v_th=900, reset="none" if silent else "zero", emits=emits)
    populations = (
        Population(names[0], (1, 6, 6)),
        Population(names[1], (2, 4, 4), FixedNeuron.of(v_th=60)),
        Population(names[2], (hidden,), FixedNeuron.of(v_th=200, bias_mant=5)),
        Population(names[3], (3,), readout),
    )
    kinds = (
        Conv2d.of(weights(2, 1, 3, 3)),
        Dense.of(weights(hidden, 32)),
        Dense.of(weights(3, hidden)),
    )
    joined = (
        Projection.of(*ends, kind, word=WORD)
        for ends, kind in zip(pairwise(names), kinds, strict=True)
    )
    return Network(populations, tuple(joined), output=names[3])


def report_of(net, chip=None, *, rate=0.3, **more):
    """A report of five samples of noise at a firing rate."""
    plan = hwsim.compile(net, chip or hwsim.load_chip("loihi1"))
    rng = np.random.default_rng(1)
    samples = (rng.random((5, 8, *net.inputs[0].shape)) < rate).astype(np.uint8)
    run = hwsim.simulate(plan, samples, record=("spikes",))
    bill = hwsim.price(run.counts, plan.chip)
    given = {"title": "a run", "raster": Raster.of(run, 2, label="1", answer="2")} | more
    return ReportInput(
        plan=plan, counts=run.counts, bill=bill, layers=build_layers(plan, run), **given
    )


def full(**more):
    """A report with everything that can be given."""
    curves = Curves((1, 2, 3), {"fit_loss": (1.5, 0.7, 0.4), "hold_loss": (None, 0.9, 0.6)})
    given = {
        "accuracies": (
            Accuracy("float", 92, 100),
            Accuracy("quantised", 90, 100),
            Accuracy("on chip", 90, 100),
        ),
        "chance": 1 / 3,
        "confusion": np.array([[30, 2, 1], [0, 33, 0], [4, 3, 27]]),
        "classes": ("left", "right", "none"),
        "curves": curves,
        "verdicts": (hwsim.Verdict("hidden", "approximate", "weights rounded", 0.01),),
        "exactness": ("torch integers = simulator integers: 0 of 512 spikes differ.",),
        "provenance": {"seed": "7", "command": "neuro train --seed 7"},
    }
    return report_of(network(), **(given | more))


def chip_without(*names):
    """Loihi 1 with some constants not known."""
    spec = hwsim.load_chip("loihi1").model_dump(by_alias=True)
    for name in names:
        group, *keys = name.split(".")
        table = spec[group]
        for key in keys:
            table = table[int(key) if key.isdigit() else key]
        table |= {"value": None, "rel_uncertainty": None}
    return ChipSpec.model_validate(spec)


@pytest.fixture(scope="module")
def data():
    return full()


@pytest.fixture(scope="module")
def page(data):
    return report_html(data)


class Outline(HTMLParser):
    """Every start tag with its attributes, the visible text, and a check that tags nest."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.words, self.rows = [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if "tr" in self.open:
            self.rows[-1].append(data)


def text_of(page):
    return " ".join("".join(Outline(page).words).replace("\u00a0", " ").split())


def test_the_terms_sum_to_the_totals(data):
    bill = report_json(data)["bill"]
    for terms, total in (("energy_terms", "energy_j"), ("time_terms", "latency_s")):
        known = [t["value"] for t in bill[terms] if t["value"] is not None]
        assert sum(known) == approx(bill[total], rel=1e-9)
        for t in bill[terms]:
            if t["value"]:
                assert t["value"] == approx(t["amount"] * t["price"], rel=1e-12)
            else:
                assert t["amount"] == 0 if t["value"] == 0 else None in (t["amount"], t["price"])


def test_components_sum_to_the_totals(data):
    bill = report_json(data)["bill"]
    known = [v for v in bill["components_j"].values() if v is not None]
    assert sum(known) == approx(bill["energy_j"], rel=1e-9)


def test_layers_and_cores_share_out_the_counts(data):
    content, counts = report_json(data), data.counts
    per_inference = counts.sops.sum() / counts.n_samples
    for rows in ("layers", "cores"):
        assert sum(r["sops"] for r in content[rows]) == approx(per_inference, rel=1e-12)
    assert len(content["cores"]) == sum(r["cores"] for r in content["layers"]) == counts.n_cores
    assert max(r["busy"] for r in content["cores"]) == 1.0
    assert all(0 <= part <= 1 for r in content["cores"] for part in r["fill"].values())


def test_layer_rows_say_what_the_layers_are(data):
    rows = {r.name: r for r in data.layers}
    assert [r.role for r in data.layers] == ["input", "hidden", "hidden", "output"]
    assert [r.parameters for r in data.layers] == [0, 18, 20 * 32 + 1, 60]
    assert [r.macs for r in data.layers] == [0, 2 * 16 * 9, 640, 60]
    assert rows["output"].rate is None
    assert rows["output"].sparsity is None
    assert rows["conv"].sparsity == 1 - rows["conv"].rate
    fired = data.counts.spikes[data.plan.parts_of("conv")].sum()
    steps = data.counts.n_steps - data.counts.n_samples * data.plan.latency_steps
    # the chip also runs in the steps of lateness, in which a layer may still fire
    assert 0 < rows["conv"].rate * 32 * steps <= fired


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_interval_is_wilsons(counts):
    k, n = counts
    reference = binomtest(k, n).proportion_ci(method="wilson")
    found = Accuracy("float", k, n).interval()
    assert found == approx((reference.low, reference.high), rel=1e-9, abs=1e-12)
    assert 0 <= found[0] <= k / n <= found[1] <= 1


@given(st.floats(1e-17, 1e13))
def test_prefixes_change_no_value(value):
    shown, unit = si(value, "J").split(" ")
    prefixes = ("a", "f", "p", "n", "µ", "m", "", "k", "M", "G", "T")
    powers = dict(zip(prefixes, range(-18, 15, 3), strict=True))
    assert float(shown) * 10.0 ** powers[unit[:-1]] == approx(value, rel=0.0051)
    assert 1 <= float(shown) < 1000


def test_units_read_well():
    assert doctest.testmod(units).failed == 0
    assert si(2.3e-5, "J") == "23 µJ"
    assert si(0.0, "J") == "0 J"
    assert si(None, "J") == si(float("nan"), "J") == number(None) == percent(None) == "not known"
    assert si(999.9e-9, "s") == "1 µs"
    assert band(2.31e-5, 1.8e-5, 2.94e-5, "J") == "23.1 µJ [18, 29.4]"
    assert number(1234567) == "1\u202f234\u202f567"
    assert percent(0.00012) == "0.012 %"


def of_the_bill(chip):
    """Constants that are joules, seconds or watts: an area is shown where there are delays."""
    return {name: c for name, c in chip.constants().items() if not name.startswith("area.")}


def test_every_constant_is_shown_with_source_and_class(data, page):
    shown = text_of(page)
    constants = of_the_bill(data.chip) | load_price_list().constants()
    for name, constant in constants.items():
        assert name in shown
        assert " ".join(constant.source.split()) in shown
        assert " ".join(constant.note.split()) in shown
        assert f">{constant.kind}</abbr>" in page
    for meaning in CLASSES.values():
        assert meaning in shown


def test_source_class_and_price_stand_beside_their_constant(data, page):
    rows = Outline(page).rows
    for name, constant in (of_the_bill(data.chip) | data.prices.constants()).items():
        row = next(cells for cells in rows if name in cells)
        assert constant.kind in row
        assert constant.source in row
        assert si(constant.value, constant.unit).replace(" ", "\u00a0") in row or (
            constant.value is None and (row.count("not known") == 2 or "0" in row)
        )


def test_the_page_shows_what_was_given(data, page):
    shown = text_of(page)
    for said in (*data.exactness, *data.not_modelled, *data.bill.unknown, *data.classes):
        assert said in shown
    assert data.provenance["command"] in shown
    assert data.plan.network.digest in shown
    for row in data.layers:
        assert row.name in shown
    assert "90.0 %" in shown
    assert "approximate" in shown


def test_the_json_has_the_documented_keys(data):
    content = report_json(data)
    assert content["format"] == "hwsim-report/2"
    assert content["accuracy"][2] == {
        "stage": "on chip",
        "n_correct": 90,
        "n_total": 100,
        "value": 0.9,
        "low": approx(0.8256, abs=1e-4),
        "high": approx(0.9448, abs=1e-4),
    }
    assert content["confusion"] == [[30, 2, 1], [0, 33, 0], [4, 3, 27]]
    assert content["training"]["columns"]["hold_loss"] == [None, 0.9, 0.6]
    assert content["provenance"]["seed"] == "7"
    drawn = content["raster"]["spikes"]["conv"]
    assert drawn == np.argwhere(data.raster.spikes["conv"]).tolist()
    assert json.loads(json.dumps(content, allow_nan=False)) == content


def test_neurobench_is_shown_and_written_where_it_was_taken(data, page):
    found = NeuroBench(17416, None, 0.8125, 0.0, 391.25, 162000.0, 153.5)
    given = replace(data, neurobench=found)
    shown = text_of(report_html(given))
    assert "The network by NeuroBench 2.3.0" in shown
    assert "Footprint17416bytes" in shown.replace(" ", "")
    assert "Connection sparsitynot known" in shown
    assert "Effective ACs391.2per sample" in shown
    assert report_json(given)["neurobench"] == asdict(found)
    assert report_json(data)["neurobench"] is None
    assert "NeuroBench" not in text_of(page)


def test_unknown_prices_are_not_known_and_never_zero():
    chip = chip_without("energy.sop", "energy.hop_ew")
    data = report_of(network(), chip)
    content = report_json(data)
    assert content["bill"]["components_j"]["synapses"] is None
    assert content["bill"]["component_bands_j"]["synapses"] is None
    term = next(t for t in content["bill"]["energy_terms"] if t["constant"] == "energy.sop")
    assert term["value"] is None
    assert term["price"] is None
    assert "synapses: synaptic operations (energy.sop)" in content["unknown"]
    assert "not known" in text_of(report_html(data))


def test_a_chip_without_prices_has_no_totals():
    data = report_of(network(), chip_without(*hwsim.load_chip("loihi1").constants()))
    content = report_json(data)
    for key in ("energy_j", "energy_band_j", "latency_s", "latency_band_s", "power_w"):
        assert content["bill"][key] is None
    for key in ("energy_j", "latency_s", "power_w"):
        assert content["headline"][key] is None
    assert set(content["bill"]["components_j"].values()) == {None}
    page = report_html(data)
    before_bill = page[page.index("<main>") : page.index('id="bill"')]
    assert not re.search(r"\b0 [JsW]\b", before_bill.replace("\u00a0", " "))
    shown = text_of(page)
    assert "Energy per inference not known" in re.sub(r"(?<=inference)(?=not)", " ", shown)


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert not re.search(r"https?:|@import|javascript:|<!ENTITY", page)
    assert not re.search(r"url\((?!#)", page)
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "object", "base"} & {t for t, _ in outline.tags}
    for _, attributes in outline.tags:
        assert not any(name.startswith("on") for name in attributes)
        assert attributes.get("src") is None
        assert (attributes.get("href") or "#").startswith("#")


def test_ids_are_unique_and_references_resolve(page):
    tags = Outline(page).tags
    ids = [a["id"] for _, a in tags if "id" in a]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"url\(#([^)]*)\)", page))
    used |= {a["href"][1:] for _, a in tags if a.get("href")}
    used |= {a["aria-labelledby"] for _, a in tags if "aria-labelledby" in a}
    assert used <= set(ids)


def test_figures_and_tables_can_be_read_aloud(page):
    tags = Outline(page).tags
    assert all(a["role"] == "img" and a["aria-label"] for t, a in tags if t == "svg")
    assert all(a.get("scope") in {"col", "row"} for t, a in tags if t == "th")
    count = {name: sum(t == name for t, _ in tags) for name in ("figure", "figcaption", "svg")}
    assert count["figure"] == count["figcaption"] == count["svg"] / 2  # wide and narrow
    assert count["figure"] >= 6
    assert sum(t == "table" for t, _ in tags) == sum(t == "caption" for t, _ in tags)


def test_figures_follow_the_colours_of_the_page(page):
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    variables = set(re.findall(r"var\((--[\w-]+)\)", page))
    style = page[page.index("<style>") : page.index("</style>")]
    assert all(f"{name}:" in style for name in variables)
    for svg in drawings:
        assert not re.findall(r"(?:fill|stroke): #(?!000000|ffffff)", svg)
        assert "<style" not in svg
        assert "nan" not in svg.lower().replace("nano", "")


def test_hostile_names_are_text():
    net = network(names=(HOSTILE, "a$b$^", "x" * 90, "_"))
    columns = {HOSTILE: (1.0, 0.5), "$": (None, 2.0)}
    data = report_of(
        net,
        title=HOSTILE,
        classes=(HOSTILE, "b", "c"),
        confusion=np.eye(3, dtype=np.int64),
        verdicts=(hwsim.Verdict("_", "unsupported", HOSTILE, 0.0),),
        curves=Curves((1, 2), columns),
        exactness=(HOSTILE,),
        provenance={HOSTILE: HOSTILE},
        accuracies=(Accuracy("on chip", 1, 3),),
    )
    data = replace(data, raster=replace(data.raster, label=HOSTILE, answer=HOSTILE))
    page = report_html(data)
    assert "script" not in {t for t, _ in Outline(page).tags}
    assert "<script" not in page
    assert "\x07" not in page
    assert "${x}" in page
    assert report_json(data)["title"] == HOSTILE


def test_equal_input_gives_equal_bytes(tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    written = [write_report(full(), folder) for folder in folders]
    for one, other in zip(*written, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert {p.name for p in folders[0].iterdir()} == {"report.html", "report.json"}
    assert json.loads(written[0][1].read_text(encoding="utf-8"))["title"] == "a run"


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    report_html(full())
    assert dict(mpl.rcParams) == before


def test_settings_of_the_caller_change_no_byte(data, page):
    with mpl.rc_context({"font.size": 30, "lines.linewidth": 9, "text.color": "red"}):
        assert report_html(data) == page


def test_a_folder_that_is_a_file_is_left_alone(data, tmp_path):
    (tmp_path / "taken").write_text("kept")
    with pytest.raises(OSError, match="taken"):
        write_report(data, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "kept"


def test_a_silent_network_has_a_report():
    quiet = network()
    data = report_of(quiet, rate=0.0)
    content, page = report_json(data), report_html(data)
    assert data.layers[0].rate == 0.0
    assert content["layers"][0]["sparsity"] == 1.0
    assert not re.search(r"\bnan\b|\binf\b", page, flags=re.IGNORECASE)
    json.dumps(content, allow_nan=False)


def test_one_core_is_enough():
    populations = (Population("in", (4,)), Population("out", (2,), FixedNeuron.of(v_th=10)))
    joined = Projection.of("in", "out", Dense.of(weights(2, 4)), word=WORD)
    data = report_of(Network(populations, (joined,)))
    assert data.counts.n_cores == 1
    Outline(report_html(data))
    assert len(report_json(data)["cores"]) == 1


def test_hundreds_of_neurons_on_more_than_a_hundred_cores():
    spec = hwsim.load_chip("loihi1").model_dump(by_alias=True)
    spec["limits"] |= {"neurons_per_core": 3}
    data = report_of(network(hidden=300), ChipSpec.model_validate(spec))
    assert data.counts.n_cores > 100
    rows = build_cores(data.plan, data.counts)
    assert [r.core for r in rows] == sorted({r.core for r in rows})
    assert "of 300 neurons" in text_of(report_html(data))


def test_an_output_that_spikes_has_a_rate():
    data = report_of(network(emits="spikes"))
    assert data.layers[-1].rate is not None
    assert "output" in {row["name"] for row in report_json(data)["layers"]}
    Outline(report_html(data))


@pytest.mark.parametrize("n_correct", [0, 40])
def test_no_and_only_right_answers_can_be_drawn(n_correct):
    stages = tuple(Accuracy(stage, n_correct, 40) for stage in ("float", "on chip"))
    Outline(report_html(report_of(network(), accuracies=stages, chance=0.5)))


def test_little_is_enough():
    data = report_of(network(), raster=None)
    content = report_json(data)
    assert content["headline"]["accuracy"] is None
    assert content["raster"] is None
    assert content["training"] is None
    Outline(report_html(data))


def test_errors_name_the_remedy(data):
    with pytest.raises(ValueError, match=r"stage is 'gpu', must be one of float, quantised"):
        Accuracy("gpu", 1, 2)
    with pytest.raises(ValueError, match=r"3 of 2 right at stage 'float'"):
        Accuracy("float", 3, 2)
    with pytest.raises(ValueError, match=r"'loss' has 1 values, there are 2 epochs"):
        Curves((1, 2), {"loss": (0.1,)})
    with pytest.raises(ValueError, match="each stage once"):
        replace(data, accuracies=(Accuracy("float", 1, 2),) * 2)
    with pytest.raises(ValueError, match=r"2 class names for 3 classes"):
        replace(data, classes=("a", "b"))
    plan = data.plan
    off_chip = hwsim.simulate(plan.network, np.zeros((1, 2, 1, 6, 6), dtype=np.uint8))
    with pytest.raises(ValueError, match="simulate the plan"):
        build_layers(plan, off_chip)
    with pytest.raises(ValueError, match='record=\\("spikes",\\)'):
        Raster.of(off_chip)
