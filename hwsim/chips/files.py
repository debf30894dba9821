"""Chips and price lists as files: those that ship, and those of one's own."""

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hwsim.atomic import write_text
from hwsim.chips.spec import ChipSpec, PriceList

T = TypeVar("T", bound=BaseModel)

TEMPLATE = "template"  # a file to copy, no chip


def chip_names() -> tuple[str, ...]:
    """Names of the chips that ship with hwsim."""
    return tuple(sorted(_shipped("presets")))


def load_chip(name: str | Path) -> ChipSpec:
    """A shipped chip by name, or one of your own by the path of its TOML file.

    Raises:
        ValueError: for an unknown name (the nearest is suggested) or a file that is no chip.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        if not Path(text).is_file():
            raise FileNotFoundError(f"no chip file {text}")
        try:
            return _parse(ChipSpec, text, Path(text).read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{text} is not valid TOML: it is no UTF-8 text") from error
    if text == TEMPLATE:
        raise ValueError(
            "the template is no chip yet: `neuro chips copy template my.toml`, then give `my.toml`"
        )
    return _parse(ChipSpec, text, _chip_text(text))


def copy_chip(name: str, path: Path) -> ChipSpec:
    """Write a shipped chip, or `template`, to a new file of yours; the chip takes its name.

    Raises:
        ValueError: for an unknown name, or a path that cannot name a chip.
        FileExistsError: if there is such a file: nothing is overwritten.
    """
    if path.suffix != ".toml":
        raise ValueError(f"{path} must end in `.toml`: that is how a chip file is known")
    if path.exists():
        raise FileExistsError(f"{path} exists and is kept: choose another name")
    shipped = resources.files("hwsim.chips") / f"{TEMPLATE}.toml"
    text = shipped.read_text(encoding="utf-8") if name == TEMPLATE else _chip_text(name)
    text = re.sub(r"^name = .*$", f'name = "{path.stem}"', text, count=1, flags=re.MULTILINE)
    chip = _parse(ChipSpec, str(path), text)
    write_text(path, text)
    return chip


def load_price_list(name: str = "cmos45") -> PriceList:
    """A price list that ships with hwsim."""
    shipped = _shipped("prices")
    if name not in shipped:
        raise ValueError(f"unknown price list {name!r}: there are {', '.join(sorted(shipped))}")
    return _parse(PriceList, name, shipped[name])


def _chip_text(name: str) -> str:
    shipped = _shipped("presets")
    if name not in shipped:
        alike = {n: difflib.SequenceMatcher(None, name.lower(), n).ratio() for n in sorted(shipped)}
        near = max(alike, key=lambda n: alike[n])  # of equals the first
        there = f"there are {', '.join(alike)}"
        hint = f"did you mean {near!r}?" if alike[near] > 0.4 else there
        raise ValueError(f"unknown chip {name!r}: {hint} (or give a `.toml` file)")
    return shipped[name]


def _shipped(folder: str) -> dict[str, str]:
    files = (resources.files("hwsim.chips") / folder).iterdir()
    return {f.name[:-5]: f.read_text(encoding="utf-8") for f in files if f.name.endswith(".toml")}


def _parse(spec: type[T], name: str, text: str) -> T:
    try:
        return spec.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not valid TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(
            f"{name} is not valid: {where}: {first['msg']}"
            + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else "")
        ) from error
