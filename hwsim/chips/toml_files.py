"""Specifications as TOML files: those that ship with hwsim, and those of one's own."""

import difflib
import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from hwsim.atomic import write_text

T = TypeVar("T", bound=BaseModel)


def shipped(folder: str) -> dict[str, str]:
    """Text of every TOML file in a folder of hwsim.chips, by name."""
    files = (resources.files("hwsim.chips") / folder).iterdir()
    return {f.name[:-5]: f.read_text(encoding="utf-8") for f in files if f.name.endswith(".toml")}


def pick(what: str, name: str, texts: dict[str, str]) -> str:
    """The text of a name, or a line that suggests the nearest."""
    if name not in texts:
        alike = {n: difflib.SequenceMatcher(None, name.lower(), n).ratio() for n in sorted(texts)}
        near = max(alike, key=lambda n: alike[n])  # of equals the first
        there = f"there are {', '.join(alike)}"
        hint = f"did you mean {near!r}?" if alike[near] > 0.4 else there
        raise ValueError(f"unknown {what} {name!r}: {hint} (or give a `.toml` file)")
    return texts[name]


def own(what: str, path: str) -> str:
    """The text of a file of one's own.

    Raises:
        FileNotFoundError: for a path that does not exist.
        ValueError: for a file that is no text.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no {what} file {path}")
    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not valid TOML: it is no UTF-8 text") from error


def copy(what: str, spec: type[T], text: str, path: Path) -> T:
    """Write a file's text to a new one, checked, under the new file's name.

    Raises:
        ValueError: for a path that cannot name one.
        FileExistsError: if there is such a file: nothing is overwritten.
    """
    if path.suffix != ".toml":
        raise ValueError(f"{path} must end in `.toml`: that is how a {what} file is known")
    if path.exists():
        raise FileExistsError(f"{path} exists and is kept: choose another name")
    text = re.sub(r"^name = .*$", f'name = "{path.stem}"', text, count=1, flags=re.MULTILINE)
    made = parse(spec, str(path), text)
    write_text(path, text)
    return made


def parse(spec: type[T], name: str, text: str) -> T:
    """A specification from the text of a TOML file, or one line that says what is wrong."""
    try:
        return checked(spec, name, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{name} is not valid TOML: {error}") from error


def checked(spec: type[T], name: str, values: object) -> T:
    """A specification from plain data, or one line that says what is wrong."""
    try:
        return spec.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole"
        plain = isinstance(first["input"], bool | int | float | str) and first["type"] != "missing"
        got = f", got {first['input']!r:.60}" if plain else ""
        raise ValueError(
            f"{name} is not valid: {where}: {first['msg']}{got}"
            + (f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else "")
        ) from error
