"""Laws of the chip map: what is drawn is what was counted, and it lies where the chip has it."""

import json
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwsim
from hwsim import (
    Dense,
    FixedNeuron,
    GradedVec,
    Network,
    Population,
    Projection,
    SigmaDelta,
    WeightWord,
)
from hwsim.chips.spec import ChipSpec
from hwsim.counts import Counts
from hwsim.mapping.plan import Plan
from hwsim.mapping.use import Use
from hwsim.report import Raster, ReportInput, build_layers, report_html, report_json
from hwsim.report.chip_map import arrow, draw_chip_map, shade
from hwsim.report.map_frame import ChipMap, Frame
from hwsim.report.standalone import light_colours, save_figure
from tests.hwsim.test_report import Outline, network, report_of, text_of

approx = pytest.approx


def small_chips(neurons=3, *, cores=8, chips=4):
    """Loihi 1 cut down: four tiles of two cores, two by two, chips side by side."""
    spec = hwsim.load_chip("loihi1").model_dump(by_alias=True)
    spec["limits"] |= {"neurons_per_core": neurons, "cores": cores, "chips": chips}
    spec["mesh"] |= {"columns": 2, "rows": 2, "cores_per_tile": 2, "chip_columns": 2}
    return ChipSpec.model_validate(spec)


def simulated(plan, rate=0.3):
    rng = np.random.default_rng(0)
    samples = (rng.random((5, 8, *plan.network.inputs[0].shape)) < rate).astype(np.uint8)
    run = hwsim.simulate(plan, samples, record=("spikes",))
    sent = {n: np.count_nonzero(s, axis=1).mean(axis=0) for n, s in run.spikes.items()}
    return run.counts, sent


