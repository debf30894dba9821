"""A layer with learned delays, forward and backward: `python -m benchmarks.delays`.

140 -> 256 neurons, kernels of 26 taps, batch 128, 100 steps, 5 % of inputs active. A first layer
needs no gradient of its input, a hidden one does. Ours against the package DCLS where it is
installed, one dense convolution of the same kernel, and one matrix product without delays, which is
the limit. All in turn, in one run, one thread, seconds of the processor.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    for variable in ("NUMBA", "OMP", "MKL", "OPENBLAS"):
        os.environ[f"{variable}_NUM_THREADS"] = "1"  # before numpy and numba are imported

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.machine import machine
from benchmarks.table import into_page
from benchmarks.timing import WALL, NotHere, in_turn, measured
from hwsim.atomic import write_text
from neuro.spiking import Delay

SOURCES, TARGETS, TAPS, BATCH, STEPS, RATE = 140, 256, 26, 128, 100, 0.05
PLACES = ("first", "hidden")
V1, MAX = "DCLS v1 (triangle)", "DCLS max (triangle, sigma 0)"
NARROW, WIDE = "DCLS gauss, sigma 0.23", "DCLS gauss, sigma 12"
OURS_V1 = "ours, triangle"
OURS_NARROW, OURS_WIDE = "ours, gauss, sigma 0.23", "ours, gauss, sigma 12"
CONV, GEMM = "one dense conv1d", "one product, no delays (limit)"
KINDS = {V1: ("v1", 0.0), MAX: ("max", 0.0), NARROW: ("gauss", 0.23), WIDE: ("gauss", 12.0)}
OURS = {
    OURS_V1: ("triangle", 0.0),
    OURS_NARROW: ("gauss", 0.23),
    OURS_WIDE: ("gauss", 12.0),
}
SAME = {OURS_V1: V1, OURS_NARROW: NARROW, OURS_WIDE: WIDE}
GOALS = {"first": 4.0, "hidden": 2.0}
Step = Callable[[], list[Tensor]]
Result = dict[str, Any]


class Work:
    """One place of the layer: inputs, what is asked of the outputs, weights and positions."""

    def __init__(self, place: str) -> None:
        rng = np.random.default_rng(0)
        self.hidden = place == "hidden"
        spikes = (rng.random((STEPS, BATCH, SOURCES)) < RATE).astype(np.float32)
        self.x = torch.from_numpy(spikes)
        asked = rng.standard_normal((STEPS + TAPS - 1, BATCH, TARGETS), dtype=np.float32)
        self.asked = torch.from_numpy(asked)
        shape = (TARGETS, SOURCES, 1)
        self.weight = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32) * 0.1)
        low, high = -(TAPS // 2), TAPS - 1 - TAPS // 2
        self.position = torch.from_numpy(rng.uniform(low, high, shape).astype(np.float32))

    def _input(self, x: Tensor) -> Tensor:
        return x.detach().requires_grad_(self.hidden)

    def ours(self, bump: Any, sigma: float) -> Step:
        """One step of our layer."""
        layer = Delay(SOURCES, TARGETS, n_taps=TAPS, bump=bump, sigma=sigma, right_pad=TAPS - 1)
        with torch.no_grad():
            layer.weight.copy_(self.weight)
            layer.position.copy_(self.position)
        leaves = [layer.weight, layer.position]
        return lambda: self._step(layer, self.x, self.asked, leaves)

    def dcls(self, kind: str, sigma: float) -> Step:
        """DCLS takes (batch, neurons, time); it is given that, and its own padding.

        Raises:
            NotHere: if it is not installed.
        """
        try:
            from DCLS.construct.modules import Dcls1d
        except ImportError:
            raise NotHere("`pip install DCLS==0.1.1`") from None
        layer = Dcls1d(SOURCES, TARGETS, 1, dilated_kernel_size=TAPS, padding=TAPS - 1,
                       bias=False, version=kind)  # fmt: skip
        with torch.no_grad():
            layer.weight.copy_(self.weight)
            layer.P.copy_(self.position[None])
            if layer.SIG is not None:
                layer.SIG.fill_(sigma).requires_grad_(False)
        x, asked = self.x.permute(1, 2, 0).contiguous(), self.asked.permute(1, 2, 0).contiguous()
        return lambda: self._step(layer, x, asked, [layer.weight, layer.P])

    def conv(self) -> Step:
        """One step of a dense convolution, its kernel made outside the clock."""
        kernel = torch.randn(TARGETS, SOURCES, TAPS, generator=torch.Generator().manual_seed(0))
        kernel.requires_grad_()
        x, asked = self.x.permute(1, 2, 0).contiguous(), self.asked.permute(1, 2, 0).contiguous()
        return lambda: self._step(lambda s: F.conv1d(s, kernel, padding=TAPS - 1), x, asked,
                                  [kernel])  # fmt: skip

    def product(self) -> Step:
        """One step of synapses without delays."""
        weight = self.weight[..., 0].clone().requires_grad_()
        return lambda: self._step(
            lambda s: F.linear(s, weight), self.x, self.asked[:STEPS], [weight]
        )

    def _step(
        self, layer: Callable[[Tensor], Tensor], x: Tensor, asked: Tensor, leaves: list[Tensor]
    ) -> list[Tensor]:
        given = self._input(x)
        y = layer(given)
        inputs = [*leaves, *([given] if self.hidden else [])]
        return [y.detach(), *torch.autograd.grad(y, inputs, asked)]


def compare(place: str, n_rounds: int) -> Result:
    """Seconds of a step, and our largest differences from DCLS, relative to the largest value."""
    work = Work(place)
    result: Result = {"absent": {}, "errors": {}}
    steps = {name: work.ours(*how) for name, how in OURS.items()}
    for name, how in KINDS.items():
        try:
            steps[name] = work.dcls(*how)
        except NotHere as error:
            result["absent"][name] = str(error)
    for name, peer in SAME.items():
        if peer in steps:
            result["errors"][name] = _difference(steps[name](), steps[peer]())
    steps |= {CONV: work.conv(), GEMM: work.product()}
    times = in_turn(
        [lambda name=name, step=step: measured(name, step, 1, 1) for name, step in steps.items()],
        n_rounds,
    )
    result["seconds"] = {name: t.median_s for name, t in times.items()}
    return result


def _difference(ours: list[Tensor], theirs: list[Tensor]) -> float:
    """Outputs and inputs' gradients lie (batch, neurons, time) there."""
    worst = 0.0
    for a, b in zip(ours, theirs, strict=True):
        same = b.permute(2, 0, 1) if b.ndim == 3 and b.shape[0] == BATCH else b.reshape(a.shape)
        worst = max(worst, float((a - same).abs().max() / same.abs().max()))
    return worst


