"""A figure as a file of its own: the page's light colours, a white ground, SVG, PNG or PDF."""

import re
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.atomic import atomic_path
from hwsim.report.svg import Drawing, marked, settings

if TYPE_CHECKING:
    from matplotlib.artist import Artist

FORMATS = (".svg", ".png", ".pdf")
WIDTH = 720.0  # points
DPI = 220  # of a PNG
PROPERTIES = ("color", "facecolor", "edgecolor")


def check_format(path: Path) -> str:
    """The format that a file's name asks for.

    Raises:
        ValueError: if there is no such format.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(
            f"{path}: a figure is written as {', '.join(FORMATS)}, not {path.suffix or 'nothing'!r}"
        )
    return path.suffix.lower()[1:]


def save_figure(draw: Drawing, path: Path, *, width: float = WIDTH) -> None:
    """Draw a figure into a file, whole or not at all; the same bytes for the same drawing.

    Raises:
        ValueError: for a suffix that is no format of figures.
        OSError: if the file cannot be written.
    """
    kind = check_format(path)
    undated: dict[str, dict[str, Any]] = {
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
        "png": {"Software": None},
    }
    with settings(path.stem, **{"svg.fonttype": "path"}), atomic_path(path) as temporary:
        figure = draw(width)
        for artist in figure.findobj():
            _recolour(artist)
        figure.patch.set(visible=True, facecolor=light_colours()["paper"])
        how: dict[str, Any] = {"bbox_inches": "tight", "pad_inches": 0.12, "dpi": DPI}
        figure.savefig(temporary, format=kind, metadata=undated[kind], **how)


@cache
def light_colours() -> dict[str, str]:
    """The colours of the page by day, from its style sheet."""
    sheet = (resources.files("hwsim.report") / "page.css").read_text(encoding="utf-8")
    root = sheet[sheet.index(":root") : sheet.index("}")]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", root))


def _recolour(artist: "Artist") -> None:
    """Marker colours become those of the page."""
    from matplotlib.colors import to_hex

    for name in PROPERTIES:
        get, put = (getattr(artist, f"{verb}_{name}", None) for verb in ("get", "set"))
        if get is None or put is None:
            continue
        value = get()
        token = (
            marked(to_hex(value)) if isinstance(value, str | tuple) and value != "none" else None
        )
        if token is not None:
            put(light_colours()[token])
