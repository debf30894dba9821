"""A chip of crossbars at other nodes and bits: stated rules, wider bands, nothing invented."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hwsim
import hwsim.crossbar
from hwsim.crossbar.macro import mean_conductance, per_operation, published
from hwsim.crossbar.scaling import (
    adc_energy,
    at_node,
    scaling,
    with_adc_bits,
    with_array_size,
)
from hwsim.crossbar.spec import CrossbarChip

RRAM = hwsim.load_chip("rram-40nm")
ADC = scaling().adc
nodes = st.floats(14.0, 130.0).map(lambda nm: nm / 1e9)


@pytest.mark.parametrize(
    ("nm", "bits", "pico"), [(130, 4, 12.9), (65, 7, 4.97), (40, 8, 2.60), (14, 10, 0.698)]
)
def test_the_table_gives_the_published_figures_and_a_band_to_the_survey(nm, bits, pico):
    at = adc_energy(bits, nm / 1e9)
    assert at.value / (1 + at.rel_uncertainty) == pytest.approx(pico / 1e12, rel=1e-9)
    assert at.value * (1 + at.rel_uncertainty) == pytest.approx(2 * pico / 1e12, rel=1e-9)


@given(node=nodes, bits=st.floats(4, 9))
def test_a_conversion_costs_more_with_bits_and_less_with_smaller_nodes(node, bits):
    at = adc_energy(bits, node).value
    assert adc_energy(bits + 1, node).value > at
    assert node > 120 / 1e9 or adc_energy(bits, node * 1.05).value > at
    k = np.searchsorted(ADC.node_m, node)
    inside = [adc_energy(bits, ADC.node_m[i]).value for i in (max(k - 1, 0), min(k, 4))]
    assert inside[0] * (1 - 1e-9) <= at <= inside[1] * (1 + 1e-9)


def test_beyond_the_table_nothing_is_known():
    assert adc_energy(3, RRAM.node_m).value == adc_energy(4, RRAM.node_m).value
    for bits in (11, None):
        assert adc_energy(bits, RRAM.node_m).value is None
        assert with_adc_bits(RRAM, bits).energy.adc.value is None
    for nm in (7, 180):
        with pytest.raises(
            ValueError, match=r"reach from 1\.4e-08 to 1\.3e-07 m, give one between"
        ):
            at_node(RRAM, nm / 1e9)
    with pytest.raises(ValueError, match="converter of 0 bits: give 1 or more"):
        adc_energy(0, RRAM.node_m)


def test_the_preset_takes_its_converter_from_the_table():
    table = adc_energy(8, RRAM.node_m)
    assert pytest.approx(table.value, rel=1e-3) == RRAM.energy.adc.value
    assert pytest.approx(table.rel_uncertainty, rel=1e-3) == RRAM.energy.adc.rel_uncertainty


@pytest.mark.parametrize("bits", range(3, 9))
def test_other_bits_are_priced_anew_and_the_rest_is_kept(bits):
    chip = with_adc_bits(RRAM, bits)
    assert chip.output.bits == bits
    ratio = adc_energy(bits, RRAM.node_m).value / adc_energy(8, RRAM.node_m).value
    assert chip.energy.adc.value == pytest.approx(RRAM.energy.adc.value * ratio)
    assert chip.time.adc.value == pytest.approx(RRAM.time.adc.value * bits / 8)
    ours, theirs = chip.constants(), RRAM.constants()
    changed = {name for name in ours if ours[name] != theirs[name]}
    assert changed <= {"energy.adc", "time.adc"}
    with pytest.raises(ValueError, match=r"output.bits"):
        with_adc_bits(RRAM, 17)
    plain = RRAM.model_dump(by_alias=True)
    amplifiers = CrossbarChip.model_validate(plain | {"output": {"kind": "sense"}})
    with pytest.raises(ValueError, match="has sense amplifiers, no converters"):
        with_adc_bits(amplifiers, bits)


def test_every_constant_has_one_rule():
    named = [name for rule in scaling().rules.values() for name in rule.constants]
    assert sorted([*named, "energy.adc"]) == sorted(RRAM.constants())


@given(node=nodes)
def test_constants_go_as_their_power_of_the_node_and_bands_grow(node):
    chip, ratio = at_node(RRAM, node), node / RRAM.node_m
    assert chip.node_m == node
    before, after = RRAM.constants(), chip.constants()
    for rule in scaling().rules.values():
        for name in rule.constants:
            if before[name].value is None:
                assert after[name] == before[name]
                continue
            expected = before[name].value * ratio**rule.exponent
            assert after[name].value == pytest.approx(expected, rel=1e-9)
            wider = (1 + before[name].rel_uncertainty) * max(ratio, 1 / ratio) ** rule.uncertainty
            assert after[name].rel_uncertainty == pytest.approx(min(wider - 1, 10), rel=1e-9)
    table = adc_energy(8, node).value / adc_energy(8, RRAM.node_m).value
    assert after["energy.adc"].value == pytest.approx(before["energy.adc"].value * table)
    assert chip.array.r_word_ohm / chip.array.r_bit_ohm == pytest.approx(0.43 / 1.29)


def test_there_and_back_is_the_same_chip_with_wider_bands():
    back = at_node(at_node(RRAM, 22 / 1e9), RRAM.node_m)
    for name, constant in RRAM.constants().items():
        assert back.constants()[name].value == pytest.approx(constant.value)
    assert back.array.r_bit_ohm == pytest.approx(RRAM.array.r_bit_ohm)
    assert at_node(RRAM, RRAM.node_m) is RRAM


def test_wires_of_smaller_nodes_resist_more_than_their_squares_do():
    """Copper's surfaces: below 130 nm the resistance grows faster than 1 / node."""
    small, large = at_node(RRAM, 20 / 1e9).array, at_node(RRAM, 80 / 1e9).array
    assert 4 < small.r_bit_ohm / large.r_bit_ohm < 16
    w = 1.75 * RRAM.node_m
    rho = (1.68 + 6.7 / (w * 1e8)) / 1e8
    assert pytest.approx(rho * 4 * RRAM.node_m / (2 * w**2), rel=0.01) == RRAM.array.r_word_ohm
    assert pytest.approx(3 * RRAM.array.r_word_ohm) == RRAM.array.r_bit_ohm


