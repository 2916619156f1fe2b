"""Numbers and times as others write them: read, or taken for nothing, and never an error."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,18}")
"""No file has more bytes, and Python refuses to read numbers that are very much longer."""


def parse_number(text: str | None) -> int | None:
    """A number of decimal digits; ``None`` if it is none, or has more than 18 of them."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def parse_http_date(text: str | None) -> datetime | None:
    """A time of a header (RFC 9110, 5.6.7), in UTC; ``None`` if it is none."""
    if not text:
        return None
    try:
        return _in_utc(parsedate_to_datetime(text))
    except (ValueError, OverflowError):
        return None


def parse_iso_date(text: str | None) -> datetime | None:
    """A time as ISO 8601 writes it, in UTC, which it is in without a zone; or ``None``."""
    try:
        return _in_utc(datetime.fromisoformat((text or "").strip()))
    except (ValueError, OverflowError):
        return None


def _in_utc(moment: datetime) -> datetime:
    """The same moment; `OverflowError` where a zone moves it out of the calendar."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
