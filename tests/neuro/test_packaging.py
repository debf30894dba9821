"""What is installed is what is here: packages, data files, references."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOL = PROJECT["tool"]["setuptools"]
FOLDERS = TOOL["package-dir"]  # package -> folder, of the outermost packages
DATA = (".toml", ".css", ".html", ".zip", ".typed")


def folder_of(package):
    """Where a package lives."""
    outer = max((p for p in FOLDERS if package == p or package.startswith(p + ".")), key=len)
    inner = package[len(outer) :].strip(".").split(".")
    return ROOT / FOLDERS[outer] / Path(*filter(None, inner))


def packages_here():
    """Every folder with an __init__.py below the outermost ones, as a package."""
    for outer, folder in FOLDERS.items():
        for init in (ROOT / folder).rglob("__init__.py"):
            inner = init.parent.relative_to(ROOT / folder).parts
            yield ".".join((outer, *inner))


def covered(path):
    """Whether package-data ships a file."""
    return any(
        path in folder_of(package).glob(pattern)
        for package, patterns in TOOL["package-data"].items()
        for pattern in patterns
    )


def test_the_list_of_packages_is_that_of_the_folders():
    listed = TOOL["packages"]
    assert len(set(listed)) == len(listed)
    assert sorted(listed) == sorted(packages_here())


def test_every_module_lies_in_a_package_that_is_listed():
    """Or it would work from the checkout and be missing from the wheel."""
    folders = {folder_of(package) for package in TOOL["packages"]}
    shipped = [m for folder in FOLDERS.values() for m in (ROOT / folder).rglob("*.py")]
    assert not [
        module for module in shipped if module.parent not in folders and not covered(module)
    ]


def test_every_data_file_is_shipped():
    files = [
        path
        for folder in FOLDERS.values()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in DATA and "__pycache__" not in path.parts
    ]
    assert {".toml", ".css", ".html", ".zip", ".typed"} <= {path.suffix for path in files}
    assert not [path.relative_to(ROOT) for path in files if not covered(path)]


def test_no_pattern_of_package_data_is_empty():
    for package, patterns in TOOL["package-data"].items():
        for pattern in patterns:
            assert list(folder_of(package).glob(pattern)), f"{package}: {pattern}"


def test_every_paper_that_is_cited_is_in_the_references():
    bibliography = ROOT / "REFERENCES.bib"
    known = re.findall(r"@\w+\{(\w+),", bibliography.read_text(encoding="utf-8"))
    assert len(set(known)) == len(known)
    sources = [
        path
        for folder in FOLDERS.values()
        for path in (ROOT / folder).rglob("*")
        if path.suffix in (".py", ".toml", ".md") and path.is_file()
    ]
    cited = {
        key
        for path in sources
        for bracket in re.findall(r"\[[^\[\]]*\]", path.read_text(encoding="utf-8"))
        for key in re.findall(r"(?<=[\[; ])[A-Z][A-Za-z]+(?:19|20)\d\d[a-z]?(?=[\]; ,])", bracket)
    }
    assert {"Davies2018", "Wu2018", "Chowdhury2021"} <= cited
    assert not cited - set(known)


def test_the_command_is_installed_and_starts_as_a_module_too():
    (script,) = entry_points(group="console_scripts", name="neuro")
    assert script.value == PROJECT["project"]["scripts"]["neuro"]
    done = subprocess.run(
        [sys.executable, "-m", "neuro", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == PROJECT["project"]["version"]


def test_the_command_line_starts_without_torch():
    """`neuro --help` is no matter of seconds."""
    code = "import sys, neuro.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_no_two_files_of_tests_have_one_name():
    """Where no folder of tests is a package, pytest could not tell them apart."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