def test_an_operation_of_a_full_array_costs_what_its_events_do():
    """Two operations per multiply-accumulate of 512 rows and 256 signed weights, priced by hand."""
    found, e, t = per_operation(RRAM, g_mean_siemens=1e-5), RRAM.energy, RRAM.time
    n = 2 * 512 * 256
    assert found.operations == n
    by_hand = {
        "cells": 512 * 512 * 0.2**2 / 1e5 * t.pulse.value,
        "lines": 512 * e.wordline.value + 512 * e.bitline.value,
        "drivers": 512 * e.driver.value,
        "converters": 256 * e.adc.value,
        "digital": 256 * e.mux.value + 512 * e.buffer_bit.value,
        "neurons": 256 * e.update.value,
        "control": e.control.value,
        "static": (t.pulse.value + 8 * t.adc.value + t.update.value) * RRAM.power.array.value,
    }
    for part, joules in by_hand.items():
        assert found.components_j[part] == pytest.approx(joules / n, rel=1e-9), part
    assert found.energy_j == pytest.approx(sum(by_hand.values()) / n, rel=1e-9)
    serial = per_operation(RRAM, input_bits=8, driven=0.5, g_mean_siemens=1e-5)
    assert serial.components_j["cells"] == pytest.approx(4 * found.components_j["cells"])
    assert serial.components_j["converters"] == pytest.approx(8 * found.components_j["converters"])
    assert serial.components_j["neurons"] == pytest.approx(found.components_j["neurons"])
    for wrong in ({"input_bits": 0}, {"driven": 0.0}, {"driven": 1.1}):
        with pytest.raises(ValueError, match="give 1 bit or more"):
            per_operation(RRAM, **wrong)


def test_the_preset_lies_among_the_published_macros_of_its_family():
    """0.0135 to 0.221 pJ an operation; ours with one pulse or eight, cells as they are formed."""
    least, most = sorted(macro.joules_per_op for macro in published("taox-40nm"))
    assert least == pytest.approx(0.0135 / 1e12, rel=0.01)
    assert most == pytest.approx(0.221 / 1e12, rel=0.01)
    for bits, driven in ((1, 1.0), (8, 0.5)):
        assert least < per_operation(RRAM, input_bits=bits, driven=driven).energy_j < most
    assert published("no such device") == ()
    formed = mean_conductance(hwsim.crossbar.load_device("taox-40nm"))
    assert formed == pytest.approx((0.505 * 0.1 + 0.495 * 12.31) / 1e6, rel=0.03)


def test_arrays_of_another_size_hold_as_many_cells():
    small = with_array_size(RRAM, 128, 256)
    assert (small.array.rows, small.array.columns) == (128, 256)
    assert small.array.count == 64 * 512 * 512 // (128 * 256)
    for name, factor in (
        ("energy.wordline", 256 / 512),
        ("energy.driver", 256 / 512),
        ("energy.control", 384 / 1024),
        ("power.array", 384 / 1024),
        ("area.digital", 384 / 1024),
        ("energy.bitline", 1.0),
        ("energy.adc", 1.0),
    ):
        ratio = small.constants()[name].value / RRAM.constants()[name].value
        assert ratio == pytest.approx(factor), name
    assert small.name == "rram-40nm-128x256"
    assert with_array_size(RRAM, 512, 512) == RRAM
    with pytest.raises(ValueError, match="0 x 512 cells"):
        with_array_size(RRAM, 0, 512)
    with pytest.raises(ValueError, match="1 or more rows, 2 or more columns"):
        with_array_size(RRAM, 512, 1)
