"""Training steps against named peers: `python -m benchmarks.training`.

Forward, backward and Adam of the same networks from the same weights: 140-256-256-20 over 100 steps
with 128 samples, a convolutional stack, and a layer that hears itself. All in turn, in one run, one
thread each; seconds of the processor. The process keeps what it frees, as in `neuro train`. Every
contestant also runs in a process of its own, whose peak memory is told, and that of its tensors.
SpikingJelly is no dependency: `--peers FOLDER` names where it lies.

`--device cuda --batch 1024` does it on a GPU: seconds by the clock until the GPU is done, memory
that torch allocated there. SpikingJelly chooses its kernels itself or, from its version 2 on, as
`SJ_LIF_CUDA_IMPLEMENTATION` (cuda or triton) says; the results name what ran.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{variable}_NUM_THREADS"] = "1"  # before numpy and numba are imported

from importlib.metadata import PackageNotFoundError, version

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from benchmarks.machine import machine
from benchmarks.table import into_page
from benchmarks.timing import WALL, NotHere, Row, in_turn, measured
from hwsim.atomic import write_text
from neuro.spiking import LIF, RecurrentLIF
from neuro.spiking.fused import has_triton
from neuro.spiking.loop import run_lif
from neuro.spiking.recurrent import run_recurrent
from neuro.training.memory import keep_freed_memory

KEEP, V_TH, CLASSES = 0.9, 1.0, 20  # potential kept per step, threshold, of all layers
OURS, BARE, TWIN = "neuro", "products alone (limit)", "torch, step by step"
Neuron = Callable[[Tensor, "nn.Linear | None"], Tensor]
Result = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to train, and with how many samples; None: as many as the network has by default."""

    device: str = "cpu"
    batch: int | None = None

    @property
    def time(self) -> str:
        """Which seconds count: on a GPU the processor only waits."""
        return "seconds" if self.device == "cpu" else "seconds_by_the_clock"

    def wait(self) -> None:
        """Until all is done that was asked of it."""
        if self.device != "cpu":
            torch.cuda.synchronize()


class Work:
    """One network: its products, which of them a layer with feedback follows, and a batch."""

    def __init__(self, name: str, place: Place) -> None:
        torch.manual_seed(0)
        self.feedback = None
        if name == "recurrent":
            layers, size = [_dense(140, 256, 0.15), _dense(256, CLASSES, 0.15)], (100, 128, 140)
            self.feedback = _dense(256, 256, 0.05)
        elif name == "convolutional":
            layers, size = [_conv(2, 16, 5, 0.4), _conv(16, 32, 3, 0.15)], (40, 16, 2, 34, 34)
            layers.append(_dense(32 * 7 * 7, CLASSES, 0.05))
        else:
            sizes = ((140, 256), (256, 256), (256, CLASSES))
            layers, size = [_dense(*each, 0.15) for each in sizes], (100, 128, 140)
        size = (size[0], place.batch or size[1], *size[2:])
        x, y = (torch.rand(size) < 0.05).float(), torch.randint(0, CLASSES, (size[1],))
        self.layers = [layer.to(place.device) for layer in layers]
        self.feedback = self.feedback and self.feedback.to(place.device)
        self.x, self.y = x.to(place.device), y.to(place.device)


def _dense(n_in: int, n_out: int, std: float) -> nn.Module:
    layer = nn.Linear(n_in, n_out, bias=False)
    nn.init.normal_(layer.weight, 0, std)
    return layer


def _conv(n_in: int, n_out: int, kernel: int, std: float) -> nn.Module:
    layer = nn.Conv2d(n_in, n_out, kernel, stride=2, bias=False)
    nn.init.normal_(layer.weight, 0, std)
    return layer


def our_neuron() -> Neuron:
    """The fused loop."""
    layer = LIF(decay_v=KEEP, v_th=V_TH)

    def neuron(a: Tensor, feedback: nn.Linear | None) -> Tensor:
        layer.to(a.device)
        return layer(a) if feedback is None else RecurrentLIF(layer, feedback)(a)

    return neuron


