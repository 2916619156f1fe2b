"""The name that a download is saved under (RFC 6266, RFC 8187)."""

from __future__ import annotations

import unicodedata
from urllib.parse import quote

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
