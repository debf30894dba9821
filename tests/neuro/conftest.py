"""Shared by the training tests: one thread, exact CPU arithmetic, repeatable draws."""

import os

import pytest

os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the CPU is what these laws are about


@pytest.fixture(autouse=True)
def _one_thread():
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
