"""The raw target of a request, read strictly.

Tornado's own decoding drops control characters and turns encoded slashes into separators, so that
a bad name would become another, good one. Here everything is decoded exactly or refused.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from waterbutler.core import Path
from waterbutler.core.errors import BadPath, InvalidRequest

_MAX_PARAMETERS = 100


def decode(text: str, *, plus: bool = False) -> str:
    """Percent-decode one piece of a URL.

    Args:
        text: The piece as it came.
        plus: Whether ``+`` stands for a space, as it does in queries.

    Raises:
        InvalidRequest: It is not valid UTF-8.
    """
    if plus:
        text = text.replace("+", " ")
    if "%" not in text and text.isascii():
        return text
    try:
        # Tornado hands out the target as Latin-1, one character for each byte.
        return unquote_to_bytes(text.encode("latin-1")).decode()
    except (UnicodeDecodeError, UnicodeEncodeError):
        raise InvalidRequest("The URL is not valid UTF-8.") from None


def parse_path(raw: str) -> Path:
    """The path of a URL, name by name, so that an encoded slash stays part of a name.

    Raises:
        BadPath: A name is bad.
    """
    if not raw.startswith("/"):
        raise BadPath("A path must start with a slash.")
    if raw == "/":
        return Path()
    is_folder = raw.endswith("/")
    inner = raw[1:-1] if is_folder else raw[1:]
    return Path(tuple(decode(piece) for piece in inner.split("/")), is_folder)


class Query:
    """The parameters of a URL; unknown ones are simply never asked for.

    Raises:
        InvalidRequest: There are too many, or one of them is not valid UTF-8.
    """

    def __init__(self, raw: str) -> None:
        pairs = [piece for piece in raw.split("&") if piece]
        if len(pairs) > _MAX_PARAMETERS:
            raise InvalidRequest(f"A URL has at most {_MAX_PARAMETERS} parameters.")
        self._values: dict[str, list[str]] = {}
        for piece in pairs:
            name, _, value = piece.partition("=")
            values = self._values.setdefault(decode(name, plus=True), [])
            values.append(decode(value, plus=True))

    def __contains__(self, name: str) -> bool:
        """Whether a flag is set: its presence counts, not its value."""
        return name in self._values

    def get(self, name: str) -> str | None:
        """The last value of a parameter, ``None`` if it is absent."""
        values = self._values.get(name)
        return values[-1] if values else None

    def first(self, name: str) -> str | None:
        """The first value of a parameter, ``None`` if it is absent."""
        values = self._values.get(name)
        return values[0] if values else None

    def one_of(self, *names: str) -> str | None:
        """The value of the first of several parameters that has one that is not empty."""
        for name in names:
            value = self.get(name)
            if value:
                return value
        return None
