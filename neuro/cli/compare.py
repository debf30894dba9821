"""`neuro compare RUN`: the trained network on several chips, and without spikes, side by side."""

from pathlib import Path
from typing import Annotated

import typer

from neuro.cli.console import AsJson, Root, emit, err
from neuro.cli.opening import Run

Chips = Annotated[str, typer.Option(help="chips by name or `.toml` file, with commas between")]
Accelerator = Annotated[
    str, typer.Option(help="price list of the network without spikes; `none` leaves it out")
]
Many = Annotated[int, typer.Option(min=1, help="chips of crossbars, with fresh devices each")]
Few = Annotated[int | None, typer.Option(min=1, help="test samples, all by default")]
TRAINED = {
    "noise": "real numbers, trained with noise",
    "float": "real numbers, trained without noise",
}


def compare(
    run: Run,
    chips: Chips = "loihi1,loihi2,rram-40nm",
    accelerator: Accelerator = "ann-int8-45nm",
    n_chips: Many = 5,
    samples: Few = None,
    figure: Annotated[Path | None, typer.Option(help="also draw it: .svg, .png or .pdf")] = None,
    root: Root = None,
    seed: Annotated[int, typer.Option(min=0, help="of devices and maps")] = 0,
    as_json: AsJson = False,
) -> None:
    """Compare a run's network on several chips: accuracy, energy, latency, area, with bands."""
    import hwsim
    from hwsim.chips.files import load_accelerator
    from hwsim.comparison import compare as compared
    from hwsim.report.comparison_figure import as_text, draw_comparison
    from hwsim.report.standalone import check_format, save_figure
    from neuro.crossbar import real_network
    from neuro.mapping import profile_samples
    from neuro.runs import open_run
    from neuro.training.train import load_splits

    if figure is not None:
        check_format(figure)
    specs = [hwsim.load_chip(name.strip()) for name in chips.split(",")]
    prices = None if accelerator == "none" else load_accelerator(accelerator)
    folder = open_run(run)
    net, which = real_network(folder, None)
    integers = hwsim.load_network(folder.chip_network)
    calibration = profile_samples(folder, root=root).frames
    test = load_splits(folder, root).test
    with err.status("comparing") as status:
        rows = compared(
            net,
            test.frames[:samples],
            test.labels[:samples],
            calibration,
            chips=specs,
            integers=integers,
            accelerator=prices,
            n_chips=n_chips,
            seed=seed,
            on_row=lambda name: status.update(f"running on {name}"),
        )
    if figure is not None:
        save_figure(lambda width: draw_comparison(rows, width), figure)
    networks = {"neurocore": f"integers of {folder.recipe.qat.chip}", "crossbar": TRAINED[which]}
    content = {
        "run": folder.path.name,
        "networks": networks,
        "n_samples": len(test.labels[:samples]),
        "n_test": len(test),
        "seed": seed,
        "chips": [row.as_dict() for row in rows],
    }
    said = [f"networks   neurocores: {networks['neurocore']}; crossbars: {networks['crossbar']}"]
    said += [f"samples    {content['n_samples']} of {content['n_test']} to test"]
    said += [f"figure     {figure}"] if figure else []
    emit(content, as_text(rows) + said, as_json=as_json)
