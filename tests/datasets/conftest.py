"""Shared by the data set tests: the folder with more data, and caches that tests may spoil."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURO_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def no_data(tmp_path, monkeypatch):
    """A root without any data set."""
    monkeypatch.setenv("NEURO_DATA", str(tmp_path / "nothing"))
    return tmp_path / "nothing"


@pytest.fixture(scope="session")
def data():
    """Ask for a file under `NEURO_DATA`; skip, with the reason, where it is not there."""

    def root_with(file):
        root = Path(os.environ.get("NEURO_DATA", ""))
        if "NEURO_DATA" not in os.environ or not (root / file).exists():
            pytest.skip(f"set NEURO_DATA to a folder with {file}")
        return root

    return root_with
