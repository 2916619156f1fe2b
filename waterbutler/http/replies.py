"""What the status of an answer means, where the storage says nothing clearer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from waterbutler.core.errors import (
    Forbidden,
    NotFound,
    PreconditionFailed,
    ProviderFailed,
    ProviderFault,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    TooLarge,
    Unsupported,
    WaterButlerError,
)
from waterbutler.core.parsing import parse_http_date

_MEANINGS: dict[int, tuple[type[WaterButlerError], str]] = {
    401: (Forbidden, "The storage does not accept the credentials."),
    403: (Forbidden, "The storage does not allow it."),
    404: (NotFound, "There is no such file or folder."),
    408: (ProviderUnavailable, "The storage was waiting for too long."),
    412: (PreconditionFailed, "The file is not in the state that it should be in."),
    413: (TooLarge, "The storage cannot hold a file of this size."),
    429: (RateLimited, "The storage is asked too often."),
    500: (ProviderFailed, "The storage failed."),
    501: (Unsupported, "The storage cannot do this."),
    502: (ProviderFailed, "The storage failed."),
    503: (ProviderUnavailable, "The storage is not available at the moment."),
    504: (ProviderTimeout, "The storage does not answer."),
    507: (QuotaExceeded, "The storage has no room left."),
}


def error_for(
    status: int, headers: Mapping[str, str] | None = None, *, path: str | None = None
) -> WaterButlerError:
    """The error to raise for a status that is no success."""
    fault = (ProviderFault, f"The storage answered with the unexpected status {status}.")
    kind, message = _MEANINGS.get(status, fault)
    if issubclass(kind, (RateLimited, ProviderUnavailable)):
        return kind(message, path=path, retry_after=retry_after(headers or {}))
    return kind(message, path=path)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that a ``Retry-After`` header asks to wait for, as a number or as a date."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        moment = parse_http_date(text)
        if moment is None:
            return None
        seconds = (moment - datetime.now(UTC)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else None
