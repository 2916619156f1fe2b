"""The name that a download is saved under, and its type."""

from __future__ import annotations

import mimetypes
from functools import lru_cache

from waterbutler.core.disposition import attachment

__all__ = ["DEFAULT_TYPE", "attachment", "content_type"]

DEFAULT_TYPE = "application/octet-stream"

_OVERRIDES = {".csv": "text/csv", ".md": "text/x-markdown"}
"""Types that clients of the API rely on, whatever a storage says."""


def content_type(name: str, known: str | None) -> str:
    """The type of a file: by a few extensions, else what the storage knows, else a guess."""
    dot = name.rfind(".")
    extension = name[dot:].lower() if dot >= 0 else ""
    if extension in _OVERRIDES:
        return _OVERRIDES[extension]
    if known and known.isascii() and known.isprintable():
        return known
    return _guessed(extension)


@lru_cache(1024)
def _guessed(extension: str) -> str:
    guessed, encoding = mimetypes.guess_type(f"x{extension}", strict=False)
    return guessed if guessed and encoding is None else DEFAULT_TYPE
