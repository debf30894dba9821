"""`neuro deploy RUN --chip NAME`: simulate a trained run's test set on a chip, and price it."""

from typing import Annotated, Any

import typer
from rich.progress import Progress

from neuro.cli.compiling import compiling_said
from neuro.cli.console import AsJson, Root, emit, err, percent
from neuro.cli.opening import Chip, Mapper, Run


def deploy(
    run: Run,
    chip: Chip = "loihi1",
    mapper: Mapper = "optimised",
    seed: Annotated[int, typer.Option(min=0, help="of the mapper's random numbers")] = 0,
    root: Root = None,
    as_json: AsJson = False,
) -> None:
    """Compile a trained network onto a chip, simulate its test set, count and price every event."""
    from hwsim.chips.files import load_neurocores
    from neuro.deploy import deploy as carry_over
    from neuro.runs import open_run

    spec, folder = load_neurocores(chip), open_run(run)
    total = (folder.result() or {})["samples"]["test"]
    bar = Progress(console=err, transient=True, disable=not err.is_terminal)
    with compiling_said(), bar as progress:
        task = progress.add_task(f"placing on {spec.title}", total=None)

        def simulated(n: int) -> None:
            said = f"simulating on {spec.title}"
            progress.update(task, description=said, total=total, advance=n)

        content = carry_over(
            folder,
            spec,
            mapper=mapper or "optimised",
            seed=seed,
            given=chip,
            root=root,
            on_samples=simulated,
        )
    emit(content, lines(content), as_json=as_json)


def lines(content: dict[str, Any]) -> list[str]:
    """A deployment in a few lines."""
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
        f"not known  {'; '.join(bill['unknown']) or 'nothing'}",
    ]
