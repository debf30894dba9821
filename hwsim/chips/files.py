"""Chips and price lists as files: those that ship, and those of one's own."""

import tomllib
from importlib import resources
from pathlib import Path
from typing import Literal

from hwsim.chips import toml_files
from hwsim.chips.accelerator import Accelerator
from hwsim.chips.spec import ChipSpec, PriceList, check_chip
from hwsim.crossbar.spec import CrossbarChip

Chip = ChipSpec | CrossbarChip
Family = Literal["neurocore", "crossbar"]

TEMPLATES = ("template", "template-crossbar")  # files to copy, no chips


def chip_names(family: Family | None = None) -> tuple[str, ...]:
    """Names of the chips that ship with hwsim, of one family or of all."""
    texts = toml_files.shipped("presets")
    return tuple(
        name
        for name in sorted(texts)
        if family in (None, _family(name, texts[name]) or "neurocore")
    )


def load_chip(name: str | Path) -> Chip:
    """A shipped chip by name, or one of your own by the path of its TOML file.

    Raises:
        ValueError: for an unknown name (the nearest is suggested) or a file that is no chip.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        return _beside(_parse(text, toml_files.own("chip", text)), Path(text).parent)
    if text in TEMPLATES:
        raise ValueError(
            f"the template is no chip yet: `neuro chips copy {text} my.toml`, then give `my.toml`"
        )
    return _parse(text, _chip_text(text))


def _beside(chip: Chip, folder: Path) -> Chip:
    """The same chip, its device's file found from the folder of its own file."""
    if not isinstance(chip, CrossbarChip) or not chip.device.endswith(".toml"):
        return chip
    values = chip.model_dump(by_alias=True) | {"device": str(folder / chip.device)}
    return CrossbarChip.model_validate(values)


def load_neurocores(name: str | Path) -> ChipSpec:
    """A chip of neurocores, as `load_chip`.

    Raises:
        ValueError: for a chip of crossbars too.
    """
    return check_chip(load_chip(name))


def copy_chip(name: str, path: Path) -> Chip:
    """Write a shipped chip, or a template, to a new file of yours; the chip takes its name.

    Raises:
        ValueError: for an unknown name, or a path that cannot name a chip.
        FileExistsError: if there is such a file: nothing is overwritten.
    """
    template = resources.files("hwsim.chips") / f"{name}.toml"
    text = template.read_text(encoding="utf-8") if name in TEMPLATES else _chip_text(name)
    if _family(name, text):
        return toml_files.copy("chip", CrossbarChip, text, path)
    return toml_files.copy("chip", ChipSpec, text, path)


def load_price_list(name: str = "cmos45") -> PriceList:
    """A price list that ships with hwsim."""
    texts = toml_files.shipped("prices")
    if name not in texts:
        raise ValueError(f"unknown price list {name!r}: there are {', '.join(sorted(texts))}")
    return toml_files.parse(PriceList, name, texts[name])


def load_accelerator(name: str | Path = "ann-int8-45nm") -> Accelerator:
    """A price list of an ANN accelerator that ships, or one of your own by the path of its file.

    Raises:
        ValueError: for an unknown name, or a file that is none.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        return toml_files.parse(Accelerator, text, toml_files.own("accelerator", text))
    shipped = toml_files.shipped("accelerators")
    return toml_files.parse(Accelerator, text, toml_files.pick("accelerator", text, shipped))


def _chip_text(name: str) -> str:
    return toml_files.pick("chip", name, toml_files.shipped("presets"))


def _family(name: str, text: str) -> str | None:
    """What the file says of its family; None, of neurocores, also where it is no TOML at all."""
    try:
        family = tomllib.loads(text).get("family")
    except tomllib.TOMLDecodeError:
        return None
    if family not in (None, "crossbar"):
        raise ValueError(
            f"{name} is not valid: family: {family!r:.40} is not known, there is 'crossbar'; leave "
            "it out for a chip of neurocores"
        )
    return "crossbar" if family else None


def _parse(name: str, text: str) -> Chip:
    if _family(name, text):
        return toml_files.parse(CrossbarChip, name, text)
    return toml_files.parse(ChipSpec, name, text)
