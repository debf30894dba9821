"""The wait for the compiler is announced once, and only where there is one."""

from types import SimpleNamespace

import pytest
from numba.core import event

from hwsim.kernels import advance, noc
from neuro.cli.compiling import SAID, compiling_said


def compile_(function):
    """What Numba tells its listeners when it compiles a function it has not on disk."""
    dispatcher = SimpleNamespace(py_func=SimpleNamespace(__module__=function.__module__))
    with event.trigger_event("numba:compile", data={"dispatcher": dispatcher}):
        pass


@pytest.mark.parametrize(("functions", "said"), [((), 0), (("noc",), 0), (("advance",) * 3, 1)])
def test_it_is_said_once_when_the_loop_over_steps_is_compiled(capsys, functions, said):
    own = {"noc": noc.meet, "advance": advance.advance}
    with compiling_said():
        for name in functions:
            compile_(own[name])
    compile_(advance.advance)  # nobody listens any more
    assert capsys.readouterr().err == f"{SAID}\n" * said
