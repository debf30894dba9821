"""Models, one file each, built from `neuro.spiking`."""
