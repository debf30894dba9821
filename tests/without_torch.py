"""Run hwsim's own tests where there is no torch: in a fresh environment, on a newer Python.

`python tests/without_torch.py` takes the newest Python of 3.13, 3.12 that runs, else this one.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-hwsim"
NEEDS = (
    "numpy",
    "numba",
    "h5py",
    "nir",
    "pydantic",
    "matplotlib",
    "scipy",
    "threadpoolctl",
    "pytest",
    "pytest-xdist",
    "hypothesis",
)
CHECK = (
    "import importlib.util as i, sys, hwsim, hwsim.network_file, hwsim.report; "
    "assert i.find_spec('torch') is None, 'torch is installed'; "
    "print(f'hwsim without torch on Python {sys.version.split()[0]}')"
)


def main() -> None:
    """Build the environment if needed, then run the tests of hwsim in it."""
    python = newer_python()
    inside = ENVIRONMENT / "bin" / "python"
    ready = ENVIRONMENT / ".ready"
    if not ready.exists():
        shutil.rmtree(ENVIRONMENT, ignore_errors=True)
        run(python, "-m", "venv", str(ENVIRONMENT))
        pip = (str(inside), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "-c", str(ROOT / "constraints.txt"), *NEEDS)
        run(*pip, "--no-deps", "--editable", str(ROOT))
        ready.touch()
    run(str(inside), "-c", CHECK)
    run(str(inside), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "2", "tests/hwsim")


def newer_python() -> str:
    """The newest Python 3.12 or later that really runs; else the one running this."""
    for version in ("3.13", "3.12"):
        for candidate in candidates(version):
            done = subprocess.run([candidate, "--version"], capture_output=True, text=True)
            if done.returncode == 0 and f"Python {version}" in done.stdout:
                return candidate
    print("no Python 3.12 or 3.13 here: hwsim's tests run without torch on this one")
    return sys.executable


def candidates(version: str) -> list[str]:
    """Interpreters of a version: on PATH, and pyenv's."""
    found = [path] if (path := shutil.which(f"python{version}")) else []
    pyenv = shutil.which("pyenv")
    if pyenv:
        done = subprocess.run([pyenv, "root"], capture_output=True, text=True)
        versions = Path(done.stdout.strip()) / "versions"
        found += [str(p) for p in sorted(versions.glob(f"{version}.*/bin/python"), reverse=True)]
    return found


def run(*command: str) -> None:
    """Run a command in the checkout; stop with its exit code if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": ""})
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
