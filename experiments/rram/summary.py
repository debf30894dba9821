"""What came out, as the tables of README.md."""

from collections.abc import Iterable

Row = dict[str, str]
NAMES = {"float": "float", "noise": "trained with noise", "untrained": "untrained"}
AGES = {"1": "1 s", "3600": "1 h", "86400": "1 d", "172800": "2 d", "3.15576e+07": "1 y"}
FIRST = {"0": "first read"} | AGES


def find(rows: list[Row], part: str, network: str, **more: str) -> Row | None:
    """The row of a part and network, with these cells; None if it is not measured yet."""
    wanted = {"part": part, "network": network} | more
    return next((r for r in rows if all(r[k] == v for k, v in wanted.items())), None)


def percent(row: Row | None) -> str:
    """Mean [p5, p95] of the chips."""
    if row is None:
        return "-"
    mean, low, high = (100 * float(row[name]) for name in ("mean", "p5", "p95"))
    return f"{mean:.1f} [{low:.1f}, {high:.1f}]" if row["n_chips"] != "1" else f"{mean:.1f}"


def recovery(rows: list[Row]) -> tuple[float, float, float, float]:
    """Points lost at 10 % spread, recovered by training with noise, by correction, by both."""
    cells = {
        "exact": find(rows, "spread", "float", value="0"),
        "hurt": find(rows, "spread", "float", value="0.1"),
        "noise": find(rows, "spread", "noise", value="0.1"),
        "corrected": find(rows, "spread, corrected", "float"),
        "both": find(rows, "spread, corrected", "noise"),
    }
    at = {name: 100 * float(row["mean"]) if row else float("nan") for name, row in cells.items()}
    hurt = at["hurt"]
    gained = (at[name] - hurt for name in ("noise", "corrected", "both"))
    return (at["exact"] - hurt, *gained)  # type: ignore[return-value]


def table(head: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """Markdown."""
    head = list(head)
    rows = [f"| {' | '.join(cells)} |" for cells in (head, *lines)]
    return "\n".join([rows[0], "|" + "-|" * len(head), *rows[1:]])


def summary(rows: list[Row]) -> str:
    """All tables, in percent, mean [p5, p95] over chips."""
    parts = [_as_is(rows), _spread(rows), _recovery(rows), _adc(rows), _wires(rows), _ages(rows)]
    return "\n\n".join(parts)


def _as_is(rows: list[Row]) -> str:
    lines = []
    for network, name in NAMES.items():
        ideal, row = find(rows, "ideal", network), find(rows, "as-is", network)
        differ = ideal["spikes_different"] if ideal else "-"
        chips = f"{row['n_chips']}" if row else "-"
        lines.append((name, percent(ideal), differ, percent(row), chips))
    head = ("network", "ideal cells, exact converters", "spikes that differ", "the chip", "chips")
    return table(head, lines)


def _swept(rows: list[Row], part: str, values: list[str], said: list[str], what: str) -> str:
    """A column per value; where the chip as it is is one of them, `as-is` stands for it."""
    lines = []
    for network in ("float", "noise"):
        own = [find(rows, part, network, value=v) for v in values]
        found = [r or (find(rows, "as-is", network) if v == "=" else None)
                 for r, v in zip(own, values, strict=True)]  # fmt: skip
        lines.append((NAMES[network], *map(percent, found)))
    return table((what, *said), lines)


def _spread(rows: list[Row]) -> str:
    values = ["0", "0.025", "0.05", "0.1", "0.15", "0.2"]
    said = [f"{100 * float(v):g} %" for v in values]
    return _swept(rows, "spread", values, said, "spread, of g_max")


def _recovery(rows: list[Row]) -> str:
    lost, noise, corrected, both = recovery(rows)
    return (
        f"At 10 % the float network loses {lost:.1f} points. Recovered: {noise:.1f} by training "
        f"with noise ({100 * noise / lost:.0f} %), {corrected:.1f} by correcting every chip's "
        f"channels ({100 * corrected / lost:.0f} %), {both:.1f} by both "
        f"({100 * both / lost:.0f} %)."
    )


def _adc(rows: list[Row]) -> str:
    values = ["3", "4", "5", "6", "7", "="]
    text = _swept(rows, "adc", values, ["3", "4", "5", "6", "7", "8"], "bits of the converters")
    lines = []
    for what, column, unit in (("a conversion, pJ", "adc_conversion_j", 1e12),
                               ("all conversions of an inference, nJ", "converters_j", 1e9),
                               ("an inference, nJ", "energy_j", 1e9)):  # fmt: skip
        found = [find(rows, "adc", "noise", value=v) for v in values[:-1]]
        found.append(find(rows, "as-is", "noise"))
        lines.append((what, *(f"{unit * float(r[column]):.3g}" if r else "-" for r in found)))
    return text + "\n" + "\n".join(table(("",) * 7, lines).splitlines()[2:])


def _wires(rows: list[Row]) -> str:
    values, said = ["0", "=", "3", "10", "30"], ["0", "1", "3", "10", "30"]
    return _swept(rows, "wires", values, said, "wires, times the chip's")


def ages(rows: list[Row], device: str, network: str) -> list[tuple[str, Row]]:
    """Rows of a device by age, in words; the first reading of the chip's own is the chip's row."""
    out = []
    if device == "taox-40nm" and (first := find(rows, "as-is", network)):
        out.append(("first read", first))
    own = [r for r in rows if r["part"] == "age" and r["network"] == network]
    own = sorted((r for r in own if r["device"] == device), key=lambda r: float(r["value"]))
    return out + [(FIRST[row["value"]], row) for row in own]


def _ages(rows: list[Row]) -> str:
    lines = []
    for device in ("taox-40nm", "rram-wan2022", "pcm"):
        for network in ("float", "noise"):
            found = [f"{age}: {percent(row)}" for age, row in ages(rows, device, network)]
            last = percent(find(rows, "age, corrected", network, device=device))
            lines.append((device, NAMES[network], "; ".join(found), last))
    return table(("cells", "network", "age", "oldest, corrected"), lines)


def energy_table(energy: list[Row]) -> str:
    """What an inference costs: by component for both networks, median [p10, p90]."""

    def text(row: Row, per: float) -> str:
        if not row["value"]:
            return "not known"
        if not row["median"]:
            return f"{per * float(row['value']):.3g}"
        middle, low, high = (per * float(row[name]) for name in ("median", "p10", "p90"))
        return f"{middle:.3g} [{low:.3g}, {high:.3g}]"

    own = {net: [r for r in energy if r["network"] == net] for net in ("float", "noise")}
    units = {"J": (1e9, "nJ"), "s": (1e6, "µs"), "m2": (1e6, "mm²")}
    lines = [
        (f"{a['what']}, {units[a['unit']][1]}", *(text(r, units[a["unit"]][0]) for r in (a, b)))
        for a, b in zip(own["float"], own["noise"], strict=True)
    ]
    shared = [r for r in energy if not r["network"] and ":" not in r["what"] and r["unit"] == "J"]
    said = [f"- {r['what']}: {text(r, 1e12)} pJ" + (f" ({r['source']})" if r["source"] else "")
            for r in shared]  # fmt: skip
    return table(("", NAMES["float"], NAMES["noise"]), lines) + "\n\n" + "\n".join(said)
