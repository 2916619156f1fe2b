"""The name that a download is saved under (RFC 6266, RFC 8187)."""

from __future__ import annotations

import mimetypes
import unicodedata
from urllib.parse import quote

DEFAULT_TYPE = "application/octet-stream"

_OVERRIDES = {".csv": "text/csv", ".md": "text/x-markdown"}
"""Types that clients of the API rely on, whatever a storage says."""

_ATTR_CHARS = "!#$&+-.^_`|~"
"""What RFC 8187 allows unencoded, besides letters and digits."""


def attachment(name: str) -> str:
    """The value of a ``Content-Disposition`` header that saves under ``name``."""
    encoded = quote(name, safe=_ATTR_CHARS, errors="replace")
    return f"attachment; filename=\"{_ascii(name)}\"; filename*=UTF-8''{encoded}"


def _ascii(name: str) -> str:
    """What old clients get: letters without their accents, nothing that breaks the header."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    safe = "".join(
        "_" if ord(char) < 32 or ord(char) == 127 or char == "/" else char for char in plain
    )
    stem, dot, extension = safe.rpartition(".")
    if not (stem if dot else safe).strip():
        safe = "download" + dot + extension if dot else "download"
    return safe.replace("\\", "\\\\").replace('"', '\\"')


def content_type(name: str, known: str | None) -> str:
    """The type of a file: by a few extensions, else what the storage knows, else a guess."""
    dot = name.rfind(".")
    extension = name[dot:].lower() if dot >= 0 else ""
    if extension in _OVERRIDES:
        return _OVERRIDES[extension]
    if known and known.isascii() and known.isprintable():
        return known
    guessed, encoding = mimetypes.guess_type("x" + extension, strict=False)
    return guessed if guessed and encoding is None else DEFAULT_TYPE
