"""Resistive crossbars: devices, wires, converters, and spiking networks on them.

plan = compile_crossbar(net, chip, samples)  # the real network; blocks on arrays
made = fabricate(plan, seed=0)  # one chip of many
run = simulate_crossbar(made, samples)
bill = hwsim.price(run.counts, chip)
"""

from hwsim.crossbar.cells import Cells
from hwsim.crossbar.chips import Spread, over_chips
from hwsim.crossbar.correction import calibrate_chip
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import cells_from_csv, copy_device, device_names, load_device
from hwsim.crossbar.engine import CrossbarRun, simulate_crossbar
from hwsim.crossbar.formed import FormedPairs, form_pairs
from hwsim.crossbar.made import MadeChip, fabricate
from hwsim.crossbar.mixed import split_network
from hwsim.crossbar.plan import CrossbarPlan, compile_crossbar

__all__ = [
    "Cells",
    "CrossbarPlan",
    "CrossbarRun",
    "Device",
    "FormedPairs",
    "MadeChip",
    "Spread",
    "calibrate_chip",
    "cells_from_csv",
    "compile_crossbar",
    "copy_device",
    "device_names",
    "fabricate",
    "form_pairs",
    "load_device",
    "over_chips",
    "simulate_crossbar",
    "split_network",
]
