"""Chips of crossbars as files, and their bill: it adds up, and hides nothing unknown."""

from importlib import resources

import pytest

import hwsim
from hwsim.chips.files import load_neurocores
from hwsim.chips.spec import CLASSES, Constant
from hwsim.crossbar.spec import CrossbarChip

CHIPS = [hwsim.load_chip(name) for name in hwsim.chip_names("crossbar")]
CONSTANTS = [(c.name, name, constant) for c in CHIPS for name, constant in c.constants().items()]
RRAM = hwsim.load_chip("rram-40nm")
UNITS = {"energy": "J", "time": "s", "power": "W", "area": "m2"}


def test_chips_of_both_families_are_listed_and_loaded():
    names = hwsim.chip_names()
    assert set(names) == {*hwsim.chip_names("neurocore"), *hwsim.chip_names("crossbar")}
    assert "loihi1" in hwsim.chip_names("neurocore")
    assert "rram-40nm" in hwsim.chip_names("crossbar")
    for name in names:
        chip = hwsim.load_chip(name)
        assert isinstance(chip, CrossbarChip) == (name in hwsim.chip_names("crossbar"))
        assert chip.name == name


@pytest.mark.parametrize(
    ("group", "constant"),
    [(name.partition(".")[0], c) for _, name, c in CONSTANTS],
    ids=[f"{chip}:{name}" for chip, name, _ in CONSTANTS],
)
def test_every_constant_of_a_crossbar_says_where_it_comes_from(group, constant):
    assert constant.unit == UNITS[group]
    assert constant.kind in CLASSES
    assert (constant.value is None) == (constant.rel_uncertainty is None)
    assert constant.value is None or constant.value > 0
    assert constant.kind != "D" or len(constant.source + constant.note) > 30


def test_a_chip_of_the_wrong_family_is_refused_in_one_line():
    refused = r"rram-40nm is a chip of crossbars, .* hwsim.chip_names\('neurocore'\)"
    neuron = hwsim.FixedNeuron.of(v_th=60)
    populations = (hwsim.Population("in", (3,)), hwsim.Population("out", (2,), neuron))
    weights = hwsim.Dense.of([[2, 4, 6]] * 2)
    joined = hwsim.Projection.of("in", "out", weights, word=hwsim.WeightWord())
    net = hwsim.Network(populations, (joined,))
    for act in (
        lambda: load_neurocores("rram-40nm"),
        lambda: hwsim.compile(net, RRAM),
        lambda: hwsim.fits(net, RRAM),
    ):
        with pytest.raises(ValueError, match=refused) as error:
            act()
        assert "\n" not in str(error.value)


def test_the_template_of_crossbars_is_a_chip_once_it_is_copied(tmp_path):
    path = tmp_path / "mine.toml"
    made = hwsim.copy_chip("template-crossbar", path)
    assert isinstance(made, CrossbarChip)
    assert made == hwsim.load_chip(path)
    assert made.name == "mine"
    values = {name: c.value for name, c in made.constants().items()}
    assert values == {name: c.value for name, c in RRAM.constants().items()}
    assert made.array.model_dump(exclude={"source"}) == RRAM.array.model_dump(exclude={"source"})
    with pytest.raises(ValueError, match="neuro chips copy template-crossbar"):
        hwsim.load_chip("template-crossbar")
    same = hwsim.copy_chip("rram-40nm", tmp_path / "other.toml")
    assert same.model_dump(exclude={"name"}) == RRAM.model_dump(exclude={"name"})


def test_the_template_of_crossbars_explains_every_key():
    text = (resources.files("hwsim.chips") / "template-crossbar.toml").read_text("utf-8")
    parts = [f.annotation for f in CrossbarChip.model_fields.values()]
    models = [CrossbarChip, *(m for m in parts if hasattr(m, "model_fields"))]
    for key in ({k for m in models for k in m.model_fields} | set(Constant.model_fields)) - {
        "kind"
    }:
        assert key in text, key
    head = text[: text.index("# ---- joules")]
    for line in head.splitlines():
        assert "#" in line or " = " not in line or line.startswith("title"), line


BROKEN = {
    "columns_per_adc = 8": ("columns_per_adc = 0", "output.columns_per_adc"),
    "bits = 8": ("bits = 0", "output.bits"),
    "r_word_ohm = 0.43": ("r_word_ohm = -0.43", "array.r_word_ohm"),
    "r_bit_ohm = 1.29": ("r_bit_ohm = nan", "array.r_bit_ohm"),
    "v_read_volt = 0.2": ("v_read_volt = 0", "array.v_read_volt"),
    "rows = 512": ("rows = 0", "array.rows"),
    "columns = 512": ("columns = 1", "hold no weight"),
    'family = "crossbar"': ('family = "memristor"', "'memristor' is not known"),
    "count = 64": ("count = 1.5", "array.count"),
}


@pytest.mark.parametrize("right", BROKEN)
def test_a_broken_file_is_refused_in_one_line(tmp_path, right):
    wrong, said = BROKEN[right]
    path = tmp_path / "mine.toml"
    hwsim.copy_chip("rram-40nm", path)
    text = path.read_text("utf-8")
    assert text.count(f"\n{right}") == 1
    path.write_text(text.replace(f"\n{right}", f"\n{wrong}"), "utf-8")
    with pytest.raises(ValueError, match=f"mine.toml is not valid: .*{said}") as error:
        hwsim.load_chip(path)
    assert "\n" not in str(error.value)
