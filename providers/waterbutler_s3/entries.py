"""What is said about an object."""

from __future__ import annotations

import re
from collections.abc import Mapping

from waterbutler.core import JSON, Entry, Path
from waterbutler.core.errors import ProviderFault
from waterbutler.core.parsing import parse_http_date, parse_number

SHA256 = "x-amz-meta-waterbutler-sha256"
"""Where the hash of a file is kept that was small enough to be hashed before it was sent."""

_MD5 = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_UNKNOWN_TYPES = frozenset({"", "binary/octet-stream", "application/octet-stream"})
"""What servers say about objects whose type nobody told them."""


def from_headers(path: Path, headers: Mapping[str, str], size: int | None = None) -> Entry:
    """Describe a file by the answer to a ``HEAD`` or ``GET``.

    Args:
        path: The file.
        headers: The headers of the answer.
        size: The size, where ``Content-Length`` is that of a part.
    """
    if size is None:
        size = parse_number(headers.get("Content-Length"))
        if size is None:
            raise ProviderFault("The storage does not say how large the file is.", path=str(path))
    etag = clean_etag(headers.get("ETag"))
    hashes = hashes_of(etag, headers)
    encryption = headers.get("x-amz-server-side-encryption", "")
    extra: dict[str, JSON] = {"encryption": encryption}
    if "md5" in hashes:
        extra["md5"] = hashes["md5"]
    kind = headers.get("Content-Type", "")
    return Entry(
        path=path,
        size=size,
        modified=parse_http_date(headers.get("Last-Modified")),
        etag=etag,
        version=headers.get("x-amz-version-id"),
        content_type=None if kind in _UNKNOWN_TYPES else kind,
        hashes=hashes,
        extra=extra,
    )


def hashes_of(etag: str | None, headers: Mapping[str, str]) -> dict[str, str]:
    """The hashes that are certain.

    An etag is the md5 of the content only for what was stored in one piece and is not encrypted
    with keys from elsewhere. A listing does not tell how an object is encrypted, so only the
    headers of the object itself can make it a hash.
    """
    hashes: dict[str, str] = {}
    if etag is not None and is_md5(etag, headers):
        hashes["md5"] = etag
    noted = headers.get(SHA256, "")
    if _SHA256.fullmatch(noted):
        hashes["sha256"] = noted
    return hashes


def is_md5(etag: str, headers: Mapping[str, str]) -> bool:
    """Whether an etag is the md5 of the content."""
    plain = headers.get("x-amz-server-side-encryption", "AES256") in {"", "AES256"}
    foreign = "x-amz-server-side-encryption-customer-algorithm" in headers
    return plain and not foreign and _MD5.fullmatch(etag) is not None


def clean_etag(text: str | None) -> str | None:
    """An etag without its quotes: with them in one place and without in another it would differ."""
    return (text or "").strip().removeprefix("W/").strip('"') or None