def table(results: Result) -> str:
    """Markdown: a table a place, then what was asked."""
    facts = results["machine"]
    versions = ", ".join(f"{n} {facts['versions'][n]}" for n in ("numpy", "numba", "torch"))
    peer = results["dcls"] or "not installed"
    lines = [
        f"{facts['processor']}; Python {facts['python']}, {versions}, DCLS {peer}; load "
        f"{facts['load_at_start']:.1f} on {facts['cores']} cores.",
        "",
    ]
    for place in PLACES:
        result = results["places"][place]
        seconds = result["seconds"]
        lines += [
            f"### {place.capitalize()} layer",
            "",
            f"| who ({results['rounds']} turns) | step | by the clock | times product | error |",
            "|-|-:|-:|-:|-:|",
        ]
        for name in sorted((s for s in seconds if not s.endswith(WALL)), key=seconds.__getitem__):
            error = result["errors"].get(name)
            lines.append(
                f"| {name} | {seconds[name] * 1e3:.3g} ms | {seconds[name + WALL] * 1e3:.3g} ms | "
                f"{seconds[name] / seconds[GEMM]:.3g} | {'' if error is None else f'{error:.0e}'} |"
            )
        lines += [f"| {name} | not here: {why} | | | |" for name, why in result["absent"].items()]
        lines.append("")
    lines += ["| layer | what | asked | found |", "|-|-|-:|-:|"]
    for place in PLACES:
        lines += [_goal(place, *goal) for goal in goals(place, results["places"][place])]
    return "\n".join(lines) + "\n"


def goals(place: str, result: Result) -> list[tuple[str, str, str, bool]]:
    """What was asked of a place, what was found, and whether that meets it."""
    seconds, asked = result["seconds"], GOALS[place]
    found = []
    pairs = [(OURS_V1, V1), (OURS_V1, MAX), (OURS_NARROW, NARROW), (OURS_WIDE, WIDE)]
    for ours, peer in pairs:
        if peer in seconds:
            ratio = seconds[peer] / seconds[ours]
            what = f"{ours}: times as fast as {peer}"
            found.append((what, f"{asked:g}", f"{ratio:.3g}", ratio >= asked))
    if result["errors"]:
        worst = max(result["errors"].values())
        what = "outputs and gradients, largest difference from DCLS"
        found.append((what, "1e-05", f"{worst:.0e}", worst <= 1e-5))
    return found


def _goal(place: str, what: str, asked: str, found: str, met: bool) -> str:
    return f"| {place} | {what} | {asked} | {found}{'' if met else ' (missed)'} |"


def main() -> None:
    """Measure, write delays.json, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delays")
    parser.add_argument("--rounds", type=int, default=7, help="turns (median)")
    parser.add_argument("--page", type=Path, help="a page that takes the tables, BENCHMARKS.md")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/delays.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    places = {place: compare(place, options.rounds) for place in PLACES}
    peer = None if places["first"]["absent"] else version("DCLS")
    results: Result = {
        "machine": machine(), "dcls": peer, "rounds": options.rounds, "places": places
    }  # fmt: skip
    write_text(options.out, json.dumps(results, indent=1) + "\n")
    text = table(results)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        write_text(options.page, into_page(page, "delays", text))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