def twin(a: Tensor, feedback: nn.Linear | None) -> Tensor:
    """The same in plain torch."""
    layer, constants = LIF(), (0.0, KEEP, V_TH, 0.0)
    if feedback is None:
        return run_lif(a, layer, *constants)[0]
    return run_recurrent(a, feedback.weight, layer, *constants)[0]


def bare(a: Tensor, feedback: nn.Linear | None) -> Tensor:
    """No neurons: products and their gradients only."""
    if feedback is None:
        return a
    out = [a[0]]
    for a_t in a[1:]:
        out.append(torch.addmm(a_t, out[-1], feedback.weight.t()))
    return torch.stack(out)


def stepped(a: Tensor, feedback: nn.Linear | None, cell: Callable[[Tensor], Tensor]) -> Tensor:
    """A neuron of one step, over all."""
    out: list[Tensor] = []
    for a_t in a.unbind(0):
        if feedback is not None and out:
            a_t = torch.addmm(a_t, out[-1], feedback.weight.t())
        out.append(cell(a_t))
    return torch.stack(out)


def snntorch_neuron() -> Neuron:
    import snntorch

    def neuron(a: Tensor, feedback: nn.Linear | None) -> Tensor:
        leaky = snntorch.Leaky(beta=KEEP, threshold=V_TH, reset_mechanism="zero", init_hidden=True)
        return stepped(a, feedback, leaky.to(a.device))

    return neuron


def spikingjelly_neuron() -> Neuron:
    try:
        from spikingjelly.activation_based import neuron as theirs
        from spikingjelly.activation_based import surrogate
    except ImportError as error:
        raise NotHere(f"SpikingJelly is not installed: {error}") from error

    def neuron(a: Tensor, feedback: nn.Linear | None) -> Tensor:
        node = theirs.LIFNode(
            tau=1 / (1 - KEEP), decay_input=False, v_threshold=V_TH, v_reset=0.0,
            detach_reset=True, surrogate_function=surrogate.ATan(),
            step_mode="m" if feedback is None else "s",
        )  # fmt: skip
        node = node.to(a.device)
        return node(a) if feedback is None else stepped(a, feedback, node)

    return neuron


def norse_neuron() -> Neuron:
    try:
        import norse.torch as norse
    except ImportError as error:
        raise NotHere(f"Norse is not installed: {error}") from error
    parameters = norse.LIFBoxParameters(
        tau_mem_inv=torch.tensor(1000 * (1 - KEEP)), v_th=torch.tensor(V_TH)
    )

    def neuron(a: Tensor, feedback: nn.Linear | None) -> Tensor:
        box, state = norse.LIFBoxCell(p=parameters), None

        def cell(a_t: Tensor) -> Tensor:
            nonlocal state
            spikes, state = box(a_t, state)
            return spikes

        return stepped(a, feedback, cell)

    return neuron


MAKERS: dict[str, Callable[[], Neuron]] = {
    OURS: our_neuron,
    BARE: lambda: bare,
    "SpikingJelly": spikingjelly_neuron,
    "Norse": norse_neuron,
    "snnTorch": snntorch_neuron,
    TWIN: lambda: twin,
}
PEERS = ("SpikingJelly", "Norse", "snnTorch")
HEAD = (
    "| who | a step | by the clock | ours takes | of the limit's speed | peak memory | "
    "tensors | spikes of each layer | loss |"
)
WORKS = ("dense", "convolutional", "recurrent")


