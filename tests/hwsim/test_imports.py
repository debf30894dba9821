"""hwsim needs neither torch nor the training side, and joules are written down in one place."""

import re
import subprocess
import sys
from pathlib import Path

import hwsim

ROOT = Path(hwsim.__file__).parent
SOURCES = {p.relative_to(ROOT).as_posix(): p.read_text("utf-8") for p in ROOT.rglob("*.py")}


def test_importing_hwsim_imports_neither_torch_nor_neuro_nor_a_format():
    modules = "hwsim, hwsim.report, hwsim.network_file, hwsim.formats.lava"
    check = f"import {modules}, sys; print(*sorted({{'torch', 'neuro', 'nir'}} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, cwd=ROOT.parent
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []


def test_no_source_of_hwsim_imports_torch_or_neuro():
    imports = re.compile(r"^\s*(?:import|from)\s+(?:torch|neuro|lightning)\b", re.MULTILINE)
    assert [name for name, text in SOURCES.items() if imports.search(text)] == []


def test_no_source_of_hwsim_holds_a_constant_of_a_chip():
    """A literal like 23.6e-12 belongs in a chip's TOML file, with its source."""
    tiny = re.compile(r"(?<!tol=)\b\d+(?:\.\d+)?e-(?:0?[6-9]|1[0-9])\b")
    allowed = {"report", "formats"}  # units and tolerances of figures, never prices
    inside = {n: t for n, t in SOURCES.items() if n.split("/")[0] not in allowed}
    assert [name for name, text in inside.items() if tiny.search(text)] == []


def test_importing_the_report_loads_no_drawing_and_no_torch():
    code = (
        "import sys, hwsim.report; assert not {'matplotlib', 'torch', 'neuro'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
