"""The non-spiking network of the same shape, priced: sums, memories, and what is not known."""

import numpy as np
import pytest

import hwsim
from hwsim.ann import ann_area, ann_bill
from hwsim.chips.accelerator import Accelerator
from hwsim.chips.files import load_accelerator
from hwsim.chips.spec import CLASSES

PRICES = load_accelerator()
UNITS = {"energy": "J", "time": "s", "power": "W", "area": "m2"}


def net(n_in=6, hidden=5, out=3):
    """Two dense layers."""
    sizes, names = (n_in, hidden, out), ("in", "hidden", "out")
    neurons = (None, *(hwsim.Neuron.of(v_th=1.0) for _ in range(2)))
    populations = map(hwsim.Population, names, ((n,) for n in sizes), neurons)
    weights = [hwsim.Dense.of(np.ones((sizes[i + 1], sizes[i]))) for i in range(2)]
    joined = [hwsim.Projection.of(names[i], names[i + 1], weights[i]) for i in range(2)]
    return hwsim.Network(tuple(populations), tuple(joined))


def changed(**fields):
    """The price list with some fields changed."""
    return Accelerator.model_validate(PRICES.model_dump(by_alias=True) | fields)


def test_one_pass_is_priced_as_by_hand():
    bill, e, t = ann_bill(net(), PRICES), PRICES.energy, PRICES.time
    weights = 6 * 5 + 5 * 3
    moved = weights + (6 + 5) + (5 + 3) + 6  # weights, heard, made, input
    latency = weights * t.mac.value + 6 * t.dram_byte.value
    by_hand = {
        "arithmetic": weights * e.mac.value,
        "buffers": weights * 0.25 * e.local_byte.value,
        "sram": moved * e.sram_byte.value,
        "dram": 6 * e.dram_byte.value,
        "static": latency * PRICES.power.chip.value,
    }
    parts = bill.component_j()
    for name, joules in by_hand.items():
        assert parts[name] == pytest.approx(joules, rel=1e-9), name
    assert parts["host"] is None
    assert bill.energy_j == pytest.approx(sum(by_hand.values()), rel=1e-9)
    assert bill.latency_s == pytest.approx(latency, rel=1e-9)
    assert bill.unknown == ("host: the host, seconds (power.host)",)
    assert bill.energy_band.p10 < bill.energy_j < bill.energy_band.p90


def test_weights_that_do_not_fit_come_from_dram_at_every_pass():
    small = changed(sram_bytes=44)
    inside, outside = ann_bill(net(), changed(sram_bytes=45)), ann_bill(net(), small)
    more = outside.component_j()["dram"] - inside.component_j()["dram"]
    assert more == pytest.approx(45 * PRICES.energy.dram_byte.value)
    less = inside.component_j()["sram"] - outside.component_j()["sram"]
    assert less == pytest.approx(45 * PRICES.energy.sram_byte.value)
    thrice = ann_bill(net(), small, n_passes=3)
    assert thrice.energy_j == pytest.approx(3 * outside.energy_j)
    assert thrice.latency_s == pytest.approx(3 * outside.latency_s)


def test_a_kernel_is_stored_once_and_used_everywhere():
    neuron = hwsim.Neuron.of(v_th=1.0)
    image = (hwsim.Population("in", (1, 8, 8)), hwsim.Population("out", (2, 6, 6), neuron))
    kernel = hwsim.Conv2d.of(np.ones((2, 1, 3, 3)))
    bill = ann_bill(hwsim.Network(image, (hwsim.Projection.of("in", "out", kernel),)), PRICES)
    amounts = {t.constant: t.amount for t in bill.energy_terms}
    assert amounts["energy.mac"] == 2 * 36 * 9
    assert amounts["energy.sram_byte"] == 18 + 64 + 72 + 64


def test_every_constant_of_an_accelerator_says_where_it_comes_from():
    for name, constant in PRICES.constants().items():
        assert constant.kind in CLASSES
        assert constant.unit == UNITS[name.partition(".")[0]]
        assert constant.value is None or constant.value > 0


def test_area_is_multipliers_and_memory():
    found = ann_area(PRICES)
    by_hand = 256 * PRICES.area.mac.value + 2**20 * PRICES.area.sram_byte.value
    assert found.m2 == pytest.approx(by_hand)
    assert found.band.p10 < found.m2 < found.band.p90


def test_wrong_lists_and_files_are_refused_in_one_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\n')
    wrong = {
        "is no accelerator: give": lambda: ann_bill(net(), hwsim.load_price_list()),
        "0 passes: give 1": lambda: ann_bill(net(), PRICES, n_passes=0),
        "unknown accelerator 'tpu'": lambda: load_accelerator("tpu"),
        "mine.toml is not valid: title": lambda: load_accelerator(path),
    }
    for said, act in wrong.items():
        with pytest.raises(ValueError, match=said) as error:
            act()
        assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="no accelerator file"):
        load_accelerator(tmp_path / "none.toml")
    units = PRICES.time.model_dump(by_alias=True)
    units["mac"] |= {"unit": "J"}
    with pytest.raises(ValueError, match="is in 'J': it is priced in 's'"):
        changed(time=units)
