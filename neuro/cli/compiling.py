"""Say what a command waits for the first time: the simulator is compiled, then kept on disk."""

from collections.abc import Iterator
from contextlib import contextmanager

from neuro.cli.console import err

SLOW = "hwsim.kernels.advance"  # the loop over time steps, nearly all of what is compiled
SAID = "compiling the simulator for this kind of network, once on this machine (about 30 s)"


@contextmanager
def compiling_said() -> Iterator[None]:
    """Print a line as soon as the simulator has to be compiled; none if it is on disk."""
    from numba.core import event

    said = False

    class Listener(event.Listener):
        def on_start(self, event: event.Event) -> None:
            nonlocal said
            if not said and event.data["dispatcher"].py_func.__module__ == SLOW:
                said = True
                err.print(SAID, highlight=False)

        def on_end(self, event: event.Event) -> None:
            pass

    with event.install_listener("numba:compile", Listener()):
        yield
