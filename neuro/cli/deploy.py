"""`neuro deploy RUN --chip NAME`: simulate a trained run's test set on a chip, and price it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from neuro.cli import crossbar
from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err, percent
from neuro.cli.crossbar import Calibrate, Chips, Host, Join, Network, Time
from neuro.cli.opening import Chip, Mapper, Run

if TYPE_CHECKING:
    import hwsim
    from neuro.runs import RunFolder


def deploy(
    run: Run,
    chip: Chip = "loihi1",
    mapper: Mapper = None,
    chips: Chips = None,
    time: Time = None,
    calibrate: Calibrate = False,
    host: Host = None,
    join: Join = None,
    network: Network = None,
    max_delay: Annotated[
        int | None, typer.Option(help="neurocores: steps; longer delays become it")
    ] = None,
    delay_classes: Annotated[
        int | None,
        typer.Option(help="neurocores: merge the delays of each bump of a layer into so many"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="of the mapper, or of the first chip")] = 0,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Compile a trained network onto a chip, simulate its test set, count and price every event.

    On crossbars the network in real numbers runs on several chips, each with devices of its own.
    """
    import hwsim
    from neuro.runs import open_run

    spec = hwsim.load_chip(chip)
    own = {"chips": chips, "time": time, "calibrate": calibrate, "host": host, "join": join,
           "network": network}  # fmt: skip
    if isinstance(spec, hwsim.CrossbarChip):
        neurocore = {"mapper": mapper, "max-delay": max_delay, "delay-classes": delay_classes}
        crossbar.refuse(neurocore, spec.name, "a chip of crossbars")
        asked = crossbar.Asked.of(chips, calibrate, host, join, network, seed)
        content = crossbar.deploy(open_run(run), spec, asked, time, given=chip, root=root)
        emit(content, crossbar.lines(content), as_json=as_json)
        return
    crossbar.refuse(own, spec.name, "a chip of neurocores")
    from neuro.deploy import deploy as carry_over

    carry = partial(carry_over, mapper=mapper or "optimised", seed=seed, given=chip, root=root)
    carry = partial(carry, max_delay=max_delay, delay_classes=delay_classes)
    content = _on_neurocores(open_run(run), spec, carry)
    emit(content, lines(content), as_json=as_json)


def _on_neurocores(
    folder: RunFolder, spec: hwsim.ChipSpec, carry: Callable[..., dict[str, Any]]
) -> dict[str, Any]:
    """Carry a run over with a bar."""
    total = (folder.result() or {})["samples"]["test"]
    bar = Progress(console=err, transient=True, disable=not err.is_terminal)
    with compiling_said(), bar as progress:
        task = progress.add_task(f"placing on {spec.title}", total=None)

        def simulated(n: int) -> None:
            said = f"simulating on {spec.title}"
            progress.update(task, description=said, total=total, advance=n)

        return carry(folder, spec, on_samples=simulated)


def lines(content: dict[str, Any]) -> list[str]:
    """A deployment in a few lines."""
    from hwsim.report.delays import delay_line
    from hwsim.report.units import UNKNOWN, si

    bill, parity = content["bill"], content["parity"]

    def band(key: str, unit: str) -> str:
        found = bill[key]
        if found is None:
            return UNKNOWN
        return " ".join(
            [si(found["median"], unit), f"[{si(found['p10'], unit)}, {si(found['p90'], unit)}]"]
        )

    return [
        f"accuracy   {percent(content)} on {content['chip']}",
        f"exactness  {parity['n_different']} of {parity['n_spikes']} spikes differ between torch's "
        f"integers and the simulator, {parity['n_samples']} samples",
        f"energy     {band('energy_band_j', 'J')} per inference",
        f"latency    {band('latency_band_s', 's')}, "
        f"{content['steps']} + {content['latency_steps']} time steps on {content['cores']} cores",
        f"delays     {_merged(content['delays'])}{delay_line(content['delay_memory'])}",
        f"not known  {'; '.join(bill['unknown']) or 'nothing'}",
    ]


def _merged(delays: dict[str, Any]) -> str:
    """What limits on delays changed; nothing without any."""
    if delays["max_delay"] is None and delays["n_classes"] is None:
        return ""
    rows = delays["merged"]
    moved, clipped, of = (sum(r[name] for r in rows) for name in ("changed", "clipped", "synapses"))
    return f"{moved} of {of} moved, {clipped} of them beyond the range; "
