"""Spiking networks in PyTorch, trained to run on a chip: models, training, export, command line."""
