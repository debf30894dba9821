"""Devices as files: those that ship, those of one's own, and tables of measured conductances."""

from pathlib import Path

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.chips import toml_files
from hwsim.crossbar.cells import Cells
from hwsim.crossbar.device import Device

TEMPLATE = "template"  # a file to copy, no device
UNITS = {"S": 0, "mS": -3, "uS": -6, "µS": -6, "μS": -6, "nS": -9}  # powers of ten


def device_names() -> tuple[str, ...]:
    """Names of the devices that ship with hwsim."""
    return tuple(sorted(toml_files.shipped("devices").keys() - {TEMPLATE}))


def load_device(name: str | Path) -> Device:
    """A shipped device by name, or one of your own by the path of its TOML file.

    Raises:
        ValueError: for an unknown name (the nearest is suggested) or a file that is no device.
        FileNotFoundError: for a path that does not exist.
    """
    text = str(name)
    if text.endswith(".toml"):
        return toml_files.parse(Device, text, toml_files.own("device", text))
    if text == TEMPLATE:
        raise ValueError(
            "the template is no device yet: `hwsim.crossbar.copy_device('template', "
            "Path('my.toml'))`, then give `my.toml`"
        )
    return toml_files.parse(Device, text, _text(text))


def copy_device(name: str, path: Path) -> Device:
    """Write a shipped device, or `template`, to a new file of yours; the device takes its name.

    Raises:
        ValueError: for an unknown name, or a path that cannot name a device.
        FileExistsError: if there is such a file: nothing is overwritten.
    """
    text = toml_files.shipped("devices")[TEMPLATE] if name == TEMPLATE else _text(name)
    return toml_files.copy("device", Device, text, path)


def _text(name: str) -> str:
    devices = toml_files.shipped("devices")
    return toml_files.pick("device", name, {n: devices[n] for n in devices if n != TEMPLATE})


def cells_from_csv(
    path: Path, device: Device, rng: np.random.Generator, *, unit: str | None = None
) -> Cells:
    """Cells with measured conductances: a comma between columns, a line a row.

    They have these conductances at time 0, and age and are read by the device's laws.

    Args:
        path: the table; lines that begin with # are comments, one of them may be `# unit: uS`.
        device: what kind of cells they are.
        rng: of what the table does not say.
        unit: S, mS, uS or nS, if no line of the file says it.

    Raises:
        ValueError: naming the line of what is no table of conductances of the device's window.
        FileNotFoundError: if there is no such file.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no table: it is no UTF-8 text") from error
    power = UNITS[_unit(path, lines, unit)]
    rows = [
        _row(path, number, line)
        for number, line in enumerate(lines, 1)
        if line.strip() and not line.startswith("#")
    ]
    if not rows:
        raise ValueError(f"{path} has no conductances")
    for number, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ValueError(
                f"{path}, row {number} has {len(row)} conductances, the first {len(rows[0])}"
            )
    g: FloatArray = np.array(rows) / 10.0**-power
    try:
        return device.measured(g, rng)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _unit(path: Path, lines: list[str], unit: str | None) -> str:
    said = [x[1:].split(":", 1)[1].strip() for x in lines if x.startswith("#") and _is_unit(x)]
    if unit is not None:
        said.append(unit)
    if not said:
        raise ValueError(f"{path} does not say its unit: add a line `# unit: uS`, or give `unit`")
    if said[-1] not in UNITS:
        raise ValueError(f"{path}: the unit is {said[-1]!r}, must be one of {', '.join(UNITS)}")
    if len({UNITS.get(u) for u in said}) > 1:
        raise ValueError(f"{path} is in {said[0]}, but {said[-1]} is asked for: leave one out")
    return said[0]


def _is_unit(line: str) -> bool:
    return ":" in line and line[1:].split(":", 1)[0].strip() == "unit"


def _row(path: Path, number: int, line: str) -> list[float]:
    row = []
    for column, word in enumerate(line.split(","), 1):
        try:
            row.append(float(word))
        except ValueError:
            raise ValueError(
                f"{path}, line {number}, column {column}: {word.strip()!r} is no number"
            ) from None
    return row
