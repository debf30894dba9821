"""An array as a SPICE netlist, and what ngspice makes of it: an outside judge of the solvers.

Nodes that an ideal wire joins have one name, for SPICE has no resistor of 0 ohm. Every driver is a
voltage source `vd<row>`, every bit line ends in a source of 0 V, `vs<column>`, that measures.
"""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hwsim.arrays import FloatArray
from hwsim.crossbar.nonlinear import Curve
from hwsim.crossbar.wires import Currents, Wires, conductances, drivers

TOLERANCES = {"reltol": 10.0**-10, "abstol": 10.0**-18, "vntol": 10.0**-18, "gmin": 10.0**-18}


def netlist(g_siemens: FloatArray, v: FloatArray, wires: Wires, curve: Curve | None = None) -> str:
    """A deck that finds the operating point and writes it to `op.raw`, as text, in full digits.

    Args:
        g_siemens: conductances of the cells, (rows, cols).
        v: volts of the drivers, (rows,).
        wires: resistances and ends.
        curve: of the cells; None for linear ones.

    Raises:
        ValueError: as `solve_array`; for a curve that has no formula.
    """
    g = conductances(g_siemens)
    volts = drivers(v, len(g))[0]
    lines = [f"* crossbar of {g.shape[0]} x {g.shape[1]} cells"]
    lines += [f".options {name}={value:g}" for name, value in TOLERANCES.items()]
    lines += [f"vd{i} d{i} 0 {volt!r}" for i, volt in enumerate(volts.tolist())]
    lines += [f"vs{j} s{j} 0 0" for j in range(g.shape[1])]
    lines += _segments(g.shape, wires)
    lines += _cells(g, wires, curve)
    lines += [".control", "set filetype=ascii", "op", "write op.raw", ".endc", ".end"]
    return "\n".join(lines) + "\n"


def _word(i: int, j: int, wires: Wires) -> str:
    if wires.r_word_ohm:
        return f"w{i}_{j}"
    return f"w{i}" if wires.r_driver_ohm else f"d{i}"


def _bit(i: int, j: int, wires: Wires) -> str:
    if wires.r_bit_ohm:
        return f"b{i}_{j}"
    return f"b{j}" if wires.r_sense_ohm else f"s{j}"


def _segments(shape: tuple[int, ...], wires: Wires) -> Iterator[str]:
    """The wires; each end's two resistances are one."""
    rows, cols = shape
    end_word, end_bit = wires.r_word_ohm + wires.r_driver_ohm, wires.r_bit_ohm + wires.r_sense_ohm
    for i in range(rows):
        if wires.r_word_ohm:
            for j in range(1, cols):
                ends = f"{_word(i, j - 1, wires)} {_word(i, j, wires)}"
                yield f"rw{i}_{j} {ends} {wires.r_word_ohm!r}"
        for end, j in (("left", 0), ("right", cols - 1)):
            if end_word and wires.driven in (end, "both"):
                yield f"rd{end}{i} d{i} {_word(i, j, wires)} {end_word!r}"
    for j in range(cols):
        if wires.r_bit_ohm:
            for i in range(1, rows):
                ends = f"{_bit(i - 1, j, wires)} {_bit(i, j, wires)}"
                yield f"rb{i}_{j} {ends} {wires.r_bit_ohm!r}"
        for end, i in (("top", 0), ("bottom", rows - 1)):
            if end_bit and wires.sensed in (end, "both"):
                yield f"rs{end}{j} {_bit(i, j, wires)} s{j} {end_bit!r}"


def _cells(g: FloatArray, wires: Wires, curve: Curve | None) -> Iterator[str]:
    for (i, j), siemens in np.ndenumerate(g):
        word, bit = _word(i, j, wires), _bit(i, j, wires)
        if not siemens:
            continue
        if curve is None:
            yield f"rc{i}_{j} {word} {bit} {1 / float(siemens)!r}"
        else:
            yield f"bc{i}_{j} {word} {bit} i={float(siemens)!r}*{curve.spice(f'v({word},{bit})')}"


def run_ngspice(deck: str, *, timeout_s: float = 600.0) -> dict[str, float]:
    """The operating point of a deck: volts by node, amperes by source, as ngspice names them.

    Raises:
        ValueError: if ngspice is not installed, takes longer, or does not converge.
    """
    program = shutil.which("ngspice")
    if program is None:
        raise ValueError("ngspice is not on PATH: install it (Debian: ngspice) to check netlists")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "deck.cir").write_text(deck, encoding="utf-8")
        try:
            done = subprocess.run(
                [program, "-b", "deck.cir"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(
                f"ngspice took longer than {timeout_s:g} s: raise `timeout_s`"
            ) from None
        raw = Path(folder, "op.raw")
        if not raw.is_file():
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise ValueError(f"ngspice found no operating point: {said[-1] if said else 'silence'}")
        return read_raw(raw.read_text(encoding="utf-8"))


def ngspice_version() -> str | None:
    """Such as `ngspice-39`; None where it is not installed."""
    program = shutil.which("ngspice")
    if program is None:
        return None
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"ngspice-\d+\S*", done.stdout)
    return found[0] if found else None


def read_raw(text: str) -> dict[str, float]:
    """One point of an ngspice file in text form, by the names of its variables.

    Raises:
        ValueError: if it is no such file, or ends early.
    """
    head, found, values = text.partition("\nValues:\n")
    names = re.findall(r"^\t\d+\t(\S+)\t\S+.*$", head, re.MULTILINE)
    numbers = values.split()[1:]  # after the index of the point
    if not found or not names or len(numbers) < len(names):
        raise ValueError(
            f"no ngspice file in text form: {len(names)} variables, {len(numbers)} values"
        )
    return {n.lower(): float(x) for n, x in zip(names, numbers, strict=False)}


def ngspice_currents(
    g_siemens: FloatArray, v: FloatArray, wires: Wires, curve: Curve | None = None
) -> Currents:
    """What ngspice finds for an array: see `netlist` and `run_ngspice`."""
    g = conductances(g_siemens)
    point = run_ngspice(netlist(g, v, wires, curve))
    rows, cols = g.shape
    i_word = [-point[f"i(vd{i})"] for i in range(rows)]
    i_bit = [point[f"i(vs{j})"] for j in range(cols)]
    places = list(np.ndindex(g.shape))
    v_word, v_bit = (
        np.array([point[f"v({name(i, j, wires)})"] for i, j in places]).reshape(g.shape)
        for name in (_word, _bit)
    )
    return Currents(np.array(i_word), np.array(i_bit), v_word, v_bit)
