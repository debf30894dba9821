"""Memory that is freed between two steps stays with the process."""

import subprocess
import sys

import pytest

TAKE_AND_FREE = """
import resource, sys
import torch
from neuro.training.memory import keep_freed_memory

def pages(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        [torch.ones(2**21) for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if not keep_freed_memory():
    sys.exit(77)
pages(2)
print(pages(20))
"""


def test_arrays_of_every_step_are_made_of_pages_once():
    command = [sys.executable, "-c", TAKE_AND_FREE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 77:
        pytest.skip("this C library has no mallopt")
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 5_000  # else some 18,000
