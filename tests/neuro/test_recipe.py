"""Recipes: all that ships loads; what is wrong is one line that names the field."""

import tomllib
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st
from neuro.datasets import info

import hwsim
from neuro.models.build import build_stack
from neuro.recipe import Recipe, load_recipe, parse_recipe, recipe_names
from neuro.spiking import surrogate

GOOD = """
name = "tiny"
[data]
name = "nmnist-slice"
binning = { n_steps = 4 }
[train]
epochs = 2
[[model.layers]]
name = "conv1"
kind = "conv"
size = 4
[[model.layers]]
name = "readout"
kind = "dense"
neuron = { emits = "nothing" }
"""


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_that_ships_loads_and_builds(name):
    recipe = load_recipe(name)
    about = info(recipe.data.name)
    shape = recipe.data.binning.frame_shape(about.sample_shape)
    stack = build_stack(recipe.model, shape, about.n_classes)
    assert len(stack.blocks) == len(recipe.model.layers)
    hwsim.load_chip(recipe.qat.chip)
    surrogate(recipe.model.surrogate.name, **recipe.model.surrogate.shape)


def test_there_are_recipes():
    assert "digits" in recipe_names()
    assert "nmnist" in recipe_names()


def broken(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


WRONG = {
    "a typo": (broken("epochs = 2", "epohcs = 2"), "train.epo"),
    "an unknown field": (GOOD + "\ndropuot = 0.1\n", "dropuot"),
    "a missing section": (broken("[train]\nepochs = 2", ""), "train: Field required"),
    "an epoch too few": (broken("epochs = 2", "epochs = 0"), "train.epochs"),
    "a word for a number": (broken("epochs = 2", 'epochs = "many"'), "train.epochs"),
    "a negative rate": (broken("epochs = 2", "epochs = 2\nlr = -1.0"), "train.lr"),
    "a NaN": (broken("epochs = 2", "epochs = 2\nlr = nan"), "train.lr"),
    "an infinity": (broken("epochs = 2", "epochs = 2\nlr = inf"), "train.lr"),
    "an unknown kind": (broken('"conv"', '"pool"'), "model.layers.0.kind"),
    "a decay above 1": (broken("emits", "decay_v = 1.5, emits"), "model.layers.1.neuron.decay_v"),
    "an unknown reset": (broken("emits", 'reset = "hard", emits'), "model.layers.1.neuron.reset"),
    "no steps": (broken("n_steps = 4", "n_steps = 0"), "data.binning.n_steps"),
    "a name with a slash": (broken('"tiny"', '"../tiny"'), "name"),
    "a name twice": (broken('"readout"', '"conv1"'), "layer names must be unique"),
    "no layers": ('name = "a"\n[data]\nname = "b"\nbinning = {n_steps = 1}\n[train]\nepochs = 1\n'
                  "[model]\nlayers = []\n", "model.layers"),
    "delays of a dense layer": (
        broken("size = 4", "size = 4\ntaps = 9\nbumps = 2"),
        "layer 'conv1' is conv and has no `taps`, `bumps`: leave it out",
    ),
    "a kernel beyond memory": (
        broken('"conv"\nsize = 4', '"delay"\nsize = 4\ntaps = 1000000000'),
        "model.layers.0.taps: Input should be less than or equal to 10000, got 1000000000",
    ),
    "no TOML": ("name = tiny", "not valid TOML"),
    "nothing": ("", "Field required"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(WRONG))
def test_what_is_wrong_is_one_line_that_names_the_field(what):
    text, says = WRONG[what]
    with pytest.raises(ValueError, match=r"^recipe here\.toml") as error:
        parse_recipe(text, "here.toml")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text):
    with pytest.raises(ValueError, match=r"^recipe here\.toml"):
        parse_recipe(text, "here.toml")  # none of them is a whole recipe


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no recipe file"):
        load_recipe(tmp_path / "no.toml")
    with pytest.raises(ValueError, match="unknown recipe 'nmist': did you mean 'nmnist'"):
        load_recipe("nmist")
    with pytest.raises(ValueError, match=r"unknown recipe 'zzz': there are .*digits"):
        load_recipe("zzz")


def test_a_file_that_is_no_text_is_refused_in_one_line(tmp_path):
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(ValueError, match=r"binary\.toml") as error:
        load_recipe(tmp_path / "binary.toml")
    assert "\n" not in str(error.value)


def test_a_recipe_of_ones_own_is_the_same_as_its_text(tmp_path):
    (tmp_path / "tiny.toml").write_text(GOOD, encoding="utf-8")
    assert load_recipe(tmp_path / "tiny.toml") == parse_recipe(GOOD, "here")
    assert load_recipe(str(tmp_path / "tiny.toml")).digest() == parse_recipe(GOOD, "x").digest()


CHANGES = {
    "name": lambda r: r | {"name": "other"},
    "seed": lambda r: r | {"seed": 1},
    "dt_s": lambda r: r | {"dt_s": 2e-3},
    "data": lambda r: r | {"data": r["data"] | {"fit": "train"}},
    "binning": lambda r: r | {"data": r["data"] | {"binning": {"n_steps": 5}}},
    "train": lambda r: r | {"train": r["train"] | {"lr": 1e-3}},
    "shift": lambda r: r | {"train": r["train"] | {"shift": 1}},
    "qat": lambda r: r | {"qat": {"epochs": 0}},
    "noise": lambda r: r | {"noise": {"epochs": 1}},
    "surrogate": lambda r: r | {"model": r["model"] | {"surrogate": {"name": "box"}}},
    "neuron": lambda r: r
    | {"model": {"layers": [r["model"]["layers"][0] | {"neuron": {"decay_v": 0.5}},
                            r["model"]["layers"][1]]}},
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(CHANGES))
def test_the_digest_changes_with_any_field(field):
    recipe = tomllib.loads(GOOD)
    same, changed = Recipe.model_validate(recipe), Recipe.model_validate(CHANGES[field](recipe))
    assert same.digest() != changed.digest()


@given(st.integers(0, 2**31), st.integers(0, 2**31))
def test_two_seeds_share_a_digest_only_if_equal(a, b):
    recipe = parse_recipe(GOOD, "here")
    assert (recipe.with_seed(a).digest() == recipe.with_seed(b).digest()) == (a == b)


def test_spelling_out_a_default_changes_no_digest():
    spelt = GOOD.replace("epochs = 2", "epochs = 2\nbatch_size = 32")
    assert parse_recipe(spelt, "a").digest() == parse_recipe(GOOD, "b").digest()


UNKNOWN = '[model.surrogate]\nname = "relu"\n[[model'
BUILDS = {
    "a layer without a size": (broken("size = 4\n", ""), "layer 'conv1' needs a `size`"),
    "a kernel beyond its input": (broken("size = 4", "size = 4\nkernel = 50"), "'conv1': a kernel"),
    "a current before a norm": (
        broken("size = 4", "size = 4\nnorm = true\nneuron = { decay_u = 0.5 }"),
        "'conv1': BatchNorm",
    ),
    "groups that do not divide": (broken("size = 4", "size = 3\ngroups = 2"), "'conv1'"),
    "a wrong read-out": (broken('"readout"\nkind = "dense"', '"readout"\nkind = "dense"\nsize = 7'),
                         "'readout' must be dense, or of delays, with 10 neurons"),
    "an unknown surrogate": (GOOD.replace("[[model", UNKNOWN, 1),
                             "unknown surrogate 'relu'"),
    "a silent layer inside": (broken("size = 4", 'size = 4\nneuron = { emits = "nothing" }'),
                              "'conv1'"),
}  # fmt: skip


@pytest.mark.parametrize("what", sorted(BUILDS))
def test_a_layer_that_does_not_suit_is_refused_by_its_name(what):
    text, says = BUILDS[what]
    with pytest.raises(ValueError) as error:  # noqa: PT011 (the message is compared below)
        build_stack(parse_recipe(text, "here").model, (2, 34, 34), 10)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_shipped_recipes_are_read_from_the_package():
    root = resources.files("neuro.experiments")
    for name in recipe_names():
        text = (root / name / "recipe.toml").read_text(encoding="utf-8")
        assert parse_recipe(text, name) == load_recipe(name)
