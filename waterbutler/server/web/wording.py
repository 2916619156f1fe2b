"""How names, sizes and times are shown to people."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

_HIDDEN = frozenset(
    "\u00ad\u061c\u180e\u200b\u200e\u200f\ufeff"
    "\u202a\u202b\u202c\u202d\u202e\u2060\u2061\u2062\u2063\u2064\u2066\u2067\u2068\u2069"
)
"""Characters that have no shape of their own, or turn the direction of what follows.

Joiners are not among them: letters of some scripts and many emojis are made with them.
"""
_UNSHOWABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})

_UNITS = ("kB", "MB", "GB", "TB", "PB", "EB")


def shown_name(name: str) -> str:
    """A name in which every character can be seen.

    What a browser would drop or obey is spelled out, so that two names never look the same because
    of it: a line break is ``⟨U+000A⟩``, an override of the direction ``⟨U+202E⟩``.
    """
    if name.isascii() and name.isprintable():
        return name
    return "".join(_shown(char) for char in name)


def shown_size(size: int) -> str:
    """A number of bytes in words: ``1.4 MB``."""
    if size < 1000:
        return "1 byte" if size == 1 else f"{size} bytes"
    number, power = size / 1000, 0
    # What would be rounded up to a thousand reads better in the next unit.
    while number >= 999.5 and power < len(_UNITS) - 1:
        number, power = number / 1000, power + 1
    unit = _UNITS[power]
    return f"{number:.1f} {unit}" if number < 9.95 else f"{number:.0f} {unit}"


def exact_size(size: int) -> str:
    """The same to the last byte: ``1,432,018 bytes``."""
    return f"{size:,} byte{'' if size == 1 else 's'}"


def shown_date(moment: datetime) -> str:
    """The day of a time, in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def shown_clock(moment: datetime) -> str:
    """The time of day to the minute, in UTC."""
    return f"{moment.astimezone(UTC):%H:%M}"


def machine_time(moment: datetime) -> str:
    """A time as the ``datetime`` attribute has it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _shown(char: str) -> str:
    if char in _HIDDEN or unicodedata.category(char) in _UNSHOWABLE:
        return f"⟨U+{ord(char):04X}⟩"
    return char
