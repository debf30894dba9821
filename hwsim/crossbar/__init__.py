"""Resistive crossbars: devices, wires, converters, and spiking networks on them."""

from hwsim.crossbar.cells import Cells
from hwsim.crossbar.device import Device
from hwsim.crossbar.device_files import (
    cells_from_csv,
    copy_device,
    device_names,
    load_device,
)

__all__ = [
    "Cells",
    "Device",
    "cells_from_csv",
    "copy_device",
    "device_names",
    "load_device",
]
