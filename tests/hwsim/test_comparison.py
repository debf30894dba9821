"""One network on several chips: every row is what its chip's own road gives."""

import json

import numpy as np
import pytest

import hwsim
from hwsim.ann import ann_bill
from hwsim.chips.files import load_accelerator
from hwsim.comparison import compare
from hwsim.crossbar.engine import simulate_crossbar
from hwsim.crossbar.made import fabricate
from hwsim.crossbar.plan import compile_crossbar
from hwsim.report import units
from hwsim.report.comparison_figure import as_text, draw_comparison
from hwsim.report.standalone import save_figure
from tests.crossbar_chips import chip_with, layered, spikes

PRICES = load_accelerator()


def network():
    """A network, samples with labels, and others to calibrate on."""
    rng = np.random.default_rng(5)
    net, x = layered(rng), spikes(rng, 8)
    return net, x, rng.integers(0, 4, 8), spikes(rng, 6)


def test_every_row_is_what_the_chip_alone_gives(tmp_path):
    net, x, labels, held = network()
    small, loihi = chip_with(), hwsim.load_chip("loihi1")
    rows = compare(net, x, labels, held, chips=[loihi, small], accelerator=PRICES, n_chips=3)
    assert [r.name for r in rows] == ["loihi1", "rram-40nm", "ann-int8-45nm"]
    qnet, _ = hwsim.quantize(net, loihi, held)
    alone = hwsim.simulate(hwsim.compile(qnet, loihi, profile=hwsim.profile(qnet, held)), x)
    assert rows[0].bill == hwsim.price(alone.counts, loihi)
    assert rows[0].accuracy == (alone.output.argmax(1) == labels).mean()
    assert rows[0].area_m2 == pytest.approx(60 / 1e6 * alone.counts.n_cores / 128)
    plan = compile_crossbar(net, small, held)
    runs = [simulate_crossbar(fabricate(plan, seed=i), x, seed=i) for i in range(3)]
    right = [(run.output.argmax(1) == labels).mean() for run in runs]
    assert rows[1].accuracy == pytest.approx(np.mean(right))
    assert rows[1].p5_p95 == pytest.approx(tuple(np.percentile(right, [5, 95])))
    counts = runs[0].counts + runs[1].counts + runs[2].counts
    assert rows[1].bill == hwsim.price(counts, small)
    assert rows[2].accuracy is None
    assert rows[2].bill == ann_bill(net, PRICES)
    json.dumps([r.as_dict() for r in rows], allow_nan=False)
    said = "\n".join(as_text(rows))
    assert "3 chips" in said
    band = rows[1].bill.latency_band
    assert f" {units.band(band.median, band.p10, band.p90, 's')} " in said  # one unit
    assert "no spikes: has to be trained" in said
    assert "rram-40nm: not known: static: the chip" in said
    path = tmp_path / "compared.svg"
    save_figure(lambda width: draw_comparison(rows, width), path)
    assert path.stat().st_size > 1000


def test_a_recurrent_network_takes_a_pass_for_every_step_without_spikes():
    net, x, labels, held = network()
    loop = hwsim.Projection.of("layer0", "layer0", hwsim.Dense.of(np.eye(9)), delay=1)
    again = hwsim.Network(net.populations, (*net.projections, loop))
    (row,) = compare(again, x, labels, held, chips=[], accelerator=PRICES)
    assert row.bill == ann_bill(again, PRICES, n_passes=x.shape[1])


def test_labels_are_one_for_each_sample():
    net, x, labels, held = network()
    with pytest.raises(ValueError, match="7 labels for 8 samples: give one for each"):
        compare(net, x, labels[:7], held, chips=[])
