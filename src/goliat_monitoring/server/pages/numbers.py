"""How numbers, spans and texts of strangers are written."""

import re

# Control and direction characters would hide or reorder what follows. They are shown by their code point.
ODD = re.compile(
    "[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u2069\\ud800-\\udfff\\ufeff]"
)
LEFT, RIGHT = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}", "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
UNITS = ("B", "kB", "MB", "GB", "TB")


def shown(text: str) -> str:
    """`text` with every character visible. Line breaks become code points too: a name has none."""
    return ODD.sub(lambda found: f"{LEFT}U+{ord(found[0]):04X}{RIGHT}", text)


def span(seconds: float | None) -> str:
    """A duration in two units: `3 h 12 min`."""
    if seconds is None:
        return "\N{EN DASH}"
    whole = max(int(seconds), 0)
    for size, unit, below, word in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // below
            if not rest or (word == "s" and whole >= 600):  # seconds beside ten minutes are noise
                return f"{whole // size} {unit}"
            return f"{whole // size} {unit} {rest} {word}"
    return f"{whole} s"


def size(count: float | None) -> str:
    """Bytes as people read them: `2.4 GB`."""
    if count is None:
        return "\N{EN DASH}"
    value = float(count)
    for unit in UNITS[:-1]:
        if abs(value) < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or abs(value) >= 100 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} {UNITS[-1]}"


def whole_percent(value: float | None, *, proven: bool = False) -> int | None:
    """0 to 100; 100 only when it is proven, else 99."""
    if value is None:
        return None
    return min(max(int(value), 0), 100 if proven else 99)


def count(number: int) -> str:
    """Thousands apart."""
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def plural(number: int, one: str, many: str = "") -> str:
    """`1 run`, `2 runs`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def money(euro: float) -> str:
    """Euro without the word: cents below a hundred."""
    return f"{euro:.2f}" if abs(euro) < 100 else count(round(euro))


def hours(value: float) -> str:
    """Hours without the word: tenths below ten."""
    return f"{value:.1f}" if abs(value) < 10 else count(round(value))
