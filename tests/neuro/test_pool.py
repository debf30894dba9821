"""Cases of experiments in processes of one thread each."""

import operator
import os

import pytest

from experiments.pool import THREADS, finished


@pytest.fixture(autouse=True)
def _threads(monkeypatch):
    for name in THREADS:
        monkeypatch.setenv(name, "3")


def test_every_case_comes_back_with_what_was_made_of_it():
    asked = [(7, 2), (9, 4), (5, 5)]
    found = dict(finished(operator.mod, asked, 2))
    assert found == {(7, 2): 1, (9, 4): 1, (5, 5): 0}


def test_processes_have_one_thread_each_and_an_error_ends_all():
    found = dict(finished(os.getenv, [(name,) for name in THREADS], 1))
    assert found == {(name,): "1" for name in THREADS}
    with pytest.raises(ZeroDivisionError):
        list(finished(operator.truediv, [(4, 2), (1, 0), (6, 2)], 1))
