"""One self-contained page of a deployment on crossbars, from what was written beside it."""

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

import hwsim
from hwsim.atomic import write_text
from hwsim.crossbar.device_files import load_device
from hwsim.report import units
from hwsim.report.markup import (
    Column,
    Html,
    Text,
    bullets,
    element,
    join,
    paragraph,
    safe,
    section,
    table,
)
from neuro.crossbar import real_network
from neuro.deploy import file_digest, load_deployment
from neuro.durations import duration_words
from neuro.mapping import chip_digest
from neuro.runs import RunFolder, read_json

CAPTIONS = {
    "energy.svg": "Energy per inference by component: medians, bars from p10 to p90.",
    "conductances.svg": "Conductances of the first chip's cells: wanted, programmed, when read.",
    "wires.svg": "Voltage that the cells of the largest block miss, all rows driven.",
    "age.svg": "Accuracy of the same chips against time since programming: mean and [p5, p95].",
}
SAME = ("chip_digest", "device_digest", "network_digest", "host", "join", "calibrated")  # of ages


def write(
    run: RunFolder, chip: hwsim.CrossbarChip, *, given: str | None = None
) -> tuple[Path, Path]:
    """Write `report.html` beside a deployment; the paths of the page and of its data.

    Args:
        given: how the chip was named, if not by its own name: the path of its file.

    Raises:
        FileNotFoundError: if the run was not deployed on the chip, or a figure is missing.
        ValueError: if it was another chip of that name, another device or network, or if what was
            written is damaged, or figures are of another deployment.
    """
    folder = run.deployment(chip.name)
    content = load_deployment(run, chip.name, given)
    with _whole(folder / "deploy.json", "deploy again"):
        figures = dict(content["files"])
        before = [_accuracy(content)]
        after = [_layers(content), _bill(content), _left_out(chip, content), _origin(content)]
        names = [name for name in content["figures"] if name != "energy.svg"]
        verdict = _verdict(content)
    _check_same(run, chip, content)
    drawn = [
        section("energy", "Energy", _figure(folder, "energy.svg", figures)),
        section("cells", "Cells and wires", *(_figure(folder, n, figures) for n in names)),
    ]
    page = _page(run, chip, verdict, [*before, *drawn, *_aged(content, folder), *after])
    write_text(folder / "report.html", page)
    return folder / "report.html", folder / "deploy.json"


