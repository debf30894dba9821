"""The first sections: headline cards, energy, comparison, accuracy, time."""

from hwsim.bands import Band
from hwsim.bill import Term
from hwsim.report import bars, units, words
from hwsim.report.accuracy_figure import axis_start, draw_accuracies, interval_text
from hwsim.report.data import ReportInput
from hwsim.report.markup import Column, Html, bullets, element, join, paragraph, section, table
from hwsim.report.plain import comparison
from hwsim.report.svg import figure


def cards(data: ReportInput) -> Html:
    """The five numbers people ask for first."""
    a, bill = data.accuracy("on chip"), data.bill
    energy = bill.energy_band if data.energy_known else None
    delay = bill.latency_band if data.latency_known else None
    n_tiles, n_chips = data.counts.n_tiles, data.counts.n_chips
    tiles = f"of {units.number(data.n_cores)}, on {n_tiles} tile{'s' * (n_tiles != 1)}"
    tiles += f" of {n_chips} chips" if n_chips > 1 else ""
    return element(
        "dl",
        _card("Accuracy on chip", units.percent(a.value) if a else units.UNKNOWN, _tested(data)),
        _card("Energy per inference", _median(energy, "J"), _spread(energy, "J")),
        _card("Latency", _median(delay, "s"), _spread(delay, "s")),
        _card("Power", units.si(data.bill.power_w, "W"), "mean over an inference"),
        _card("Cores", units.number(data.counts.n_cores), tiles),
        class_="cards",
    )


def _card(title: str, value: str, below: str) -> Html:
    kind = "value unknown" if value == units.UNKNOWN else "value"
    parts = element("dd", words.glued(value), class_=kind), element("dd", below)
    return element("div", element("dt", title), *parts)


def _tested(data: ReportInput) -> str:
    a = data.accuracy("on chip")
    if a is None:
        return "not tested"
    return (
        f"{words.interval(a)} at 95{words.NBSP}%, {words.glued(f'n = {units.number(a.n_total)}')}"
    )


def _median(band: Band | None, unit: str) -> str:
    return units.UNKNOWN if band is None else units.si(band.median, unit)


def _spread(band: Band | None, unit: str) -> str:
    if band is None:
        return "no price is known"
    spread = units.spread(band.median, band.p10, band.p90, unit)
    return f"{words.glued(spread)}, {words.glued('p10 to p90')}"


def energy(data: ReportInput) -> Html:
    """Joules by component."""
    rows = bars.energy_bars(data)
    said = "; ".join(f"{bar.label} {bar.text}" for bar in rows)
    caption = (
        "Median per inference and share of the known total; whiskers are p10 and p90. Blue is paid "
        "per event, orange for as long as the chip is on. Sync: barriers between steps; reset: "
        "clearing state between samples; static: powered cores; idle: the same between "
        "ticks; host: embedded processors and what enters and leaves. “+ ?”: a part is not known."
    )
    drawing = figure(
        "energy",
        lambda width: bars.draw_bars(rows, width, "J"),
        title="Energy by component.",
        alt=f"Bars of energy by component: {said}",
        caption=caption,
    )
    return section("energy", "Where each joule goes", drawing, _unknown_list(data))


def _unknown_list(data: ReportInput) -> Html:
    if not data.bill.unknown:
        return paragraph("Every cost of this bill is known.")
    head = element("h3", "Not known, and in no sum")
    return join([head, bullets(data.bill.unknown)])


def compared(data: ReportInput) -> Html:
    """The chip's bill beside the field's shortcut."""
    own = data.bill.energy_j
    sops = sum(row.sops for row in data.layers)
    first = (
        f"This network on {data.chip.title}",
        element("strong", words.energy(data)),
        "1" if own else units.UNKNOWN,
        words.glued(f"{units.number(sops)} SOPs"),
        "whole bill",
    )
    rows = [first, *(_shortcut_row(name, term, own) for name, term in comparison(data).items())]
    columns = (
        Column("Counted as"),
        Column("Energy per inference", numeric=True),
        Column("Of the chip's bill", numeric=True),
        Column("Operations", numeric=True),
        Column("Price of one", numeric=True),
    )
    caveat = (
        "The shortcut counts arithmetic only: no memory access, no membranes, no routing, no "
        "static power. Beside the whole bill it says how small a part arithmetic is, not which "
        "network is better. The ANN has the same layers and runs once, without time steps."
    )
    shown = table(f"The chip's bill, and {data.prices.title}", columns, rows)
    return section("comparison", "Against the ANN and the shortcut", shown, paragraph(caveat))


