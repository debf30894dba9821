"""One thread, exact CPU arithmetic, repeatable draws; and the command line in this process."""

import os
import sys

import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the CPU is what these laws are about


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture
def call(capsys, monkeypatch):
    """Run `neuro ...` in this process: (exit code, stdout, stderr)."""
    from neuro import cli

    monkeypatch.delenv("NEURO_DEBUG", raising=False)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["neuro", *map(str, words)])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def neuro(call, tmp_path, monkeypatch):
    """The same in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return call