class Contestant:
    """One network with one kind of neuron, that takes training steps."""

    def __init__(self, who: str, work: str, place: Place) -> None:
        self.neuron, self.work, self.place = MAKERS[who](), Work(work, place), place
        weights = [layer.weight for layer in self.work.layers]
        if self.work.feedback is not None:
            weights.append(self.work.feedback.weight)
        if who == "Norse":  # it takes a tenth of what arrives: dt / tau_mem
            with torch.no_grad():
                for weight in weights:
                    weight /= 1 - KEEP
        self.weights, self.optimiser = weights, torch.optim.Adam(weights, 1e-3)
        self.counts: list[int] = []

    def step(self) -> float:
        """Forward, backward, Adam; the loss."""
        self.optimiser.zero_grad()
        h, self.counts = self.work.x, []
        for i, layer in enumerate(self.work.layers):
            flat = h if isinstance(layer, nn.Linear) and h.ndim == 3 else h.flatten(0, 1)
            if isinstance(layer, nn.Linear) and flat.ndim != 3:
                flat = flat.flatten(1)
            a = layer(flat)
            a = a if a.ndim == 3 and flat is h else a.unflatten(0, h.shape[:2])
            h = self.neuron(a, self.work.feedback if i == 0 else None)
            self.spikes_of(h)
        loss = nn.functional.cross_entropy(h.sum(0), self.work.y)
        loss.backward()
        self.optimiser.step()
        self.place.wait()
        return loss.item()

    def spikes_of(self, h: Tensor) -> None:
        """Remember the sum of a layer while it is wanted."""
        if self.counting:
            self.counts.append(round(h.sum().item()))

    counting = False


def first_step(contestant: Contestant) -> Result:
    """What a network does from its first weights: spikes of every layer, loss, gradients."""
    contestant.counting = True
    loss = contestant.step()
    contestant.counting = False
    gradients = [weight.grad.clone() for weight in contestant.weights]
    return {"counts": contestant.counts, "loss": loss, "gradients": gradients}


def compare(work: str, rounds: int, peers: str | None, place: Place) -> Result:
    """All contestants of one network."""
    found: Result = {}
    steps, gradients = [], {}
    for who in MAKERS:
        try:
            contestant = Contestant(who, work, place)
        except NotHere as why:
            found[who] = {"not_here": str(why)}
            continue
        facts = first_step(contestant)
        gradients[who] = facts.pop("gradients")
        found[who] = facts if who != BARE else {}

        def once(who: str = who, contestant: Contestant = contestant) -> Row:
            return measured(who, contestant.step, 1, 1)

        steps.append(once)
    for who, times in in_turn(steps, rounds).items():
        name, _, wall = who.partition(WALL)
        key = "seconds_by_the_clock" if who.endswith(WALL) else "seconds"
        found[name + wall][key] = times.median_s
    pairs = zip(gradients[OURS], gradients[TWIN], strict=True)
    found[OURS]["gradient_error"] = max(
        ((one - other).abs().max() / other.abs().max()).item() for one, other in pairs
    )
    for who, facts in found.items():
        if "seconds" in facts:
            facts.update(_memory(who, work, peers, place))
    return found


def _memory(who: str, work: str, peers: str | None, place: Place) -> Result:
    """Bytes that a process of its own came to need: in all, and of tensors.

    Whatever is large is returned to the system when it is freed: glibc else keeps some of it, more
    or less from run to run.
    """
    command = [sys.executable, "-m", "benchmarks.training", "--alone", who, work]
    command += ["--peers", peers] if peers else []
    command += ["--device", place.device]
    command += ["--batch", str(place.batch)] if place.batch else []
    frugal = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 17)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=frugal)
    found: Result = json.loads(done.stdout.splitlines()[-1])
    return found


def alone(who: str, work: str, place: Place) -> Result:
    """The peak over three steps, of this process or on the GPU, and of the tensors of one more."""
    contestant = Contestant(who, work, place)
    for _ in range(3):
        contestant.step()
    if place.device != "cpu":
        reserved, allocated = torch.cuda.max_memory_reserved(), torch.cuda.max_memory_allocated()
        return {"peak_bytes": reserved, "tensor_bytes": allocated}
    peak = _peak_bytes()
    return {"peak_bytes": peak, "tensor_bytes": _tensor_bytes(contestant.step)}


def _tensor_bytes(step: Callable[[], float]) -> int:
    """Most that the tensors made in a step held at once, by torch's profiler."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step()
    happened = watched.profiler.kineto_results.events()
    changes = sorted((e.start_ns(), e.nbytes()) for e in happened if e.name() == "[memory]")
    held = itertools.accumulate(n for _, n in changes)
    return max(held)


def _peak_bytes() -> int:
    """Most memory this process ever had; `ru_maxrss` would have that of its parent in it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise NotHere("peak memory is read from /proc, which Linux has")


