"""A peer in a process of its own: our side of `benchmarks.serve`, and what it is handed."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import NotHere, Once
from hwsim.arrays import AnyArray
from hwsim.formats.lava import find_python310
from hwsim.network import Network
from hwsim.neuron import FixedNeuron, Neuron
from hwsim.synapses import Dense, Sparse

ROOT = Path(__file__).parents[1]
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


@contextmanager
def served(command: list[str], folder: Path) -> Iterator[tuple[dict[str, Any], Once]]:
    """Start a peer on a folder; facts it told, and a function that runs it once.

    Raises:
        NotHere: if it stops with an error, of which the last line is told.
    """
    # a pipe that nobody reads fills up and stops the peer: its talk goes to a file
    with tempfile.TemporaryFile("w+", encoding="utf-8") as talk:
        child = subprocess.Popen(
            [*command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=talk,
            text=True,
            cwd=folder,
            env=_environment(),
            start_new_session=True,  # a group of its own, to be ended as a whole
        )

        def read() -> dict[str, Any]:
            assert child.stdout is not None
            line = "-"
            while line and not line.startswith("{"):  # NEST greets before it can be quieted
                line = child.stdout.readline()
            if not line:
                child.wait()
                talk.seek(0)
                said = talk.read().strip().splitlines()
                raise NotHere(said[-1] if said else f"it ended with code {child.returncode}")
            answer: dict[str, Any] = json.loads(line)
            return answer

        def once() -> dict[str, float]:
            assert child.stdin is not None
            child.stdin.write("\n")
            child.stdin.flush()
            return read()

        try:
            yield read(), once
        finally:
            _end(child)


def _end(child: "subprocess.Popen[str]") -> None:
    """No more lines to read: the peer ends by itself; what it started and left is ended."""
    assert child.stdin is not None
    assert child.stdout is not None
    with suppress(BrokenPipeError):
        child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        child.wait(timeout=30)
    with suppress(ProcessLookupError):  # the group is empty
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def _environment() -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONHOME"}
    return kept | ONE_THREAD | {"PYTHONPATH": str(ROOT)}


def here(module: str, script: str) -> list[str]:
    """Command of a peer that lives beside us.

    Raises:
        NotHere: if its package is not installed.
    """
    if importlib.util.find_spec(module) is None:
        raise NotHere("not installed: `pip install -e .[bench]`")
    return [sys.executable, str(ROOT / "benchmarks" / "peers" / script)]


def apart(script: str) -> list[str]:
    """Command of a peer that needs packages older than ours: uv makes it an environment.

    Raises:
        NotHere: if uv or Python 3.10 is not installed.
    """
    beside = Path(sys.executable).with_name("uv")
    uv = shutil.which("uv") or (str(beside) if beside.is_file() else None)
    if uv is None:
        raise NotHere("uv makes its environment and is not installed: `pip install uv`")
    try:
        python = find_python310()
    except ValueError as error:
        raise NotHere(str(error)) from None
    path = ROOT / "benchmarks" / "peers" / script
    return [uv, "run", "--quiet", "--python", str(python), "--script", str(path)]


def write_network(net: Network, shift: dict[str, int], samples: AnyArray, folder: Path) -> None:
    """Write network.npz: `description` (JSON), `inputs` (samples, steps, neurons), and arrays.

    populations     [{name, size, start, ...}] with numbers; those that differ from neuron to
                    neuron are arrays `{name}/{field}`
    projections     [{source, target, delay}]: weights `weight{i}` (targets, sources), or CSR
                    `indptr{i}`, `target{i}`, `weight{i}`, `delay{i}`
    """
    arrays: dict[str, AnyArray] = {"inputs": samples.reshape(*samples.shape[:2], -1)}
    populations = []
    for p in net.populations:
        record: dict[str, object] = {"name": p.name, "size": p.size, "start": shift[p.name]}
        for field in _fields(p.neuron):
            value = np.asarray(getattr(p.neuron, field))
            if value.size == 1:
                record[field] = value.item()
            else:
                arrays[f"{p.name}/{field}"] = value
        populations.append(record)
    projections = []
    for i, q in enumerate(net.projections):
        assert isinstance(q.synapses, Dense | Sparse)
        arrays[f"weight{i}"] = q.synapses.weight
        if isinstance(q.synapses, Sparse):
            arrays |= {f"indptr{i}": q.synapses.indptr, f"target{i}": q.synapses.target}
        if q.delay.ndim:
            arrays[f"delay{i}"] = q.delay
        alike = None if q.delay.ndim else int(q.delay)
        projections.append({"source": q.source, "target": q.target, "delay": alike})
    description = {
        "n_steps": samples.shape[1],
        "window": samples.shape[1] + max(shift.values()),
        "populations": populations,
        "projections": projections,
    }
    np.savez(folder / "network.npz", description=np.array(json.dumps(description)), **arrays)


def _fields(neuron: Neuron | FixedNeuron | None) -> tuple[str, ...]:
    if neuron is None:
        return ()
    if isinstance(neuron, FixedNeuron):
        return ("du", "dv", "v_th")
    return ("decay_v", "v_th", "bias", "v_init", "refractory")
