"""Names on disk are bytes, names in paths are text; here one becomes the other.

A byte that is not part of valid UTF-8 is shown as a mark, U+201B, and two hexadecimal digits. Where
a name really has marks before something that looks like such digits, they are shown twice. So every
name on disk has one shown name, which leads back to it, and all valid names without marks are shown
as they are.

Names of this provider's own things are not shown and cannot be asked for, in any folder, because
the folder of another mount may be inside this one.
"""

from __future__ import annotations

import os
import re

from waterbutler.core import Path
from waterbutler.core.errors import BadPath, NotFound

MARK = "\u201b"
STATE = ".waterbutler"
"""The folder in a mount's folder that holds this provider's own state."""

_BYTE = "[89A-F][0-9A-F]"
_LONE = r"[\udc80-\udcff]"
_AMBIGUOUS = re.compile(f"{MARK}+(?={_BYTE}|{_LONE})")
_BROKEN = re.compile(_LONE)
_ESCAPED = re.compile(f"({MARK}+)({_BYTE})")
_TEMPORARY = re.compile(r"\.waterbutler-[0-9a-f]{32}\.part")


def temporary(token: str) -> bytes:
    """The temporary name for a token of 32 hexadecimal digits."""
    return f".waterbutler-{token}.part".encode()


def is_reserved(name: str) -> bool:
    """Whether a name is one of this provider's own; also in other case, as some systems see it."""
    if not name.startswith("."):
        return False
    lower = name.lower()
    return lower == STATE or _TEMPORARY.fullmatch(lower) is not None


def shown(name: str) -> str:
    """The name in a path for a name on disk, as `os.scandir` gives it."""
    if name.isascii():
        return name
    text = os.fsencode(name).decode("utf-8", "surrogateescape")
    text = _AMBIGUOUS.sub(lambda found: found[0] * 2, text)
    return _BROKEN.sub(lambda found: f"{MARK}{ord(found[0]) - 0xDC00:02X}", text)


def stored(name: str) -> bytes:
    """The name on disk for a name in a path.

    Raises:
        BadPath: Nothing on disk is shown under this name.
    """
    if MARK not in name:
        return name.encode()
    raw = _ESCAPED.sub(_unescape, name).encode("utf-8", "surrogateescape")
    if shown(os.fsdecode(raw)) != name:
        raise BadPath("The name has escaped bytes that are not in need of it.")
    return raw


def stored_path(path: Path) -> list[bytes]:
    """The names on disk that a path leads along, for writing there.

    Raises:
        BadPath: A name is reserved, or no name on disk is shown like it.
    """
    for name in path.names:
        if is_reserved(name):
            raise BadPath("The name is reserved.", path=str(path))
    return [stored(name) for name in path.names]


def known_path(path: Path) -> list[bytes]:
    """Like `stored_path`, for looking there.

    Raises:
        NotFound: Nothing can be at this path.
    """
    try:
        return stored_path(path)
    except BadPath:
        raise NotFound("There is no such file or folder.", path=str(path)) from None


def _unescape(found: re.Match[str]) -> str:
    marks, digits = found[1], found[2]
    literal = MARK * (len(marks) // 2)
    return literal + (chr(0xDC00 + int(digits, 16)) if len(marks) % 2 else digits)
