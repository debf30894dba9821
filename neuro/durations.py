"""Durations in words: `90s`, `5min`, `1h`, `2d`, `1w`, `10y`."""

import math
import re

SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31557600.0}


def parse_duration(text: str) -> float:
    """Seconds of a number with a unit: s, min, h, d, w, or y of 365.25 days.

    >>> parse_duration("1.5 h")
    5400.0

    Raises:
        ValueError: for any other text.
    """
    found = re.fullmatch(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*([a-z]+)\s*", text, re.IGNORECASE)
    try:
        if found is None:
            raise ValueError
        seconds = float(found[1]) * SECONDS[found[2].lower()]
    except (ValueError, KeyError):
        raise ValueError(
            f"{text!r:.40} is no duration: give a number and one of {', '.join(SECONDS)}, as `1h`"
        ) from None
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r:.40} is no duration that ends")
    return seconds


def parse_durations(text: str) -> dict[str, float]:
    """Seconds of each of a list, `1s,1h,1d`, by its words, from short to long.

    Raises:
        ValueError: if one is none, two are the same time, or there is none at all.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError("no times were given: give some, as `1s,1h,1d,1y`")
    seconds = [(parse_duration(word), word) for word in words]
    if len({s for s, _ in seconds}) < len(words):
        raise ValueError(f"{text!r:.60} has a time twice: give each once")
    return {word: s for s, word in sorted(seconds)}


def duration_words(seconds: float) -> str:
    """A duration in the longest unit of which it is a whole number.

    >>> duration_words(7200.0), duration_words(0.5)
    ('2 h', '0.5 s')
    """
    for unit, length in sorted(SECONDS.items(), key=lambda item: -item[1]):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g} {unit}"
    return f"{seconds:g} s"
