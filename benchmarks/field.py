"""Who runs what, what is unfair about it, and the ratios that hwsim is held to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import served
from benchmarks.ours import ALONE, BATCH, Ours
from benchmarks.timing import Once, timed
from benchmarks.torch_loop import TorchLoop
from hwsim.formats.lava import export_lava, verify_lava
from hwsim.mapping.plan import Plan

Started = tuple[dict[str, Any], Once]


@dataclass(frozen=True)
class Peer:
    """A contestant: `start(ours, folder)` is a context of its facts and its clock."""

    name: str
    start: Callable[[Ours, Path], Any]
    unfair: str


@dataclass(frozen=True)
class Goal:
    """`ours` is at least `ratio` times as fast as `theirs`, both rows of the workload's table."""

    workload: str
    theirs: str
    ours: str
    ratio: float


@contextmanager
def lava(ours: Ours, folder: Path) -> Iterator[Started]:
    """Compare every spike once, recorded; then time without recorders."""
    export_lava(ours.what, ours.alone, ours.run, folder)
    command = served.apart("lava_peer.py")  # before the long way, whether it can be gone
    verdict = verify_lava(folder)
    with served.served(command, folder) as (facts, once):
        facts["spikes"] = {layer.name: layer.n_spikes for layer in verdict.layers}
        facts["n_different"] = verdict.n_different
        yield facts, _named("Lava fixed_pt", once)


def handed(command_of: Callable[[], list[str]], row: str) -> Callable[[Ours, Path], Any]:
    """A peer in a process of its own that is handed network.npz."""

    @contextmanager
    def start(ours: Ours, folder: Path) -> Iterator[Started]:
        command = command_of()
        net, shift = ours.workload.network, dict.fromkeys(ours.run.shift, 0)
        if isinstance(ours.what, Plan):
            net, shift = ours.what.network, ours.what.shift
        served.write_network(net, shift, ours.alone, folder)
        with served.served(command, folder) as (facts, once):
            yield facts, _named(row, once)

    return start


def beside(module: str, script: str, row: str) -> Callable[[Ours, Path], Any]:
    """Such a peer, installed beside us."""
    return handed(lambda: served.here(module, script), row)


@contextmanager
def torch_loop(ours: Ours, folder: Path) -> Iterator[Started]:
    """Torch in this process: one by one, a batch, and all steps of a layer at once."""
    import torch

    net = ours.workload.network
    loop = TorchLoop(net)
    spikes = {name: int(n.sum()) for name, n in loop.step_by_step(ours.alone).items()}
    looped = any(p.delay.any() for p in net.projections)
    n = len(ours.alone)

    def once() -> dict[str, float]:
        with torch.inference_mode():
            rows = {
                "torch loop, one by one": timed(
                    lambda: [loop.step_by_step(ours.alone[i : i + 1]) for i in range(n)], n
                ),
                "torch loop, a batch": timed(
                    lambda: loop.step_by_step(ours.batch), len(ours.batch)
                ),
            }
            if not looped:
                rows["torch, a layer's steps at once, one by one"] = timed(
                    lambda: [loop.layer_by_layer(ours.alone[i : i + 1]) for i in range(n)], n
                )
                rows["torch, a layer's steps at once, a batch"] = timed(
                    lambda: loop.layer_by_layer(ours.batch), len(ours.batch)
                )
        return rows

    yield {"version": torch.__version__, "spikes": spikes}, once


def _named(name: str, once: Once) -> Once:
    return lambda: {f"{name}, {what}": seconds for what, seconds in once().items()}


LAVA = Peer(
    "lava",
    lava,
    "Lava is a framework of processes, one per layer, that hand arrays over in every step; they "
    "share all cores, and Lava counts no events.",
)
SANAFE = Peer(
    "sanafe",
    beside("sanafe", "sanafe_peer.py", "SANA-FE simple timing"),
    "SANA-FE also routes every message and prices energy and time while it runs; its current is a "
    "double that is not truncated.",
)
NENGO_LOIHI = Peer(
    "nengo-loihi",
    handed(lambda: served.apart("nengo_loihi_peer.py"), "nengo-loihi emulator"),
    "nengo-loihi walks spike by spike in Python, and our script adds a loop over steps to clear "
    "the state and count spikes; the package is free for non-commercial use only.",
)
BRIAN2 = Peer(
    "brian2",
    beside("brian2", "brian2_peer.py", "Brian2 C++"),
    "Brian2 counts no events and computes in doubles; its row `loop` is its own timer, without "
    "the start of the process; compiling is not counted.",
)
NEST = Peer(
    "nest",
    beside("nest", "nest_peer.py", "NEST iaf_psc_delta"),
    "NEST keeps a weight and a delay per synapse in a structure of its own (our weight, target "
    "and delay are three arrays) and counts no events.",
)
TORCH = Peer(
    "torch",
    torch_loop,
    "torch does the whole product where we add the rows of neurons that fired, in float32 and "
    "without truncation, and counts no events; a batch shares the reading of weights.",
)

FIELD: dict[str, tuple[Peer, ...]] = {
    "dense": (LAVA, SANAFE, NENGO_LOIHI, BRIAN2, TORCH),
    "conv": (LAVA, TORCH),
    "speech": (LAVA, BRIAN2, TORCH),
    "recurrent": (BRIAN2, NEST),
}
PEERS = tuple(dict.fromkeys(peer.name for peers in FIELD.values() for peer in peers))

GOALS = (
    Goal("dense", "Lava fixed_pt, one by one", BATCH, 150),
    Goal("dense", "SANA-FE simple timing, one by one", BATCH, 100),
    Goal("dense", "Brian2 C++, loop", BATCH, 3),
    Goal("dense", "torch loop, a batch", BATCH, 1),
    Goal("dense", "torch, a layer's steps at once, a batch", BATCH, 1),
    Goal("conv", "Lava fixed_pt, one by one", ALONE, 250),
    Goal("conv", "torch loop, one by one", ALONE, 5),
    Goal("speech", "Lava fixed_pt, one by one", BATCH, 100),
    Goal("recurrent", "Brian2 C++, loop", ALONE, 5),
    Goal("recurrent", "NEST iaf_psc_delta, simulation", ALONE, 5),
)