def shared(plan):
    """The same plan with two parts on every core."""
    ends = [i for i, part in enumerate(plan.parts) if part.core is not None]
    parts = list(plan.parts)
    for j, i in enumerate(ends):
        parts[i] = replace(parts[i], core=j // 2)
    return Plan(plan.chip, plan.network, plan.shift, tuple(parts))


@given(st.integers(0, 5), st.integers(3, 40))
@settings(max_examples=8)
def test_packets_on_links_add_up_to_the_hops_that_were_counted(seed, neurons):
    plan = hwsim.compile(network(), small_chips(neurons), mapper=hwsim.MAPPERS["random"], seed=seed)
    counts, sent = simulated(plan)
    shown = ChipMap.of(plan, counts, sent)
    hops = (counts.hops_ew + counts.hops_ns).sum() / counts.n_samples
    assert shown.links.packets.sum() == approx(hops)
    assert shown.busiest_link == shown.links.packets.max(initial=0)


def test_cores_share_out_the_counts_also_where_layers_share_a_core():
    plan = shared(hwsim.compile(network(), small_chips(8)))
    counts, sent = simulated(plan)
    shown = ChipMap.of(plan, counts, sent)
    assert [row.core for row in shown.cores] == list(plan.cores)
    assert any(len(row.layers) > 1 for row in shown.cores)
    for name in ("sops", "packets", "packets_in"):
        on_cores = [i for i, part in enumerate(plan.parts) if part.core is not None]
        counted = getattr(counts, name)[on_cores].sum() / counts.n_samples
        assert sum(getattr(row, name) for row in shown.cores) == approx(counted)
    assert max(row.busy for row in shown.cores) == 1.0
    assert sum(row.neurons for row in shown.cores) == 32 + 20 + 3
    both = next(row for row in shown.cores if len(row.layers) > 1)
    uses = [part.use for part in plan.parts if part.core == both.core]
    limits = plan.chip.limits
    total = sum(uses, start=Use())
    assert both.fill["axons in"] == approx(total.axons_in / limits.axons_in_per_core)
    assert "·" in report_html(_report(plan, counts, sent))


def _report(plan, counts, sent):
    data = report_of(plan.network, plan.chip)
    return replace(data, plan=plan, counts=counts, spikes=sent, raster=None)


def test_a_report_of_several_chips_shows_each():
    net, chip = network(), small_chips()
    data = report_of(net, chip)
    shown = ChipMap.of(data.plan, data.counts)
    assert shown.n_chips == 3
    assert {row.chip for row in shown.cores} == {0, 1, 2}
    page = report_html(data)
    for n in range(3):
        assert f">chip {n}<" in page
    assert "of 24 cores on 3 chips" in text_of(page)
    assert f"The network occupies {data.counts.n_cores} of 24 cores on 3 chips." in text_of(page)
    assert report_json(data)["headline"]["n_chips"] == 3
    assert {row["chip"] for row in report_json(data)["cores"]} == {0, 1, 2}


def test_no_tile_is_drawn_of_a_chip_that_is_not_there():
    data = report_of(network(), small_chips())
    frame = Frame(ChipMap.of(data.plan, data.counts), 680.0)
    assert frame.chips() == [0, 1, 2]
    tiles = frame.tiles()
    assert len(tiles) == 3 * 4
    assert all(any(inside(tile, frame.chip(n)) for n in range(3)) for tile in tiles)


@given(st.integers(1, 4))
def test_every_core_lies_in_its_tile_and_every_tile_in_its_chip(chips):
    data = _drawn(chips)
    frame = Frame(data, 680.0)
    seen = []
    for core in range(data.n_chips * data.chip.limits.cores):
        inner, outer = frame.core(core), frame.tile(*data.chip.tile_xy(core))
        assert inside(inner, outer)
        if data.n_chips > 1:
            assert inside(outer, frame.chip(data.chip.chip_of(core)))
        seen.append(inner)
    assert not any(overlap(a, b) for a, b in pairwise(sorted(seen)))
    across, down = frame.size
    assert all(box[0] + box[2] <= across and box[1] + box[3] <= down for box in seen)


_CACHE = {}


def _drawn(chips):
    if chips not in _CACHE:
        plan = hwsim.compile(network(), small_chips(64 // (7 * chips), chips=chips))
        _CACHE[chips] = ChipMap.of(plan, *simulated(plan))
    return _CACHE[chips]


def inside(inner, outer):
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[0] + inner[2] <= outer[0] + outer[2] + 1e-9
        and inner[1] + inner[3] <= outer[1] + outer[3] + 1e-9
    )


def overlap(a, b):
    return (
        a[0] < b[0] + b[2] - 1e-9
        and b[0] < a[0] + a[2] - 1e-9
        and a[1] < b[1] + b[3] - 1e-9
        and b[1] < a[1] + a[3] - 1e-9
    )


def box_of(points):
    x, y = zip(*points, strict=True)
    return min(x), min(y), max(x) - min(x), max(y) - min(y)


@given(st.floats(0, 1), st.floats(0, 1))
def test_an_arrow_lies_between_its_tiles_and_leaves_room_for_the_way_back(part, back):
    frame = Frame(_drawn(2), 680.0)
    for start, end in (([0, 0], [1, 0]), ([1, 0], [1, 1]), ([1, 1], [2, 1])):
        there, again = (
            box_of(arrow(frame, *ends, weight))
            for ends, weight in (((start, end), part), ((end, start), back))
        )
        tiles = [frame.tile(*start), frame.tile(*end)]
        assert not any(overlap(box, tile) for box in (there, again) for tile in tiles)
        assert not overlap(there, again)
        assert inside(there, box_of([(t[0], t[1]) for t in tiles] + [
            (t[0] + t[2], t[1] + t[3]) for t in tiles
        ]))  # fmt: skip


@given(st.floats(0, 1))
def test_shades_are_seven_equal_ranges(part):
    assert 0 <= shade(part) <= 6
    assert shade(part) <= part * 7 <= shade(part) + 1


def test_several_large_chips_can_be_drawn():
    spec = hwsim.load_chip("truenorth").model_dump(by_alias=True)
    spec["limits"] |= {"neurons_per_core": 1, "cores": 4096, "chips": 4}
    spec["mesh"] |= {"chip_columns": 2}
    plan = hwsim.compile(
        network(), ChipSpec.model_validate(spec), mapper=hwsim.MAPPERS["row-major"]
    )
    moved = tuple(
        part if part.core is None else replace(part, core=part.core + 3 * 4096)
        for part in plan.parts
    )
    plan = Plan(plan.chip, plan.network, plan.shift, moved)
    shown = ChipMap.of(plan, *simulated(plan))
    frame = Frame(shown, 680.0)
    assert frame.chips() == [0, 1, 2, 3]
    draw_chip_map(shown, 344.0)


def test_of_a_large_chip_only_the_part_in_use_is_drawn():
    data = report_of(network(), hwsim.load_chip("truenorth"))
    shown = ChipMap.of(data.plan, data.counts)
    x0, x1, y0, y1 = shown.window
    assert shown.is_cropped
    assert (x1 - x0 + 1) * (y1 - y0 + 1) < 64
    assert all(x0 <= row.x <= x1 and y0 <= row.y <= y1 for row in shown.cores)
    assert "only the part in use is drawn" in text_of(report_html(data))


@pytest.mark.parametrize("chip", hwsim.chip_names("neurocore"))
def test_a_report_of_every_chip_that_ships(chip):
    data = report_of(network(), hwsim.load_chip(chip))
    page, content = report_html(data), report_json(data)
    Outline(page)
    json.dumps(content, allow_nan=False)
    assert content["chip"]["name"] == chip
    assert sum(sum(row["layers"].values()) for row in content["cores"]) == 32 + 20 + 3
    known = data.chip.time.sop is not None and data.chip.time.sop.value is not None
    assert all((row["step_s"] is not None) == known for row in content["cores"])
    assert ("the chip's times are not known" in text_of(page)) != known
    assert max(row["busy"] for row in content["cores"]) == 1.0


def test_operations_are_told_apart_where_a_network_has_several_kinds():
    data = report_of(network())
    rows = {row.name: row for row in data.layers}
    assert rows["conv"].sops == rows["conv"].sops_conv > 0
    assert rows["output"].sops == rows["output"].sops_dense > 0
    shown = text_of(report_html(data))
    assert "of them dense" in shown
    assert "convolution" in shown
    for name in ("packets", "packets_in", "sops_dense", "sops_conv"):
        counted = getattr(data.counts, name).sum() / data.counts.n_samples
        assert sum(getattr(row, name) for row in data.layers) == approx(counted)


def test_signed_messages_are_drawn_in_two_colours_and_kept_in_the_json():
    data = report_of(network())
    spikes = {n: np.asarray(s).copy() for n, s in data.raster.spikes.items()}
    spikes["hidden"][2, 3:6] = (-5, 7, 1)
    data = replace(data, raster=replace(data.raster, spikes=spikes))
    page, content = report_html(data), report_json(data)
    assert "Messages below zero are red." in text_of(page)
    payloads = content["raster"]["payloads"]
    assert payloads.keys() == {"hidden"}
    sent = dict(
        zip(map(tuple, content["raster"]["spikes"]["hidden"]), payloads["hidden"], strict=True)
    )
    assert [sent[2, n] for n in (3, 4, 5)] == [-5, 7, 1]
    plain = report_of(network())
    assert "Messages below zero" not in text_of(report_html(plain))
    assert report_json(plain)["raster"]["payloads"] == {}


def test_a_figure_of_its_own_has_the_colours_of_the_page(tmp_path):
    shown = _drawn(2)
    save_figure(lambda width: draw_chip_map(shown, width, title="a $map$"), tmp_path / "map.svg")
    text = (tmp_path / "map.svg").read_text(encoding="utf-8")
    assert "#0100" not in text  # no marker is left
    assert light_colours()["load-6"] in text
    assert light_colours()["heat-6"] in text


def test_a_silent_chip_has_a_map():
    plan = hwsim.compile(network(), small_chips(8))
    counts, sent = simulated(plan, rate=0.0)
    shown = ChipMap.of(plan, counts, sent)
    assert shown.busiest_link == 0
    draw_chip_map(shown, 344.0)


def test_every_kind_of_neuron_has_a_row_and_a_panel():
    word = WeightWord(message_bits=16)
    neurons = {
        "ternary": FixedNeuron.of(v_th=60, emits="ternary", v_th_low=-60),
        "graded": FixedNeuron.of(v_th=60, emits="graded"),
        "sigma_delta": SigmaDelta.of(v_th=3, spike_exp=2, state_exp=2, bias=1),
        "vec": GradedVec.of(v_th=3, activation="relu"),
        "readout": FixedNeuron.of(v_th=900, reset="none", emits="nothing"),
    }
    names = ("in", *neurons)
    populations = (Population("in", (4,)), *(Population(n, (4,), k) for n, k in neurons.items()))
    weight = np.full((4, 4), 2)
    joined = (Projection.of(*ends, Dense.of(weight), word=word) for ends in pairwise(names))
    net = Network(populations, tuple(joined), output="readout")
    plan = hwsim.compile(net, hwsim.load_chip("loihi2"))
    rng = np.random.default_rng(0)
    sent = {name: rng.integers(-3, 4, (6, 4)) for name in names[:-1]}
    zero = Counts.zero(len(plan.parts), n_cores=len(plan.cores), n_tiles=plan.n_tiles)
    counts = replace(zero, n_samples=1, n_steps=6)
    fired = {name: np.count_nonzero(s, axis=0)[None] for name, s in sent.items()}
    run = SimpleNamespace(counts=counts, spike_counts=fired | {"readout": None}, n_steps=6)
    data = ReportInput(
        "kinds", plan, counts, hwsim.price(counts, plan.chip), build_layers(plan, run),
        raster=Raster(sent, output=np.arange(4)),
    )  # fmt: skip
    assert [row.kind for row in data.layers] == [
        "spikes", "ternary", "graded", "sigma_delta", "graded", "nothing",
    ]  # fmt: skip
    shown = text_of(report_html(data))
    for said in ("ternary spikes", "graded spikes", "changes (sigma-delta)", "it is read out"):
        assert said in shown
    assert "Messages below zero are red." in shown
    json.dumps(report_json(data), allow_nan=False)
