"""Resistive crossbars: devices, wires, converters, and spiking networks on them."""
