"""What every file system a result may be unpacked on accepts as one path segment: Windows is the strictest."""

import unicodedata

# Windows treats these as devices in every folder, with any extension, in any case.
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"}
)
_FORBIDDEN = frozenset('<>:"|?*/\\')
# They change the order in which a name is displayed, so that it reads as another one.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Limit of one name on ext4, APFS and (in UTF-16 units, thus looser) NTFS.
MAX_SEGMENT_BYTES = 255


def segment_problem(segment: str) -> str | None:
    """Why `segment` cannot be the name of one file or folder everywhere; None if it can."""
    bad = next((char for char in segment if char in _FORBIDDEN or _is_control(char)), None)
    problem = None
    if segment in ("", ".", ".."):
        problem = "it is empty or consists of dots"
    elif bad is not None:
        problem = f"it contains {bad!r}" if bad in _FORBIDDEN else f"it contains the control character U+{ord(bad):04X}"
    elif segment[-1] in ". ":
        problem = "it ends with a dot or a space"
    elif segment.split(".", 1)[0].rstrip(" ").casefold() in _DEVICES:
        problem = f"{segment.split('.', 1)[0]!r} is a device name on Windows"
    elif len(segment.encode()) > MAX_SEGMENT_BYTES:
        problem = f"it is longer than {MAX_SEGMENT_BYTES} bytes"
    return problem


def _is_control(char: str) -> bool:
    return char in _BIDI or unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")
