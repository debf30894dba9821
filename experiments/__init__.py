"""Recipes of the committed experiments, found by name by `neuro train`."""
