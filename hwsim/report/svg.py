"""From a matplotlib figure to inline SVG in the colours of the page, the same bytes every time.

A figure is drawn in marker colours (`#0100NN`), which become the page's CSS variables; so one
drawing serves light, dark and print. It is drawn twice, wide and narrow, with letters of the same
size: the page shows the one that suits the screen.
"""

import re
import textwrap
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING, Any

from hwsim.report.markup import Html, element, printable, safe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDE, NARROW = 680.0, 344.0  # points, shown as CSS pixels
FONT = 12.0
LETTER_WIDTH = 0.6  # of the font size, on average
TOKENS = ("ink", "muted", "grid", "paper", "panel", "events", "time", "good", "none", "mark")
N_LOADS = 7  # shades of the map: --load-0 to --load-6, ink on each, --heat-0 to --heat-6
N_SERIES = 6
_NAMES = (
    *TOKENS,
    *(f"load-{i}" for i in range(N_LOADS)),
    *(f"load-ink-{i}" for i in range(N_LOADS)),
    *(f"heat-{i}" for i in range(N_LOADS)),
    *(f"series-{i}" for i in range(N_SERIES)),
)
_MARKERS = {name: f"#0100{i + 1:02x}" for i, name in enumerate(_NAMES)}
_VARIABLES = {marker: f"var(--{name})" for name, marker in _MARKERS.items()}
_SETTINGS: Any = {  # its keys are a closed type that a dict literal is not
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": FONT,
    "axes.unicode_minus": True,
    "path.simplify": False,
}

_NOTHING = dict.fromkeys(("Date", "Creator", "Format", "Type"))

Drawing = Callable[[float], "Figure"]


def colour(name: str) -> str:
    """The marker colour that becomes `var(--name)`."""
    return _MARKERS[name]


def marked(tone: str) -> str | None:
    """The name behind a marker colour; None for any other colour."""
    return next((name for name, marker in _MARKERS.items() if marker == tone), None)


def new_figure(width: float, height: float) -> "Figure":
    """An empty, transparent figure, in points."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 72, height / 72), dpi=72)
    figure.patch.set_visible(False)
    return figure


def new_axes(figure: "Figure", left: float, top: float, width: float, height: float) -> "Axes":
    """Bare axes, placed in points from the figure's upper left corner."""
    w, h = figure.get_size_inches() * 72
    axes = figure.add_axes((left / w, 1 - (top + height) / h, width / w, height / h))
    axes.patch.set_visible(False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, colors=colour("muted"), labelsize=FONT - 1)
    return axes


def write(axes: "Axes", x: float, y: float, text: str, **how: Any) -> None:
    """Text, literally: no `$` is mathematics, and it may leave the axes."""
    how.setdefault("color", colour("ink"))
    axes.text(x, y, printable(text), parse_math=False, clip_on=False, **how)


def shortened(text: str, n: int) -> str:
    """A text of at most `n` characters, its middle left out."""
    if len(text) <= n:
        return text
    head = (n - 1 + 1) // 2
    return f"{text[:head]}…{text[len(text) - (n - 1 - head) :]}"


def wrapped(text: str, width: float) -> list[str]:
    """A text in lines of at most `width` points."""
    return textwrap.wrap(text, max(20, int(width / (FONT * LETTER_WIDTH))))


def figure(key: str, draw: Drawing, *, title: str, alt: str, caption: Html | str) -> Html:
    """A captioned figure: `draw(width)` at both widths."""
    wide, narrow = (_inline(key + tag, draw, w) for tag, w in (("-w", WIDE), ("-n", NARROW)))
    shown = element("div", _labelled(wide, alt), class_="wide")
    small = element("div", _labelled(narrow, alt), class_="narrow")
    return element("figure", shown, small, element("figcaption", element("b", title), " ", caption))


def _labelled(svg: str, alt: str) -> Html:
    return Html(svg.replace("<svg ", f'<svg role="img" aria-label="{safe(alt)}" ', 1))


def _inline(key: str, draw: Drawing, width: float) -> str:
    out = StringIO()
    with settings(key):
        draw(width).savefig(out, format="svg", transparent=True, metadata=_NOTHING)
    return _themed(out.getvalue(), key)


@contextmanager
def settings(key: str, **more: Any) -> Iterator[None]:
    """Our own settings of matplotlib, whatever the caller's are."""
    import matplotlib as mpl

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the page's font has it
        mpl.rcdefaults()
        mpl.rcParams.update(_SETTINGS | {"svg.hashsalt": key} | more)
        yield


def _themed(text: str, key: str) -> str:
    """Only the drawing: no prologue, no namespaces, short numbers, own ids, the page's colours."""
    body = text[text.index("<svg") :].strip()
    body = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<defs>\s*<style.*?</defs>", "", body, flags=re.DOTALL)  # styles the page too
    start, rest = body.split(">", 1)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', start)
    assert box is not None, start
    rest = re.sub(r'(<g) id="[^"]*"', r"\1", rest).replace("xlink:href", "href")
    rest = re.sub(r' d="[^"]*"', lambda d: re.sub(r"(\.\d\d)\d+", r"\1", d[0]), rest)
    rest = re.sub(r'( id="|href="#|url\(#)', rf"\g<1>{key}-", rest)
    rest = re.sub(r"#0100[0-9a-f]{2}", lambda c: _VARIABLES[c[0]], rest)
    rest = re.sub(r"('DejaVu Sans'[^;\"]*)", "var(--font)", rest)
    rest = re.sub(r"\n\s*", "\n", rest)
    return f'<svg {box[0]} style="max-width: {float(box[1]):.0f}px">{rest}'
