"""The figures of README.md, drawn from the tables; the same bytes every time."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.axes import Axes

from experiments import drawing
from experiments.drawing import GREY
from experiments.rram.cases import HERE
from experiments.rram.summary import NAMES, Row, ages, find

drawn = partial(drawing.drawn, salt="rram")
TONES = {"float": "#c2410c", "noise": "#1d4ed8"}
Series = list[tuple[float, Row]]


def draw_all(rows: list[Row], energy: list[Row], folder: Path = HERE) -> None:
    """All figures that the rows are complete for."""
    spread = {net: _series(rows, "spread", net) for net in TONES}
    with drawn(folder / "spread.svg", 6.0, 3.6) as (axes,):
        _accuracies(axes, spread, "spread of a cell's conductance (sd, % of $g_{max}$)", scale=100)
        for net in TONES:
            row = find(rows, "spread, corrected", net)
            if row:
                axes.plot(10.35, 100 * float(row["mean"]), "D", color=TONES[net], ms=6, mfc="white")
        axes.plot([], [], "D", color=GREY, mfc="white", label="each chip corrected, at 10 %")
        _legend(axes)
    wires = {net: _series(rows, "wires", net, 1.0) for net in TONES}
    with drawn(folder / "wires.svg", 6.0, 3.4) as (axes,):
        places = {net: _in_turn(points) for net, points in wires.items()}
        _accuracies(axes, places, "resistance of the wires, times the chip's")
        axes.set_xticks(range(5), ["0", "1", "3", "10", "30"])
        _legend(axes)
    with drawn(folder / "adc.svg", 9.0, 3.4, 2) as (left, right):
        bits = {net: _series(rows, "adc", net, 8.0) for net in TONES}
        _accuracies(left, bits, "bits of the converters")
        _legend(left)
        _converters(right, bits["noise"])
    _draw_ages(rows, folder / "age.svg")
    _draw_energy(energy, folder / "energy.svg")


def _series(rows: list[Row], part: str, network: str, as_is: float | None = None) -> Series:
    """A sweep in order, the chip as it is at its own value."""
    out = [(float(r["value"]), r) for r in rows if (r["part"], r["network"]) == (part, network)]
    row = find(rows, "as-is", network)
    if as_is is not None and row:
        out.append((as_is, row))
    return sorted(out, key=lambda pair: pair[0])


def _in_turn(points: Series) -> Series:
    return [(float(i), row) for i, (_, row) in enumerate(points)]


def _accuracies(axes: Axes, series: dict[str, Series], label: str, scale: float = 1.0) -> None:
    """Mean of the chips as a line, nine chips of ten as a band."""
    for network, points in series.items():
        x = [scale * at for at, _ in points]
        mean, low, high = ([100 * float(r[k]) for _, r in points] for k in ("mean", "p5", "p95"))
        axes.fill_between(x, low, high, color=TONES[network], alpha=0.16, lw=0)
        axes.plot(x, mean, "o-", color=TONES[network], lw=1.8, ms=4.5, label=NAMES[network])
    axes.axhline(10, color=GREY, lw=1, ls=(0, (4, 3)), label="guessing")
    axes.set(ylim=(0, 101), xlabel=label, ylabel="test accuracy (%)")


def _legend(axes: Axes) -> None:
    axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 0.1), borderpad=0)


def _converters(axes: Axes, points: Series) -> None:
    """Energy of an inference, and of its conversions, by the converters' bits."""
    x = [at for at, _ in points]
    for column, label, tone in (("energy_j", "one inference", "#111827"),
                                ("converters_j", "of it conversions", "#b45309")):  # fmt: skip
        y = [1e6 * float(row[column]) for _, row in points]
        axes.plot(x, y, "o-", color=tone, lw=1.8, ms=4.5, label=label)
    low, high = ([1e6 * float(r[f"energy_{p}_j"]) for _, r in points] for p in ("p10", "p90"))
    axes.fill_between(
        x, low, high, color="#111827", alpha=0.1, lw=0, label="p10 to p90 of constants"
    )
    axes.set(ylim=(0, 1.3 * max(high)), xlabel="bits of the converters", ylabel="energy (µJ)")
    axes.legend(frameon=False, loc="upper left")


def _draw_ages(rows: list[Row], path: Path) -> None:
    titles = {
        "taox-40nm": "TaOx: retention assumed",
        "rram-wan2022": "HfOx RRAM, published to 2 d",
        "pcm": "PCM, published law",
    }
    with drawn(path, 9.0, 3.4, 3) as panels:
        for axes, (device, title) in zip(panels, titles.items(), strict=True):
            series = {net: ages(rows, device, net) for net in TONES}
            words = [word for word, _ in series["float"]]
            _accuracies(axes, {n: _in_turn([(0.0, r) for _, r in s]) for n, s in series.items()},
                        "time since programming")  # fmt: skip
            for net in TONES:
                row = find(rows, "age, corrected", net, device=device)
                if row:
                    axes.plot(len(words) - 1, 100 * float(row["mean"]), "D", color=TONES[net],
                              ms=6, mfc="white", zorder=4)  # fmt: skip
            axes.plot([], [], "D", color=GREY, mfc="white", label="corrected at that age")
            axes.set_xticks(range(len(words)), words)
            axes.set_title(title, fontsize=10)
            axes.set_xlim(-0.2, len(words) - 0.8)
        for axes in panels[1:]:
            axes.set_ylabel("")
        _legend(panels[0])


def _draw_energy(energy: Sequence[Row], path: Path) -> None:
    """Joules by component: medians, and bars from p10 to p90, on a logarithmic axis."""
    own = [r for r in energy if r["network"] == "noise" and r["unit"] == "J" and r["value"]]
    own = sorted(own, key=lambda r: float(r["value"]))
    with drawn(path, 6.0, 3.4) as (axes,):
        for at, row in enumerate(own):
            median, low, high = (1e9 * float(row[k]) for k in ("median", "p10", "p90"))
            whole = row["what"] == "an inference"
            tone = "#111827" if whole else "#1d4ed8"
            axes.plot([low, high], [at, at], color=tone, lw=7, alpha=0.25, solid_capstyle="butt")
            axes.plot(median, at, "o", color=tone, ms=5.5)
            text = f"{median:,.3g} nJ" if median < 1000 else f"{median / 1000:.2f} µJ"
            axes.annotate(text, (high, at), (6, 0), textcoords="offset points", va="center",
                          fontsize=9)  # fmt: skip
        axes.set_xscale("log")
        axes.set_yticks(range(len(own)), [row["what"] for row in own])
        axes.set(xlabel="nJ per inference: median, p10 to p90 of the constants", xlim=(1, 1.2e4))
        axes.grid(visible=False, axis="y")
