"""Work in several processes of this machine that end together: all done, or all gone.

A rank that fails, or dies, ends the others, and so does Ctrl-C; a rank goes when its parent does.
"""

import multiprocessing
import os
import pickle
import signal
import socket
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from hwsim._accelerate import threads
from neuro.training.memory import keep_freed_memory
from neuro.training.sharing import Share

HAS_FORK = "forkserver" in multiprocessing.get_all_start_methods()
GRACE_S = 1.0  # for the others to say what they died of: the first has the cause
T = TypeVar("T")
Say = Callable[..., None]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What a rank died of: `at` on the machine's clock, 0 if it could not say."""

    at: float
    said: str
    trace: str
    is_known: bool


def run_ranks(work: Callable[[Share, Say], T], n_ranks: int, hear: Say) -> T:
    """Call `work(share, say)` in `n_ranks` processes, joined by torch's gloo; what rank 0 returns.

    Each has as many threads as torch has here. A script that calls this must start its own work
    below `if __name__ == "__main__"`, as for every use of `multiprocessing`.

    Args:
        work: can be pickled. Rank 0's `say(*words)` calls `hear(*words)` here; others' say nothing.

    Raises:
        ValueError: that a rank raised, or an OSError of it.
        ChildProcessError: if a rank failed otherwise, or was killed.
    """
    context: Any = multiprocessing.get_context("forkserver" if HAS_FORK else "spawn")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # DDP warns where no gradient lacks
    if HAS_FORK:
        context.set_forkserver_preload(["neuro.training.fit"])
    content, processes, ears = pickle.dumps(work), [], []
    with tempfile.TemporaryDirectory(prefix="neuro-") as folder:
        try:
            for rank in range(n_ranks):
                ear, mouth = context.Pipe(duplex=False)
                ears.append(ear)
                args = (content, Share(rank, n_ranks), Path(folder) / "store", mouth)
                process = context.Process(target=_rank, args=(*args, torch.get_num_threads()))
                process.start()
                processes.append(process)
                mouth.close()
            result = _attend(ears, processes, hear)
            for process in processes:
                process.join()
            return result
        finally:
            for process in processes:
                process.kill()
                process.join()
            for ear in ears:
                ear.close()


@contextmanager
def limited_threads(n: int) -> Iterator[None]:
    """Let torch and Numba have no more threads than that; torch keeps them."""
    with threads(n):  # starts Numba's: with OpenMP that gives torch as many
        torch.set_num_threads(n)
        yield


def _attend(ears: list[Connection], processes: list[Any], hear: Say) -> Any:
    """Hear the ranks until all are done, or one fails."""
    open_, failures, result = dict(enumerate(ears)), [], None
    until: float | None = None
    while open_ and (until is None or time.monotonic() < until):
        ready = wait(list(open_.values()), None if until is None else GRACE_S)
        for rank in [r for r, ear in open_.items() if ear in ready]:
            try:
                kind, content = open_[rank].recv()
            except (EOFError, ConnectionError):
                kind, content = "failed", _death(processes[rank])
            if kind == "said":
                hear(*content)
                continue
            del open_[rank]
            if kind == "failed":
                failures.append((content.at, rank, content))
                until = until or time.monotonic() + GRACE_S
            elif rank == 0:
                result = content
    if failures:
        _, rank, first = min(failures, key=lambda failure: failure[:2])
        if first.is_known:
            raise ValueError(first.said)
        raise ChildProcessError(
            f"training process {rank + 1} of {len(ears)} {first.said}; the same command goes on "
            "after the last finished epoch"
        ) from RuntimeError(first.trace)
    return result


def _death(process: Any) -> _Failure:
    process.join(GRACE_S)
    code = process.exitcode
    said = f"ended with exit code {code}"
    if code is not None and code < 0:
        said = f"was ended by {signal.Signals(-code).name}"
    return _Failure(0.0, said, said, False)


def _rank(content: bytes, share: Share, store: Path, mouth: Connection, n_threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent answers to it
    threading.Thread(target=_go_with_parent, daemon=True).start()
    if HAS_FORK:  # for Numba's lock: of another kind it leaves a file where a rank is killed
        multiprocessing.set_start_method("fork", force=True)
    keep_freed_memory()
    try:
        _join(share, store)
        say: Say = (lambda *words: mouth.send(("said", words))) if share.rank == 0 else _silent
        with limited_threads(n_threads):
            result = pickle.loads(content)(share, say)
        dist.barrier()
        mouth.send(("done", result if share.rank == 0 else None))
        dist.destroy_process_group()
    except BaseException as error:
        known = isinstance(error, ValueError | OSError)
        text = " ".join(str(error).split())
        said = text if known else f"failed ({type(error).__name__}: {text})"
        mouth.send(("failed", _Failure(time.monotonic(), said, traceback.format_exc(), known)))
        os._exit(1)  # a group of which one has failed cannot be left in order


def _join(share: Share, store: Path) -> None:
    os.environ["LOCAL_RANK"] = str(share.rank)  # for Lightning: these processes are its own
    own = [name for _, name in socket.if_nameindex() if name.startswith("lo")]
    if own:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", own[0])  # no rank is on another machine
    where = {"rank": share.rank, "world_size": share.n_ranks}
    dist.init_process_group("gloo", init_method=store.as_uri(), **where)
    share.group = dist.new_group()


def _silent(*_: Any) -> None:
    """What other ranks than the first say."""


def _go_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
