"""The verdict of a report in sentences, each said only if its numbers are known."""

from hwsim.energy import shortcut
from hwsim.report import units
from hwsim.report.data import Accuracy, ReportInput

NBSP = "\u00a0"
COMPONENTS = {
    "synapses": "synaptic operations",
    "neurons": "updating neurons",
    "network": "moving spikes",
    "sync": "barriers between steps",
    "reset": "clearing state between samples",
    "static": "keeping cores powered",
    "idle": "keeping cores powered between ticks",
    "host": "the embedded processors that run beside the cores",
}


def verdict(data: ReportInput) -> str:
    """One paragraph: how well it answers, what that costs, what is left out."""
    sentences = [_accuracy(data), _cost(data), _share(data), _size(data), _shortcut(data)]
    return " ".join(s for s in (*sentences, _unknown(data)) if s)


def glued(text: str) -> str:
    """The text with a space that never breaks between number and unit."""
    return text.replace(" ", NBSP)


def interval(accuracy: Accuracy) -> str:
    """Wilson's interval in percent, e.g. `[91.4, 94.6] %`."""
    low, high = accuracy.interval()
    return glued(f"[{100 * low:.1f}, {100 * high:.1f}] %")


def energy(data: ReportInput) -> str:
    """Joules of an inference, median [p10, p90]."""
    b = data.bill.energy_band
    if b is None:
        return units.UNKNOWN
    return glued(units.band(b.median, b.p10, b.p90, "J"))


def latency(data: ReportInput) -> str:
    """Seconds of an inference, median [p10, p90]."""
    b = data.bill.latency_band
    if b is None:
        return units.UNKNOWN
    return glued(units.band(b.median, b.p10, b.p90, "s"))


def _accuracy(data: ReportInput) -> str:
    chip, before = data.accuracy("on chip"), data.accuracy("float")
    if chip is None:
        return f"{data.chip.title} was simulated, but no accuracy on it was given."
    out = (
        f"On {data.chip.title} the network answers {glued(units.percent(chip.value))} of "
        f"{units.number(chip.n_total)} samples correctly (95{NBSP}% interval {interval(chip)})"
    )
    if before is None:
        return out + "."
    points = 100 * (chip.value - before.value)
    if abs(points) < 0.05:
        return out + ", as it does in floating point."
    side = "above" if points > 0 else "below"
    return out + f", {abs(points):.1f} percentage points {side} floating point."


def _cost(data: ReportInput) -> str:
    out = f"One inference takes {units.number(data.steps)} time steps"
    if not (data.energy_known or data.latency_known):
        return f"{out}; its time and its energy are not known."
    if not data.energy_known:
        return f"{out} and {latency(data)} (median [p10, p90]); its energy is not known."
    if not data.latency_known:
        return f"{out} and {energy(data)} (median [p10, p90]); its time is not known."
    return f"{out}, {latency(data)} and {energy(data)} (median [p10, p90])."


def _share(data: ReportInput) -> str:
    known = {n: band.median for n, band in data.bill.components.items() if band and band.median}
    if not known or data.bill.energy_band is None:
        return ""
    name, joules = max(known.items(), key=lambda item: item[1])
    share = joules / data.bill.energy_band.median
    what = COMPONENTS.get(name, name)
    return f"The largest part, {glued(units.percent(share, digits=0))} of the known, is {what}."


def _size(data: ReportInput) -> str:
    used, there, n_chips = data.counts.n_cores, data.n_cores, data.counts.n_chips
    of = f"of {units.number(there)} cores" + (f" on {n_chips} chips" if n_chips > 1 else "")
    return f"The network occupies {units.number(used)} {of}."


def _shortcut(data: ReportInput) -> str:
    sops = sum(row.sops for row in data.layers)
    value = shortcut(sops, 0, data.prices)["snn_fp32"].value
    if not value or data.bill.energy_j is None:
        return ""
    times = data.bill.energy_j / value
    return (
        f"The arithmetic-only shortcut would have said {glued(units.si(value, 'J'))}, "
        f"{units.number(times, digits=2)} times less."
        if times >= 1
        else f"The arithmetic-only shortcut would have said {glued(units.si(value, 'J'))}."
    )


def _unknown(data: ReportInput) -> str:
    n = len(data.bill.unknown)
    if n == 0:
        return ""
    return (
        "One cost is not known and is in no sum."
        if n == 1
        else f"{n} costs are not known and are in no sum."
    )
