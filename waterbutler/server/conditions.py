"""Conditional requests (RFC 9110, 13) and ranges (14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache

from tornado.httputil import HTTPHeaders

from waterbutler.core import ByteRange, Entry
from waterbutler.core.errors import BadRange, PreconditionFailed
from waterbutler.core.parsing import parse_http_date

_TAG = re.compile(r'(W/)?"([^"]*)"')
_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)", re.IGNORECASE | re.ASCII)
_MAX_DIGITS = 19


def http_date(moment: datetime) -> str:
    """A time as HTTP headers write it."""
    return _http_date(int(moment.timestamp() // 1))


@lru_cache(1024)
def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def parse_range(header: str | None) -> ByteRange | None:
    """The range that a request asks for.

    One range of bytes is honoured. Several ranges, other units and what cannot be read are
    ignored, as the standard allows: then the whole file is sent.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None:
        return None
    first, last = match.groups()
    if max(len(first), len(last)) > _MAX_DIGITS:
        first, last = first[:_MAX_DIGITS], last[:_MAX_DIGITS]
    try:
        if first:
            return ByteRange(int(first), int(last) if last else None)
        return ByteRange(suffix=int(last)) if last else None
    except BadRange:
        return None


def not_modified(headers: HTTPHeaders, etag: str | None, modified: datetime | None) -> bool:
    """Whether the client has this already: 304 for GET and HEAD."""
    tags = headers.get("If-None-Match")
    if tags is not None:
        return etag is not None and _listed(tags, etag, weak=True)
    since = parse_http_date(headers.get("If-Modified-Since"))
    return since is not None and modified is not None and modified.replace(microsecond=0) <= since


def check(headers: HTTPHeaders, etag: str | None, modified: datetime | None) -> None:
    """Refuse a read whose ``If-Match`` or ``If-Unmodified-Since`` does not hold.

    Raises:
        PreconditionFailed: It does not.
    """
    tags = headers.get("If-Match")
    if tags is not None:
        if etag is None or not _listed(tags, etag, weak=False):
            raise PreconditionFailed("The file is not the one that the request names.")
        return
    since = parse_http_date(headers.get("If-Unmodified-Since"))
    if since is not None and modified is not None and modified.replace(microsecond=0) > since:
        raise PreconditionFailed("The file has changed since then.")


def range_applies(headers: HTTPHeaders, etag: str | None, modified: datetime | None) -> bool:
    """Whether ``If-Range`` allows to send a part; true where it is absent."""
    value = headers.get("If-Range")
    if value is None:
        return True
    match = _TAG.fullmatch(value.strip())
    if match is not None:
        return match[1] is None and match[2] == etag
    moment = parse_http_date(value)
    return moment is not None and modified is not None and modified.replace(microsecond=0) == moment


_READ_CONDITIONS = (
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "If-Unmodified-Since",
)
_WRITE_CONDITIONS = ("If-Match", "If-None-Match", "If-Unmodified-Since")


def is_conditional_read(headers: HTTPHeaders) -> bool:
    """Whether the answer to a read depends on what the client has."""
    return any(name in headers for name in _READ_CONDITIONS)


def is_conditional_write(headers: HTTPHeaders) -> bool:
    """Whether a write depends on what is there."""
    return any(name in headers for name in _WRITE_CONDITIONS)


def check_write(headers: HTTPHeaders, entry: Entry | None, etag: str | None) -> None:
    """Refuse a write whose condition does not hold for what is there now.

    Raises:
        PreconditionFailed: It does not.
    """
    tags = headers.get("If-None-Match")
    if tags is not None and entry is not None and _listed(tags, etag or "", weak=True):
        raise PreconditionFailed("There is something already.")
    if entry is None and "If-Match" in headers:
        raise PreconditionFailed("There is nothing yet.")
    if entry is not None:
        check(headers, etag, entry.modified)


def _listed(tags: str, etag: str, *, weak: bool) -> bool:
    if tags.strip() == "*":
        return True
    return any(value == etag and (weak or not prefix) for prefix, value in _TAG.findall(tags))
