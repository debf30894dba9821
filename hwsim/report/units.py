"""Prefixes, bands and grouped digits: the only place where a report leaves plain SI units."""

import math

UNKNOWN = "not known"
THIN = "\u202f"  # narrow no-break space, groups digits
_PREFIXES = dict(zip(range(-18, 15, 3), "afpnµm kMGT", strict=True))


def si(value: float | None, unit: str, *, digits: int = 3) -> str:
    """A value with an SI prefix.

    >>> si(2.3e-5, "J")
    '23 µJ'
    >>> si(None, "J")
    'not known'
    >>> si(4.2e-9, "m2")
    '4200 µm²'
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    exponent, prefixed = _prefixed(value, unit, digits)
    return f"{_digits(value / 10.0**exponent, digits)} {prefixed}".rstrip()


def band(median: float, p10: float, p90: float, unit: str) -> str:
    """A median with its [p10, p90], under one prefix.

    >>> band(2.31e-5, 1.8e-5, 2.94e-5, "J")
    '23.1 µJ [18, 29.4]'
    """
    return f"{si(median, unit)} {spread(median, p10, p90, unit).rsplit(' ', 1)[0]}"


def spread(median: float, p10: float, p90: float, unit: str) -> str:
    """Only [p10, p90], under the median's prefix.

    >>> spread(2.31e-5, 1.8e-5, 2.94e-5, "J")
    '[18, 29.4] µJ'
    """
    exponent, prefixed = _prefixed(median, unit, 3)
    low, high = (_digits(x / 10.0**exponent, 3) for x in (p10, p90))
    return f"[{low}, {high}] {prefixed}".rstrip()


def _prefixed(value: float, unit: str, digits: int) -> tuple[int, str]:
    """Power of ten and name of the unit; the prefix of an area is squared with it."""
    if unit == "1":
        return 0, ""
    if unit != "m2":
        exponent = prefix_exponent(value, digits=digits)
        return exponent, f"{prefix(exponent)}{unit}"
    side = prefix_exponent(math.sqrt(abs(value)), digits=digits)
    return 2 * side, f"{prefix(side)}m²"


def prefix_exponent(value: float, *, digits: int = 3) -> int:
    """Power of ten, a multiple of 3, that writes `value` as 1 to 999."""
    if value == 0 or not math.isfinite(value):
        return 0
    rounded = float(f"{abs(value):.{digits - 1}e}")  # 999.9e-6 is 1 m, not 1000 µ
    exponent = 3 * math.floor(math.log10(rounded) / 3 + 1e-12)
    return min(max(exponent, -18), 12)


def prefix(exponent: int) -> str:
    """The SI prefix of a power of ten: -6 is µ."""
    return _PREFIXES[exponent].strip()


def number(value: float | None, *, digits: int = 4) -> str:
    """A plain number, its thousands grouped.

    >>> number(12.34567)
    '12.35'
    """
    if value is None or not math.isfinite(value):
        return UNKNOWN
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}".replace(",", THIN)
    text = _digits(value, digits)
    return text if "e" not in text else f"{value:.{digits - 1}e}"


def percent(fraction: float | None, *, digits: int = 1) -> str:
    """A fraction in percent; a small one keeps a digit that is not zero.

    >>> percent(0.9317), percent(0.00012), percent(None)
    ('93.2 %', '0.012 %', 'not known')
    """
    if fraction is None or not math.isfinite(fraction):
        return UNKNOWN
    value = 100 * fraction
    if value and abs(value) < 10**-digits:
        return f"{value:.2g} %"
    return f"{value:.{digits}f} %"


def _digits(value: float, digits: int) -> str:
    """`value` to so many significant digits, never in exponents between 1e-5 and 1e15."""
    if value == 0:
        return "0"
    rounded = float(f"{value:.{digits - 1}e}")
    return f"{rounded:.15g}"