def table(results: Result) -> str:
    """Markdown."""
    facts = results["machine"]
    versions = {**facts["versions"], **results["peers"]}
    wanted = ("numba", "torch", "spikingjelly", "snntorch", "norse")
    told = ", ".join(f"{name} {versions[name]}" for name in wanted if versions.get(name))
    where, time = results["device"] or facts["processor"], Place(results["place"]["device"]).time
    lines = [f"{where}; Python {facts['python']}, {told}.", ""]
    for work, found in results["works"].items():
        bare_s, ours_s = found[BARE][time], found[OURS][time]
        lines += [f"### {work.capitalize()}", "", HEAD, "|-|-:|-:|-:|-:|-:|-:|-|-:|"]
        for who, row in sorted(found.items(), key=lambda pair: pair[1].get(time, 9e9)):
            if "seconds" not in row:
                lines.append(f"| {who} | not here |")
                continue
            spikes = ", ".join(f"{n:,}" for n in row.get("counts", ())) or "–"
            loss = f"{row['loss']:.4f}" if "loss" in row else "–"
            lines.append(
                f"| {who} | {1e3 * row['seconds']:.0f} ms | "
                f"{1e3 * row['seconds_by_the_clock']:.0f} ms | {ours_s / row[time]:.2f} | "
                f"{bare_s / row[time]:.0%} | {row['peak_bytes'] / 1e6:.0f} MB | "
                f"{row['tensor_bytes'] / 1e6:.0f} MB | {spikes} | "
                f"{loss} |"
            )
        error = found[OURS]["gradient_error"]
        lines += ["", f"Gradients of all weights are the plain loop's to {error:.1e}.", ""]
    return "\n".join(lines).replace("%", " %")


def _spikingjelly_runs(place: Place) -> str | None:
    """Which of its kernels SpikingJelly has chosen for a GPU; None on the CPU, or if not known."""
    try:
        from spikingjelly.activation_based.functional import neuron_implementation
    except ImportError:
        return None
    found = neuron_implementation("lif", torch.device(place.device))
    return None if place.device == "cpu" else str(found["implementation"])


def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for package in ("spikingjelly", "snntorch", "norse"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def place_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Place:
    """Where the options want it, or the parser's error."""
    if options.batch is not None and options.batch < 1:
        parser.error(f"--batch {options.batch}: must be 1 sample or more")
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"--device cuda: torch {torch.__version__} sees no GPU")
    if options.device == "cuda" and not has_triton():
        parser.error("--device cuda: our kernels need Triton, the extra `gpu`")
    return Place(options.device, options.batch)


def main(arguments: list[str] | None = None) -> None:
    """Measure, write training.json (of a GPU, training-cuda.json), print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training")
    parser.add_argument("--peers", metavar="FOLDER", help="where SpikingJelly lies")
    parser.add_argument("--rounds", type=int, default=7, help="counted steps of each (median)")
    parser.add_argument("--works", nargs="+", choices=WORKS, default=list(WORKS))
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batch", type=int, help="samples (default: each network's own)")
    parser.add_argument("--page", type=Path, help="a page that takes the tables, BENCHMARKS.md")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"))
    parser.add_argument("--alone", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    place = place_of(parser, options)
    if options.peers:
        sys.path.append(options.peers)
    torch.set_num_threads(1)
    if options.alone:
        sys.stdout.write(json.dumps(alone(*options.alone, place)) + "\n")
        return
    keep_freed_memory()
    results: Result = {"machine": machine(), "peers": _versions(), "rounds": options.rounds}
    results["place"], on_gpu = asdict(place), place.device != "cpu"
    results["device"] = torch.cuda.get_device_name() if on_gpu else None
    results["spikingjelly_runs"] = _spikingjelly_runs(place)
    results["works"] = {}
    for work in options.works:
        results["works"][work] = compare(work, options.rounds, options.peers, place)
    name = "training-cuda" if on_gpu else "training"
    write_text(options.folder / f"{name}.json", json.dumps(results, indent=1) + "\n")
    text = table(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, name, text))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
