"""A recipe that trains in seconds on recordings that come with the program."""

from neuro.recipe import Recipe, parse_recipe

TINY = """
name = "tiny"
seed = 3
[data]
name = "nmnist-slice"
binning = { n_steps = 5, window_s = 0.31, clip = 1, downsample = 2 }
[train]
epochs = 2
batch_size = 10
lr = 1e-2
shift = 1
[qat]
epochs = 1
calibration = 16
[[model.layers]]
name = "conv1"
kind = "conv"
size = 4
stride = 3
norm = true
dropout = 0.2
[[model.layers]]
name = "readout"
kind = "dense"
neuron = { decay_v = 1.0, emits = "nothing", reset = "none" }
"""


def tiny(text: str = TINY, /, **changes: str) -> Recipe:
    """The recipe, with TOML lines replaced: `tiny(**{"epochs = 2": "epochs = 1"})`."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new, 1)
    return parse_recipe(text, "tiny")
