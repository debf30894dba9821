"""`neuro report RUN`: one HTML page and one JSON file of a deployment."""

from neuro.cli.console import AsJson, emit
from neuro.cli.opening import Chip, Run


def report(
    run: Run,
    chip: Chip = "loihi1",
    as_json: AsJson = False,
) -> None:
    """Write report.html and report.json of a run that was deployed on this chip."""
    from hwsim.chips.files import load_neurocores
    from neuro.reporting import write
    from neuro.runs import open_run

    page, data = write(open_run(run), load_neurocores(chip), given=chip)
    emit({"html": str(page), "json": str(data)}, [f"report     {page}"], as_json=as_json)