def neurobench(data: ReportInput) -> Html:
    """NeuroBench's metrics; nothing if they were not taken."""
    found = data.neurobench
    if found is None:
        return join([])
    rows = (
        ("Footprint", units.number(found.footprint_bytes), "bytes"),
        ("Connection sparsity", units.number(found.connection_sparsity), "of all weights are zero"),
        ("Activation sparsity", units.number(found.activation_sparsity), "of all outputs are zero"),
        ("Effective MACs", units.number(found.effective_macs), "per sample"),
        ("Effective ACs", units.number(found.effective_acs), "per sample"),
        ("Dense synaptic operations", units.number(found.dense), "per sample"),
        ("Membrane updates", units.number(found.membrane_updates), "per sample"),
    )
    columns = (Column("Metric"), Column("Value", numeric=True), Column("Unit"))
    note = (
        "The definitions are NeuroBench 2.3.0's, so these numbers stand beside those of its "
        "leaderboard, and differ from the chip's: a zero weight is no operation here, but takes a "
        "synaptic operation on the chip; states take no bytes; read-outs count as silent."
    )
    shown = table("The network by NeuroBench 2.3.0", columns, rows)
    return section("neurobench", "NeuroBench", shown, paragraph(note, class_="note"))


LABELS = {
    "snn_fp32": "The same spikes by the shortcut, additions fp32",
    "ann_fp32": "ANN of the same shape, MACs fp32",
    "ann_int8": "ANN of the same shape, MACs int8",
}


def _shortcut_row(name: str, term: Term, own: float | None) -> tuple[str, ...]:
    r = term.price.rel_uncertainty
    value = units.si(term.value, "J")
    if term.value and r is not None:
        value = units.band(term.value, term.value / (1 + r), term.value * (1 + r), "J")
    kind = "SOPs" if name.startswith("snn") else "MACs"
    price = f"{units.si(term.price.value, 'J')} ({term.price.kind})"
    ratio = units.percent(term.value / own) if own and term.value is not None else units.UNKNOWN
    amount = f"{units.number(term.amount)} {kind}"
    return LABELS.get(name, term.what), words.glued(value), ratio, amount, price


def accuracy(data: ReportInput) -> Html:
    """Float, quantised, on chip."""
    if not data.accuracies:
        text = "No accuracy was given for this run."
        return section("accuracy", "Accuracy along the road", paragraph(text))
    line = "" if data.chance is None else f" Guessing gives {units.percent(data.chance)}."
    spans = "; ".join(
        f"{a.stage} {units.number(a.n_correct)} of {units.number(a.n_total)}"
        for a in data.accuracies
    )
    starts = axis_start(data.accuracies, data.chance)
    cut = f" The axis starts at {units.percent(starts, digits=0)}." if starts else ""
    said = "; ".join(f"{a.stage} {interval_text(a)}" for a in data.accuracies)
    drawing = figure(
        "accuracy",
        lambda width: draw_accuracies(data.accuracies, data.chance, width),
        title="Right answers.",
        alt=f"Accuracy by stage: {said}.{line}",
        caption=f"{spans}. Lines are Wilson's 95 % intervals.{line}{cut}",
    )
    return section("accuracy", "Accuracy along the road", drawing)


def time(data: ReportInput) -> Html:
    """What a time step waits for."""
    rows = bars.time_bars(data)
    said = "; ".join(f"{bar.label} {bar.text}" for bar in rows)
    whole = data.bill.latency_s
    step = whole / data.steps if whole is not None and data.steps else None
    presented = data.steps * data.plan.network.dt_s
    lasts = (
        "A step lasts as long as its slowest core computes or its packets travel, whichever is "
        "longer, then all cores meet at a barrier"
        if data.chip.time.tick is None
        else "A step begins with every tick of the chip"
    )
    note = (
        f"{lasts}: {words.glued(units.si(step, 's'))} on average, {units.number(data.steps)} "
        f"steps per inference ({data.plan.latency_steps} of them because each projection takes a "
        f"step). Input arriving in real time would take {words.glued(units.si(presented, 's'))} "
        "instead, and whatever is paid by the second would be paid that long."
    )
    drawing = figure(
        "time",
        lambda width: bars.draw_bars(rows, width, "s"),
        title="A mean time step.",
        alt=f"Bars of time per step: {said}",
        caption=note,
    )
    return section("time", "Time per step", drawing)
