"""Values as they may be shown."""

from __future__ import annotations

import re
from typing import TypeVar

HIDDEN = "********"
"""Stands where a secret would be."""

_SECRET_NAME = re.compile(
    r"secret|passw|passphrase|token|credential|private|signature|cookie|salt"
    r"|(^|[_-])(key|pass|pwd|auth|authorization|access_?key|api_?key)$",
    re.IGNORECASE,
)
_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):[^/\s]*(?=@)")

T = TypeVar("T")


def redacted(name: str, value: T) -> T | str | list[object] | dict[str, object]:
    """``value`` of a setting called ``name``, without what looks like a secret.

    Texts under a telling name are hidden, and passwords inside addresses; tables and lists are
    gone through.
    """
    if isinstance(value, dict):
        return {key: redacted(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [redacted(name, inner) for inner in value]
    if not isinstance(value, (str, int, float)) or isinstance(value, bool) or value == "":
        return value
    if _SECRET_NAME.search(name):
        return HIDDEN
    return without_password(value) if isinstance(value, str) else value


def hidden(value: object) -> object:
    """``value`` with every text and number in it hidden; its shape and its keys stay."""
    if isinstance(value, dict):
        return {key: hidden(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [hidden(inner) for inner in value]
    return value if value is None or value == "" else HIDDEN


def without_password(text: str) -> str:
    """``text`` without the passwords of addresses in it, ``redis://user:********@host``."""
    return _PASSWORD.sub(rf"\1:{HIDDEN}", text)
