"""The last sections: the full bill with its sources, what is left out, where it comes from."""

from collections.abc import Iterable

from hwsim.bill import Term
from hwsim.chips.spec import CLASSES, Constant
from hwsim.report import units, words
from hwsim.report.data import ReportInput
from hwsim.report.markup import Column, Html, bullets, element, join, paragraph, section, table
from hwsim.report.plain import comparison, provenance

COLUMNS = (
    Column("Component"),
    Column("What"),
    Column("Amount", numeric=True),
    Column("Price of one, p10 to p90", numeric=True),
    Column("Product", numeric=True),
    Column("Class"),
    Column("Source"),
)


def bill(data: ReportInput) -> Html:
    """Every product of the bill."""
    joules = data.bill.energy_j
    seconds = data.bill.latency_s
    prices = comparison(data).values()
    note = (
        "Amounts and products are per inference. Sums are at the constants' own values; the median "
        "of the bands may differ a little, as bands are wider above than below. A price in watts "
        "is paid for the whole latency."
    )
    return section(
        "bill",
        "The full bill",
        paragraph(note),
        table("Energy", COLUMNS, _rows(data.bill.energy_terms, "J"), foot=_foot(joules, "J")),
        table("Time", COLUMNS, _rows(data.bill.time_terms, "s"), foot=_foot(seconds, "s")),
        table(f"The shortcut: {data.prices.title}", COLUMNS, _rows(prices, "J")),
        element("h3", "Classes"),
        bullets(join([element("b", letter), f" {text}"]) for letter, text in CLASSES.items()),
    )


def _rows(terms: Iterable[Term], unit: str) -> list[tuple[Html | str, ...]]:
    return [
        (
            t.component,
            join([t.what, element("code", t.constant, class_="below")]),
            _amount(t),
            join([_unknown_or(units.si(t.price.value, t.price.unit)), _band(t.price)]),
            _unknown_or(units.si(t.value, unit)),
            element("abbr", t.price.kind, title=CLASSES[t.price.kind]),
            _source(t.price),
        )
        for t in terms
    ]


def _amount(term: Term) -> str:
    return units.si(term.amount, "s") if term.price.unit == "W" else units.number(term.amount)


def _unknown_or(text: str) -> Html | str:
    return element("em", text) if text == units.UNKNOWN else words.glued(text)


def _band(price: Constant) -> Html | str:
    if price.value is None or price.rel_uncertainty is None:
        return ""
    low, high = price.value / (1 + price.rel_uncertainty), price.value * (1 + price.rel_uncertainty)
    exponent = units.prefix_exponent(price.value)
    unit = f"{units.prefix(exponent)}{price.unit}"
    scaled = [units.number(x / 10.0**exponent, digits=3) for x in (low, high)]
    text = words.glued(f"{' to '.join(scaled)} {unit}")
    return element("span", text, class_="below")


def _source(price: Constant) -> Html | str:
    if not price.note:
        return price.source
    return join([price.source, element("span", f" {price.note}", class_="note")])


def _foot(total: float | None, unit: str) -> tuple[Html | str, ...]:
    product = element("strong", words.glued(units.si(total, unit)))
    return ("Sum", "of what is known", "", "", product, "", "")


def left_out(data: ReportInput) -> Html:
    """What the chip file does not model, and what nobody published."""
    modelled = bullets(data.not_modelled) if data.not_modelled else paragraph("Nothing is listed.")
    unknown = bullets(data.bill.unknown) if data.bill.unknown else paragraph("Nothing.")
    return section(
        "left-out",
        "What is left out",
        element("h3", "Notes of the chip file"),
        modelled,
        element("h3", "Prices that are not known"),
        unknown,
    )


def origin(data: ReportInput) -> Html:
    """Versions, seeds, hashes, command."""
    rows = [(key, element("code", value)) for key, value in provenance(data).items()]
    columns = (Column("What", tight=True), Column("Value"))
    return section("provenance", "Provenance", table("Where this comes from", columns, rows))


def cite(data: ReportInput) -> Html:
    """A BibTeX entry, and the sources of the constants."""
    given = data.provenance
    version = next((given[k] for k in ("version of neuro-hwsim", "version") if k in given), "")
    lines = [
        "@software{neuro_hwsim,",
        "  title = {neuro-hwsim: spiking networks, bit for bit and joule for joule, on silicon},",
        *([f"  version = {{{version}}},"] if version else []),
        f"  note = {{run {data.title}, network {data.plan.network.digest[:16]}}}",
        "}",
    ]
    terms = (*data.bill.energy_terms, *data.bill.time_terms, *comparison(data).values())
    sources = dict.fromkeys(t.price.source for t in terms if t.price.value is not None)
    return section(
        "cite",
        "How to cite",
        element("pre", join(lines, "\n")),
        paragraph("The joules and seconds are theirs who published the constants:"),
        bullets(sources),
    )