@contextmanager
def _whole(path: Path, remedy: str) -> Iterator[None]:
    """What a file does not hold, or holds otherwise than it was written, is said in one line."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{path} is damaged or of another version: {remedy}") from error


def _check_same(run: RunFolder, chip: hwsim.CrossbarChip, content: dict[str, Any]) -> None:
    """Refuse a report of what is not there any more."""
    if content["chip_digest"] != chip_digest(chip):
        raise ValueError(
            f"{run.path} was deployed on another {chip.name!r} than this one: deploy again"
        )
    if content["device_digest"] != chip_digest(load_device(chip.device)):
        raise ValueError(
            f"{run.path} was deployed with other cells than {chip.device} holds now: deploy again"
        )
    if content["network_digest"] != real_network(run, content["network"])[0].digest:
        raise ValueError(f"{run.path} was deployed with another network than it has: deploy again")


def _aged(content: dict[str, Any], folder: Path) -> list[Html]:
    """What `neuro age` found, if it was of the same network on the same chips."""
    aged = read_json(folder / "age.json")
    if aged is None or any(aged.get(key) != content.get(key) for key in SAME):
        return []
    with _whole(folder / "age.json", "run `neuro age` again"):
        found, files = _age(aged), dict(aged["files"])
    return [section("age", "Age", _figure(folder, "age.svg", files), found)]


def _page(run: RunFolder, chip: hwsim.CrossbarChip, verdict: str, body: list[Html]) -> str:
    style, frame = (
        (resources.files("hwsim.report") / name).read_text(encoding="utf-8")
        for name in ("page.css", "page.html")
    )
    return Template(frame).substitute(
        title=safe(run.path.name),
        chip=safe(f"{chip.title}, {chip.technology}"),
        description=safe(verdict),
        style=Html(style),
        body=join(body, "\n"),
    )


def _verdict(content: dict[str, Any]) -> str:
    a, n = content["accuracy"], len(content["seeds"])
    exact = content["exact"]["n_correct"] / content["exact"]["n_total"]
    return (
        f"{units.percent(a['mean'])} right on {n} chip{'s' * (n != 1)}, nine of ten chips from "
        f"{units.percent(a['p5'])} to {units.percent(a['p95'])}; {units.percent(exact)} without "
        f"errors; {_band(content['bill']['energy_band_j'], 'J')} and "
        f"{_band(content['bill']['latency_band_s'], 's')} per inference."
    )


def _accuracy(content: dict[str, Any]) -> Html:
    age = "when they were programmed"
    if content["time_s"]:
        age = f"{duration_words(content['time_s'])} after programming"
    n = content["n_total"]
    rows = [
        (str(seed), str(right), units.percent(right / n))
        for seed, right in zip(content["seeds"], content["n_correct"], strict=True)
    ]
    columns = (Column("Seed"), Column(f"Right of {n}", numeric=True), Column("", numeric=True))
    how = "trained with noise" if content["network"] == "noise" else "trained without noise"
    return section(
        "accuracy",
        "Accuracy",
        paragraph(_verdict(content), class_="verdict-text"),
        paragraph(
            f"The network in real numbers, {how}; cells of {content['device']}, read {age}"
            f"{', channels calibrated before' * content['calibrated']}. Ranges of converters are "
            f"of {content['ranges']}."
        ),
        table("Every chip has devices of its own", columns, rows),
    )


def _age(aged: dict[str, Any]) -> Html:
    rows = [
        (row["time"], *(units.percent(row[key]) for key in ("mean", "p5", "p95")))
        for row in aged["times"]
    ]
    columns = (Column("Time"), *(Column(t, numeric=True) for t in ("Mean", "p5", "p95")))
    title = f"Accuracy of {len(aged['seeds'])} chips"
    return table(title, columns, rows)


def _layers(content: dict[str, Any]) -> Html:
    n = len(content["seeds"])
    layers = [
        (
            row["layer"],
            row["on"],
            units.number(row["neurons"]),
            units.number(row["arrays"]),
            units.number(row["cells"]),
            units.number(row["spikes_exact"]),
            units.number(round(sum(row["spikes_different"]) / n)),
        )
        for row in content["layers"]
    ]
    blocks = [
        (
            row["layer"],
            f"{row['rows']} x {row['columns']}",
            units.si(row["high_ampere"], "A"),
            units.number(row["conversions"]),
            units.percent(row["clipped"] / row["conversions"] if row["conversions"] else None),
        )
        for row in content["blocks"]
    ]
    titles = ("Neurons", "Arrays", "Cells", "Spikes without errors", "of them others on a chip")
    numbers = tuple(Column(title, numeric=True) for title in titles)
    what = tuple(Column(t, numeric=True) for t in ("Converters reach", "Conversions", "Clipped"))
    return section(
        "layers",
        "Layers and arrays",
        table("Layers", (Column("Layer"), Column("On"), *numbers), layers),
        table("Arrays in use", (Column("Layer"), Column("Cells"), *what), blocks),
        paragraph(
            f"{content['arrays']} of {content['arrays_on_chip']} arrays, "
            f"{_band(content['area_band_m2'], 'm2')}. Programming them once takes "
            f"{_band(content['programming']['energy_band'], 'J')} and, one cell after the other, "
            f"{units.si(content['programming']['seconds'], 's')}."
        ),
    )


def _bill(content: dict[str, Any]) -> Html:
    columns = (
        Column("Component"),
        Column("What"),
        Column("Amount", numeric=True),
        Column("Price of one", numeric=True),
        Column("Product", numeric=True),
        Column("Class"),
        Column("Source"),
    )
    bill = content["bill"]
    return section(
        "bill",
        "The full bill",
        paragraph("Per inference, at the constants' own values."),
        table("Energy", columns, _terms(bill["energy_terms"], "J")),
        table("Time", columns, _terms(bill["time_terms"], "s")),
    )


def _terms(terms: list[dict[str, Any]], unit: str) -> Iterable[tuple[Text, ...]]:
    for t in terms:
        yield (
            t["component"],
            join([t["what"], element("code", t["constant"], class_="below")]),
            units.number(t["amount"]),
            units.si(t["price"], t["unit"]),
            units.si(t["value"], unit),
            t["class"],
            join([t["source"], element("span", f" {t['note']}", class_="note")]),
        )


def _left_out(chip: hwsim.CrossbarChip, content: dict[str, Any]) -> Html:
    unknown = [
        *content["bill"]["unknown"],
        *content["area_unknown"],
        *content["programming"]["unknown"],
    ]
    device = content["device"]
    unknown += [f"{device}: {law}, not published and not simulated"
                for law in content["device_unknown"]]  # fmt: skip
    unknown += [f"{device}: {law}, a rule of thumb" for law in content["device_assumed"]]
    notes = bullets(chip.notes) if chip.notes else paragraph("The chip file has no notes.")
    return section("left-out", "What is left out, and what is assumed", notes, bullets(unknown))


def _origin(content: dict[str, Any]) -> Html:
    keys = ("run", "chip", "chip_digest", "device", "device_digest", "network_digest")
    rows = [(key.replace("_", " "), element("code", content[key])) for key in keys]
    rows += [(f"version of {n}", element("code", v)) for n, v in content["versions"].items()]
    columns = (Column("What", tight=True), Column("Value"))
    return section("provenance", "Provenance", table("Where this comes from", columns, rows))


def _figure(folder: Path, name: str, digests: dict[str, str]) -> Html:
    """A figure's file, inside the page, if it is the one that was drawn."""
    path, remedy = folder / name, "run `neuro age` again" if name == "age.svg" else "deploy again"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: {remedy}")
    if file_digest(path) != digests.get(name):
        raise ValueError(f"{path} is damaged or of another deployment: {remedy}")
    inside = base64.b64encode(path.read_bytes()).decode("ascii")
    said = safe(CAPTIONS[name])
    source = f"data:image/svg+xml;base64,{inside}"
    image = Html(f'<img src="{source}" alt="{said}" style="width: 100%; max-width: 680px">')
    return element("figure", image, element("figcaption", said))


def _band(band: dict[str, float] | None, unit: str) -> str:
    if band is None:
        return units.UNKNOWN
    return units.band(band["median"], band["p10"], band["p90"], unit)
