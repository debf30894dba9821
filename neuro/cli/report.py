"""`neuro report RUN`: one HTML page and one JSON file of a deployment."""

from neuro.cli.console import AsJson, emit
from neuro.cli.opening import Chip, Run


def report(
    run: Run,
    chip: Chip = "loihi1",
    as_json: AsJson = False,
) -> None:
    """Write report.html and report.json of a run that was deployed on this chip.

    On crossbars the page's data are those of deploy.json.
    """
    import hwsim
    from neuro import crossbar_report, reporting
    from neuro.runs import open_run

    spec, folder = hwsim.load_chip(chip), open_run(run)
    if isinstance(spec, hwsim.CrossbarChip):
        page, data = crossbar_report.write(folder, spec, given=chip)
    else:
        page, data = reporting.write(folder, spec, given=chip)
    emit({"html": str(page), "json": str(data)}, [f"report     {page}"], as_json=as_json)
