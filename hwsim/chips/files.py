"""Chips and price lists as files: those that ship, and those of one's own."""

from importlib import resources
from pathlib import Path

from hwsim.chips import toml_files
from hwsim.chips.spec import ChipSpec, PriceList

TEMPLATE = "template"  # a file to copy, no chip


def chip_names() -> tuple[str, ...]:
    """Names of the chips that ship with hwsim."""
    return tuple(sorted(toml_files.shipped("presets")))


def load_chip(name: str | Path) -> ChipSpec:
    """A shipped chip by name, or one of your own by the path of its TOML file.

    Raises:
        ValueError: for an unknown name (the nearest is suggested) or a file that is no chip.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        return toml_files.parse(ChipSpec, text, toml_files.own("chip", text))
    if text == TEMPLATE:
        raise ValueError(
            "the template is no chip yet: `neuro chips copy template my.toml`, then give `my.toml`"
        )
    return toml_files.parse(ChipSpec, text, _chip_text(text))


def copy_chip(name: str, path: Path) -> ChipSpec:
    """Write a shipped chip, or `template`, to a new file of yours; the chip takes its name.

    Raises:
        ValueError: for an unknown name, or a path that cannot name a chip.
        FileExistsError: if there is such a file: nothing is overwritten.
    """
    template = resources.files("hwsim.chips") / f"{TEMPLATE}.toml"
    text = template.read_text(encoding="utf-8") if name == TEMPLATE else _chip_text(name)
    return toml_files.copy("chip", ChipSpec, text, path)


def load_price_list(name: str = "cmos45") -> PriceList:
    """A price list that ships with hwsim."""
    texts = toml_files.shipped("prices")
    if name not in texts:
        raise ValueError(f"unknown price list {name!r}: there are {', '.join(sorted(texts))}")
    return toml_files.parse(PriceList, name, texts[name])


def _chip_text(name: str) -> str:
    return toml_files.pick("chip", name, toml_files.shipped("presets"))
