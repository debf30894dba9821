"""HTML by plain functions: every text is escaped unless it is `Html` already."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape


class Html(str):
    """Markup that needs no escaping."""

    __slots__ = ()


Text = str | Html


def safe(text: Text) -> Html:
    """Markup for a text; characters that print nothing are shown as a box."""
    if isinstance(text, Html):
        return text
    return Html(escape(printable(str(text))))


def printable(text: str) -> str:
    """The text with a box for every character that prints nothing; spaces stay."""
    return "".join(c if c.isprintable() or c in "\u202f\u00a0" else "\u25a1" for c in text)


def join(parts: Iterable[Text], between: str = "") -> Html:
    """All parts, escaped where needed."""
    return Html(between.join(safe(p) for p in parts))


def element(name: str, *parts: Text, **attributes: str) -> Html:
    """An element; `class_` is written `class`, `aria_label` is `aria-label`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{safe(value)}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{join(parts)}</{name}>")


def paragraph(*parts: Text, **attributes: str) -> Html:
    """A paragraph."""
    return element("p", *parts, **attributes)


def bullets(items: Iterable[Text]) -> Html:
    """A list without order."""
    return element("ul", *(element("li", item) for item in items))


def section(key: str, title: str, *parts: Text) -> Html:
    """A section under its own heading."""
    heading = element("h2", title, id=f"{key}-title")
    return element("section", heading, *parts, id=key, aria_labelledby=f"{key}-title")


def folded(summary: Text, *parts: Text) -> Html:
    """Parts behind a line to click; printed folded parts stay folded."""
    return element("details", element("summary", summary), *parts)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: its heading, and whether it holds numbers or never breaks."""

    title: Text
    numeric: bool = False
    tight: bool = False

    @property
    def css(self) -> str:
        """Classes of its cells."""
        return " ".join(["num"] * self.numeric + ["tight"] * self.tight)


def table(
    caption: Text,
    columns: Sequence[Column],
    rows: Iterable[Sequence[Text]],
    *,
    foot: Sequence[Text] | None = None,
) -> Html:
    """A table that scrolls sideways on a narrow screen; the first cell of a row is its header."""
    heads = [_cell("th", c.title, c.css, scope="col") for c in columns]
    body = [_row(columns, row) for row in rows]
    parts = [
        element("caption", element("span", caption)),
        element("thead", element("tr", *heads)),
        element("tbody", *body),
    ]
    if foot is not None:
        parts.append(element("tfoot", _row(columns, foot)))
    return element(
        "div",
        element("table", *parts),
        class_="scroll",
        role="region",
        tabindex="0",
        aria_label=_plain(caption),
    )


def _row(columns: Sequence[Column], cells: Sequence[Text]) -> Html:
    assert len(cells) == len(columns), (len(cells), len(columns))
    first = _cell("th", cells[0], columns[0].css, scope="row")
    rest = [_cell("td", cell, c.css) for cell, c in zip(cells[1:], columns[1:], strict=True)]
    return element("tr", first, *rest)


def _cell(name: str, content: Text, css: str, **attributes: str) -> Html:
    return element(name, content, **attributes, **({"class_": css} if css else {}))


def _plain(caption: Text) -> str:
    return str(caption).split("<")[0].strip() if isinstance(caption, Html) else str(caption)
